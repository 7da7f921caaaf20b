// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fault every page of a range, one byte each: by a load, or by a store of the
 * byte that is there. That is an atomic one, so that it takes back nothing of
 * what another thread stores.
 */
#include "emit.h"

#include <signal.h>

enum { MAP, OFF, LEN, HOW };
enum { LOAD, STORE };
static const char *const hows[] = { "load", "store", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];

	if (s->arg[HOW] == STORE && !m->writable)
		return false;
	if (gen_chance(g, 30)) {
		s->arg[OFF] = 0;
		s->arg[LEN] = m->len;
	}
	m->touched = true;
	return true;
}

static int touch_load(struct lane *l, struct map *m, uint64_t off, uint64_t len)
{
	struct span *sp = map_will_load(l, m, off, len);
	size_t done;
	int sig = map_copy_out(NULL, m->p + off, len, &done);

	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + done);
	return sig ? EFAULT : 0;
}

static int touch_store(struct lane *l, struct map *m, uint64_t off,
		       uint64_t len)
{
	struct span *sp = map_will_store(l, m, off, len);
	size_t done;
	int sig = map_copy_in(m->p + off, NULL, len, &done);

	map_faulted(l, sp, off, done, true);
	if (sig)
		map_faulted(l, sp, off + done, 1, false);
	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + done);
	return sig ? EFAULT : 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (s->arg[HOW] == LOAD)
		return touch_load(l, m, off, len);
	return m->prot & PROT_WRITE ? touch_store(l, m, off, len) : VOID;
}

C_HELPER(
	touch_write,
	.name = "touch_write",
	.uses = "SURVIVE",
	.text = "static void store_each(char *p, size_t len)\n"
		"{\n"
		"\tfor (size_t i = 0; i < len; i += 4096 - (unsigned long)(p + i) % 4096)\n"
		"\t\t__atomic_fetch_or(p + i, 0, __ATOMIC_RELAXED);\n"
		"}\n"
		"\n"
		"/* A store to each page of the byte that is there. */\n"
		"static void touch_write(char *p, size_t len)\n"
		"{\n"
		"\tSURVIVE(store_each(p, len));\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	bool load = s->arg[HOW] == LOAD;

	emit_uses(e, load ? "touch" : "touch_write");
	emit_c(e, s, load ? "touch(map$map + $off, $len);" :
			    "touch_write(map$map + $off, $len);");
}

OP(
	.name = "touch",
	.help = "fault the pages of a range by loads, or by stores of what is there",
	.groups = "map mm",
	.weight = 5,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "faults change no data",
);
