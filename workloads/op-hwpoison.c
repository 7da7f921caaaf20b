// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/memory-failure.c memory_failure_dev_pagemap(): poison on a page of the
 * device, of a block that the file has for sure; a hole's page is everybody's.
 * Whoever looks may get SIGBUS, EIO or the data from then on, through every
 * file that shares the block, and through every one that gets the block later:
 * nothing of it is compared. What is left to see is whether anything waits for
 * ever, or loses count. The namespace is made anew behind the program.
 */
#include "prog.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

enum { MAP, OFF, HOW };
enum { HARD, SOFT };
static const char *const hows[] = { "hard", "soft", NULL };

static bool gen(struct gen *g, struct step *s)
{
	const struct gen_map *m = &g->map[s->arg[MAP]];
	uint64_t size = g->file[m->file].size, in;

	if (!m->writable || m->private || size <= m->off)
		return false;
	in = size - m->off < m->len ? size - m->off : m->len;
	s->arg[OFF] = gen_below(g, (in + PAGE - 1) / PAGE) * PAGE;
	return true;
}

/* The file's own pages, and those it shares. Said before it is so: the signal
 * comes before the call returns. */
static int poison(struct ino *ino, char *p)
{
	bool before = ex->poisoned;
	int err;

	ex->poisoned = true;
	err = madvise(p, PAGE, MADV_HWPOISON) < 0 ? errno : 0;
	if (err == EINVAL) {
		/* This kernel has no such thing. */
		ex->poisoned = before;
		return err;
	}
	ino->poisoned = true;
	for (int i = 0; i < 64; i++)
		ex->inos[i].poisoned |= ex->inos[i].shared;
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = PAGE;
	struct span *sp;
	size_t done;
	int sig;

	if (!m || m->private || !(m->prot & PROT_WRITE) ||
	    !map_cut(m, off, &len))
		return VOID;
	sp = map_will_store(l, m, off, PAGE);
	/* A store makes a block of a hole. */
	sig = map_copy_in(m->p + off, NULL, PAGE, &done);
	map_faulted(l, sp, off, done, true);
	if (sig)
		return EFAULT;
	if (s->arg[HOW] == HARD)
		return poison(m->ino, m->p + off);
	/* There is no other page to move the data to: it stays. */
	return madvise(m->p + off, PAGE, MADV_SOFT_OFFLINE) < 0 ? errno : 0;
}

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "TRY touch_write");
	emit_c(e, s, s->arg[HOW] == SOFT ?
		"touch_write(map$map + $off, 1);\n"
		"TRY(madvise(map$map + $off, 4096, 101 /* MADV_SOFT_OFFLINE */));" :
		"touch_write(map$map + $off, 1);\n"
		"TRY(madvise(map$map + $off, 4096, MADV_HWPOISON));");
}

OP(
	.name = "hwpoison",
	.help = "poison on a page of the device, or what asks for it to be moved",
	.groups = "hwpoison",
	.weight = 12,
	.flags = OP_ASKED | OP_OWNS_FS,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "whoever maps the block is told, and no count is lost",
);
