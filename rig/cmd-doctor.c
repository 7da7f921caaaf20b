// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig doctor`: what a run needs of this host, whether it is there, and how
 * to get it. */
#include "accel.h"
#include "cache.h"
#include "cli.h"
#include "proc.h"

#include <json-c/json.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A program, what it is for, the Debian package that has it, and whether a
 * run is impossible without it. */
static const struct need {
	const char *program, *package, *what;
	bool must;
} needs[] = {
	{ "qemu-system-x86_64", "qemu-system-x86", "every run", true },
	{ "mkfs.xfs", "xfsprogs", "XFS cases", true },
	{ "xfs_repair", "xfsprogs", "checking XFS afterwards", true },
	{ "mkfs.ext4", "e2fsprogs", "ext4 cases", true },
	{ "e2fsck", "e2fsprogs", "checking ext4 afterwards", true },
	{ "fio", "fio", "background-fio", false },
	{ "busybox", "busybox", "rig shell", false },
	{ "ndctl", "ndctl", "rig shell", false },
	{ "rsvg-convert", "librsvg2-bin", "rig census -o FILE.png", false },
	{ "apt-get", "apt", "debian:SUITE kernels", false },
	{ "depmod", "kmod", "packaged kernels", false },
	{ "make", "make", "building a kernel", false },
	{ "gcc", "gcc", "building a kernel", false },
	{ "flex", "flex", "building a kernel", false },
	{ "bison", "bison", "building a kernel", false },
	{ "bc", "bc", "building a kernel", false },
	{ "git", "git", "TREE@REV and --patches", false },
	{ "ccache", "ccache", "faster rebuilds", false },
};

static void check_programs(struct json_object *list, bool *bad)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const struct need *n = &needs[i];
		_free_ char *path = find_program(n->program);
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name",
				       json_object_new_string(n->program));
		json_object_object_add(o, "for",
				       json_object_new_string(n->what));
		json_object_object_add(o, "path",
				       path ? json_object_new_string(path) :
					      NULL);
		json_object_object_add(o, "package",
				       json_object_new_string(n->package));
		json_object_array_add(list, o);
		*bad |= !path && n->must;
	}
}

static int parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key == 'J')
		*(bool *)state->input = true;
	return key == 'J' ? 0 : ARGP_ERR_UNKNOWN;
}

static void print_text(struct json_object *programs, const struct accel *a,
		       const char *cache, double free_gib)
{
	_buf_ struct buf lacking = {};

	for (size_t i = 0; i < json_object_array_length(programs); i++) {
		struct json_object *o = json_object_array_get_idx(programs, i);
		struct json_object *path, *v;
		const char *name, *what;

		json_object_object_get_ex(o, "path", &path);
		json_object_object_get_ex(o, "name", &v);
		name = json_object_get_string(v);
		json_object_object_get_ex(o, "for", &v);
		what = json_object_get_string(v);
		printf("%-8s %-20s %s\n", path ? "ok" : "missing", name,
		       path ? json_object_get_string(path) : what);
		json_object_object_get_ex(o, "package", &v);
		if (!path && !(lacking.data &&
			       strstr(lacking.data, json_object_get_string(v))))
			buf_addf(&lacking, " %s", json_object_get_string(v));
	}
	printf("%-8s %-20s %s: %s\n", "ok", "acceleration", a->name, a->why);
	printf("%-8s %-20s %.1f GiB free in %s\n", free_gib < 2 ? "low" : "ok",
	       "disk", free_gib, cache);
	if (lacking.len)
		printf("\nTo get what is missing: apt-get install%s\n",
		       lacking.data);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp_option options[] = {
		{ "json", 'J', NULL, 0, "JSON on stdout", 1 },
		{},
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.doc = "What this host has, lacks and how to get it. Measures "
		       "anew whether KVM is usable. Exits 128 when something "
		       "is missing without which nothing runs.",
	};
	struct json_object *programs;
	_free_ char *cache = NULL;
	bool json = false, bad = false;
	struct statvfs st = {};
	struct accel a;
	double gib;

	if (cli_parse(&argp, argc, argv, &json))
		return EXIT_USAGE;
	cache = cache_path("deb");
	if (!cache)
		return EXIT_RIG_FAILED;
	*strrchr(cache, '/') = '\0';
	statvfs(cache, &st);
	gib = (double)st.f_bavail * st.f_frsize / (1 << 30);
	accel_choose("auto", "qemu-system-x86_64", true, &a);
	programs = json_object_new_array();
	check_programs(programs, &bad);
	if (json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "programs", programs);
		json_object_object_add(o, "accel",
				       json_object_new_string(a.name));
		json_object_object_add(o, "accel_why",
				       json_object_new_string(a.why));
		json_object_object_add(o, "cache",
				       json_object_new_string(cache));
		json_object_object_add(o, "free_gib",
				       json_object_new_double(gib));
		puts(json_object_to_json_string_ext(
			o, JSON_C_TO_STRING_PRETTY |
				   JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
	} else {
		print_text(programs, &a, cache, gib);
		json_object_put(programs);
	}
	return bad ? EXIT_RIG_FAILED : EXIT_CLEAN;
}
