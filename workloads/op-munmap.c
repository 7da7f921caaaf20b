// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { MAP };

static bool gen(struct gen *g, struct step *s)
{
	g->map[s->arg[MAP]].file = -1;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);

	if (!m)
		return VOID;
	if (wl->mnt && !m->ino->names && ino_ends(l, m->ino))
		will_free(l, m->ino, 0, MAX_FILE);
	if (munmap(m->p, m->len) < 0)
		return errno;
	empty_map(l, m);
	return 0;
}

OP(
	.name = "munmap",
	.help = "unmap a mapping, whoever uses it",
	.groups = "map",
	.weight = 5,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP } },
	.gen = gen,
	.run = run,
	.c = "TRY(munmap(map$map, $map.len));",
	.c_uses = "-map +waits",
	.must = "the zap drops its own count of each page, and no more",
);
