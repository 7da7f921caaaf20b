/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking the filesystem away from a program, and giving it back: for operations
 * with OP_OWNS_FS, which run alone. */
#ifndef WORKLOADS_PROG_MOUNT_H
#define WORKLOADS_PROG_MOUNT_H

#include "emit.h"

/*
 * Close and unmap all that steps name, let obstacles go, and unmount. What is
 * held stays held. Names, and what the files behind them hold, stay. 0, or an
 * errno: then it is still mounted. On device-dax there is nothing to unmount.
 */
int fs_away(struct lane *l);
/* Mount it again. That it cannot be is a finding, unless @may_fail. 0 or EIO:
 * then whatever the program goes on to do fails. */
int fs_back(struct lane *l, bool may_fail);

/* Lines that close and unmap all, in C: their slots are empty from here on. */
void emit_away(struct emit *e);
/* The same for all references. */
void emit_let_go(struct emit *e);

#endif
