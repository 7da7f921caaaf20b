// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a file into a pipe. For a DAX file that is a copy, fs/splice.c
 * copy_splice_read(), up to 6.4 into pages of a pipe by ITER_PIPE: nothing of
 * the file is referenced, so that it is no reference, but a way to read.
 */
#include "emit.h"

enum { FD, OFF, LEN };

/* All that comes of @len bytes, or -errno. */
static ssize_t through(int fd, const int pipe[2], char *buf, uint64_t off,
		       size_t len)
{
	size_t got = 0;

	while (got < len) {
		loff_t at = off + got;
		size_t left = len - got < KiB(64) ? len - got : KiB(64);
		ssize_t n = splice(fd, &at, pipe[1], NULL, left,
				   SPLICE_F_NONBLOCK);

		if (n < 0)
			return got ? (ssize_t)got : -errno;
		if (!n)
			break;
		n = read(pipe[0], buf + got, n);
		if (n <= 0)
			return -EPIPE;
		got += n;
	}
	return got;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct span *sp;
	int fds[2];
	ssize_t n;

	if (!f || !len)
		return VOID;
	if (len > MAX_IO)
		len = MAX_IO;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	sp = will_read(l, f->ino, off, len);
	n = through(f->fd, fds, l->buf, off, len);
	close(fds[0]);
	close(fds[1]);
	if (n < 0) {
		check_error(l, f->ino, -n);
		return -n;
	}
	check_data(l, sp, off, l->buf, n, "splice(2)");
	return 0;
}

C_HELPER(
	splice_out,
	.name = "splice_out",
	.uses = "seen TRY",
	.text = "/* Through a pipe. */\n"
		"static void splice_out(int fd, off_t off, size_t len)\n"
		"{\n"
		"\tint p[2];\n"
		"\n"
		"\tlen = len < sizeof(seen) ? len : sizeof(seen);\n"
		"\tnr_seen = 0;\n"
		"\tTRY(pipe(p));\n"
		"\twhile (nr_seen < (ssize_t)len) {\n"
		"\t\tssize_t n = splice(fd, &off, p[1], NULL, len - nr_seen,\n"
		"\t\t\t\t   SPLICE_F_NONBLOCK);\n"
		"\n"
		"\t\tif (n <= 0 || read(p[0], seen + nr_seen, n) != n)\n"
		"\t\t\tbreak;\n"
		"\t\tnr_seen += n;\n"
		"\t}\n"
		"\tclose(p[0]);\n"
		"\tclose(p[1]);\n"
		"}\n",
);

OP(
	.name = "splice-read",
	.help = "read at a position through a pipe, and compare",
	.groups = "io",
	.weight = 2,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.run = run,
	.c = "splice_out(fd$fd, $off, $len);",
	.c_uses = "splice_out",
	.must = "splice(2) gives what read(2) does",
);
