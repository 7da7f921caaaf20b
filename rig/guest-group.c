// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filesystem that cases share: made for the first of a group, left mounted
 * or only put away between them, checked when one of them makes that necessary
 * or the group is over.
 */
#include "guest.h"

#include <string.h>

static bool is_devdax(const struct rig_case *c)
{
	return strcmp(c->fs, "devdax") == 0;
}

bool boot_group_has_room(const struct boot *b, const struct rig_case *c)
{
	return b->group_age < (c->program ? PROGRAMS_PER_FS : CASES_PER_FS);
}

bool boot_joins_group(const struct boot *b, const struct rig_case *c)
{
	return b->group_fs && b->group_ns == c->ns && !c->owns_fs &&
	       !c->alone && strcmp(b->group_fs, c->fs) == 0 &&
	       boot_group_has_room(b, c);
}

int boot_group_enter(struct boot *b, char **why)
{
	struct rig_case *c = b->now;
	int err = 0;

	if (is_devdax(c))
		return 0;
	if (!boot_joins_group(b, c)) {
		boot_group_end(b);
		b->group_age = 0;
		err = boot_make_fs(b, c, why);
		if (!err)
			b->group_fs = xstrdup(c->fs);
		b->group_ns = c->ns;
	} else if (b->group_away) {
		err = boot_mount_fs(b, c, why);
	}
	if (err)
		return err;
	b->group_away = false;
	b->group_age++;
	strv_push(&b->group, c->name);
	return 0;
}

void boot_group_end(struct boot *b)
{
	strv_free(&b->group);
	free(take_ptr(b->group_fs));
	b->group_away = false;
}

/* Each case that ran on the corrupt filesystem once more, on its own. */
static void suspect_group(struct boot *b, const char *output)
{
	_free_ char *title = xstrfmt("%s is corrupt", b->now->fs);
	_free_ char *key = xstrfmt("fsck %s", b->now->fs);
	size_t now = b->now - b->r->cases.v;
	_buf_ struct buf text = {};

	if (b->group.n > 1) {
		buf_addf(&text, "one of these %zu cases left it so; each runs "
			 "again on its own:\n", b->group.n);
		for (size_t i = 0; i < b->group.n; i++) {
			buf_addf(&text, "  %s\n", b->group.v[i]);
			cases_again(&b->r->cases, b->group.v[i]);
		}
		/* Growing the list may have moved it. */
		b->now = &b->r->cases.v[now];
	} else if (b->now->program && b->now->again) {
		/* It is known now which of its group did it. */
		cases_not_again(&b->r->cases, now + 1, b->now->fs);
	}
	buf_addf(&text, "%s", output ? output : "");
	boot_observe(b, "fsck", title, key, text.data);
	b->now->status = CASE_FAIL;
	b->step_failed = true;
}

static int unmount(struct boot *b)
{
	int err = boot_step(b, boot_fs_request(b, "umount", b->now),
			    STEP_LIMIT, "umount", NULL);

	if (err)
		return err;
	b->group_away = true;
	return boot_census_idle(b, "after unmount", true);
}

int boot_group_away(struct boot *b, bool check)
{
	struct json_object *reply = NULL;
	int err;

	if (is_devdax(b->now) || !b->group_fs)
		return 0;
	err = b->group_away ? 0 : unmount(b);
	if (err || !check || !b->group.n)
		return err;
	if (!b->now->unchecked)
		err = boot_step(b, boot_fs_request(b, "check", b->now),
				STEP_LIMIT * 2, "check", &reply);
	if (!err && reply && !guest_is_true(reply, "clean"))
		suspect_group(b, guest_get(reply, "output"));
	json_object_put(reply);
	/* None of them is suspect any more. */
	strv_free(&b->group);
	return err;
}
