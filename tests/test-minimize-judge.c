// SPDX-License-Identifier: GPL-2.0-or-later
/* Rates and their bounds, the journal, and verdicts made of runs. */
#include "minimize-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char *dir;

static char *journal_path(void)
{
	static int nr;

	return xstrfmt("%s/journal-%d", dir, nr++);
}

/* --- rates ------------------------------------------------------------------ */

static void bounds(unsigned int hits, unsigned int runs, double want_low,
		   double want_high)
{
	double low, high;

	rate_bounds((struct rate){ .runs = runs, .hits = hits }, &low, &high);
	assert_true(low > want_low - 0.0005 && low < want_low + 0.0005);
	assert_true(high > want_high - 0.0005 && high < want_high + 0.0005);
}

/* Against R's binom.test(). */
static void bounds_are_clopper_and_pearsons(void **state)
{
	bounds(0, 10, 0, 0.3085);
	bounds(10, 10, 0.6915, 1);
	bounds(3, 20, 0.0321, 0.3789);
	bounds(1, 1, 0.025, 1);
	bounds(50, 1000, 0.0373, 0.0654);
	bounds(0, 30, 0, 0.1157);
	bounds(0, 0, 0, 1);
}

static void tries_miss_one_in_fifty(void **state)
{
	assert_int_equal(rate_tries(1), 1);
	assert_int_equal(rate_tries(0.5), 6);
	assert_int_equal(rate_tries(0.15), 25);
	assert_int_equal(rate_tries(0.05), 77);
	assert_int_equal(rate_tries(0), RATE_TRIES);
}

/* --- the journal ------------------------------------------------------------ */

static const char what[] = "{\"finding\":\"0123456789abcdef\"}";
static const char h1[] = "1111111111111111", h2[] = "2222222222222222";

static void expect(const char *path, const char *hash, const char *want)
{
	_journal_ struct journal j = JOURNAL_INIT;
	const bool *hit;
	char got[20];
	size_t n;

	assert_int_equal(journal_open(&j, path, what), 0);
	hit = journal_get(&j, hash, &n);
	for (size_t i = 0; i < n; i++)
		got[i] = hit[i] ? '+' : '-';
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void write_three(const char *path)
{
	_journal_ struct journal j = JOURNAL_INIT;

	assert_int_equal(journal_open(&j, path, what), 0);
	assert_int_equal(journal_add(&j, h1, true, 1.5), 0);
	assert_int_equal(journal_add(&j, h2, false, 1), 0);
	assert_int_equal(journal_add(&j, h1, false, 1), 0);
	assert_int_equal(j.all.runs, 3);
	assert_int_equal(j.all.hits, 1);
}

static void a_journal_is_read_back(void **state)
{
	_free_ char *path = journal_path();

	write_three(path);
	expect(path, h1, "+-");
	expect(path, h2, "-");
	expect(path, "3333333333333333", "");
}

/* Cut after any byte: whole lines count, what follows them is written whole. */
static void a_torn_line_is_forgotten(void **state)
{
	_free_ char *path = journal_path();
	_buf_ struct buf all = {};
	size_t lines = 0;

	write_three(path);
	assert_int_equal(read_file(path, &all), 0);
	for (size_t cut = 0; cut <= all.len; cut++) {
		_journal_ struct journal j = JOURNAL_INIT;

		lines += cut && all.data[cut - 1] == '\n';
		assert_int_equal(write_file(path, all.data, cut), 0);
		assert_int_equal(journal_open(&j, path, what), 0);
		assert_int_equal(j.all.runs, lines ? lines - 1 : 0);
		assert_int_equal(journal_add(&j, h2, true, 1), 0);
		journal_close(&j);
		assert_int_equal(journal_open(&j, path, what), 0);
		assert_int_equal(j.all.runs, lines ? lines : 1);
	}
}

static void a_full_disk_leaves_no_half_line(void **state)
{
	_free_ char *path = journal_path();
	struct rlimit old, lim;
	struct stat st;
	_journal_ struct journal j = JOURNAL_INIT;

	write_three(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(journal_open(&j, path, what), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	lim = old;
	lim.rlim_cur = st.st_size + 7;
	setrlimit(RLIMIT_FSIZE, &lim);
	assert_int_equal(journal_add(&j, h2, true, 1), -EFBIG);
	assert_int_equal(j.all.runs, 3);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(journal_add(&j, h2, true, 1), 0);
	journal_close(&j);
	expect(path, h2, "-+");
}

static void anothers_journal_is_not_taken(void **state)
{
	_free_ char *path = journal_path(), *odd = journal_path();
	_journal_ struct journal j = JOURNAL_INIT, k = JOURNAL_INIT;

	write_three(path);
	assert_int_equal(journal_open(&j, path, "{\"finding\":\"x\"}"), -EEXIST);
	journal_close(&j);
	assert_int_equal(journal_open(&j, path, what), 0);
	assert_int_equal(journal_open(&k, path, what), -EBUSY);
	assert_int_equal(write_file(odd, "what\n", 5), 0);
	journal_close(&k);
	assert_int_equal(journal_open(&k, odd, what), -EINVAL);
	journal_close(&k);
	assert_int_equal(write_file(odd, "", 0), 0);
	assert_int_equal(journal_open(&k, odd, what), 0);
}

/* --- verdicts ---------------------------------------------------------------- */

static bool has_b(const struct ptext *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].what, "b") == 0)
			return true;
	return false;
}

struct court {
	struct sim sim;
	struct journal journal;
	struct runner runner;
	struct judge judge;
};

static void court_open(struct court *c, double rate, uint64_t seed,
		       unsigned int jobs)
{
	_free_ char *path = journal_path();

	*c = (struct court){
		.sim = { .shows = has_b, .rate = rate, .seed = seed,
			 .limit = SIZE_MAX },
		.journal = JOURNAL_INIT,
	};
	c->runner = (struct runner){ jobs, sim_start, sim_wait, &c->sim };
	c->judge = (struct judge){ .journal = &c->journal,
				   .runner = &c->runner, .tries = 1 };
	assert_int_equal(journal_open(&c->journal, path, what), 0);
	unlink(path);
}

static void court_close(struct court *c)
{
	judge_free(&c->judge);
	journal_close(&c->journal);
	sim_free(&c->sim);
}

static char a[] = "rig-program 1\n0 a\n", b[] = "rig-program 1\n0 b\n",
	    bb[] = "rig-program 1\n0 b\n0 b\n";

static void the_first_that_hits_wins(void **state)
{
	for (unsigned int jobs = 1; jobs <= 4; jobs++) {
		struct court c;

		court_open(&c, 1, 1, jobs);
		assert_int_equal(judge_first(&c.judge,
					     (char *[]){ a, b, bb }, 3), 1);
		assert_int_equal(judge_first(&c.judge,
					     (char *[]){ bb, a, b }, 3), 0);
		assert_int_equal(judge_first(&c.judge, (char *[]){ a }, 1), 1);
		assert_int_equal(judge_first(&c.judge, NULL, 0), 0);
		/* What was known, or is about to be, is not run again. */
		assert_true(c.sim.runs <= 3);
		court_close(&c);
	}
}

/* Whichever run ends first. */
static void order_decides_not_time(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct court c;

		court_open(&c, 0.5, seed, 4);
		c.judge.tries = 20;
		assert_int_equal(judge_first(&c.judge,
					     (char *[]){ a, b, bb }, 3), 1);
		assert_int_equal(judge_first(&c.judge, (char *[]){ bb, b }, 2),
				 0);
		court_close(&c);
	}
}

static void a_miss_takes_all_its_tries(void **state)
{
	struct court c;
	size_t n;

	court_open(&c, 0.2, 3, 2);
	c.judge.tries = 30;
	assert_int_equal(judge_first(&c.judge, (char *[]){ a, b }, 2), 1);
	journal_get(&c.journal, c.journal.v[0].hash, &n);
	assert_int_equal(n, 30);
	court_close(&c);
}

static void a_rate_is_measured_after_the_hit(void **state)
{
	struct rate r;
	struct court c;

	court_open(&c, 1, 3, 1);
	assert_int_equal(judge_shows(&c.judge, a, 5), 0);
	assert_int_equal(judge_shows(&c.judge, b, 5), 1);
	assert_int_equal(judge_rate(&c.judge, b, 4, &r), 0);
	assert_int_equal(r.hits, 4);
	assert_int_equal(r.runs, 4);
	assert_int_equal(c.sim.runs, 10);
	judge_by(&c.judge, r, true);
	assert_int_equal(c.judge.tries, 1);
	court_close(&c);

	/* Neither the misses before it nor the hit itself. */
	court_open(&c, 1, 3, 1);
	for (int i = 0; i < 6; i++) {
		char hash[17];

		judge_hash(&c.judge, b, hash);
		assert_int_equal(journal_add(&c.journal, hash, i >= 3, 1), 0);
	}
	assert_int_equal(judge_rate(&c.judge, b, 2, &r), 0);
	assert_int_equal(r.runs, 2);
	assert_int_equal(r.hits, 2);
	assert_int_equal(c.sim.runs, 0);
	court_close(&c);

	court_open(&c, 0.3, 5, 1);
	assert_int_equal(judge_shows(&c.judge, b, 50), 1);
	assert_int_equal(judge_rate(&c.judge, b, 4, &r), 0);
	assert_int_equal(r.hits, 5);
	/* 11 at 0.3, 24 at half of it; give or take what 5 hits tell. */
	judge_by(&c.judge, r, false);
	assert_in_range(c.judge.tries, 5, 24);
	judge_by(&c.judge, r, true);
	assert_in_range(c.judge.tries, 12, 50);
	c.judge.fixed = 7;
	judge_by(&c.judge, r, true);
	assert_int_equal(c.judge.tries, 7);
	court_close(&c);
}

static void rounds_make_a_run_of_their_own(void **state)
{
	struct rate r;
	struct court c;

	court_open(&c, 0.1, 5, 1);
	c.judge.rounds = 1;
	assert_int_equal(judge_shows(&c.judge, b, 3), 0);
	assert_int_equal(c.sim.runs, 3);
	/* 0.985 a run; what single ones gave does not count. */
	c.judge.rounds = 40;
	assert_int_equal(judge_shows(&c.judge, b, 3), 1);
	assert_int_equal(judge_rate(&c.judge, b, 20, &r), 0);
	assert_in_range(r.hits, 18, 20);
	c.judge.rounds = 1;
	assert_int_equal(judge_shows(&c.judge, b, 3), 0);
	court_close(&c);
}

static void what_shows_seldom_gets_rounds(void **state)
{
	struct rate r;
	struct court c;

	court_open(&c, 0.05, 5, 1);
	c.judge.rounds = 1;
	c.judge.max_rounds = 36;
	assert_int_equal(judge_shows(&c.judge, b, 100), 1);
	assert_int_equal(judge_settle(&c.judge, b, 4, &r), 0);
	/* 0.37 of runs of 9, 0.75 of runs of 27. */
	assert_int_equal(c.judge.rounds, 27);
	assert_int_equal(r.rounds, 27);
	assert_true(r.hits * 2 >= r.runs);
	court_close(&c);

	court_open(&c, 0.05, 5, 1);
	c.judge.rounds = 1;
	assert_int_equal(judge_shows(&c.judge, b, 100), 1);
	assert_int_equal(judge_settle(&c.judge, b, 4, &r), 0);
	assert_int_equal(c.judge.rounds, 1);
	assert_true(r.hits * 4 < r.runs);
	court_close(&c);
}

static void an_interrupt_goes_up(void **state)
{
	struct court c;
	struct rate r;

	court_open(&c, 0, 3, 2);
	c.sim.limit = 3;
	c.judge.tries = 30;
	assert_int_equal(judge_first(&c.judge, (char *[]){ b }, 1), -EINTR);
	assert_int_equal(judge_rate(&c.judge, b, 4, &r), -EINTR);
	assert_int_equal(judge_shows(&c.judge, b, 4), -EINTR);
	assert_int_equal(c.journal.all.runs, 3);
	court_close(&c);
}

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
		cmocka_unit_test(bounds_are_clopper_and_pearsons),
		cmocka_unit_test(tries_miss_one_in_fifty),
		cmocka_unit_test(a_journal_is_read_back),
		cmocka_unit_test(a_torn_line_is_forgotten),
		cmocka_unit_test(a_full_disk_leaves_no_half_line),
		cmocka_unit_test(anothers_journal_is_not_taken),
		cmocka_unit_test(the_first_that_hits_wins),
		cmocka_unit_test(order_decides_not_time),
		cmocka_unit_test(a_miss_takes_all_its_tries),
		cmocka_unit_test(a_rate_is_measured_after_the_hit),
		cmocka_unit_test(rounds_make_a_run_of_their_own),
		cmocka_unit_test(what_shows_seldom_gets_rounds),
		cmocka_unit_test(an_interrupt_goes_up),
	};

	return cmocka_run_group_tests_name("minimize-judge", tests, make_dir,
					   drop_dir);
}
