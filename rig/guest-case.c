// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One case, on a filesystem that is made for it or shared with the clean ones
 * before it, and what has to be made anew after it: nothing, the namespace,
 * or the whole VM.
 */
#include "guest-census.h"
#include "guest/wire.h"
#include "program.h"

#include <errno.h>
#include <string.h>

/* In seconds on the reference guest: what waits for a page that is known to be
 * leaked will wait for ever. */
#define LEAK_LIMIT 5.0

/* Programs that raise a finding and leave filesystem and pages whole, until the
 * next one that raises it is taken for as harmless. */
#define HARMLESS 3

/* --- filesystems ---------------------------------------------------------- */

static bool is_devdax(const struct rig_case *c)
{
	return strcmp(c->fs, "devdax") == 0;
}

/* Whether the filesystem has not had all the cases yet that it is for. */
static bool has_room(const struct boot *b, const struct rig_case *c)
{
	return b->group_age < (c->program ? PROGRAMS_PER_FS : CASES_PER_FS);
}

bool boot_joins_group(const struct boot *b, const struct rig_case *c)
{
	return b->group_fs && b->group_ns == c->ns && !c->owns_fs &&
	       !c->alone && strcmp(b->group_fs, c->fs) == 0 &&
	       has_room(b, c);
}

/* Filesystem made and mounted for the case. 0, 1: BROKEN, -errno. */
static int before_case(struct boot *b, char **why)
{
	_free_ char *whole = take_ptr(b->whole_fs);
	struct rig_case *c = b->now;
	int err;

	if (is_devdax(c) || boot_joins_group(b, c))
		return 0;
	if (whole && strcmp(whole, c->fs) == 0 && b->group_ns == c->ns &&
	    !c->owns_fs && !c->alone && has_room(b, c)) {
		err = boot_mount_fs(b, c, why);
	} else {
		b->group_age = 0;
		err = boot_make_fs(b, c, why);
	}
	if (!err) {
		b->group_fs = xstrdup(c->fs);
		b->group_ns = c->ns;
	}
	return err;
}

static void end_group(struct boot *b)
{
	strv_free(&b->group);
	free(take_ptr(b->group_fs));
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
	if (b->now->unchecked) {
		end_group(b);
		return 0;
	}
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

/* What the console tells of a case. */
struct heard {
	size_t from;		/* byte at which it begins */
	size_t upto;		/* reports before this one are in r->last */
	size_t reports;
	bool fatal;		/* one of them, the VM is spent */
};

/* Whatever was said until now. */
static void listen(struct boot *b, struct heard *h)
{
	_kreports_ struct kreports rep = {};

	scan_console(b->vm.console.data + h->from, b->vm.console.len - h->from,
		     h->upto - h->from, &rep);
	h->upto = b->vm.console.len;
	h->reports += rep.n;
	for (size_t i = 0; i < rep.n; i++)
		h->fatal |= rep.v[i].fatal;
	oracle_console(&rep, b->r->boots - 1,
		       b->nmi < 0 ? -1 : b->nmi - (int64_t)h->from,
		       &b->r->last);
}

/* The console has said all there is, up to a mark of ours. */
static void listen_until(struct boot *b, const char *what, struct heard *h)
{
	_free_ char *text = xstrfmt("rig: %s %s", what, b->now->name);

	boot_mark(b, what, b->now->name);
	vm_wait_console(&b->vm, text, h->from, boot_scaled(b, 5));
	listen(b, h);
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
	guest_put(o, "program", c->program);
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
		if (!is_devdax(b->now)) {
			strv_push(&b->group, b->now->name);
			b->group_age++;
		}
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

/* --- what is known ---------------------------------------------------------- */

static struct known *find_known(const struct run *r, const char *fingerprint)
{
	for (size_t i = 0; i < r->nr_known; i++)
		if (strcmp(r->known[i].fingerprint, fingerprint) == 0)
			return &r->known[i];
	return NULL;
}

/* What the case has raised was seen. @harmless: and did nothing beyond it. */
static void note_known(struct run *r, bool harmless)
{
	for (size_t i = 0; i < r->last.n; i++) {
		const struct finding *f = &r->last.v[i];
		struct known *k = find_known(r, f->fingerprint);

		if (!k) {
			r->known = xrealloc(r->known, (r->nr_known + 1) *
							      sizeof(*k));
			k = &r->known[r->nr_known++];
			*k = (struct known){};
			strcpy(k->fingerprint, f->fingerprint);
		}
		k->harmless += harmless;
	}
}

/* Whether all that the case has raised was, often enough, harmless. */
static bool is_harmless(const struct run *r)
{
	for (size_t i = 0; i < r->last.n; i++) {
		const struct known *k = find_known(r,
						   r->last.v[i].fingerprint);

		if (!k || k->harmless < HARMLESS)
			return false;
	}
	return true;
}

/* @harmless: what it has raised did no more to filesystem and pages. */
static void case_done(struct boot *b, enum case_status st, double seconds,
		      bool harmless)
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
	note_known(b->r, harmless);
	if (b->r->o->source && b->r->o->source->done)
		b->r->o->source->done(b->r, c, b->r->o->source->arg);
}

/* Whether nothing was seen that speaks against the next case using the
 * filesystem that is mounted. */
static bool leaves_fs(const struct boot *b, const struct heard *h,
		      enum case_status st)
{
	const struct rig_case *c = b->now;

	if (b->census_found || b->step_failed || c->owns_fs || c->alone ||
	    is_devdax(c))
		return false;
	if (is_good(st) && !h->reports && !b->r->last.n)
		return true;
	/* Where most programs find the same again, it is not looked for each
	 * time what that may have done to the filesystem: its next check shows
	 * it, and then each of them runs alone. */
	return c->program && (is_good(st) || st == CASE_FAIL) &&
	       is_harmless(b->r);
}

/* Whether the next case, or one that is yet to be made, may join the group. */
static bool group_goes_on(const struct boot *b)
{
	const struct run *r = b->r;

	if (r->until && now() >= r->until)
		return false;
	if (r->next + 1 < r->cases.n)
		return boot_joins_group(b, &r->cases.v[r->next + 1]);
	return r->o->source && has_room(b, b->now);
}

/* Whether a program that found something has left its filesystem, unmounted
 * and checked, and all struct pages as if it had not: there is nothing that has
 * to be made anew. */
static bool left_whole(const struct boot *b, enum case_status st)
{
	return b->now->program && !b->now->owns_fs &&
	       (!b->now->alone || b->now->unchecked) &&
	       (is_good(st) || st == CASE_FAIL) && !b->census_found &&
	       !b->step_failed && boot_can_see(b, b->now->ns);
}

/* The VM was lost in the case. As boot_one_case(). */
static int case_lost(struct boot *b, int err, struct heard *h, double start)
{
	int ret;

	/* There will be no other: it is known now that nothing is. */
	if (b->now->calibrates)
		boot_census_calibrated(b, CASE_HANG);
	ret = boot_lost(b, err, "a case ran");
	if (ret)
		return ret;
	listen(b, h);
	case_done(b, err == -EPIPE ? CASE_PANIC :
		     err == -EFBIG ? CASE_FAIL : CASE_HANG,
		  now() - start, false);
	return 1;
}

int boot_one_case(struct boot *b)
{
	struct heard h;
	enum case_status st;
	bool spent = false, whole = false, clean;
	double start = now();
	char *fs;
	int err, ret, ns = b->now->ns;

	err = b->now->program ? program_save(b->r->dir, b->now) : 0;
	if (err)
		return error("%s/programs: cannot write %s: %s", b->r->dir,
			     b->now->variant, strerror(-err)), EXIT_RIG_FAILED;
	h = (struct heard){ .from = b->vm.console.len,
			    .upto = b->vm.console.len };
	findings_free(&b->r->last);
	b->oracle = (struct oracle_boot){ .nr = b->r->boots - 1 };
	b->step_failed = false;
	boot_census_begin(b);
	boot_mark(b, "begin", b->now->name);
	err = run_case(b, &st, &spent);
	if (!err && !spent) {
		listen_until(b, "ran", &h);
		b->now->status = st;
		if (!h.fatal && leaves_fs(b, &h, st) && group_goes_on(b)) {
			boot_mark(b, "end", b->now->name);
			case_done(b, st, now() - start, false);
			return 0;
		}
		fs = b->group_fs ? xstrdup(b->group_fs) : NULL;
		ret = h.fatal ? 0 : after_case(b);
		if (ret > 0)
			spent = true;
		if (ret < 0)
			err = ret;
		if (b->now->status == CASE_FAIL)
			st = CASE_FAIL;
		whole = !ret && !h.fatal && left_whole(b, st);
		if (whole)
			b->whole_fs = take_ptr(fs);
		free(fs);
	}
	if ((b->step_failed || b->census_found) && is_good(st))
		st = CASE_FAIL;
	if (!err)
		listen_until(b, "end", &h);
	if (err < 0)
		return case_lost(b, err, &h, start);
	clean = !h.reports && !b->now->owns_fs && is_good(st);
	case_done(b, st, now() - start, whole);
	if (spent || h.fatal)
		return 1;
	if (clean || whole)
		return 0;
	ret = boot_renew_namespace(b, ns);
	return ret < 0 ? (boot_lost(b, ret, "the namespace was renewed") ?: 1) :
			 ret;
}

int boot_leave_group(struct boot *b)
{
	struct heard h = { .from = b->vm.console.len,
			   .upto = b->vm.console.len };
	int err, ns;

	b->now = &b->r->cases.v[b->r->next - 1];
	ns = b->now->ns;
	findings_free(&b->r->last);
	b->step_failed = false;
	boot_census_begin(b);
	boot_mark(b, "begin", b->now->name);
	err = after_case(b);
	if (err >= 0)
		listen_until(b, "end", &h);
	note_known(b->r, false);
	if (err < 0)
		return boot_lost(b, err, "a filesystem was unmounted") ?: 1;
	if (err || h.fatal)
		return 1;
	if (!b->step_failed && !b->census_found && !h.reports)
		return 0;
	err = boot_renew_namespace(b, ns);
	return err < 0 ? (boot_lost(b, err, "the namespace was renewed") ?: 1) :
			 err;
}

bool boot_is_full(const struct boot *b)
{
	return b->vm.console.len > VM_CONSOLE_MAX / 2 ||
	       b->vm.events_len > VM_CONSOLE_MAX / 2;
}
