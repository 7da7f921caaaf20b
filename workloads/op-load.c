// SPDX-License-Identifier: GPL-2.0-or-later
/* Fault by load. */
#include "prog.h"

#include <signal.h>

enum { MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	g->map[s->arg[MAP]].touched = true;
	return true;
}

/* What is mapped there is a private copy in part: as the model has it. */
static void check(struct lane *l, struct map *m, struct span *sp, uint64_t off,
		  size_t n)
{
	for (size_t at = 0, len; at < n; at += len) {
		size_t page = (off + at) / PAGE;

		len = (page + 1) * PAGE - (off + at);
		if (len > n - at)
			len = n - at;
		if (!m->own || !m->own[page])
			check_data(l, sp, m->off + off + at, l->buf + at, len,
				   m->own ? "a private mapping" :
					    "a shared mapping");
	}
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct span *sp;
	size_t done;
	int sig;

	if (!m || off >= m->len)
		return VOID;
	if (len > m->len - off)
		len = m->len - off;
	sp = will_read(l, m->ino, m->off + off, len);
	sig = map_copy_out(l->buf, m->p + off, len, &done);
	check(l, m, sp, off, done);
	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + done);
	return sig ? EFAULT : 0;
}

OP(
	.name = "load",
	.help = "load from a mapping, and compare",
	.groups = "map",
	.weight = 6,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "load(map$map + $off, $len);",
	.c_uses = "load",
	.must = "a mapping has what read(2) gives",
);
