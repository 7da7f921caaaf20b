// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * write(2) and stores do not wait for a reference: they take no block away.
 * What they write is the same bytes for a mapping, for read(2) and for the
 * reference. Caught: a write that breaks layouts (BREAK_UNMAP where BREAK_WRITE
 * is meant in xfs_file_write_checks()), one that goes to other blocks.
 */
#include "change.h"

#define AT ((off_t)(2 * wl->unit - PAGE))

static uint64_t data[PAGE / 8];

static int by_write(void *arg)
{
	struct scene *s = arg;

	return pwrite(s->fd, data, PAGE, AT) == (ssize_t)PAGE ? 0 : errno;
}

/* A mapping of its own: the store has to fault. */
static int by_store(void *arg)
{
	struct scene *s = arg;
	char *p = dax_map(s->fd, wl->unit, wl->unit, PROT_READ | PROT_WRITE);

	memcpy(p + wl->unit - PAGE, data, PAGE);
	return msync(p, wl->unit, MS_SYNC) < 0 ? errno : 0;
}

static void writes(struct scene *s, const char *what, int (*fn)(void *))
{
	struct attempt a;
	int ret;

	attempt_start(&a, what, fn, s);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "%s to a referenced page does not wait", what))
		CHECK(ret == 0, "%s succeeds: %s", what, strerror(ret));
	attempt_end(&a);
	CHECK(memcmp(s->page, data, PAGE) == 0, "the mapping shows %s", what);
}

static void run(void)
{
	off_t phys;
	struct scene s;
	struct ref *r;

	scene_make(&s, "punch");
	phys = block_of(s.fd, AT, NULL);
	scene_map(&s);
	r = ref_take(wl->variant, s.page, PAGE);
	fill(data, PAGE, wl->seed + 1000, 0);
	writes(&s, "write(2)", by_write);
	fill(data, PAGE, wl->seed + 1001, 0);
	writes(&s, "a store", by_store);
	CHECK(block_of(s.fd, AT, NULL) == phys,
	      "the page is where it was on the device");
	CHECK(ref_drop(r, data) == 0, "the reference sees the last store");
	check_page(s.fd, AT, data, 'b', "both");
	scene_check_before(&s);
}

WORKLOAD(
	.name = "pin-write",
	.help = "writes and stores under a reference do not wait, and are seen",
	.point = "dma-pinned",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.variants = (const char *const[]){ "vmsplice", "process-vm-read",
					   NULL },
	.run = run,
);
