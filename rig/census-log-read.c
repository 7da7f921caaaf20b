// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading census.bin, which may be torn, corrupt or somebody's trap. */
#include "census-log-internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)1 << 20)

struct reader_ns {
	uint64_t n;		/* 0: not said, or gone */
	bool framed;
	struct census_runs last;
};

struct census_reader {
	struct census_log_reader cb;
	bool begun;			/* the magic was read */
	bool broken;
	uint64_t at;			/* byte of the file, of the next record */
	struct reader_ns ns[CENSUS_LOG_NS];
	struct census_runs now;
	uint64_t *ptrs;
	size_t nr_ptrs, cap_ptrs;
	struct buf rest;		/* census_reader_fd()'s torn record */
};

/* What is left of a body. A read beyond its end, or of a number that is none,
 * gives 0 and sets @bad. */
struct body {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t get(struct body *b)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && b->p < b->end; shift += 7) {
		uint8_t byte = *b->p++;

		/* The tenth byte has one bit's room. */
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

static int64_t get_signed(struct body *b, int64_t min, int64_t max)
{
	uint64_t v = get(b);
	int64_t s = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);

	b->bad |= s < min || s > max;
	return s;
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static double get_time(struct body *b)
{
	return get(b) / 1e6;
}

static unsigned int get_ns(struct body *b)
{
	uint64_t ns = get(b);

	b->bad |= ns >= CENSUS_LOG_NS;
	return b->bad ? 0 : ns;
}

static char *get_text(struct body *b)
{
	size_t len = b->end - b->p;

	b->bad |= len > LOG_MAX_TEXT || memchr(b->p, '\0', len);
	return b->bad ? NULL : xstrndup((const char *)b->p, len);
}

static uint64_t get_ptr(struct census_reader *r, struct body *b)
{
	uint64_t id = get(b), ptr;

	if (id > r->nr_ptrs || (!id && b->end - b->p < 8)) {
		b->bad = true;
		return 0;
	}
	if (id)
		return r->ptrs[id - 1];
	ptr = get_le(b->p, 8);
	b->p += 8;
	if (r->nr_ptrs == LOG_MAX_PTRS)
		return ptr;
	if (r->nr_ptrs == r->cap_ptrs) {
		r->cap_ptrs = r->cap_ptrs * 2 + 64;
		r->ptrs = xrealloc(r->ptrs, r->cap_ptrs * sizeof(*r->ptrs));
	}
	r->ptrs[r->nr_ptrs++] = ptr;
	return ptr;
}

/* --- frames --------------------------------------------------------------------- */

static void get_view(struct census_reader *r, struct body *b,
		     struct page_view *v)
{
	uint64_t flags = get(b);
	uint64_t order;

	b->bad |= flags > 0xff;
	*v = (struct page_view){
		.tail = flags & LOG_VIEW_TAIL, .torn = flags & LOG_VIEW_TORN,
	};
	v->ref = get_signed(b, INT32_MIN, INT32_MAX);
	if (flags & LOG_VIEW_ORDER) {
		order = get(b);
		b->bad |= order > UINT8_MAX;
		v->order = order;
	}
	if (flags & LOG_VIEW_PINCOUNT)
		v->pincount = get_signed(b, INT32_MIN, INT32_MAX);
	if (flags & LOG_VIEW_MAPPING)
		v->mapping = get_ptr(r, b);
	if (flags & LOG_VIEW_INDEX)
		v->index = get(b);
	if (flags & LOG_VIEW_MAPCOUNT)
		v->mapcount = get_signed(b, INT32_MIN, INT32_MAX);
	if (flags & LOG_VIEW_PGMAP)
		v->pgmap = get_ptr(r, b);
}

/* @n pages from @pos on as they were; *@i is where in @last the search goes
 * on. */
static bool copy_runs(struct census_runs *out, const struct census_runs *last,
		      size_t *i, uint64_t pos, uint64_t n)
{
	uint64_t end = pos + n;

	while (last->v[*i].first + last->v[*i].n <= pos)
		++*i;
	while (pos < end) {
		const struct census_run *l = &last->v[*i];
		uint64_t upto = l->first + l->n < end ? l->first + l->n : end;
		struct census_run run = {
			.first = pos, .n = upto - pos,
			.v = log_view_at(l, pos), .counts = l->counts,
		};

		if (!log_runs_add(out, &run))
			return false;
		pos = upto;
		*i += pos == l->first + l->n;
	}
	return true;
}

static bool get_runs(struct census_reader *r, struct reader_ns *ns,
		     struct body *b)
{
	struct census_runs *out = &r->now, taken;
	uint64_t pos = 0;
	size_t i = 0;

	out->n = 0;
	while (pos < ns->n) {
		uint64_t word = get(b), n = word >> LOG_RUN_BITS;
		struct census_run run = { .first = pos, .n = n };

		if (b->bad || !n || n > ns->n - pos)
			return false;
		switch (word & ((1 << LOG_RUN_BITS) - 1)) {
		case LOG_RUN_COPY:
			if (!ns->framed ||
			    !copy_runs(out, &ns->last, &i, pos, n))
				return false;
			break;
		case LOG_RUN_COUNTS:
			run.counts = true;
			/* fall through */
		case LOG_RUN_CONST:
			get_view(r, b, &run.v);
			if (b->bad || !log_runs_add(out, &run))
				return false;
			break;
		default:
			return false;
		}
		pos += n;
	}
	taken = ns->last;
	ns->last = r->now;
	r->now = taken;
	ns->framed = true;
	return b->p == b->end;
}

static bool frame_record(struct census_reader *r, struct body *b, bool same)
{
	unsigned int nr = get_ns(b);
	struct census_frame f = { .ns = nr, .t = get_time(b), .same = same };
	struct reader_ns *ns = &r->ns[nr];
	uint64_t torn = get(b);

	if (b->bad || !ns->n || torn > ns->n)
		return false;
	if (same ? !ns->framed || b->p != b->end : !get_runs(r, ns, b))
		return false;
	f.torn = torn;
	f.runs = ns->last.v;
	f.nr_runs = ns->last.n;
	if (r->cb.frame)
		r->cb.frame(&f, r->cb.arg);
	return true;
}

/* --- records -------------------------------------------------------------------- */

static bool ns_record(struct census_reader *r, struct body *b)
{
	struct census_log_ns_info info = { .ns = get_ns(b) };
	double t = get_time(b);
	_free_ char *name = NULL;

	info.data_pfn = get(b);
	info.n = get(b);
	info.idle_ref = get_signed(b, INT32_MIN, INT32_MAX);
	name = get_text(b);
	if (b->bad || !info.n || info.n > CENSUS_LOG_PAGES)
		return false;
	info.name = name;
	r->ns[info.ns].n = info.n;
	r->ns[info.ns].framed = false;
	if (r->cb.ns)
		r->cb.ns(&info, t, r->cb.arg);
	return true;
}

static bool gone_record(struct census_reader *r, struct body *b)
{
	unsigned int ns = get_ns(b);
	double t = get_time(b);

	if (b->bad || b->p != b->end || !r->ns[ns].n)
		return false;
	r->ns[ns].n = 0;
	r->ns[ns].framed = false;
	if (r->cb.gone)
		r->cb.gone(ns, t, r->cb.arg);
	return true;
}

static bool mark_record(struct census_reader *r, struct body *b)
{
	double t = get_time(b);
	_free_ char *text = get_text(b);

	if (b->bad)
		return false;
	if (r->cb.mark)
		r->cb.mark(text, t, r->cb.arg);
	return true;
}

static bool event_record(struct census_reader *r, struct body *b)
{
	unsigned int ns = get_ns(b);
	double t = get_time(b);
	_free_ char *json = get_text(b);

	if (b->bad)
		return false;
	if (r->cb.event)
		r->cb.event(ns, json, t, r->cb.arg);
	return true;
}

static bool record(struct census_reader *r, uint8_t type, struct body *b)
{
	switch (type) {
	case LOG_NS:
		return ns_record(r, b);
	case LOG_GONE:
		return gone_record(r, b);
	case LOG_FRAME:
	case LOG_SAME:
		return frame_record(r, b, type == LOG_SAME);
	case LOG_MARK:
		return mark_record(r, b);
	case LOG_EVENT:
		return event_record(r, b);
	default:
		return false;
	}
}

/* The record at @p: its bytes, 0 when it is torn, or -EINVAL. */
static ssize_t one_record(struct census_reader *r, const uint8_t *p, size_t len)
{
	struct body head = { p + 1, p + len }, body;
	uint64_t n;
	size_t at;

	if (!len)
		return 0;
	if (!p[0] || p[0] >= LOG_NR_RECORDS)
		return -EINVAL;
	n = get(&head);
	if (head.bad)
		return len < LOG_MAX_HEAD && head.p == head.end ? 0 : -EINVAL;
	at = head.p - p;
	if (n > LOG_MAX_BODY)
		return -EINVAL;
	if (len < at + 2)
		return 0;
	if (log_check_head(p, at) != get_le(p + at, 2))
		return -EINVAL;
	at += 2;
	if (len < at + n + 4)
		return 0;
	if (log_check_body(p[0], p + at, n) != get_le(p + at + n, 4))
		return -EINVAL;
	body = (struct body){ p + at, p + at + n };
	return record(r, p[0], &body) ? (ssize_t)(at + n + 4) : -EINVAL;
}

struct census_reader *census_reader_new(const struct census_log_reader *cb)
{
	struct census_reader *r = xcalloc(1, sizeof(*r));

	r->cb = *cb;
	return r;
}

void census_reader_free(struct census_reader *r)
{
	if (!r)
		return;
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		free(r->ns[i].last.v);
	free(r->now.v);
	free(r->ptrs);
	buf_free(&r->rest);
	free(r);
}

ssize_t census_reader_feed(struct census_reader *r, const void *data,
			   size_t len, char **why)
{
	const uint8_t *p = data;
	size_t done = 0;
	ssize_t n;

	*why = NULL;
	if (!r->begun) {
		size_t min = len < LOG_MAGIC_LEN ? len : LOG_MAGIC_LEN;

		if (r->broken || (min && memcmp(p, LOG_MAGIC, min) != 0)) {
			r->broken = true;
			*why = xstrdup("it is no census of this version of rig");
			return -EINVAL;
		}
		if (len < LOG_MAGIC_LEN)
			return 0;
		r->begun = true;
		done = r->at = LOG_MAGIC_LEN;
	}
	do {
		n = r->broken ? -EINVAL : one_record(r, p + done, len - done);
		if (n < 0) {
			r->broken = true;
			*why = xstrfmt("the record at byte %llu is corrupt",
				       (unsigned long long)r->at);
			return n;
		}
		done += n;
		r->at += n;
	} while (n);
	return done;
}

ssize_t census_reader_fd(struct census_reader *r, int fd, char **why)
{
	*why = NULL;
	for (;;) {
		struct buf *b = &r->rest;
		ssize_t n, used;

		if (b->cap < b->len + READ_CHUNK + 1) {
			b->cap = b->len + READ_CHUNK + 1;
			b->data = xrealloc(b->data, b->cap);
		}
		n = read(fd, b->data + b->len, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return b->len;
		b->len += n;
		used = census_reader_feed(r, b->data, b->len, why);
		if (used < 0)
			return used;
		memmove(b->data, b->data + used, b->len - used);
		b->len -= used;
	}
}

ssize_t census_log_read(const void *data, size_t len,
			const struct census_log_reader *cb, char **why)
{
	struct census_reader *r = census_reader_new(cb);
	ssize_t n = census_reader_feed(r, data, len, why);

	census_reader_free(r);
	return n;
}
