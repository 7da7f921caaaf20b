// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page of shared blocks is referenced through the victim, then the victim is
 * written: by a fault, or by write(2). That must not wait, and goes to a new
 * block (fs/dax.c dax_iomap_copy_around(), xfs_dax_write_iomap_end()): the
 * victim shows the new data everywhere, the other file and the reference the
 * old. Up to 6.1 write(2) leaves mappings of the old block as they are: dax_
 * iomap_iter() invalidates for IOMAP_F_NEW only (f80e1668888f).
 *
 * From 6.15 on the entry of a referenced page can be taken out of the victim's
 * mapping here: dax_disassociate_entry() gives dax_folio_put() a folio that is
 * in use (it warns), and one of 2 MiB is broken up under the reference. That
 * was counted on the head, and is put to what was a tail: the head stays busy
 * for ever, faults on the block end in SIGBUS, and the unmount, dax_break_
 * layout_final(), does not end.
 *
 * With "-free" the other file is then truncated, and the old block with the
 * reference on it belongs to nobody. The reference came through the victim,
 * whose entry for the page is gone, and the other file never had one: so
 * dax_layout_busy_page() of the other file's mapping finds nothing to wait
 * for, on any kernel, and the block is given away under the reference.
 */
#include "change.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define AT ((off_t)(2 * wl->unit - PAGE))

static uint64_t data[PAGE / 8];

static int by_write(void *arg)
{
	struct scene *s = arg;

	return pwrite(s->fd, data, PAGE, AT) == (ssize_t)PAGE ? 0 : errno;
}

static int by_fault(void *arg)
{
	struct scene *s = arg;
	char *p = dax_map(s->fd, wl->unit, wl->unit, PROT_READ | PROT_WRITE);

	memcpy(p + wl->unit - PAGE, data, PAGE);
	return msync(p, wl->unit, MS_SYNC) < 0 ? errno : 0;
}

static int truncate_other(void *arg)
{
	struct scene *s = arg;

	return ftruncate(s->other, 0) < 0 ? errno : 0;
}

/* Nobody is to get the block that the reference is on. */
static void free_old(struct scene *s, struct ref *r, off_t old,
		     const void *held)
{
	struct attempt a;
	bool waits;

	attempt_start(&a, "truncate", truncate_other, s);
	waits = attempt_blocks(&a);
	CHECK(waits || !block_free(old),
	      "the old block is not free space while it is referenced");
	CHECK(ref_drop(r, held) == 0,
	      "the reference sees the data that it was taken on");
	CHECK(attempt_wait(&a, 5, NULL),
	      "truncate of the other file ends when the reference is gone");
	attempt_end(&a);
}

static void run(void)
{
	bool fault = strncmp(wl->variant, "fault", 5) == 0;
	static uint64_t held[PAGE / 8];
	struct attempt a;
	struct scene s;
	struct ref *r;
	off_t old;
	int ret;

	scene_make(&s, "unshare");
	old = block_of(s.fd, AT, NULL);
	scene_map(&s);
	memcpy(held, s.page, PAGE);
	r = ref_take("vmsplice", s.page, PAGE);
	fill(data, PAGE, wl->seed + 1000, 0);
	attempt_start(&a, fault ? "a store" : "write(2)",
		      fault ? by_fault : by_write, &s);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "%s to a referenced page of shared blocks does not wait",
		  a.what))
		CHECK(ret == 0, "%s succeeds: %s", a.what, strerror(ret));
	attempt_end(&a);
	CHECK(!try_access(s.page, false) && memcmp(s.page, data, PAGE) == 0,
	      "the mapping, there from before, shows the new data");
	CHECK(block_of(s.fd, AT, NULL) != old, "the victim has a new block");
	CHECK(block_of(s.other, AT, NULL) == old,
	      "the other file has the old block");
	if (strstr(wl->variant, "-free")) {
		/* Not looked at through a mapping: it must have no entry. */
		free_old(&s, r, old, held);
		check_page(s.fd, AT, data, 'b', "the write");
		return;
	}
	CHECK(ref_drop(r, held) == 0, "the reference sees the old data");
	check_page(s.fd, AT, data, 'b', "the write");
	scene_check_before(&s);
}

WORKLOAD(
	.name = "pin-cow",
	.help = "a write to a referenced page of shared blocks goes elsewhere",
	.point = "last-reference",
	.on = ON_XFS,
	.with = WITH_BOTH,
	.runtime = 2,
	.guards = "f80e1668888f",
	.variants = (const char *const[]){ "fault", "write", "fault-free",
					   "write-free", NULL },
	.run = run,
);
