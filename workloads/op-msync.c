// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/dax.c dax_writeback_mapping_range(): flushes what is dirty, and makes
 * mappings of it read-only, so that the next store faults again. */
#include "prog.h"

enum { MAP, OFF, LEN, HOW };
static const char *const hows[] = { "sync", "async", "invalidate", NULL };
static const int flags[] = { MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE };

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (msync(m->p + off, len, flags[s->arg[HOW]]) == 0)
		return 0;
	if (wl->mnt)
		check_error(l, m->ino, errno);
	return errno;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		"TRY(msync(map$map + $off, $len, MS_SYNC));",
		"TRY(msync(map$map + $off, $len, MS_ASYNC));",
		"TRY(msync(map$map + $off, $len, MS_SYNC | MS_INVALIDATE));",
	};

	emit_uses(e, "TRY");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "msync",
	.help = "flush what was stored to a mapping",
	.groups = "map mm",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
);
