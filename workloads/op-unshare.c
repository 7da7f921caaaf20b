// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FALLOC_FL_UNSHARE_RANGE: shared extents are copied, and what has no blocks
 * gets some (fs/xfs/xfs_reflink.c xfs_reflink_unshare(), fs/dax.c
 * dax_file_unshare()). The block that the file had stays the other file's.
 */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN, HOW };
enum { EXTEND, KEEP_SIZE };
static const char *const hows[] = { "extend", "keep-size", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	uint64_t end = s->arg[OFF] + s->arg[LEN];

	if (end > MAX_FILE || (!f->shared && !gen_chance(g, 10)))
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
	struct span *sp;

	if (!f || off + len > MAX_FILE)
		return VOID;
	sp = will_write(l, f->ino, off, len);
	if (fallocate(f->fd, FALLOC_FL_UNSHARE_RANGE |
		      (keep ? FALLOC_FL_KEEP_SIZE : 0), off, len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	model_same(l, sp, off, len, false);
	if (!keep && !sp->clash && !f->ino->size_unsure &&
	    off + len > f->ino->size)
		model_size(l, sp, off + len);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "<linux/falloc.h>");
	emit_c(e, s, s->arg[HOW] == KEEP_SIZE ?
		"TRY(fallocate(fd$fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, $off, $len));" :
		"TRY(fallocate(fd$fd, FALLOC_FL_UNSHARE_RANGE, $off, $len));");
}

OP(
	.name = "unshare",
	.help = "give a file blocks of its own where they are shared",
	.groups = "reflink layout",
	.weight = 3,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "unsharing changes no data of any file",
);
