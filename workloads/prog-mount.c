// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog-mount.h"
#include "emit-internal.h"
#include "prog-internal.h"

#include <sys/mount.h>

/* Nothing else has it: with the last descriptor or mapping it goes. */
static void will_end(struct lane *l, struct ino *ino)
{
	if (wl->mnt && !ino->names)
		will_free(l, ino, 0, MAX_FILE);
}

static void close_all(struct lane *l)
{
	bool seen[64] = {};

	for (int i = 0; i < NR_SLOTS; i++) {
		struct ino *of[] = { ex->files[i].ino, ex->maps[i].ino };

		for (int k = 0; k < 2; k++) {
			if (!of[k] || seen[of[k]->id])
				continue;
			seen[of[k]->id] = true;
			will_end(l, of[k]);
		}
	}
	empty_all(l);
}

int fs_away(struct lane *l)
{
	int tries = 0;

	obstacles_undo();
	/* Grace periods and the log make it sleep in any case. */
	l->settle = 1;
	close_all(l);
	if (!wl->mnt)
		return 0;
	if (chdir("/") < 0)
		return errno;
	/* What others put late may keep it busy for a moment. */
	while (umount2(wl->mnt, 0) < 0) {
		int err = errno;

		if (err == EBUSY && tries++ < 20 && usleep(10000) == 0)
			continue;
		if (chdir(wl->dir) < 0)
			return errno;
		return err;
	}
	return 0;
}

static void tell(struct lane *l, const char *why)
{
	char key[80], title[160], text[600];

	snprintf(key, sizeof(key), "%s mount", wl->fs);
	snprintf(title, sizeof(title), "%s that was unmounted cannot be mounted again",
		 wl->fs);
	snprintf(text, sizeof(text), "%s: %s\n", title, why);
	finding("data", key, title, text, NULL);
}

int fs_back(struct lane *l, bool may_fail)
{
	const char *why;
	int err;

	if (!wl->mnt)
		return 0;
	why = fs_mount_again();
	err = errno;
	/* The folder is there when it is mounted, whatever else was wrong. */
	if (chdir(wl->dir) == 0)
		return 0;
	if (why)
		INFO("%s", why);
	if (!may_fail && err != ENOMEM && err != EBUSY && err != EINTR)
		tell(l, why ? why : "its files are gone");
	/* Where no file can be made instead. */
	if (chdir("/proc/self") < 0)
		return errno;
	return EIO;
}

/* In doubt as soon as several threads may have filled it. */
static bool in_doubt(const struct emit *e, const struct emit_slot *slot)
{
	return e->nr_lanes > 1 && slot->fills;
}

void emit_away(struct emit *e)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		struct emit_slot *m = &e->slots[ARG_MAP][i];

		if (in_doubt(e, m))
			emit_line(e, "if (map%d && map%d != MAP_FAILED)", i, i);
		if (in_doubt(e, m) || m->filled)
			emit_line(e, "%sTRY(munmap(map%d, %#llx));",
				  in_doubt(e, m) ? "\t" : "", i,
				  (unsigned long long)m->map.len);
		if (in_doubt(e, m))
			emit_line(e, "map%d = NULL;", i);
		m->filled = false;
	}
	for (int i = 0; i < NR_SLOTS; i++) {
		struct emit_slot *f = &e->slots[ARG_FD][i];

		if (in_doubt(e, f))
			emit_line(e, "if (fd%d >= 0)", i);
		if (in_doubt(e, f) || f->filled)
			emit_line(e, "%sTRY(close(fd%d));",
				  in_doubt(e, f) ? "\t" : "", i);
		if (in_doubt(e, f))
			emit_line(e, "fd%d = -1;", i);
		f->filled = false;
	}
}

void emit_let_go(struct emit *e)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		struct emit_slot *r = &e->slots[ARG_REF][i];

		if (in_doubt(e, r) || r->filled) {
			emit_uses(e, "drop");
			emit_line(e, "drop(&ref[%d]);", i);
		}
		r->filled = false;
	}
}
