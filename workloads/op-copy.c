// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy_file_range(2). XFS shares extents where it can (fs/read_write.c
 * vfs_copy_file_range()), everything else is a copy through a pipe. What it
 * does nobody is told: it has to wait for nothing here.
 */
#include "prog.h"

enum { FD, OFF, LEN, DST, TO };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *from = gen_file_of_fd(g, s->arg[FD]);
	struct gen_file *to = gen_file_of_fd(g, s->arg[DST]);
	uint64_t *off = &s->arg[OFF], *len = &s->arg[LEN];

	if (!from->size)
		return false;
	if (*off >= from->size)
		*off = (from->size - 1) / PAGE * PAGE;
	if (*off + *len > from->size)
		*len = from->size - *off;
	if (gen_chance(g, 50)) {
		*off = *off / PAGE * PAGE;
		s->arg[TO] = s->arg[TO] / PAGE * PAGE;
	}
	if (s->arg[TO] + *len > MAX_FILE)
		return false;
	if (from == to && s->arg[TO] < *off + *len && *off < s->arg[TO] + *len)
		return false;
	if (s->arg[TO] + *len > to->size)
		to->size = s->arg[TO] + *len;
	if (g->on == ON_XFS)
		from->shared = to->shared = true;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *d = use_fd(l, s->arg[DST]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN], at = s->arg[TO];
	bool may_share = strcmp(wl->fs, "xfs") == 0;
	off_t in = off, out = at;
	struct span *from, *to;
	ssize_t n;

	if (!f || !d || off + len > MAX_FILE || at + len > MAX_FILE)
		return VOID;
	from = will_read(l, f->ino, off, len);
	to = will_write(l, d->ino, at, len);
	if (may_share)
		will_flow(d->ino, f->ino);
	else
		will_copy(d->ino, f->ino);
	if ((at - off) % 8)
		will_shift(d->ino);
	n = copy_file_range(f->fd, &in, d->fd, &out, len, 0);
	if (n < 0) {
		check_error(l, d->ino, errno);
		return errno;
	}
	if (n)
		model_copy(l, to, at, from, off, n, may_share);
	else
		model_nothing(to);
	return 0;
}

OP(
	.name = "copy",
	.help = "copy_file_range(2), which may share extents",
	.groups = "reflink io",
	.weight = 4,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "dst", ARG_FD }, { "to", ARG_OFF } },
	.gen = gen,
	.run = run,
	.c = "TRY(copy_file_range(fd$fd, &(off_t){ $off }, fd$dst, &(off_t){ $to }, $len, 0));",
	.c_uses = "+waits",
	.must = "what copy_file_range(2) says that it copied is in both files",
);
