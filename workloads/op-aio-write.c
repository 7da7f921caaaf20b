// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog-io.h"

static int run(struct lane *l, const struct step *s)
{
	return io_run(l, s, &io_aio, false);
}

OP(
	.name = "aio-write",
	.help = "io_submit(2) of a write from a mapping: in flight while the gate is closed",
	.groups = "pin",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = IO_ARGS,
	.gen = io_gen,
	.run = run,
	.c = "hold_aio(&ref[$ref], map$map + $off, $len, 0);",
	.c_uses = "hold_aio",
	.must = "whoever frees a page that is under I/O waits; what the device gets is what the file holds",
);
