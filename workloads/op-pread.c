// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { FD, OFF, LEN };

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct span *sp;
	ssize_t n;

	if (!f)
		return VOID;
	if (len > MAX_IO)
		len = MAX_IO;
	sp = will_read(l, f->ino, off, len);
	n = pread(f->fd, l->buf, len, off);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	check_count(l, sp, off, len, n);
	check_data(l, sp, off, l->buf, n, "read(2)");
	return 0;
}

OP(
	.name = "pread",
	.help = "read at a position, and compare",
	.groups = "io",
	.weight = 4,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.run = run,
	.c = "get(fd$fd, $off, $len);",
	.c_uses = "get",
	.must = "read(2) gives what was written last",
);
