// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaks: what every page has to look like once a case is over, and what is
 * said of one that does not.
 */
#include "guest-census.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* A page may be in use for a moment by what the kernel still has to do for
 * processes that are gone: looked at again for so long, in seconds on the
 * reference guest, before it is called a leak. */
#define SETTLE 0.5
/* Pages off idle that are told of one by one, in a census. */
#define MAX_OUTLIERS 4096
/* Ranges of such pages that a finding lists. */
#define MAX_RANGES 16

enum off { OFF_GET, OFF_PIN, OFF_UNDER, OFF_MAPPED, OFF_MAPPING, OFF_INDEX,
	   OFF_ORDER, NR_OFF };
static const struct {
	const char *key, *title;
} off_words[NR_OFF] = {
	[OFF_GET] = { "get", "leaked reference (FOLL_GET)" },
	[OFF_PIN] = { "pin", "leaked reference (FOLL_PIN)" },
	[OFF_UNDER] = { "under", "refcount below idle" },
	[OFF_MAPPED] = { "mapped", "page still counts as mapped" },
	[OFF_MAPPING] = { "mapping", "page of no file still has a mapping" },
	[OFF_INDEX] = { "index", "page of no file still has an index or share count" },
	[OFF_ORDER] = { "order", "page of no file is still in a large folio" },
};

struct outlier {
	uint64_t page;
	struct page_view v;
	enum off off;
};

/* What is wrong with it, once nothing holds or maps it; false: nothing. */
static bool is_off(const struct ref_row *row, const struct page_view *v,
		   bool quiet, bool unowned, enum off *off)
{
	struct ref_extra x = ref_row_extra(row, v);

	if (x.pins > 0)
		*off = OFF_PIN;
	else if (x.gets > 0)
		*off = OFF_GET;
	else if (x.gets < 0 || x.pins < 0)
		*off = OFF_UNDER;
	else if (quiet && v->mapcount > 0 && !v->tail)
		*off = OFF_MAPPED;
	else if (unowned && v->mapping)
		*off = OFF_MAPPING;
	else if (unowned && (v->order || v->tail))
		*off = OFF_ORDER;
	else if (unowned && v->index)
		*off = OFF_INDEX;
	else
		return false;
	return true;
}

/* What is held of a large folio counts in its head. */
static bool is_held(const struct boot_census *c, const struct outlier *o)
{
	uint64_t off = o->page * GUEST_PAGE;
	uint64_t end = off + (GUEST_PAGE << o->v.order);

	for (size_t i = 0; i < c->nr_holds; i++)
		if (off < c->holds[i].off + c->holds[i].len &&
		    end > c->holds[i].off)
			return true;
	return false;
}

/* The pages of a namespace that are off, as of one look. */
struct off_list {
	struct outlier *v;	/* the first MAX_OUTLIERS of them */
	size_t n;
	size_t all;
	int ns;
	const char *at;		/* when that was, in words */
};

/* @quiet: nothing maps a page any more. Value: whether any is off. */
static bool look(struct boot *b, bool quiet, bool unowned, struct off_list *l)
{
	struct boot_census *c = b->census;
	const struct census_ns *ns = &c->ns[l->ns];
	const struct ref_row *row = boot_ref_row(b, l->ns);
	struct census_idle idle = { .ref = ref_row_idle(row),
				    .unowned = unowned };
	_free_ uint64_t *pages = xcalloc(ns->n, sizeof(*pages));
	size_t hits = census_pass(ns, &idle, pages, ns->n);

	l->n = l->all = 0;
	for (size_t k = 0; k < hits && k < ns->n; k++) {
		struct outlier o = { .page = pages[k] };

		census_read(ns, o.page, &o.v);
		if (!is_off(row, &o.v, quiet, unowned, &o.off) ||
		    (!quiet && is_held(c, &o)))
			continue;
		if (l->n < MAX_OUTLIERS)
			l->v[l->n++] = o;
		l->all++;
	}
	return l->n;
}

/* The file that has or had the page, as far as anybody knows. */
static void name_owner(struct boot *b, int i, const struct outlier *o,
		       struct buf *out)
{
	struct boot_census *c = b->census;
	const struct owner *w = owners_find(&c->owners, i,
					    o->page * GUEST_PAGE);
	uint64_t ino = o->v.mapping > GUEST_PAGE ?
		census_inode(&c->mem, c->v, &c->layout, o->v.mapping) : 0;

	if (w)
		buf_addf(out, "%s+0x%" PRIx64 " (inode %" PRIu64 ")%s", w->file,
			 w->off, w->ino, w->is_now ? "" : ", which had it last");
	else if (ino)
		buf_addf(out, "inode %" PRIu64 "+0x%" PRIx64, ino,
			 o->v.index * GUEST_PAGE);
	else
		buf_addf(out, "no file that is known");
}

static bool continues(const struct outlier *a, const struct outlier *b)
{
	return b->page == a->page + 1 && b->off == a->off &&
	       b->v.ref == a->v.ref && b->v.mapcount == a->v.mapcount;
}

/* What is off, in figures. */
static void say_off(struct buf *out, enum off off, const struct page_view *v,
		    int32_t idle)
{
	switch (off) {
	case OFF_MAPPING:
		buf_addf(out, " (0x%" PRIx64 ")", v->mapping);
		break;
	case OFF_INDEX:
		buf_addf(out, " (0x%" PRIx64 ")", v->index);
		break;
	case OFF_ORDER:
		if (v->tail)
			buf_addf(out, " (a tail)");
		else
			buf_addf(out, " (order %d)", v->order);
		break;
	case OFF_MAPPED:
		buf_addf(out, " (mapcount %d)", v->mapcount);
		break;
	default:
		buf_addf(out, ", counts %d, idle is %d", v->ref, idle);
		break;
	}
}

/* One finding of all that is off in one way. */
static void report_off(struct boot *b, enum off off, const struct off_list *l)
{
	const struct boot_census *c = b->census;
	const struct ref_row *row = boot_ref_row(b, l->ns);
	const struct outlier *o = l->v;
	const char *size = b->now && b->now->size ? b->now->size : "";
	_buf_ struct buf text = {}, title = {};
	_free_ char *key = xstrfmt("census %s %s", off_words[off].key, size);
	size_t ranges = 0, pages = 0, last = 0;

	for (size_t k = 0; k < l->n; k = last + 1) {
		last = k;
		if (o[k].off != off)
			continue;
		while (last + 1 < l->n && continues(&o[last], &o[last + 1]))
			last++;
		pages += last - k + 1;
		if (ranges++ >= MAX_RANGES)
			continue;
		buf_addf(&text, "%s+0x%" PRIx64 ", %zu page%s: refcount %d "
			 "(idle %d), mapcount %d", c->ns[l->ns].name,
			 o[k].page * GUEST_PAGE, last - k + 1, last > k ? "s" : "",
			 o[k].v.ref, ref_row_idle(row), o[k].v.mapcount);
		if (o[k].v.order)
			buf_addf(&text, ", order %d, pincount %d", o[k].v.order,
				 o[k].v.pincount);
		buf_addf(&text, ", mapping 0x%" PRIx64 ", index 0x%" PRIx64
			 "%s\n    of ", o[k].v.mapping, o[k].v.index,
			 o[k].v.torn ? ", changing" : "");
		name_owner(b, l->ns, &o[k], &text);
		buf_addf(&text, "\n");
		if (title.len)
			continue;
		buf_addf(&title, "%s", off_words[off].title);
		say_off(&title, off, &o[k].v, ref_row_idle(row));
		buf_addf(&title, ": ");
		name_owner(b, l->ns, &o[k], &title);
		buf_addf(&title, ", at %s+0x%" PRIx64, c->ns[l->ns].name,
			 o[k].page * GUEST_PAGE);
	}
	if (!pages)
		return;
	if (ranges > MAX_RANGES)
		buf_addf(&text, "and %zu ranges more\n", ranges - MAX_RANGES);
	buf_addf(&text, "%zu page%s in all, seen %s\n", pages,
		 pages > 1 ? "s" : "", l->at);
	if (l->all > l->n)
		buf_addf(&text, "of %zu pages that are off one way or another "
			 "the first %zu were looked at\n", l->all, l->n);
	boot_observe(b, "census", title.data, key, text.data);
	b->census_off |= 1u << off;
	b->census_found = true;
	if (!b->first_fail)
		b->first_fail = xstrdup(title.data);
}

/* Whether anything is off in a way that this case was not told of yet. */
static bool has_news(const struct boot *b, const struct off_list *l)
{
	for (size_t k = 0; k < l->n; k++)
		if (!(b->census_off & 1u << l->v[k].off))
			return true;
	return false;
}

static void list_free(struct off_list *l)
{
	free(l->v);
}

static void report_all(struct boot *b, const struct off_list *l)
{
	for (int off = 0; off < NR_OFF && l->n; off++)
		/* Once in a case: what is left is seen at each look. */
		if (!(b->census_off & 1u << off))
			report_off(b, off, l);
}

int boot_census_idle(struct boot *b, const char *at, bool unowned)
{
	__cleanup(list_free) struct off_list l = { .ns = b->now->ns, .at = at };
	double until = now() + boot_scaled(b, SETTLE);
	int err = 0;

	if (!boot_can_see(b, l.ns))
		return 0;
	unowned &= !boot_is_devdax(b, l.ns);
	l.v = xcalloc(MAX_OUTLIERS, sizeof(*l.v));
	while (!err && look(b, true, unowned, &l) && has_news(b, &l) &&
	       now() < until)
		err = vm_pump(&b->vm, 0.02);
	if (!err)
		report_all(b, &l);
	return err;
}

void boot_census_judge(struct boot *b, int i, const char *at)
{
	__cleanup(list_free) struct off_list l = { .ns = i };
	_free_ char *when = xstrfmt("at \"%s\"", at);

	if (!boot_can_see(b, i))
		return;
	l.at = when;
	l.v = xcalloc(MAX_OUTLIERS, sizeof(*l.v));
	/* The guest cannot be waited for here: it waits for us. */
	for (int t = 0; t < 5 && look(b, false, false, &l); t++)
		usleep(10000);
	report_all(b, &l);
	b->census_off = 0;
}
