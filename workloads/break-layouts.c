// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What takes blocks away from a file, or gives them to another, waits until
 * nothing but mappings refers to its pages: fs/xfs/xfs_inode.c and xfs_file.c
 * xfs_break_layouts() for truncate and any fallocate, xfs_ilock2_io_mmap() for
 * two files; fs/ext4 ext4_break_layouts() for truncate and any fallocate that
 * is more than preallocation. Both wait for any page of the file. Caught: a
 * caller that does not ask, a lost wake-up, an operation that goes on with
 * what it had looked up before it slept.
 *
 * With "-high" the file with the page is the second that
 * xfs_mmaplock_two_inodes_and_break_dax_layout() locks. There it finds the
 * page busy, unlocks and starts anew at once: it spins, and looks at no
 * signal, for as long as the reference lasts. xfs_swap_extents() does not
 * wait at all, and the page under DMA changes files.
 */
#include "change.h"

static void run(void)
{
	static char held[PAGE];
	struct attempt a;
	struct scene s;
	struct ref *r;
	bool blocked;

	scene_make(&s, wl->variant);
	scene_map(&s);
	memcpy(held, s.page, PAGE);
	r = ref_take("vmsplice", s.page, PAGE);
	attempt_start(&a, s.change->name, scene_change, &s);
	blocked = attempt_blocks(&a);
	scene_lacks(&s, &a);
	if (!s.change->free_to_go)
		CHECK(blocked, "%s sleeps while a page is referenced%s%s",
		      wl->variant, blocked ? ", in " : "",
		      blocked ? attempt_where(&a) : "");
	else
		INFO("%s %s while a page is referenced", wl->variant,
		     blocked ? "waits" : "does not wait");
	scene_release(&s, &a, r, held);
}

WORKLOAD(
	.name = "break-layouts",
	.help = "what takes blocks away waits for a referenced page, and goes on",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.variants = (const char *const[]){
		"truncate", "punch", "collapse", "insert", "zero-range",
		"prealloc", "clone-source", "clone-source-high", "clone-dest",
		"clone-dest-high", "dedupe", "dedupe-high", "unshare",
		"exchange-range", "exchange-range-high", "swapext", NULL },
	.run = run,
);
