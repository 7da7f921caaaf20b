// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last name and the last descriptor of a file go while one of its pages is
 * referenced. Its blocks must stay its own until then: the last close waits
 * (fs/dax.c dax_break_layout_final() from xfs_fs_evict_inode() and
 * ext4_evict_inode(), 6.15 on), or nobody is given them.
 *
 * Up to 6.14 neither happens: truncate_inode_pages_final() deletes the entries
 * under the reference (it warns of it), the blocks are freed, and the next
 * file that gets them shows through the reference, or is overwritten by late
 * DMA. The case takes all free space to be that next file. Caught: any way of
 * the blocks out of an evicted inode that asks for no idle page.
 */
#include "change.h"

struct last {
	int fd;
	int go[2];
};

static int unlink_it(void *arg)
{
	return unlink("victim") < 0 ? errno : 0;
}

static int close_it(void *arg)
{
	struct last *l = arg;
	char c;

	/* Until this descriptor is the last. */
	close(l->go[1]);
	if (read(l->go[0], &c, 1) < 0)
		return errno;
	return close(l->fd) < 0 ? errno : 0;
}

/* The block has a new owner: what does the reference do to it? */
static void show_reuse(struct ref *r, int thief, off_t off, const void *held)
{
	static uint64_t got[PAGE / 8];
	bool same = ref_drop(r, held) == 0;

	SAFE(pread(thief, got, PAGE, off));
	if (fill_diff(got, PAGE, REUSE_SEED, 0) >= 0)
		FAIL("late DMA to the unlinked file overwrote another file, "
		     "which was given the block: at %#llx of a new file",
		     (long long)off);
	else if (!same)
		FAIL("the reference on the unlinked file reads another file's "
		     "data: that at %#llx of a new file", (long long)off);
	else
		FAIL("a block was given to another file while referenced");
}

static void run(void)
{
	const char *dash = strstr(wl->variant, "-close");
	static uint64_t held[PAGE / 8];
	struct last l;
	struct attempt a;
	struct ref *r;
	off_t phys, off;
	char kind[32], *map, *page;
	bool waits;
	int ret, thief;

	snprintf(kind, sizeof(kind), "%.*s",
		 (int)(dash ? dash - wl->variant :
			      (ptrdiff_t)strlen(wl->variant)), wl->variant);
	block_reuse_prepare();
	l.fd = dax_file("victim", PMD, 1);
	SAFE(pipe2(l.go, O_CLOEXEC));
	phys = block_of(l.fd, PMD / 2, NULL);
	map = dax_map(l.fd, 0, PMD, PROT_READ | PROT_WRITE);
	page = map + PMD / 2;
	touch_write(wl->unit == PAGE ? page : map, wl->unit);
	memcpy(held, page, PAGE);
	r = ref_take(kind, page, PAGE);
	SAFE(munmap(map, PMD));
	if (dash) {
		SAFE(unlink("victim"));
		attempt_start(&a, "the last close", close_it, &l);
		close(l.fd);
		SAFE(write(l.go[1], "g", 1));
	} else {
		close(l.fd);
		attempt_start(&a, "unlink", unlink_it, NULL);
	}
	waits = attempt_blocks(&a);
	INFO("%s %s", a.what, waits ? "waits for the reference" :
				      "does not wait for the reference");
	/* XFS takes unlinked files apart in the background. */
	if (!waits)
		WAIT_FOR(block_free(phys), 2);
	if (block_reused(phys, &thief, &off)) {
		show_reuse(r, thief, off, held);
	} else {
		CHECK(waits || !block_free(phys),
		      "no block is given away while it is referenced");
		CHECK(ref_drop(r, held) == 0,
		      "the reference sees the data that it was taken on");
	}
	block_reuse_end();
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "%s ends when the reference is gone", a.what))
		CHECK(ret == 0, "%s succeeds: %s", a.what, strerror(ret));
	attempt_end(&a);
}

WORKLOAD(
	.name = "pin-unlink",
	.help = "blocks of an unlinked file stay its own while referenced",
	.point = "last-reference",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 3,
	.modules = "dm-mod brd",
	.variants = (const char *const[]){
		"vmsplice", "vmsplice-close", "odirect-write", "odirect-read",
		"process-vm-read", "process-vm-write", NULL },
	.run = run,
);
