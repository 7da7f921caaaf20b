// SPDX-License-Identifier: GPL-2.0-or-later
/* Waits for the gate if that is closed: whoever watches opens it then. */
#include "prog-io.h"

static int run(struct lane *l, const struct step *s)
{
	return io_now(l, s, false);
}

OP(
	.name = "odirect-write",
	.help = "direct I/O from a mapping: the device reads the pages",
	.groups = "pin",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = IO_NOW_ARGS,
	.gen = io_now_gen,
	.run = run,
	.c = "gate_dev();\n"
	     "TRY(pwrite(gate_fd, map$map + $off, $len, 0));\n"
	     "gate_seen(0, $len);",
	.c_uses = "gate_seen +waits",
	.must = "what the device gets is what the file holds",
);
