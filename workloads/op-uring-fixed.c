// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers that io_uring pins for as long as a ring is there (FOLL_LONGTERM). Of
 * a file it must not: a truncate could wait for ever (mm/gup.c
 * check_vma_flags(), and the fast path, which is to leave such pages to the
 * slow one). On device-dax, where nothing can be truncated, they are used.
 */
#include "emit-internal.h"
#include "guest/agent.h"
#include "prog-io.h"

enum { REF, MAP, OFF, LEN, HOW, WAY };
static const char *const hows[] = { "buffers", "update", "ring", NULL };
enum { WRITE, READ };
static const char *const ways[] = { "write", "read", NULL };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
	s->arg[LEN] = (1 + gen_below(g, 3)) * PAGE;
	if (g->on == ON_DEVDAX)
		g->ref[s->arg[REF]] = g->map[s->arg[MAP]].file;
	return true;
}

static void tell(struct lane *l, const struct step *s)
{
	struct json_object *d = json_object_new_object();
	char key[120], title[200], line[400], text[800];

	snprintf(key, sizeof(key), "%s longterm pin allowed", wl->fs);
	snprintf(title, sizeof(title), "io_uring pins pages of an %s file for long (%s)",
		 wl->fs, hows[s->arg[HOW]]);
	snprintf(text, sizeof(text), "%s\nstep %u: %s\n", title, s->nr,
		 step_print(s, line, sizeof(line)));
	put_str(d, "what", "longterm");
	put_num(d, "step", s->nr);
	finding("waiting", key, title, text, d);
}

/* Of a file: it is let go again at once, should it succeed. */
static int refused(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];
	struct hold *h;
	int err;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (len > 15 * PAGE)
		len = 15 * PAGE;
	h = fresh_ref(l, s->arg[REF], "uring-fixed", m, off, len);
	if (!h)
		return VOID;
	err = uring_try_longterm(s->arg[HOW], m->p + off, len);
	ref_pages(h);
	/* Pages of a private mapping's own may be pinned. */
	if (!err && !m->private && h->nr_dev && !h->detached)
		tell(l, s);
	ref_none(l, h);
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	return wl->mnt ? refused(l, s) :
			 io_run(l, s, &io_uring_fixed, s->arg[WAY] == READ);
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		"longterm(map$map + $off, $len, \"$how\");",
		"hold_fixed(&ref[$ref], map$map + $off, $len, 0);",
		"hold_fixed(&ref[$ref], map$map + $off, $len, '$letter');",
	};
	int which = strcmp(e->p->fs, "devdax") != 0 ? 0 : s->arg[WAY] == READ ? 2 : 1;

	emit_uses(e, which ? "hold_fixed" : "longterm");
	emit_c(e, s, c[which]);
}

OP(
	.name = "uring-fixed",
	.help = "fixed buffers of io_uring in a mapping: refused on a filesystem",
	.groups = "pin",
	.weight = 2,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = { { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "how", ARG_WORD, hows }, { "way", ARG_WORD, ways } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "io_uring must not register memory that a file is mapped to: "
		"EOPNOTSUPP",
);
