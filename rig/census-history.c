// SPDX-License-Identifier: GPL-2.0-or-later
#include "census-history.h"

#include <math.h>
#include <string.h>

/* What is kept of a log that makes up more. */
#define MAX_SPELLS ((size_t)1 << 17)
#define MAX_COUNTS ((size_t)4096)
#define MAX_OPEN ((size_t)1 << 22)
#define MAX_MARKS ((size_t)1 << 20)

/* include/linux/mm.h GUP_PIN_COUNTING_BIAS */
#define PIN_BIAS 1024

const char *const page_level_names[NR_LEVELS] = {
	[LEVEL_FREE] = "idle",
	[LEVEL_TAIL] = "tail of a large folio",
	[LEVEL_OWNED] = "idle, in a file",
	[LEVEL_MAPPED] = "mapped once",
	[LEVEL_MAPPED_MORE] = "mapped more than once",
	[LEVEL_REF] = "one extra reference",
	[LEVEL_REFS] = "2 to 1023 extra references",
	[LEVEL_PINNED] = "pinned",
	[LEVEL_UNDER] = "below idle",
};

/* A page that is off idle now. */
struct history_open {
	uint64_t page, pgmap;
	double since;
	enum page_level level;
	int32_t ref, mapcount;
	uint64_t mapping, index;
};

enum page_level page_level(const struct page_view *v, int32_t idle_ref)
{
	int64_t maps = v->mapcount > 0 ? v->mapcount : 0;
	int64_t extra = (int64_t)v->ref - idle_ref - maps;

	/* A tail's own count is frozen at 0, whatever idle is. */
	if (v->tail)
		return LEVEL_TAIL;
	if (v->pincount > 0 || extra >= PIN_BIAS)
		return LEVEL_PINNED;
	if (extra)
		return extra < 0 ? LEVEL_UNDER :
		       extra == 1 ? LEVEL_REF : LEVEL_REFS;
	if (maps)
		return maps == 1 ? LEVEL_MAPPED : LEVEL_MAPPED_MORE;
	return v->mapping || v->index ? LEVEL_OWNED : LEVEL_FREE;
}

/* --- counts ---------------------------------------------------------------------- */

static struct history_count *count_of(struct history_ns *ns, int32_t ref,
				      enum page_level level, double t)
{
	size_t lo = 0, hi = ns->nr_counts;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct history_count *c = &ns->counts[mid];

		if (c->ref == ref && c->level == level)
			return &ns->counts[mid];
		if (c->ref < ref || (c->ref == ref && c->level < level))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (ns->nr_counts == MAX_COUNTS)
		return NULL;
	ns->counts = xrealloc(ns->counts,
			      (ns->nr_counts + 1) * sizeof(*ns->counts));
	memmove(ns->counts + lo + 1, ns->counts + lo,
		(ns->nr_counts - lo) * sizeof(*ns->counts));
	ns->nr_counts++;
	ns->counts[lo] = (struct history_count){ .ref = ref, .level = level,
						 .at = t };
	return &ns->counts[lo];
}

/* --- spells ----------------------------------------------------------------------- */

/* The more telling spell first. */
static int by_weight(const void *a, const void *b)
{
	const struct history_spell *x = a, *y = b;
	double dx = x->until - x->since, dy = y->until - y->since;

	if (x->stayed != y->stayed)
		return x->stayed ? -1 : 1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void add_spell(struct history_spell **v, size_t *n,
		      const struct history_open *o, double until, bool stayed)
{
	struct history_spell *last = *n ? &(*v)[*n - 1] : NULL;

	/* Pages that came, counted and went together are one; their index
	 * counts up, or is a share count. */
	if (last && last->first + last->n == o->page &&
	    last->since == o->since && last->until == until &&
	    last->stayed == stayed && last->level == o->level &&
	    last->ref == o->ref && last->mapcount == o->mapcount &&
	    last->mapping == o->mapping &&
	    (last->index == o->index || last->index + last->n == o->index)) {
		last->n++;
		return;
	}
	/* Grown by doubling. */
	if (!(*n & (*n - 1)))
		*v = xrealloc(*v, (*n ? *n * 2 : 1) * sizeof(**v));
	(*v)[(*n)++] = (struct history_spell){
		.first = o->page, .n = 1, .since = o->since, .until = until,
		.stayed = stayed, .level = o->level, .ref = o->ref,
		.mapcount = o->mapcount, .mapping = o->mapping,
		.index = o->index,
	};
}

static void close_spell(struct history *h, struct history_ns *ns,
			const struct history_open *o, double t)
{
	bool gone = ns->gone >= 0;
	double until = gone ? ns->gone : t;

	if (until < h->from)
		return;
	if (ns->nr_spells == MAX_SPELLS) {
		qsort(ns->spells, ns->nr_spells, sizeof(*ns->spells),
		      by_weight);
		ns->nr_spells /= 2;
		ns->dropped += ns->nr_spells;
	}
	add_spell(&ns->spells, &ns->nr_spells, o, until, gone);
}

/* Page @page is off idle as @v says: as part of a spell that goes on, or one
 * that begins. */
static void seen_off(struct history_open *out, const struct history_open *old,
		     uint64_t page, const struct page_view *v,
		     enum page_level level, double t)
{
	*out = (struct history_open){
		.page = page, .pgmap = v->pgmap, .since = t, .level = level,
		.ref = v->ref, .mapcount = v->mapcount, .mapping = v->mapping,
		.index = v->index,
	};
	if (!old)
		return;
	out->since = old->since;
	if (old->level > level || (old->level == level && old->ref > v->ref)) {
		*out = *old;
		return;
	}
	/* Its file may be cut off while the reference is held. */
	if (!v->mapping) {
		out->mapping = old->mapping;
		out->index = old->index;
	}
}

static void take_off(struct history *h, struct history_ns *ns,
		     const struct census_frame *f)
{
	struct history_open *now = NULL;
	size_t n = 0, cap = 0, i = 0;

	for (size_t k = 0; k < f->nr_runs; k++) {
		const struct census_run *r = &f->runs[k];
		enum page_level level = page_level(&r->v, ns->idle_ref);
		uint64_t p = r->first > h->first ? r->first : h->first;

		if (level < LEVEL_OFF)
			continue;
		for (; p < r->first + r->n && p <= h->last && n < MAX_OPEN;
		     p++) {
			struct page_view v = r->v;
			const struct history_open *old = NULL;

			v.index += r->counts ? p - r->first : 0;
			while (i < ns->nr_open && ns->open[i].page < p)
				close_spell(h, ns, &ns->open[i++], f->t);
			if (i < ns->nr_open && ns->open[i].page == p) {
				/* Of another array, it ended with that. */
				if (ns->open[i].pgmap == v.pgmap)
					old = &ns->open[i];
				else
					close_spell(h, ns, &ns->open[i], f->t);
				i++;
			}
			if (n == cap) {
				cap = cap * 2 + 64;
				now = xrealloc(now, cap * sizeof(*now));
			}
			seen_off(&now[n++], old, p, &v, level, f->t);
		}
	}
	while (i < ns->nr_open)
		close_spell(h, ns, &ns->open[i++], f->t);
	free(ns->open);
	ns->open = now;
	ns->nr_open = n;
}

struct history_spell *history_spells(const struct history *h, unsigned int nr,
				     size_t *n)
{
	const struct history_ns *ns = &h->ns[nr];
	bool gone = ns->gone >= 0;
	struct history_spell *v = NULL;

	*n = 0;
	for (size_t i = 0; i < ns->nr_open; i++)
		add_spell(&v, n, &ns->open[i], gone ? ns->gone : h->end, true);
	v = xrealloc(v, (*n + ns->nr_spells + 1) * sizeof(*v));
	if (ns->nr_spells)
		memcpy(v + *n, ns->spells, ns->nr_spells * sizeof(*v));
	*n += ns->nr_spells;
	qsort(v, *n, sizeof(*v), by_weight);
	return v;
}

/* --- records ---------------------------------------------------------------------- */

static bool at(struct history *h, double t)
{
	if (t > h->to)
		return false;
	if (t > h->end)
		h->end = t;
	h->owners.t = t;
	return true;
}

static void on_ns(const struct census_log_ns_info *info, double t, void *arg)
{
	struct history *h = arg;
	struct history_ns *ns = &h->ns[info->ns];

	if (!at(h, t))
		return;
	free(ns->name);
	ns->name = printable(info->name, strlen(info->name), false);
	ns->data_pfn = info->data_pfn;
	ns->n = info->n;
	ns->idle_ref = h->before && h->before->ns[info->ns].said ?
			       h->before->ns[info->ns].idle_ref :
			       info->idle_ref;
	if (!ns->said)
		ns->gone = -1;
	ns->said = true;
}

static void on_gone(unsigned int nr, double t, void *arg)
{
	struct history *h = arg;

	if (!at(h, t))
		return;
	h->ns[nr].gone = t;
}

static void on_frame(const struct census_frame *f, void *arg)
{
	struct history *h = arg;
	struct history_ns *ns = &h->ns[f->ns];

	if (!at(h, f->t))
		return;
	h->frames++;
	ns->frames++;
	ns->torn += f->torn;
	if (h->skim || (f->same && ns->frames > 1 && ns->gone < 0))
		return;
	for (size_t i = 0; i < ns->nr_counts; i++)
		ns->counts[i].pages = 0;
	for (size_t i = 0; i < f->nr_runs; i++) {
		const struct census_run *r = &f->runs[i];
		uint64_t from = r->first > h->first ? r->first : h->first;
		uint64_t to = r->first + r->n - 1 < h->last ?
				      r->first + r->n - 1 : h->last;
		struct history_count *c;

		if (from > to)
			continue;
		c = count_of(ns, r->v.ref, page_level(&r->v, ns->idle_ref),
			     f->t);
		if (c)
			c->pages += to - from + 1;
	}
	for (size_t i = 0; i < ns->nr_counts; i++) {
		struct history_count *c = &ns->counts[i];

		/* In the window, or at its beginning. */
		if (c->pages > c->most || c->at < h->from) {
			c->most = c->pages;
			c->at = f->t;
		}
	}
	take_off(h, ns, f);
	ns->gone = -1;
}

static void begin_case(struct history *h, const char *name, double t)
{
	if (!(h->nr_cases & (h->nr_cases - 1)))
		h->cases = xrealloc(h->cases,
				    (h->nr_cases ? h->nr_cases * 2 : 1) *
					    sizeof(*h->cases));
	h->cases[h->nr_cases++] = (struct history_case){ name, t, INFINITY };
}

static void on_mark(const char *text, double t, void *arg)
{
	struct history *h = arg;
	struct history_mark *m;
	struct history_case *c;

	if (!at(h, t) || h->nr_marks == MAX_MARKS)
		return;
	if (!(h->nr_marks & (h->nr_marks - 1)))
		h->marks = xrealloc(h->marks,
				    (h->nr_marks ? h->nr_marks * 2 : 1) *
					    sizeof(*h->marks));
	m = &h->marks[h->nr_marks++];
	*m = (struct history_mark){ t, printable(text, strlen(text), false) };
	c = h->nr_cases ? &h->cases[h->nr_cases - 1] : NULL;
	if (starts_with(m->text, "begin ")) {
		if (c && isinf(c->to))
			c->to = t;
		begin_case(h, m->text + 6, t);
	} else if (starts_with(m->text, "ran ")) {
		owners_gone_case(&h->owners, m->text + 4);
	} else if (starts_with(m->text, "end ") && c && isinf(c->to)) {
		c->to = t;
	}
}

static void on_event(unsigned int ns, const char *json, double t, void *arg)
{
	struct history *h = arg;
	struct json_object *ev;

	if (!at(h, t))
		return;
	ev = json_tokener_parse(json);
	owners_add(&h->owners, ns, ev);
	json_object_put(ev);
}

struct census_log_reader history_reader(struct history *h)
{
	return (struct census_log_reader){ on_ns, on_gone, on_frame, on_mark,
					   on_event, h };
}

const char *history_case_at(const struct history *h, double t)
{
	for (size_t i = h->nr_cases; i-- > 0;)
		if (h->cases[i].from <= t)
			return t < h->cases[i].to ? h->cases[i].name : NULL;
	return NULL;
}

/* Times within a spell at which to ask: the guest's events come a little later
 * than what they tell of is seen. */
static double ask_at(const struct history_spell *s, int i)
{
	double half = (s->until - s->since) / 2;

	return s->since + (i ? half < 1 ? half : 1 : 0);
}

const struct owner *history_owner(struct history *h, unsigned int ns,
				  const struct history_spell *s)
{
	const struct owner *w = NULL;

	for (int i = 0; i < 2 && !(w && w->is_now); i++)
		w = owners_find_at(&h->owners, ns, s->first * 4096,
				   ask_at(s, i));
	return w ? w : owners_find(&h->owners, ns, s->first * 4096);
}

char *history_whose(struct history *h, unsigned int ns,
		    const struct history_spell *s)
{
	const struct owner *w = history_owner(h, ns, s);
	struct buf b = {};

	if (!w) {
		if (s->mapping)
			buf_addf(&b, "mapping 0x%llx, index 0x%llx",
				 (unsigned long long)s->mapping,
				 (unsigned long long)s->index);
		else
			buf_addf(&b, "no file that is known");
		return b.data;
	}
	buf_addf(&b, "%s+0x%llx", w->file, (unsigned long long)w->off);
	if (!w->is_now)
		buf_addf(&b, ", which had it last");
	else if (w->until < s->until - 1 || (s->stayed && !isinf(w->until)))
		buf_addf(&b, ", until %.1f s", w->until);
	return b.data;
}

char *history_until(const struct history *h, const struct history_spell *s)
{
	return !s->stayed ? xstrfmt("%.1f s", s->until) :
	       s->until < h->end ? xstrfmt("%.1f s (namespace gone)",
					   s->until) :
				   xstrdup("still there");
}

char *history_held(struct history *h, unsigned int ns,
		   const struct history_spell *s)
{
	const struct owner_hold *r = NULL;

	for (int i = 0; i < 2 && !r; i++)
		r = owners_hold_at(&h->owners, ns, s->first * 4096,
				   ask_at(s, i));
	return r ? xstrdup(r->kind) : NULL;
}

void history_free(struct history *h)
{
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++) {
		free(h->ns[i].name);
		free(h->ns[i].counts);
		free(h->ns[i].open);
		free(h->ns[i].spells);
	}
	for (size_t i = 0; i < h->nr_marks; i++)
		free(h->marks[i].text);
	free(h->marks);
	free(h->cases);
	owners_free(&h->owners);
	*h = (struct history)HISTORY_INIT;
}
