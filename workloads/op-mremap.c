// SPDX-License-Identifier: GPL-2.0-or-later
/* mm/mremap.c: a mapping made shorter or longer where it is. */
#include "emit.h"

enum { MAP, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];
	uint64_t unit = g->on == ON_DEVDAX ? PMD : PAGE;

	if (gen_chance(g, 40))
		s->arg[LEN] = m->len / 2;
	else if (gen_chance(g, 60))
		s->arg[LEN] = m->len + (1 + gen_below(g, 8)) * unit;
	else
		s->arg[LEN] = PMD - m->off % PMD;
	s->arg[LEN] = s->arg[LEN] / unit * unit;
	if (!s->arg[LEN] || s->arg[LEN] == m->len ||
	    m->off + s->arg[LEN] > MAX_FILE)
		return false;
	m->len = s->arg[LEN];
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);
	uint64_t unit = wl->mnt ? PAGE : PMD, old, more;
	uint64_t len = (s->arg[LEN] + unit - 1) / unit * unit;
	struct span *sp;

	if (!m || !len || len == m->len || m->off + len > MAX_FILE)
		return VOID;
	old = m->len;
	more = len > old ? len - old : 0;
	sp = map_will_copy(l, m, more ? old : len, more ? more : old - len);
	if (mremap(m->p, old, len, 0) == MAP_FAILED)
		return errno;
	if (!more)
		map_dropped(l, sp, len, old - len, true);
	/* What is new of a locked one is populated. */
	else if (m->own && m->locked)
		map_unknown(l, sp, old, more);
	__atomic_store_n(&m->len, len, __ATOMIC_RELAXED);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	struct emit_map m = *emit_map_of(e, s->arg[MAP]);

	if (m.off + s->arg[LEN] > MAX_FILE || m.len == s->arg[LEN])
		return;
	emit_uses(e, "TRY");
	emit_line(e, "TRY(mremap(map%llu, %#llx, %#llx, 0));",
		  (unsigned long long)s->arg[MAP], (unsigned long long)m.len,
		  (unsigned long long)s->arg[LEN]);
	m.len = s->arg[LEN];
	emit_map_is(e, s->arg[MAP], &m);
}

OP(
	.name = "mremap",
	.help = "make a mapping shorter or longer, where it is",
	.groups = "map mm",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "what stays mapped has its data, and counts as before",
);
