// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As with O_APPEND, for this one write. Where it comes to be when another
 * thread changes the file meanwhile nobody knows: then all of the file is
 * unsure.
 */
#include "emit.h"

#include <sys/uio.h>

enum { FD, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);

	if (f->size + s->arg[LEN] > MAX_FILE)
		return false;
	f->size += s->arg[LEN];
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t at, len = s->arg[LEN];
	struct iovec iov;
	struct span *sp;
	ssize_t n;

	if (!f)
		return VOID;
	if (len > MAX_IO)
		len = MAX_IO;
	sp = will_change(l, f->ino, 0);
	at = f->ino->size;
	if (f->ino->size_unsure || at + len > MAX_FILE)
		return VOID;
	/* What is written says where it was to be. */
	if (ex->prog->threads > 1)
		will_shift(f->ino);
	data_fill(l->buf, f->ino, s->nr, at, len);
	iov = (struct iovec){ l->buf, len };
	n = pwritev2(f->fd, &iov, 1, 0, RWF_APPEND);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	if (sp->clash || f->ino->size_unsure)
		return 0;
	if (n)
		model_data(l, sp, at, l->buf, n);
	else
		model_nothing(sp);
	return 0;
}

C_HELPER(
	append,
	.name = "append",
	.uses = "TRY fill <sys/uio.h>",
	.text = "static void append(int fd, char letter, size_t len)\n"
		"{\n"
		"\tstruct iovec iov = { malloc(len), len };\n"
		"\n"
		"\tfill(iov.iov_base, letter, len);\n"
		"\tTRY(pwritev2(fd, &iov, 1, 0, RWF_APPEND));\n"
		"\tfree(iov.iov_base);\n"
		"}\n",
);

OP(
	.name = "append",
	.help = "write at the end, as with O_APPEND",
	.groups = "io",
	.weight = 3,
	.args = { { "fd", ARG_FD }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "append(fd$fd, '$letter', $len);",
	.c_uses = "append",
	.must = "what is appended is behind all that was there",
);
