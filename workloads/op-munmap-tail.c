// SPDX-License-Identifier: GPL-2.0-or-later
/* Unmap the end of a mapping: a 2 MiB page is split for it. */
#include "emit.h"

enum { MAP, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];
	uint64_t pages = m->len / PAGE;

	if (pages < 2)
		return false;
	s->arg[LEN] = (1 + gen_below(g, pages - 1)) * PAGE;
	if (g->on == ON_DEVDAX)
		s->arg[LEN] = PMD;
	m->len = s->arg[LEN];
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);
	uint64_t unit = wl->mnt ? PAGE : PMD, tail;
	uint64_t len = (s->arg[LEN] + unit - 1) / unit * unit;
	struct span *sp;

	if (!m || !len || len >= m->len)
		return VOID;
	tail = m->len - len;
	sp = map_will_copy(l, m, len, tail);
	if (munmap(m->p + len, tail) < 0)
		return errno;
	map_dropped(l, sp, len, tail, true);
	__atomic_store_n(&m->len, len, __ATOMIC_RELAXED);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	struct emit_map m = *emit_map_of(e, s->arg[MAP]);

	emit_uses(e, "TRY");
	if (m.len <= s->arg[LEN])
		return;
	emit_line(e, "TRY(munmap(map%llu + %#llx, %#llx));",
		  (unsigned long long)s->arg[MAP],
		  (unsigned long long)s->arg[LEN],
		  (unsigned long long)(m.len - s->arg[LEN]));
	m.len = s->arg[LEN];
	emit_map_is(e, s->arg[MAP], &m);
}

OP(
	.name = "munmap-tail",
	.help = "unmap a mapping from a position on",
	.groups = "map mm",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "what stays mapped has its data, and counts as before",
);
