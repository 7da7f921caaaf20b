// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O between the mapping and another device, held in flight by the
 * gate: block/fops.c __blkdev_direct_IO_async() and bio_iov_iter_get_pages().
 * FOLL_GET up to 6.4, FOLL_PIN after (block/bio.c, commit a7e689dd1c06).
 */
#include "workload.h"

#include <libaio.h>

struct aio_ref {
	struct ref ref;
	struct gate *gate;
	int fd;
	io_context_t ctx;
	struct iocb cb;
	bool reads;	/* the device reads from the pages: a write(2) */
};

static struct ref *take(void *p, size_t len, bool to_device)
{
	struct aio_ref *r = calloc(1, sizeof(*r));
	struct iocb *list[1] = { &r->cb };
	int err;

	r->reads = to_device;
	r->gate = gate_new(len);
	r->fd = SAFE(open(gate_path(r->gate), O_RDWR | O_DIRECT | O_CLOEXEC));
	if (!to_device) {
		/* What the DMA will bring: fill()'s pattern for seed 0. */
		void *data = SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		fill(data, len, 0, 0);
		if (SAFE(pwrite(r->fd, data, len, 0)) != (ssize_t)len)
			BROKEN("short write to %s", gate_path(r->gate));
		munmap(data, len);
	}
	err = io_setup(1, &r->ctx);
	if (err) {
		errno = -err;
		return NULL;
	}
	gate_close(r->gate);
	if (to_device)
		io_prep_pwrite(&r->cb, r->fd, p, len, 0);
	else
		io_prep_pread(&r->cb, r->fd, p, len, 0);
	err = io_submit(r->ctx, 1, list);
	if (err != 1) {
		gate_free(r->gate);
		errno = -err;
		return NULL;
	}
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct aio_ref *r = (struct aio_ref *)ref;
	struct timespec limit = { .tv_sec = 20 * wl->scale };
	struct io_event ev;
	int ret = 0;

	gate_open(r->gate);
	if (io_getevents(r->ctx, 1, 1, &ev, &limit) != 1)
		BROKEN("I/O through the opened gate does not end");
	if (ev.res != ref->len)
		BROKEN("I/O through the opened gate: %s",
		       (long)ev.res < 0 ? strerror(-(long)ev.res) : "short");
	if (r->reads && !gate_holds(r->gate, r->fd, expect, ref->len))
		ret = -1;
	io_destroy(r->ctx);
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
	odirect_write,
	.name = "odirect-write",
	.help = "O_DIRECT write from the mapping, in flight: the device reads",
	.take = take_write,
	.drop = drop,
);

REF_KIND(
	odirect_read,
	.name = "odirect-read",
	.help = "O_DIRECT read into the mapping, in flight: the device writes "
		"fill()'s pattern of seed 0 when the gate opens",
	.take = take_read,
	.drop = drop,
	.writes = true,
);
