// SPDX-License-Identifier: GPL-2.0-or-later
/* Spec parsing and the build path, on a fake tree. */
#include "tests/kernel-fixture.h"
#include "rig/kernel-tree.h"

#include <json-c/json.h>
#include <signal.h>
#include <sys/wait.h>

static char *tree(void)
{
	make_tree("linux");
	return in_scratch("linux");
}

/* The one build folder, and a file in it. */
static char *in_build(const char *rel)
{
	_free_ char *root = in_scratch("cache/rig/build");
	_free_ char *out = in_scratch("found");
	_free_ char *dir = NULL;

	sh("ls -d %s/*/ > %s", root, out);
	dir = slurp(out);
	dir[strcspn(dir, "\n")] = '\0';
	return xstrfmt("%s%s", dir, rel);
}

static void spec_that_names_nothing(void **state)
{
	_free_ char *file = in_scratch("note.txt");
	_free_ char *short_deb = in_scratch("no.deb");

	put("note.txt", "some text that is much longer than a boot sector's "
			"setup header, but is not a kernel image at all. ");
	refuse("/nonexistent", NULL, EXIT_USAGE, "names no kernel");
	refuse("", NULL, EXIT_USAGE, "names no kernel");
	refuse("/nonexistent@v6.1", NULL, EXIT_USAGE, "names no kernel");
	refuse("/nonexistent,/lib/modules", NULL, EXIT_USAGE,
	       "names no kernel");
	refuse("debian:", NULL, EXIT_USAGE, "is no Debian suite");
	refuse("debian:../x", NULL, EXIT_USAGE, "is no Debian suite");
	refuse("debian-src:Sid", NULL, EXIT_USAGE, "is no Debian suite");
	refuse(short_deb, NULL, EXIT_USAGE, "No such file");
	refuse(file, NULL, EXIT_USAGE, "is no kernel image");
	refuse("/dev/null", NULL, EXIT_USAGE, "is no regular file");
}

static void built_kernels_take_no_patches(void **state)
{
	struct kernel_opts o = {};

	strv_push(&o.patches, "x.patch");
	refuse("debian:bookworm", &o, EXIT_USAGE, "need a source tree");
	strv_free(&o.patches);
}

static void not_a_tree(void **state)
{
	_free_ char *dir = in_scratch("dir");

	put("dir/Makefile", "all:\n\ttrue\n");
	put("dir/Kconfig", "\n");
	refuse(dir, NULL, EXIT_USAGE, "is no kernel source tree");
	put("dir/Makefile", "VERSION = 6\nPATCHLEVEL = 1\n");
	refuse(dir, NULL, EXIT_USAGE, "it has no arch/x86");
}

static void tree_configured_in_place(void **state)
{
	_free_ char *dir = tree();

	put("linux/.config", "#\n# Linux/arm64 6.1.7 Kernel Configuration\n");
	refuse(dir, NULL, EXIT_USAGE,
	       "was configured in place for arm64, and make O= refuses such a tree: run 'make -C ");
	sh("rm linux/.config");
	put("linux/include/config/x", "");
	refuse(dir, NULL, EXIT_USAGE, "was configured in place, and");
	/* A git tree has another way out. */
	sh("git init -q linux");
	refuse(dir, NULL, EXIT_USAGE, "@HEAD to build a private copy");
}

static void builds_and_leaves_the_tree_alone(void **state)
{
	_free_ char *dir = tree();
	_free_ char *before = listing(dir);
	_kernel_ struct kernel k = KERNEL_INIT;

	accept(dir, NULL, &k, NULL);
	untouched(dir, before);
	assert_string_equal(k.release, "6.1.7-fake");
	assert_string_equal(k.version, "6.1.7-fake");
	assert_string_equal(k.spec, dir);
	assert_string_equal(k.tree, dir);
	assert_string_equal(k.image, k.vmlinux);
	assert_true(path_exists(k.image));
	assert_true(path_exists(k.config));
	assert_null(k.modules);
	assert_int_equal(count_lines(k.build_log, "  CC "), 3);
	assert_int_equal(k.commands.n, 2);
}

static void unchanged_tree_needs_no_make(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;

	accept(dir, NULL, &a, NULL);
	accept(dir, NULL, &b, NULL);
	assert_null(b.build_log);
	assert_string_equal(a.image, b.image);
	assert_string_equal(b.release, "6.1.7-fake");
}

static void one_line_change_builds_one_object(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;
	_free_ char *calls = NULL;

	accept(dir, NULL, &a, NULL);
	put_settled("linux/dax.c", "int dax(void)\n{\n\treturn 33;\n}\n");
	accept(dir, NULL, &b, NULL);
	assert_int_equal(count_lines(b.build_log, "  CC "), 1);
	assert_int_equal(count_lines(b.build_log, "  CC      dax.o"), 1);
	/* A run that still boots the old one is not disturbed. */
	assert_string_not_equal(a.image, b.image);
	assert_true(path_exists(a.image));
	calls = in_build("obj/calls");
	assert_int_equal(count_lines(calls, "allnoconfig"), 1);
}

/* Written in place, and the time put back. */
static void change_behind_the_same_mtime_is_seen(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;

	accept(dir, NULL, &a, NULL);
	sh("touch -r linux/dax.c ref; printf i |"
	   " dd of=linux/dax.c conv=notrunc && touch -r ref linux/dax.c &&"
	   " sleep 0.1");
	accept(dir, NULL, &b, NULL);
	assert_non_null(b.build_log);
}

static void kconfig_change_configures_anew(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;
	_free_ char *calls = NULL;

	accept(dir, NULL, &a, NULL);
	put_settled("linux/Kconfig", "config NEW\n\tbool\n");
	accept(dir, NULL, &b, NULL);
	calls = in_build("obj/calls");
	assert_int_equal(count_lines(calls, "allnoconfig"), 2);
	assert_int_equal(count_lines(b.build_log, "  CC "), 0);
}

/* A file that changes while it is looked at proves nothing. */
static void fresh_change_is_not_trusted(void **state)
{
	_free_ char *dir = tree();
	char hex[17];
	bool certain;

	assert_int_equal(tree_fingerprint(dir, hex, &certain), 0);
	assert_true(certain);
	put("linux/two.c", "int two(void);\n");
	assert_int_equal(tree_fingerprint(dir, hex, &certain), 0);
	assert_false(certain);
}

static void link_out_of_the_tree_is_not_trusted(void **state)
{
	_free_ char *dir = tree();
	char hex[17], with[17], changed[17];
	bool certain;

	put("elsewhere/driver.c", "int a;\n");
	sh("ln -s %s/elsewhere/driver.c linux/driver.c; sleep 0.1", scratch);
	assert_int_equal(tree_fingerprint(dir, with, &certain), 0);
	assert_true(certain);
	put_settled("elsewhere/driver.c", "int b2;\n");
	assert_int_equal(tree_fingerprint(dir, changed, &certain), 0);
	assert_string_not_equal(with, changed);
	sh("ln -s %s/elsewhere linux/folder; ln -s arch linux/inside;"
	   " sleep 0.1", scratch);
	assert_int_equal(tree_fingerprint(dir, hex, &certain), 0);
	assert_false(certain);
}

static void compiler_error_is_shown(void **state)
{
	_free_ char *dir = tree();
	struct kernel_opts o = {};
	_kernel_ struct kernel k = KERNEL_INIT;
	_free_ char *said = NULL;

	put("linux/dax.c", "int dax(void)\n{\n\treturn oops;\n}\n");
	assert_int_equal(get(dir, &o, &k, &said), EXIT_CANNOT_TEST);
	assert_non_null(strstr(said, "building"));
	assert_non_null(strstr(said, "failed: dax.c:3:"));
	assert_non_null(strstr(said, "error: 'oops' undeclared"));
	assert_null(strstr(said, "***"));
	assert_non_null(strstr(said, "build.log"));
	assert_true(path_exists(k.build_log));
	refuse(dir, &o, EXIT_CANNOT_TEST, "dax.c:3:");
	/* And it is built once it is mended. */
	put_settled("linux/dax.c", "int dax(void)\n{\n\treturn 3;\n}\n");
	{
		_kernel_ struct kernel again = KERNEL_INIT;

		accept(dir, &o, &again, NULL);
	}
}

static void errors_are_picked_from_the_log(void **state)
{
	static const struct {
		const char *log, *first;
		size_t n;
	} cases[] = {
		{ "  CC  a.o\n/src/fs/dax.c:3:9: error: x\n"
		  "make[2]: *** [scripts/Makefile.build:250: fs/dax.o] Error 1\n"
		  "make: *** [Makefile:100: __sub-make] Error 2\n",
		  "fs/dax.c:3:9: error: x", 1 },
		{ "ld: fs/dax.o: in function `a':\n"
		  "dax.c:(.text+0x1): undefined reference to `b'\n",
		  "ld: fs/dax.o: in function `a':", 2 },
		{ "make[1]: *** No rule to make target 'certs/x.pem', needed by 'y'.  Stop.\n"
		  "make: *** [Makefile:1: z] Error 2\n",
		  "No rule to make target 'certs/x.pem', needed by 'y'.  Stop.",
		  1 },
		{ "make: *** [Makefile:1: z] Error 2\n",
		  "[Makefile:1: z] Error 2", 1 },
		{ "/bin/sh: 1: flex: not found\n", "/bin/sh: 1: flex: not found",
		  1 },
		{ "ERROR: modpost: \"x\" [y.ko] undefined!\n",
		  "ERROR: modpost: \"x\" [y.ko] undefined!", 1 },
		{ "ld: warning: x has a LOAD segment\na.c:1: error: y\n",
		  "a.c:1: error: y", 1 },
		{ "one\nlast words\n", "last words", 1 },
		{ "\033[1ma.c:1: error: x\n", "\\x1b[1ma.c:1: error: x", 1 },
		{ "a: error: 1\na: error: 2\na: error: 3\na: error: 4\n"
		  "a: error: 5\na: error: 6\n", "a: error: 1", 5 },
		{ "", NULL, 0 },
	};
	_free_ char *log = in_scratch("log");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_strv_ struct strv out = {};

		put("log", cases[i].log);
		build_errors(log, "/src", 5, &out);
		assert_int_equal(out.n, cases[i].n);
		if (out.n)
			assert_string_equal(out.v[0], cases[i].first);
	}
}

static void what_falls_away_is_named(void **state)
{
	_free_ char *dir = tree();
	_free_ char *frag = in_scratch("f.config");
	struct kernel_opts o = {};
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;

	put("f.config", "CONFIG_DROPPED_BY_DEPS=y\nCONFIG_DROPPED_UNKNOWN=y\n");
	strv_push(&o.kconfigs, frag);
	accept(dir, &o, &a,
	       "is configured without: CONFIG_DROPPED_BY_DEPS=y (");
	/* Also where nothing is built. */
	accept(dir, &o, &b, "CONFIG_DROPPED_UNKNOWN=y (");
	assert_null(b.build_log);
	strv_free(&o.kconfigs);
	strv_push(&o.kconfigs, "nosuch");
	refuse(dir, &o, EXIT_USAGE, "there are: base debug diag");
	strv_free(&o.kconfigs);
}

static void fragments_have_folders_of_their_own(void **state)
{
	_free_ char *dir = tree();
	struct kernel_opts o = {};
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;
	_kernel_ struct kernel c = KERNEL_INIT;

	accept(dir, NULL, &a, NULL);
	strv_push(&o.kconfigs, "debug");
	accept(dir, &o, &b, NULL);
	assert_string_not_equal(a.image, b.image);
	accept(dir, NULL, &c, NULL);
	assert_string_equal(a.image, c.image);
	assert_null(c.build_log);
	strv_free(&o.kconfigs);
}

static void own_config_goes_through_olddefconfig(void **state)
{
	_free_ char *dir = tree();
	_free_ char *config = in_scratch("my.config");
	struct kernel_opts o = { .config = config };
	_kernel_ struct kernel k = KERNEL_INIT;
	_kernel_ struct kernel m = KERNEL_INIT;
	_free_ char *calls = NULL;
	_free_ char *text = NULL;

	put("my.config", "nothing\n");
	refuse(dir, &o, EXIT_USAGE, "is no kernel .config");
	put("my.config", "CONFIG_MINE=y\n# CONFIG_PVH is not set\n");
	strv_push(&o.kconfigs, "net");
	accept(dir, &o, &k, NULL);
	calls = in_build("obj/calls");
	assert_int_equal(count_lines(calls, "olddefconfig"), 1);
	/* No PVH: QEMU needs the bzImage. */
	assert_true(ends_with(k.image, "/bzImage"));
	assert_true(ends_with(k.vmlinux, "/vmlinux"));
	text = slurp(k.config);
	assert_non_null(strstr(text, "CONFIG_MINE=y"));
	assert_non_null(strstr(text, "CONFIG_INET=y"));
	assert_null(strstr(text, "CONFIG_FS_DAX=y"));
	put("my.config", "CONFIG_MODULES=y\nCONFIG_PVH=y\n");
	accept(dir, &o, &m, NULL);
	assert_true(ends_with(m.image, "/vmlinux"));
	assert_true(ends_with(m.modules, "/lib/modules/6.1.7-fake"));
	text = (free(text), xstrfmt("%s/modules.dep.bin", m.modules));
	assert_true(path_exists(text));
	o.config = "/nonexistent";
	refuse(dir, &o, EXIT_USAGE, "cannot read /nonexistent");
	strv_free(&o.kconfigs);
}

static void dry_run_builds_nothing(void **state)
{
	_free_ char *dir = tree();
	struct kernel_opts o = { .dry_run = true };
	_kernel_ struct kernel dry = KERNEL_INIT;
	_kernel_ struct kernel wet = KERNEL_INIT;
	_free_ char *config = NULL;

	accept(dir, &o, &dry, NULL);
	config = in_build("obj/.config");
	assert_false(path_exists(config));
	assert_false(path_exists(dry.image));
	assert_int_equal(dry.commands.n, 2);
	assert_non_null(strstr(dry.commands.v[0], " allnoconfig"));
	assert_non_null(strstr(dry.commands.v[1], " vmlinux"));
	accept(dir, NULL, &wet, NULL);
	assert_string_equal(dry.image, wet.image);
}

static void dry_run_fetches_nothing(void **state)
{
	struct kernel_opts o = { .dry_run = true };
	_kernel_ struct kernel bin = KERNEL_INIT;
	_kernel_ struct kernel src = KERNEL_INIT;
	_free_ char *lists = in_scratch("cache/rig/apt/bookworm/lists");

	accept("debian:bookworm", &o, &bin, NULL);
	accept("debian-src:bookworm", &o, &src, NULL);
	assert_false(path_exists(lists));
	assert_non_null(strstr(bin.commands.v[0], "apt-get update"));
	assert_non_null(bin.image);
	assert_non_null(strstr(src.commands.v[src.commands.n - 1], "make"));
}

static void users_environment_has_no_part(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel k = KERNEL_INIT;

	setenv("MAKEFLAGS", "n", 1);
	setenv("ARCH", "arm64", 1);
	setenv("KCONFIG_ALLCONFIG", "/nonexistent", 1);
	accept(dir, NULL, &k, NULL);
	unsetenv("MAKEFLAGS");
	unsetenv("ARCH");
	unsetenv("KCONFIG_ALLCONFIG");
	assert_true(path_exists(k.image));
}

static void full_disk_is_not_the_kernels_fault(void **state)
{
	_free_ char *dir = tree();

	put("linux/Makefile",
	    "VERSION = 6\nPATCHLEVEL = 1\nallnoconfig:\n"
	    "\t@echo 'ccache: error: write: No space left on device'; false\n");
	refuse(dir, NULL, EXIT_RIG_FAILED, "the disk is full");
}

static void log_goes_where_it_is_asked_for(void **state)
{
	_free_ char *dir = tree();
	struct kernel_opts o = { .log_dir = scratch };
	_kernel_ struct kernel k = KERNEL_INIT;
	_free_ char *log = in_scratch("build.log");
	_free_ char *none = in_scratch("none");

	accept(dir, &o, &k, NULL);
	assert_string_equal(k.build_log, log);
	assert_true(path_exists(log));
	o.log_dir = none;
	put_settled("linux/one.c", "int one;\n");
	refuse(dir, &o, EXIT_RIG_FAILED, "none/build.log: No such file");
}

static void progress_counts_objects(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel a = KERNEL_INIT;
	_free_ char *objects = NULL;
	_free_ char *text = NULL;

	accept(dir, NULL, &a, NULL);
	objects = in_build("objects");
	text = slurp(objects);
	assert_string_equal(text, "full 3\n");
}

/* SIGINT to this process once the fake make has begun. */
static void interrupt_stops_make(void **state)
{
	_free_ char *dir = tree();
	_free_ char *begun = in_scratch("begun");
	_kernel_ struct kernel k = KERNEL_INIT;
	_free_ char *said = NULL;
	_free_ char *pid_text = NULL;
	pid_t me = getpid(), killer, sleeper;
	double begin = now();
	_free_ char *makefile = xstrfmt(
		"%s\none.c: slow\nslow:\n"
		"\t@echo begun; echo $$$$ > %s.tmp; mv %s.tmp %s;"
		" exec sleep 100\n",
		fake_makefile, begun, begun, begun);

	put("linux/Makefile", makefile);
	assert_int_equal(signals_init(), 0);
	killer = fork();
	if (!killer) {
		for (int i = 0; i < 2000 && !path_exists(begun); i++)
			usleep(10000);
		kill(me, SIGINT);
		_exit(0);
	}
	assert_int_equal(get(dir, NULL, &k, &said), EXIT_RIG_FAILED);
	waitpid(killer, NULL, 0);
	assert_true(now() - begin < 30);
	assert_non_null(strstr(said, "stopped while building"));
	assert_int_equal(count_lines(k.build_log, "begun"), 1);
	pid_text = slurp(begun);
	sleeper = atoi(pid_text);
	assert_true(sleeper > 1);
	/* Not our child: it is gone once init has reaped it. */
	for (int i = 0; i < 100 && kill(sleeper, 0) == 0; i++)
		usleep(20000);
	assert_int_equal(kill(sleeper, 0), -1);
	/* For the tests that follow. */
	assert_int_equal(signals_init(), 0);
}

static void two_rigs_on_one_tree_build_it_once(void **state)
{
	_free_ char *dir = tree();
	_free_ char *calls = NULL;
	_kernel_ struct kernel k = KERNEL_INIT;
	pid_t pid;
	int status;

	pid = fork();
	if (!pid) {
		_kernel_ struct kernel mine = KERNEL_INIT;
		const struct kernel_opts none = {};

		verbosity = 0;
		_exit(kernel_get(dir, &none, &mine));
	}
	accept(dir, NULL, &k, NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	calls = in_build("obj/calls");
	assert_int_equal(count_lines(calls, "allnoconfig"), 1);
}

static void list_names_what_was_built(void **state)
{
	_free_ char *dir = tree();
	_kernel_ struct kernel k = KERNEL_INIT;
	struct json_object *list;
	const char *text;

	accept(dir, NULL, &k, NULL);
	list = kernel_list();
	text = json_object_to_json_string_ext(list,
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	assert_non_null(strstr(text, dir));
	assert_non_null(strstr(text, "6.1.7-fake"));
	assert_non_null(strstr(text, "debian:bookworm"));
	json_object_put(list);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(spec_that_names_nothing),
		test(built_kernels_take_no_patches),
		test(not_a_tree),
		test(tree_configured_in_place),
		test(builds_and_leaves_the_tree_alone),
		test(unchanged_tree_needs_no_make),
		test(one_line_change_builds_one_object),
		test(change_behind_the_same_mtime_is_seen),
		test(kconfig_change_configures_anew),
		test(fresh_change_is_not_trusted),
		test(link_out_of_the_tree_is_not_trusted),
		test(compiler_error_is_shown),
		test(errors_are_picked_from_the_log),
		test(what_falls_away_is_named),
		test(fragments_have_folders_of_their_own),
		test(own_config_goes_through_olddefconfig),
		test(dry_run_builds_nothing),
		test(dry_run_fetches_nothing),
		test(users_environment_has_no_part),
		test(full_disk_is_not_the_kernels_fault),
		test(log_goes_where_it_is_asked_for),
		test(progress_counts_objects),
		test(interrupt_stops_make),
		test(two_rigs_on_one_tree_build_it_once),
		test(list_names_what_was_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
