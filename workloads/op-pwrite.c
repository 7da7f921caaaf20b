// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { FD, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);

	if (s->arg[OFF] + s->arg[LEN] > f->size)
		f->size = s->arg[OFF] + s->arg[LEN];
	return true;
}

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
	if (off + len > MAX_FILE)
		return VOID;
	sp = will_write(l, f->ino, off, len);
	data_fill(l->buf, f->ino, s->nr, off, len);
	n = pwrite(f->fd, l->buf, len, off);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	if (n)
		model_wrote(l, sp, off, n);
	else
		model_nothing(sp);
	return 0;
}

OP(
	.name = "pwrite",
	.help = "write at a position, however odd",
	.groups = "io",
	.weight = 12,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "put(fd$fd, '$letter', $off, $len);",
	.c_uses = "put",
	.must = "what pwrite(2) wrote is what every read and every shared "
		"mapping of the file has",
);
