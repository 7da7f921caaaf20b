/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where rig keeps things:
 *   cache  $XDG_CACHE_HOME/rig (~/.cache/rig): packages, build trees, images;
 *          can be removed at any time when no rig runs (`rig clean`)
 *   state  $XDG_STATE_HOME/rig (~/.local/state/rig): run directories
 *   data   what rig ships (agent, kconfigs/): beside the binary in the source
 *          tree, below the prefix when installed; found by /proc/self/exe
 */
#ifndef RIG_CACHE_H
#define RIG_CACHE_H

#include "util.h"

/* Absolute paths, owned by the caller; the cache and state ones are made.
 * cache_path("deb/%s", suite) makes the parents of the last component. NULL
 * with an error printed when a folder cannot be made. */
char *cache_path(const char *fmt, ...) __printf(1, 2);
char *state_path(const char *fmt, ...) __printf(1, 2);
char *data_path(const char *fmt, ...) __printf(1, 2);

/*
 * An exclusive lock on a cache entry, by flock on "<path>.lock": held until
 * the fd is closed, so never left behind by a killed rig. When another rig
 * holds it, says so once (@what names the entry) and waits; an interrupt ends
 * the wait with -EINTR. Returns the fd or -errno.
 */
int cache_lock(const char *path, const char *what);

#endif
