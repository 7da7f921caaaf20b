// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring direct I/O between the mapping and the gate: as ref-odirect.c, but
 * submitted by io_uring/rw.c io_read() and io_write(), whose request, not the
 * caller, keeps the iterator. FOLL_GET up to 6.4, FOLL_PIN after.
 *
 * A suspended device refuses what must not wait, so the request is issued by
 * an io-wq worker. There is one, and it works in order: when the read behind
 * the request has completed, the request has its pages. That read is of a
 * block device as well, for io_prep_async_work() to sort both to one worker.
 */
#include "workload.h"

#include <liburing.h>

enum { REQUEST = 1, MARK };

struct uring_ref {
	struct ref ref;
	struct io_uring ring;
	struct gate *gate;
	int fd;
	bool reads;	/* the device reads from the pages: a write(2) */
};

static void *scratch(size_t len)
{
	return SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static struct ref *take(void *p, size_t len, bool to_device)
{
	struct uring_ref *r = calloc(1, sizeof(*r));
	unsigned int workers[2] = { 1, 1 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	void *data;
	int disk;
	int err = io_uring_queue_init(4, &r->ring, 0);

	if (err < 0) {
		/* Built out, or switched off by kernel.io_uring_disabled. */
		errno = err == -EPERM ? ENOSYS : -err;
		free(r);
		return NULL;
	}
	err = io_uring_register_iowq_max_workers(&r->ring, workers);
	if (err < 0) {
		io_uring_queue_exit(&r->ring);
		free(r);
		errno = ENOSYS;
		return NULL;
	}
	r->reads = to_device;
	r->gate = gate_new(len);
	r->fd = SAFE(open(gate_path(r->gate), O_RDWR | O_DIRECT | O_CLOEXEC));
	disk = SAFE(open(GATE_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC));
	data = scratch(len);
	if (!to_device) {
		fill(data, len, 0, 0);
		if (SAFE(pwrite(r->fd, data, len, 0)) != (ssize_t)len)
			BROKEN("short write to %s", gate_path(r->gate));
	}
	gate_close(r->gate);
	sqe = io_uring_get_sqe(&r->ring);
	if (to_device)
		io_uring_prep_write(sqe, r->fd, p, len, 0);
	else
		io_uring_prep_read(sqe, r->fd, p, len, 0);
	sqe->flags |= IOSQE_ASYNC;
	sqe->user_data = REQUEST;
	sqe = io_uring_get_sqe(&r->ring);
	io_uring_prep_read(sqe, disk, data, PAGE, 0);
	sqe->flags |= IOSQE_ASYNC;
	sqe->user_data = MARK;
	if (io_uring_submit(&r->ring) != 2)
		BROKEN("io_uring takes no request");
	err = io_uring_wait_cqe(&r->ring, &cqe);
	if (err < 0 || cqe->user_data != MARK || cqe->res != PAGE)
		BROKEN("io_uring: %s", err < 0 ? strerror(-err) :
				       cqe->res < 0 ? strerror(-cqe->res) :
						      "not held by the gate");
	io_uring_cqe_seen(&r->ring, cqe);
	close(disk);
	munmap(data, len);
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct uring_ref *r = (struct uring_ref *)ref;
	struct __kernel_timespec limit = { .tv_sec = 20 * wl->scale };
	struct io_uring_cqe *cqe;
	int ret = 0;

	gate_open(r->gate);
	if (io_uring_wait_cqe_timeout(&r->ring, &cqe, &limit) < 0)
		BROKEN("I/O through the opened gate does not end");
	if (cqe->res != (int)ref->len)
		BROKEN("I/O through the opened gate: %s",
		       cqe->res < 0 ? strerror(-cqe->res) : "short");
	io_uring_cqe_seen(&r->ring, cqe);
	if (r->reads && !gate_holds(r->gate, r->fd, expect, ref->len))
		ret = -1;
	io_uring_queue_exit(&r->ring);
	close(r->fd);
	gate_free(r->gate);
	free(r);
	return ret;
}

static struct ref *take_write(void *p, size_t len)
{
	return take(p, len, true);
}

static struct ref *take_read(void *p, size_t len)
{
	return take(p, len, false);
}

REF_KIND(
	uring_write,
	.name = "uring-write",
	.help = "io_uring write from the mapping, in flight: the device reads",
	.take = take_write,
	.drop = drop,
);

REF_KIND(
	uring_read,
	.name = "uring-read",
	.help = "io_uring read into the mapping, in flight: the device writes "
		"fill()'s pattern of seed 0 when the gate opens",
	.take = take_read,
	.drop = drop,
	.writes = true,
);
