// SPDX-License-Identifier: GPL-2.0-or-later
/* Fault by store. */
#include "prog.h"

#include <signal.h>

enum { MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	if (!g->map[s->arg[MAP]].writable)
		return false;
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

	if (!m || !(m->prot & PROT_WRITE) || !map_cut(m, off, &len))
		return VOID;
	sp = map_will_store(l, m, off, len);
	data_fill(l->buf, m->ino, s->nr, m->off + off, len);
	sig = map_copy_in(m->p + off, l->buf, len, &done);
	map_stored(l, sp, off, l->buf, done, sig);
	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + done);
	return sig ? EFAULT : 0;
}

OP(
	.name = "store",
	.help = "store to a mapping",
	.groups = "map",
	.weight = 10,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "store(map$map + $off, '$letter', $len);",
	.c_uses = "store",
	.must = "what is stored to a shared mapping is in the file",
);
