// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FIDEDUPERANGE: fs/dax.c dax_dedupe_file_range_compare(). Two files seldom
 * hold the same by chance: the one is written to the other first, mostly.
 */
#include "emit.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

enum { FD, OFF, LEN, DST, TO, HOW };
enum { COPIED, AS_IS };
static const char *const hows[] = { "copied", "as-is", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *from = gen_file_of_fd(g, s->arg[FD]);
	struct gen_file *to = gen_file_of_fd(g, s->arg[DST]);
	uint64_t *off = &s->arg[OFF], *at = &s->arg[TO], *len = &s->arg[LEN];

	*len = (*len + PAGE - 1) / PAGE * PAGE;
	if (gen_chance(g, 40))
		*at = *off;
	s->arg[HOW] = gen_chance(g, 75) ? COPIED : AS_IS;
	if (*off + *len > from->size)
		*len = from->size > *off ? (from->size - *off) / PAGE * PAGE :
					   0;
	if (s->arg[HOW] == AS_IS && *at + *len > to->size)
		*len = to->size > *at ? (to->size - *at) / PAGE * PAGE : 0;
	if (!*len || *at + *len > MAX_FILE)
		return false;
	if (from == to && *at < *off + *len && *off < *at + *len)
		return false;
	if (*at + *len > to->size)
		to->size = *at + *len;
	from->shared = to->shared = true;
	return true;
}

/* 0, or an errno of which the model has been told. */
static int copy(struct lane *l, struct file *f, struct file *d,
		const struct step *s, struct span *from, struct span *to)
{
	uint64_t off = s->arg[OFF], len = s->arg[LEN], at = s->arg[TO];
	ssize_t n = pread(f->fd, l->buf, len, off);

	if (n >= 0) {
		check_count(l, from, off, len, n);
		check_data(l, from, off, l->buf, n, "read(2)");
		n = n ? pwrite(d->fd, l->buf, n, at) : 0;
	}
	if (n < 0) {
		check_error(l, d->ino, errno);
		return errno;
	}
	if (n)
		model_copy(l, to, at, from, off, n, false);
	else
		model_nothing(to);
	return 0;
}

static int dedupe(struct file *f, struct file *d, const struct step *s)
{
	union {
		struct file_dedupe_range range;
		char space[sizeof(struct file_dedupe_range) +
			   sizeof(struct file_dedupe_range_info)];
	} u = { .range = { .src_offset = s->arg[OFF],
			   .src_length = s->arg[LEN], .dest_count = 1 } };
	struct file_dedupe_range_info *info = u.range.info;

	info->dest_fd = d->fd;
	info->dest_offset = s->arg[TO];
	if (ioctl(f->fd, FIDEDUPERANGE, &u) < 0)
		return errno;
	if (info->status < 0)
		return -info->status;
	/* The data differs, or part of it was done. */
	return info->status == FILE_DEDUPE_RANGE_DIFFERS ||
	       info->bytes_deduped != s->arg[LEN] ? EBADE : 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *d = use_fd(l, s->arg[DST]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN], at = s->arg[TO];
	struct span *from, *to;
	int err;

	if (!f || !d || !len || len > MAX_IO || off + len > MAX_FILE ||
	    at + len > MAX_FILE ||
	    (f->ino == d->ino && off < at + len && at < off + len))
		return VOID;
	from = will_read(l, f->ino, off, len);
	to = will_write(l, d->ino, at, len);
	will_flow(d->ino, f->ino);
	err = s->arg[HOW] == COPIED ? copy(l, f, d, s, from, to) : 0;
	if (err)
		return err;
	will_free(l, f->ino, off, len / PAGE * PAGE);
	will_free(l, d->ino, at, len / PAGE * PAGE);
	err = dedupe(f, d, s);
	if (err)
		check_error(l, d->ino, err);
	/* Whatever came of it, no data changes; part may have been shared. */
	model_same(l, from, off, len, true);
	model_same(l, to, at, len, true);
	return err;
}

C_HELPER(
	dedupe,
	.name = "dedupe",
	.uses = "TRY <sys/ioctl.h> <linux/fs.h>",
	.text = "static void dedupe(int fd, off_t off, size_t len, int dst, off_t to)\n"
		"{\n"
		"\tsize_t size = sizeof(struct file_dedupe_range) +\n"
		"\t\t      sizeof(struct file_dedupe_range_info);\n"
		"\tstruct file_dedupe_range *r = calloc(1, size);\n"
		"\n"
		"\tr->src_offset = off;\n"
		"\tr->src_length = len;\n"
		"\tr->dest_count = 1;\n"
		"\tr->info[0].dest_fd = dst;\n"
		"\tr->info[0].dest_offset = to;\n"
		"\tTRY(ioctl(fd, FIDEDUPERANGE, r));\n"
		"\tif (r->info[0].status)\n"
		"\t\twarnx(\"FIDEDUPERANGE: status %d\", r->info[0].status);\n"
		"\tfree(r);\n"
		"}\n",
);

C_HELPER(
	copy_data,
	.name = "copy_data",
	.uses = "TRY",
	.text = "static void copy_data(int fd, off_t off, size_t len, int dst, off_t to)\n"
		"{\n"
		"\tchar *buf = calloc(1, len);\n"
		"\n"
		"\tTRY(pread(fd, buf, len, off));\n"
		"\tTRY(pwrite(dst, buf, len, to));\n"
		"\tfree(buf);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "dedupe");
	if (s->arg[HOW] == COPIED) {
		emit_uses(e, "copy_data");
		emit_c(e, s, "copy_data(fd$fd, $off, $len, fd$dst, $to);");
	}
	emit_c(e, s, "dedupe(fd$fd, $off, $len, fd$dst, $to);");
}

OP(
	.name = "dedupe",
	.help = "FIDEDUPERANGE: share what is the same, made so first or not",
	.groups = "reflink layout",
	.weight = 3,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 }, { "dst", ARG_FD },
		  { "to", ARG_OFF, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "FIDEDUPERANGE waits for references on the pages of both "
		"ranges, and changes no data",
);
