// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole search against made-up kernels: what is needed is known, so what
 * is left over has to be that. With findings that always show, that show now
 * and then, and with a search that is killed at every point of it.
 */
#include "minimize-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

#define STEPS 30

static char *dir;

/* --- what shows the finding --------------------------------------------------- */

static bool is_step(const struct ptext_step *s, const char *name)
{
	size_t n = strlen(name);

	return strncmp(s->what, name, n) == 0 &&
	       (s->what[n] == ' ' || !s->what[n]);
}

/* Where @name is at or after @from, or -1. */
static ssize_t at(const struct ptext *p, const char *name, size_t from)
{
	for (size_t i = from; i < p->n; i++)
		if (is_step(&p->v[i], name))
			return i;
	return -1;
}

static uint64_t number(const struct ptext *p, ssize_t i, size_t nth)
{
	uint64_t v = 0;
	bool count;

	if (i >= 0)
		ptext_number(p, i, nth, &v, &count);
	return v;
}

static bool three_in_order(const struct ptext *p)
{
	ssize_t i = at(p, "s3", 0), j = i < 0 ? -1 : at(p, "s17", i + 1);

	return j >= 0 && at(p, "s20", j + 1) >= 0;
}

static bool two_threads(const struct ptext *p)
{
	ssize_t i = at(p, "s5", 0), j = at(p, "s10", 0);

	return i >= 0 && j >= 0 && p->v[i].thread != p->v[j].thread;
}

static bool after_a_barrier(const struct ptext *p)
{
	ssize_t i = at(p, "s5", 0), j = i < 0 ? -1 : at(p, "quiet", i + 1);

	return j >= 0 && at(p, "s10", j + 1) >= 0 && p->alone;
}

static bool a_page_at_least(const struct ptext *p)
{
	return number(p, at(p, "s9", 0), 1) >= 4096;
}

static bool three_pages_of_huge(const struct ptext *p)
{
	ssize_t i = at(p, "s9", 0);

	return number(p, i, 0) && number(p, i, 0) % 0x200000 == 0 &&
	       number(p, i, 1) >= 0x2800;
}

static bool odd_length(const struct ptext *p)
{
	return number(p, at(p, "s9", 0), 1) % 2;
}

static bool seven_times(const struct ptext *p)
{
	return number(p, at(p, "s11", 0), 0) >= 7;
}

/* One length, in two places, that has to be the same. */
static bool lengths_agree(const struct ptext *p)
{
	ssize_t i = at(p, "s4", 0), j = at(p, "s8", 0);

	return i >= 0 && j >= 0 && number(p, i, 1) == number(p, j, 1) &&
	       number(p, i, 1) >= 0x2000;
}

/* Dropping less may be worse than dropping more: s6 only goes with s7. */
static bool not_monotone(const struct ptext *p)
{
	bool s6 = at(p, "s6", 0) >= 0, s7 = at(p, "s7", 0) >= 0;

	return three_in_order(p) && s6 == s7 && p->n != 8 && p->n != 13;
}

/* --- the search --------------------------------------------------------------- */

/* Four threads' steps s0 .. s29 with numbers, a barrier in the middle. */
static void make(struct ptext *p)
{
	_buf_ struct buf b = {};
	unsigned int line;

	buf_addf(&b, "rig-program 1\nfs xfs\nalone\n");
	for (int i = 0; i < STEPS; i++) {
		if (i == STEPS / 4)
			buf_addf(&b, "* quiet\n");
		if (i == 9)
			buf_addf(&b, "1 s9 off=0x600000 len=0x12345\n");
		else if (i == 11)
			buf_addf(&b, "3 s11 n=100\n");
		else
			buf_addf(&b, "%d s%d off=%#x len=0x6000\n", i % 4, i,
				 i * 0x1800);
	}
	assert_int_equal(ptext_parse(b.data, b.len, p, &line), 0);
}

struct trial {
	struct sim sim;
	unsigned int jobs;
	unsigned int max_rounds;
	const char *journal;	/* kept for the next life; NULL: none */
	/* what came of it */
	int err;
	char *text;
	struct rate all;
	unsigned int better;
};

static int is_better(void *arg, const struct ptext *p)
{
	struct trial *t = arg;

	/* Only what was seen to hit may be called better. */
	assert_true(t->sim.shows(p));
	t->better++;
	return 0;
}

static void go(struct trial *t)
{
	static const char what[] = "{\"finding\":\"0123456789abcdef\"}";
	_free_ char *path = t->journal ? xstrdup(t->journal) :
					 xstrfmt("%s/journal", dir);
	_free_ char *text = NULL;
	_journal_ struct journal journal = JOURNAL_INIT;
	struct runner runner = { t->jobs, sim_start, sim_wait, &t->sim };
	struct judge judge = { .journal = &journal, .runner = &runner,
			       .rounds = 1, .max_rounds = t->max_rounds };
	struct search s = { .judge = &judge, .better = is_better, .arg = t };
	_ptext_ struct ptext p = {};

	make(&p);
	text = ptext_print(&p);
	assert_int_equal(journal_open(&journal, path, what), 0);
	/* What the journal has was drawn in an earlier life. */
	for (size_t i = 0; i < journal.n; i++)
		*sim_seen(&t->sim, journal.v[i].hash) = journal.v[i].n;
	t->err = judge_shows(&judge, text, 1000);
	if (t->err > 0)
		t->err = search_run(&s, &p);
	t->text = ptext_print(&p);
	t->all = journal.all;
	judge_free(&judge);
	sim_free(&t->sim);
	if (!t->journal)
		unlink(path);
}

static struct trial trial(bool (*shows)(const struct ptext *p), double rate,
			  uint64_t seed, unsigned int jobs)
{
	return (struct trial){ .sim = { .shows = shows, .rate = rate,
					.seed = seed, .limit = SIZE_MAX },
			       .jobs = jobs };
}

/* Whatever the number of VMs, this and nothing more is left; not in more than
 * so many runs. */
static void leaves(bool (*shows)(const struct ptext *p), const char *lines,
		   size_t most)
{
	_free_ char *want = xstrfmt("rig-program 1\nfs xfs\n%s", lines);

	for (unsigned int jobs = 1; jobs <= 4; jobs++) {
		struct trial t = trial(shows, 1, 1, jobs);

		go(&t);
		assert_int_equal(t.err, 0);
		assert_string_equal(t.text, want);
		if (jobs == 1)
			assert_in_range(t.all.runs, 1, most);
		if (jobs == 1)
			print_message("# %u runs, %u steps back\n", t.all.runs,
				      t.better);
		free(t.text);
	}
}

static void steps_that_are_needed_are_left(void **state)
{
	leaves(three_in_order, "threads 1\n0 s3 off=0 len=0\n"
	       "0 s17 off=0 len=0\n0 s20 off=0 len=0\n", 90);
}

static void threads_that_are_needed_are_left(void **state)
{
	leaves(two_threads, "threads 2\n0 s5 off=0 len=0\n1 s10 off=0 len=0\n",
	       80);
}

static void barrier_and_header_that_are_needed_are_left(void **state)
{
	leaves(after_a_barrier, "threads 1\nalone\n0 s5 off=0 len=0\n* quiet\n"
	       "0 s10 off=0 len=0\n", 90);
}

static void numbers_are_the_smallest_that_do(void **state)
{
	leaves(a_page_at_least, "threads 1\n0 s9 off=0 len=0x1000\n", 60);
	leaves(three_pages_of_huge,
	       "threads 1\n0 s9 off=0x200000 len=0x3000\n", 80);
	leaves(odd_length, "threads 1\n0 s9 off=0 len=1\n", 60);
	leaves(seven_times, "threads 1\n0 s11 n=7\n", 60);
	leaves(lengths_agree, "threads 1\n0 s4 off=0 len=0x2000\n"
	       "0 s8 off=0 len=0x2000\n", 90);
}

/* It cannot be minimal among all subsets then, but no single step can go. */
static void what_is_left_is_1_minimal(void **state)
{
	struct trial t = trial(not_monotone, 1, 1, 2);
	_ptext_ struct ptext p = {};
	unsigned int line;

	go(&t);
	assert_int_equal(t.err, 0);
	assert_int_equal(ptext_parse(t.text, strlen(t.text), &p, &line), 0);
	assert_true(not_monotone(&p));
	for (size_t i = 0; i < p.n; i++) {
		_ptext_ struct ptext c = {};

		ptext_copy(&c, &p);
		ptext_cut(&c, i, i + 1);
		assert_false(not_monotone(&c));
	}
	free(t.text);
}

/* --- flaky ones ---------------------------------------------------------------- */

static void flaky(double rate, unsigned int jobs, unsigned int max_rounds,
		  unsigned int most)
{
	static const char want[] =
		"rig-program 1\nfs xfs\nthreads 1\n0 s3 off=0 len=0\n"
		"0 s17 off=0 len=0\n0 s20 off=0 len=0\n";
	unsigned int minimal = 0, max = 0;
	unsigned long sum = 0;

	for (int i = 0; i < 200; i++) {
		struct trial t = trial(three_in_order, rate, 1000 + i, jobs);

		t.max_rounds = max_rounds;
		go(&t);
		assert_int_equal(t.err, 0);
		minimal += strcmp(t.text, want) == 0;
		sum += t.all.runs;
		max = t.all.runs > max ? t.all.runs : max;
		free(t.text);
	}
	print_message("# rate %g, %u at a time, up to %u rounds: minimal in %u of 200 trials, %lu runs on average, %u at most\n",
		      rate, jobs, max_rounds, minimal, sum / 200, max);
	assert_true(minimal >= 190);
	assert_in_range(sum / 200, 1, most);
}

static void flaky_ones_end_minimal(void **state)
{
	flaky(0.9, 1, 1, 600);
	flaky(0.3, 1, 1, 1500);
	flaky(0.3, 4, 1, 1500);
	flaky(0.1, 2, 1, 4500);
	flaky(0.1, 2, 36, 600);
}

/* --- going on -------------------------------------------------------------------- */

/* Killed after any number of runs, it ends where it would have, in no more
 * runs than it would have taken. */
static void resumes(bool (*shows)(const struct ptext *p), double rate,
		    size_t step)
{
	struct trial whole = trial(shows, rate, 7, 1);
	_free_ char *path = xstrfmt("%s/resumed", dir);

	go(&whole);
	assert_int_equal(whole.err, 0);
	for (size_t k = 0; k < whole.all.runs; k += step) {
		struct trial first = trial(shows, rate, 7, 1), then = first;

		first.sim.limit = k;
		first.journal = then.journal = path;
		go(&first);
		assert_int_equal(first.err, -EINTR);
		assert_int_equal(first.all.runs, k);
		go(&then);
		assert_int_equal(then.err, 0);
		assert_string_equal(then.text, whole.text);
		assert_int_equal(then.all.runs, whole.all.runs);
		free(first.text);
		free(then.text);
		unlink(path);
	}
	print_message("# resumed at %zu points of %u runs\n",
		      (whole.all.runs + step - 1) / step, whole.all.runs);
	free(whole.text);
}

static void it_goes_on_where_it_was_killed(void **state)
{
	resumes(three_in_order, 1, 1);
	resumes(three_pages_of_huge, 1, 1);
	resumes(three_in_order, 0.3, 17);
}

/* --- ------------------------------------------------------------------------- */

static int make_dir(void **state)
{
	dir = sim_folder();
	return 0;
}

static int drop_dir(void **state)
{
	_free_ char *command = xstrfmt("rm -r %s", dir);
	int ret = system(command);

	free(dir);
	return ret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_that_are_needed_are_left),
		cmocka_unit_test(threads_that_are_needed_are_left),
		cmocka_unit_test(barrier_and_header_that_are_needed_are_left),
		cmocka_unit_test(numbers_are_the_smallest_that_do),
		cmocka_unit_test(what_is_left_is_1_minimal),
		cmocka_unit_test(flaky_ones_end_minimal),
		cmocka_unit_test(it_goes_on_where_it_was_killed),
	};

	return cmocka_run_group_tests_name("minimize-search", tests, make_dir,
					   drop_dir);
}
