// SPDX-License-Identifier: GPL-2.0-or-later
/* Which cases a pattern names, and what the default sample takes. */
#include "rig/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static const char describe[] =
	"{\"workloads\":["
	"{\"name\":\"cut\",\"on\":[\"xfs\",\"ext4\"],\"with\":[\"4k\",\"2m\"],"
	" \"variants\":[\"one\",\"two\",\"three\"],\"runtime\":2,"
	" \"modules\":[\"brd\"],\"programs\":[\"fio\"]},"
	"{\"name\":\"cutter\",\"on\":[\"xfs\"],\"with\":[\"4k\"],"
	" \"variants\":[],\"owns_fs\":true},"
	"{\"name\":\"poison\",\"on\":[\"xfs\"],\"with\":[\"4k\"],"
	" \"variants\":[],\"by_name\":true},"
	"{\"name\":\"slow\",\"on\":[\"xfs\",\"ext4\"],"
	" \"with\":[\"4k\",\"2m\"],\"runtime\":9,"
	" \"variants\":[\"one\",\"two\"]},"
	"{\"name\":\"calibrate\",\"on\":[\"xfs\",\"ext4\",\"devdax\"],"
	" \"with\":[\"4k\",\"2m\"],\"variants\":[],\"by_name\":true},"
	"{\"name\":\"dev\",\"on\":[\"devdax\"],\"with\":[\"2m\"],"
	" \"variants\":[]}]}";

/* The names of the chosen cases, a line each. */
static char *choose(const char *machine, const char *patterns, bool all,
		    int *ret, size_t *offered)
{
	struct json_object *d = json_tokener_parse(describe);
	_strv_ struct strv p = {};
	struct cases c = {};
	struct buf b = {};

	buf_add(&b, "", 0);
	strv_split(&p, patterns, " ");
	*ret = cases_make(d, machine_find(machine), &p, all, &c, offered);
	for (size_t i = 0; i < c.n; i++)
		buf_addf(&b, "%s\n", c.v[i].name);
	cases_free(&c);
	json_object_put(d);
	return b.data;
}

static void expect(const char *machine, const char *patterns, bool all,
		   const char *want)
{
	int ret;
	_free_ char *got = choose(machine, patterns, all, &ret, NULL);

	assert_string_equal(got, want);
	assert_int_equal(ret, 0);
}

static void a_name_takes_all_below_it(void **state)
{
	expect("nvdimm", "cut:two", false,
	       "cut:two/xfs/4k\ncut:two/xfs/2m\n"
	       "cut:two/ext4/4k\ncut:two/ext4/2m\n");
	expect("nvdimm", "cut:two/ext4", false,
	       "cut:two/ext4/4k\ncut:two/ext4/2m\n");
	expect("nvdimm", "cutter", false, "cutter/xfs/4k\n");
}

static void a_name_is_not_a_prefix(void **state)
{
	int ret;
	_free_ char *got = choose("nvdimm", "cu", false, &ret, NULL);

	assert_int_equal(ret, EXIT_USAGE);
	assert_string_equal(got, "");
}

static void a_filesystem_of_every_variant(void **state)
{
	expect("nvdimm", "cut/ext4/2m", false,
	       "cut:one/ext4/2m\ncut:two/ext4/2m\ncut:three/ext4/2m\n");
}

static void wild_cards_spare_what_has_to_be_named(void **state)
{
	expect("nvdimm", "p* cutter", true, "cutter/xfs/4k\n");
}

static void named_is_named(void **state)
{
	expect("nvdimm", "poison", false, "poison/xfs/4k\n");
}

static void the_sample_differs_in_variant_and_size(void **state)
{
	expect("nvdimm", "", false,
	       "cut:one/xfs/4k\ncut:two/xfs/2m\ncutter/xfs/4k\n"
	       "slow:one/xfs/4k\n"
	       "cut:one/ext4/4k\ncut:two/ext4/2m\nslow:two/ext4/2m\n");
}

static void all_is_all_and_counted(void **state)
{
	size_t offered = 0, n = 0;
	int ret;
	_free_ char *got = choose("nvdimm", "", true, &ret, &offered);

	for (const char *p = got; *p; p++)
		n += *p == '\n';
	assert_int_equal(n, 21);
	assert_int_equal(offered, 21);
	assert_null(strstr(got, "poison"));
}

static void machines_have_what_their_namespaces_have(void **state)
{
	expect("two", "cut:one", false,
	       "cut:one/xfs/4k\ncut:one/xfs/2m\n"
	       "cut:one/ext4/4k\ncut:one/ext4/2m\n");
	expect("devdax", "dev", false, "dev/devdax/2m\n");
}

static void a_suspect_runs_again_once(void **state)
{
	struct json_object *d = json_tokener_parse(describe);
	_strv_ struct strv p = {};
	struct cases c = {};

	strv_push(&p, "cut:one/xfs");
	assert_int_equal(cases_make(d, machine_find("nvdimm"), &p, false, &c,
				    NULL), 0);
	assert_int_equal(c.n, 2);
	cases_again(&c, "cut:one/xfs/2m");
	cases_again(&c, "cut:one/xfs/2m");
	cases_again(&c, "no such case");
	assert_int_equal(c.n, 3);
	assert_true(c.v[2].alone);
	assert_string_equal(c.v[2].name, "cut:one/xfs/2m");
	assert_string_equal(c.v[2].variant, "one");
	cases_free(&c);
	json_object_put(d);
}

static void wants_are_those_of_the_chosen(void **state)
{
	struct json_object *d = json_tokener_parse(describe);
	_strv_ struct strv p = {}, mods = {}, progs = {};
	struct cases c = {};

	strv_push(&p, "cutter");
	assert_int_equal(cases_make(d, machine_find("nvdimm"), &p, false, &c,
				    NULL), 0);
	cases_wants(d, &c, &mods, &progs);
	assert_int_equal(mods.n + progs.n, 0);
	cases_free(&c);
	strv_push(&p, "cut");
	assert_int_equal(cases_make(d, machine_find("nvdimm"), &p, false, &c,
				    NULL), 0);
	cases_wants(d, &c, &mods, &progs);
	assert_int_equal(mods.n, 1);
	assert_string_equal(progs.v[0], "fio");
	cases_free(&c);
	json_object_put(d);
}

static void calibrates(const char *machine, const char *pattern,
		       const char *want)
{
	struct json_object *d = json_tokener_parse(describe);
	_strv_ struct strv p = {};
	struct cases c = {};
	_buf_ struct buf b = {};

	strv_push(&p, pattern);
	assert_int_equal(cases_make(d, machine_find(machine), &p, false, &c,
				    NULL), 0);
	cases_calibrate(d, machine_find(machine), &c, 0);
	for (size_t i = 0; i < c.n; i++)
		buf_addf(&b, "%s%d %s\n", c.v[i].calibrates ? "*" : "",
			 c.v[i].ns, c.v[i].name);
	assert_string_equal(b.data, want);
	cases_free(&c);
	json_object_put(d);
}

static void calibration_is_before_the_first_of_its_mode(void **state)
{
	calibrates("nvdimm", "poison",
		   "*0 calibrate/xfs/4k\n*0 calibrate/xfs/2m\n0 poison/xfs/4k\n");
	/* On the namespace that is used, once for all of its mode. */
	calibrates("two", "slow:one/ext4",
		   "*1 calibrate/ext4/4k\n*1 calibrate/ext4/2m\n"
		   "1 slow:one/ext4/4k\n1 slow:one/ext4/2m\n");
	calibrates("two", "slow:one/*/4k",
		   "*0 calibrate/xfs/4k\n*0 calibrate/xfs/2m\n"
		   "0 slow:one/xfs/4k\n1 slow:one/ext4/4k\n");
	calibrates("devdax", "[dp]*",
		   "*0 calibrate/devdax/4k\n*0 calibrate/devdax/2m\n"
		   "0 dev/devdax/2m\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_takes_all_below_it),
		cmocka_unit_test(a_name_is_not_a_prefix),
		cmocka_unit_test(a_filesystem_of_every_variant),
		cmocka_unit_test(wild_cards_spare_what_has_to_be_named),
		cmocka_unit_test(named_is_named),
		cmocka_unit_test(the_sample_differs_in_variant_and_size),
		cmocka_unit_test(all_is_all_and_counted),
		cmocka_unit_test(machines_have_what_their_namespaces_have),
		cmocka_unit_test(a_suspect_runs_again_once),
		cmocka_unit_test(wants_are_those_of_the_chosen),
		cmocka_unit_test(calibration_is_before_the_first_of_its_mode),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
