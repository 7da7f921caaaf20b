// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One case, on a filesystem that is made for it or shared with the clean ones
 * before it, and what has to be made anew after it: nothing, the namespace,
 * or the whole VM.
 */
#include "guest.h"
#include "guest/wire.h"
#include "scan.h"

#include <errno.h>
#include <string.h>

/* Cases that share one filesystem at the most: each of them is suspect when
 * the check at the end finds it corrupt. */
#define MAX_GROUP 16

/* In seconds on the reference guest: what waits for a page that is known to be
 * leaked will wait for ever. */
#define LEAK_LIMIT 5.0

/* --- filesystems ---------------------------------------------------------- */

static bool is_devdax(const struct rig_case *c)
{
	return strcmp(c->fs, "devdax") == 0;
}

/* Whether @c may run on the filesystem that is mounted now. */
static bool joins_group(const struct boot *b, const struct rig_case *c)
{
	return b->group_fs && b->group_ns == c->ns && !c->owns_fs &&
	       !c->alone && strcmp(b->group_fs, c->fs) == 0 &&
	       b->group.n < MAX_GROUP;
}

/* Filesystem made and mounted for the case. 0, 1: BROKEN, -errno. */
static int before_case(struct boot *b, char **why)
{
	int err;

	if (is_devdax(b->now) || joins_group(b, b->now))
		return 0;
	err = boot_make_fs(b, b->now, why);
	if (!err) {
		b->group_fs = xstrdup(b->now->fs);
		b->group_ns = b->now->ns;
	}
	return err;
}

static void end_group(struct boot *b)
{
	strv_free(&b->group);
	free(b->group_fs);
	b->group_fs = NULL;
}

/* Each case that ran on the corrupt filesystem once more, on its own. */
static void suspect_group(struct boot *b, const char *output)
{
	_free_ char *title = xstrfmt("%s is corrupt", b->now->fs);
	_free_ char *key = xstrfmt("fsck %s", b->now->fs);
	_buf_ struct buf text = {};

	if (b->group.n > 1) {
		buf_addf(&text, "one of these %zu cases left it so; each runs "
			 "again on its own:\n", b->group.n);
		for (size_t i = 0; i < b->group.n; i++) {
			buf_addf(&text, "  %s\n", b->group.v[i]);
			cases_again(&b->r->cases, b->group.v[i]);
		}
		/* Growing the list may have moved it. */
		b->now = &b->r->cases.v[b->r->next];
	}
	buf_addf(&text, "%s", output ? output : "");
	boot_observe(b, "fsck", title, key, text.data);
	b->now->status = CASE_FAIL;
}

/* Unmounted and checked. 0, 1: reported, and the VM is spent; -errno. */
static int after_case(struct boot *b)
{
	struct json_object *reply = NULL;
	int err;

	if (is_devdax(b->now) || !b->group_fs)
		return 0;
	err = boot_step(b, boot_fs_request(b, "umount", b->now), STEP_LIMIT,
			"umount", NULL);
	if (err)
		return err;
	err = boot_census_idle(b, "after unmount", true);
	if (err)
		return err;
	err = boot_step(b, boot_fs_request(b, "check", b->now), STEP_LIMIT * 2,
			"check", &reply);
	if (!err && !guest_is_true(reply, "clean"))
		suspect_group(b, guest_get(reply, "output"));
	json_object_put(reply);
	end_group(b);
	return err;
}

/* --- a case --------------------------------------------------------------- */

static bool is_good(enum case_status st)
{
	return st == CASE_PASS || st == CASE_SKIP;
}

/*
 * What the console said since byte @from, which it has said up to a mark of
 * ours: how many reports, and whether the VM is spent by one.
 */
static size_t reports_until(struct boot *b, const char *what, size_t from,
			    bool *fatal)
{
	_free_ char *text = xstrfmt("rig: %s %s", what, b->now->name);
	_kreports_ struct kreports rep = {};

	boot_mark(b, what, b->now->name);
	vm_wait_console(&b->vm, text, from, boot_scaled(b, 5));
	scan_console(b->vm.console.data + from, b->vm.console.len - from, 0,
		     &rep);
	for (size_t i = 0; i < rep.n; i++)
		*fatal |= rep.v[i].fatal;
	return rep.n;
}

static enum case_status status_of(struct json_object *reply)
{
	const char *st = guest_get(reply, "status");

	for (int i = 0; st && i < NR_CASE_STATUS; i++)
		if (strcmp(st, case_status_names[i]) == 0)
			return i;
	return CASE_BROKEN;
}

static struct json_object *run_request(struct boot *b)
{
	struct rig_case *c = b->now;
	struct json_object *o = guest_msg("cmd", "run");
	_free_ char *mnt = xstrfmt("%s/%d", GUEST_MNT, c->ns);

	guest_put(o, "case", c->name);
	guest_put(o, "workload", c->workload);
	guest_put(o, "variant", c->variant);
	guest_put(o, "fs", c->fs);
	guest_put(o, "size", c->size);
	if (!is_devdax(c))
		guest_put(o, "mnt", mnt);
	guest_put(o, "dev", guest_get(boot_ns(b, c->ns), "dev"));
	guest_put(o, "ns", guest_get(boot_ns(b, c->ns), "name"));
	json_object_object_add(o, "scale",
			       json_object_new_double(boot_scaled(b, 1)));
	guest_put_int(o, "seed", b->r->next + 1);
	json_object_object_add(o, "census",
			       json_object_new_boolean(b->census != NULL));
	return o;
}

/* The pages as the case left them, its files still there. */
static int census_before(struct boot *b)
{
	/* It may have made the namespace anew. */
	int err = b->now->owns_fs ? boot_census_back(b, b->now->ns) : 0;

	if (!err)
		err = boot_census_owners(b);
	return err ? err : boot_census_idle(b, "after the case", false);
}

/* The run request and what came of it. 0 or -errno as boot_ask(). */
static int run_case(struct boot *b, enum case_status *st, bool *spent)
{
	struct json_object *reply = NULL, *v;
	_free_ char *why = NULL;
	int err = before_case(b, &why);

	*st = CASE_BROKEN;
	if (!err) {
		if (!is_devdax(b->now))
			strv_push(&b->group, b->now->name);
		err = boot_ask(b, run_request(b), b->now->runtime * 4 + 20,
			       &why, &reply);
	}
	if (err > 0 && !b->first_fail)
		b->first_fail = take_ptr(why);
	if (!err) {
		*st = status_of(reply);
		*spent = json_object_object_get_ex(reply, "stuck", &v);
		if (*st == CASE_HANG)
			boot_case_hangs(b, reply);
		if (*st == CASE_CRASH && !b->first_fail)
			b->first_fail = xstrdup("its process was killed");
	}
	json_object_put(reply);
	if (err < 0)
		return err;
	if (b->now->calibrates)
		boot_census_calibrated(b, *st);
	if (*spent)
		return 0;
	err = census_before(b);
	if (err || is_devdax(b->now))
		return err;
	/* Unlink and the last close may wait for what the case left, and not
	 * come back. */
	err = boot_step(b, boot_fs_request(b, "clean", b->now),
			b->census_found ? LEAK_LIMIT : STEP_LIMIT,
			"removing the case's files", NULL);
	*spent = err > 0;
	if (err)
		return err < 0 ? err : 0;
	boot_census_cleaned(b);
	return boot_census_idle(b, "after its files were removed", true);
}

static void case_done(struct boot *b, enum case_status st, double seconds)
{
	struct rig_case *c = b->now;
	struct json_object *o = guest_msg("ev", "case");

	c->status = st;
	c->seconds = seconds;
	c->boot = b->r->boots - 1;
	c->text = take_ptr(b->first_fail);
	guest_put(o, "case", c->name);
	if (c->calibrates)
		json_object_object_add(o, "calibrates",
				       json_object_new_boolean(true));
	guest_put(o, "workload", c->workload);
	guest_put(o, "fs", c->fs);
	guest_put(o, "size", c->size);
	guest_put(o, "status", case_status_names[st]);
	guest_put_int(o, "boot", c->boot);
	json_object_object_add(o, "seconds", json_object_new_double(seconds));
	guest_put(o, "text", c->text);
	run_log(b->r, o);
	b->r->next++;
}

int boot_one_case(struct boot *b)
{
	const struct cases *all = &b->r->cases;
	enum case_status st;
	size_t from = b->vm.console.len, nr = 0;
	bool fatal = false, spent = false, clean;
	double start = now();
	int err, ret;

	b->step_failed = false;
	boot_census_begin(b);
	boot_mark(b, "begin", b->now->name);
	err = run_case(b, &st, &spent);
	if (!err && !spent) {
		nr = reports_until(b, "ran", from, &fatal);
		clean = !nr && !b->census_found && !b->now->owns_fs && !b->now->alone &&
			is_good(st);
		b->now->status = st;
		/* The next one goes on here, if all is well and it may. */
		if (clean && b->r->next + 1 < all->n &&
		    joins_group(b, &all->v[b->r->next + 1])) {
			boot_mark(b, "end", b->now->name);
			case_done(b, st, now() - start);
			return 0;
		}
		ret = fatal ? 0 : after_case(b);
		if (ret > 0)
			spent = true;
		if (ret < 0)
			err = ret;
		if (b->now->status == CASE_FAIL)
			st = CASE_FAIL;
	}
	if ((b->step_failed || b->census_found) && is_good(st))
		st = CASE_FAIL;
	if (!err)
		nr = reports_until(b, "end", from, &fatal);
	if (err < 0) {
		/* There will be no other: it is known now that nothing is. */
		if (b->now->calibrates)
			boot_census_calibrated(b, CASE_HANG);
		ret = boot_lost(b, err, "a case ran");
		if (ret)
			return ret;
		case_done(b, err == -EPIPE ? CASE_PANIC :
			     err == -EFBIG ? CASE_FAIL : CASE_HANG,
			  now() - start);
		return 1;
	}
	clean = !nr && !b->now->owns_fs && is_good(st);
	case_done(b, st, now() - start);
	if (spent || fatal)
		return 1;
	if (clean)
		return 0;
	ret = boot_renew_namespace(b, b->r->cases.v[b->r->next - 1].ns);
	return ret < 0 ? (boot_lost(b, ret, "the namespace was renewed") ?: 1) :
			 ret;
}
