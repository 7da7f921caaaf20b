// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the reader of census.bin. The first byte says whether
 * the rest is the file as it stands, or bodies of records (type, length, body)
 * that get their checks here: no fuzzer guesses a hash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rig/census-log-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct seen {
	uint64_t n[CENSUS_LOG_NS];
	uint64_t hash, records, budget;
};

static void add(struct seen *s, uint64_t v)
{
	s->hash = (s->hash ^ v) * 0x100000001b3ULL;
}

static void on_ns(const struct census_log_ns_info *ns, double t, void *arg)
{
	struct seen *s = arg;

	must(ns->ns < CENSUS_LOG_NS && ns->n && ns->n <= CENSUS_LOG_PAGES);
	must(t >= 0);
	s->n[ns->ns] = ns->n;
	s->records++;
	add(s, strlen(ns->name));
}

static void on_gone(unsigned int ns, double t, void *arg)
{
	struct seen *s = arg;

	must(s->n[ns]);
	s->n[ns] = 0;
	s->records++;
}

static void on_frame(const struct census_frame *f, void *arg)
{
	struct seen *s = arg;
	uint64_t pos = 0;

	must(s->n[f->ns] && f->torn <= s->n[f->ns]);
	for (size_t i = 0; i < f->nr_runs; i++) {
		const struct census_run *r = &f->runs[i];

		must(r->first == pos && r->n && r->n <= s->n[f->ns] - pos);
		pos += r->n;
		add(s, r->v.index);
		add(s, r->v.ref + r->v.mapping + r->v.pgmap);
	}
	must(pos == s->n[f->ns]);
	s->records++;
}

static void on_mark(const char *text, double t, void *arg)
{
	struct seen *s = arg;

	s->records++;
	add(s, strlen(text));
}

static void on_event(unsigned int ns, const char *json, double t, void *arg)
{
	must(ns < CENSUS_LOG_NS);
	on_mark(json, t, arg);
}

static struct census_log_reader reads(struct seen *s)
{
	return (struct census_log_reader){ on_ns, on_gone, on_frame, on_mark,
					   on_event, s };
}

static void frame_records(const uint8_t *p, size_t len, struct buf *out)
{
	buf_add(out, LOG_MAGIC, LOG_MAGIC_LEN);
	while (len >= 2) {
		size_t n = p[1] < len - 2 ? p[1] : len - 2, at = 1;
		uint8_t head[LOG_MAX_HEAD] = { p[0] % LOG_NR_RECORDS };
		uint16_t check;
		uint32_t sum;

		/* A body of 255 bytes takes two bytes of length. */
		head[at++] = n < 0x80 ? n : (n & 0x7f) | 0x80;
		if (n >= 0x80)
			head[at++] = n >> 7;
		check = log_check_head(head, at);
		memcpy(head + at, &check, 2);
		sum = log_check_body(head[0], p + 2, n);
		buf_add(out, head, at + 2);
		buf_add(out, p + 2, n);
		buf_add(out, &sum, 4);
		p += n + 2;
		len -= n + 2;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_buf_ struct buf file = {};
	struct seen one = {}, two = {};
	struct census_log_reader cb1 = reads(&one), cb2 = reads(&two);
	struct census_reader *r;
	ssize_t all, a, b = 0;
	size_t cut;
	char *why;

	if (!size)
		return 0;
	if (data[0] & 1)
		frame_records(data + 1, size - 1, &file);
	else
		buf_add(&file, data + 1, size - 1);
	all = census_log_read(file.data, file.len, &cb1, &why);
	must(all < 0 ? all == -22 && why : !why && (size_t)all <= file.len);
	free(why);
	/* In two pieces it says the same. */
	r = census_reader_new(&cb2);
	cut = file.len * (data[0] >> 1) / 127;
	a = census_reader_feed(r, file.data, cut, &why);
	free(why);
	if (a >= 0) {
		b = census_reader_feed(r, file.data + a, file.len - a, &why);
		free(why);
	}
	census_reader_free(r);
	must(all < 0 ? a < 0 || b < 0 : a + b == all);
	must(one.records == two.records && one.hash == two.hash);
	return 0;
}
