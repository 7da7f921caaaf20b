// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The size of an entry: fs/dax.c grab_mapping_entry() takes a 2 MiB entry of a
 * hole apart when a PTE is wanted in it (and must have its zero page unmapped
 * everywhere), leaves one with blocks alone, and refuses a PMD over entries of
 * 4 KiB; once those are gone, a PMD has to be possible again. Which size the
 * kernel gave is counted by faults. An entry left over at the old size shows
 * as a PMD that never comes back, a zero page left mapped as a lost store.
 */
#include "workload.h"

#include <linux/falloc.h>
#include <sys/resource.h>

static int fd;
static char *want;

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

/* How many faults it takes to touch all of it: 1 by a PMD, 512 by PTEs. */
static long touch_all(volatile char *p, bool store)
{
	long before = faults();

	for (size_t off = 0; off < PMD; off += PAGE)
		if (store)
			p[off] = p[off];
		else
			(void)p[off];
	return faults() - before;
}

/* A mapping of the file at an address where no PMD can be. */
static char *map_ptes(void)
{
	char *area = dax_map_flags(-1, 0, 3 * PMD, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS);

	return SAFE(mmap(area + PAGE, PMD, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0));
}

static void store(char *p, size_t off, size_t n, uint64_t seed)
{
	fill(want + off, n, seed, off);
	memcpy(p + off, want + off, n);
}

static char *map_pmd(void)
{
	return dax_map(fd, 0, PMD, PROT_READ | PROT_WRITE);
}

/* A huge zero page, then a PTE store into it from elsewhere. */
static void downgrade_hole(void)
{
	char *big, *small;

	fd = dax_hole("victim", PMD);
	big = map_pmd();
	small = map_ptes();
	touch_read(big, PMD);
	CHECK_DATA(fd, big, want, PMD, "the hole");
	store(small, PMD / 2, PAGE, 2);
	CHECK_DATA(fd, small, want, PMD, "the small mapping after a store");
	CHECK_DATA(-1, big, want, PMD, "the aligned mapping after the store");
	store(big, 0, PMD, 3);
	CHECK_DATA(fd, small, want, PMD, "the small mapping after stores");
	CHECK_DATA(-1, big, want, PMD, "the aligned mapping");
}

/* Blocks behind a 2 MiB entry: PTEs go into it, and the PMD stays. */
static void downgrade_blocks(void)
{
	char *big, *small;
	long n;

	fd = dax_file("victim", PMD, 1);
	fill(want, PMD, 1, 0);
	big = map_pmd();
	small = map_ptes();
	touch_write(big, PMD);
	n = touch_all(small, true);
	INFO("%ld faults for 512 pages in the mapping off alignment", n);
	store(small, PMD / 2, PAGE, 2);
	CHECK_DATA(fd, big, want, PMD, "the aligned mapping after a store");
	SAFE(fsync(fd));
	store(big, PMD / 2 - PAGE, 2 * PAGE, 3);
	CHECK_DATA(fd, small, want, PMD, "the small mapping after fsync");
	SAFE(munmap(small, PMD));
	CHECK_DATA(fd, big, want, PMD, "with the small mapping gone");
}

/* PTEs first: the PMD comes when their entries are gone. */
static void upgrade(void (*empty)(void), const char *how)
{
	char *big, *small;
	long n;

	fd = dax_file("victim", PMD, 1);
	fill(want, PMD, 1, 0);
	big = map_pmd();
	touch_write(big, PMD);
	SAFE(munmap(big, PMD));
	/* It was possible: now make it impossible. */
	empty();
	small = map_ptes();
	touch_all(small, true);
	CHECK_DATA(fd, small, want, PMD, "the small mapping");
	big = map_pmd();
	n = touch_all(big, true);
	CHECK(n > 1, "no PMD over entries of 4 KiB (%ld faults)", n);
	store(big, 0, PMD, 2);
	CHECK_DATA(fd, small, want, PMD, "the small mapping after stores");
	empty();
	/* The page table of the old mapping stays as long as that does. */
	SAFE(munmap(big, PMD));
	big = map_pmd();
	n = touch_all(big, true);
	CHECK(n <= 2, "a PMD again after %s (%ld faults)", how, n);
	CHECK_DATA(fd, big, want, PMD, "the file after %s", how);
	CHECK_DATA(-1, small, want, PMD, "the small mapping after %s", how);
}

static void by_truncate(void)
{
	SAFE(ftruncate(fd, 0));
	SAFE(ftruncate(fd, PMD));
	SAFE(fallocate(fd, 0, 0, PMD));
	memset(want, 0, PMD);
	if (block_of(fd, 0, NULL) % (off_t)PMD)
		SKIP("%s gave no aligned blocks the second time", wl->fs);
}

static void by_punch(void)
{
	SAFE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PMD));
	SAFE(fallocate(fd, 0, 0, PMD));
	memset(want, 0, PMD);
	if (block_of(fd, 0, NULL) % (off_t)PMD)
		SKIP("%s gave no aligned blocks the second time", wl->fs);
}

static void run(void)
{
	want = buffer(PMD);
	if (strcmp(wl->variant, "downgrade-hole") == 0)
		downgrade_hole();
	else if (strcmp(wl->variant, "downgrade-blocks") == 0)
		downgrade_blocks();
	else if (strcmp(wl->variant, "upgrade-truncate") == 0)
		upgrade(by_truncate, "truncate");
	else
		upgrade(by_punch, "punch");
	SAFE(ftruncate(fd, 0));
}

WORKLOAD(
	.name = "entry-size",
	.help = "entries change between 2 MiB and 4 KiB without losing a store",
	.point = "entry-lifetime",
	.on = ON_FS,
	.with = WITH_2M,
	.runtime = 1,
	.variants = (const char *const[]){
		"downgrade-hole", "downgrade-blocks", "upgrade-truncate",
		"upgrade-punch", NULL },
	.run = run,
);
