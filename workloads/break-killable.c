// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whoever waits for a reference can be killed, as nobody can say how long DMA
 * lasts: the wait is TASK_INTERRUPTIBLE in xfs_break_dax_layouts(),
 * ext4_break_layouts() and, from 6.15 on, wait_page_idle(). Nothing has been
 * done by then, and no lock stays behind. Caught: an uninterruptible wait, a
 * loop that forgets its error, an error path that leaves a lock held.
 *
 * With "-high" see break-layouts.c: that loop sees no signal.
 */
#include "change.h"

static void run(void)
{
	struct attempt a;
	struct scene s;
	struct ref *r;
	bool killed;
	int ret;

	scene_make(&s, wl->variant);
	scene_map(&s);
	r = ref_take("vmsplice", s.page, PAGE);
	attempt_start(&a, s.change->name, scene_change, &s);
	if (!attempt_blocks(&a)) {
		scene_lacks(&s, &a);
		/* That it has to wait is break-layouts' affair. */
		if (attempt_done(&a))
			SKIP("%s does not wait on this kernel", wl->variant);
	}
	killed = CHECK(attempt_kill(&a, 5), "SIGKILL ends a waiting %s",
		       wl->variant);
	ref_drop(r, NULL);
	attempt_end(&a);
	/* One that would not die has done its work in the end. */
	if (!killed)
		return;
	scene_check_before(&s);
	attempt_start(&a, s.change->name, scene_change, &s);
	if (CHECK(attempt_wait(&a, 10, &ret), "%s ends when done again",
		  wl->variant) &&
	    CHECK(ret == 0, "%s succeeds: %s", wl->variant, strerror(ret)))
		scene_check_after(&s);
	attempt_end(&a);
}

WORKLOAD(
	.name = "break-killable",
	.help = "what waits for a reference dies on SIGKILL and leaves nothing",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_4K,
	.runtime = 2,
	.variants = (const char *const[]){
		"truncate", "punch", "collapse", "insert", "zero-range",
		"clone-source", "clone-dest", "clone-dest-high", "dedupe",
		"unshare", "exchange-range", NULL },
	.run = run,
);
