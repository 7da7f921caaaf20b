// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * write(2) to a file that shares its extents and is mapped. The write goes to
 * new blocks, so fs/dax.c dax_iomap_iter() has to throw the old entries out of
 * the page cache and of every page table: a mapping made before must show the
 * new data, the other file's the old.
 *
 * 6.1 throws nothing out of a file whose extents are shared (it looks for
 * IOMAP_F_NEW only): the mapping shows the old block from then on, for ever,
 * and a store to it never ends: mm/memory.c insert_pfn() finds another pfn
 * mapped and the fault is retried. A PTE that copies over the PMD entry is
 * counted as one page and as 512: clear_inode() finds ->nrpages not zero.
 * 6.15 and later delete the entry while page tables may still hold it:
 * invalidate_inode_pages2_range() unmaps the range in its own way, and
 * dax_disassociate_entry() finds the folio's references not gone.
 */
#include "workload.h"
#include "reflink.h"

static const struct reflink_variant variants[] = {
	{ "source-read", { CLONE, MAP_A, LOAD_A, WRITE_A, CUT_B } },
	{ "dest-read", { CLONE, MAP_B, LOAD_B, WRITE_B, CUT_A } },
	{ "read-only", { CLONE, RO_A, LOAD_A, WRITE_PAGE_A, WRITE_A } },
	{ "both-mapped",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, WRITE_PAGE_A, WRITE_PAGE_B,
	    CUT_A } },
	{ "dirty-before",
	  { MAP_A, FILL_A, CLONE, MAP_B, LOAD_B, WRITE_A, WRITE_PAGE_B } },
	{ "page", { CLONE, MAP_A, LOAD_A, WRITE_PAGE_A, STORE_A, CUT_A } },
	{ "partial-block",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, WRITE_PART_A, WRITE_PART_B } },
	{ "partial-unmapped", { CLONE, WRITE_PART_A, WRITE_PART_B } },
	{ "over-boundary",
	  { CLONE_PART, MAP_A, MAP_B, LOAD_A, LOAD_B, WRITE_OVER_A,
	    WRITE_OVER_B } },
	{ "after-store",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, STORE_A, WRITE_A, WRITE_A,
	    CUT_B } },
	{ "two-processes",
	  { CLONE, PEER_A, PEER_B, WRITE_PAGE_A, WRITE_B, CUT_A } },
	{ NULL, { END } },
};

/* Copies that a process has made stay its own; the rest of a private mapping
 * may be of before or after, but of nothing else. */
static void run_private(void)
{
	static const enum reflink_step setup[] = { CLONE, END };
	size_t len = 2 * wl->unit;
	char *old = buffer(len), *new = buffer(len), *p;
	bool torn = false;
	int fd;

	reflink_pair(setup);
	fd = SAFE(open("A", O_RDWR | O_CLOEXEC));
	if (SAFE(pread(fd, old, len, 0)) != (ssize_t)len)
		BROKEN("short read");
	fill(new, len, 99, 0);
	p = dax_map_flags(fd, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK_DATA(-1, p, old, len, "the private mapping");
	memcpy(p, "private", 7);
	memcpy(old, "private", 7);
	if (SAFE(pwrite(fd, new, len, 0)) != (ssize_t)len)
		BROKEN("short write");
	CHECK_DATA(fd, NULL, new, len, "the file after write(2)");
	CHECK(memcmp(p, old, PAGE) == 0, "the private copy is as it was made");
	for (size_t off = PAGE; off < len; off += PAGE)
		torn |= memcmp(p + off, old + off, PAGE) != 0 &&
			memcmp(p + off, new + off, PAGE) != 0;
	CHECK(!torn, "what is not copied is as before or after the write");
}

static void run(void)
{
	if (strcmp(wl->variant, "private") == 0)
		run_private();
	else
		reflink_run(variants);
}

WORKLOAD(
	.name = "reflink-pwrite",
	.help = "write(2) to a mapped file that shares extents: the mapping "
		"shows the new data, the other file the old",
	.point = "entry-lifetime",
	.on = ON_XFS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){
		"source-read", "dest-read", "read-only", "both-mapped",
		"dirty-before", "page", "partial-block", "partial-unmapped",
		"over-boundary", "after-store", "two-processes", "private",
		NULL },
	.run = run,
);
