// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shared extents mapped by both files, then freed by one of them. A DAX page
 * has one ->mapping; that it is in two files' page caches has to be counted
 * beside (fs/dax.c dax_associate_entry(), dax_disassociate_entry(), page->share
 * or in 6.1 page->index).
 *
 * 6.1 counts only what a write fault inserts (dax_fault_is_cow()), so that a
 * read of the second file meets the first one's ->mapping: WARN_ON_ONCE in
 * dax_insert_entry(), and in dax_disassociate_entry() when either is cut. A
 * count off by one leaves ->mapping behind or clears it under the other file.
 *
 * A PTE fault that copies finds the PMD entry of before, and dax_insert_entry()
 * puts one of 4 KiB in its place: when that leaves, one page is counted out for
 * 512, and clear_inode() dies of its BUG_ON(nrpages). On all kernels; hence the
 * files are removed in the case itself.
 *
 * 6.15 and later keep one folio for the extent, of the order of whoever faulted
 * first: when one file maps it by a PMD and the other, punched or cut, by PTEs,
 * dax_associate_entry() meets the wrong order, dax_folio_put() takes the folio
 * apart while it is mapped, and a count stays behind: eviction sleeps in
 * dax_break_layout_final() for a reference that nobody holds.
 *
 * Partial zeroing of a shared block (truncate, zero-range) is lost on 6.1:
 * xfs_zero_range() writes to the copy-on-write fork by
 * xfs_direct_write_iomap_ops, which never ends the copy.
 */
#include "workload.h"
#include "reflink.h"

static const struct reflink_variant variants[] = {
	{ "map-clone-map-truncate",
	  { MAP_A, LOAD_A, CLONE, MAP_B, LOAD_B, CUT_A, GROW_A, CUT_B } },
	{ "store-clone-map-truncate",
	  { MAP_A, FILL_A, CLONE, MAP_B, LOAD_B, CUT_A, STORE_B, CUT_B } },
	{ "clone-map-both",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, CUT_A, CUT_B } },
	{ "truncate-dest",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, CUT_B, STORE_A, CUT_A } },
	{ "truncate-part",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, CUT_PART_A, GROW_A,
	    CUT_PART_B, GROW_B, STORE_A } },
	{ "punch-source",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, PUNCH_A, STORE_A, STORE_B } },
	{ "punch-dest",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, PUNCH_B, STORE_B, STORE_A } },
	{ "zero-range",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, ZERO_A, ZERO_B, STORE_A } },
	{ "unshare",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, UNSHARE_B, STORE_B, WRITE_A,
	    CUT_A } },
	{ "unshare-unmapped",
	  { CLONE, UNSHARE_B, MAP_A, MAP_B, LOAD_A, LOAD_B, STORE_A, STORE_B,
	    CUT_A } },
	{ "unmap-first",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, UNMAP_A, UNMAP_B, CUT_A,
	    MAP_B, LOAD_B } },
	{ "unlink-source",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, UNLINK_A, STORE_B, CUT_B } },
	{ "clone-over-mapped",
	  { MAP_A, MAP_B, LOAD_A, LOAD_B, CLONE, LOAD_B, CUT_A } },
	{ "clone-part",
	  { MAP_A, MAP_B, LOAD_A, LOAD_B, CLONE_PART, CUT_A, STORE_B } },
	{ "clone-back",
	  { MAP_A, MAP_B, LOAD_A, LOAD_B, CLONE, STORE_B, CLONE_BACK, CUT_B,
	    STORE_A } },
	{ "two-processes",
	  { CLONE, PEER_A, PEER_B, CUT_A, UNLINK_A, CUT_B } },
	{ NULL, { END } },
};

static void run(void)
{
	reflink_run(variants);
}

WORKLOAD(
	.name = "reflink-mmap-truncate",
	.help = "both files of a shared extent mapped, then one of them cut",
	.point = "entry-lifetime",
	.on = ON_XFS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){
		"map-clone-map-truncate", "store-clone-map-truncate",
		"clone-map-both", "truncate-dest", "truncate-part",
		"punch-source", "punch-dest", "zero-range", "unshare",
		"unshare-unmapped", "unmap-first", "unlink-source",
		"clone-over-mapped", "clone-part", "clone-back",
		"two-processes", NULL },
	.run = run,
);
