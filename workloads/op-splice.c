// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From one place of a file to another, or to another file, by reference: what a
 * pipe holds is written to a file, fs/splice.c iter_file_splice_write(), and
 * each page let go of when it was. The writer has the inode's lock meanwhile.
 */
#include "emit.h"
#include "prog-io.h"

enum { REF, FD, OFF };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);

	if (s->arg[OFF] + PAGE > f->size)
		f->size = s->arg[OFF] + PAGE;
	g->ref[s->arg[REF]] = -1;
	return true;
}

/* What is left of it; a child may have the pipe, too. */
static void release_rest(struct lane *l, struct hold *h)
{
	fcntl(h->fds[0], F_SETFL, O_NONBLOCK);
	while (read(h->fds[0], l->buf, IO_MAX) > 0)
		;
}

/* As long as that, whatever it holds. */
static void whatever(struct lane *l, struct span *sp, uint64_t off,
		     uint64_t len)
{
	model_data(l, sp, off, l->buf, len);
	model_unsure(l, sp, off, len);
}

static void wrote(struct lane *l, const struct hold *h, struct span *to,
		  uint64_t off, struct span *from, uint64_t len)
{
	struct ino *ino = h->ino;
	uint64_t left = from->off < ino->size ? ino->size - from->off : 0;
	bool overlap = to->ino == ino && from->off != off &&
		       off < from->off + len && from->off < off + len;

	/* The page may not be the file's any more, or is copied to itself. */
	if (h->detached || h->ino->changes != h->changes || !h->nr_dev ||
	    overlap) {
		whatever(l, to, off, len);
		return;
	}
	model_copy(l, to, off, from, from->off, len, false);
	/* What a page holds behind the end of its file is nobody's. */
	if (len > left)
		model_unsure(l, to, off + left, len - left);
}

static int into(struct lane *l, struct file *f, struct hold *h, uint64_t off)
{
	struct span *from = will_read(l, h->ino,
				      h->off + (uintptr_t)h->p % PAGE, h->n);
	struct span *to = will_write(l, f->ino, off, h->n);
	loff_t at = off;
	ssize_t n;

	will_copy(f->ino, h->ino);
	if ((off - (uintptr_t)h->p) % 8)
		will_shift(f->ino);
	n = splice(h->fds[0], NULL, f->fd, &at, h->n, 0);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	if (n)
		wrote(l, h, to, off, from, n);
	else
		model_nothing(to);
	return 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	struct hold *h = f ? take_ref(l, s->arg[REF]) : NULL;
	int err;

	if (!h)
		return VOID;
	if (!hold_is_pipe(h) || s->arg[OFF] + h->n > MAX_FILE) {
		ref_keep(h);
		return EINVAL;
	}
	err = into(l, f, h, s->arg[OFF]);
	h->release = release_rest;
	ref_release(l, h);
	return err;
}

C_HELPER(
	splice_into,
	.name = "splice_into",
	.uses = "drop_pipe",
	.text = "/* The pages go from the pipe into a file, and are let go of. */\n"
		"static void splice_into(struct ref *r, int fd, off_t off)\n"
		"{\n"
		"\tif (r->drop != drop_pipe)\n"
		"\t\treturn;\n"
		"\tr->drop = NULL;\n"
		"\tTRY(splice(r->fd[0], NULL, fd, &off, r->len, 0));\n"
		"\tclose(r->fd[0]);\n"
		"\tclose(r->fd[1]);\n"
		"}\n",
);

OP(
	.name = "splice",
	.help = "write what a pipe holds of a file to a place of a file",
	.groups = "pin io",
	.weight = 3,
	.args = { { "ref", ARG_REF }, { "fd", ARG_FD }, { "off", ARG_OFF } },
	.gen = gen,
	.run = run,
	.c = "splice_into(&ref[$ref], fd$fd, $off);",
	.c_uses = "splice_into -ref +waits",
	.must = "the file gets what the pages hold, even of itself, and nobody "
		"waits for ever",
);
