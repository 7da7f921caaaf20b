// SPDX-License-Identifier: GPL-2.0-or-later
/* What both the writer and the reader of census.bin do. */
#define XXH_INLINE_ALL
#include "census-log-internal.h"

#include <xxhash.h>

uint16_t log_check_head(const void *head, size_t len)
{
	return XXH64(head, len, 0);
}

uint32_t log_check_body(uint8_t type, const void *body, size_t len)
{
	return XXH64(body, len, type);
}

bool log_view_like(const struct page_view *a, const struct page_view *b)
{
	return a->ref == b->ref && a->mapcount == b->mapcount &&
	       a->pincount == b->pincount && a->mapping == b->mapping &&
	       a->pgmap == b->pgmap && a->order == b->order &&
	       a->tail == b->tail && a->torn == b->torn;
}

struct page_view log_view_at(const struct census_run *r, uint64_t i)
{
	struct page_view v = r->v;

	if (r->counts)
		v.index += i - r->first;
	return v;
}

/* Whether the index of @b goes on from @a in steps of @step: a run of one page
 * has no step yet. */
static bool continues(const struct census_run *a, const struct census_run *b,
		      bool step)
{
	return (a->n == 1 || a->counts == step) &&
	       (b->n == 1 || b->counts == step) &&
	       b->v.index == a->v.index + (step ? a->n : 0);
}

bool log_runs_add(struct census_runs *runs, const struct census_run *run)
{
	struct census_run *last = runs->n ? &runs->v[runs->n - 1] : NULL;

	if (last && log_view_like(&last->v, &run->v)) {
		for (int step = 0; step < 2; step++)
			if (continues(last, run, step)) {
				last->n += run->n;
				last->counts = step;
				return true;
			}
	}
	if (runs->n == LOG_MAX_RUNS)
		return false;
	if (runs->n == runs->cap) {
		runs->cap = runs->cap * 3 / 2 + 64;
		runs->v = xrealloc(runs->v, runs->cap * sizeof(*runs->v));
	}
	runs->v[runs->n] = *run;
	runs->v[runs->n++].counts &= run->n > 1;
	return true;
}
