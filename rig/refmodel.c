// SPDX-License-Identifier: GPL-2.0-or-later
#include "refmodel.h"

#include <string.h>

/* FOLL_PIN on an order-0 page: GUP_PIN_COUNTING_BIAS, include/linux/mm.h. */
#define PIN_BIAS 1024

const char *const ref_state_names[NR_REF_STATES] = {
	[REF_IDLE] = "idle",		[REF_CACHED] = "cached",
	[REF_PTE] = "pte",		[REF_PTES] = "ptes",
	[REF_GET] = "get",		[REF_PIN] = "pin",
	[REF_GET_UNMAPPED] = "get-unmapped",
	[REF_UNMAPPED] = "unmapped",	[REF_SHARED] = "shared",
	[REF_SHARED_ONE] = "shared-one",
	[REF_TRUNCATED] = "truncated",	[REF_PMD] = "pmd",
	[REF_PMDS] = "pmds",		[REF_PMD_GET] = "pmd-get",
	[REF_PMD_PIN] = "pmd-pin",	[REF_PMD_UNMAPPED] = "pmd-unmapped",
	[REF_PMD_TRUNCATED] = "pmd-truncated",
};

/*
 * A: a ZONE_DEVICE page counts 1 of its own, maps count nothing.
 * B: one for the page cache, patches of 2022 that were not merged.
 * C: fs/dax.c as 6.15 has it: maps count, and nothing else of the kernel's own.
 * Device-dax pages start at 1 in all of them (mm/memremap.c), and those of a
 * 2 MiB device are compound: a pin counts 1, and beside it.
 */
#define UNKNOWN -1
const struct refmodel refmodels[] = {
	{ "A", "1-based, up to 6.14", false,
	  /* idle cached pte ptes get  pin   get-un unmap share one trunc */
	  { 1,    1,     1,  1,   2,   1025, 2,     1,    1,    1,  1,
	  /* pmd pmds get pin   unmap trunc */
	     1,  1,   2,  1025, 1,    1 } },
	{ "B", "the series of 2022, not merged", false,
	  { 0, 1, 1, 1, 2, 1025, 2, 1, 1, 1, 0, 1, 1, 2, 1025, 1, 0 } },
	{ "C", "0-based, 6.15 on", false,
	  { 0, 0, 1, 3, 2, 1025, 1, 0, 2, 1, 0, 1, 2, 2, 2, 0, 0 } },
	{ "A", "1-based, up to 6.14", true,
	  { 1, UNKNOWN, 1, 1, 2, 1025, 2, 1, UNKNOWN, UNKNOWN, UNKNOWN,
	    1, 1, 2, 2, 1, UNKNOWN } },
	{ "C", "1-based, and maps count: 6.15 on", true,
	  { 1, UNKNOWN, 2, 4, 3, 1026, 2, 1, UNKNOWN, UNKNOWN, UNKNOWN,
	    2, 3, 3, 3, 1, UNKNOWN } },
};
const size_t nr_refmodels = ARRAY_SIZE(refmodels);

bool ref_row_set(struct ref_row *r, const char *name, const struct page_view *v)
{
	for (int s = 0; s < NR_REF_STATES; s++) {
		if (strcmp(ref_state_names[s], name) != 0)
			continue;
		r->seen[s] = true;
		r->v[s] = *v;
		return true;
	}
	return false;
}

const struct refmodel *ref_row_model(const struct ref_row *r)
{
	for (const struct refmodel *m = refmodels;
	     m < refmodels + nr_refmodels; m++) {
		bool any = false, all = m->devdax == r->devdax;

		for (int s = 0; s < NR_REF_STATES && all; s++) {
			if (!r->seen[s] || m->ref[s] == UNKNOWN)
				continue;
			any = true;
			all = r->v[s].ref == m->ref[s];
		}
		if (any && all)
			return m;
	}
	return NULL;
}

/* What state @s counts over state @base, if both were seen. */
static bool over(const struct ref_row *r, enum ref_state s, enum ref_state base,
		 int32_t *by)
{
	if (!r->seen[s] || !r->seen[base])
		return false;
	*by = r->v[s].ref - r->v[base].ref;
	return true;
}

char *ref_row_blind(const struct ref_row *r)
{
	static const struct {
		enum ref_state base, get, pin;
	} known[] = {
		{ REF_PTE, REF_GET, REF_PIN },
		{ REF_PMD, REF_PMD_GET, REF_PMD_PIN },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct page_view *v = &r->v[known[i].pin];
		int32_t by;

		/* One that counts for two is seen: a model of its own. */
		if (over(r, known[i].get, known[i].base, &by)) {
			any = true;
			if (by < 1)
				return xstrfmt("a FOLL_GET reference known to "
					       "be held counts %d", by);
		}
		if (!over(r, known[i].pin, known[i].base, &by))
			continue;
		if (by < 1)
			return xstrfmt("a FOLL_PIN reference known to be held "
				       "counts %d", by);
		if (v->order && v->pincount < 1)
			return xstrfmt("a FOLL_PIN reference known to be held "
				       "makes a pincount of %d", v->pincount);
	}
	return any ? NULL :
		     xstrdup("no page with a known reference was looked at");
}

static int32_t first_seen(const struct ref_row *r, const enum ref_state *from,
			  size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r->seen[from[i]])
			return r->v[from[i]].ref;
	return 0;
}

int32_t ref_row_idle(const struct ref_row *r)
{
	/* What was never faulted in first: the others may be leaks. */
	static const enum ref_state from[] = { REF_IDLE, REF_TRUNCATED,
					       REF_PMD_TRUNCATED, REF_UNMAPPED,
					       REF_PMD_UNMAPPED };

	return first_seen(r, from, ARRAY_SIZE(from));
}

int32_t ref_row_cached(const struct ref_row *r)
{
	static const enum ref_state from[] = { REF_CACHED, REF_UNMAPPED,
					       REF_PMD_UNMAPPED, REF_IDLE };

	return first_seen(r, from, ARRAY_SIZE(from));
}

/* Whether each mapping counts in _refcount. */
static bool maps_count(const struct ref_row *r)
{
	int32_t by;

	return (over(r, REF_PTES, REF_PTE, &by) ||
		over(r, REF_PMDS, REF_PMD, &by)) && by > 0;
}

struct ref_extra ref_row_extra(const struct ref_row *r,
			       const struct page_view *v)
{
	int32_t own = v->mapping || v->mapcount ? ref_row_cached(r) :
						  ref_row_idle(r);
	int32_t extra;

	if (maps_count(r))
		own += v->mapcount;
	extra = v->ref - own;
	/* Model B between the two: neither is off. */
	if (v->ref == ref_row_idle(r) && !v->mapcount)
		extra = 0;
	if (v->order)
		return (struct ref_extra){ extra - v->pincount, v->pincount };
	if (extra < 0)
		return (struct ref_extra){ extra, 0 };
	return (struct ref_extra){ extra % PIN_BIAS, extra / PIN_BIAS };
}

/* --- as JSON and text ------------------------------------------------------- */

struct json_object *ref_row_to_json(const struct ref_row *r)
{
	struct json_object *o = json_object_new_object();
	const struct refmodel *m = ref_row_model(r);

	json_object_object_add(o, "mode", json_object_new_string(
					  r->devdax ? "devdax" : "fsdax"));
	json_object_object_add(o, "model", m ?
			       json_object_new_string(m->name) : NULL);
	for (int s = 0; s < NR_REF_STATES; s++) {
		struct json_object *v;

		if (!r->seen[s])
			continue;
		v = json_object_new_object();
		json_object_object_add(v, "ref",
				       json_object_new_int(r->v[s].ref));
		json_object_object_add(v, "mapcount",
				       json_object_new_int(r->v[s].mapcount));
		json_object_object_add(v, "pincount",
				       json_object_new_int(r->v[s].pincount));
		json_object_object_add(v, "order",
				       json_object_new_int(r->v[s].order));
		json_object_object_add(o, ref_state_names[s], v);
	}
	return o;
}

static int member(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int(v) :
						       0;
}

void ref_row_from_json(struct json_object *o, struct ref_row *r)
{
	struct json_object *v;

	*r = (struct ref_row){};
	if (json_object_object_get_ex(o, "mode", &v))
		r->devdax = strcmp(json_object_get_string(v), "devdax") == 0;
	for (int s = 0; s < NR_REF_STATES; s++) {
		if (!json_object_object_get_ex(o, ref_state_names[s], &v) ||
		    !json_object_is_type(v, json_type_object))
			continue;
		r->seen[s] = true;
		r->v[s] = (struct page_view){
			.ref = member(v, "ref"),
			.mapcount = member(v, "mapcount"),
			.pincount = member(v, "pincount"),
			.order = member(v, "order"),
		};
	}
}

/* Columns first to last - 1: the measured row over those of the models. */
static void print_part(const struct ref_row *r, int first, int last,
		       struct buf *out)
{
	const struct refmodel *is = ref_row_model(r);

	buf_addf(out, "%-10s", "");
	for (int s = first; s < last; s++)
		buf_addf(out, " %*s", (int)strlen(ref_state_names[s]) < 4 ? 4 :
			 (int)strlen(ref_state_names[s]), ref_state_names[s]);
	for (const struct refmodel *m = NULL; m < refmodels + nr_refmodels;
	     m = m ? m + 1 : refmodels) {
		if (m && m->devdax != r->devdax)
			continue;
		if (m)
			buf_addf(out, "\nmodel %-4s", m->name);
		else
			buf_addf(out, "\n%-10s", "measured");
		for (int s = first; s < last; s++) {
			int w = strlen(ref_state_names[s]);
			bool known = m ? m->ref[s] != UNKNOWN : r->seen[s];

			w = w < 4 ? 4 : w;
			if (known)
				buf_addf(out, " %*d", w,
					 m ? m->ref[s] : r->v[s].ref);
			else
				buf_addf(out, " %*s", w, "-");
		}
		if (m)
			buf_addf(out, "  %s%s", m->help,
				 m == is ? " <- this kernel" : "");
	}
	buf_addf(out, "\n");
}

void ref_row_print(const struct ref_row *r, struct buf *out)
{
	print_part(r, 0, REF_PMD, out);
	print_part(r, REF_PMD, NR_REF_STATES, out);
}
