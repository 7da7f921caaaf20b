// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From candidates to verdicts. A hit proves that a candidate shows the finding;
 * that it does not is only ever likely, the more runs the likelier.
 */
#include "minimize.h"

#include <errno.h>
#include <string.h>

/* A flaky one's rate is known well enough after so many hits, and after so many
 * runs it has to be. */
#define RATE_HITS 5
#define RATE_RUNS 100
/* So many times as many rounds are the next to try. */
#define MORE_ROUNDS 3

/* --- runs ------------------------------------------------------------------- */

static size_t flying(const struct judge *g, const char *hash)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nr_flying; i++)
		n += strcmp(g->flying[i], hash) == 0;
	return n;
}

void judge_hash(const struct judge *g, const char *text, char hash[17])
{
	_buf_ struct buf b = {};

	buf_addf(&b, "%s", text);
	if (g->rounds > 1)
		buf_addf(&b, "# rounds %u\n", g->rounds);
	hash_hex(b.data, b.len, hash);
}

static int start(struct judge *g, const char *text, const char *hash)
{
	int err = g->runner->start(g->runner->arg, text, g->rounds, hash);

	if (err)
		return err;
	g->flying = xrealloc(g->flying,
			     (g->nr_flying + 1) * sizeof(*g->flying));
	strcpy(g->flying[g->nr_flying++], hash);
	return 0;
}

/* What ends next is in the journal before anybody reckons with it. */
static int await_one(struct judge *g)
{
	struct outcome o;
	int err = g->runner->wait(g->runner->arg, &o);

	if (err)
		return err;
	for (size_t i = 0; i < g->nr_flying; i++) {
		if (strcmp(g->flying[i], o.hash) != 0)
			continue;
		memmove(g->flying + i, g->flying + i + 1,
			(g->nr_flying - i - 1) * sizeof(*g->flying));
		g->nr_flying--;
		break;
	}
	return journal_add(g->journal, o.hash, o.hit, o.seconds);
}

/* --- candidates ------------------------------------------------------------- */

enum verdict { OPEN, HIT, MISS };

/* By its first g->tries runs, however many there were: *@runs. */
static enum verdict verdict(const struct judge *g, const char *hash,
			    unsigned int tries, size_t *runs)
{
	const bool *hit = journal_get(g->journal, hash, runs);

	for (size_t i = 0; i < *runs && i < tries; i++)
		if (hit[i])
			return HIT;
	return *runs < tries ? OPEN : MISS;
}

/*
 * The candidate to run next: the first that is not decided and lacks runs even
 * when all that fly have landed; @n when there is none. *@first is the answer,
 * once it is known, or @n + 1.
 */
static size_t next_to_run(const struct judge *g, char (*hash)[17], size_t n,
			  size_t *first)
{
	size_t next = n, i, runs;
	bool open = false;

	for (i = 0; i < n; i++) {
		enum verdict v = verdict(g, hash[i], g->tries, &runs);

		if (v == HIT)
			break;
		open |= v == OPEN;
		if (v == OPEN && next == n &&
		    runs + flying(g, hash[i]) < g->tries)
			next = i;
	}
	*first = open ? n + 1 : i;
	return next;
}

ssize_t judge_first(struct judge *g, char *const *texts, size_t n)
{
	__cleanup(cleanup_free) char (*hash)[17] = xcalloc(n + 1,
							   sizeof(*hash));
	size_t first, next;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		judge_hash(g, texts[i], hash[i]);
	while (!err) {
		next = next_to_run(g, hash, n, &first);
		if (first <= n)
			return first;
		if (next < n && g->nr_flying < g->runner->jobs)
			err = start(g, texts[next], hash[next]);
		else
			err = await_one(g);
	}
	return err;
}

/* --- rates ------------------------------------------------------------------ */

/* Whether @r is known well enough. */
static bool is_known(struct rate r, unsigned int least)
{
	if (r.runs < least)
		return false;
	return r.hits == r.runs || r.hits >= RATE_HITS || r.runs >= RATE_RUNS;
}

/* By the runs that were needed to know it, and no others that there may be:
 * the same next time. */
static bool rate_of(const struct judge *g, const char *hash,
		    unsigned int least, struct rate *out)
{
	size_t n, i = 0;
	const bool *hit = journal_get(g->journal, hash, &n);

	*out = (struct rate){ .rounds = g->rounds };
	while (i < n && !hit[i])
		i++;
	while (++i < n && !is_known(*out, least)) {
		out->runs++;
		out->hits += hit[i];
	}
	return is_known(*out, least);
}

/* One more of @hash in the air, or one fewer. */
static int run_more(struct judge *g, const char *text, const char *hash)
{
	if (g->nr_flying < g->runner->jobs)
		return start(g, text, hash);
	return await_one(g);
}

int judge_rate(struct judge *g, const char *text, unsigned int least,
	       struct rate *out)
{
	char hash[17];
	int err = 0;

	judge_hash(g, text, hash);
	while (!err && !rate_of(g, hash, least, out))
		err = run_more(g, text, hash);
	return err;
}

int judge_shows(struct judge *g, const char *text, unsigned int most)
{
	char hash[17];
	size_t runs;
	int err = 0;

	judge_hash(g, text, hash);
	while (!err) {
		enum verdict v = verdict(g, hash, most, &runs);

		if (v != OPEN)
			return v == HIT;
		if (runs + flying(g, hash) < most)
			err = run_more(g, text, hash);
		else
			err = await_one(g);
	}
	return err;
}

int judge_settle(struct judge *g, const char *text, unsigned int least,
		 struct rate *out)
{
	int ret = judge_rate(g, text, least, out);

	while (!ret && out->hits * 2 < out->runs &&
	       g->rounds * MORE_ROUNDS <= g->max_rounds) {
		g->rounds *= MORE_ROUNDS;
		ret = judge_shows(g, text, RATE_RUNS);
		if (ret > 0)
			ret = judge_rate(g, text, least, out);
		else
			break;
	}
	/* It does not show in many rounds, though it does in few. */
	if (!ret && out->rounds != g->rounds)
		g->rounds = out->rounds;
	return ret < 0 ? ret : 0;
}

void judge_by(struct judge *g, struct rate of, bool thorough)
{
	/* One hit was there before: it can be seen at all. */
	double rate = (of.hits + 0.5) / (of.runs + 1);

	g->missed |= of.hits < of.runs;
	if (g->fixed)
		g->tries = g->fixed;
	else if (of.hits == of.runs)
		g->tries = g->missed ? 2 : 1;
	else
		g->tries = rate_tries(thorough ? rate / 2 : rate);
}

void judge_free(struct judge *g)
{
	free(g->flying);
	*g = (struct judge){};
}
