// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O in flight, and what it does to a file: one that brings data has a
 * span of its own from before it is submitted until it has been reaped, as what
 * it brings may be there from any moment on in between. One that takes data
 * has taken it by the time that it is reaped: what that must be is known only
 * when nothing has changed the file since.
 */
#include "prog-io.h"
#include "prog-internal.h"
#include "guest/agent.h"

#include <stdlib.h>

/* Scaled seconds within which what was let through is over: it is a copy in
 * memory, done by a kernel thread. */
#define LIMIT 10

/* By slot of the reference, whose they are. */
static struct io ios[NR_SLOTS];

/* A step's part of a mapping, as it can be had; false: there is none. */
static bool in_range(const struct map *m, uint64_t *off, uint64_t *len)
{
	*off = *off / 512 * 512;
	*len = (*len + 511) / 512 * 512;
	if (!map_cut(m, *off, len))
		return false;
	if (*len > IO_MAX - *off % PAGE)
		*len = IO_MAX - *off % PAGE;
	return true;
}

bool io_gen(struct gen *g, struct step *s)
{
	/* There may be a gate that is closed. */
	if (!g->gate_closed && gen_chance(g, 60))
		return false;
	if (gen_chance(g, 75)) {
		s->arg[IO_OFF] = s->arg[IO_OFF] / PAGE * PAGE;
		s->arg[IO_LEN] = (1 + gen_below(g, 3)) * PAGE;
	}
	g->ref[s->arg[IO_REF]] = g->map[s->arg[IO_MAP]].file;
	g->map[s->arg[IO_MAP]].touched = true;
	return true;
}

/* What the device brought is in the file, or may be. */
static void came(struct lane *l, struct span *sp, uint64_t off, const void *data,
	     size_t n)
{
	uint64_t in_file;

	/* Unsettled, it leaves nobody sure. */
	if (sp->clash)
		return;
	/* What comes behind the end of the file is nobody's. */
	in_file = off < sp->ino->size ? sp->ino->size - off : 0;
	if (in_file > n)
		in_file = n;
	if (in_file)
		model_data(l, sp, off, data, in_file);
	else
		model_nothing(sp);
}

static void tell_lost(struct lane *l, const struct hold *h)
{
	struct json_object *d = json_object_new_object();
	char key[120], title[200];

	snprintf(key, sizeof(key), "%s lost %s", wl->fs, h->kind);
	snprintf(title, sizeof(title), "%s from or to an %s mapping is not over %d s after its device went on",
		 h->kind, wl->fs, (int)(LIMIT * wl->scale));
	put_str(d, "what", "lost");
	put_str(d, "kind", h->kind);
	put_num(d, "step", l->step ? l->step->nr : ex->prog->n + 1);
	finding("waiting", key, title, title, d);
}

/* It is on its way through an open gate, or through already. */
static void reap(struct lane *l, struct hold *h, struct io *io)
{
	uint64_t off = h->off + (uintptr_t)h->p % PAGE;
	ssize_t n = io->engine->end(io, LIMIT * wl->scale);

	if (n == -ETIME) {
		tell_lost(l, h);
		return;
	}
	io_over();
	if (n <= 0)
		return;
	if (io->in && h->span)
		came(l, h->span, off, io->data, n);
	else if (!io->in && pread(io->fds.disk, io->data, io->len, io->at) ==
			    (ssize_t)io->len)
		ref_check(l, h, io->data, n);
}

static void release(struct lane *l, struct hold *h)
{
	gate_let_through(l);
	reap(l, h, &ios[h - ex->holds]);
}

bool io_is_flying(const struct hold *h)
{
	return h->release == release;
}

static int prepare(struct io *io, const struct io_engine *e, struct map *m,
		   const struct step *s, uint64_t off, uint64_t len, bool in)
{
	char *data = io->data ?: aligned_alloc(PAGE, 16 * PAGE);

	*io = (struct io){ .engine = e, .in = in,
			   .p = m->p + off, .len = len, .data = data,
			   .at = s->arg[IO_REF] * KiB(64) };
	if (!data)
		return ENOMEM;
	return io_begin(&io->fds);
}

/* What it is to bring, on the device; and who has to know of it. */
static int bring(struct lane *l, struct io *io, struct hold *h, struct map *m,
		 uint64_t off, const struct step *s)
{
	struct span *sp;

	data_fill(io->data, m->ino, s->nr, m->off + off, io->len);
	if (pwrite(io->fds.disk, io->data, io->len, io->at) !=
	    (ssize_t)io->len)
		return EIO;
	if (!m->own) {
		h->span = span_open(NULL, m->ino, m->off + off, io->len, true);
		return 0;
	}
	/* Copies, from now on, of nobody knows what. */
	sp = map_will_copy(l, m, off, io->len);
	map_unknown(l, sp, off, io->len);
	return 0;
}

int io_run(struct lane *l, const struct step *s, const struct io_engine *e,
	   bool in)
{
	struct map *m = use_map(l, s->arg[IO_MAP]);
	uint64_t off = s->arg[IO_OFF], len = s->arg[IO_LEN];
	struct hold *h;
	struct io *io;
	int err;

	if (!m || !in_range(m, &off, &len) || (in && !(m->prot & PROT_WRITE)))
		return VOID;
	h = fresh_ref(l, s->arg[IO_REF], in ? e->in : e->out, m, off, len);
	if (!h)
		return VOID;
	io = &ios[s->arg[IO_REF]];
	err = prepare(io, e, m, s, off, len, in);
	if (err) {
		ref_none(l, h);
		return err;
	}
	err = in ? bring(l, io, h, m, off, s) : 0;
	if (!err)
		err = e->start(io);
	if (err) {
		if (h->span)
			span_close(h->span, EINVAL);
		io_over();
		ref_none(l, h);
		return err;
	}
	h->release = release;
	/* Otherwise the gate is open, or was opened, and stays so. */
	if (!gate_keeps(l, h))
		ref_release(l, h);
	return 0;
}

/* --- at once ------------------------------------------------------------------- */

bool io_now_gen(struct gen *g, struct step *s)
{
	/* One thread would only wait until somebody opens it. */
	if (g->gate_closed && g->out->threads == 1)
		return false;
	if (gen_chance(g, 75)) {
		s->arg[NOW_OFF] = s->arg[NOW_OFF] / PAGE * PAGE;
		s->arg[NOW_LEN] = (1 + gen_below(g, 3)) * PAGE;
	}
	g->map[s->arg[NOW_MAP]].touched = true;
	return true;
}

static int now_out(struct lane *l, struct map *m, const struct gate_fds *fds,
		   uint64_t at, uint64_t off, uint64_t len)
{
	struct span *sp = map_will_load(l, m, off, len);
	ssize_t n = pwrite(fds->gate, m->p + off, len, at);

	if (n < 0)
		return errno;
	if (pread(fds->disk, l->buf, len, at) == (ssize_t)len)
		map_loaded(l, sp, off, l->buf, n, "direct I/O");
	return 0;
}

static int now_in(struct lane *l, struct map *m, const struct gate_fds *fds,
		  uint64_t at, uint64_t off, uint64_t len, unsigned int step)
{
	struct span *sp;
	ssize_t n;
	int err;

	data_fill(l->buf, m->ino, step, m->off + off, len);
	if (pwrite(fds->disk, l->buf, len, at) != (ssize_t)len)
		return EIO;
	sp = map_will_store(l, m, off, len);
	n = pread(fds->gate, m->p + off, len, at);
	err = n < 0 ? errno : 0;
	if (n > 0)
		map_stored(l, sp, off, l->buf, n, false);
	/* What was faulted in and not written to may be copied. */
	if (n < (ssize_t)len)
		map_unknown(l, sp, off + (n > 0 ? n : 0),
			    len - (n > 0 ? n : 0));
	return err;
}

int io_now(struct lane *l, const struct step *s, bool in)
{
	struct map *m = use_map(l, s->arg[NOW_MAP]);
	uint64_t off = s->arg[NOW_OFF], len = s->arg[NOW_LEN];
	uint64_t at = (NR_SLOTS + l->nr) * KiB(64);
	struct gate_fds fds;
	int err;

	if (!m || !in_range(m, &off, &len) || (in && !(m->prot & PROT_WRITE)))
		return VOID;
	err = io_begin(&fds);
	if (err)
		return err;
	err = in ? now_in(l, m, &fds, at, off, len, s->nr) :
		   now_out(l, m, &fds, at, off, len);
	io_over();
	return err;
}
