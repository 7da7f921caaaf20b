// SPDX-License-Identifier: GPL-2.0-or-later
/* The pass over the lines of a console: see scan-internal.h. */
#include "scan-internal.h"

#include <ctype.h>
#include <string.h>

#define REPLAY "** replaying previous printk message **"

struct scan {
	struct open_reps open;
	bool stamped;		/* the kernel's lines carry time stamps */
	char *case_name;
	uint64_t lines;
	struct line rule;	/* the last "=====" line; its @no is 0 when a
				 * report has it */
	const char *last_raw;	/* the last kernel line */
	size_t last_len;
	bool replay;
};

static struct slot *open_report(struct scan *s, const struct line *l)
{
	const struct line *rule = NULL;
	struct slot *t;

	/* The rule above the title is the report's first line. */
	if (s->rule.no && l->no - s->rule.no <= 2 &&
	    s->rule.caller == l->caller)
		rule = &s->rule;
	t = open_new(&s->open, l, rule, s->case_name);
	if (rule)
		s->rule.no = 0;
	return t;
}

static void feed_row(struct scan *s, const struct pattern *row,
		     const struct line *l)
{
	struct open_reps *o = &s->open;
	struct slot *t = row->shape == PATTERN_PANIC ? open_for_panic(o, l) :
						       NULL;

	if (t) {
		open_feed(o, t, l, PART_NONE);
		return;
	}
	if (row->flags & (PATTERN_TEXT | PATTERN_BLOCK))
		t = open_for_row(o, row, l);
	if (row->flags & PATTERN_IGNORE) {
		if (t && rep_is_text(t->rep)) {
			t->rep->ignored = true;
			open_feed(o, t, l, PART_NONE);
		}
		return;
	}
	if (!t)
		t = open_report(s, l);
	/* Values first: delivery may end the report. */
	rep_take_row(t->rep, row, l);
	open_feed(o, t, l, PART_NONE);
}

static void feed_cut(struct scan *s, const struct line *l)
{
	struct slot *t = open_latest(&s->open, l->caller);

	/* Text that the kernel prints before the block it belongs to. */
	if (!t || t->rep->cut || t->rep->ignored || !rep_is_text(t->rep) ||
	    !rep_is_recent(t->rep, l)) {
		t = open_report(s, l);
		t->rep->part = PART_CUT;
	}
	t->rep->cut = true;
	t->rep->done = t->rep->over = false;
	open_feed(&s->open, t, l, PART_CUT);
}

/* A line without a class. */
static void feed_other(struct scan *s, const struct line *l)
{
	struct open_reps *o = &s->open;
	struct slot *t = open_latest(o, l->caller);

	if (!t) {
		t = open_for_answer(o, l);
		if (t)
			open_feed(o, t, l, PART_NONE);
	} else if (rep_wants(t->rep, l)) {
		open_feed(o, t, l, PART_NONE);
	} else if (rep_pass(t->rep, o->nr_slots == 1)) {
		open_close(o, t->rep);
	}
}

static bool feed_marker(struct scan *s, const struct line *l)
{
	const char *p, *e = l->body + l->blen;
	bool begin = line_starts(l, SCAN_MARK_BEGIN);

	if (!begin && !line_starts(l, SCAN_MARK_END))
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

/* Does @l, which could begin a report, go on with @r? A page dump within a
 * KASAN report, "XFS (dev): " after one of its kind: the same event. */
static bool goes_on(const struct rep *r, const struct pattern *row,
		    const struct line *l)
{
	if (r->panic || rep_has_row(r, row))
		return false;
	if (r->shape == PATTERN_UNTIL && !r->done &&
	    row->flags & (PATTERN_TEXT | PATTERN_IGNORE))
		return true;
	return row->shape != PATTERN_PANIC && rep_is_more(r, l);
}

/* A line is classed, and given to the report it belongs to or begins. */
static void feed_kernel(struct scan *s, struct line *l)
{
	struct open_reps *o = &s->open;
	const struct pattern *row;
	struct slot *t;
	enum part part;

	part = o->nr_slots || *l->body == '-' ? line_part(l) : PART_NONE;
	if (part == PART_CUT) {
		feed_cut(s, l);
		return;
	}
	if (part) {
		t = open_for_part(o, l, part);
		if (t)
			open_feed(o, t, l, part);
		return;
	}
	row = row_find(l);
	if (!row && !s->stamped) {
		row = row_find_inside(l);
		if (row == &pattern_cut) {
			feed_cut(s, l);
			return;
		}
	}
	t = open_latest(o, l->caller);
	if (row && t && goes_on(t->rep, row, l))
		open_feed(o, t, l, PART_NONE);
	else if (row)
		feed_row(s, row, l);
	else
		feed_other(s, l);
}

/* A console taken over by another CPU shows its last record again. */
static bool is_replayed(struct scan *s, const struct line *l)
{
	bool again = s->replay && s->last_raw && l->len == s->last_len &&
		     !memcmp(l->raw, s->last_raw, l->len);

	s->replay = false;
	s->last_raw = l->raw;
	s->last_len = l->len;
	return again;
}

static void feed(struct scan *s, struct line *l)
{
	struct open_reps *o = &s->open;
	bool rule;

	l->no = ++s->lines;
	if (l->len == strlen(REPLAY) && !memcmp(l->raw, REPLAY, l->len)) {
		s->replay = true;
		return;
	}
	if (!line_parse(l, s->stamped) || is_replayed(s, l) || !l->blen)
		return;
	open_close_stale(o, l);
	if (line_starts(l, "Linux version "))
		open_close_all(o);
	if (feed_marker(s, l))
		return;
	rule = line_is_rule(l);
	if (rule && !o->nr_slots) {
		s->rule = *l;
		return;
	}
	feed_kernel(s, l);
	/* One that ended the last report is not above the next one's title. */
	if (rule && o->nr_slots)
		s->rule = *l;
}

void scan_console(const char *data, size_t len, size_t from,
		  struct kreports *out)
{
	struct scan s = {};
	const char *p = data, *e = data + len;

	*out = (struct kreports){};
	if (!data || !len)
		return;
	rows_init();
	results_init(&s.open.res, out, from);
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
	open_end(&s.open);
	free(s.case_name);
}
