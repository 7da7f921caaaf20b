/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building a source tree out of tree. Below the cache's build/NAME-HASH, one
 * folder for each source folder and set of fragments, so that a rebuild is
 * incremental:
 *
 *   obj/		make's O=
 *   request		what was asked of Kconfig
 *   kernels/ID/	finished kernels, never written again: a run that
 *			boots one is not disturbed by the next build
 *
 * ID is made from all that a build reads (sources, request, compiler), so an
 * ID that is there means that there is nothing to build.
 */
#ifndef RIG_KERNEL_TREE_H
#define RIG_KERNEL_TREE_H

#include "kernel.h"

struct source {
	char *dir;	/* the source tree that make reads */
	char *name;	/* what the user calls it */
	char *version;
	char *id;	/* stands for its whole content; NULL: look at every
			 * file's metadata */
	int lock;	/* keeps @dir as it is; -1: nobody else writes to it */
	/* Bring @dir to that content; done only when there is a need to build.
	 * Prints its error line, returns an enum rig_exit. May be NULL. */
	int (*prepare)(struct source *src);
	void *arg;
};
#define SOURCE_INIT { .lock = -1 }

/* Configure and build @src, or take what was built of it before. */
int source_build(struct source *src, const struct kernel_opts *o,
		 struct kernel *k);

/* NULL when @dir can be built out of tree for x86-64, or why it cannot and
 * what to do, as half a sentence to follow its name; owned by the caller.
 * @git: a private copy of it could be built instead. */
char *tree_problem(const char *dir, bool git);

/* Whether @dir is the top of a git working tree (or a bare repository). */
bool tree_is_git(const char *dir);

/*
 * A number that changes whenever something under @dir does: over each file's
 * name, type, mode, size, inode, mtime and ctime, .git left out. *@certain is
 * false when equal numbers would not prove equal content: something changed
 * less than a clock tick before it was looked at, or a link leads to a folder
 * elsewhere. 0 or -errno.
 */
int tree_fingerprint(const char *dir, char hex[17], bool *certain);

/* What went wrong in make's output @log, at most @max lines of it, each
 * without @prefix (the source folder, where it leads them). */
void build_errors(const char *log, const char *prefix, size_t max,
		  struct strv *out);

#endif
