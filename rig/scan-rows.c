// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of patterns.h, applied to lines: see scan-internal.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "scan-internal.h"

#include <pcre2.h>
#include <pthread.h>
#include <string.h>

enum { MAX_MATCH = 1024 };	/* bytes of a line that patterns see */

/* One compiled row. Set up once, then only read. */
struct code {
	pcre2_code *re[NR_ROW_RES];
	size_t lead_len;
};
static struct code *codes, cut_code;
static uint16_t first_row[256];		/* 1 + first row with this first byte */
static pthread_once_t codes_once = PTHREAD_ONCE_INIT;

static pcre2_code *compile(const char *re, uint32_t options)
{
	pcre2_code *code;
	PCRE2_SIZE off;
	int err;

	if (!re)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)re, PCRE2_ZERO_TERMINATED,
			     options | PCRE2_DUPNAMES, &err, &off, NULL);
	if (!code) {
		/* The table is part of the program: tests see this first. */
		fprintf(stderr, "rig: bad pattern at %zu: %s\n", off, re);
		abort();
	}
	/* Without JIT it is slower, and right all the same. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

static void compile_row(const struct pattern *p, struct code *c)
{
	c->lead_len = strlen(p->lead);
	c->re[ROW_RE] = compile(p->re, PCRE2_ANCHORED);
	c->re[ROW_AUX] = compile(p->aux, 0);
	c->re[ROW_MORE] = compile(p->more, PCRE2_ANCHORED);
	c->re[ROW_LAST] = compile(p->last, PCRE2_ANCHORED);
	c->re[ROW_END] = compile(p->end, PCRE2_ANCHORED);
}

static void compile_all(void)
{
	codes = xcalloc(nr_patterns, sizeof(*codes));
	for (size_t i = 0; i < nr_patterns; i++) {
		unsigned char c = patterns[i].lead[0];

		compile_row(&patterns[i], &codes[i]);
		if (!first_row[c])
			first_row[c] = i + 1;
	}
	compile_row(&pattern_cut, &cut_code);
}

void rows_init(void)
{
	pthread_once(&codes_once, compile_all);
}

static const struct code *code_of(const struct pattern *p)
{
	return p != &pattern_cut ? &codes[p - patterns] : &cut_code;
}

/* The named group of the last match, cut off at @size; "" where not set. */
static void group(pcre2_match_data *md, const char *name, char *out,
		  size_t size)
{
	PCRE2_UCHAR *val;
	PCRE2_SIZE len;

	*out = '\0';
	if (pcre2_substring_get_byname(md, (PCRE2_SPTR)name, &val, &len))
		return;
	if (len >= size)
		len = size - 1;
	memcpy(out, val, len);
	out[len] = '\0';
	pcre2_substring_free(val);
}

static bool re_match(const pcre2_code *re, const char *p, size_t len,
		     struct row_values *v)
{
	pcre2_match_data *md = pcre2_match_data_create_from_pattern(re, NULL);
	bool hit;

	if (len > MAX_MATCH)
		len = MAX_MATCH;
	hit = pcre2_match(re, (PCRE2_SPTR)p, len, 0, 0, md, NULL) >= 0;
	if (hit && v) {
		group(md, "func", v->func, sizeof(v->func));
		take_func(v->func, strlen(v->func), v->func, sizeof(v->func));
		group(md, "at", v->at, sizeof(v->at));
		group(md, "msg", v->msg, sizeof(v->msg));
	}
	pcre2_match_data_free(md);
	return hit;
}

bool row_has(const struct pattern *row, enum row_re re)
{
	return code_of(row)->re[re];
}

bool row_match(const struct pattern *row, enum row_re re, const struct line *l,
	       struct row_values *v)
{
	const pcre2_code *code = code_of(row)->re[re];

	return code && re_match(code, l->body, l->blen, v);
}

const struct pattern *row_find(const struct line *l)
{
	size_t i = l->blen ? first_row[(unsigned char)*l->body] : 0;

	for (i = i ? i - 1 : nr_patterns; i < nr_patterns; i++) {
		const struct pattern *row = &patterns[i];
		size_t n = codes[i].lead_len;

		if (n <= l->blen && !memcmp(l->body, row->lead, n) &&
		    (!row->re || row_match(row, ROW_RE, l, NULL)))
			return row;
	}
	return NULL;
}

const struct pattern *row_find_inside(struct line *l)
{
	size_t blen = l->blen < MAX_MATCH ? l->blen : MAX_MATCH;
	const char *p = memmem(l->body, blen, CUT_HERE, strlen(CUT_HERE));

	for (size_t i = 0; !p && i < nr_patterns; i++) {
		if (!(patterns[i].flags & PATTERN_FLOAT))
			continue;
		p = memmem(l->body, blen, patterns[i].lead, codes[i].lead_len);
		if (p && patterns[i].re &&
		    !re_match(codes[i].re[ROW_RE], p, l->body + l->blen - p,
			      NULL))
			p = NULL;
	}
	if (!p)
		return NULL;
	l->off += p - l->raw;
	l->len -= p - l->raw;
	l->blen -= p - l->body;
	l->raw = l->body = p;
	return line_starts(l, CUT_HERE) ? &pattern_cut : row_find(l);
}

const struct panic_cause *panic_cause_of(const struct line *l)
{
	size_t len = l->blen < MAX_MATCH ? l->blen : MAX_MATCH;

	for (size_t i = 0; i < nr_panic_causes; i++)
		if (memmem(l->body, len, panic_causes[i].text,
			   strlen(panic_causes[i].text)))
			return &panic_causes[i];
	return NULL;
}

bool is_generic(const char *func)
{
	for (size_t i = 0; i < nr_generic_functions; i++) {
		const char *g = generic_functions[i];
		size_t n = strlen(g);

		if (g[n - 1] == '*' ? !strncmp(func, g, n - 1)
				    : !strcmp(func, g))
			return true;
	}
	return false;
}
