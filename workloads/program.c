// SPDX-License-Identifier: GPL-2.0-or-later
/* A program of operations, generated or written: docs/programs.md. */
#include "prog.h"

static void run(void)
{
	if (!wl->program)
		SKIP("no program: `rig run --mix` or `rig replay` brings one");
	prog_run(wl->program);
}

WORKLOAD(
	.name = "program",
	.help = "a program of operations, with its data and its waiting watched",
	.point = "programs",
	.on = ON_FS | ON_DEVDAX,
	.flags = WL_BY_NAME,
	.runtime = 5,
	.run = run,
);
