/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels: from what the user names to something QEMU can start.
 *
 *   PATH to a source tree        configured, built out of tree in the cache
 *   PATH@REV                     a git tree's revision, in a private clone
 *   debian:SUITE                 newest packaged cloud kernel of the suite
 *   debian-src:SUITE             newest kernel source package, built
 *   FILE.deb                     a packaged kernel (its modules .deb is taken
 *                                from the same folder when it is split)
 *   BZIMAGE[,MODULES_DIR]        an image and its lib/modules/RELEASE
 *
 * The kinds are one table in kernel.c. Nothing the user names is written to.
 */
#ifndef RIG_KERNEL_H
#define RIG_KERNEL_H

#include "util.h"

struct kernel {
	char *spec;	/* as the user wrote it */
	char *release;	/* uname -r */
	char *version;	/* package version, or git describe of the tree, or
			 * what the image says; never NULL */
	char *image;	/* what QEMU's -kernel gets: bzImage or PVH vmlinux */
	char *vmlinux;	/* with symbols, or NULL */
	char *modules;	/* folder that has kernel/ and modules.dep.bin, or
			 * NULL: everything is built in */
	char *config;	/* its .config, or NULL when unknown */
	char *tree;	/* source tree it was built from, or NULL */
	char *build_log;/* where make's output went, or NULL */
	struct strv commands; /* shell lines that --dry-run prints, and
			       * run.json keeps: how it was fetched and built */
};
#define KERNEL_INIT {}
#define _kernel_ __cleanup(kernel_free)

struct kernel_opts {
	struct strv kconfigs;	/* fragments added to the default ones */
	const char *config;	/* the user's own .config, or NULL */
	struct strv patches;	/* patch files and mboxes, in order */
	const char *log_dir;	/* folder for build.log */
	bool dry_run;		/* fill in @commands, fetch and build nothing */
	int jobs;		/* 0: online CPUs */
};

/*
 * Resolve, fetch, build. Prints its own error line and returns an enum
 * rig_exit: EXIT_CLEAN when @k can be booted, EXIT_CANNOT_TEST when the kernel
 * does not build or apply, EXIT_USAGE for a spec that names nothing,
 * EXIT_RIG_FAILED for the rest. @k is freed by the caller in any case.
 */
int kernel_get(const char *spec, const struct kernel_opts *o, struct kernel *k);
void kernel_free(struct kernel *k);

/* `rig list kernels`: what the cache holds, and the suites that can be named:
 * spec, help, release and version where known, cached;
 * `rig list kconfigs`: name, whether default, its first comment line. As JSON
 * arrays (json-c, owned by the caller) of objects of strings and booleans. */
struct json_object;
struct json_object *kernel_list(void);
struct json_object *kconfig_list(void);

#endif
