// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XFS_IOC_EXCHANGE_RANGE: fs/xfs/xfs_exchrange.c, of 6.10. EOPNOTSUPP on a
 * filesystem that mkfs.xfs made without exchange=1.
 */
#include "emit.h"

#include <sys/ioctl.h>

/* fs/xfs/libxfs/xfs_fs.h struct xfs_exchange_range */
struct exchange {
	int32_t file1_fd;
	uint32_t pad;
	uint64_t file1_offset, file2_offset, length, flags;
};

#define EXCHANGE _IOW('X', 129, struct exchange)
#define TO_EOF 1

enum { FD, OFF, LEN, DST, TO, HOW };
enum { RANGE, WHOLE };
static const char *const hows[] = { "range", "whole", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *a = gen_file_of_fd(g, s->arg[FD]);
	struct gen_file *b = gen_file_of_fd(g, s->arg[DST]);
	uint64_t *off = &s->arg[OFF], *to = &s->arg[TO], *len = &s->arg[LEN];
	uint64_t size;

	if (gen_chance(g, 40))
		*to = *off;
	if (s->arg[HOW] == WHOLE) {
		if (a == b)
			return false;
		size = a->size;
		a->size = b->size;
		b->size = size;
	} else {
		*len = (*len + PAGE - 1) / PAGE * PAGE;
		if (*off + *len > a->size)
			*len = a->size > *off ? (a->size - *off) / PAGE * PAGE :
						0;
		if (*to + *len > b->size)
			*len = b->size > *to ? (b->size - *to) / PAGE * PAGE :
					       0;
		if (!*len || (a == b && *to < *off + *len && *off < *to + *len))
			return false;
	}
	a->shared = b->shared = a->shared || b->shared;
	return true;
}

static int exchange(struct file *f, struct file *d, struct exchange *x)
{
	x->file1_fd = d->fd;
	return ioctl(f->fd, EXCHANGE, x) < 0 ? errno : 0;
}

/* To the ends of both files, whose sizes go with the data. */
static int run_whole(struct lane *l, struct file *f, struct file *d)
{
	struct span *a = will_change(l, f->ino, 0);
	struct span *b = will_change(l, d->ino, 0);
	uint64_t size = f->ino->size, other = d->ino->size;
	int err;

	if (f->ino == d->ino || size == MAX_FILE || other == MAX_FILE)
		return VOID;
	will_free(l, f->ino, 0, MAX_FILE);
	will_free(l, d->ino, 0, MAX_FILE);
	will_copy(f->ino, d->ino);
	will_copy(d->ino, f->ino);
	err = exchange(f, d, &(struct exchange){ .flags = TO_EOF });
	if (err) {
		check_error(l, f->ino, err);
		return err;
	}
	private_lost(f->ino, 0);
	private_lost(d->ino, 0);
	if (a->clash || b->clash || f->ino->size_unsure || d->ino->size_unsure)
		return 0;
	model_swap(l, a, 0, b, 0, size > other ? size : other);
	model_size(l, a, other);
	model_size(l, b, size);
	return 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *d = use_fd(l, s->arg[DST]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN], at = s->arg[TO];
	struct span *a, *b;
	int err;

	if (!f || !d)
		return VOID;
	if (s->arg[HOW] == WHOLE)
		return run_whole(l, f, d);
	if (!len || off + len > MAX_FILE || at + len > MAX_FILE || len % PAGE)
		return VOID;
	a = will_write(l, f->ino, off, len);
	b = will_write(l, d->ino, at, len);
	will_free(l, f->ino, off, len);
	will_free(l, d->ino, at, len);
	will_copy(f->ino, d->ino);
	will_copy(d->ino, f->ino);
	err = exchange(f, d, &(struct exchange){ .file1_offset = at,
						 .file2_offset = off,
						 .length = len });
	if (err) {
		check_error(l, f->ino, err);
		return err;
	}
	private_lost(f->ino, off);
	private_lost(d->ino, at);
	if (!a->clash && !b->clash && !f->ino->size_unsure &&
	    !d->ino->size_unsure)
		model_swap(l, a, off, b, at, len);
	return 0;
}

C_HELPER(
	exchange,
	.name = "exchange",
	.uses = "TRY <stdint.h> <sys/ioctl.h>",
	.text = "/* struct xfs_exchange_range of xfs_fs.h; flags 1: to the ends of both. */\n"
		"struct exchange {\n"
		"\tint32_t file1_fd;\n"
		"\tuint32_t pad;\n"
		"\tuint64_t file1_offset, file2_offset, length, flags;\n"
		"};\n"
		"\n"
		"static void exchange(int fd, off_t off, size_t len, int dst, off_t to,\n"
		"\t\t     int flags)\n"
		"{\n"
		"\tstruct exchange x = { dst, 0, to, off, len, flags };\n"
		"\n"
		"\tTRY(ioctl(fd, _IOW('X', 129, struct exchange), &x));\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "exchange");
	emit_c(e, s, s->arg[HOW] == WHOLE ?
		"exchange(fd$fd, 0, 0, fd$dst, 0, 1);" :
		"exchange(fd$fd, $off, $len, fd$dst, $to, 0);");
}

OP(
	.name = "exchange",
	.help = "XFS_IOC_EXCHANGE_RANGE: two ranges swap their blocks",
	.groups = "layout",
	.weight = 3,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 }, { "dst", ARG_FD },
		  { "to", ARG_OFF, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "XFS_IOC_EXCHANGE_RANGE waits for references on the pages of "
		"both ranges, whose blocks become the other's",
);
