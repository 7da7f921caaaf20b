/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Revisions and patches, without touching the user's tree or its .git: its
 * objects are borrowed for reading, its files are read into an index of ours,
 * and what comes out is a tree object. Patches are applied to that object, not to
 * files; only then is the private copy brought to it, so that files which are
 * the same before and after keep their times, and a rebuild is incremental.
 *
 * Below the cache's git/NAME-HASH: repo/ is the git folder, tree/ the copy.
 */
#ifndef RIG_KERNEL_GIT_H
#define RIG_KERNEL_GIT_H

#include "util.h"

/* `git describe` of @rev in @dir (a git tree), or NULL. */
char *git_describe(const char *dir, const char *rev);

#endif
