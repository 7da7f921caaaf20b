// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring: as io_submit(2), but by a worker, io_uring/rw.c io_read() and
 * io_write(). There is one, and it works in order: when the read of the disk
 * that comes behind the request is over, the request has its pages (see
 * ref-uring.c). The submitting thread is the kernel's own (SQPOLL), as a request
 * is completed by who submitted it, which may be asleep, waiting for the page.
 */
#include "emit.h"
#include "prog-io.h"

#include <sys/syscall.h>

enum { REQUEST = 1, MARK };

static bool lacking;

static int ring_init(struct io_uring *ring)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL,
				     .sq_thread_idle = 1 };
	unsigned int workers[2] = { 1, 1 };
	int err;

	if (__atomic_load_n(&lacking, __ATOMIC_RELAXED))
		return ENOSYS;
	err = -io_uring_queue_init_params(4, ring, &p);
	/* Built out, or switched off by kernel.io_uring_disabled. */
	if (err == ENOSYS || err == EPERM) {
		__atomic_store_n(&lacking, true, __ATOMIC_RELAXED);
		return ENOSYS;
	}
	if (err)
		return err;
	err = -io_uring_register_iowq_max_workers(ring, workers);
	if (err)
		io_uring_queue_exit(ring);
	return err;
}

static void request(struct io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

	if (io->fixed && io->in)
		io_uring_prep_read_fixed(sqe, io->fds.gate, io->p, io->len,
					 io->at, 0);
	else if (io->fixed)
		io_uring_prep_write_fixed(sqe, io->fds.gate, io->p, io->len,
					  io->at, 0);
	else if (io->in)
		io_uring_prep_read(sqe, io->fds.gate, io->p, io->len, io->at);
	else
		io_uring_prep_write(sqe, io->fds.gate, io->p, io->len, io->at);
	sqe->flags |= IOSQE_ASYNC;
	sqe->user_data = REQUEST;
}

/* Into the memory that is left behind what the request brings. */
static void mark(struct io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

	io_uring_prep_read(sqe, io->fds.disk, io->data + IO_MAX, PAGE, 0);
	sqe->flags |= IOSQE_ASYNC;
	sqe->user_data = MARK;
}

static int submit(struct io *io)
{
	bool marked = false;

	request(io);
	mark(io);
	if (io_uring_submit(&io->ring) < 0)
		return EAGAIN;
	while (!marked) {
		struct io_uring_cqe *cqe;

		/* As long as the worker waits for a page. */
		if (io_uring_wait_cqe(&io->ring, &cqe) < 0)
			continue;
		if (cqe->user_data == REQUEST) {
			io->over = true;
			io->res = cqe->res;
		}
		marked = cqe->user_data == MARK;
		io_uring_cqe_seen(&io->ring, cqe);
	}
	return 0;
}

static int start(struct io *io)
{
	int err = ring_init(&io->ring);

	if (err)
		return err;
	err = submit(io);
	if (err)
		io_uring_queue_exit(&io->ring);
	return err;
}

static ssize_t end(struct io *io, double seconds)
{
	double until = wl_now() + seconds, left = seconds;

	while (!io->over && left > 0) {
		struct __kernel_timespec limit = { left, (left - (long)left) *
								 1e9 };
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe_timeout(&io->ring, &cqe, &limit) == 0) {
			io->over = true;
			io->res = cqe->res;
		}
		left = until - wl_now();
	}
	if (!io->over)
		return -ETIME;
	/* The end of a ring comes when it may; its pages are to be free now. */
	if (io->fixed)
		io_uring_unregister_buffers(&io->ring);
	io_uring_queue_exit(&io->ring);
	return io->res;
}

/* FOLL_LONGTERM, for as long as the ring is there. */
static int start_fixed(struct io *io)
{
	struct iovec iov = { io->p, io->len };
	int err = ring_init(&io->ring);

	if (err)
		return err;
	io->fixed = true;
	err = -io_uring_register_buffers(&io->ring, &iov, 1);
	if (!err) {
		err = submit(io);
		if (err)
			io_uring_unregister_buffers(&io->ring);
	}
	if (err)
		io_uring_queue_exit(&io->ring);
	return err;
}

int uring_try_longterm(enum longterm how, void *p, size_t len)
{
	struct iovec iov = { p, len };
	struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)p,
					.ring_entries = 4, .bgid = 1 };
	struct io_uring ring;
	int err = ring_init(&ring), n;

	if (err)
		return err;
	switch (how) {
	case LONGTERM_BUFFERS:
		err = -io_uring_register_buffers(&ring, &iov, 1);
		break;
	case LONGTERM_UPDATE:
		err = -io_uring_register_buffers_sparse(&ring, 1);
		if (err)
			break;
		n = io_uring_register_buffers_update_tag(&ring, 0, &iov, NULL,
							 1);
		err = n == 1 ? 0 : n < 0 ? -n : EAGAIN;
		break;
	case LONGTERM_RING:
		err = -io_uring_register_buf_ring(&ring, &reg, 0);
		break;
	}
	if (!err && how == LONGTERM_RING)
		io_uring_unregister_buf_ring(&ring, 1);
	else if (!err)
		io_uring_unregister_buffers(&ring);
	io_uring_queue_exit(&ring);
	return err;
}

const struct io_engine io_uring_plain = {
	.in = "uring-read", .out = "uring-write", .start = start, .end = end,
};

const struct io_engine io_uring_fixed = {
	.in = "uring-fixed-read", .out = "uring-fixed-write",
	.start = start_fixed, .end = end,
};

/* The three calls and the two rings, as liburing has them. */
C_HELPER(
	uring,
	.name = "uring",
	.uses = "TRY <linux/io_uring.h> <sys/syscall.h>",
	.text = "struct uring {\n"
		"\tstruct io_uring_params p;\n"
		"\tint fd;\n"
		"\tchar *rings;\n"
		"\tstruct io_uring_sqe *sqe;\n"
		"};\n"
		"\n"
		"static struct uring *uring(void)\n"
		"{\n"
		"\tstruct uring *u = calloc(1, sizeof(*u));\n"
		"\n"
		"\tTRY(u->fd = syscall(SYS_io_uring_setup, 1, &u->p));\n"
		"\tu->rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,\n"
		"\t\t\tIORING_OFF_SQ_RING);\n"
		"\tu->sqe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,\n"
		"\t\t      IORING_OFF_SQES);\n"
		"\tif (u->rings == MAP_FAILED || u->sqe == MAP_FAILED)\n"
		"\t\terrx(2, \"no io_uring\");\n"
		"\treturn u;\n"
		"}\n",
);

C_HELPER(
	submit_uring,
	.name = "submit_uring",
	.uses = "ref uring gate gate_fill gate_seen",
	.text = "static void drop_uring(struct ref *r)\n"
		"{\n"
		"\tstruct uring *u = r->p;\n"
		"\tvolatile unsigned int *tail = (void *)(u->rings + u->p.cq_off.tail);\n"
		"\n"
		"\tgate(0);\n"
		"\tfor (int i = 0; i < 1000 && !*tail; i++)\n"
		"\t\tusleep(1000);\n"
		"\tclose(u->fd);\n"
		"\tif (!r->fd[0])\n"
		"\t\tgate_seen(r->n, r->len);\n"
		"}\n"
		"\n"
		"/* Direct I/O between the pages and the gate: a read that brings @letter, or a\n"
		" * write when there is none. */\n"
		"static void submit_uring(struct ref *r, struct uring *u, char *p, size_t len,\n"
		"\t\t\t char letter, int fixed)\n"
		"{\n"
		"\toff_t at = 0x10000 * (r - ref);\n"
		"\n"
		"\tif (letter)\n"
		"\t\tgate_fill(letter, at, len);\n"
		"\t*u->sqe = (struct io_uring_sqe){\n"
		"\t\t.opcode = fixed ? letter ? IORING_OP_READ_FIXED :\n"
		"\t\t\t\t\t IORING_OP_WRITE_FIXED :\n"
		"\t\t\t\tletter ? IORING_OP_READ : IORING_OP_WRITE,\n"
		"\t\t.flags = IOSQE_ASYNC, .fd = gate_dev(), .off = at,\n"
		"\t\t.addr = (unsigned long)p, .len = len,\n"
		"\t};\n"
		"\t((unsigned int *)(u->rings + u->p.sq_off.array))[0] = 0;\n"
		"\t++*(unsigned int *)(u->rings + u->p.sq_off.tail);\n"
		"\tr->fd[0] = letter;\n"
		"\tr->len = len;\n"
		"\tr->n = at;\n"
		"\tr->p = u;\n"
		"\tTRY(syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0));\n"
		"\tif (ret == 1)\n"
		"\t\tr->drop = drop_uring;\n"
		"\tusleep(20000);\t/* a worker of the kernel takes the pages */\n"
		"}\n",
);

C_HELPER(
	hold_uring,
	.name = "hold_uring",
	.uses = "submit_uring",
	.text = "static void hold_uring(struct ref *r, char *p, size_t len, char letter)\n"
		"{\n"
		"\tsubmit_uring(r, uring(), p, len, letter, 0);\n"
		"}\n",
);

C_HELPER(
	hold_fixed,
	.name = "hold_fixed",
	.uses = "submit_uring <sys/uio.h>",
	.text = "static void hold_fixed(struct ref *r, char *p, size_t len, char letter)\n"
		"{\n"
		"\tstruct iovec iov = { p, len };\n"
		"\tstruct uring *u = uring();\n"
		"\n"
		"\tTRY(syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS, &iov,\n"
		"\t\t    1));\n"
		"\tif (ret == 0)\n"
		"\t\tsubmit_uring(r, u, p, len, letter, 1);\n"
		"}\n",
);

C_HELPER(
	longterm,
	.name = "longterm",
	.uses = "uring <sys/uio.h>",
	.text = "/* Buffers of a ring are pinned for as long as it is there: how is one of\n"
		" * \"buffers\", \"update\" and \"ring\". */\n"
		"static void longterm(char *p, size_t len, const char *how)\n"
		"{\n"
		"\tstruct iovec iov = { p, len };\n"
		"\tstruct io_uring_rsrc_register none = { .nr = 1,\n"
		"\t\t.flags = IORING_RSRC_REGISTER_SPARSE };\n"
		"\tstruct io_uring_rsrc_update2 update = { .nr = 1,\n"
		"\t\t.data = (unsigned long)&iov };\n"
		"\tstruct io_uring_buf_reg ring = { .ring_addr = (unsigned long)p,\n"
		"\t\t.ring_entries = 4, .bgid = 1 };\n"
		"\tstruct uring *u = uring();\n"
		"\n"
		"\tif (*how == 'b') {\n"
		"\t\tTRY(syscall(SYS_io_uring_register, u->fd,\n"
		"\t\t\t    IORING_REGISTER_BUFFERS, &iov, 1));\n"
		"\t} else if (*how == 'u') {\n"
		"\t\tTRY(syscall(SYS_io_uring_register, u->fd,\n"
		"\t\t\t    IORING_REGISTER_BUFFERS2, &none, sizeof(none)));\n"
		"\t\tTRY(syscall(SYS_io_uring_register, u->fd,\n"
		"\t\t\t    IORING_REGISTER_BUFFERS_UPDATE, &update,\n"
		"\t\t\t    sizeof(update)));\n"
		"\t} else {\n"
		"\t\tTRY(syscall(SYS_io_uring_register, u->fd,\n"
		"\t\t\t    IORING_REGISTER_PBUF_RING, &ring, 1));\n"
		"\t}\n"
		"\tclose(u->fd);\n"
		"}\n",
);
