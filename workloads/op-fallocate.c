// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks without data. */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN, HOW };
enum { EXTEND, KEEP_SIZE };
static const char *const hows[] = { "extend", "keep-size", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	uint64_t end = s->arg[OFF] + s->arg[LEN];

	if (end > MAX_FILE)
		return false;
	if (s->arg[HOW] == EXTEND && end > f->size)
		f->size = end;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	bool keep = s->arg[HOW] == KEEP_SIZE;
	struct span *sp = NULL;

	if (!f || off + len > MAX_FILE)
		return VOID;
	/* What there is of the file stays as it is. */
	if (!keep)
		sp = will_change(l, f->ino, f->ino->size);
	if (fallocate(f->fd, keep ? FALLOC_FL_KEEP_SIZE : 0, off, len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	if (keep || sp->clash || f->ino->size_unsure)
		return 0;
	if (off + len > f->ino->size)
		model_size(l, sp, off + len);
	else
		model_nothing(sp);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "<linux/falloc.h> +waits");
	emit_c(e, s, s->arg[HOW] == KEEP_SIZE ?
		"TRY(fallocate(fd$fd, FALLOC_FL_KEEP_SIZE, $off, $len));" :
		"TRY(fallocate(fd$fd, 0, $off, $len));");
}

OP(
	.name = "fallocate",
	.help = "give a range blocks, behind the end of the file too",
	.groups = "file",
	.weight = 3,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "fallocate(2) changes no data, and what it adds is zeroes",
);
