// SPDX-License-Identifier: GPL-2.0-or-later
/* The open reports, and whose a line is: see scan-internal.h. */
#include "scan-internal.h"

#include <math.h>
#include <string.h>

static const double max_gap = 60;	/* guest seconds without a line */

/* Take @r out of all slots; it waits among the closed for a panic. */
void open_close(struct open_reps *o, struct rep *r)
{
	int n = 0;

	for (int i = 0; i < o->nr_slots; i++)
		if (o->slots[i].rep != r)
			o->slots[n++] = o->slots[i];
	o->nr_slots = n;
	if (o->nr_closed == MAX_CLOSED) {
		results_add(&o->res, o->closed[0]);
		memmove(o->closed, o->closed + 1,
			--o->nr_closed * sizeof(o->closed[0]));
	}
	o->closed[o->nr_closed++] = r;
}

static struct slot *slot_add(struct open_reps *o, const struct line *l,
			     struct rep *r)
{
	/* Its other slots, if any, are no reason to close @r itself. */
	for (int i = 0; o->nr_slots == MAX_OPEN; i++) {
		if (o->slots[i].rep != r)
			open_close(o, o->slots[i].rep);
		else if (i == MAX_OPEN - 1)
			o->nr_slots--;
	}
	o->slots[o->nr_slots] = (struct slot){
		.caller = l->caller, .rep = r, .used = l->no };
	return &o->slots[o->nr_slots++];
}

void open_close_all(struct open_reps *o)
{
	while (o->nr_slots)
		open_close(o, o->slots[0].rep);
}

struct slot *open_latest(struct open_reps *o, uint64_t caller)
{
	struct slot *best = NULL;

	for (int i = 0; i < o->nr_slots; i++)
		if (o->slots[i].caller == caller &&
		    (!best || o->slots[i].used >= best->used))
			best = &o->slots[i];
	return best;
}

struct slot *open_for_part(struct open_reps *o, const struct line *l,
			   enum part part)
{
	struct slot *best = open_latest(o, l->caller), *only = best;
	char rip[128] = "";
	int cpu = -1, pid = -1, score = 0;

	/* Only lines without a caller can have several owners. */
	if (l->caller || o->nr_slots < 2)
		return best;
	if (part == PART_CPU)
		line_owner(l, &cpu, &pid);
	if (part == PART_RIP)
		line_rip_func(l, rip, sizeof(rip));
	for (int i = 0; i < o->nr_slots; i++) {
		struct slot *t = &o->slots[i];
		const struct rep *r = t->rep;
		int f;

		if (t->caller)
			continue;
		f = rep_fit(r, part);
		if (f && cpu >= 0 && r->cpu >= 0)
			f = r->cpu == cpu && r->pid == pid ? 1000 : 0;
		if (f && *rip && *r->val.func)
			f = !strcmp(rip, r->val.func) ? 1000 + f : 1;
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

struct slot *open_new(struct open_reps *o, const struct line *l,
		      const struct line *rule, const char *case_name)
{
	/* A caller begins a report only after it is through with the last;
	 * without callers the same is known of reports that are over. */
	for (int i = 0; i < o->nr_slots;) {
		struct slot *t = &o->slots[i];

		if (t->caller == l->caller && (l->caller || t->rep->over)) {
			open_close(o, t->rep);
			i = 0;
		} else {
			i++;
		}
	}
	return slot_add(o, l, rep_new(l, rule, case_name));
}

void open_feed(struct open_reps *o, struct slot *t, const struct line *l,
	       enum part part)
{
	t->used = l->no;
	if (rep_feed(t->rep, l, part))
		open_close(o, t->rep);
}

/*
 * Where several blocks without a caller wait for their own line: text that
 * tells more goes with a generic function, and only with one.
 */
struct slot *open_for_row(struct open_reps *o, const struct pattern *row,
			  const struct line *l)
{
	struct slot *best = NULL;
	bool generic = false, best_text = false;
	struct row_values v;

	if (row->flags & PATTERN_BLOCK && row_match(row, ROW_RE, l, &v))
		generic = is_generic(v.func);
	for (int i = 0; i < o->nr_slots; i++) {
		struct slot *t = &o->slots[i];
		bool text = rep_is_text(t->rep);

		if (t->caller != l->caller || !rep_can_join(t->rep, row, l))
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

static bool caused_by(const struct panic_cause *c, const struct rep *r)
{
	return (!c->kind || !strcmp(c->kind, r->row->kind)) &&
	       (!c->fatal || r->fatal) &&
	       (!c->pid || r->pid < 0 || r->pid == c->pid) &&
	       !(r->row->flags & PATTERN_IGNORE);
}

/* The latest report, open or closed, that ended in a panic of cause @c; one of
 * @caller's own before others. A closed one is taken from among the closed. */
static struct rep *find_cause(struct open_reps *o, const struct panic_cause *c,
			      uint64_t caller)
{
	const struct slot *own = open_latest(o, caller);

	if (own && caused_by(c, own->rep))
		return own->rep;
	for (int i = o->nr_slots; i-- > 0;)
		if (caused_by(c, o->slots[i].rep))
			return o->slots[i].rep;
	for (int i = o->nr_closed; i-- > 0;) {
		struct rep *r = o->closed[i];

		if (!caused_by(c, r))
			continue;
		memmove(o->closed + i, o->closed + i + 1,
			(--o->nr_closed - i) * sizeof(o->closed[0]));
		return r;
	}
	return NULL;
}

struct slot *open_for_panic(struct open_reps *o, const struct line *l)
{
	const struct panic_cause *c = panic_cause_of(l);
	struct rep *r = c ? find_cause(o, c, l->caller) : NULL;

	if (!r)
		return NULL;
	r->fatal = r->panic = true;
	r->in_stack = false;
	for (int i = o->nr_slots; i-- > 0;)
		if (o->slots[i].rep == r && o->slots[i].caller == l->caller)
			return &o->slots[i];
	return slot_add(o, l, r);
}

struct slot *open_for_answer(struct open_reps *o, const struct line *l)
{
	if (!l->caller || !line_starts(l, "NMI backtrace for cpu "))
		return NULL;
	for (int i = o->nr_slots; i-- > 0;) {
		struct rep *r = o->slots[i].rep;

		if (r->row->flags & PATTERN_RIP)
			return slot_add(o, l, r);
	}
	return NULL;
}

void open_close_stale(struct open_reps *o, const struct line *l)
{
	for (int i = 0; i < o->nr_slots;) {
		struct rep *r = o->slots[i].rep;

		if (l->time >= 0 && r->last_time >= 0 && !r->panic &&
		    fabs(l->time - r->last_time) > max_gap) {
			open_close(o, r);
			i = 0;
		} else {
			i++;
		}
	}
}

void open_end(struct open_reps *o)
{
	open_close_all(o);
	for (int i = 0; i < o->nr_closed; i++)
		results_add(&o->res, o->closed[i]);
	results_end(&o->res);
}
