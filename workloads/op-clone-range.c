// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/remap_range.c, fs/xfs/xfs_reflink.c: of one file too, beside itself. */
#include "prog.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

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
	*len = (*len + PAGE - 1) / PAGE * PAGE;
	/* The block that the file ends in goes as far as the file. */
	if (*off + *len > from->size)
		*len = from->size - *off;
	if (gen_chance(g, 40))
		s->arg[TO] = *off;
	if (*len % PAGE && s->arg[TO] + *len < to->size)
		*len = *len / PAGE * PAGE;
	if (!*len || s->arg[TO] + *len > MAX_FILE)
		return false;
	if (from == to && s->arg[TO] < *off + *len && *off < s->arg[TO] + *len)
		return false;
	if (s->arg[TO] + *len > to->size)
		to->size = s->arg[TO] + *len;
	from->shared = to->shared = true;
	return true;
}

/* EINVAL cannot be about what was asked for: then it says that not all was
 * done (fs/ioctl.c ioctl_file_clone()). */
static bool is_right(const struct step *s, const struct ino *from,
		     const struct ino *to)
{
	uint64_t off = s->arg[OFF], end = off + s->arg[LEN];
	uint64_t at = s->arg[TO], last = at + s->arg[LEN];

	if (off % PAGE || at % PAGE || end > from->size ||
	    (from == to && off < last && at < end))
		return false;
	return s->arg[LEN] % PAGE == 0 ||
	       (end == from->size && last >= to->size);
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *d = use_fd(l, s->arg[DST]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN], at = s->arg[TO];
	struct file_clone_range r;
	struct span *from, *to;
	bool right;

	if (!f || !d || !len || off + len > MAX_FILE || at + len > MAX_FILE)
		return VOID;
	from = will_read(l, f->ino, off, len);
	to = will_write(l, d->ino, at, len);
	right = is_right(s, f->ino, d->ino);
	will_free(l, f->ino, off, len / PAGE * PAGE);
	will_free(l, d->ino, at, len / PAGE * PAGE);
	will_flow(d->ino, f->ino);
	r = (struct file_clone_range){ .src_fd = f->fd, .src_offset = off,
				       .src_length = len, .dest_offset = at };
	if (ioctl(d->fd, FICLONERANGE, &r) < 0) {
		check_error(l, d->ino, errno);
		return errno == EINVAL && (right || to->clash || from->clash) ?
			       EAGAIN : errno;
	}
	model_copy(l, to, at, from, off, len, true);
	return 0;
}

OP(
	.name = "clone-range",
	.help = "FICLONERANGE: share a part of a file",
	.groups = "reflink layout",
	.weight = 6,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN }, { "dst", ARG_FD },
		  { "to", ARG_OFF, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "TRY(ioctl(fd$dst, FICLONERANGE, &(struct file_clone_range){ fd$fd, $off, $len, $to }));",
	.c_uses = "<sys/ioctl.h> <linux/fs.h>",
	.must = "FICLONERANGE waits for references on the pages of both ranges, "
		"and then both have the same data",
);
