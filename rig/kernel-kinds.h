/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of kernel spec, for the table in kernel.c and nobody else. Each
 * getter does what kernel_get() says: it prints its error line, fills @k, and
 * returns an enum rig_exit.
 */
#ifndef RIG_KERNEL_KINDS_H
#define RIG_KERNEL_KINDS_H

#include "kernel.h"

/* `return failed(EXIT_USAGE, "...")`: the error line and its exit code. */
#define failed(code, ...) (error(__VA_ARGS__), (int)(code))

int kernel_debian(const char *suite, const struct kernel_opts *o,
		  struct kernel *k);
int kernel_debian_src(const char *suite, const struct kernel_opts *o,
		      struct kernel *k);
int kernel_deb(const char *path, const struct kernel_opts *o,
	       struct kernel *k);
/* @modules is a folder or NULL. */
int kernel_image(const char *path, const char *modules,
		 const struct kernel_opts *o, struct kernel *k);
int kernel_tree(const char *path, const struct kernel_opts *o,
		struct kernel *k);
/* A git tree's revision, or (with @rev NULL) a tree as it is with patches. */
int kernel_git(const char *path, const char *rev, const struct kernel_opts *o,
	       struct kernel *k);

/* Into a json-c array, as kernel_list() returns it. */
struct json_object;
void kernel_debian_list(struct json_object *array);
void kernel_tree_list(struct json_object *array);
void kernel_list_add(struct json_object *array, const char *spec,
		     const char *help, const char *release,
		     const char *version, bool cached);

#endif
