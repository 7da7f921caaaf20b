// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog-io.h"

static int run(struct lane *l, const struct step *s)
{
	return io_run(l, s, &io_uring_plain, true);
}

OP(
	.name = "uring-read",
	.help = "io_uring of a read into a mapping: in flight while the gate is closed",
	.groups = "pin",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = IO_ARGS,
	.gen = io_gen,
	.run = run,
	.c = "hold_uring(&ref[$ref], map$map + $off, $len, '$letter');",
	.c_uses = "hold_uring",
	.must = "whoever frees a page that is under I/O waits; what the device brings to a shared mapping is in the file",
);
