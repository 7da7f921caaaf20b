// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One 2 MiB extent mapped twice, by a PMD here and by PTEs in another process,
 * with a reference through each. Both share one entry of the page cache: where
 * that is of 2 MiB, fs/dax.c dax_insert_entry() lets PTEs into the PMD entry;
 * where it is of 4 KiB, the PMD fault falls back. From 6.15 on both map counts
 * and both references are the one folio's. Whoever is unmapped first must not
 * take the other's count along, and punching one page from the middle waits
 * for both references and for nothing else: dax_busy_page() compares the
 * folio's references with its map count.
 */
#include "workload.h"

#include <linux/falloc.h>

static struct {
	int fd;
	int by_pmd[2], by_pte[2];	/* pipes that hold references */
	char *want;
} t;
static char *peer_map;	/* not aligned: PTEs only */

static bool has(const char *word)
{
	return strstr(wl->variant, word);
}

static int peer_touch(void *arg)
{
	char *area = SAFE(mmap(NULL, 4 * PMD, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uintptr_t at = ((uintptr_t)area + PMD - 1) / PMD * PMD + PAGE;

	peer_map = SAFE(mmap((void *)at, PMD, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, t.fd, 0));
	for (size_t off = 0; off < PMD; off += PAGE)
		*(volatile char *)(peer_map + off) = peer_map[off];
	pipe_hold(t.by_pte, peer_map + PMD / 2, PAGE);
	return memcmp(peer_map, t.want, PMD) != 0;
}

static int peer_compare(void *arg)
{
	return memcmp(peer_map, t.want, PMD) != 0;
}

static int peer_unmap(void *arg)
{
	return munmap(peer_map, PMD);
}

static int punch(void *arg)
{
	return fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 PMD / 2, PAGE) < 0 ? errno : 0;
}

static void pmd_touch(char *p)
{
	for (size_t off = 0; off < PMD; off += PAGE)
		*(volatile char *)(p + off) = p[off];
	pipe_hold(t.by_pmd, p + PMD - PAGE, PAGE);
}

static void run(void)
{
	struct attempt a;
	struct peer peer;
	int ret = -1;
	char *p;

	t.fd = dax_file("victim", PMD, 1);
	t.want = buffer_shared(PMD);
	fill(t.want, PMD, 1, 0);
	SAFE(pipe2(t.by_pmd, O_CLOEXEC));
	SAFE(pipe2(t.by_pte, O_CLOEXEC));
	/* Keeps the file mapped: see zap.c. */
	dax_map(t.fd, 0, PAGE, PROT_READ);
	p = dax_map(t.fd, 0, PMD, PROT_READ | PROT_WRITE);
	peer_start(&peer);
	if (has("pmd-first")) {
		touch_write(p, PMD);
		pmd_touch(p);
	}
	CHECK(peer_call(&peer, peer_touch, NULL) == 0,
	      "PTEs show what the file holds");
	if (!has("pmd-first"))
		pmd_touch(p);
	CHECK_DATA(t.fd, p, t.want, PMD, "the other mapping");

	if (has("unmap-pmd")) {
		SAFE(munmap(p, PMD));
		CHECK(peer_call(&peer, peer_compare, NULL) == 0,
		      "the PTEs stay when the other mapping goes");
	} else {
		peer_call(&peer, peer_unmap, NULL);
		CHECK_DATA(t.fd, p, t.want, PMD, "with the PTEs gone");
	}
	attempt_start(&a, "punch", punch, NULL);
	CHECK(attempt_blocks(&a), "punching waits for both references");
	CHECK(pipe_drop(t.by_pmd, t.want + PMD - PAGE, PAGE),
	      "the reference through the aligned mapping reads right");
	CHECK(attempt_blocks(&a), "punching waits for the other one");
	CHECK(pipe_drop(t.by_pte, t.want + PMD / 2, PAGE),
	      "the reference through the PTEs reads right");
	if (CHECK(attempt_wait(&a, 5, &ret), "punching ends without them"))
		CHECK(ret == 0, "punching succeeds: %s", strerror(ret));
	attempt_end(&a);
	memset(t.want + PMD / 2, 0, PAGE);
	if (has("unmap-pmd"))
		CHECK(peer_call(&peer, peer_compare, NULL) == 0,
		      "the PTEs show the hole and nothing else");
	else
		CHECK_DATA(-1, p, t.want, PMD, "the mapping after punching");
	CHECK_DATA(t.fd, NULL, t.want, PMD, "the file after punching");
	CHECK(peer_end(&peer) == 0, "the other process exits");
	SAFE(ftruncate(t.fd, 0));
}

WORKLOAD(
	.name = "two-sizes",
	.help = "an extent mapped by a PMD and by PTEs: references on both count",
	.point = "zap",
	.on = ON_FS,
	.with = WITH_2M,
	.runtime = 1,
	.variants = (const char *const[]){
		"pmd-first-unmap-pmd", "pmd-first-unmap-pte",
		"pte-first-unmap-pmd", "pte-first-unmap-pte", NULL },
	.run = run,
);
