// SPDX-License-Identifier: GPL-2.0-or-later
/* Generated programs on the host: whose turn it is, how long, their files, and
 * what of their findings is taken from a guest. */
#include "rig/cli-run.h"
#include "rig/mix.h"
#include "rig/oracle.h"
#include "rig/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

/* --- time ---------------------------------------------------------------------- */

static void time_has_a_unit(void **state)
{
	static const struct {
		const char *arg;
		double seconds;
	} good[] = { { "90s", 90 }, { "5m", 300 }, { "1h", 3600 },
		     { "90", 90 }, { "0.5m", 30 }, { "1.5h", 5400 } };
	static const char *const bad[] = {
		"", "s", "m", "-5m", "+5m", " 5m", "5 m", "5mm", "5ms", "5d",
		"1h30m", "0", "0s", "1e3", "0x10", "inf", "nan", ".", "5m ",
		"99999999h", "1.2.3s",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cli_seconds(good[i].arg) == good[i].seconds);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cli_seconds(bad[i]) >= 0)
			fail_msg("'%s' is %g", bad[i], cli_seconds(bad[i]));
}

/* --- turns ---------------------------------------------------------------------- */

/* "0:xfs 0:ext4", or "no FS". */
static char *turns(const char *machine, const char *words)
{
	_strv_ struct strv fs = {};
	struct mix_turn *v = NULL;
	const char *missing;
	struct buf b = {};
	size_t n = 0;

	strv_split(&fs, words, ",");
	buf_add(&b, "", 0);
	if (mix_turns(machine_find(machine), &fs, &v, &n, &missing))
		buf_addf(&b, "no %s", missing);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%d:%s", i ? " " : "", v[i].ns, v[i].fs);
	mix_turns_free(v, n);
	return b.data;
}

static void filesystems_take_turns(void **state)
{
	static const struct {
		const char *machine, *fs, *want;
	} t[] = {
		{ "nvdimm", "", "0:xfs 0:ext4" },
		{ "nvdimm", "ext4", "0:ext4" },
		/* In the machine's order, whatever the user's. */
		{ "nvdimm", "ext4,xfs", "0:xfs 0:ext4" },
		{ "two", "", "0:xfs 1:ext4" },
		{ "devdax", "", "0:devdax 1:xfs 1:ext4" },
		{ "devdax", "devdax,ext4", "0:devdax 1:ext4" },
		{ "nvdimm", "devdax", "no devdax" },
		{ "nvdimm", "xfs,btrfs,zfs", "no btrfs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_free_ char *got = turns(t[i].machine, t[i].fs);

		assert_string_equal(got, t[i].want);
	}
}

/* --- what a guest says it found ---------------------------------------------------- */

static bool take(struct oracle_boot *b, struct findings *fs, const char *json)
{
	struct json_object *o = json_tokener_parse(json);
	bool is;

	assert_non_null(o);
	is = oracle_guest(b, o, fs);
	json_object_put(o);
	return is;
}

static void a_finding_is_taken_as_it_is(void **state)
{
	struct oracle_boot b = { .nr = 3 };
	_findings_ struct findings fs = {};
	const struct finding *f;

	assert_true(take(&b, &fs,
		"{\"ev\":\"finding\",\"t\":7.5,\"case\":\"program:7.23/xfs\","
		"\"kind\":\"data\",\"key\":\"k\",\"title\":\"old data\","
		"\"text\":\"line\\nline\",\"detail\":{\"step\":4}}"));
	assert_true(take(&b, &fs,
		"{\"ev\":\"finding\",\"case\":\"program:7.24/ext4\","
		"\"kind\":\"data\",\"key\":\"k\",\"title\":\"other words\"}"));
	assert_true(take(&b, &fs,
		"{\"ev\":\"finding\",\"case\":\"program:7.24/ext4\","
		"\"kind\":\"waiting\",\"key\":\"k\",\"title\":\"early\"}"));
	assert_int_equal(fs.n, 2);
	f = &fs.v[0];
	assert_string_equal(f->kind, "data");
	assert_string_equal(f->oracle, "data");
	assert_string_equal(f->key, "k");
	assert_string_equal(f->title, "old data");
	assert_string_equal(f->text, "program:7.23/xfs\nline\nline\n");
	assert_string_equal(f->detail, "{\"step\":4}");
	assert_int_equal(f->count, 2);
	assert_int_equal(f->boot, 3);
	assert_int_equal(f->cases.n, 2);
	assert_string_equal(fs.v[1].oracle, "waiting");
	assert_null(fs.v[1].detail);
}

static void a_guest_cannot_make_up_others(void **state)
{
	static const char *const bad[] = {
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"KASAN\",\"key\":\"k\",\"title\":\"t\"}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"fsck\",\"key\":\"k\",\"title\":\"t\"}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"\",\"key\":\"k\",\"title\":\"t\"}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":[\"data\"],\"key\":\"k\",\"title\":\"t\"}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"data\",\"key\":7,\"title\":\"t\"}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"data\",\"key\":\"k\",\"title\":{}}",
		"{\"ev\":\"finding\",\"case\":\"c\",\"kind\":\"data\",\"key\":\"k\"}",
		"{\"ev\":\"finding\",\"kind\":\"data\",\"key\":\"k\",\"title\":\"t\"}",
		"{\"ev\":\"finding\"}",
		"{\"ev\":\"findings\",\"case\":\"c\",\"kind\":\"data\",\"key\":\"k\",\"title\":\"t\"}",
	};
	struct oracle_boot b = {};
	_findings_ struct findings fs = {};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (take(&b, &fs, bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(fs.n, 0);
}

static void what_it_says_is_bounded_and_printable(void **state)
{
	struct oracle_boot b = {};
	_findings_ struct findings fs = {};
	_free_ char *many = xcalloc(100001, 1), *json = NULL;
	const struct finding *f;

	memset(many, 'a', 100000);
	json = xstrfmt("{\"ev\":\"finding\",\"case\":\"c\\u001b[2J\","
		       "\"kind\":\"data\",\"key\":\"%s\","
		       "\"title\":\"\\u001b]0;x\\u0007%s\",\"text\":\"\\u001b%s\","
		       "\"detail\":{\"x\":\"%s\"}}", many, many, many, many);
	assert_true(take(&b, &fs, json));
	f = &fs.v[0];
	assert_true(strlen(f->title) < 300);
	assert_true(strlen(f->key) <= 200);
	assert_true(strlen(f->text) < 5000);
	assert_null(f->detail);
	assert_null(strchr(f->title, '\x1b'));
	assert_null(strchr(f->text, '\x1b'));
	assert_null(strchr(f->cases.v[0], '\x1b'));
}

static void only_so_many_are_told_apart(void **state)
{
	struct oracle_boot b = {};
	_findings_ struct findings fs = {};

	for (int i = 0; i < 1000; i++) {
		_free_ char *json = xstrfmt(
			"{\"ev\":\"finding\",\"case\":\"program:1.%d/xfs\","
			"\"kind\":\"data\",\"key\":\"k%d\",\"title\":\"t\"}", i, i);

		take(&b, &fs, json);
	}
	assert_int_equal(fs.n, ORACLE_MAX);
	assert_int_equal(b.dropped, 1000 - ORACLE_MAX);
	/* One that is known goes on counting. */
	for (int i = 0; i < 3000; i++) {
		_free_ char *json = xstrfmt(
			"{\"ev\":\"finding\",\"case\":\"program:2.%d/xfs\","
			"\"kind\":\"data\",\"key\":\"k0\",\"title\":\"t\"}", i);

		take(&b, &fs, json);
	}
	assert_int_equal(fs.v[0].count, 3001);
	assert_int_equal(fs.v[0].cases.n, FINDING_CASES);
	assert_int_equal(b.dropped, 1000 - ORACLE_MAX);
}

/* --- cases and files ------------------------------------------------------------------ */

static void add(struct cases *c, const char *name, const char *fs)
{
	char *text = xstrfmt("rig-program 1\nfs %s\n", fs);
	struct program p = { .name = xstrdup(name), .text = text,
			     .fs = xstrdup(fs) };

	assert_int_equal(program_add(c, machine_find("two"), &p), 0);
	program_free(&p);
}

static void a_program_is_a_case(void **state)
{
	struct cases c = {};
	struct program p = { .name = (char *)"7.3", .text = (char *)"x",
			     .fs = (char *)"devdax" };

	add(&c, "7.2", "ext4");
	assert_string_equal(c.v[0].name, "program:7.2/ext4");
	assert_string_equal(c.v[0].workload, "program");
	assert_string_equal(c.v[0].variant, "7.2");
	assert_null(c.v[0].size);
	assert_int_equal(c.v[0].ns, 1);
	assert_false(c.v[0].owns_fs);
	assert_int_not_equal(program_add(&c, machine_find("two"), &p), 0);
	assert_int_equal(c.n, 1);
	p.alone = true;
	program_add_on(&c, 0, &p);
	assert_true(c.v[1].owns_fs);
	cases_free(&c);
}

static void only_what_puts_things_back_is_relaxed(void **state)
{
	static const struct {
		const char *text;
		bool owns, relaxed;
	} t[] = {
		{ "rig-program 1\nalone\n0 remount\n", true, true },
		{ "rig-program 1\nalone\n0 remount\n1 poison map=0\n", true, false },
		{ "rig-program 1\nalone\n* poison\n", true, false },
		{ "rig-program 1\nalone\n0 poison", true, false },
		/* Neither a longer name nor a comment is that operation. */
		{ "rig-program 1\nalone\n# poison\n0 poisons fd=0\n", true, true },
		{ "rig-program 1\n0 open fd=0\n", false, false },
	};
	struct json_object *d = json_tokener_parse(
		"{\"operations\":[{\"name\":\"remount\",\"asked\":false},"
		"{\"name\":\"poison\",\"asked\":true}]}");

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct rig_case c = { .program = (char *)t[i].text,
				      .owns_fs = t[i].owns };

		program_relax(&c, d);
		assert_int_equal(c.remounts, t[i].relaxed);
		assert_int_equal(c.owns_fs, t[i].owns && !t[i].relaxed);
	}
	json_object_put(d);
}

static void time_that_is_up_leaves_what_runs_again(void **state)
{
	struct cases c = {};

	for (int i = 0; i < 6; i++) {
		_free_ char *name = xstrfmt("1.%d", i);

		add(&c, name, i % 2 ? "ext4" : "xfs");
	}
	cases_again(&c, "program:1.1/ext4");
	cases_again(&c, "program:1.2/xfs");
	cases_again(&c, "program:1.1/ext4");
	assert_int_equal(c.n, 8);
	assert_string_equal(c.v[7].program, c.v[2].program);
	cases_cut(&c, 3);
	assert_int_equal(c.n, 5);
	assert_string_equal(c.v[2].name, "program:1.2/xfs");
	assert_string_equal(c.v[3].name, "program:1.1/ext4");
	assert_true(c.v[3].alone && c.v[4].alone);
	cases_not_again(&c, 3, "ext4");
	assert_int_equal(c.n, 4);
	assert_string_equal(c.v[3].name, "program:1.2/xfs");
	cases_free(&c);
}

static void programs_lie_in_the_run_directory(void **state)
{
	char dir[] = "/tmp/rig-test.XXXXXX";
	_free_ char *path = NULL;
	struct cases c = {};
	_buf_ struct buf b = {};

	assert_non_null(mkdtemp(dir));
	add(&c, "7.2", "xfs");
	for (int i = 0; i < 2; i++)
		assert_int_equal(program_save(dir, &c.v[0]), 0);
	path = program_path(dir, c.v[0].name);
	assert_int_equal(read_file(path, &b), 0);
	assert_string_equal(b.data, c.v[0].program);
	cases_free(&c);
	assert_int_equal(remove_tree(dir), 0);
}

static void only_names_of_programs_have_a_path(void **state)
{
	static const char *const bad[] = {
		"zap:munmap/xfs/4k", "program", "program:/xfs", "program:../xfs",
		"program:..%2f/xfs", "program:a b/xfs", "program:a\x1b/xfs",
		"programs:7.1/xfs", "program:.hidden/xfs",
	};
	_free_ char *good = program_path("/r", "program:7.1/xfs");

	assert_string_equal(good, "/r/programs/7.1.prog");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_free_ char *path = program_path("/r", bad[i]);

		if (path)
			fail_msg("%s: %s", bad[i], path);
	}
}

/* --- what the image has to have ---------------------------------------------------------- */

static void wants(const char *with, const char *without, const char *want)
{
	struct json_object *d = json_tokener_parse(
		"{\"operations\":["
		"{\"name\":\"open\",\"groups\":[\"io\"],\"asked\":false,"
		" \"modules\":[],\"programs\":[]},"
		"{\"name\":\"gate\",\"groups\":[\"pin\"],\"asked\":false,"
		" \"modules\":[\"dm-mod\",\"brd\"],\"programs\":[]},"
		"{\"name\":\"load\",\"groups\":[\"background\"],\"asked\":true,"
		" \"modules\":[\"brd\"],\"programs\":[\"fio\"]}]}");
	_strv_ struct strv w = {}, wo = {}, mods = {}, progs = {};
	_free_ char *m = NULL, *p = NULL, *got = NULL;

	strv_split(&w, with, ",");
	strv_split(&wo, without, ",");
	program_all_want(d, &w, &wo, &mods, &progs);
	strv_push(&mods, "|");
	strv_push(&progs, ".");
	m = shell_join(mods.v);
	p = shell_join(progs.v);
	got = xstrfmt("%s %s", m, p);
	assert_string_equal(got, want);
	json_object_put(d);
}

static void wants_are_those_of_operations_in_use(void **state)
{
	wants("", "", "dm-mod brd '|' .");
	wants("background", "", "dm-mod brd '|' fio .");
	wants("load", "pin", "brd '|' fio .");
	wants("", "gate", "'|' .");
	wants("load", "background", "dm-mod brd '|' .");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_has_a_unit),
		cmocka_unit_test(filesystems_take_turns),
		cmocka_unit_test(a_finding_is_taken_as_it_is),
		cmocka_unit_test(a_guest_cannot_make_up_others),
		cmocka_unit_test(what_it_says_is_bounded_and_printable),
		cmocka_unit_test(only_so_many_are_told_apart),
		cmocka_unit_test(a_program_is_a_case),
		cmocka_unit_test(only_what_puts_things_back_is_relaxed),
		cmocka_unit_test(time_that_is_up_leaves_what_runs_again),
		cmocka_unit_test(programs_lie_in_the_run_directory),
		cmocka_unit_test(only_names_of_programs_have_a_path),
		cmocka_unit_test(wants_are_those_of_operations_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
