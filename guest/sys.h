/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little that PID 1 and the agent share: plain libc, so that PID 1 stays
 * static and free of libraries.
 */
#ifndef GUEST_SYS_H
#define GUEST_SYS_H

#include <stddef.h>

/*
 * Load a module of the image and, before it, those it needs, in the order of
 * GUEST_MODULES_DEP. Parameters come from the kernel command line's NAME.X=Y,
 * as modprobe takes them. 0 when it is there now (or was, or is built in);
 * -ENOENT when the image has no such module; else what the kernel said.
 */
int load_module(const char *name);

/* Into the kernel log, so that it stands on the console in its place: "rig: "
 * and the text. */
void kernel_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
