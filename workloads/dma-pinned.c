// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever refers to a page makes truncate wait, not only what
 * page_maybe_dma_pinned() knows of: each way that user space has of taking a
 * reference, FOLL_GET or FOLL_PIN. Each sees what is stored meanwhile (it is
 * the page, not a copy), and what a late writer brings lands in the file.
 * Caught: a busy test that looks at pins only, or at GETs only, and a put that
 * wakes nobody.
 *
 * Such a put is in 6.0 to 6.4 for O_DIRECT and io_uring to a block device:
 * block/bio.c __bio_release_pages() uses folio_put_refs(), which does not know
 * of put_devmap_managed_page_refs(), so the count falls from 2 to 1 and what
 * waits for that sleeps on.
 */
#include "change.h"

static void run(void)
{
	const struct ref_kind *kind = ref_kind_of(wl->variant);
	static uint64_t now[PAGE / 8];
	struct attempt a;
	struct scene s;
	struct ref *r;
	int ret;

	/* insert moves the page, and so what it holds at last can be seen. */
	scene_make(&s, "insert");
	scene_map(&s);
	r = ref_take(wl->variant, s.page, PAGE);
	fill(s.page, PAGE, wl->seed + 1000, 0);
	memcpy(now, s.page, PAGE);
	attempt_start(&a, "insert", scene_change, &s);
	CHECK(attempt_blocks(&a), "insert waits for a %s reference",
	      wl->variant);
	CHECK(ref_drop(r, now) == 0,
	      "%s sees what is stored while it is held", wl->variant);
	if (kind->writes)
		fill(now, PAGE, 0, 0);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "insert ends when the reference is gone") &&
	    CHECK(ret == 0, "insert succeeds: %s", strerror(ret))) {
		check_page(s.fd, 3 * wl->unit - PAGE, now, 'b', "insert");
		scene_check_after(&s);
	}
	attempt_end(&a);
}

WORKLOAD(
	.name = "dma-pinned",
	.help = "every kind of reference is waited for, pin or not",
	.point = "dma-pinned",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.modules = "dm-mod brd algif-skcipher crypto-null ecb",
	.variants = (const char *const[]){
		"vmsplice", "vmsplice-tee", "unix-splice", "zerocopy",
		"af-alg", "odirect-write", "odirect-read", "uring-write",
		"uring-read", "process-vm-read", "process-vm-write", NULL },
	.run = run,
);
