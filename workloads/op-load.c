// SPDX-License-Identifier: GPL-2.0-or-later
/* Fault by load. */
#include "prog.h"

#include <signal.h>

enum { MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	g->map[s->arg[MAP]].touched = true;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct span *sp;
	size_t done;
	int sig;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	sp = map_will_load(l, m, off, len);
	sig = map_copy_out(l->buf, m->p + off, len, &done);
	map_loaded(l, sp, off, l->buf, done, NULL);
	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + done);
	return sig ? EFAULT : 0;
}

OP(
	.name = "load",
	.help = "load from a mapping, and compare",
	.groups = "map",
	.weight = 6,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "load(map$map + $off, $len);",
	.c_uses = "load",
	.must = "a mapping has what read(2) gives",
);
