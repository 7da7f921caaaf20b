// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pins without an end are refused on a filesystem: a truncate could wait for
 * ever. mm/gup.c check_vma_flags() (vma_is_fsdax()), and for pages already
 * mapped the fast path, which leaves such pages to the slow one; up to 6.3
 * io_uring's io_pin_pages() refuses any file. Tried with the page mapped and
 * not mapped, for both ways. Caught: a fast path that pins what the slow one
 * refuses. On device-dax nothing can be truncated: either answer is right.
 */
#include "change.h"

#include <liburing.h>

/* The kernel keeps @p for as long as @ring lives: 0 or -errno. */
static int keep(struct io_uring *ring, char *p)
{
	struct iovec iov = { .iov_base = p, .iov_len = PAGE };

	if (strcmp(wl->variant, "buffers") == 0)
		return io_uring_register_buffers(ring, &iov, 1);
	if (strcmp(wl->variant, "buffers-update") == 0) {
		int ret = io_uring_register_buffers_sparse(ring, 1);

		if (ret)
			SKIP("io_uring has no table of buffers to fill: %s",
			     strerror(-ret));
		ret = io_uring_register_buffers_update_tag(ring, 0, &iov, NULL,
							   1);
		return ret == 1 ? 0 : ret;
	}
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)p,
		.ring_entries = 4,
		.bgid = 1,
	};

	return io_uring_register_buf_ring(ring, &reg, 0);
}

static int keep_anon(void)
{
	struct io_uring ring;
	void *p = SAFE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret < 0)
		SKIP("no io_uring: %s", strerror(-ret));
	ret = keep(&ring, p);
	io_uring_queue_exit(&ring);
	munmap(p, PAGE);
	return ret;
}

static void try_one(int fd, bool mapped)
{
	char *p = dax_map(fd, 0, wl->unit, PROT_READ | PROT_WRITE);
	struct io_uring ring;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret < 0)
		SKIP("no io_uring: %s", strerror(-ret));
	if (mapped)
		touch_write(p, wl->unit);
	ret = keep(&ring, p);
	if (strcmp(wl->fs, "devdax") == 0)
		CHECK(ret == 0 || ret == -EOPNOTSUPP,
		      "device-dax may be pinned for long, or not: %s",
		      strerror(-ret));
	else
		CHECK(ret == -EOPNOTSUPP,
		      "a long-term pin of a%s page of a file is refused: %s",
		      mapped ? " mapped" : "n unmapped", strerror(-ret));
	io_uring_queue_exit(&ring);
	munmap(p, wl->unit);
}

static void run(void)
{
	int ret, fd = dax_file("victim", wl->unit, 1);

	ret = keep_anon();
	if (ret)
		SKIP("io_uring does not even pin ordinary memory for %s: %s",
		     wl->variant, strerror(-ret));
	try_one(fd, false);
	try_one(fd, true);
	if (strcmp(wl->fs, "devdax") != 0) {
		CHECK(ftruncate(fd, 0) == 0,
		      "truncate has nothing to wait for");
		check_units(fd, "the victim", "");
	}
}

WORKLOAD(
	.name = "longterm-refused",
	.help = "long-term pins are refused on a filesystem",
	.point = "dma-pinned",
	.on = ON_FS | ON_DEVDAX,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){ "buffers", "buffers-update",
					   "buf-ring", NULL },
	.run = run,
);
