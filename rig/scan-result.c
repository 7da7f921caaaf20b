// SPDX-License-Identifier: GPL-2.0-or-later
/* Finished reports into what scan.h gives: see scan-internal.h. */
#include "scan-internal.h"
#include "finding.h"

#include <ctype.h>
#include <string.h>
#include <xxhash.h>

enum { COUNTERS = 4096 };

/* How many reports there were of one kind, key, site and case. */
struct counter {
	uint64_t hash;
	unsigned int n;
	size_t index;		/* in kreports, of the last that was kept */
};

/* Addresses, pids, counts and sizes differ each time; the digit of "int3" is a
 * part of its name. */
static void add_stable(struct buf *b, const char *msg)
{
	for (unsigned char prev = ' '; *msg; prev = *msg++) {
		if (!isdigit((unsigned char)*msg) || isalnum(prev)) {
			buf_add(b, msg, 1);
			continue;
		}
		buf_add(b, "N", 1);
		while (isxdigit((unsigned char)msg[1]) || msg[1] == 'x')
			msg++;
	}
}

/* Function and values into a template; see struct pattern. */
static void expand(struct buf *b, const char *tpl, const struct rep *r,
		   const char *func, bool key)
{
	size_t mark = 0;
	bool empty = false, open = false;

	buf_add(b, "", 0);
	while (*tpl) {
		const char *val = NULL;

		if (*tpl == '{') {
			open = true;
			empty = false;
			mark = b->len;
			tpl++;
			continue;
		}
		if (*tpl == '}') {
			if (open && empty) {
				b->len = mark;
				b->data[mark] = '\0';
			}
			open = false;
			tpl++;
			continue;
		}
		if (starts_with(tpl, "$func")) {
			val = func;
			tpl += 5;
		} else if (starts_with(tpl, "$at")) {
			val = r->val.at;
			tpl += 3;
		} else if (starts_with(tpl, "$msg")) {
			val = r->val.msg;
			tpl += 4;
		}
		if (!val) {
			buf_add(b, tpl++, 1);
			continue;
		}
		empty |= !*val;
		if (key && val == r->val.msg)
			add_stable(b, val);
		else
			buf_add(b, val, strlen(val));
	}
}

/* The function the report is about: the first one that tells anything. */
static const char *rep_func(const struct rep *r)
{
	if (r->row->flags & PATTERN_RIP) {
		if (*r->rip && !is_generic(r->rip))
			return r->rip;
		return r->frame;
	}
	if (*r->val.func && !is_generic(r->val.func))
		return r->val.func;
	if (r->rip_first && *r->rip && !is_generic(r->rip))
		return r->rip;
	if (*r->frame)
		return r->frame;
	return *r->val.func ? r->val.func : r->rip;
}

static struct counter *count_of(struct results *res, const struct kreport *k)
{
	const char *const parts[] = { k->kind, k->key, k->site, k->case_name };
	_buf_ struct buf b = {};
	struct counter *c;
	uint64_t hash;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i])
			buf_add(&b, parts[i], strlen(parts[i]) + 1);
		else
			buf_add(&b, "\1", 2);
	hash = XXH64(b.data, b.len, 0);
	c = &res->counters[hash % COUNTERS];
	/* A collision only forgets a count: more reports are kept. */
	if (c->hash != hash)
		*c = (struct counter){ .hash = hash };
	return c;
}

static void kreport_free(struct kreport *k)
{
	free(k->title);
	free(k->key);
	free(k->site);
	free(k->case_name);
	free(k->text);
}

void results_init(struct results *res, struct kreports *out, size_t from)
{
	*out = (struct kreports){};
	*res = (struct results){ .out = out, .from = from };
	res->counters = xcalloc(COUNTERS, sizeof(*res->counters));
}

void results_add(struct results *res, struct rep *r)
{
	const struct pattern *row = r->row;
	_buf_ struct buf title = {}, key = {};
	struct kreports *out = res->out;
	struct kreport k = {};
	struct counter *c;
	const char *func;

	if (r->ignored || r->start < res->from) {
		rep_free(r);
		return;
	}
	func = rep_func(r);
	expand(&title, row->title, r, func, false);
	expand(&key, row->key, r, func, true);
	k.kind = row->kind;
	k.title = printable(title.data, title.len, false);
	k.key = printable(key.data, key.len, false);
	if (*r->val.at && strstr(row->title, "$at"))
		k.site = printable(r->val.at, strlen(r->val.at), false);
	k.case_name = take_ptr(r->case_name);
	k.time = r->time;
	k.start = r->start;
	k.end = r->end;
	k.text = r->text.data;
	k.text_len = r->text.len;
	r->text = (struct buf){};
	k.fatal = r->fatal;
	k.truncated = !r->done;
	k.count = 1;
	rep_free(r);

	c = count_of(res, &k);
	if (++c->n > SCAN_KEEP) {
		out->v[c->index].count++;
		kreport_free(&k);
		return;
	}
	c->index = out->n;
	if (!(out->n & (out->n - 1)))
		out->v = xrealloc(out->v, (out->n ? out->n * 2 : 1) * sizeof(k));
	out->v[out->n++] = k;
}

static int by_start(const void *a, const void *b)
{
	const struct kreport *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void results_end(struct results *res)
{
	if (res->out->n)
		qsort(res->out->v, res->out->n, sizeof(*res->out->v), by_start);
	free(res->counters);
}

void kreports_free(struct kreports *r)
{
	for (size_t i = 0; i < r->n; i++)
		kreport_free(&r->v[i]);
	free(r->v);
	*r = (struct kreports){};
}

void scan_to_findings(const struct kreports *r, int boot, struct findings *fs)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct kreport *k = &r->v[i];
		struct sighting s = {
			.kind = k->kind,
			.oracle = "kernel",
			.title = k->title,
			.key = k->key,
			.site = k->site,
			.count = k->count,
			.case_name = k->case_name,
			.text = k->text,
			.text_len = k->text_len,
			.boot = boot,
			.offset = k->start,
			.time = k->time,
		};

		findings_add(fs, &s);
	}
}
