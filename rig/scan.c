// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass over the lines. Each line is cut into time stamp, printk caller and
 * body, classed (register, frame, end mark, ... or a row of the table), and
 * given to the open report it belongs to.
 *
 * With CONFIG_PRINTK_CALLER every caller has at most one open report. Without
 * it several may be open at once; since every report prints its parts in one
 * order, a line goes to the report that waits for just that part.
 *
 * No work depends on more than a bounded number of bytes of a line or on more
 * than MAX_OPEN reports, so time is linear in the console's length.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <math.h>
#include <pcre2.h>
#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "finding.h"
#include "patterns.h"
#include "scan.h"

#define CUT_HERE "------------[ cut here ]------------"
#define REPLAY "** replaying previous printk message **"

enum {
	MAX_OPEN = 16,		/* reports open at once */
	MAX_CLOSED = 8,		/* closed ones that a panic may still join */
	MAX_ROWS = 8,		/* rows remembered for one report */
	MAX_MATCH = 1024,	/* bytes of a line that patterns see */
	MAX_LINE = 4096,	/* bytes of a line that a report keeps */
	MAX_TEXT = 256 << 10,	/* bytes that a report keeps */
	MAX_HEAD = 64,		/* unclassed lines before a stack */
	MAX_BODY = 1000,	/* lines of a report without an own form */
	MAX_STRAY = 100,	/* lines that pass by an unfinished report */
	MAX_JOIN_LINES = 64,	/* text and its block are this close */
	COUNTERS = 4096,
};
static const double max_gap = 60;	/* guest seconds without a line */

/* The parts of a report in the order in which the kernel prints them. */
enum part {
	PART_NONE,
	PART_CUT,
	PART_HEAD,		/* WARNING:, kernel BUG at, ... */
	PART_MODULES,
	PART_CPU,
	PART_TAINT,
	PART_HARDWARE,
	PART_WORKQUEUE,
	PART_RIP,
	PART_CODE,
	PART_RSP,
	PART_RAX,
	PART_RDX,
	PART_RBP,
	PART_R10,
	PART_R13,
	PART_FS,
	PART_CS,
	PART_CR2,
	PART_DR0,
	PART_DR3,
	PART_PKRU,
	PART_TRACE,
	PART_STACK_BEGIN,
	PART_FRAME,
	PART_STACK_END,
	PART_END,
};

static const struct { const char *lead; enum part part; } part_leads[] = {
	{ "Modules linked in:", PART_MODULES },
	{ "CPU: ", PART_CPU },
	{ "Tainted: ", PART_TAINT },
	{ "Hardware name:", PART_HARDWARE },
	{ "Workqueue: ", PART_WORKQUEUE },
	{ "RIP: ", PART_RIP },
	{ "Code: ", PART_CODE },
	{ "RSP: ", PART_RSP },
	{ "RAX: ", PART_RAX },
	{ "RDX: ", PART_RDX },
	{ "RBP: ", PART_RBP },
	{ "R10: ", PART_R10 },
	{ "R13: ", PART_R13 },
	{ "FS:  ", PART_FS },
	{ "CS:  ", PART_CS },
	{ "CR2: ", PART_CR2 },
	{ "DR0: ", PART_DR0 },
	{ "DR3: ", PART_DR3 },
	{ "PKRU: ", PART_PKRU },
	{ "Call Trace:", PART_TRACE },
	{ "---[ end trace ", PART_END },
};

struct line {
	const char *raw;	/* from the time stamp on, without CR and LF */
	size_t len, off;
	const char *body;	/* after time stamp and caller */
	size_t blen;
	double time;		/* -1 where there is none */
	uint64_t caller;	/* 0 where there is none */
	bool kernel;		/* no other writer's line */
};

struct rep {
	const struct pattern *row;	/* NULL: a bare "[ cut here ]" */
	const struct pattern *block;	/* row that ended the head, if any */
	const struct pattern *rows[MAX_ROWS];
	int nr_rows;
	enum pattern_shape shape;
	enum part part;			/* the furthest one seen */

	/* Cut off at their sizes: they are words and lines, not text. */
	char func[128], rip[128], frame[128], at[192], msg[256];
	int cpu, pid;			/* -1 unknown */
	bool rip_first;			/* RIP came before any frame */

	bool cut, fatal, ignored, panic, last_seen, aux_done;
	bool done;			/* whole: nothing of it is missing */
	bool over;			/* and only lines of @more may follow */
	bool closed;			/* has no slot any more */
	bool marked;			/* has <TASK> and </TASK> */
	bool in_stack;
	int strays, heads, lines;

	char *case_name;
	double time, last_time;
	size_t start, end, last_line;
	struct buf text;
};

struct slot {
	uint64_t caller;
	struct rep *rep;
	uint64_t used;		/* the line it got last */
};

struct counter {
	uint64_t hash;
	unsigned int n;
	size_t index;		/* in kreports, once n >= SCAN_KEEP */
};

struct scan {
	struct slot slots[MAX_OPEN];	/* oldest first */
	int nr_slots;
	struct rep *closed[MAX_CLOSED];	/* oldest first */
	int nr_closed;

	bool stamped;		/* the kernel's lines carry time stamps */
	char *case_name;
	size_t from;
	uint64_t lineno;
	struct line rule;	/* the last "=====" line */
	uint64_t rule_no;
	const char *last_raw;	/* the last kernel line */
	size_t last_len;
	bool replay;

	pcre2_match_data *md;
	struct counter *counters;
	struct kreports *out;
};

/* One compiled row. Set up once, then only read. */
struct code {
	pcre2_code *re, *aux, *more, *last, *end;
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
	c->re = compile(p->re, PCRE2_ANCHORED);
	c->aux = compile(p->aux, 0);
	c->more = compile(p->more, PCRE2_ANCHORED);
	c->last = compile(p->last, PCRE2_ANCHORED);
	c->end = compile(p->end, PCRE2_ANCHORED);
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

static const struct code *code_of(const struct pattern *p)
{
	return p && p != &pattern_cut ? &codes[p - patterns] : &cut_code;
}

static bool re_match(struct scan *s, pcre2_code *re, const char *p, size_t len)
{
	if (len > MAX_MATCH)
		len = MAX_MATCH;
	return pcre2_match(re, (PCRE2_SPTR)p, len, 0, 0, s->md, NULL) >= 0;
}

/* The named group of the last match, cut off at @size; "" where not set. */
static void group(struct scan *s, pcre2_code *re, const char *name, char *out,
		  size_t size)
{
	PCRE2_UCHAR *val;
	PCRE2_SIZE len;

	*out = '\0';
	if (pcre2_substring_get_byname(s->md, (PCRE2_SPTR)name, &val, &len))
		return;
	if (len >= size)
		len = size - 1;
	memcpy(out, val, len);
	out[len] = '\0';
	pcre2_substring_free(val);
}

static bool body_starts(const struct line *l, const char *lead)
{
	size_t n = strlen(lead);

	return l->blen >= n && !memcmp(l->body, lead, n);
}

static bool is_func_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/*
 * The function's name at @p, without the suffixes a compiler adds (.isra.0,
 * .constprop.0, .part.0, .cold): none of them is in the source.
 */
static void take_func(const char *p, size_t len, char *out, size_t size)
{
	size_t n = 0;

	while (n < len && n < size - 1 && is_func_char(p[n]) && p[n] != '.') {
		out[n] = p[n];
		n++;
	}
	out[n] = '\0';
}

static bool is_generic(const char *func)
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

/* "name+0xOFF/0xSIZE" at @p: its length, or 0. */
static size_t symbol_at(const char *p, size_t len)
{
	size_t n = 0;

	if (!len || (!isalpha((unsigned char)*p) && *p != '_'))
		return 0;
	while (n < len && n < 512 && is_func_char(p[n]))
		n++;
	return n + 3 < len && !memcmp(p + n, "+0x", 3) ? n : 0;
}

/* A stack frame: " [<addr>] ? func+0x1/0x2 [mod]"; @func is set to NULL where
 * the unwinder was not sure of it. */
static bool is_frame(const struct line *l, const char **func, size_t *flen)
{
	const char *p = l->body, *e = p + l->blen;

	while (p < e && *p == ' ')
		p++;
	if (p == l->body)
		return false;
	if (e - p > 3 && p[0] == '[' && p[1] == '<') {
		const char *q = memchr(p, ']', e - p < 40 ? e - p : 40);

		if (!q)
			return false;
		for (p = q + 1; p < e && *p == ' ';)
			p++;
	}
	*func = p;
	if (e - p > 2 && p[0] == '?' && p[1] == ' ') {
		*func = NULL;
		p += 2;
	}
	*flen = symbol_at(p, e - p);
	return *flen;
}

static bool is_mark(const struct line *l, bool *end)
{
	static const char *const names[] = {
		"TASK", "IRQ", "SOFTIRQ", "NMI", "#DF", "ENTRY_TRAMPOLINE",
		"EOI", "EOE", "#DB", "#MC", "#VC",
	};
	const char *p = l->body, *e = p + l->blen;

	while (p < e && *p == ' ')
		p++;
	if (e - p < 4 || *p++ != '<')
		return false;
	*end = *p == '/';
	p += *end;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if ((size_t)(e - p) > n && !memcmp(p, names[i], n) &&
		    p[n] == '>') {
			/* An interrupt's stack goes on with the task's. */
			*end = *end && !i;
			return true;
		}
	}
	return false;
}

static enum part part_of(const struct line *l)
{
	const char *func;
	size_t flen;
	bool end;

	if (!l->blen)
		return PART_NONE;
	switch (*l->body) {
	case ' ':
		if (is_mark(l, &end))
			return end ? PART_STACK_END : PART_STACK_BEGIN;
		return is_frame(l, &func, &flen) ? PART_FRAME : PART_NONE;
	case '-':
		if (body_starts(l, CUT_HERE))
			return PART_CUT;
		break;
	case 'M': case 'C': case 'T': case 'H': case 'W': case 'R': case 'F':
	case 'D': case 'P':
		break;
	default:
		return PART_NONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(part_leads); i++)
		if (body_starts(l, part_leads[i].lead))
			return part_leads[i].part;
	return PART_NONE;
}

/* --- lines ------------------------------------------------------------- */

/* "[   12.345678]" at @p: bytes, or 0. */
static size_t parse_stamp(const char *p, size_t len, double *time)
{
	uint64_t sec = 0, usec = 0;
	size_t i = 1, digits = 0;

	if (len < 10 || *p != '[')
		return 0;
	while (i < len && i < 8 && p[i] == ' ')
		i++;
	for (; i < len && isdigit((unsigned char)p[i]) && digits < 12; i++) {
		sec = sec * 10 + (p[i] - '0');
		digits++;
	}
	if (!digits || i + 8 > len || p[i] != '.')
		return 0;
	for (digits = 0, i++; digits < 6; digits++, i++) {
		if (!isdigit((unsigned char)p[i]))
			return 0;
		usec = usec * 10 + (p[i] - '0');
	}
	if (p[i] != ']')
		return 0;
	*time = sec + usec / 1e6;
	return i + 1;
}

/* "[  T123]", "[    C1]" and what may follow the number: bytes, or 0. */
static size_t parse_caller(const char *p, size_t len, uint64_t *caller)
{
	uint64_t n = 0;
	size_t i = 1, digits = 0;
	char type;

	if (len < 4 || *p != '[')
		return 0;
	while (i < len && i < 12 && p[i] == ' ')
		i++;
	if (i >= len || (p[i] != 'T' && p[i] != 'C'))
		return 0;
	type = p[i++];
	for (; i < len && isdigit((unsigned char)p[i]) && digits < 10; i++) {
		n = n * 10 + (p[i] - '0');
		digits++;
	}
	while (digits && i < len && i < 64 && p[i] != ']')
		i++;
	if (!digits || i >= len || p[i] != ']')
		return 0;
	*caller = n << 8 | type;
	return i + 1;
}

/* "<4>", then time stamp, then caller, then a blank. Returns whether there was
 * a time stamp. */
static bool parse_prefix(struct line *l)
{
	const char *p = l->raw, *e = p + l->len;
	size_t n, stamp;

	l->time = -1;
	l->caller = 0;
	while (p < e && !*p)
		p++;
	if (e - p > 2 && *p == '<' && isdigit((unsigned char)p[1])) {
		n = 2;
		while (n < 4 && p + n < e && isdigit((unsigned char)p[n]))
			n++;
		if (p + n < e && p[n] == '>')
			p += n + 1;
	}
	stamp = parse_stamp(p, e - p, &l->time);
	p += stamp;
	n = parse_caller(p, e - p, &l->caller);
	p += n;
	if ((stamp || n) && p < e && *p == ' ')
		p++;
	l->body = p;
	l->blen = e - p;
	return stamp;
}

/* A line that another writer began: the kernel's part of it, if any. */
static bool parse_torn(struct line *l)
{
	const char *p = l->raw, *e = p + l->len;
	double time;

	while (p < e && (p = memchr(p, '[', e - p))) {
		if (parse_stamp(p, e - p, &time)) {
			l->off += p - l->raw;
			l->raw = p;
			l->len = e - p;
			return parse_prefix(l);
		}
		p++;
	}
	return false;
}

/* Do this kernel's lines carry time stamps? Its banner says; without one, the
 * first thousand lines do. */
static bool console_is_stamped(const char *data, size_t len)
{
	const char *banner = memmem(data, len, "Linux version ", 14);
	const char *p = data, *e = data + len;
	size_t with = 0, lines = 0;

	if (banner) {
		const char *bol = memrchr(data, '\n', banner - data);
		struct line l = {};

		l.raw = bol ? bol + 1 : data;
		l.len = banner + 14 - l.raw;
		if (l.len < 100 && (parse_prefix(&l) || parse_torn(&l)))
			return true;
		if (l.len < 100)
			return false;
	}
	while (p < e && lines < 1000) {
		const char *nl = memchr(p, '\n', e - p);
		struct line l = { .raw = p, .len = (nl ? nl : e) - p };

		if (l.len) {
			with += parse_prefix(&l);
			lines++;
		}
		p = nl ? nl + 1 : e;
	}
	return with * 2 > lines;
}

/* --- reports ----------------------------------------------------------- */

static void rep_free(struct rep *r)
{
	free(r->case_name);
	buf_free(&r->text);
	free(r);
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
			val = r->at;
			tpl += 3;
		} else if (starts_with(tpl, "$msg")) {
			val = r->msg;
			tpl += 4;
		}
		if (!val) {
			buf_add(b, tpl++, 1);
			continue;
		}
		empty |= !*val;
		if (!key || val != r->msg) {
			buf_add(b, val, strlen(val));
			continue;
		}
		/* Addresses, pids, counts and sizes differ each time; the
		 * digit of "int3" is a part of its name. */
		for (char prev = ' '; *val; prev = *val++) {
			if (!isdigit((unsigned char)*val) || isalnum(prev)) {
				buf_add(b, val, 1);
				continue;
			}
			buf_add(b, "N", 1);
			while (isxdigit((unsigned char)val[1]) || val[1] == 'x')
				val++;
		}
	}
}

/* The function the report is about: the first one that tells anything. */
static const char *rep_func(const struct rep *r)
{
	const struct pattern *row = r->row ? r->row : &pattern_cut;

	if (row->flags & PATTERN_RIP) {
		if (*r->rip && !is_generic(r->rip))
			return r->rip;
		return r->frame;
	}
	if (*r->func && !is_generic(r->func))
		return r->func;
	if (r->rip_first && *r->rip && !is_generic(r->rip))
		return r->rip;
	if (*r->frame)
		return r->frame;
	return *r->func ? r->func : r->rip;
}

static struct counter *count_of(struct scan *s, const struct kreport *k)
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
	c = &s->counters[hash % COUNTERS];
	/* A collision only forgets a count: more reports are kept. */
	if (c->hash != hash)
		*c = (struct counter){ .hash = hash };
	return c;
}

static void rep_finish(struct scan *s, struct rep *r)
{
	const struct pattern *row = r->row ? r->row : &pattern_cut;
	_buf_ struct buf title = {}, key = {};
	struct kreport k = {};
	struct counter *c;
	const char *func;

	if (r->ignored || r->start < s->from) {
		rep_free(r);
		return;
	}
	func = rep_func(r);
	expand(&title, row->title, r, func, false);
	expand(&key, row->key, r, func, true);
	k.kind = row->kind;
	k.title = printable(title.data, title.len, false);
	k.key = printable(key.data, key.len, false);
	if (*r->at && strstr(row->title, "$at"))
		k.site = printable(r->at, strlen(r->at), false);
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

	c = count_of(s, &k);
	if (++c->n > SCAN_KEEP && c->index < s->out->n) {
		struct kreports one = { .v = &k, .n = 1 };

		s->out->v[c->index].count++;
		one.v = xcalloc(1, sizeof(k));
		one.v[0] = k;
		kreports_free(&one);
		return;
	}
	c->index = s->out->n;
	if (!(s->out->n & (s->out->n - 1)))
		s->out->v = xrealloc(s->out->v, (s->out->n ? s->out->n * 2 : 1) *
				     sizeof(k));
	s->out->v[s->out->n++] = k;
}

/* Take @r out of all slots; it waits among the closed for a panic. */
static void rep_close(struct scan *s, struct rep *r)
{
	int n = 0;

	r->closed = true;
	for (int i = 0; i < s->nr_slots; i++)
		if (s->slots[i].rep != r)
			s->slots[n++] = s->slots[i];
	s->nr_slots = n;
	if (s->nr_closed == MAX_CLOSED) {
		rep_finish(s, s->closed[0]);
		memmove(s->closed, s->closed + 1,
			--s->nr_closed * sizeof(s->closed[0]));
	}
	s->closed[s->nr_closed++] = r;
}

static void slot_add(struct scan *s, uint64_t caller, struct rep *r)
{
	/* Its other slots, if any, are no reason to close @r itself. */
	for (int i = 0; s->nr_slots == MAX_OPEN; i++) {
		if (s->slots[i].rep != r)
			rep_close(s, s->slots[i].rep);
		else if (i == MAX_OPEN - 1)
			s->nr_slots--;
	}
	s->slots[s->nr_slots++] = (struct slot){
		.caller = caller, .rep = r, .used = s->lineno };
}

static void close_all(struct scan *s)
{
	while (s->nr_slots)
		rep_close(s, s->slots[0].rep);
}

/* --- which report is a line's? ------------------------------------------ */

static bool is_text_only(const struct rep *r)
{
	for (int i = 0; i < r->nr_rows; i++)
		if (!(r->rows[i]->flags & PATTERN_TEXT))
			return false;
	return r->nr_rows;
}

static bool is_recent(const struct scan *s, const struct rep *r,
		      const struct line *l)
{
	return s->lineno - r->last_line < MAX_JOIN_LINES &&
	       (l->time < 0 || r->last_time < 0 ||
		fabs(l->time - r->last_time) < 5);
}

/* The open report that got a line of this caller last. */
static struct slot *latest(struct scan *s, uint64_t caller)
{
	struct slot *best = NULL;

	for (int i = 0; i < s->nr_slots; i++)
		if (s->slots[i].caller == caller &&
		    (!best || s->slots[i].used >= best->used))
			best = &s->slots[i];
	return best;
}

static bool parse_owner(const struct line *l, int *cpu, int *pid)
{
	const char *p = l->body, *e = p + l->blen, *q;
	_free_ char *s = NULL;

	/* "WARNING: CPU: 0 PID: 7 at", "CPU: 0 [UID: 0 ]PID: 7 Comm: x" */
	s = xstrndup(p, e - p < 256 ? e - p : 256);
	q = strstr(s, "CPU: ");
	if (q && sscanf(q, "CPU: %d PID: %d", cpu, pid) == 2)
		return true;
	if (q && sscanf(q, "CPU: %d UID: %*u PID: %d", cpu, pid) == 2)
		return true;
	/* "WARNING: fs/dax.c:452 at f+0x86/0xb0, CPU#0: comm/7" */
	q = strstr(s, ", CPU#");
	if (!q || sscanf(q, ", CPU#%d:", cpu) != 1)
		return false;
	q = strrchr(q, '/');
	return q && sscanf(q, "/%d", pid) == 1;
}

/* The kernel function of a "RIP: 0010:func+0x1/0x2" line; "" for user mode. */
static void rip_func(const struct line *l, char *out, size_t size)
{
	const char *p = l->body + 5, *e = l->body + l->blen, *q;
	size_t n;

	*out = '\0';
	/* Selector 0x33 is user mode; 0x10 is __KERNEL_CS. */
	if (e - p > 5 && !memcmp(p, "0033:", 5))
		return;
	if (e - p > 5 && p[4] == ':')
		p += 5;
	if (e - p > 2 && p[0] == '[' && (q = memchr(p, ']', e - p)))
		for (p = q + 1; p < e && *p == ' ';)
			p++;
	n = symbol_at(p, e - p);
	take_func(p, n, out, size);
}

static bool is_register(enum part part)
{
	return part >= PART_RIP && part <= PART_PKRU;
}

/*
 * How well a part goes on where the report stands; 0: not at all. Parts come
 * in order; user registers, modules and further stacks follow a stack.
 */
static int fit(const struct rep *r, enum part part)
{
	if (part >= PART_RIP && r->part < PART_CPU)
		return 0;
	if (part == PART_STACK_BEGIN && r->part == PART_TRACE)
		return 500;
	if (part == PART_FRAME || part == PART_STACK_BEGIN ||
	    part == PART_STACK_END)
		return r->part >= PART_TRACE ? 300 + r->part : r->part;
	if (part > r->part)
		return 200 + r->part;
	if (r->part >= PART_FRAME && (is_register(part) ||
				      part == PART_MODULES ||
				      part == PART_TRACE))
		return 100;
	return 0;
}

static struct slot *choose(struct scan *s, const struct line *l,
			   enum part part)
{
	struct slot *best = latest(s, l->caller), *only = best;
	char rip[128] = "";
	int cpu = -1, pid = -1, score = 0;

	/* Only lines without a caller can have several owners. */
	if (l->caller || s->nr_slots < 2)
		return best;
	if (part == PART_CPU)
		parse_owner(l, &cpu, &pid);
	if (part == PART_RIP)
		rip_func(l, rip, sizeof(rip));
	for (int i = 0; i < s->nr_slots; i++) {
		struct slot *t = &s->slots[i];
		const struct rep *r = t->rep;
		int f;

		if (t->caller)
			continue;
		f = fit(r, part);
		if (f && cpu >= 0 && r->cpu >= 0)
			f = r->cpu == cpu && r->pid == pid ? 1000 : 0;
		if (f && *rip && *r->func)
			f = !strcmp(rip, r->func) ? 1000 + f : 1;
		/* On a tie frames go on where they were, heads take turns. */
		if (f > score ||
		    (f && f == score && (part == PART_FRAME ?
					 t->used > best->used :
					 t->used < best->used))) {
			score = f;
			best = t;
		}
	}
	return score ? best : only;
}

/* --- what a line does to a report ---------------------------------------- */

static void stack_ended(struct scan *s, struct rep *r)
{
	bool more = code_of(r->row)->more ||
		    (r->block && code_of(r->block)->more);

	r->in_stack = false;
	switch (r->shape) {
	case PATTERN_UNTIL:
		if (!code_of(r->row)->last || !r->last_seen)
			return;
		r->done = r->over = true;
		break;
	case PATTERN_LINE:
	case PATTERN_STACK:
		r->done = r->over = true;
		break;
	case PATTERN_WARN:
	case PATTERN_DIE:
	case PATTERN_PANIC:
		/* Their end marks are to come; a lost one is no loss. */
		r->done = true;
		return;
	}
	if (!more && !r->panic)
		rep_close(s, r);
}

static bool is_top_dir(const char *p)
{
	static const char *const tops[] = {
		"arch/", "block/", "certs/", "crypto/", "drivers/", "fs/",
		"include/", "init/", "io_uring/", "ipc/", "kernel/", "lib/",
		"mm/", "net/", "rust/", "samples/", "scripts/", "security/",
		"sound/", "virt/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		if (starts_with(p, tops[i]))
			return true;
	return false;
}

/*
 * The path within the kernel tree. A kernel built outside its tree shows how
 * the compiler reached the source: "../../home/me/linux-6.1/fs/dax.c".
 */
static const char *in_tree(const char *path)
{
	const char *top = NULL;

	if (starts_with(path, "./"))
		path += 2;
	if (*path != '/' && !starts_with(path, "../"))
		return path;
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		if (!is_top_dir(p + 1))
			continue;
		/* A tree's folder is mostly called linux-something; a user's
		 * net/ or kernel/ may hold it. */
		if (!top)
			top = p + 1;
		for (const char *q = p; q-- > path && *q != '/';)
			if (starts_with(q, "linux") && q > path &&
			    q[-1] == '/')
				return p + 1;
	}
	return top ? top : path;
}

static void take_row(struct scan *s, struct rep *r, const struct pattern *row,
		     const struct line *l, const char *body, size_t blen)
{
	const struct code *c = code_of(row);
	char func[128] = "", at[192] = "", msg[256] = "";
	bool wins = !r->row || row < r->row;

	if (c->re && re_match(s, c->re, body, blen)) {
		group(s, c->re, "func", func, sizeof(func));
		group(s, c->re, "at", at, sizeof(at));
		group(s, c->re, "msg", msg, sizeof(msg));
		take_func(func, strlen(func), func, sizeof(func));
	}
	if (*func && (wins || !*r->func))
		memcpy(r->func, func, sizeof(func));
	if (*at && (wins || !*r->at))
		snprintf(r->at, sizeof(r->at), "%s", in_tree(at));
	if (*msg && (wins || !*r->msg))
		memcpy(r->msg, msg, sizeof(msg));
	if (r->nr_rows < MAX_ROWS)
		r->rows[r->nr_rows++] = row;
	if (wins) {
		r->row = row;
		if (!r->block)
			r->shape = row->shape;
	}
	if (!(row->flags & PATTERN_TEXT)) {
		if (row->flags & PATTERN_BLOCK) {
			r->block = row;
			r->shape = row->shape;
		}
		if (r->part < PART_HEAD)
			r->part = PART_HEAD;
	}
	if (row->flags & PATTERN_FATAL)
		r->fatal = true;
	if (r->cpu < 0)
		parse_owner(l, &r->cpu, &r->pid);
	r->done = r->over = r->shape == PATTERN_LINE;
}

static void append(struct scan *s, struct rep *r, const struct line *l)
{
	size_t len = l->len < MAX_LINE ? l->len : MAX_LINE;

	if (r->text.len + len < MAX_TEXT) {
		if (r->text.len)
			buf_add(&r->text, "\n", 1);
		buf_add(&r->text, l->raw, len);
	}
	if (l->off + l->len > r->end)
		r->end = l->off + l->len;
	r->last_line = s->lineno;
	if (l->time >= 0)
		r->last_time = l->time;
	r->strays = 0;
	r->lines++;
}

/* @l is @t's. May close its report. */
static void deliver(struct scan *s, struct slot *t, const struct line *l,
		    enum part part)
{
	struct rep *r = t->rep;
	const struct code *c = code_of(r->row);
	const char *func;
	size_t flen;

	t->used = s->lineno;
	/* Kernels before 5.14 do not mark the ends of a stack. */
	if (r->in_stack && !r->marked && part != PART_FRAME &&
	    part != PART_STACK_BEGIN && !is_register(part)) {
		stack_ended(s, r);
		if (r->closed)
			return;
	}
	append(s, r, l);
	if (c->aux && !r->aux_done && re_match(s, c->aux, l->body, l->blen)) {
		char val[256];

		r->aux_done = true;
		group(s, c->aux, "func", val, sizeof(r->func));
		if (*val)
			take_func(val, strlen(val), r->func, sizeof(r->func));
		group(s, c->aux, "at", val, sizeof(r->at));
		if (*val)
			snprintf(r->at, sizeof(r->at), "%s", in_tree(val));
		group(s, c->aux, "msg", val, sizeof(val));
		if (*val)
			memcpy(r->msg, val, sizeof(val));
	}
	if (c->last && !r->last_seen && re_match(s, c->last, l->body, l->blen))
		r->last_seen = true;
	if (c->end && part == PART_NONE && r->lines > 1 &&
	    re_match(s, c->end, l->body, l->blen)) {
		r->done = true;
		rep_close(s, r);
		return;
	}
	switch (part) {
	case PART_CPU:
		if (r->cpu < 0)
			parse_owner(l, &r->cpu, &r->pid);
		break;
	case PART_RIP:
		if (*r->rip)
			break;
		rip_func(l, r->rip, sizeof(r->rip));
		r->rip_first = *r->rip && r->part < PART_FRAME;
		break;
	case PART_STACK_BEGIN:
		r->marked = true;
		break;
	case PART_FRAME:
		r->in_stack = true;
		/* Of lockdep's many stacks the last is the one that did it. */
		if (!*r->frame && (!c->last || r->last_seen) &&
		    is_frame(l, &func, &flen) && func) {
			take_func(func, flen, r->frame, sizeof(r->frame));
			if (is_generic(r->frame))
				*r->frame = '\0';
		}
		break;
	case PART_STACK_END:
		if (r->part < part)
			r->part = part;
		stack_ended(s, r);
		return;
	case PART_END:
		r->done = true;
		if (r->shape != PATTERN_DIE && !r->panic) {
			rep_close(s, r);
			return;
		}
		break;
	default:
		break;
	}
	if (r->part < part && part != PART_STACK_BEGIN)
		r->part = part;
	if (r->lines > MAX_BODY)
		rep_close(s, r);
}

static struct slot *open_rep(struct scan *s, const struct line *l)
{
	struct rep *r;

	/* A caller begins a report only after it is through with the last;
	 * without callers the same is known of reports that are over. */
	for (int i = 0; i < s->nr_slots;) {
		struct slot *t = &s->slots[i];

		if (t->caller == l->caller && (l->caller || t->rep->over)) {
			rep_close(s, t->rep);
			i = 0;
		} else {
			i++;
		}
	}
	r = xcalloc(1, sizeof(*r));
	r->cpu = r->pid = -1;
	r->shape = PATTERN_WARN;
	r->time = r->last_time = l->time;
	r->start = l->off;
	r->case_name = s->case_name ? xstrdup(s->case_name) : NULL;
	/* The rule above the title is the report's first line. */
	if (s->rule_no && s->lineno - s->rule_no <= 2 &&
	    s->rule.caller == l->caller) {
		r->start = s->rule.off;
		append(s, r, &s->rule);
		s->rule_no = 0;
	}
	slot_add(s, l->caller, r);
	return &s->slots[s->nr_slots - 1];
}

/* --- lines that are a row of the table ------------------------------------ */

static const struct pattern *find_row(struct scan *s, const char *body,
				      size_t blen)
{
	size_t i = blen ? first_row[(unsigned char)*body] : 0;

	for (i = i ? i - 1 : nr_patterns; i < nr_patterns; i++) {
		const struct code *c = &codes[i];

		if (c->lead_len <= blen &&
		    !memcmp(body, patterns[i].lead, c->lead_len) &&
		    (!c->re || re_match(s, c->re, body, blen)))
			return &patterns[i];
	}
	return NULL;
}

/* Unstamped consoles: the row that begins in the middle of the line. */
static const struct pattern *find_float(struct scan *s, struct line *l)
{
	size_t blen = l->blen < MAX_MATCH ? l->blen : MAX_MATCH;
	const char *p = memmem(l->body, blen, CUT_HERE, strlen(CUT_HERE));

	for (size_t i = 0; !p && i < nr_patterns; i++) {
		if (!(patterns[i].flags & PATTERN_FLOAT))
			continue;
		p = memmem(l->body, blen, patterns[i].lead, codes[i].lead_len);
		if (p && codes[i].re &&
		    !re_match(s, codes[i].re, p, l->body + l->blen - p))
			p = NULL;
	}
	if (!p)
		return NULL;
	l->off += p - l->raw;
	l->len -= p - l->raw;
	l->blen -= p - l->body;
	l->raw = l->body = p;
	return body_starts(l, CUT_HERE) ? &pattern_cut
					: find_row(s, p, l->blen);
}

static bool has_row(const struct rep *r, const struct pattern *row)
{
	for (int i = 0; i < r->nr_rows; i++)
		if (r->rows[i] == row)
			return true;
	return false;
}

/* Is a line of @row a part of @r's head, and no report of its own? */
static bool can_join(struct scan *s, const struct rep *r,
		     const struct pattern *row, const struct line *l)
{
	bool text = row->flags & PATTERN_TEXT, block = row->flags & PATTERN_BLOCK;

	if (r->panic || has_row(r, row) || !is_recent(s, r, l))
		return false;
	if (is_text_only(r))
		return text || block;
	if (r->part >= PART_MODULES)
		return false;
	if (!r->row)
		return text || block;
	return text || (block && r->block && row->flags & PATTERN_FATAL &&
			r->block->flags & PATTERN_FATAL);
}

/*
 * Where several blocks without a caller wait for their own line: text that
 * tells more goes with a generic function, and only with one.
 */
static struct slot *find_joinable(struct scan *s, const struct pattern *row,
				  const struct line *l)
{
	struct slot *best = NULL;
	bool generic = false, best_text = false;
	char func[128] = "";

	if (row->flags & PATTERN_BLOCK && code_of(row)->re &&
	    re_match(s, code_of(row)->re, l->body, l->blen)) {
		group(s, code_of(row)->re, "func", func, sizeof(func));
		take_func(func, strlen(func), func, sizeof(func));
		generic = is_generic(func);
	}
	for (int i = 0; i < s->nr_slots; i++) {
		struct slot *t = &s->slots[i];
		bool text = is_text_only(t->rep);

		if (t->caller != l->caller || !can_join(s, t->rep, row, l))
			continue;
		if (!best || (row->flags & PATTERN_TEXT ?
			      t->used >= best->used :
			      text == generic && best_text != generic)) {
			best = t;
			best_text = text;
		}
	}
	return best;
}

static const struct panic_cause *cause_of(const struct line *l)
{
	size_t len = l->blen < MAX_MATCH ? l->blen : MAX_MATCH;

	for (size_t i = 0; i < nr_panic_causes; i++)
		if (memmem(l->body, len, panic_causes[i].text,
			   strlen(panic_causes[i].text)))
			return &panic_causes[i];
	return NULL;
}

static bool caused_by(const struct panic_cause *c, const struct rep *r)
{
	const struct pattern *row = r->row ? r->row : &pattern_cut;

	return (!c->kind || !strcmp(c->kind, row->kind)) &&
	       (!c->fatal || r->fatal) &&
	       (!c->pid || r->pid < 0 || r->pid == c->pid) &&
	       !(row->flags & PATTERN_IGNORE);
}

/* The panic that an earlier report ended in is part of that report. */
static bool join_panic(struct scan *s, const struct line *l)
{
	const struct panic_cause *c = cause_of(l);
	struct slot *t = latest(s, l->caller);
	struct rep *r = NULL;

	if (!c)
		return false;
	if (t && caused_by(c, t->rep))
		r = t->rep;
	for (int i = s->nr_slots; !r && i-- > 0;)
		if (caused_by(c, s->slots[i].rep))
			r = s->slots[i].rep;
	for (int i = s->nr_closed; !r && i-- > 0;) {
		if (!caused_by(c, s->closed[i]))
			continue;
		r = s->closed[i];
		r->closed = false;
		memmove(s->closed + i, s->closed + i + 1,
			(--s->nr_closed - i) * sizeof(s->closed[0]));
	}
	if (!r)
		return false;
	r->fatal = r->panic = true;
	r->in_stack = false;
	for (t = NULL; !t;) {
		for (int i = 0; i < s->nr_slots; i++)
			if (s->slots[i].rep == r &&
			    s->slots[i].caller == l->caller)
				t = &s->slots[i];
		if (!t)
			slot_add(s, l->caller, r);
	}
	deliver(s, t, l, PART_NONE);
	return true;
}

static void feed_row(struct scan *s, const struct pattern *row,
		     const struct line *l)
{
	struct slot *t;

	if (row->shape == PATTERN_PANIC && join_panic(s, l))
		return;
	t = row->flags & (PATTERN_TEXT | PATTERN_BLOCK) ?
		find_joinable(s, row, l) : NULL;
	if (row->flags & PATTERN_IGNORE) {
		if (t && is_text_only(t->rep)) {
			t->rep->ignored = true;
			deliver(s, t, l, PART_NONE);
		}
		return;
	}
	if (!t)
		t = open_rep(s, l);
	/* Values first: delivery may end the report. */
	take_row(s, t->rep, row, l, l->body, l->blen);
	deliver(s, t, l, PART_NONE);
}

static void feed_cut(struct scan *s, const struct line *l)
{
	struct slot *t = latest(s, l->caller);

	/* Text that the kernel prints before the block it belongs to. */
	if (!t || t->rep->cut || t->rep->ignored || !is_text_only(t->rep) ||
	    !is_recent(s, t->rep, l)) {
		t = open_rep(s, l);
		t->rep->part = PART_CUT;
	}
	t->rep->cut = true;
	t->rep->done = t->rep->over = false;
	deliver(s, t, l, PART_CUT);
}

/* --- lines without a class ------------------------------------------------ */

static bool is_more(struct scan *s, const struct rep *r, const struct line *l)
{
	const struct code *c = code_of(r->row);

	if (r->panic && (body_starts(l, "Kernel Offset: ") ||
			 body_starts(l, "Rebooting in ") ||
			 body_starts(l, "---[ end Kernel panic")))
		return true;
	if (c->end && re_match(s, c->end, l->body, l->blen))
		return true;
	if (c->more && re_match(s, c->more, l->body, l->blen))
		return true;
	return r->block && r->block != r->row && code_of(r->block)->more &&
	       re_match(s, code_of(r->block)->more, l->body, l->blen);
}

static void feed_other(struct scan *s, const struct line *l)
{
	struct slot *t = latest(s, l->caller);
	struct rep *r;

	if (!t) {
		/* Another CPU's answer to a stall: it goes with the stall. */
		if (!l->caller || !body_starts(l, "NMI backtrace for cpu "))
			return;
		for (int i = s->nr_slots; i-- > 0;) {
			r = s->slots[i].rep;
			if (!r->row || !(r->row->flags & PATTERN_RIP))
				continue;
			slot_add(s, l->caller, r);
			deliver(s, &s->slots[s->nr_slots - 1], l, PART_NONE);
			return;
		}
		return;
	}
	r = t->rep;
	if (r->panic || r->shape == PATTERN_PANIC) {
		bool end = body_starts(l, "---[ end Kernel panic") ||
			   body_starts(l, "Kernel Offset: ") ||
			   body_starts(l, "Rebooting in ");

		deliver(s, t, l, PART_NONE);
		if (end)
			r->done = true;
		return;
	}
	if (is_more(s, r, l)) {
		deliver(s, t, l, PART_NONE);
		return;
	}
	if (r->in_stack && !r->marked)
		stack_ended(s, r);
	else if (r->shape == PATTERN_UNTIL && !r->done)
		deliver(s, t, l, PART_NONE);
	else if (r->part < PART_MODULES && !r->done && r->heads++ < MAX_HEAD)
		deliver(s, t, l, PART_NONE);
	else if (++r->strays > MAX_STRAY || r->over ||
		 (r->done && r->shape != PATTERN_DIE && s->nr_slots == 1))
		rep_close(s, r);
}

/* --- the pass -------------------------------------------------------------- */

static bool is_rule(const struct line *l)
{
	if (l->blen < 20 || l->blen > 200 || *l->body != '=')
		return false;
	for (size_t i = 0; i < l->blen; i++)
		if (l->body[i] != '=')
			return false;
	return true;
}

static bool feed_marker(struct scan *s, const struct line *l)
{
	const char *p, *e = l->body + l->blen;
	bool begin = body_starts(l, SCAN_MARK_BEGIN);

	if (!begin && !body_starts(l, SCAN_MARK_END))
		return false;
	free(s->case_name);
	s->case_name = NULL;
	if (!begin)
		return true;
	p = l->body + strlen(SCAN_MARK_BEGIN);
	while (p < e && !isspace((unsigned char)*p) && *p)
		p++;
	e = p;
	p = l->body + strlen(SCAN_MARK_BEGIN);
	if (e > p)
		s->case_name = xstrndup(p, e - p < 256 ? e - p : 256);
	return true;
}

static void drop_stale(struct scan *s, const struct line *l)
{
	for (int i = 0; i < s->nr_slots;) {
		struct rep *r = s->slots[i].rep;

		if (l->time >= 0 && r->last_time >= 0 && !r->panic &&
		    fabs(l->time - r->last_time) > max_gap) {
			rep_close(s, r);
			i = 0;
		} else {
			i++;
		}
	}
}

static void feed(struct scan *s, struct line *l)
{
	const struct pattern *row;
	struct slot *t;
	enum part part;

	s->lineno++;
	/* A console taken over by another CPU shows its last record again. */
	if (l->len == strlen(REPLAY) && !memcmp(l->raw, REPLAY, l->len)) {
		s->replay = true;
		return;
	}
	l->kernel = parse_prefix(l) || !s->stamped || parse_torn(l);
	if (!l->kernel)
		return;
	if (s->replay) {
		s->replay = false;
		if (s->last_raw && l->len == s->last_len &&
		    !memcmp(l->raw, s->last_raw, l->len))
			return;
	}
	s->last_raw = l->raw;
	s->last_len = l->len;
	if (!l->blen)
		return;
	if (s->nr_slots)
		drop_stale(s, l);

	switch (*l->body) {
	case 'L':
		if (body_starts(l, "Linux version "))
			close_all(s);
		break;
	case 'r':
		if (feed_marker(s, l))
			return;
		break;
	case '=':
		if (!s->nr_slots && is_rule(l)) {
			s->rule = *l;
			s->rule_no = s->lineno;
			return;
		}
		break;
	}

	part = s->nr_slots || *l->body == '-' ? part_of(l) : PART_NONE;
	if (part == PART_CUT) {
		feed_cut(s, l);
		return;
	}
	if (part) {
		t = choose(s, l, part);
		if (t)
			deliver(s, t, l, part);
		return;
	}
	row = find_row(s, l->body, l->blen);
	if (!row && !s->stamped) {
		row = find_float(s, l);
		if (row == &pattern_cut) {
			feed_cut(s, l);
			return;
		}
	}
	t = s->nr_slots ? latest(s, l->caller) : NULL;
	if (row && t && !t->rep->panic && !has_row(t->rep, row)) {
		struct rep *r = t->rep;
		bool body = r->shape == PATTERN_UNTIL && !r->done &&
			    row->flags & (PATTERN_TEXT | PATTERN_IGNORE);

		/* A page dump within a KASAN report, "XFS (dev): " after one
		 * of its kind: the same event goes on. */
		if (body || (row->shape != PATTERN_PANIC && is_more(s, r, l))) {
			deliver(s, t, l, PART_NONE);
			return;
		}
	}
	if (row)
		feed_row(s, row, l);
	else if (t || (l->caller && s->nr_slots))
		feed_other(s, l);
	if (s->nr_slots && is_rule(l)) {
		s->rule = *l;
		s->rule_no = s->lineno;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct kreport *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void scan_console(const char *data, size_t len, size_t from,
		  struct kreports *out)
{
	struct scan s = { .from = from, .out = out };
	const char *p = data, *e = data + len;

	*out = (struct kreports){};
	if (!data || !len)
		return;
	pthread_once(&codes_once, compile_all);
	s.md = pcre2_match_data_create(32, NULL);
	s.counters = xcalloc(COUNTERS, sizeof(*s.counters));
	s.stamped = console_is_stamped(data, len);
	while (p < e) {
		const char *nl = memchr(p, '\n', e - p), *eol = nl ? nl : e;
		struct line l = { .raw = p, .off = p - data };

		while (eol > p && eol[-1] == '\r')
			eol--;
		l.len = eol - p;
		feed(&s, &l);
		p = nl ? nl + 1 : e;
	}
	close_all(&s);
	for (int i = 0; i < s.nr_closed; i++)
		rep_finish(&s, s.closed[i]);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_start);
	free(s.case_name);
	free(s.counters);
	pcre2_match_data_free(s.md);
}

void kreports_free(struct kreports *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].title);
		free(r->v[i].key);
		free(r->v[i].site);
		free(r->v[i].case_name);
		free(r->v[i].text);
	}
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
