// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One case, and what has to be made anew after it: nothing, its filesystem, the
 * namespace, or the whole VM.
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

/* --- a case --------------------------------------------------------------- */

static bool is_devdax(const struct rig_case *c)
{
	return strcmp(c->fs, "devdax") == 0;
}

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
	unsigned int rounds = c->rounds ? c->rounds : 1;

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
	/* No two rounds' data are to look alike. */
	guest_put_int(o, "seed", (b->r->next + 1) * rounds);
	guest_put_int(o, "rounds", rounds);
	json_object_object_add(o, "census",
			       json_object_new_boolean(b->census != NULL));
	return o;
}

/* The pages as the case left them, its files still there. */
static int census_before(struct boot *b)
{
	/* It may have made the namespace anew. */
	int err = b->now->owns_fs || b->now->remounts ?
			  boot_census_back(b, b->now->ns) : 0;

	if (!err)
		err = boot_census_owners(b);
	return err ? err : boot_census_idle(b, "after the case", false);
}

/* The run request and what came of it. 0 or -errno as boot_ask(). */
static int run_case(struct boot *b, enum case_status *st, bool *spent)
{
	struct json_object *reply = NULL, *v;
	_free_ char *why = NULL;
	int err = boot_group_enter(b, &why);

	*st = CASE_BROKEN;
	if (!err)
		err = boot_ask(b, run_request(b), b->now->runtime * 4 + 20,
			       &why, &reply);
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
	return r->o->source && boot_group_has_room(b, b->now);
}

/*
 * Whether a program has left its filesystem, which is unmounted now, and all
 * struct pages as if it had found nothing, so that nothing has to be made anew.
 */
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

/* As boot_one_case(). */
static int renew_namespace(struct boot *b, int ns)
{
	int err = boot_renew_namespace(b, ns);

	return err < 0 ? (boot_lost(b, err, "the namespace was renewed") ?: 1) :
			 err;
}

int boot_one_case(struct boot *b)
{
	struct heard h;
	enum case_status st;
	bool spent = false, whole = false, checked = false, goes_on, renew;
	double start = now();
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
		goes_on = !h.fatal && leaves_fs(b, &h, st) && group_goes_on(b);
		if (goes_on && !b->now->remounts) {
			boot_mark(b, "end", b->now->name);
			case_done(b, st, now() - start, false);
			return 0;
		}
		/* One that unmounted it may have left it so: it is put away in
		 * any case, but not checked for that. */
		checked = !goes_on;
		ret = h.fatal ? 0 : boot_group_away(b, checked);
		if (!ret && !h.fatal && !checked && !left_whole(b, st)) {
			checked = true;
			ret = boot_group_away(b, true);
		}
		if (ret > 0)
			spent = true;
		if (ret < 0)
			err = ret;
		if (b->now->status == CASE_FAIL)
			st = CASE_FAIL;
		whole = !ret && !h.fatal && left_whole(b, st);
	}
	if ((b->step_failed || b->census_found) && is_good(st))
		st = CASE_FAIL;
	if (!err)
		listen_until(b, "end", &h);
	if (err < 0)
		return case_lost(b, err, &h, start);
	renew = !whole && (h.reports || !is_good(st) || b->now->owns_fs ||
			   b->now->remounts);
	if (!whole)
		boot_group_end(b);
	case_done(b, st, now() - start, whole && checked);
	if (spent || h.fatal)
		return 1;
	return renew ? renew_namespace(b, ns) : 0;
}

int boot_leave_group(struct boot *b)
{
	struct heard h = { .from = b->vm.console.len,
			   .upto = b->vm.console.len };
	int err, ns = b->group_ns;

	/* Nothing of it is in use, or suspect. */
	if (b->group_away && !b->group.n) {
		boot_group_end(b);
		return 0;
	}
	b->now = &b->r->cases.v[b->r->next - 1];
	findings_free(&b->r->last);
	b->step_failed = false;
	boot_census_begin(b);
	boot_mark(b, "begin", b->now->name);
	err = boot_group_away(b, true);
	boot_group_end(b);
	if (err >= 0)
		listen_until(b, "end", &h);
	note_known(b->r, false);
	if (err < 0)
		return boot_lost(b, err, "a filesystem was unmounted") ?: 1;
	if (err || h.fatal)
		return 1;
	if (!b->step_failed && !b->census_found && !h.reports)
		return 0;
	return renew_namespace(b, ns);
}

bool boot_is_full(const struct boot *b)
{
	return b->vm.console.len > VM_CONSOLE_MAX / 2 ||
	       b->vm.events_len > VM_CONSOLE_MAX / 2;
}
