/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian packages: an ar archive of control.tar.* and data.tar.* (deb(5)),
 * read with libarchive and never run.
 *
 * A kernel is unpacked to the same few places whatever the package's layout:
 *   DIR/vmlinuz  DIR/config  DIR/lib/modules/RELEASE/...
 * Nothing but plain files and folders is made, all below DIR.
 */
#ifndef RIG_KERNEL_DEB_H
#define RIG_KERNEL_DEB_H

#include "kernel.h"

struct deb {
	char *package, *version, *depends; /* "" where it has none */
};
#define _deb_ __cleanup(deb_free)

/* The control file's fields. 0, -EBADMSG when @path is no Debian package or a
 * damaged one, or another -errno. */
int deb_read(const char *path, struct deb *d);
void deb_free(struct deb *d);

/* The kernel files of @path into @dir. As deb_read(), or -EINTR when the user
 * asked to stop. */
int deb_unpack_kernel(const char *path, const char *dir);

/* The source tree in a linux-source package, the tarball in it unpacked into
 * @dir without the folder it has around everything. As deb_unpack_kernel(),
 * -ENOENT when there is no tarball in it. */
int deb_unpack_source(const char *path, const char *dir);

/* Index the modules of an unpacked kernel. Prints its error line, naming
 * @what; returns an enum rig_exit. */
int deb_finish(const char *dir, const char *what);

/* Fill @k from an unpacked and finished kernel. -errno. */
int deb_kernel(const char *dir, struct kernel *k);

#endif
