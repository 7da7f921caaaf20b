/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of building a tree, for rig/kernel-tree*.c and nobody else;
 * kernel-tree.h is what others see.
 *
 *   kernel-tree-check.c	a tree: whether it can be built, its version,
 *				whether it changed
 *   kernel-tree-make.c		make: arguments, environment, running it,
 *				progress, what went wrong in its output
 *   kernel-tree-config.c	what is asked of Kconfig, and configuring
 *   kernel-tree-keep.c		finished kernels: keeping, using, listing
 *   kernel-tree.c		one build: its folder and ID, and the steps
 *
 * All that returns an enum rig_exit has printed its error line.
 */
#ifndef RIG_KERNEL_TREE_INTERNAL_H
#define RIG_KERNEL_TREE_INTERNAL_H

#include "kconfig.h"
#include "kernel-kinds.h"
#include "kernel-tree.h"

struct build {
	struct source *src;
	const struct kernel_opts *o;
	struct kconfig kc;	/* what is checked after configuring */
	struct buf request;	/* what Kconfig gets */
	struct strv env, base;	/* of make; its arguments without the targets */
	char *dir, *obj;	/* build/NAME-HASH, and obj in it */
	char *out;		/* its kernels/ID */
	char *log;		/* where make's output goes */
	int lock, log_fd;	/* on @dir, of @log; -1: not yet */
	bool bzimage;		/* vmlinux cannot be started as it is */
	bool modules;
	/* progress */
	unsigned int done, total;	/* objects */
	bool estimate;		/* @total is one */
	bool rebuild;		/* @total is not known: most are there */
};

/* --- kernel-tree-check.c -------------------------------------------------- */

/* "6.1.42-rc1" of the Makefile; NULL when @dir has none of a kernel. Owned by
 * the caller. */
char *tree_version(const char *dir);

/* --- kernel-tree-make.c --------------------------------------------------- */

/* EXIT_RIG_FAILED when a program that every build needs is missing. */
int build_check_tools(void);
/* Identifies compiler, assembler and linker: appended to @out. */
void build_toolchain(struct buf *out);

/* What all makes of @b have in common, into @b->base and @b->env. */
void build_make_args(struct build *b);
/* The makes of a build that is to come as shell lines, for --dry-run and
 * run.json. */
void build_commands(const struct build *b, struct strv *out);

/* Run one make into the log. An enum rig_exit. */
int build_make_config(struct build *b);
int build_make_targets(struct build *b);
/* The modules below the folder @to. */
int build_make_install(struct build *b, const char *to);

/* Of the objects that are built, over runs that are stopped. */
void build_load_progress(struct build *b);
void build_save_progress(const struct build *b, bool whole);

/* --- kernel-tree-config.c ------------------------------------------------- */

/*
 * Whether the kernel of this .config (or request for one) has to be started by
 * way of its bzImage: it has no PVH entry, or one that may be instrumented. In
 * 6.1 arch/x86/platform/pvh/Makefile lets KASAN into enlighten.c, which runs
 * before there is shadow memory, and dies without a word (6.12 does not).
 */
bool build_needs_bzimage(const char *config);

/* Fill in @b->kc and @b->request: the fragments, or the user's .config with
 * the fragments that were asked for by name behind it. An enum rig_exit. */
int build_load_request(struct build *b);
/* Does the build of @request read files that are not in the tree? */
bool request_reads_elsewhere(const char *request);

/* Configure, unless that was done from the same. An enum rig_exit. */
int build_configure(struct build *b);
/* When make has read the configuration, however it ended: remember what it was
 * made from. */
void build_configured(const struct build *b);
/* What the finished .config decides. *@lost as kconfig_lost() returns it. An
 * enum rig_exit. */
int build_read_config(struct build *b, char **lost);

/* --- kernel-tree-keep.c --------------------------------------------------- */

/* The finished kernel into @b->out, which appears whole or not at all. An enum
 * rig_exit. */
int build_keep(struct build *b, const char *lost);
/* Fill @k from @b->out. An enum rig_exit. */
int build_use(const struct build *b, struct kernel *k);
/* Remove finished kernels of this folder that nobody used for long. */
void build_forget_old(const struct build *b);
void build_warn_lost(const struct build *b, const char *lost);

#endif
