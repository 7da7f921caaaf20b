// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/mremap.c move_page_tables(), mm/huge_memory.c move_huge_pmd(): a mapping
 * goes to the address of another slot, its page table entries with it; at an
 * odd one no 2 MiB page fits, and those that are there are split. It may leave
 * the old mapping without entries (MREMAP_DONTUNMAP), or be a second one of
 * the same pages (an old length of 0).
 */
#include "emit.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { MAP, TO, HOW };
enum { EVEN, ODD, KEEP, DUP };
static const char *const hows[] = { "even", "odd", "keep", "dup", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];

	if (s->arg[HOW] == DUP && m->private)
		s->arg[HOW] = KEEP;
	if (g->on == ON_DEVDAX && s->arg[HOW] == ODD)
		s->arg[HOW] = EVEN;
	g->map[s->arg[TO]] = *m;
	if (s->arg[HOW] < KEEP)
		m->file = -1;
	return true;
}

/* A move over several VMAs may fail half way: then both places are cleared. */
static int failed(struct lane *l, struct map *m, char *to, int err)
{
	munmap(to, m->len);
	if (msync(m->p, m->len, MS_ASYNC) < 0 && errno == ENOMEM) {
		munmap(m->p, m->len);
		empty_map(l, m);
	}
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);
	struct map *t = fresh_map(l, s->arg[TO]), with;
	unsigned int how = s->arg[HOW];
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct span *sp;
	char *to;

	if (!m || !t || (how == DUP && m->private) ||
	    (how == ODD && !wl->mnt))
		return VOID;
	to = (char *)map_address(s->arg[TO]) + m->off % PMD +
	     (how == ODD ? PAGE : 0);
	if (how == KEEP)
		flags |= MREMAP_DONTUNMAP;
	sp = map_will_copy(l, m, 0, m->len);
	if (mremap(m->p, how == DUP ? 0 : m->len, m->len, flags, to) ==
	    MAP_FAILED)
		return failed(l, m, to, errno);
	with = *m;
	with.p = to;
	fill_map(l, t, &with);
	if (how == KEEP)
		map_dropped(l, sp, 0, m->len, true);
	else if (how != DUP)
		empty_map(l, m);
	return 0;
}

C_HELPER(
	room,
	.name = "room",
	.text = "/* Where @len bytes can be mapped, as far from a multiple of 2 MiB as @off is. */\n"
		"static char *room(off_t off, size_t len)\n"
		"{\n"
		"\tsize_t huge = 2 << 20;\n"
		"\tchar *p = mmap(NULL, len + 2 * huge, PROT_NONE,\n"
		"\t\t       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
		"\n"
		"\tmunmap(p, len + 2 * huge);\n"
		"\treturn p + (huge - (unsigned long)p % huge) % huge + off % huge;\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[EVEN] = "TRY(map$to = mremap(map$map, $map.len, $map.len, MREMAP_MAYMOVE | MREMAP_FIXED,\n"
			 "\t\t  room($map.off, $map.len)));",
		[ODD] = "TRY(map$to = mremap(map$map, $map.len, $map.len, MREMAP_MAYMOVE | MREMAP_FIXED,\n"
			"\t\t  room($map.off + 4096, $map.len)));",
		[KEEP] = "TRY(map$to = mremap(map$map, $map.len, $map.len,\n"
			 "\t\t  MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,\n"
			 "\t\t  room($map.off, $map.len)));",
		[DUP] = "TRY(map$to = mremap(map$map, 0, $map.len, MREMAP_MAYMOVE | MREMAP_FIXED,\n"
			"\t\t  room($map.off, $map.len)));",
	};
	struct emit_map m = *emit_map_of(e, s->arg[MAP]);

	emit_uses(e, s->arg[HOW] < KEEP ? "TRY room -map" : "TRY room");
	emit_c(e, s, c[s->arg[HOW]]);
	emit_map_is(e, s->arg[TO], &m);
}

OP(
	.name = "mremap-move",
	.help = "move a mapping to another slot's address, or map it there, too",
	.groups = "map mm",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "to", ARG_MAP, .fresh = true },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "a page counts once for each mapping of it, wherever that is",
);
