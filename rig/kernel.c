// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel.h"
#include "kernel-kinds.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* @spec up to its last @c, or NULL when it has none or nothing before it. */
static char *before(const char *spec, char c)
{
	const char *at = strrchr(spec, c);

	return at && at != spec ? xstrndup(spec, at - spec) : NULL;
}

static bool is_debian(const char *s)
{
	return starts_with(s, "debian:");
}

static bool is_debian_src(const char *s)
{
	return starts_with(s, "debian-src:");
}

static bool is_deb(const char *s)
{
	return ends_with(s, ".deb") && !is_dir(s);
}

static bool is_revision(const char *s)
{
	_free_ char *path = before(s, '@');

	return path && is_dir(path);
}

static bool is_image_with_modules(const char *s)
{
	_free_ char *path = before(s, ',');

	return path && is_file(path);
}

static int get_debian(const char *s, const struct kernel_opts *o,
		      struct kernel *k)
{
	return kernel_debian(strchr(s, ':') + 1, o, k);
}

static int get_debian_src(const char *s, const struct kernel_opts *o,
			  struct kernel *k)
{
	return kernel_debian_src(strchr(s, ':') + 1, o, k);
}

static int get_tree(const char *s, const struct kernel_opts *o,
		    struct kernel *k)
{
	return o->patches.n ? kernel_git(s, NULL, o, k) : kernel_tree(s, o, k);
}

static int get_image(const char *s, const struct kernel_opts *o,
		     struct kernel *k)
{
	return kernel_image(s, NULL, o, k);
}

static int get_revision(const char *s, const struct kernel_opts *o,
			struct kernel *k)
{
	_free_ char *path = before(s, '@');

	return kernel_git(path, strrchr(s, '@') + 1, o, k);
}

static int get_image_with_modules(const char *s, const struct kernel_opts *o,
				  struct kernel *k)
{
	_free_ char *path = before(s, ',');

	return kernel_image(path, strrchr(s, ',') + 1, o, k);
}

/* First match wins: a path that is there is taken as it is before a '@' or a
 * ',' in it is looked at. */
static const struct {
	bool (*match)(const char *spec);
	int (*get)(const char *spec, const struct kernel_opts *o,
		   struct kernel *k);
} kinds[] = {
	{ is_debian, get_debian },
	{ is_debian_src, get_debian_src },
	{ is_deb, kernel_deb },
	{ is_dir, get_tree },
	{ is_file, get_image },
	{ is_revision, get_revision },
	{ is_image_with_modules, get_image_with_modules },
};

int kernel_get(const char *spec, const struct kernel_opts *o, struct kernel *k)
{
	*k = (struct kernel)KERNEL_INIT;
	k->spec = xstrdup(spec);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].match(spec))
			return kinds[i].get(spec, o, k);
	return failed(EXIT_USAGE,
		      "'%s' names no kernel: there is no such file or folder; it can be a source tree, TREE@REV, debian:SUITE, debian-src:SUITE, a .deb, or BZIMAGE[,MODULES_DIR]",
		      spec);
}

void kernel_free(struct kernel *k)
{
	free(k->spec);
	free(k->release);
	free(k->version);
	free(k->image);
	free(k->vmlinux);
	free(k->modules);
	free(k->config);
	free(k->tree);
	free(k->build_log);
	strv_free(&k->commands);
	*k = (struct kernel)KERNEL_INIT;
}

static void add_string(struct json_object *o, const char *key, const char *s)
{
	if (s)
		json_object_object_add(o, key, json_object_new_string(s));
}

void kernel_list_add(struct json_object *array, const char *spec,
		     const char *help, const char *release,
		     const char *version, bool cached)
{
	struct json_object *o = json_object_new_object();

	add_string(o, "spec", spec);
	add_string(o, "help", help);
	add_string(o, "release", release);
	add_string(o, "version", version);
	json_object_object_add(o, "cached", json_object_new_boolean(cached));
	json_object_array_add(array, o);
}

struct json_object *kernel_list(void)
{
	struct json_object *array = json_object_new_array();

	kernel_debian_list(array);
	kernel_tree_list(array);
	return array;
}
