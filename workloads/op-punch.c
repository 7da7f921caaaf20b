// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/xfs/xfs_bmap_util.c xfs_free_file_space(), fs/ext4/inode.c
 * ext4_punch_hole(): whole blocks go, what is left of others is zeroed. */
#include "prog.h"

#include <linux/falloc.h>

enum { FD, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	if (gen_chance(g, 60)) {
		s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
		s->arg[LEN] = (s->arg[LEN] + PAGE - 1) / PAGE * PAGE;
	}
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	uint64_t first = (off + PAGE - 1) / PAGE * PAGE;
	uint64_t end = (off + len) / PAGE * PAGE;
	struct span *sp;

	if (!f || off + len > MAX_FILE)
		return VOID;
	sp = will_write(l, f->ino, off, len);
	if (first < end)
		will_free(l, f->ino, first, end - first);
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
		      len) < 0) {
		check_error(l, f->ino, errno);
		return errno;
	}
	model_zero(l, sp, off, len);
	return 0;
}

OP(
	.name = "punch",
	.help = "punch a hole",
	.groups = "layout",
	.weight = 6,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "TRY(fallocate(fd$fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, $off, $len));",
	.c_uses = "<linux/falloc.h>",
	.must = "a punch waits for references on the pages whose blocks it "
		"frees, and the range reads as zeroes",
);
