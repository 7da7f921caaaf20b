// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { MAP, FD, OFF, LEN, KIND, PROT };
enum { SHARED, PRIVATE, SYNC, POPULATE };
static const char *const kinds[] = { "shared", "private", "sync", "populate",
				     NULL };
enum { RW, R };
static const char *const prots[] = { "rw", "r", NULL };

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

static const int flags[] = {
	[SHARED] = MAP_SHARED,
	[PRIVATE] = MAP_PRIVATE,
	[SYNC] = MAP_SHARED_VALIDATE | MAP_SYNC,
	[POPULATE] = MAP_SHARED | MAP_POPULATE,
};

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *f = gen_file_of_fd(g, s->arg[FD]);
	unsigned int kind = gen_below(g, 10);

	s->arg[KIND] = kind < 6 ? SHARED : kind < 8 ? PRIVATE : kind - 6;
	if (g->on == ON_DEVDAX)
		s->arg[KIND] = SHARED;
	s->arg[PROT] = gen_chance(g, 15);
	/* Two sizes of one extent: some are of 2 MiB, at an address that
	 * suits, most are of a few pages. */
	if (gen_chance(g, 25) || g->on == ON_DEVDAX) {
		s->arg[OFF] = gen_below(g, f->size / PMD + 1) * PMD;
		s->arg[LEN] = PMD << gen_chance(g, 20);
	} else {
		s->arg[OFF] = gen_off(g, f->size) / PAGE * PAGE;
		s->arg[LEN] = (1 + gen_below(g, 8)) * PAGE;
		if (gen_chance(g, 40))
			s->arg[OFF] = 0;
	}
	g->map[s->arg[MAP]] = (struct gen_map){
		.file = g->fd[s->arg[FD]], .off = s->arg[OFF],
		.len = s->arg[LEN], .private = s->arg[KIND] == PRIVATE,
		.writable = s->arg[PROT] == RW,
	};
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = fresh_map(l, s->arg[MAP]);
	struct file *f = use_fd(l, s->arg[FD]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE;
	struct map with = {
		.len = (s->arg[LEN] + PAGE - 1) / PAGE * PAGE,
		.off = off,
		.prot = s->arg[PROT] == RW ? PROT_READ | PROT_WRITE : PROT_READ,
		.private = s->arg[KIND] == PRIVATE,
		.sync = s->arg[KIND] == SYNC,
	};

	if (!m || !f || !with.len || off + with.len > MAX_FILE)
		return VOID;
	with.ino = f->ino;
	/* At the same place in its 2 MiB as it has in the file. */
	with.p = mmap(map_address(s->arg[MAP]) + off % PMD, with.len, with.prot,
		      flags[s->arg[KIND]] | MAP_FIXED, f->fd, off);
	if (with.p == MAP_FAILED)
		return errno;
	fill_map(l, m, &with);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[][2] = {
		[SHARED] = {
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ | PROT_WRITE, MAP_SHARED));",
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ, MAP_SHARED));" },
		[PRIVATE] = {
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ | PROT_WRITE, MAP_PRIVATE));",
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ, MAP_PRIVATE));" },
		[SYNC] = {
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC));",
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC));" },
		[POPULATE] = {
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE));",
			"TRY(map$map = map_aligned(fd$fd, $off, $len, PROT_READ, MAP_SHARED | MAP_POPULATE));" },
	};

	emit_uses(e, "map_aligned");
	emit_c(e, s, c[s->arg[KIND]][s->arg[PROT]]);
}

OP(
	.name = "mmap",
	.help = "map a part of a file",
	.groups = "map",
	.weight = 10,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP, .fresh = true }, { "fd", ARG_FD },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "kind", ARG_WORD, kinds }, { "prot", ARG_WORD, prots } },
	.gen = gen,
	.run = run,
	.emit = emit,
);
