// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/mlock.c: all pages are faulted in, those of a private mapping that may be
 * written to as copies (mm/gup.c populate_vma_page_range()). Whether the VMA
 * becomes VM_LOCKED differs (mlock_fixup()). A part is unlocked in the same
 * step, so that one mapping stays one VMA.
 */
#include "prog.h"

enum { MAP, OFF, LEN, HOW };
enum { LOCK, ONFAULT, PART, UNLOCK };
static const char *const hows[] = { "lock", "onfault", "part", "unlock", NULL };

static int lock(struct lane *l, struct map *m, uint64_t off, uint64_t len,
		unsigned int flags)
{
	struct span *sp = map_will_copy(l, m, off, len);
	int err;

	m->locked = true;
	err = mlock2(m->p + off, len, flags) < 0 ? errno : 0;
	if (m->own && m->prot & PROT_WRITE)
		map_unknown(l, sp, off, len);
	return err;
}

static int unlock(struct map *m)
{
	if (munlock(m->p, m->len) < 0)
		return errno;
	m->locked = false;
	return 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = change_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / PAGE * PAGE, len = s->arg[LEN];
	int err;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	switch (s->arg[HOW]) {
	case LOCK:
		return lock(l, m, 0, m->len, 0);
	case ONFAULT:
		return lock(l, m, 0, m->len, MLOCK_ONFAULT);
	case PART:
		err = lock(l, m, off, len, 0);
		return unlock(m) ?: err;
	default:
		return unlock(m);
	}
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[LOCK] = "TRY(mlock(map$map, $map.len));",
		[ONFAULT] = "TRY(mlock2(map$map, $map.len, MLOCK_ONFAULT));",
		[PART] = "TRY(mlock(map$map + $off, $len));\n"
			 "TRY(munlock(map$map, $map.len));",
		[UNLOCK] = "TRY(munlock(map$map, $map.len));",
	};

	emit_uses(e, "TRY");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "mlock",
	.help = "mlock(2) and munlock(2) of a mapping, or of a part for a moment",
	.groups = "map mm",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 },
		  { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
	.must = "pages of a device are on no list, and no lock puts them on one",
);
