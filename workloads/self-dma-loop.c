// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O between a mapping of a file and a loop device on that same file:
 * drivers/block/loop.c lo_write_simple() and lo_rw_aio() write to the file
 * from pages of the file, in a worker, and the reference on them ends with
 * the request. "direct" with LO_FLAGS_DIRECT_IO, where the loop driver takes
 * it for a DAX file.
 *
 * "gate" keeps the request in flight before the loop device. "gate-truncate"
 * has a truncate wait for it, with the inode lock held; the request, let go,
 * needs that lock: neither goes on, on any kernel so far, until the truncate
 * is killed (see self-dma-splice.c).
 */
#include "change.h"

#include <libaio.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

struct loop {
	char path[32];
	int fd;
};

static void loop_new(struct loop *lo, int file, bool direct)
{
	struct loop_config config = {
		.fd = file,
		.info.lo_flags = direct ? LO_FLAGS_DIRECT_IO : 0,
	};
	struct loop_info64 info;
	int ctl, n;

	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		SKIP("no loop driver: %s", strerror(errno));
	n = SAFE(ioctl(ctl, LOOP_CTL_GET_FREE));
	close(ctl);
	snprintf(lo->path, sizeof(lo->path), "/dev/loop%d", n);
	lo->fd = SAFE(open(lo->path, O_RDWR | O_DIRECT | O_CLOEXEC));
	SAFE(ioctl(lo->fd, LOOP_CONFIGURE, &config));
	SAFE(ioctl(lo->fd, LOOP_GET_STATUS64, &info));
	if (direct && !(info.lo_flags & LO_FLAGS_DIRECT_IO)) {
		ioctl(lo->fd, LOOP_CLR_FD, 0);
		SKIP("the loop driver does no direct I/O to this file");
	}
}

static void loop_free(struct loop *lo)
{
	SAFE(ioctl(lo->fd, LOOP_CLR_FD, 0));
	close(lo->fd);
}

struct copy {
	io_context_t ctx;
	struct iocb cb;
};

/* From the page to @to of @fd, which is the same file from below. */
static void copy_start(struct copy *c, int fd, void *page, off_t to)
{
	struct iocb *list[1] = { &c->cb };
	int err;

	c->ctx = 0;
	err = io_setup(1, &c->ctx);
	if (err)
		SKIP("no asynchronous I/O: %s", strerror(-err));
	io_prep_pwrite(&c->cb, fd, page, PAGE, to);
	err = io_submit(c->ctx, 1, list);
	if (err != 1)
		BROKEN("io_submit: %s", strerror(-err));
}

/* Whether it has ended in @seconds; it must have written all then. */
static bool copy_ends(struct copy *c, double seconds)
{
	double t = seconds * wl->scale;
	struct timespec limit = { .tv_sec = t,
				  .tv_nsec = (t - (long)t) * 1e9 };
	struct io_event ev;

	if (io_getevents(c->ctx, 1, 1, &ev, &limit) != 1)
		return false;
	CHECK(ev.res == PAGE, "the I/O succeeds: %s",
	      (long)ev.res < 0 ? strerror(-(long)ev.res) : "whole");
	io_destroy(c->ctx);
	return true;
}

static void check_copy(struct scene *s, const void *was, off_t to)
{
	check_page(s->fd, to, was, 'c', "I/O through the loop device");
	scene_check_before(s);
}

static void plain(struct scene *s, struct loop *lo, const void *was, off_t to)
{
	struct copy c;

	copy_start(&c, lo->fd, s->page, to);
	if (CHECK(copy_ends(&c, 10),
		  "direct I/O from a file's page to the file ends"))
		check_copy(s, was, to);
}

static void gated(struct scene *s, struct loop *lo, const void *was, off_t to)
{
	struct gate *g = gate_over(lo->path, 3 * wl->unit);
	int fd = SAFE(open(gate_path(g), O_RDWR | O_DIRECT | O_CLOEXEC));
	struct attempt a;
	struct copy c;

	gate_close(g);
	copy_start(&c, fd, s->page, to);
	if (strcmp(wl->variant, "gate") == 0) {
		gate_open(g);
		if (CHECK(copy_ends(&c, 10), "I/O held by the gate ends"))
			check_copy(s, was, to);
		close(fd);
		gate_free(g);
		return;
	}
	attempt_start(&a, "truncate", scene_change, s);
	CHECK(attempt_blocks(&a), "truncate waits for the I/O");
	gate_open(g);
	if (!CHECK(copy_ends(&c, 2),
		   "I/O from a file's page to the file ends though a truncate "
		   "of the file waits for it")) {
		INFO("truncate sleeps in %s", attempt_where(&a));
		CHECK(attempt_kill(&a, 5), "SIGKILL ends the truncate");
		CHECK(copy_ends(&c, 10), "and then the I/O ends");
	} else {
		CHECK(attempt_wait(&a, 5, NULL), "and then truncate ends");
	}
	attempt_end(&a);
	close(fd);
	gate_free(g);
	check_units(s->near, "the neighbour", "abc");
}

static void run(void)
{
	off_t to = 3 * wl->unit - PAGE;
	static char was[PAGE];
	struct scene s;
	struct loop lo;

	scene_make(&s, "truncate");
	scene_map(&s);
	memcpy(was, s.page, PAGE);
	loop_new(&lo, s.fd, strcmp(wl->variant, "direct") == 0);
	if (strncmp(wl->variant, "gate", 4) == 0)
		gated(&s, &lo, was, to);
	else
		plain(&s, &lo, was, to);
	loop_free(&lo);
}

WORKLOAD(
	.name = "self-dma-loop",
	.help = "direct I/O from a file's page to the file through a loop device",
	.point = "self-dma",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 3,
	.modules = "dm-mod loop",
	.variants = (const char *const[]){ "buffered", "direct", "gate",
					   "gate-truncate", NULL },
	.run = run,
);
