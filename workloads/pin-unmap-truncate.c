// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page that is referenced but no longer mapped is as busy as one that is
 * mapped: fs/dax.c dax_layout_busy_page() looks at page_ref_count() of the
 * entries it finds, whether or not it had anything to unmap. Up to 6.14 it
 * only looked when the mapping was mapped (mapping_mapped()), so truncate went
 * ahead and dax_disassociate_entry() warned of the reference it met.
 */
#include "workload.h"

static int cut(void *arg)
{
	return ftruncate(*(int *)arg, 0) < 0 ? errno : 0;
}

static void run(void)
{
	int fd = dax_file("victim", wl->unit, 1);
	char *p = dax_map(fd, 0, wl->unit, PROT_READ | PROT_WRITE);
	struct attempt a;
	struct ref *r;
	int ret;

	touch_write(p, wl->unit);
	r = ref_take(wl->variant, p, PAGE);
	SAFE(munmap(p, wl->unit));
	attempt_start(&a, "ftruncate", cut, &fd);
	CHECK(attempt_blocks(&a),
	      "ftruncate waits for a %s reference on an unmapped page",
	      wl->variant);
	ref_drop(r, NULL);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "ftruncate returns when the reference is gone"))
		CHECK(ret == 0, "ftruncate succeeds: %s", strerror(ret));
	attempt_end(&a);
}

WORKLOAD(
	.name = "pin-unmap-truncate",
	.help = "truncate waits for a referenced page that is not mapped any more",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.modules = "dm-mod brd algif-skcipher crypto-null ecb",
	.guards = "cee91fa13a8e",
	.variants = (const char *const[]){
		"vmsplice", "vmsplice-tee", "unix-splice", "zerocopy",
		"af-alg", "odirect-write", "odirect-read", "uring-write",
		"uring-read", "process-vm-read", "process-vm-write", NULL },
	.run = run,
);
