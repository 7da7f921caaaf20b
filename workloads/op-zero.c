// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FALLOC_FL_ZERO_RANGE. XFS punches the range and allocates it anew
 * (fs/xfs/xfs_file.c xfs_falloc_zero_range()), so that its blocks go; ext4
 * keeps them, as unwritten ones (fs/ext4/extents.c ext4_zero_range()).
 */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN, HOW };
enum { EXTEND, KEEP_SIZE };
static const char *const hows[] = { "extend", "keep-size", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	uint64_t end;

	if (gen_chance(g, 50)) {
		s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
		s->arg[LEN] = (s->arg[LEN] + PAGE - 1) / PAGE * PAGE;
	}
	end = s->arg[OFF] + s->arg[LEN];
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
	uint64_t first = (off + PAGE - 1) / PAGE * PAGE;
	uint64_t end = (off + len) / PAGE * PAGE;
	bool keep = s->arg[HOW] == KEEP_SIZE;
	struct span *sp;

	if (!f || off + len > MAX_FILE)
		return VOID;
	sp = will_write(l, f->ino, off, len);
	if (first < end && strcmp(wl->fs, "xfs") == 0)
		will_free(l, f->ino, first, end - first);
	if (fallocate(f->fd, FALLOC_FL_ZERO_RANGE |
		      (keep ? FALLOC_FL_KEEP_SIZE : 0), off, len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	model_zero(l, sp, off, len);
	if (!keep && !sp->clash && !f->ino->size_unsure &&
	    off + len > f->ino->size)
		model_size(l, sp, off + len);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "<linux/falloc.h>");
	emit_c(e, s, s->arg[HOW] == KEEP_SIZE ?
		"TRY(fallocate(fd$fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, $off, $len));" :
		"TRY(fallocate(fd$fd, FALLOC_FL_ZERO_RANGE, $off, $len));");
}

OP(
	.name = "zero",
	.help = "zero a range by fallocate, behind the end of the file too",
	.groups = "layout",
	.weight = 4,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "zeroing waits for references on pages that get other blocks, "
		"and the range reads as zeroes",
);
