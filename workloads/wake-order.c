// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many pages of one file are referenced, and the references go one by one in
 * any order: truncate sleeps until the last is gone. It waits for one page at
 * a time, the first that fs/dax.c dax_layout_busy_page_range() meets, and
 * looks again at all when that one is idle. Caught: no second look, a wait on
 * one page and a wake-up on another, with 2 MiB a tail page that wakes nobody
 * who waits on the head.
 */
#include "change.h"

#define REFS 6

static void run(void)
{
	struct ref *refs[REFS];
	struct attempt a;
	struct scene s;
	size_t order[REFS];
	unsigned int seed = wl->seed;
	int ret;

	scene_make(&s, "truncate");
	scene_map(&s);
	touch_write(s.map, wl->unit);
	touch_write(s.map + 2 * wl->unit, wl->unit);
	for (size_t i = 0; i < REFS; i++) {
		/* Two in each unit; with 4 KiB two on the same page. */
		char *unit = s.map + i / 2 * wl->unit;

		refs[i] = ref_take("vmsplice",
				   i % 2 ? unit + wl->unit - PAGE : unit, PAGE);
		order[i] = i;
	}
	for (size_t i = REFS - 1; i > 0; i--) {
		size_t j = rand_r(&seed) % (i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	attempt_start(&a, "truncate", scene_change, &s);
	for (size_t i = 0; i < REFS; i++) {
		if (!CHECK(attempt_blocks(&a),
			   "truncate waits while %zu of %u references last",
			   REFS - i, REFS)) {
			while (i < REFS)
				ref_drop(refs[order[i++]], NULL);
			break;
		}
		ref_drop(refs[order[i]], NULL);
	}
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "truncate ends when the last reference is gone"))
		scene_check_after(&s);
	attempt_end(&a);
}

WORKLOAD(
	.name = "wake-order",
	.help = "truncate waits for the last of many references, in any order",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.run = run,
);
