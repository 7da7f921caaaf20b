// SPDX-License-Identifier: GPL-2.0-or-later
/* FICLONE: a whole file. */
#include "prog.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

enum { FD, TO };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *from = gen_file_of_fd(g, s->arg[FD]);
	struct gen_file *to = gen_file_of_fd(g, s->arg[TO]);

	if (from == to || g->on != ON_XFS)
		return false;
	if (to->size < from->size)
		to->size = from->size;
	from->shared = to->shared = true;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *t = use_fd(l, s->arg[TO]);
	struct span *from, *to;
	uint64_t size;

	if (!f || !t || f->ino == t->ino)
		return VOID;
	from = will_read(l, f->ino, 0, MAX_FILE);
	to = will_change(l, t->ino, 0);
	size = f->ino->size;
	will_free(l, f->ino, 0, size / PAGE * PAGE);
	will_free(l, t->ino, 0, size / PAGE * PAGE);
	will_flow(t->ino, f->ino);
	if (ioctl(t->fd, FICLONE, f->fd) < 0) {
		check_error(l, t->ino, errno);
		return errno;
	}
	/* Nobody knows how long the source was then. */
	if (from->clash || f->ino->size_unsure)
		return 0;
	if (size)
		model_copy(l, to, 0, from, 0, size, true);
	else
		model_nothing(to);
	return 0;
}

OP(
	.name = "clone",
	.help = "FICLONE: the files share their extents",
	.groups = "reflink layout",
	.weight = 6,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "to", ARG_FD } },
	.gen = gen,
	.run = run,
	.c = "TRY(ioctl(fd$to, FICLONE, fd$fd));",
	.c_uses = "<sys/ioctl.h> <linux/fs.h>",
	.must = "FICLONE waits for references on pages of both files, and then "
		"both have the same data",
);
