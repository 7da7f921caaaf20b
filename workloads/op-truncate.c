// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { FD, SIZE };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);

	if (gen_chance(g, 25))
		s->arg[SIZE] = 0;
	f->size = s->arg[SIZE];
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t size = s->arg[SIZE], from = (size + PAGE - 1) / PAGE * PAGE;
	struct span *sp;

	if (!f || size > MAX_FILE)
		return VOID;
	sp = will_change(l, f->ino, size < f->ino->size ? size : f->ino->size);
	will_free(l, f->ino, from, MAX_FILE);
	if (ftruncate(f->fd, size) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	private_lost(f->ino, size);
	model_size(l, sp, size);
	return 0;
}

OP(
	.name = "truncate",
	.help = "make a file shorter or longer",
	.groups = "layout",
	.weight = 8,
	.args = { { "fd", ARG_FD }, { "size", ARG_OFF } },
	.gen = gen,
	.run = run,
	.c = "TRY(ftruncate(fd$fd, $size));",
	.must = "ftruncate(2) waits for references on the pages whose blocks it "
		"frees, and what it adds is zeroes",
);
