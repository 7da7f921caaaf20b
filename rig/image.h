/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's image: an uncompressed newc initramfs with PID 1, the agent,
 * the host's mkfs and repair programs with the libraries they need, and the
 * modules of a packaged kernel. Deterministic, and cached by the content of
 * everything that goes into it.
 */
#ifndef RIG_IMAGE_H
#define RIG_IMAGE_H

#include "util.h"

struct image_spec {
	const char *modules;	/* struct kernel's, or NULL */
	struct strv want_modules;/* names to pack with what they need; those
				 * that the kernel does not have are left out */
	struct strv programs;	/* names in PATH, or absolute paths of files or
				 * folders, taken along as they are */
	struct strv missing;	/* out: programs that this host lacks */
};

/*
 * Path of the image, owned by the caller, in *@path. 0, or an enum rig_exit
 * with its error printed.
 */
int image_get(struct image_spec *spec, char **path);
void image_spec_free(struct image_spec *spec);

/*
 * The image at @path with the user's own @files in /root, and the libraries
 * they need, written to @to. As image_get(); EXIT_USAGE when a file cannot be
 * read.
 */
int image_add(const char *path, const struct strv *files, const char *to);

#endif
