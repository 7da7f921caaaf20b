// SPDX-License-Identifier: GPL-2.0-or-later
/* By the descriptor's position, as op-read.c. */
#include "emit.h"
#include "pieces.h"

enum { FD, OFF, LEN, HOW };
enum { ONE, PIECES, DSYNC };
static const char *const hows[] = { "one", "pieces", "dsync", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);

	if (s->arg[OFF] + s->arg[LEN] > f->size)
		f->size = s->arg[OFF] + s->arg[LEN];
	return true;
}

static ssize_t do_write(struct lane *l, struct file *f, uint64_t off,
			size_t len, unsigned int how)
{
	struct iovec v[NR_PIECES] = { { l->buf, len } };
	int nr = how == ONE ? 1 : pieces(v, l->buf, len);
	ssize_t n;

	pthread_mutex_lock(&f->position);
	n = lseek(f->fd, off, SEEK_SET);
	/* An offset of -1 is the position. */
	if (n >= 0)
		n = how == DSYNC ? pwritev2(f->fd, v, nr, -1, RWF_DSYNC) :
				   writev(f->fd, v, nr);
	pthread_mutex_unlock(&f->position);
	return n;
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
	n = do_write(l, f, off, len, s->arg[HOW]);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	if (n)
		model_data(l, sp, off, l->buf, n);
	else
		model_nothing(sp);
	return 0;
}

C_HELPER(
	put_on,
	.name = "put_on",
	.uses = "TRY fill",
	.text = "static void put_on(int fd, char letter, off_t off, size_t len)\n"
		"{\n"
		"\tchar *buf = malloc(len);\n"
		"\n"
		"\tfill(buf, letter, len);\n"
		"\tTRY(lseek(fd, off, SEEK_SET));\n"
		"\tTRY(write(fd, buf, len));\n"
		"\tfree(buf);\n"
		"}\n",
);

C_HELPER(
	put_pieces,
	.name = "put_pieces",
	.uses = "TRY fill pieces",
	.text = "static void put_pieces(int fd, char letter, off_t off, size_t len,\n"
		"\t\t       int flags)\n"
		"{\n"
		"\tchar *buf = malloc(len);\n"
		"\tstruct iovec v[5];\n"
		"\n"
		"\tfill(buf, letter, len);\n"
		"\tTRY(lseek(fd, off, SEEK_SET));\n"
		"\tTRY(pwritev2(fd, v, pieces(v, buf, len), -1, flags));\n"
		"\tfree(buf);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[ONE] = "put_on(fd$fd, '$letter', $off, $len);",
		[PIECES] = "put_pieces(fd$fd, '$letter', $off, $len, 0);",
		[DSYNC] = "put_pieces(fd$fd, '$letter', $off, $len, RWF_DSYNC);",
	};

	emit_uses(e, s->arg[HOW] == ONE ? "put_on" : "put_pieces");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "write",
	.help = "seek and write, in odd pieces too",
	.groups = "io",
	.weight = 5,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "what write(2) wrote is what every read and every shared "
		"mapping of the file has",
);
