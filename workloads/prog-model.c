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

#define DATA_MAGIC 0xd5ull

/* magic:8 nonce:8 file:8 step:16 position/8:24, so that a word mixed of two
 * writes of one program at any byte still tells file and program. */
uint64_t data_word(const struct ino *ino, unsigned int step, uint64_t off)
{
	return DATA_MAGIC << 56 | (uint64_t)(ex->nonce & 0xff) << 48 |
	       (uint64_t)(ino->id & 0xff) << 40 |
	       (uint64_t)(step & 0xffff) << 24 | (off / 8 & 0xffffff);
}

void data_fill(void *p, const struct ino *ino, unsigned int step, uint64_t off,
	       size_t len)
{
	char *to = p;
	uint64_t word = data_word(ino, step, off);
	size_t head = -off % 8 < len ? -off % 8 : len, words;

	if (head) {
		memcpy(to, (char *)&word + off % 8, head);
		word++;
	}
	to += head;
	words = (len - head) / 8;
	/* MAX_FILE / 8 has 20 bits: the position never carries. */
	for (size_t i = 0; i < words; i++, to += 8) {
		uint64_t w = word + i;

		memcpy(to, &w, 8);
	}
	word += words;
	memcpy(to, &word, (len - head) % 8);
}

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
	memset(ino->unsure + off, 1, end - off);
	ino->any_unsure = true;
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

static void sure(struct ino *ino, uint64_t off, uint64_t end)
{
	if (ino->any_unsure)
		memset(ino->unsure + off, 0, end - off);
}

/* Zeroes at [@off, @end): pages that were never touched stay so. */
static void zero(struct ino *ino, uint64_t off, uint64_t end)
{
	if (end > off)
		memset(ino->data + off, 0, end - off);
	if (end > off)
		sure(ino, off, end);
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

void model_data(struct lane *l, struct span *sp, uint64_t off, const void *from,
		uint64_t len)
{
	struct ino *ino = sp->ino;
	uint64_t end = cut(off, len);

	pthread_mutex_lock(&ex->lock);
	memcpy(ino->data + off, from, end - off);
	sure(ino, off, end);
	grow(ino, off, end);
	changed(l, ino, off, end);
	settle(sp);
	pthread_mutex_unlock(&ex->lock);
}

void model_zero(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	uint64_t end = cut(off, len);

	pthread_mutex_lock(&ex->lock);
	if (end > sp->ino->size)
		end = sp->ino->size;
	zero(sp->ino, off, end);
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
	zero(ino, size, old);
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
	uint64_t rest;

	pthread_mutex_lock(&ex->lock);
	if (ino->size_unsure) {
		unsure(ino, off, MAX_FILE);
	} else if (off + len <= ino->size) {
		rest = ino->size - off - len;
		memmove(ino->data + off, ino->data + off + len, rest);
		memmove(ino->unsure + off, ino->unsure + off + len, rest);
		changed(l, ino, off, ino->size);
		ino->size -= len;
		zero(ino, ino->size, ino->size + len);
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
		memmove(ino->data + off + len, ino->data + off,
			ino->size - off);
		memmove(ino->unsure + off + len, ino->unsure + off,
			ino->size - off);
		ino->size += len;
		zero(ino, off, off + len);
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
}

void will_flow(struct ino *to, const struct ino *from)
{
	pthread_mutex_lock(&ex->lock);
	flow(to, from);
	to->moved = true;
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
	memmove(to->data + doff, from->data + soff, end - doff);
	sure(to, doff, end);
	if (from->any_unsure) {
		memmove(to->unsure + doff, from->unsure + soff, end - doff);
		to->any_unsure = true;
	}
	grow(to, doff, end);
	if (src->clash || from->size_unsure)
		unsure(to, doff, end);
	flow(to, from);
	to->moved |= doff != soff;
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

	pthread_mutex_lock(&ex->lock);
	for (uint64_t i = 0; i < len; i++) {
		char c = x->data[aoff + i];
		uint8_t u = x->unsure[aoff + i];

		x->data[aoff + i] = y->data[boff + i];
		x->unsure[aoff + i] = y->unsure[boff + i];
		y->data[boff + i] = c;
		y->unsure[boff + i] = u;
	}
	x->any_unsure = y->any_unsure = x->any_unsure || y->any_unsure;
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
