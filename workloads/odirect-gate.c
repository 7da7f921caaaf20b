// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O between a DAX mapping and another device, in flight: out, the
 * device reads from the page, or in, it writes to it. truncate and punch wait
 * for it; the block is nobody else's until then; what arrives when the gate
 * opens is in the file's page and nowhere else. write(2) does not wait, as it
 * takes no block away (dax_iomap_rw() copies, and asks for no layout to be
 * broken). Caught: a busy test that misses bio's pages, a block freed early.
 * Where the wait does not end up to 6.4, see dma-pinned.c.
 */
#include "change.h"

static uint64_t fresh[PAGE / 8];

static int overwrite(void *arg)
{
	struct scene *s = arg;
	ssize_t n = pwrite(s->fd, fresh, PAGE, 2 * wl->unit - PAGE);

	return n < 0 ? errno : n != (ssize_t)PAGE ? EIO : 0;
}

/* The I/O brings its pattern, or takes what the last writer has left. */
static void against_write(struct scene *s, struct ref *r, bool in)
{
	struct attempt a;
	int ret;

	fill(fresh, PAGE, wl->seed + 1000, 0);
	attempt_start(&a, "write(2)", overwrite, s);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "write(2) to a page under direct I/O does not wait"))
		CHECK(ret == 0, "write(2) succeeds: %s", strerror(ret));
	attempt_end(&a);
	CHECK(memcmp(s->page, fresh, PAGE) == 0,
	      "the mapping shows what write(2) wrote");
	CHECK(ref_drop(r, fresh) == 0,
	      "the device has what was written meanwhile");
	if (in)
		fill(fresh, PAGE, 0, 0);
	check_page(s->fd, 2 * wl->unit - PAGE, fresh, 'b',
		   "write(2) and the end of the I/O");
	scene_check_before(s);
}

static void against_change(struct scene *s, struct ref *r)
{
	off_t phys = block_of(s->fd, 2 * wl->unit - PAGE, NULL);
	static uint64_t held[PAGE / 8];
	struct attempt a;
	int ret;

	memcpy(held, s->page, PAGE);
	attempt_start(&a, s->change->name, scene_change, s);
	CHECK(attempt_blocks(&a), "%s waits for direct I/O in flight",
	      s->change->name);
	CHECK(!block_free(phys),
	      "the block under direct I/O is not free space");
	CHECK(ref_drop(r, held) == 0,
	      "the device has what was in the page");
	if (CHECK(attempt_wait(&a, 5, &ret), "%s ends after the I/O",
		  s->change->name) &&
	    CHECK(ret == 0, "%s succeeds: %s", s->change->name, strerror(ret)))
		scene_check_after(s);
	attempt_end(&a);
}

static void run(void)
{
	bool in = strncmp(wl->variant, "in-", 3) == 0;
	const char *what = strchr(wl->variant, '-') + 1;
	bool write = strcmp(what, "write") == 0;
	struct scene s;
	struct ref *r;

	scene_make(&s, write ? "punch" : what);
	scene_map(&s);
	r = ref_take(in ? "odirect-read" : "odirect-write", s.page, PAGE);
	if (write)
		against_write(&s, r, in);
	else
		against_change(&s, r);
}

WORKLOAD(
	.name = "odirect-gate",
	.help = "direct I/O in flight is waited for, and lands where it belongs",
	.point = "dma-pinned",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 6,
	.modules = "dm-mod brd",
	.variants = (const char *const[]){
		"in-truncate", "out-truncate", "in-punch", "out-punch",
		"in-write", "out-write", NULL },
	.run = run,
);
