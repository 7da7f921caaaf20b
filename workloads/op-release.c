// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { REF };

static bool gen(struct gen *g, struct step *s)
{
	g->ref[s->arg[REF]] = -1;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct hold *h = take_ref(l, s->arg[REF]);

	if (!h)
		return VOID;
	ref_release(l, h);
	return 0;
}

OP(
	.name = "release",
	.help = "let go of a reference, and compare what came through it",
	.groups = "pin",
	.weight = 5,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF } },
	.gen = gen,
	.run = run,
	.c = "drop(&ref[$ref]);",
	.c_uses = "drop -ref",
	.must = "a page whose last reference goes is idle again",
);
