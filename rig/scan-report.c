// SPDX-License-Identifier: GPL-2.0-or-later
/* One report while its lines come: see scan-internal.h. */
#include "scan-internal.h"

#include <math.h>
#include <string.h>

enum {
	MAX_LINE = 4096,	/* bytes of a line that a report keeps */
	MAX_TEXT = 256 << 10,	/* bytes that a report keeps */
	MAX_HEAD = 64,		/* unclassed lines before a stack */
	MAX_BODY = 1000,	/* lines of a report without an own form */
	MAX_STRAY = 100,	/* lines that pass by an unfinished report */
	MAX_JOIN_LINES = 64,	/* text and its block are this close */
};

/* @l is a part of @r. */
static void append(struct rep *r, const struct line *l)
{
	size_t len = l->len < MAX_LINE ? l->len : MAX_LINE;

	if (r->text.len + len < MAX_TEXT) {
		if (r->text.len)
			buf_add(&r->text, "\n", 1);
		buf_add(&r->text, l->raw, len);
	}
	if (l->off + l->len > r->end)
		r->end = l->off + l->len;
	r->last_line = l->no;
	if (l->time >= 0)
		r->last_time = l->time;
	r->strays = 0;
	r->lines++;
}

struct rep *rep_new(const struct line *l, const struct line *rule,
		    const char *case_name)
{
	struct rep *r = xcalloc(1, sizeof(*r));

	r->cpu = r->pid = -1;
	r->row = &pattern_cut;
	r->shape = r->row->shape;
	r->time = r->last_time = l->time;
	r->start = l->off;
	r->case_name = case_name ? xstrdup(case_name) : NULL;
	if (rule) {
		r->start = rule->off;
		append(r, rule);
	}
	return r;
}

void rep_free(struct rep *r)
{
	free(r->case_name);
	buf_free(&r->text);
	free(r);
}

bool rep_is_text(const struct rep *r)
{
	for (int i = 0; i < r->nr_rows; i++)
		if (!(r->rows[i]->flags & PATTERN_TEXT))
			return false;
	return r->nr_rows;
}

bool rep_is_recent(const struct rep *r, const struct line *l)
{
	return l->no - r->last_line < MAX_JOIN_LINES &&
	       (l->time < 0 || r->last_time < 0 ||
		fabs(l->time - r->last_time) < 5);
}

bool rep_has_row(const struct rep *r, const struct pattern *row)
{
	for (int i = 0; i < r->nr_rows; i++)
		if (r->rows[i] == row)
			return true;
	return false;
}

bool rep_can_join(const struct rep *r, const struct pattern *row,
		  const struct line *l)
{
	bool text = row->flags & PATTERN_TEXT, block = row->flags & PATTERN_BLOCK;

	if (r->panic || rep_has_row(r, row) || !rep_is_recent(r, l))
		return false;
	if (rep_is_text(r))
		return text || block;
	if (r->part >= PART_MODULES)
		return false;
	if (r->row == &pattern_cut)
		return text || block;
	return text || (block && r->block && row->flags & PATTERN_FATAL &&
			r->block->flags & PATTERN_FATAL);
}

int rep_fit(const struct rep *r, enum part part)
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

static bool is_panic_end(const struct line *l)
{
	return line_starts(l, "---[ end Kernel panic") ||
	       line_starts(l, "Kernel Offset: ") ||
	       line_starts(l, "Rebooting in ");
}

bool rep_is_more(const struct rep *r, const struct line *l)
{
	return row_match(r->row, ROW_END, l, NULL) ||
	       row_match(r->row, ROW_MORE, l, NULL) ||
	       (r->block && r->block != r->row &&
		row_match(r->block, ROW_MORE, l, NULL));
}

/* True when the report ends with its stack. */
static bool stack_ended(struct rep *r)
{
	bool more = row_has(r->row, ROW_MORE) ||
		    (r->block && row_has(r->block, ROW_MORE));

	r->in_stack = false;
	switch (r->shape) {
	case PATTERN_UNTIL:
		if (!row_has(r->row, ROW_LAST) || !r->last_seen)
			return false;
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
		return false;
	}
	return !more && !r->panic;
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

/* Those that @r has not, or, where @v @wins, all. */
static void take_values(struct rep *r, const struct row_values *v, bool wins)
{
	struct row_values *val = &r->val;

	if (*v->func && (wins || !*val->func))
		memcpy(val->func, v->func, sizeof(val->func));
	if (*v->at && (wins || !*val->at))
		snprintf(val->at, sizeof(val->at), "%s", in_tree(v->at));
	if (*v->msg && (wins || !*val->msg))
		memcpy(val->msg, v->msg, sizeof(val->msg));
}

void rep_take_row(struct rep *r, const struct pattern *row,
		  const struct line *l)
{
	struct row_values v;
	bool wins = r->row == &pattern_cut || row < r->row;

	if (row_match(row, ROW_RE, l, &v))
		take_values(r, &v, wins);
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
		line_owner(l, &r->cpu, &r->pid);
	r->done = r->over = r->shape == PATTERN_LINE;
}

/* What a line of this form says. True when the report ends with it. */
static bool take_part(struct rep *r, const struct line *l, enum part part)
{
	switch (part) {
	case PART_NONE:
		if ((r->panic || r->shape == PATTERN_PANIC) && is_panic_end(l))
			r->done = true;
		break;
	case PART_CPU:
		if (r->cpu < 0)
			line_owner(l, &r->cpu, &r->pid);
		break;
	case PART_RIP:
		if (*r->rip)
			break;
		line_rip_func(l, r->rip, sizeof(r->rip));
		r->rip_first = *r->rip && r->part < PART_FRAME;
		break;
	case PART_STACK_BEGIN:
		r->marked = true;
		return false;
	case PART_FRAME:
		r->in_stack = true;
		/* Of lockdep's many stacks the last is the one that did it. */
		if (*r->frame || (row_has(r->row, ROW_LAST) && !r->last_seen))
			break;
		line_frame_func(l, r->frame, sizeof(r->frame));
		if (is_generic(r->frame))
			*r->frame = '\0';
		break;
	case PART_END:
		r->done = true;
		break;
	default:
		break;
	}
	if (r->part < part)
		r->part = part;
	if (part == PART_STACK_END)
		return stack_ended(r);
	return part == PART_END && r->shape != PATTERN_DIE && !r->panic;
}

bool rep_feed(struct rep *r, const struct line *l, enum part part)
{
	struct row_values v;

	/* Kernels before 5.14 do not mark the ends of a stack. */
	if (r->in_stack && !r->marked && part != PART_FRAME &&
	    part != PART_STACK_BEGIN && !is_register(part) && stack_ended(r))
		return true;
	append(r, l);
	if (!r->aux_done && row_match(r->row, ROW_AUX, l, &v)) {
		r->aux_done = true;
		take_values(r, &v, true);
	}
	if (!r->last_seen && row_match(r->row, ROW_LAST, l, NULL))
		r->last_seen = true;
	if (part == PART_NONE && r->lines > 1 &&
	    row_match(r->row, ROW_END, l, NULL)) {
		r->done = true;
		return true;
	}
	return take_part(r, l, part) || r->lines > MAX_BODY;
}

bool rep_wants(struct rep *r, const struct line *l)
{
	if (r->panic || r->shape == PATTERN_PANIC || rep_is_more(r, l))
		return true;
	if (r->in_stack && !r->marked)
		return false;
	if (r->shape == PATTERN_UNTIL && !r->done)
		return true;
	return r->part < PART_MODULES && !r->done && r->heads++ < MAX_HEAD;
}

bool rep_pass(struct rep *r, bool alone)
{
	if (r->in_stack && !r->marked)
		return stack_ended(r);
	return ++r->strays > MAX_STRAY || r->over ||
	       (r->done && r->shape != PATTERN_DIE && alone);
}
