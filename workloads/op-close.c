// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { FD };

static bool gen(struct gen *g, struct step *s)
{
	g->fd[s->arg[FD]] = -1;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = last_fd(l, s->arg[FD]);

	if (!f)
		return VOID;
	/* The last use of a file without a name: its blocks go. */
	if (wl->mnt && !f->ino->names && ino_ends(l, f->ino))
		will_free(l, f->ino, 0, MAX_FILE);
	close(f->fd);
	empty_fd(l, f);
	return 0;
}

OP(
	.name = "close",
	.help = "close a file",
	.groups = "file",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "fd", ARG_FD } },
	.gen = gen,
	.run = run,
	.c = "TRY(close(fd$fd));",
	.c_uses = "-fd +waits",
	.must = "the blocks of a file without a name are not freed while "
		"something refers to their pages",
);
