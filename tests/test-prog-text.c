// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs as text: what is one, what is not and why, and back again. */
#include "workloads/prog.h"

#include <stdarg.h>
#include <cmocka.h>

#define HEAD "rig-program 1\n"

/* @text is a program and prints as @want. */
static void becomes(const char *text, const char *want)
{
	const char *why;
	struct prog p;
	char *got;

	if (prog_parse(&p, text, &why) < 0)
		fail_msg("%s: %s", text, why);
	got = prog_print(&p);
	assert_string_equal(got, want);
	free(got);
	prog_free(&p);
}

static void refused(const char *text, const char *want)
{
	const char *why = NULL;
	struct prog p;

	assert_int_equal(prog_parse(&p, text, &why), -EINVAL);
	assert_string_equal(why, want);
	assert_null(p.v);
}

static void plain(void **state)
{
	const char *text = HEAD "seed 7.23\nfs ext4\nthreads 2\nalone\n"
		"0 open fd=0 name=a how=create\n"
		"1 pwrite fd=0 off=0x1000 len=9\n"
		"* quiet\n";

	becomes(text, text);
}

static void headers_have_defaults(void **state)
{
	becomes(HEAD, HEAD "fs xfs\nthreads 1\n");
	becomes("rig-program 1", HEAD "fs xfs\nthreads 1\n");
	/* As many threads as steps name. */
	becomes(HEAD "3 close fd=0\n",
		HEAD "fs xfs\nthreads 4\n3 close fd=0\n");
	becomes(HEAD "3 close fd=0\nthreads 2\n",
		HEAD "fs xfs\nthreads 4\n3 close fd=0\n");
}

static void blanks_comments_and_numbers(void **state)
{
	becomes(HEAD "# all of it\n\n \t\r\n"
		"0\tpwrite  len=4096 fd=3 off=011 # odd\r\n",
		HEAD "fs xfs\nthreads 1\n0 pwrite fd=3 off=9 len=0x1000\n");
	/* What is left out is 0, or the first word. */
	becomes(HEAD "0 open\n",
		HEAD "fs xfs\nthreads 1\n0 open fd=0 name=a how=create\n");
	/* The last one counts. */
	becomes(HEAD "0 close fd=1 fd=2\n",
		HEAD "fs xfs\nthreads 1\n0 close fd=2\n");
}

static void what_stands_still_is_said_so(void **state)
{
	becomes(HEAD "0 quiet\n", HEAD "fs xfs\nthreads 1\n* quiet\n");
}

static void steps_are_numbered(void **state)
{
	const char *why;
	struct prog p;

	assert_int_equal(prog_parse(&p, HEAD "0 close\n#\n* quiet\n", &why), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.v[0].nr, 1);
	assert_int_equal(p.v[1].nr, 2);
	assert_int_equal(p.v[1].thread, -1);
	prog_free(&p);
}

static void bounds(void **state)
{
	becomes(HEAD "7 pwrite fd=7 off=0x800000 len=0x800000\n",
		HEAD "fs xfs\nthreads 8\n"
		"7 pwrite fd=7 off=0x800000 len=0x800000\n");
	refused(HEAD "0 pwrite off=0x800001\n",
		"line 2: off=0x800001: bytes, at most 8388608");
	refused(HEAD "0 pwrite len=99999999999999999999\n",
		"line 2: len=99999999999999999999: bytes, at most 8388608");
	refused(HEAD "0 pwrite off=-1\n",
		"line 2: off=-1: bytes, at most 8388608");
	refused(HEAD "0 pwrite off=0x\n",
		"line 2: off=0x: bytes, at most 8388608");
	refused(HEAD "0 close fd=8\n", "line 2: fd=8: a slot from 0 to 7");
	refused(HEAD "0 open name=i\n",
		"line 2: name=i: a letter from a to h");
	refused(HEAD "0 open name=\n", "line 2: name=: a letter from a to h");
	refused(HEAD "0 open name=ab\n",
		"line 2: name=ab: a letter from a to h");
	refused(HEAD "8 close fd=0\n", "line 2: '8' is no thread, 0 to 7 or *");
	refused(HEAD "threads 9\n", "line 2: threads 9: 1 to 8");
	refused(HEAD "threads 0\n", "line 2: threads 0: 1 to 8");
}

static void what_is_wrong_is_named(void **state)
{
	refused("", "line 1: not a program: it has to begin with rig-program 1");
	refused("rig-program 2\n",
		"line 1: not a program: it has to begin with rig-program 1");
	refused("rig-program 12\n",
		"line 1: not a program: it has to begin with rig-program 1");
	refused(HEAD "\n0 fly fd=0\n", "line 3: there is no operation 'fly'");
	refused(HEAD "0\n", "line 2: there is no operation ''");
	refused(HEAD "0 close fd\n", "line 2: 'fd' is not KEY=VALUE");
	refused(HEAD "0 close off=0\n", "line 2: close takes no off");
	refused(HEAD "0 open how=never\n",
		"line 2: how=never: there is no such word here");
	refused(HEAD "hello\n", "line 2: 'hello' is no step and no header");
	refused(HEAD "alone yes\n", "line 2: 'alone' is no step and no header");
}

static void no_more_steps_than_fit(void **state)
{
	size_t len = strlen("0 close\n");
	char *text = calloc(strlen(HEAD) + (MAX_STEPS + 1) * len + 1, 1);
	const char *why;
	struct prog p;

	strcpy(text, HEAD);
	for (int i = 0; i < MAX_STEPS; i++)
		strcat(text, "0 close\n");
	assert_int_equal(prog_parse(&p, text, &why), 0);
	assert_int_equal(p.n, MAX_STEPS);
	prog_free(&p);
	strcat(text, "0 close\n");
	refused(text, "line 1002: more than 1000 steps");
	free(text);
}

/* Each operation, and each word of each argument. */
static void all_operations(void **state)
{
	size_t n;
	const struct op *const *all = ops_all(&n);

	assert_true(n > 10);
	for (size_t i = 0; i < n; i++) {
		struct step s = { .op = all[i], .nr = 1 };
		char line[400], text[600];
		const char *why;
		struct prog p;

		if (i)
			assert_true(strcmp(all[i - 1]->name, all[i]->name) < 0);
		assert_ptr_equal(op_find(all[i]->name), all[i]);
		for (unsigned int a = 0; a < op_nr_args(all[i]); a++)
			while (all[i]->args[a].words &&
			       all[i]->args[a].words[s.arg[a] + 1])
				s.arg[a]++;
		snprintf(text, sizeof(text), HEAD "%s\n",
			 step_print(&s, line, sizeof(line)));
		if (prog_parse(&p, text, &why) < 0)
			fail_msg("%s: %s", text, why);
		assert_int_equal(p.n, 1);
		assert_ptr_equal(p.v[0].op, all[i]);
		assert_memory_equal(p.v[0].arg, s.arg, sizeof(s.arg));
		assert_int_equal(p.alone, !!(all[i]->flags & OP_OWNS_FS));
		prog_free(&p);
	}
}

static void words_are_names_or_groups(void **state)
{
	const struct op *op = op_find("clone");

	assert_true(op_is(op, "clone"));
	assert_true(op_is(op, "reflink"));
	assert_true(op_is(op, "layout"));
	assert_false(op_is(op, "lay"));
	assert_false(op_is(op, "reflink layout"));
	assert_false(op_is(op, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(headers_have_defaults),
		cmocka_unit_test(blanks_comments_and_numbers),
		cmocka_unit_test(what_stands_still_is_said_so),
		cmocka_unit_test(steps_are_numbered),
		cmocka_unit_test(bounds),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(no_more_steps_than_fit),
		cmocka_unit_test(all_operations),
		cmocka_unit_test(words_are_names_or_groups),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prog-text", tests, NULL, NULL);
}
