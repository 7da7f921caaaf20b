/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct I/O of a program, between mappings and a device beside the one under
 * test. It goes through a gate: while that is closed, what was submitted is in
 * flight, with its pages referenced, and is a reference like any other.
 *
 *   prog-gate.c       the gate, one in a program
 *   prog-io.c         what the model has to know of I/O through it
 *   prog-io-aio.c     io_submit(2)
 *   prog-io-uring.c   io_uring, plain and with fixed buffers
 */
#ifndef WORKLOADS_PROG_IO_H
#define WORKLOADS_PROG_IO_H

#include "prog.h"

#include <libaio.h>
#include <liburing.h>

/* Each reference slot and each thread has so many bytes of the device. A
 * reference tells of 16 pages at most (struct hold). */
#define IO_MAX (15 * PAGE)

/* What vmsplice, by whomever, and tee hold: @fds are a pipe's, @n the bytes in
 * it. */
static inline bool hold_is_pipe(const struct hold *h)
{
	return strncmp(h->kind, "vmsplice", strlen("vmsplice")) == 0 ||
	       strcmp(h->kind, "tee") == 0;
}

/* --- prog-gate.c ----------------------------------------------------------- */

struct gate_fds {
	int gate;	/* for O_DIRECT */
	int disk;	/* the same bytes, past the gate */
};

/* I/O is about to begin: 0, or an errno when there is no gate here. Until
 * io_over() nobody closes a gate that is open. */
int io_begin(struct gate_fds *fds);
void io_over(void);
/* 0, or EBUSY when something is on its way, or EALREADY. */
int gate_shut(void);
/* Open it, and let go of all that was in flight. */
void gate_let_through(struct lane *l);
/*
 * Whether what was submitted between io_begin() and now stays in flight. Then
 * @h is held, and may be gone when this returns.
 */
bool gate_keeps(struct lane *l, struct hold *h);

/* --- prog-io.c -------------------------------------------------------------- */

/* A reference's I/O, on its way; where its bytes are on the device. */
struct io {
	const struct io_engine *engine;
	bool in;		/* the device writes to the pages */
	char *p;
	size_t len;
	uint64_t at;		/* bytes of the device */
	char *data;		/* IO_MAX bytes: what it brings, or took */
	struct gate_fds fds;
	/* The engine's. */
	io_context_t aio;
	struct iocb cb;
	struct io_uring ring;
	bool fixed, over;
	int disk;
	ssize_t res;
};

struct io_engine {
	const char *in, *out;	/* kinds of references */
	/* Submit it, and return when its pages are referenced, or when it is
	 * over: 0, or an errno and nothing was submitted. */
	int (*start)(struct io *io);
	/* Bytes or -errno; -ETIME when it is not over after so many seconds.
	 * By any thread. */
	ssize_t (*end)(struct io *io, double seconds);
};

/* Steps with the arguments REF, MAP, OFF, LEN. */
enum { IO_REF, IO_MAP, IO_OFF, IO_LEN };
#define IO_ARGS                                                                \
	{ { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },               \
	  { "off", ARG_OFF, .align = 512 }, { "len", ARG_LEN, .align = 512 } }
bool io_gen(struct gen *g, struct step *s);
int io_run(struct lane *l, const struct step *s, const struct io_engine *e,
	   bool in);
bool io_is_flying(const struct hold *h);

/* The same at once, with the arguments MAP, OFF, LEN. */
enum { NOW_MAP, NOW_OFF, NOW_LEN };
#define IO_NOW_ARGS                                                            \
	{ { "map", ARG_MAP }, { "off", ARG_OFF, .align = 512 },                \
	  { "len", ARG_LEN, .align = 512 } }
bool io_now_gen(struct gen *g, struct step *s);
int io_now(struct lane *l, const struct step *s, bool in);

/* --- the engines -------------------------------------------------------------- */

extern const struct io_engine io_aio, io_uring_plain, io_uring_fixed;

/* Have io_uring pin @p for long, and let go of it again: 0 or an errno. */
enum longterm { LONGTERM_BUFFERS, LONGTERM_UPDATE, LONGTERM_RING };
int uring_try_longterm(enum longterm how, void *p, size_t len);

#endif
