// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Driving the guest: as many boots as it takes, case after case.
 */
#include "guest.h"
#include "progress.h"

#include <errno.h>

/* Boots without a single case done, before the run gives up. */
#define MAX_BARREN 2

/* 0: the boot's end was reached or another is wanted; else an enum rig_exit. */
static int boot_and_work(struct run *r)
{
	_boot_ struct boot b = BOOT_INIT(r);
	struct json_object *o = guest_msg("ev", "boot");
	int err, mounted_for = -1;

	guest_put_int(o, "boot", r->boots);
	if (run_log(r, o))
		return EXIT_RIG_FAILED;
	err = boot_up(&b);
	while (!err && r->next < r->cases.n) {
		struct rig_case *c = &r->cases.v[r->next];

		if (c->ns != mounted_for) {
			/* What goes wrong here is no case's. */
			b.now = NULL;
			err = mounted_for < 0 ?
				      boot_mount_companions(&b, c->ns) :
				      boot_take_namespace(&b, c->ns);
			mounted_for = c->ns;
			if (err)
				break;
		}
		b.now = c;
		progress("run", "[%zu/%zu] %s", r->next + 1, r->cases.n,
			 c->name);
		err = boot_one_case(&b);
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
	int barren = 0;

	while (r->next < r->cases.n) {
		size_t before = r->next;
		int err = boot_and_work(r);

		if (err && (err != EXIT_CANNOT_TEST || !r->next))
			return err;
		barren = r->next == before ? barren + 1 : 0;
		if (barren >= MAX_BARREN)
			return error("%s: %d boots in a row did not get to a case",
				     r->kernel.spec, barren), EXIT_CANNOT_TEST;
	}
	return 0;
}
