// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As break-layouts, but the page is not mapped any more by then: it is as busy
 * as before. Up to 6.14 fs/dax.c dax_layout_busy_page_range() looks no further
 * when nothing maps the file (!mapping_mapped()), so nothing waits: blocks are
 * freed, shared or moved under DMA. Fixed by cee91fa13a8e.
 */
#include "change.h"

static void run(void)
{
	static char held[PAGE];
	struct attempt a;
	struct scene s;
	struct ref *r;
	int ret;

	scene_make(&s, wl->variant);
	scene_map(&s);
	memcpy(held, s.page, PAGE);
	r = ref_take("vmsplice", s.page, PAGE);
	scene_unmap(&s);
	attempt_start(&a, s.change->name, scene_change, &s);
	ret = attempt_blocks(&a);
	scene_lacks(&s, &a);
	CHECK(ret, "%s waits for a referenced page that nothing maps",
	      wl->variant);
	scene_release(&s, &a, r, held);
}

WORKLOAD(
	.name = "break-unmapped",
	.help = "what takes blocks away waits for a page that nothing maps",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_4K,
	.runtime = 2,
	.guards = "cee91fa13a8e",
	.variants = (const char *const[]){
		"punch", "collapse", "insert", "zero-range", "clone-source",
		"clone-dest", "dedupe", "unshare", NULL },
	.run = run,
);
