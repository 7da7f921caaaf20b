/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that is made up: whether a program shows the finding is said by a
 * function, how often by a rate. What the i-th run of a text gives is drawn
 * from the text and i alone, so that a search that goes on where it was meets
 * what it would have met.
 */
#ifndef TESTS_MINIMIZE_FIXTURE_H
#define TESTS_MINIMIZE_FIXTURE_H

#include "rig/minimize.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct sim {
	bool (*shows)(const struct ptext *p);
	double rate;
	uint64_t seed;
	size_t limit;		/* runs until it is interrupted */
	/* what it counts */
	size_t runs;
	struct {
		char hash[17];
		bool hit;
	} flying[8];
	size_t nr_flying;
	struct {
		char hash[17];
		unsigned int runs;
	} *seen;
	size_t nr_seen;
};

static uint64_t sim_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static bool sim_draw(const struct sim *s, const char *hash, unsigned int nth)
{
	uint64_t x = sim_mix(s->seed ^ sim_mix(strtoull(hash, NULL, 16) +
					       sim_mix(nth)));

	return (x >> 11) / 9007199254740992.0 < s->rate;
}

static unsigned int *sim_seen(struct sim *s, const char *hash)
{
	for (size_t i = 0; i < s->nr_seen; i++)
		if (strcmp(s->seen[i].hash, hash) == 0)
			return &s->seen[i].runs;
	s->seen = xrealloc(s->seen, (s->nr_seen + 1) * sizeof(*s->seen));
	strcpy(s->seen[s->nr_seen].hash, hash);
	s->seen[s->nr_seen].runs = 0;
	return &s->seen[s->nr_seen++].runs;
}

/* That any of @rounds rounds hits. */
static bool sim_round(const struct sim *s, const char *hash, unsigned int nth,
		      unsigned int rounds)
{
	unsigned int n = rounds ? rounds : 1;
	bool hit = false;

	for (unsigned int i = 0; i < n; i++)
		hit |= sim_draw(s, hash, nth * n + i);
	return hit;
}

static int sim_start(void *arg, const char *text, unsigned int rounds,
		     const char *hash)
{
	struct sim *s = arg;
	_ptext_ struct ptext p = {};
	unsigned int line;

	if (ptext_parse(text, strlen(text), &p, &line) || s->nr_flying >= 8)
		abort();
	strcpy(s->flying[s->nr_flying].hash, hash);
	s->flying[s->nr_flying++].hit =
		s->shows(&p) &&
		sim_round(s, hash, (*sim_seen(s, hash))++, rounds);
	return 0;
}

/* Not in the order they were begun. */
static int sim_wait(void *arg, struct outcome *out)
{
	struct sim *s = arg;
	size_t i;

	if (!s->nr_flying)
		abort();
	if (s->runs == s->limit)
		return -EINTR;
	i = sim_mix(s->seed + s->runs++) % s->nr_flying;
	strcpy(out->hash, s->flying[i].hash);
	out->hit = s->flying[i].hit;
	out->seconds = 1;
	s->flying[i] = s->flying[--s->nr_flying];
	return 0;
}

static void sim_free(struct sim *s)
{
	free(s->seen);
}

/* A folder in memory, where there is one: thousands of lines are synced. */
static char *sim_folder(void)
{
	char *dir = xstrdup(access("/dev/shm", W_OK) ? "/tmp/rig-min.XXXXXX" :
						       "/dev/shm/rig-min.XXXXXX");

	if (!mkdtemp(dir))
		abort();
	return dir;
}

#endif
