// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs as lines: parsed, cut, merged, and printed again. */
#include "rig/minimize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static const char head[] = "rig-program 1\n";

static void parse(struct ptext *p, const char *lines)
{
	_free_ char *text = xstrfmt("%s%s", head, lines);
	unsigned int line;

	assert_int_equal(ptext_parse(text, strlen(text), p, &line), 0);
}

static void expect(const struct ptext *p, const char *lines)
{
	_free_ char *want = xstrfmt("%s%s", head, lines);
	_free_ char *got = ptext_print(p);

	assert_string_equal(got, want);
}

static void fails_at(const char *text, size_t len, unsigned int want)
{
	unsigned int line;
	_ptext_ struct ptext p = {};

	assert_int_equal(ptext_parse(text, len, &p, &line), -EINVAL);
	assert_int_equal(line, want);
}

static void fails(const char *text, unsigned int want)
{
	fails_at(text, strlen(text), want);
}

static void a_program_is_printed_as_it_was(void **state)
{
	static const char lines[] =
		"seed 7.23\nfs xfs\nthreads 2\nalone\n"
		"0 open fd=0 name=a how=create\n* quiet\n"
		"1 pwrite fd=0 off=0x1000 len=8192\n";
	_ptext_ struct ptext p = {};

	parse(&p, lines);
	assert_int_equal(p.n, 3);
	assert_true(p.alone);
	assert_int_equal(p.v[1].thread, -1);
	assert_string_equal(ptext_header(&p, "fs"), "xfs");
	assert_string_equal(ptext_header(&p, "seed"), "7.23");
	assert_null(ptext_header(&p, "f"));
	expect(&p, lines);
}

static void comments_and_blanks_go(void **state)
{
	_ptext_ struct ptext p = {};

	parse(&p, "\n# a comment\n  fs ext4 # of it\r\n\t0\topen  fd=0\t\r\n"
		  "1 sync#now\nthreads 7");
	expect(&p, "fs ext4\nthreads 2\n0 open  fd=0\n1 sync\n");
}

static void what_is_no_program_is_named_by_line(void **state)
{
	fails("", 0);
	fails("rig-program 2\n", 1);
	fails("\nrig-program 1\n", 1);
	fails("rig-program 1\n0\n", 2);
	fails("rig-program 1\n\n*quiet\n", 3);
	fails("rig-program 1\n0x open\n", 2);
	fails("rig-program 1\n1000 open\n", 2);
	fails("rig-program 1\nfs xfs\n=\n", 3);
	fails_at("rig-program 1\0\n", 15, 0);
}

static void threads_are_numbered_without_gaps(void **state)
{
	_ptext_ struct ptext p = {};
	int of[5];

	parse(&p, "threads 8\n7 sync\n3 sync\n* quiet\n7 open\n3 close\n");
	assert_int_equal(ptext_threads(&p, of), 2);
	assert_int_equal(of[0], 3);
	assert_int_equal(of[1], 7);
	expect(&p, "threads 2\n1 sync\n0 sync\n* quiet\n1 open\n0 close\n");
	ptext_cut_thread(&p, 3);
	expect(&p, "threads 1\n0 sync\n* quiet\n0 open\n");
	ptext_cut_thread(&p, 7);
	expect(&p, "threads 1\n* quiet\n");
	ptext_cut_thread(&p, -1);
	expect(&p, "threads 1\n");
}

static void ranges_of_steps_go(void **state)
{
	_ptext_ struct ptext p = {}, copy = {};

	parse(&p, "0 a\n0 b\n0 c\n0 d\n");
	ptext_copy(&copy, &p);
	ptext_cut(&copy, 1, 3);
	expect(&copy, "threads 1\n0 a\n0 d\n");
	ptext_cut(&copy, 1, 2);
	ptext_cut(&copy, 0, 0);
	ptext_cut(&copy, 0, 1);
	expect(&copy, "threads 1\n");
	expect(&p, "threads 1\n0 a\n0 b\n0 c\n0 d\n");
}

static void merge(enum ptext_order order, const char *want)
{
	_ptext_ struct ptext p = {};

	parse(&p, "2 a\n0 b\n1 c\n0 d\n2 e\n* q\n0 f\n2 g\n* r\n2 h\n0 i\n");
	ptext_merge(&p, 2, 0, order);
	expect(&p, want);
}

static void threads_merge_between_barriers(void **state)
{
	merge(ORDER_TEXT, "threads 2\n0 a\n0 b\n1 c\n0 d\n0 e\n* q\n0 f\n0 g\n"
			  "* r\n0 h\n0 i\n");
	merge(ORDER_BEFORE, "threads 2\n0 a\n0 e\n0 b\n1 c\n0 d\n* q\n0 g\n"
			    "0 f\n* r\n0 h\n0 i\n");
	merge(ORDER_AFTER, "threads 2\n0 b\n1 c\n0 d\n0 a\n0 e\n* q\n0 f\n0 g\n"
			   "* r\n0 i\n0 h\n");
}

static void numbers_are_found_by_key_and_set(void **state)
{
	static const uint64_t want[] = { 0x1000, 8192, 0, 7, 120 };
	_ptext_ struct ptext p = {};
	uint64_t v;
	bool count;

	parse(&p, "0 x fd=9 off=0x1000 len=8192 offset=5 size=many to=7 n=120 "
		  "name=a\n0 y\n");
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(ptext_number(&p, 0, i, &v, &count));
		assert_int_equal(v, want[i]);
		assert_int_equal(count, i >= 2);
	}
	assert_false(ptext_number(&p, 0, 5, &v, &count));
	assert_false(ptext_number(&p, 1, 0, &v, &count));
	ptext_set_number(&p, 0, 0, 0);
	ptext_set_number(&p, 0, 1, 0x200000);
	ptext_set_number(&p, 0, 4, 11);
	ptext_set_number(&p, 0, 5, 99);
	ptext_set_number(&p, 1, 0, 99);
	expect(&p, "threads 1\n0 x fd=9 off=0 len=0x200000 offset=5 size=many "
		   "to=7 n=11 name=a\n0 y\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_printed_as_it_was),
		cmocka_unit_test(comments_and_blanks_go),
		cmocka_unit_test(what_is_no_program_is_named_by_line),
		cmocka_unit_test(threads_are_numbered_without_gaps),
		cmocka_unit_test(ranges_of_steps_go),
		cmocka_unit_test(threads_merge_between_barriers),
		cmocka_unit_test(numbers_are_found_by_key_and_set),
	};

	return cmocka_run_group_tests_name("minimize-text", tests, NULL, NULL);
}
