// SPDX-License-Identifier: GPL-2.0-or-later
/* FALLOC_FL_COLLAPSE_RANGE: blocks go, all behind them get other positions. */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	uint64_t pages = f->size ? (f->size - 1) / PAGE : 0, first, n;

	/* Something has to be left behind it. */
	if (!pages)
		return false;
	first = gen_chance(g, 35) ? 0 : gen_below(g, pages);
	n = 1 + gen_below(g, pages - first < 4 ? pages - first : 4);
	if (pages - first > PMD / PAGE && gen_chance(g, 25))
		n = PMD / PAGE;
	s->arg[OFF] = first * PAGE;
	s->arg[LEN] = n * PAGE;
	f->size -= s->arg[LEN];
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct span *sp;

	if (!f)
		return VOID;
	sp = will_change(l, f->ino, off);
	/* One of that size may be longer than the model goes. */
	if (f->ino->size == MAX_FILE)
		return VOID;
	will_free(l, f->ino, off, MAX_FILE);
	will_copy(f->ino, f->ino);
	if (fallocate(f->fd, FALLOC_FL_COLLAPSE_RANGE, off, len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	private_lost(f->ino, off);
	if (!sp->clash)
		model_collapse(l, sp, off, len);
	return 0;
}

OP(
	.name = "collapse",
	.help = "take a range out of a file; what is behind moves",
	.groups = "layout",
	.weight = 4,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "TRY(fallocate(fd$fd, FALLOC_FL_COLLAPSE_RANGE, $off, $len));",
	.c_uses = "<linux/falloc.h>",
	.must = "a collapse waits for references on the pages whose blocks it "
		"frees or moves",
);
