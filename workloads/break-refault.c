// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * While a truncate waits for a reference it holds no lock that a fault needs,
 * so the page can be mapped once more; when the reference is dropped the
 * truncate has to go on all the same, and take that mapping away again.
 *
 * From 6.15 on it does not. fs/dax.c wait_page_idle() sleeps until
 * page_ref_count() is 0, but a mapping counts there, and free_zone_device_
 * folio() wakes at 0 only: the last external reference goes, the count stays
 * at the number of mappings, and the truncate sleeps for as long as somebody
 * keeps the page mapped. Up to 6.14 mappings do not count.
 */
#include "change.h"

static void run(void)
{
	struct attempt a;
	struct scene s;
	struct ref *r;
	int ret;

	scene_make(&s, wl->variant);
	scene_map(&s);
	r = ref_take("vmsplice", s.page, PAGE);
	attempt_start(&a, s.change->name, scene_change, &s);
	if (!CHECK(attempt_blocks(&a), "%s waits for a referenced page",
		   wl->variant)) {
		ref_drop(r, NULL);
		attempt_end(&a);
		return;
	}
	/* The load comes back: the fault does not wait for the truncate. */
	(void)*(volatile char *)s.page;
	ref_drop(r, NULL);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "%s ends when the reference is gone, though the page was "
		  "mapped again meanwhile", wl->variant)) {
		if (CHECK(ret == 0, "%s succeeds: %s", wl->variant,
			  strerror(ret)))
			scene_check_after(&s);
	} else {
		scene_unmap(&s);
		INFO("%s %s when the mapping is taken away", wl->variant,
		     attempt_wait(&a, 5, NULL) ? "ends" : "still sleeps");
	}
	attempt_end(&a);
}

WORKLOAD(
	.name = "break-refault",
	.help = "a page mapped again while truncate waits does not stop it",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 3,
	.variants = (const char *const[]){
		"truncate", "punch", "zero-range", NULL },
	.run = run,
);
