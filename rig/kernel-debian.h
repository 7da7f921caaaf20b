/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packaged kernels of a Debian suite, by an apt of our own: its lists, state
 * and sources lie in the cache, one set a suite, and the system's are neither
 * read nor written. What apt does is verify: Release files against the Debian
 * archive keyring, packages against the Release files.
 *
 * RIG_DEBIAN_MIRROR names another archive than http://deb.debian.org/debian;
 * the security archive is that URL with "-security" at its end.
 */
#ifndef RIG_KERNEL_DEBIAN_H
#define RIG_KERNEL_DEBIAN_H

#include "util.h"

/* Package names of a Depends field that are parts of one kernel of @flavour:
 * linux-*, with a version number in it, ending in the flavour; or, with
 * @flavour NULL, linux-source-X.Y. Each as apt takes it: NAME or NAME=VERSION
 * where the field demands one. */
void debian_kernel_depends(const char *depends, const char *flavour,
			   struct strv *out);

/* How to go on after an `apt-get update` that failed, from its E: lines. */
enum debian_remedy {
	REMEDY_NONE,
	REMEDY_IGNORE_EXPIRY,	/* a Release file is past its Valid-Until */
	REMEDY_NO_SECURITY,	/* the suite has no security archive */
	REMEDY_NO_SUITE,	/* nor an archive: there is no such suite */
};
enum debian_remedy debian_remedy(const struct strv *errors, const char *suite);

#endif
