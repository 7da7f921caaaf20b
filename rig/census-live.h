/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live census: a thread of its own samples the watched namespaces into
 * census.bin while the guest runs. Callers never wait longer than one pass
 * over one namespace and its record take.
 *
 * A disk that is full, or another error of the file's, ends the writing, not
 * the run: the first one is remembered.
 */
#ifndef RIG_CENSUS_LIVE_H
#define RIG_CENSUS_LIVE_H

#include "census-log.h"

struct census_live;

/* Start sampling into a new file at @path, @hz times a second (0: only the
 * frames asked for). NULL with errno set. */
struct census_live *census_live_new(const char *path, double hz);

/*
 * Sample @c, the namespace numbered @ns, from now on; NULL: no more. @c stays
 * the caller's, and in use until this is called again for @ns (it returns when
 * the thread does not look any more). A namespace that was made anew under the
 * reader (census_is_current() no more) is not sampled until it is set again.
 * @idle_ref: what an idle page counts.
 */
void census_live_watch(struct census_live *l, unsigned int ns,
		       const struct census_ns *c, int32_t idle_ref);

/* From now on @hz times a second; 0: no more of itself. 0 or -errno. */
int census_live_hz(struct census_live *l, double hz);

/* As census_log_mark() and census_log_event(). */
void census_live_mark(struct census_live *l, const char *text);
void census_live_event(struct census_live *l, unsigned int ns,
		       const char *json);
/* A frame of every watched namespace at once, by the caller's thread. */
void census_live_frame(struct census_live *l);

/* Stop the thread and close the file. 0 or the first write's -errno. NULL is
 * fine. */
int census_live_free(struct census_live *l);

/* Frames that were taken so far, of all namespaces, and the seconds that
 * taking and writing them took. */
void census_live_cost(struct census_live *l, uint64_t *frames,
		      double *seconds);

#endif
