// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every file of a program has to hold, byte for byte.
 *
 * A step opens spans over what it is about to read or change, does its system
 * call, and says what became of it. Two steps at a time in one span, one of
 * them changing it, may have been served in either order: what is in it then
 * is unsure, until it is written again or check_all() looks. Everything else
 * is exact, however many threads there are.
 *
 * Invariant: beyond a file's size the model holds zeroes, and is sure of them.
 */
#include "prog-internal.h"

/* --- spans -------------------------------------------------------------------- */

static bool overlap(const struct span *a, const struct span *b)
{
	return a->ino == b->ino && a->off < b->end && b->off < a->end;
}

struct span *span_open(struct lane *l, struct ino *ino, uint64_t off,
		       uint64_t len, bool write)
{
	struct span *sp = calloc(1, sizeof(*sp));

	sp->lane = l;
	sp->ino = ino;
	sp->off = off < MAX_FILE ? off : MAX_FILE;
	sp->end = len < MAX_FILE - sp->off ? sp->off + len : MAX_FILE;
	sp->write = write;
	pthread_mutex_lock(&ex->lock);
	/* Whoever makes a file longer changes all that is behind its end. */
	if (write && sp->end > ino->size) {
		if (sp->off > ino->size)
			sp->off = ino->size;
		sp->end = MAX_FILE;
	}
	for (struct span *o = ex->spans; o; o = o->next)
		if ((!l || o->lane != l) && overlap(sp, o)) {
			sp->clash |= o->write;
			o->clash |= write;
		}
	sp->next = ex->spans;
	ex->spans = sp;
	pthread_mutex_unlock(&ex->lock);
	return sp;
}

struct span *will_read(struct lane *l, struct ino *ino, uint64_t off,
		       uint64_t len)
{
	return span_open(l, ino, off, len, false);
}

struct span *will_write(struct lane *l, struct ino *ino, uint64_t off,
			uint64_t len)
{
	return span_open(l, ino, off, len, true);
}

struct span *will_change(struct lane *l, struct ino *ino, uint64_t off)
{
	return span_open(l, ino, off, MAX_FILE, true);
}

static void unsure(struct ino *ino, uint64_t off, uint64_t end)
{
	if (end > ino->size)
		end = ino->size;
	if (off >= end)
		return;
	content_unsure(&ino->holds, off, end);
}

/* Errors after which nothing of what was asked for was done. */
static bool is_refusal(int err)
{
	static const int refusals[] = { EINVAL, EOPNOTSUPP, EBADF, EPERM,
		EACCES, EEXIST, ENOENT, EISDIR, ENOTDIR, ETXTBSY, EFBIG,
		EXDEV, ENOTTY, ENOSYS, EBUSY, EOVERFLOW, ESPIPE, ENXIO,
		EILSEQ };

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (refusals[i] == err)
			return true;
	return false;
}

void span_close(struct span *sp, int err)
{
	struct span **at = &ex->spans;
	struct ino *ino = sp->ino;

	pthread_mutex_lock(&ex->lock);
	while (*at != sp)
		at = &(*at)->next;
	*at = sp->next;
	if (sp->copying) {
		sp->map->copies++;
		if (!--sp->map->copiers)
			sp->map->mixed = false;
	}
	if (sp->write && !sp->settled && err != VOID && !is_refusal(err)) {
		unsure(ino, sp->off, sp->end);
		ino->size_unsure |= sp->end == MAX_FILE;
		ino->changes++;
		copies_lost(ino, sp->off);
	} else if (sp->write && sp->clash) {
		unsure(ino, sp->off, sp->end);
		ino->size_unsure |= sp->end == MAX_FILE;
	}
	pthread_mutex_unlock(&ex->lock);
	free(sp);
}

/* --- what steps do --------------------------------------------------------------- */

static void changed(struct lane *l, struct ino *ino, uint64_t off, uint64_t end)
{
	unsigned int nr = l && l->step ? l->step->nr : 0;

	/* Copy on write: the file may have another block there now. */
	for (int i = 0; ino->shared && i < NR_SLOTS; i++) {
		struct hold *h = &ex->holds[i];

		if (h->used && h->ino == ino && h->off < end &&
		    off < h->off + h->len)
			h->detached = true;
	}

	for (uint64_t page = off / PAGE; page * PAGE < end; page++)
		ino->last[page] = nr;
	ino->changes++;
}

static void settle(struct span *sp)
{
	sp->settled = true;
}

static uint64_t cut(uint64_t off, uint64_t len)
{
	return len < MAX_FILE - off ? off + len : MAX_FILE;
}

/* The file reaches to @end at least; from where it did to @off are zeroes, if
 * that is where it ended. */
static void grow(struct ino *ino, uint64_t off, uint64_t end)
{
	uint64_t old = ino->size;

	if (end <= old)
		return;
	ino->size = end;
	if (ino->size_unsure && off > old)
		unsure(ino, old, off);
}

static void wrote(struct lane *l, struct span *sp, uint64_t off, uint64_t end)
{
	grow(sp->ino, off, end);
	changed(l, sp->ino, off, end);
	settle(sp);
}

void model_wrote(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	uint64_t end = cut(off, len);

	pthread_mutex_lock(&ex->lock);
	content_step(&sp->ino->holds, off, end, sp->ino->id, l->step->nr, off);
	wrote(l, sp, off, end);
	pthread_mutex_unlock(&ex->lock);
}

void model_data(struct lane *l, struct span *sp, uint64_t off, const void *from,
		uint64_t len)
{
	uint64_t end = cut(off, len);

	pthread_mutex_lock(&ex->lock);
	content_bytes(&sp->ino->holds, off, from, end - off);
	wrote(l, sp, off, end);
	pthread_mutex_unlock(&ex->lock);
}

void model_zero(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	uint64_t end = cut(off, len);

	pthread_mutex_lock(&ex->lock);
	if (end > sp->ino->size)
		end = sp->ino->size;
	content_zero(&sp->ino->holds, off, end);
	changed(l, sp->ino, off, end);
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

void model_size(struct lane *l, struct span *sp, uint64_t size)
{
	struct ino *ino = sp->ino;
	uint64_t old;

	pthread_mutex_lock(&ex->lock);
	old = ino->size;
	content_zero(&ino->holds, size, MAX_FILE);
	if (size > old)
		grow(ino, size, size);
	ino->size = size;
	ino->size_unsure = false;
	changed(l, ino, size < old ? size : old, size < old ? old : size);
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

void model_collapse(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	struct ino *ino = sp->ino;

	pthread_mutex_lock(&ex->lock);
	if (ino->size_unsure) {
		unsure(ino, off, MAX_FILE);
	} else if (off + len <= ino->size) {
		content_collapse(&ino->holds, off, len);
		changed(l, ino, off, ino->size);
		ino->size -= len;
	}
	ino->moved = true;
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

void model_insert(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	struct ino *ino = sp->ino;

	pthread_mutex_lock(&ex->lock);
	if (ino->size_unsure) {
		unsure(ino, off, MAX_FILE);
	} else if (off < ino->size && ino->size + len <= MAX_FILE) {
		content_insert(&ino->holds, off, len);
		ino->size += len;
		changed(l, ino, off, ino->size);
	}
	ino->moved = true;
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

static void flow(struct ino *to, const struct ino *from)
{
	to->flow |= from->flow;
	to->moved |= from->moved;
	to->shifted |= from->shifted;
}

void will_shift(struct ino *ino)
{
	pthread_mutex_lock(&ex->lock);
	ino->moved = ino->shifted = true;
	pthread_mutex_unlock(&ex->lock);
}

void will_copy(struct ino *to, const struct ino *from)
{
	pthread_mutex_lock(&ex->lock);
	flow(to, from);
	to->moved = true;
	pthread_mutex_unlock(&ex->lock);
}

void will_flow(struct ino *to, struct ino *from)
{
	will_copy(to, from);
	pthread_mutex_lock(&ex->lock);
	/* Before anybody writes to what is shared by then. */
	to->shared = from->shared = true;
	pthread_mutex_unlock(&ex->lock);
}

void model_copy(struct lane *l, struct span *dst, uint64_t doff,
		struct span *src, uint64_t soff, uint64_t len, bool shared)
{
	struct ino *to = dst->ino, *from = src->ino;
	uint64_t end = cut(doff, len);

	pthread_mutex_lock(&ex->lock);
	/* Both ends were looked at by the caller, who knows the sizes. */
	if (soff + (end - doff) > MAX_FILE)
		end = doff + MAX_FILE - soff;
	content_copy(&to->holds, doff, &from->holds, soff, end - doff);
	grow(to, doff, end);
	if (src->clash || from->size_unsure)
		unsure(to, doff, end);
	flow(to, from);
	to->moved |= doff != soff;
	to->shifted |= (doff - soff) % 8 != 0;
	if (shared)
		to->shared = from->shared = true;
	changed(l, to, doff, end);
	settle(dst);
	/* One that was changed in the same step, as by a swap, is not read. */
	if (src->write && src != dst)
		settle(src);
	pthread_mutex_unlock(&ex->lock);
}

void model_swap(struct lane *l, struct span *a, uint64_t aoff, struct span *b,
		uint64_t boff, uint64_t len)
{
	struct ino *x = a->ino, *y = b->ino;
	struct content was = {};

	pthread_mutex_lock(&ex->lock);
	content_copy(&was, 0, &x->holds, aoff, len);
	content_copy(&x->holds, aoff, &y->holds, boff, len);
	content_copy(&y->holds, boff, &was, 0, len);
	content_free(&was);
	if (a->clash || b->clash) {
		unsure(x, aoff, aoff + len);
		unsure(y, boff, boff + len);
	}
	flow(x, y);
	flow(y, x);
	x->moved = y->moved = true;
	x->shared = y->shared = x->shared || y->shared;
	changed(l, x, aoff, aoff + len);
	changed(l, y, boff, boff + len);
	settle(a);
	settle(b);
	pthread_mutex_unlock(&ex->lock);
}

void model_same(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		bool shared)
{
	pthread_mutex_lock(&ex->lock);
	sp->ino->shared |= shared;
	changed(l, sp->ino, off, cut(off, len));
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

void model_nothing(struct span *sp)
{
	settle(sp);
}

void model_unsure(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&ex->lock);
	unsure(sp->ino, off, cut(off, len));
	changed(l, sp->ino, off, cut(off, len));
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}
