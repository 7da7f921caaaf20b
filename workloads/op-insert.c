// SPDX-License-Identifier: GPL-2.0-or-later
/* FALLOC_FL_INSERT_RANGE: all behind a new hole get other positions. */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	uint64_t pages = (f->size + PAGE - 1) / PAGE;

	if (!pages)
		return false;
	s->arg[OFF] = gen_chance(g, 35) ? 0 : gen_below(g, pages) * PAGE;
	s->arg[LEN] = gen_chance(g, 15) ? PMD : (1 + gen_below(g, 4)) * PAGE;
	if (f->size + s->arg[LEN] > MAX_FILE)
		return false;
	f->size += s->arg[LEN];
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
	if (f->ino->size + len > MAX_FILE || f->ino->size == MAX_FILE)
		return VOID;
	will_free(l, f->ino, off, MAX_FILE);
	will_copy(f->ino, f->ino);
	if (fallocate(f->fd, FALLOC_FL_INSERT_RANGE, off, len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	private_lost(f->ino, off);
	if (!sp->clash)
		model_insert(l, sp, off, len);
	return 0;
}

OP(
	.name = "insert",
	.help = "put a hole into a file; what is behind moves",
	.groups = "layout",
	.weight = 4,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "TRY(fallocate(fd$fd, FALLOC_FL_INSERT_RANGE, $off, $len));",
	.c_uses = "<linux/falloc.h>",
	.must = "an insert waits for references on the pages whose blocks it "
		"moves",
);
