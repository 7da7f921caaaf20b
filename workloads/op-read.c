// SPDX-License-Identifier: GPL-2.0-or-later
/* By the descriptor's position. Others may use the descriptor at that time:
 * seek and read are one. */
#include "emit.h"
#include "pieces.h"

enum { FD, OFF, LEN, HOW };
enum { ONE, PIECES };
static const char *const hows[] = { "one", "pieces", NULL };

static ssize_t do_read(struct lane *l, struct file *f, uint64_t off, size_t len,
		       bool in_pieces)
{
	struct iovec v[NR_PIECES];
	ssize_t n;

	pthread_mutex_lock(&f->position);
	n = lseek(f->fd, off, SEEK_SET);
	if (n >= 0)
		n = in_pieces ? readv(f->fd, v, pieces(v, l->buf, len)) :
				read(f->fd, l->buf, len);
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
	sp = will_read(l, f->ino, off, len);
	n = do_read(l, f, off, len, s->arg[HOW] == PIECES);
	if (n < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	check_count(l, sp, off, len, n);
	check_data(l, sp, off, l->buf, n, "read(2)");
	return 0;
}

C_HELPER(
	pieces,
	.name = "pieces",
	.uses = "<sys/uio.h>",
	.text = "/* A buffer in pieces of odd sizes. */\n"
		"static int pieces(struct iovec v[5], char *buf, size_t len)\n"
		"{\n"
		"\tstatic const size_t sizes[5] = { 1, 4095, 513, 4097, -1 };\n"
		"\tint n = 0;\n"
		"\n"
		"\tfor (; n < 5 && len; n++) {\n"
		"\t\tv[n].iov_base = buf;\n"
		"\t\tv[n].iov_len = sizes[n] < len ? sizes[n] : len;\n"
		"\t\tbuf += v[n].iov_len;\n"
		"\t\tlen -= v[n].iov_len;\n"
		"\t}\n"
		"\treturn n;\n"
		"}\n",
);

C_HELPER(
	get_on,
	.name = "get_on",
	.uses = "TRY SAW seen",
	.text = "static void get_on(int fd, off_t off, size_t len)\n"
		"{\n"
		"\tTRY(lseek(fd, off, SEEK_SET));\n"
		"\tSAW(read(fd, seen, len < sizeof(seen) ? len : sizeof(seen)));\n"
		"}\n",
);

C_HELPER(
	get_pieces,
	.name = "get_pieces",
	.uses = "TRY SAW seen pieces",
	.text = "static void get_pieces(int fd, off_t off, size_t len)\n"
		"{\n"
		"\tstruct iovec v[5];\n"
		"\n"
		"\tTRY(lseek(fd, off, SEEK_SET));\n"
		"\tlen = len < sizeof(seen) ? len : sizeof(seen);\n"
		"\tSAW(readv(fd, v, pieces(v, seen, len)));\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	bool in_pieces = s->arg[HOW] == PIECES;

	emit_uses(e, in_pieces ? "get_pieces" : "get_on");
	emit_c(e, s, in_pieces ? "get_pieces(fd$fd, $off, $len);" :
				 "get_on(fd$fd, $off, $len);");
}

OP(
	.name = "read",
	.help = "seek and read, and compare",
	.groups = "io",
	.weight = 3,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
	.must = "read(2) gives what was written last",
);
