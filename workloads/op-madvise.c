// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Advice that changes no file: pages are zapped, faulted in, or said to be cold.
 * A private mapping loses its copies by some, and makes them by another.
 */
#include "prog.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

enum { MAP, OFF, LEN, HOW };
/* From GUARD on not on device-dax. */
enum { DONTNEED, POPULATE_READ, POPULATE_WRITE, COLD, PAGEOUT, WILLNEED,
       COLLAPSE, GUARD, HUGEPAGE, NOHUGEPAGE, NR_HOWS };
static const char *const hows[] = {
	"dontneed", "populate-read", "populate-write", "cold", "pageout",
	"willneed", "collapse", "guard", "hugepage", "nohugepage", NULL
};
static const int advices[NR_HOWS] = {
	[DONTNEED] = MADV_DONTNEED,
	[POPULATE_READ] = MADV_POPULATE_READ,
	[POPULATE_WRITE] = MADV_POPULATE_WRITE,
	[COLD] = MADV_COLD,
	[PAGEOUT] = MADV_PAGEOUT,
	[WILLNEED] = MADV_WILLNEED,
	[COLLAPSE] = MADV_COLLAPSE,
	[GUARD] = MADV_GUARD_INSTALL,
	[HUGEPAGE] = MADV_HUGEPAGE,
	[NOHUGEPAGE] = MADV_NOHUGEPAGE,
};

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];
	unsigned int c = gen_below(g, 100);

	/* The first three do most. */
	if (c < 60)
		s->arg[HOW] = c < 30 ? DONTNEED : c < 45 ? POPULATE_READ :
							   POPULATE_WRITE;
	if (g->on == ON_DEVDAX && s->arg[HOW] >= GUARD)
		s->arg[HOW] = DONTNEED;
	if (s->arg[HOW] == POPULATE_WRITE && !m->writable)
		s->arg[HOW] = POPULATE_READ;
	if (gen_chance(g, 30)) {
		s->arg[OFF] = 0;
		s->arg[LEN] = m->len;
	}
	return true;
}

static int advise(char *p, uint64_t len, unsigned int how)
{
	int err = madvise(p, len, advices[how]) < 0 ? errno : 0;

	if (how == GUARD && madvise(p, len, MADV_GUARD_REMOVE) < 0 && !err)
		err = errno;
	return err;
}

/* Part of it may have been done when there is an error. */
static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];
	unsigned int how = s->arg[HOW];
	struct span *sp;
	int err;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	/* What takes 2 MiB pages away leaves device-dax with SIGBUS for all. */
	if (!wl->mnt && how >= GUARD)
		return VOID;
	switch (how) {
	case DONTNEED:
	case GUARD:
		sp = map_will_copy(l, m, off, len);
		err = advise(m->p + off, len, how);
		map_dropped(l, sp, off, len, !err);
		return err;
	case POPULATE_WRITE:
		if (!(m->prot & PROT_WRITE))
			return VOID;
		sp = map_will_store(l, m, off, len);
		err = advise(m->p + off, len, how);
		map_faulted(l, sp, off, len, !err);
		return err;
	case HUGEPAGE:
	case NOHUGEPAGE:
		/* All of it: a mapping stays one VMA. */
		m = change_map(l, s->arg[MAP]);
		return m ? advise(m->p, m->len, how) : VOID;
	default:
		return advise(m->p + off, len, how);
	}
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[NR_HOWS] = {
		[DONTNEED] = "TRY(madvise(map$map + $off, $len, MADV_DONTNEED));",
		[POPULATE_READ] = "TRY(madvise(map$map + $off, $len, 22 /* MADV_POPULATE_READ */));",
		[POPULATE_WRITE] = "TRY(madvise(map$map + $off, $len, 23 /* MADV_POPULATE_WRITE */));",
		[COLD] = "TRY(madvise(map$map + $off, $len, MADV_COLD));",
		[PAGEOUT] = "TRY(madvise(map$map + $off, $len, MADV_PAGEOUT));",
		[WILLNEED] = "TRY(madvise(map$map + $off, $len, MADV_WILLNEED));",
		[COLLAPSE] = "TRY(madvise(map$map + $off, $len, 25 /* MADV_COLLAPSE */));",
		[GUARD] = "TRY(madvise(map$map + $off, $len, 102 /* MADV_GUARD_INSTALL */));\n"
			  "TRY(madvise(map$map + $off, $len, 103 /* MADV_GUARD_REMOVE */));",
		[HUGEPAGE] = "TRY(madvise(map$map, $map.len, MADV_HUGEPAGE));",
		[NOHUGEPAGE] = "TRY(madvise(map$map, $map.len, MADV_NOHUGEPAGE));",
	};

	emit_uses(e, "TRY");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "madvise",
	.help = "zap or populate a part of a mapping, or say that it is cold",
	.groups = "map mm",
	.weight = 7,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "the file has its data, whatever is advised",
);
