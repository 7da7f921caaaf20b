// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing census.bin: frames are taken, compared with the last and encoded. */
#include "census-log-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* --- runs ----------------------------------------------------------------------- */

static bool same_runs(const struct census_runs *a, const struct census_runs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct census_run *x = &a->v[i], *y = &b->v[i];

		if (x->n != y->n || x->counts != y->counts ||
		    x->v.index != y->v.index || !log_view_like(&x->v, &y->v))
			return false;
	}
	return true;
}

/* --- pointers --------------------------------------------------------------------- */

/* Numbers from 1 on for distinct pointers, in the order they are met: open
 * addressing, at most half full. */
struct census_ptrs {
	size_t n, mask;
	struct {
		uint64_t ptr;
		uint32_t id;	/* 0: free */
	} v[];
};

static struct census_ptrs *ptrs_new(size_t cap)
{
	struct census_ptrs *p = xcalloc(1, sizeof(*p) + cap * sizeof(p->v[0]));

	p->mask = cap - 1;
	return p;
}

static size_t ptrs_slot(const struct census_ptrs *p, uint64_t ptr)
{
	size_t i = (ptr * 0x9e3779b97f4a7c15ULL) >> 20 & p->mask;

	while (p->v[i].id && p->v[i].ptr != ptr)
		i = (i + 1) & p->mask;
	return i;
}

/* 0: it is new, and has the next number if there is room for one more. */
static uint32_t ptrs_find(struct census_ptrs **pp, uint64_t ptr)
{
	struct census_ptrs *p = *pp ? *pp : (*pp = ptrs_new(256)), *old;
	size_t i = ptrs_slot(p, ptr);

	if (p->v[i].id)
		return p->v[i].id;
	if (p->n == LOG_MAX_PTRS)
		return 0;
	p->v[i].ptr = ptr;
	p->v[i].id = ++p->n;
	if (p->n * 2 <= p->mask)
		return 0;
	old = p;
	*pp = p = ptrs_new((old->mask + 1) * 2);
	p->n = old->n;
	for (size_t k = 0; k <= old->mask; k++)
		if (old->v[k].id)
			p->v[ptrs_slot(p, old->v[k].ptr)] = old->v[k];
	free(old);
	return 0;
}

/* --- records ---------------------------------------------------------------------- */

static size_t varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = v | 0x80;
	p[n++] = v;
	return n;
}

static void put(struct buf *b, uint64_t v)
{
	uint8_t bytes[10];

	buf_add(b, bytes, varint(bytes, v));
}

/* Small numbers of either sign are short: 0, -1, 1, -2 ... */
static void put_signed(struct buf *b, int64_t v)
{
	put(b, (uint64_t)v << 1 ^ v >> 63);
}

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = v >> 8 * i;
}

static void put_ptr(struct census_log *l, uint64_t ptr)
{
	uint32_t id = ptrs_find(&l->ptrs, ptr);
	uint8_t bytes[8];

	put(&l->body, id);
	if (id)
		return;
	put_le(bytes, ptr, sizeof(bytes));
	buf_add(&l->body, bytes, sizeof(bytes));
}

static int fail(struct census_log *l, int err)
{
	if (!l->error)
		l->error = err;
	return l->error;
}

static void begin(struct census_log *l)
{
	l->body.len = 0;
	buf_add(&l->body, "", 0);
}

static void put_time(struct census_log *l)
{
	double t = now() - l->start;

	put(&l->body, t > 0 ? t * 1e6 : 0);
}

/* l->body as one record, by one write. */
static int end(struct census_log *l, enum log_record type)
{
	uint8_t head[LOG_MAX_HEAD] = { type }, tail[4];
	size_t n = 1 + varint(head + 1, l->body.len);
	_buf_ struct buf out = {};
	int err;

	if (l->error)
		return l->error;
	/* What is not written leaves a gap that no reader can bridge. */
	if (l->body.len > LOG_MAX_BODY)
		return fail(l, -E2BIG);
	put_le(head + n, log_check_head(head, n), 2);
	put_le(tail, log_check_body(type, l->body.data, l->body.len), 4);
	buf_add(&out, head, n + 2);
	buf_add(&out, l->body.data, l->body.len);
	buf_add(&out, tail, sizeof(tail));
	err = write_all(l->fd, out.data, out.len);
	if (err)
		return fail(l, err);
	l->bytes += out.len;
	return 0;
}

int census_log_open(struct census_log *l, const char *path)
{
	int err;

	*l = (struct census_log)CENSUS_LOG_INIT;
	l->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (l->fd < 0)
		return -errno;
	l->start = now();
	/* Only a hint to readers: a filesystem without locks will do. */
	flock(l->fd, LOCK_EX | LOCK_NB);
	err = write_all(l->fd, LOG_MAGIC, LOG_MAGIC_LEN);
	if (err) {
		census_log_close(l);
		return err;
	}
	l->bytes = LOG_MAGIC_LEN;
	return 0;
}

void census_log_close(struct census_log *l)
{
	cleanup_fd(&l->fd);
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		free(l->ns[i].last.v);
	free(l->now.v);
	free(l->ptrs);
	buf_free(&l->body);
	*l = (struct census_log)CENSUS_LOG_INIT;
}

int census_log_ns(struct census_log *l, unsigned int ns,
		  const struct census_ns *c, int32_t idle_ref)
{
	if (ns >= CENSUS_LOG_NS || !c->n || c->n > CENSUS_LOG_PAGES ||
	    strlen(c->name) > LOG_MAX_TEXT)
		return -EINVAL;
	begin(l);
	put(&l->body, ns);
	put_time(l);
	put(&l->body, c->data_pfn);
	put(&l->body, c->n);
	put_signed(&l->body, idle_ref);
	buf_add(&l->body, c->name, strlen(c->name));
	l->ns[ns].n = c->n;
	l->ns[ns].framed = false;
	return end(l, LOG_NS);
}

int census_log_gone(struct census_log *l, unsigned int ns)
{
	if (ns >= CENSUS_LOG_NS || !l->ns[ns].n)
		return -EINVAL;
	l->ns[ns].n = 0;
	l->ns[ns].framed = false;
	begin(l);
	put(&l->body, ns);
	put_time(l);
	return end(l, LOG_GONE);
}

int census_log_mark(struct census_log *l, const char *text)
{
	if (strlen(text) > LOG_MAX_TEXT)
		return -EINVAL;
	begin(l);
	put_time(l);
	buf_add(&l->body, text, strlen(text));
	return end(l, LOG_MARK);
}

int census_log_event(struct census_log *l, unsigned int ns, const char *json)
{
	if (ns >= CENSUS_LOG_NS || strlen(json) > LOG_MAX_TEXT)
		return -EINVAL;
	begin(l);
	put(&l->body, ns);
	put_time(l);
	buf_add(&l->body, json, strlen(json));
	return end(l, LOG_EVENT);
}

/* --- taking a frame --------------------------------------------------------------- */

/* Largest struct page that is compared as it stands; others are decoded. */
#define MAX_RAW 128

/* The bytes of the page before: most pages are like it but for the index. */
struct raw {
	bool known;
	size_t words, index;	/* of a struct page; the index's, or SIZE_MAX */
	uint64_t last[MAX_RAW / 8], now[MAX_RAW / 8];
	uint64_t mask[MAX_RAW / 8];	/* 0 for the index, all ones else */
};

static inline uint64_t difference(struct raw *r, const uint8_t *p, size_t words)
{
	uint64_t diff = 0;

	memcpy(r->now, p, words * 8);
	for (size_t i = 0; i < words; i++)
		diff |= (r->now[i] ^ r->last[i]) & r->mask[i];
	return diff;
}

/*
 * Whether the struct page at @p, which is read to r->now, is the one before
 * but for an index that stays (*@step 0) or is one more (1).
 */
static inline bool raw_is_like_last(struct raw *r, const uint8_t *p,
				    uint64_t *step)
{
	/* 64 bytes is what all but debug kernels have: unrolled. */
	uint64_t diff = r->words == 8 ? difference(r, p, 8) :
					difference(r, p, r->words);

	*step = r->index < r->words ? r->now[r->index] - r->last[r->index] : 0;
	return r->known && !diff && *step <= 1;
}

static bool take_page(const struct census_ns *c, uint64_t i, const uint8_t *p,
		      struct raw *r, struct census_runs *out, size_t *torn)
{
	struct census_run run = { .first = i, .n = 1 };
	struct census_run *last = out->n ? &out->v[out->n - 1] : NULL;
	uint64_t step;

	if (r->words && raw_is_like_last(r, p, &step) &&
	    (last->n == 1 || last->counts == step)) {
		last->n++;
		last->counts = step;
		if (step)
			r->last[r->index]++;
		return true;
	}
	census_read(c, i, &run.v);
	*torn += run.v.torn;
	/* Members of a large folio's head lie in the next page. And what was
	 * decoded may be newer than r->now. */
	memcpy(r->last, p, r->words * 8);
	r->known = !run.v.torn && !run.v.order && !run.v.pincount &&
		   memcmp(r->last, r->now, r->words * 8) == 0;
	return log_runs_add(out, &run);
}

static bool take_frame(const struct census_ns *c, struct census_runs *out,
		       size_t *torn)
{
	size_t size = c->layout.size > 0 ? c->layout.size : 0;
	struct raw r = {
		.words = size % 8 || size > MAX_RAW ? 0 : size / 8,
		.index = c->layout.index >= 0 && c->layout.index % 8 == 0 ?
				 (size_t)c->layout.index / 8 : SIZE_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(r.mask); i++)
		r.mask[i] = i == r.index ? 0 : ~(uint64_t)0;
	out->n = 0;
	*torn = 0;
	for (size_t s = 0; s < c->nr_seg; s++) {
		const struct census_seg *seg = &c->seg[s];
		size_t words = r.words;

		/* One page that does not lie in one piece: decoded. */
		if (seg->rest)
			r.words = 0;
		for (uint64_t k = 0; k < seg->n; k++)
			if (!take_page(c, seg->first + k, seg->p + k * size,
				       &r, out, torn))
				return false;
		r.words = words;
		r.known &= !seg->rest;
	}
	return true;
}

static void put_run(struct census_log *l, const struct census_run *run)
{
	const struct page_view *v = &run->v;
	unsigned int flags = (v->tail ? LOG_VIEW_TAIL : 0) |
			     (v->torn ? LOG_VIEW_TORN : 0) |
			     (v->order ? LOG_VIEW_ORDER : 0) |
			     (v->pincount ? LOG_VIEW_PINCOUNT : 0) |
			     (v->mapping ? LOG_VIEW_MAPPING : 0) |
			     (v->index ? LOG_VIEW_INDEX : 0) |
			     (v->mapcount ? LOG_VIEW_MAPCOUNT : 0) |
			     (v->pgmap ? LOG_VIEW_PGMAP : 0);

	put(&l->body, run->n << LOG_RUN_BITS |
		      (run->counts ? LOG_RUN_COUNTS : LOG_RUN_CONST));
	put(&l->body, flags);
	put_signed(&l->body, v->ref);
	if (v->order)
		put(&l->body, v->order);
	if (v->pincount)
		put_signed(&l->body, v->pincount);
	if (v->mapping)
		put_ptr(l, v->mapping);
	if (v->index)
		put(&l->body, v->index);
	if (v->mapcount)
		put_signed(&l->body, v->mapcount);
	if (v->pgmap)
		put_ptr(l, v->pgmap);
}

/*
 * Runs of @now; what @last has too, up to where they differ within a run, is
 * only counted. Both cover the same pages.
 */
static void put_runs(struct census_log *l, const struct census_runs *last,
		     const struct census_runs *now, uint64_t pages)
{
	uint64_t pos = 0, copied = 0;
	size_t i = 0, j = 0;

	while (pos < pages) {
		const struct census_run *a = last ? &last->v[i] : NULL;
		const struct census_run *b = &now->v[j];
		uint64_t end = b->first + b->n;
		struct census_run rest;

		if (a && a->first + a->n < end)
			end = a->first + a->n;
		rest = (struct census_run){
			.first = pos, .n = end - pos,
			.v = log_view_at(b, pos), .counts = b->counts,
		};
		if (a && log_view_like(&a->v, &b->v) &&
		    log_view_at(a, pos).index == rest.v.index &&
		    (rest.n == 1 || a->counts == b->counts)) {
			copied += rest.n;
		} else {
			if (copied)
				put(&l->body, copied << LOG_RUN_BITS |
					      LOG_RUN_COPY);
			copied = 0;
			/* All of the run that is left: as short as its part. */
			end = b->first + b->n;
			rest.n = end - pos;
			put_run(l, &rest);
		}
		pos = end;
		j += pos == b->first + b->n;
		while (last && i < last->n &&
		       last->v[i].first + last->v[i].n <= pos)
			i++;
	}
	if (copied)
		put(&l->body, copied << LOG_RUN_BITS | LOG_RUN_COPY);
}

int census_log_frame(struct census_log *l, unsigned int ns,
		     const struct census_ns *c)
{
	struct census_runs taken;
	bool same;
	size_t torn;

	if (l->error)
		return l->error;
	if (ns >= CENSUS_LOG_NS || !l->ns[ns].n || l->ns[ns].n != c->n)
		return -EINVAL;
	begin(l);
	put(&l->body, ns);
	put_time(l);
	if (!take_frame(c, &l->now, &torn))
		return fail(l, -E2BIG);
	put(&l->body, torn);
	same = l->ns[ns].framed && same_runs(&l->ns[ns].last, &l->now);
	if (same)
		return end(l, LOG_SAME);
	put_runs(l, l->ns[ns].framed ? &l->ns[ns].last : NULL, &l->now, c->n);
	taken = l->now;
	l->now = l->ns[ns].last;
	l->ns[ns].last = taken;
	l->ns[ns].framed = true;
	return end(l, LOG_FRAME);
}
