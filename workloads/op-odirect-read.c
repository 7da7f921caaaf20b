// SPDX-License-Identifier: GPL-2.0-or-later
/* Waits for the gate if that is closed: whoever watches opens it then. */
#include "prog-io.h"

static int run(struct lane *l, const struct step *s)
{
	return io_now(l, s, true);
}

OP(
	.name = "odirect-read",
	.help = "direct I/O into a mapping: the device writes to the pages",
	.groups = "pin",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = IO_NOW_ARGS,
	.gen = io_now_gen,
	.run = run,
	.c = "gate_fill('$letter', 0, $len);\n"
	     "TRY(pread(gate_fd, map$map + $off, $len, 0));",
	.c_uses = "gate_fill +waits",
	.must = "what the device brings to a shared mapping is in the file",
);
