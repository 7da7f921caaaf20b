/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `rig run --mix`: generated programs for as long as there is time. A run's
 * source (run.h) that makes them in batches, the filesystems of the machine
 * taking turns, a batch each: as many programs as share a filesystem.
 */
#ifndef RIG_MIX_H
#define RIG_MIX_H

#include "run.h"

struct mix {
	uint64_t seed;
	unsigned int threads;
	struct strv fs;			/* empty: all that the machine has */
	struct strv with, without;	/* operations and groups */
	/* filled in by mix_begin() */
	struct mix_turn {
		int ns;
		char *fs;
	} *turns;
	size_t nr_turns;
	uint64_t next;			/* index of the next program */
	struct run_source source;
};

/*
 * Whose turn it is in which order: each namespace of @m, each filesystem that
 * it is for, of those that @fs names (or all). The array is the caller's,
 * mix_turns_free() frees it. 0, or -ENOENT with *@missing (of @fs) the first
 * that @m does not have.
 */
int mix_turns(const struct machine *m, const struct strv *fs,
	      struct mix_turn **out, size_t *n, const char **missing);
void mix_turns_free(struct mix_turn *v, size_t n);

/* A seed that nobody chose, short enough to be typed. */
uint64_t mix_random_seed(void);

/* Make @o run programs of @x. 0, or EXIT_USAGE with an error printed. */
int mix_begin(struct mix *x, struct run_opts *o);
/* @o's members that mix_begin() made are put, too. */
void mix_free(struct mix *x, struct run_opts *o);

#endif
