// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_submit(2): the pages are taken before it returns, block/fops.c
 * __blkdev_direct_IO_async(); FOLL_GET up to 6.4, FOLL_PIN after.
 */
#include "emit.h"
#include "prog-io.h"

static int start(struct io *io)
{
	struct iocb *list[1] = { &io->cb };
	int err = -io_setup(1, &io->aio);

	if (err)
		return err;
	if (io->in)
		io_prep_pread(&io->cb, io->fds.gate, io->p, io->len, io->at);
	else
		io_prep_pwrite(&io->cb, io->fds.gate, io->p, io->len, io->at);
	err = io_submit(io->aio, 1, list);
	if (err == 1)
		return 0;
	io_destroy(io->aio);
	return err < 0 ? -err : EAGAIN;
}

static ssize_t end(struct io *io, double seconds)
{
	double until = wl_now() + seconds, left = seconds;
	struct io_event ev;
	int n;

	do {
		struct timespec limit = { left, (left - (long)left) * 1e9 };

		n = io_getevents(io->aio, 1, 1, &ev, &limit);
		left = until - wl_now();
	} while (n != 1 && left > 0 && (!n || n == -EINTR));
	if (n != 1)
		return -ETIME;
	io_destroy(io->aio);
	return (long)ev.res;
}

const struct io_engine io_aio = {
	.in = "aio-read", .out = "aio-write", .start = start, .end = end,
};

C_HELPER(
	hold_aio,
	.name = "hold_aio",
	.uses = "ref gate gate_fill gate_seen <linux/aio_abi.h> <sys/syscall.h>",
	.text = "static void drop_aio(struct ref *r)\n"
		"{\n"
		"\tstruct io_event ev;\n"
		"\n"
		"\tgate(0);\n"
		"\tTRY(syscall(SYS_io_getevents, r->n, 1L, 1L, &ev, NULL));\n"
		"\tTRY(syscall(SYS_io_destroy, r->n));\n"
		"\tif (!r->fd[0])\n"
		"\t\tgate_seen(r->fd[1], r->len);\n"
		"}\n"
		"\n"
		"/* Direct I/O between the pages and the gate: a read that brings @letter, or a\n"
		" * write when there is none. */\n"
		"static void hold_aio(struct ref *r, char *p, size_t len, char letter)\n"
		"{\n"
		"\taio_context_t ctx = 0;\n"
		"\toff_t at = 0x10000 * (r - ref);\n"
		"\tstruct iocb cb = {\n"
		"\t\t.aio_lio_opcode = letter ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,\n"
		"\t\t.aio_fildes = gate_dev(), .aio_buf = (unsigned long)p,\n"
		"\t\t.aio_nbytes = len, .aio_offset = at,\n"
		"\t}, *list[1] = { &cb };\n"
		"\n"
		"\tif (letter)\n"
		"\t\tgate_fill(letter, at, len);\n"
		"\tTRY(syscall(SYS_io_setup, 1, &ctx));\n"
		"\tr->fd[0] = letter;\n"
		"\tr->fd[1] = at;\n"
		"\tr->len = len;\n"
		"\tr->n = ctx;\n"
		"\tTRY(syscall(SYS_io_submit, ctx, 1L, list));\n"
		"\tif (ret == 1)\n"
		"\t\tr->drop = drop_aio;\n"
		"}\n",
);
