// SPDX-License-Identifier: GPL-2.0-or-later
/* mm/madvise.c madvise_remove(): a hole in the file, by one of its mappings,
 * with the mmap lock dropped. */
#include "prog.h"

enum { MAP, OFF, LEN };

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];
	struct span *sp;
	int err;

	if (!m || m->private || !map_cut(m, off, &len))
		return VOID;
	len = (len + PAGE - 1) / PAGE * PAGE;
	sp = will_write(l, m->ino, m->off + off, len);
	will_free(l, m->ino, m->off + off, len);
	if (madvise(m->p + off, len, MADV_REMOVE) == 0) {
		model_zero(l, sp, m->off + off, len);
		return 0;
	}
	err = errno;
	check_error(l, m->ino, err);
	/* Of several VMAs the first ones may have been done. */
	if (err == EACCES)
		model_nothing(sp);
	else
		model_unsure(l, sp, m->off + off, len);
	return err;
}

OP(
	.name = "madvise-remove",
	.help = "MADV_REMOVE: punch a hole by a mapping",
	.groups = "mm layout",
	.weight = 4,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.run = run,
	.c = "TRY(madvise(map$map + $off, $len, MADV_REMOVE));",
	.must = "it waits for references on the pages whose blocks it frees, "
		"and what it leaves is zeroes",
);
