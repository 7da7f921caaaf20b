// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/mprotect.c change_protection(): a part of a 2 MiB page makes it be split
 * (mm/huge_memory.c __split_huge_pmd_locked()). All of a mapping stays as it is
 * made; a part of one is made as it was in the same step.
 */
#include "prog.h"

enum { MAP, OFF, LEN, PROT, HOW };
enum { RW, R, NONE };
static const char *const prots[] = { "rw", "r", "none", NULL };
static const int flags[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };
enum { ALL, PART };
static const char *const hows[] = { "all", "part", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];

	s->arg[HOW] = gen_chance(g, 60) ? PART : ALL;
	/* What nobody can access is of little use to what comes. */
	if (s->arg[HOW] == ALL && s->arg[PROT] == NONE && !gen_chance(g, 20))
		s->arg[PROT] = RW;
	if (s->arg[HOW] == ALL)
		m->writable = s->arg[PROT] == RW;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];
	int prot = flags[s->arg[PROT]];

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (s->arg[HOW] == ALL) {
		if (mprotect(m->p, m->len, prot) < 0)
			return errno;
		m->prot = prot;
		return 0;
	}
	if (mprotect(m->p + off, len, prot) < 0)
		return errno;
	return mprotect(m->p + off, len, m->prot) < 0 ? errno : 0;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const all[] = {
		[RW] = "TRY(mprotect(map$map, $map.len, PROT_READ | PROT_WRITE));",
		[R] = "TRY(mprotect(map$map, $map.len, PROT_READ));",
		[NONE] = "TRY(mprotect(map$map, $map.len, PROT_NONE));",
	};
	static const char *const part[] = {
		[RW] = "TRY(mprotect(map$map + $off, $len, PROT_READ | PROT_WRITE));",
		[R] = "TRY(mprotect(map$map + $off, $len, PROT_READ));\n"
		      "TRY(mprotect(map$map + $off, $len, PROT_READ | PROT_WRITE));",
		[NONE] = "TRY(mprotect(map$map + $off, $len, PROT_NONE));\n"
			 "TRY(mprotect(map$map + $off, $len, PROT_READ | PROT_WRITE));",
	};

	emit_uses(e, "TRY");
	emit_c(e, s, s->arg[HOW] == ALL ? all[s->arg[PROT]] :
					  part[s->arg[PROT]]);
}

OP(
	.name = "mprotect",
	.help = "what a mapping may be accessed for, or a part of it for a moment",
	.groups = "map mm",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "prot", ARG_WORD, prots }, { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "a split page counts as before, and has its data",
);
