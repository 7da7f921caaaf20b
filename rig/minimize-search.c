// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which candidates are tried, and in which order: threads, ranges of steps by
 * halves, steps one by one, then numbers; again until nothing changes.
 *
 * Candidates come in batches. All of a batch are made from the same program,
 * and the first one that hits takes its place: so many can be run at a time,
 * and it makes no difference how many are.
 */
#include "minimize.h"

#include <errno.h>
#include <string.h>

#define PAGE 4096ULL
#define HUGE (2ULL << 20)

/* --- batches ---------------------------------------------------------------- */

struct batch {
	struct ptext *v;
	size_t n;
};
#define _batch_ __cleanup(batch_free)

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		ptext_free(&b->v[i]);
	free(b->v);
	*b = (struct batch){};
}

/* A copy of @p, to be made smaller by the caller before the next. */
static struct ptext *batch_add(struct batch *b, const struct ptext *p)
{
	b->v = xrealloc(b->v, (b->n + 1) * sizeof(*b->v));
	ptext_copy(&b->v[b->n], p);
	return &b->v[b->n++];
}

/* The index of the first that hits, which is now *@p; b->n: none; -errno. */
static ssize_t take_first(struct search *s, const struct batch *b,
			  struct ptext *p)
{
	_strv_ struct strv texts = {};
	ssize_t hit;
	int err;

	for (size_t i = 0; i < b->n; i++) {
		_free_ char *text = ptext_print(&b->v[i]);

		strv_push(&texts, text);
	}
	hit = b->n ? judge_first(s->judge, texts.v, b->n) : 0;
	if (hit < 0 || (size_t)hit == b->n)
		return hit;
	ptext_free(p);
	ptext_copy(p, &b->v[hit]);
	err = s->better(s->arg, p);
	return err ? err : hit;
}

/* --- steps ------------------------------------------------------------------ */

/* What comes after the finding cannot be needed for it: as many of the last
 * steps as can go at once. */
static int cut_tail(struct search *s, struct ptext *p)
{
	for (size_t most = p->n / 2; most;) {
		_batch_ struct batch b = {};
		ssize_t hit;

		for (size_t k = most; k; k /= 2)
			ptext_cut(batch_add(&b, p), p->n - k, p->n);
		hit = take_first(s, &b, p);
		if (hit < 0)
			return hit;
		if ((size_t)hit == b.n)
			return 0;
		/* Twice as many were too many. */
		most = most >> hit >> 1;
	}
	return 0;
}

/* Ranges of @size steps, from the last one to the first. */
static int cut_ranges(struct search *s, struct ptext *p, size_t size)
{
	for (size_t end = p->n; end;) {
		_batch_ struct batch b = {};
		ssize_t hit;

		for (size_t to = end; to; to -= to < size ? to : size)
			ptext_cut(batch_add(&b, p), to < size ? 0 : to - size,
				  to);
		hit = take_first(s, &b, p);
		if (hit < 0)
			return hit;
		if ((size_t)hit == b.n)
			return 0;
		/* Those behind it were tried, those before it are not. */
		hit = (hit + 1) * size;
		end = end > (size_t)hit ? end - hit : 0;
	}
	return 0;
}

static int cut_steps(struct search *s, struct ptext *p)
{
	int err = 0;

	for (size_t size = (p->n + 1) / 2; size && !err; size /= 2)
		err = cut_ranges(s, p, size);
	return err;
}

/* --- threads ---------------------------------------------------------------- */

/* Threads go, by halves and one by one, until none can. */
static int cut_threads(struct search *s, struct ptext *p)
{
	_free_ int *all = xcalloc(p->n + 1, sizeof(*all));
	size_t n, size;
	ssize_t hit = 0;

	for (;;) {
		_batch_ struct batch b = {};

		n = ptext_threads(p, all);
		if (n < 2)
			return 0;
		for (size = n / 2; size; size /= 2)
			for (size_t i = n; i >= size; i -= size) {
				struct ptext *c = batch_add(&b, p);

				for (size_t k = i - size; k < i; k++)
					ptext_cut_thread(c, all[k]);
			}
		hit = take_first(s, &b, p);
		if (hit < 0 || (size_t)hit == b.n)
			return hit < 0 ? hit : 0;
	}
}

/* What does not need two threads at a time is easier to follow in one: all
 * become the first one's steps, or one thread does. */
static int merge_threads(struct search *s, struct ptext *p)
{
	_free_ int *all = xcalloc(p->n + 1, sizeof(*all));
	ssize_t hit;
	size_t n;

	for (;;) {
		_batch_ struct batch b = {};

		n = ptext_threads(p, all);
		if (n < 2)
			return 0;
		for (int order = 0; order < NR_ORDERS && n > 2; order++) {
			struct ptext *c = batch_add(&b, p);

			for (size_t i = 1; i < n; i++)
				ptext_merge(c, all[i], all[0], order);
		}
		for (size_t i = n - 1; i; i--)
			for (int order = 0; order < NR_ORDERS; order++)
				ptext_merge(batch_add(&b, p), all[i], all[0],
					    order);
		hit = take_first(s, &b, p);
		if (hit < 0 || (size_t)hit == b.n)
			return hit < 0 ? hit : 0;
	}
}

static int cut_alone(struct search *s, struct ptext *p)
{
	_batch_ struct batch b = {};
	ssize_t hit;

	if (!p->alone)
		return 0;
	batch_add(&b, p)->alone = false;
	hit = take_first(s, &b, p);
	return hit < 0 ? hit : 0;
}

/* --- numbers ---------------------------------------------------------------- */

/* Numbers to be changed together: every one of this value, or (@step, @nth)
 * alone. */
struct number {
	uint64_t value;
	bool count;
	bool all;
	size_t step, nth;
};

static bool same(const struct number *a, const struct number *b)
{
	return a->value == b->value && a->count == b->count;
}

static void set(struct ptext *p, const struct number *nr, uint64_t value)
{
	struct number is;

	if (!nr->all) {
		ptext_set_number(p, nr->step, nr->nth, value);
		return;
	}
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; ptext_number(p, i, k, &is.value, &is.count);
		     k++)
			if (same(&is, nr))
				ptext_set_number(p, i, k, value);
}

static int larger_first(const void *pa, const void *pb)
{
	const struct number *a = pa, *b = pb;

	if (a->value != b->value)
		return a->value < b->value ? 1 : -1;
	if (a->count != b->count)
		return a->count - b->count;
	/* sort() is not stable, what is asked has to be the same. */
	return a->step != b->step ? (a->step < b->step ? -1 : 1) :
				    (a->nth < b->nth ? -1 : 1);
}

/* All numbers but 0, the largest first; with @all each value once. */
static struct number *numbers(const struct ptext *p, bool all, size_t *n)
{
	struct number *v = NULL, is = { .all = all };
	size_t kept = 0;

	*n = 0;
	for (is.step = 0; is.step < p->n; is.step++)
		for (is.nth = 0; ptext_number(p, is.step, is.nth, &is.value,
					      &is.count); is.nth++) {
			if (!is.value)
				continue;
			v = xrealloc(v, (*n + 1) * sizeof(*v));
			v[(*n)++] = is;
		}
	if (*n)
		qsort(v, *n, sizeof(*v), larger_first);
	for (size_t i = 0; i < *n; i++)
		if (!all || !kept || !same(&v[i], &v[kept - 1]))
			v[kept++] = v[i];
	*n = kept;
	return v;
}

/* Whether @a is simpler than @b: 0, whole pages, whatever; the smaller. */
static bool is_simpler(uint64_t a, uint64_t b, bool count)
{
	if (!count && (a % PAGE == 0) != (b % PAGE == 0))
		return a % PAGE == 0;
	return a < b;
}

/* What to try instead of @nr, the simplest first; returns how many. The last
 * one is the next best: when it misses, nothing between is tried. */
#define MAX_SIMPLER 7
static size_t simpler(const struct number *nr, uint64_t v[MAX_SIMPLER])
{
	const uint64_t unit = nr->count ? 1 : PAGE;
	const uint64_t tries[MAX_SIMPLER] = {
		0, unit, 1, HUGE, nr->value / HUGE * HUGE,
		nr->value % unit ? (nr->value / unit + 1) * unit : 0,
		(nr->value - 1) / unit * unit,
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		bool seen = !is_simpler(tries[i], nr->value, nr->count);

		for (size_t k = 0; k < n; k++)
			seen |= v[k] == tries[i];
		if (!seen)
			v[n++] = tries[i];
	}
	return n;
}

/* @nr was set to @high, which hits; what is between the unit and it was not
 * tried: the smallest of these, if @high is not it. */
static int bisect(struct search *s, struct ptext *p, struct number nr,
		  uint64_t high)
{
	const uint64_t unit = nr.count ? 1 : PAGE;
	uint64_t low = unit, mid = high - unit;

	nr.value = high;
	while (nr.value > low + unit) {
		_batch_ struct batch b = {};
		ssize_t hit;

		set(batch_add(&b, p), &nr, mid);
		hit = take_first(s, &b, p);
		if (hit < 0)
			return hit;
		if (hit == 0)
			nr.value = mid;
		else
			low = mid;
		mid = (low + (nr.value - low) / 2) / unit * unit;
	}
	return 0;
}

static int lower_from(struct search *s, struct ptext *p,
		      const struct number *nr, size_t n, size_t *done)
{
	_free_ struct { size_t nr; uint64_t value; } *of = NULL;
	_batch_ struct batch b = {};
	ssize_t hit;

	for (size_t i = *done; i < n; i++) {
		uint64_t v[MAX_SIMPLER];
		size_t nv = simpler(&nr[i], v);

		of = xrealloc(of, (b.n + nv) * sizeof(*of));
		for (size_t k = 0; k < nv; k++) {
			of[b.n].nr = i;
			of[b.n].value = v[k];
			set(batch_add(&b, p), &nr[i], v[k]);
		}
	}
	*done = n;
	hit = take_first(s, &b, p);
	if (hit < 0 || (size_t)hit == b.n)
		return hit < 0 ? hit : 0;
	*done = of[hit].nr + 1;
	return bisect(s, p, nr[of[hit].nr], of[hit].value);
}

static int lower_numbers(struct search *s, struct ptext *p, bool all)
{
	size_t n, done = 0;
	_free_ struct number *nr = numbers(p, all, &n);
	int err = 0;

	/* All that is not done yet still has the value that it had. */
	while (!err && done < n)
		err = lower_from(s, p, nr, n, &done);
	return err;
}

/* --- the whole -------------------------------------------------------------- */

/* How many misses refute a candidate depends on how often @p hits: it may not
 * be what it was when it was larger. */
static int measure(struct search *s, const struct ptext *p, bool thorough)
{
	_free_ char *text = ptext_print(p);
	unsigned int least = !s->passes ? RATE_FIRST : thorough ? 6 : 3;
	int err = judge_settle(s->judge, text, least, &s->rate);

	judge_by(s->judge, s->rate, thorough);
	return err;
}

/* In the middle of a pass: where it is flaky, it may be less so by now. */
static int measure_again(struct search *s, const struct ptext *p, bool thorough)
{
	return s->judge->tries > 1 ? measure(s, p, thorough) : 0;
}

static int one_pass(struct search *s, struct ptext *p, bool thorough)
{
	int err = cut_threads(s, p);

	/* What is no race shows every time once there is one thread: then all
	 * that follows takes fewer runs. */
	if (!err)
		err = merge_threads(s, p);
	if (!err)
		err = measure_again(s, p, thorough);
	if (!err)
		err = cut_steps(s, p);
	if (!err)
		err = measure_again(s, p, thorough);
	if (!err)
		err = cut_alone(s, p);
	if (!err)
		err = lower_numbers(s, p, true);
	return err ? err : lower_numbers(s, p, false);
}

int search_run(struct search *s, struct ptext *p)
{
	bool thorough = false;
	int err = measure(s, p, false);

	if (!err)
		err = cut_tail(s, p);
	for (;;) {
		_free_ char *before = ptext_print(p), *after = NULL;

		s->passes++;
		if (!err)
			err = one_pass(s, p, thorough);
		if (err)
			return err;
		after = ptext_print(p);
		if (strcmp(before, after) != 0)
			thorough = false;
		else if (thorough)
			return 0;
		else
			thorough = true;
		err = measure(s, p, thorough);
	}
}
