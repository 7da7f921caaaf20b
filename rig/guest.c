// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Driving the guest: as many boots as it takes, case after case.
 */
#include "guest.h"
#include "progress.h"

#include <errno.h>

/* Boots without a single case done, before the run gives up. */
#define MAX_BARREN 2

static void say_progress(const struct run *r, const struct rig_case *c)
{
	unsigned int t = r->until ? r->until - now() : 0;

	if (!r->o->source)
		progress("run", "[%zu/%zu] %s", r->next + 1, r->cases.n,
			 c->name);
	else if (r->until)
		progress("run", "[%u:%02u left, %zu done, %zu finding%s] %s",
			 t / 60, t % 60, r->next, r->nr_known,
			 r->nr_known == 1 ? "" : "s", c->name);
	else
		progress("run", "[%zu] %s", r->next + 1, c->name);
}

/* The case at r->next, on its namespace. As boot_one_case(). */
static int next_case(struct boot *b, int *mounted_for)
{
	struct run *r = b->r;
	struct rig_case *c = &r->cases.v[r->next];
	int err = 0;

	/* Which may be what makes more cases. */
	if (b->group_fs && !boot_joins_group(b, c))
		return boot_leave_group(b);
	if (c->ns != *mounted_for) {
		/* What goes wrong here is no case's. */
		b->now = NULL;
		err = *mounted_for < 0 ? boot_mount_companions(b, c->ns) :
					 boot_take_namespace(b, c->ns);
		*mounted_for = c->ns;
	}
	if (err)
		return err;
	b->now = c;
	say_progress(r, c);
	return boot_one_case(b);
}

/* 0: the boot's end was reached or another is wanted; else an enum rig_exit. */
static int boot_and_work(struct run *r)
{
	_boot_ struct boot b = BOOT_INIT(r);
	struct json_object *o = guest_msg("ev", "boot");
	int err, more, mounted_for = -1;

	guest_put_int(o, "boot", r->boots);
	if (run_log(r, o))
		return EXIT_RIG_FAILED;
	b.oracle.nr = r->boots;
	err = boot_up(&b);
	/* The first boot may take as long as it takes. */
	if (r->o->seconds && !r->until)
		r->until = now() + r->o->seconds;
	while (!err) {
		more = boot_is_full(&b) ? 0 : run_more(r);
		if (more == 1)
			err = next_case(&b, &mounted_for);
		else if (more)
			err = more;
		else if (b.group_fs)
			err = boot_leave_group(&b);
		else
			break;
		if (r->log_failed)
			err = EXIT_RIG_FAILED;
	}
	if (!err)
		err = boot_tear_down(&b);
	vm_stop(&b.vm);
	/* What came last found no room either. */
	if (b.vm.state == VM_NO_DISK && err <= 1)
		err = boot_lost(&b, -EIO, "it ended");
	return err == 1 ? 0 : err;
}

int guest_work(struct run *r)
{
	int barren = 0, more;

	while ((more = run_more(r)) == 1) {
		size_t before = r->next;
		int err = boot_and_work(r);

		if (err && (err != EXIT_CANNOT_TEST || !r->next))
			return err;
		barren = r->next == before ? barren + 1 : 0;
		if (barren >= MAX_BARREN)
			return error("%s: %d boots in a row did not get to a case",
				     r->kernel.spec, barren), EXIT_CANNOT_TEST;
	}
	return more;
}
