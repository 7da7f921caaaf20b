/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What _refcount of a DAX page means on the kernel under test. It is measured
 * at the start of each run (workloads/calibrate.c brings a page through known
 * states), never assumed from a version, and told beside the models that are
 * known: docs/domain.md.
 */
#ifndef RIG_REFMODEL_H
#define RIG_REFMODEL_H

#include "census.h"
#include "util.h"

#include <json-c/json.h>

/* States of the page, in the order in which they are shown. A name is what
 * workloads/calibrate.c calls the point. */
enum ref_state {
	REF_IDLE,		/* "idle": never faulted in */
	REF_CACHED,		/* "cached": in the page cache, unmapped */
	REF_PTE,		/* "pte": mapped by one PTE */
	REF_PTES,		/* "ptes": by three */
	REF_GET,		/* "get": by one, and FOLL_GET */
	REF_PIN,		/* "pin": by one, and FOLL_PIN */
	REF_GET_UNMAPPED,	/* "get-unmapped": FOLL_GET alone */
	REF_UNMAPPED,		/* "unmapped": all of it given back */
	REF_SHARED,		/* "shared": of two files by reflink, mapped in
				 * both */
	REF_SHARED_ONE,		/* "shared-one": mapped in one of them */
	REF_TRUNCATED,		/* "truncated": the block freed again */
	REF_PMD,		/* "pmd": mapped by a PMD; the head page */
	REF_PMDS,		/* "pmds": by two */
	REF_PMD_GET, REF_PMD_PIN, REF_PMD_UNMAPPED, REF_PMD_TRUNCATED,
	NR_REF_STATES,
};
extern const char *const ref_state_names[NR_REF_STATES];

/* What a model says, or -1 where it does not. */
struct refmodel {
	const char *name;	/* "A" */
	const char *help;	/* "1-based, up to 6.14" */
	bool devdax;		/* of device-dax */
	int32_t ref[NR_REF_STATES];
};
extern const struct refmodel refmodels[];
extern const size_t nr_refmodels;

/* A row as it was measured: the page's view in each state that was reached. */
struct ref_row {
	bool devdax;
	bool seen[NR_REF_STATES];
	struct page_view v[NR_REF_STATES];
};

/* Note what state @name showed; false: there is no such state. */
bool ref_row_set(struct ref_row *r, const char *name, const struct page_view *v);
/* The model that all states seen agree with, or NULL. */
const struct refmodel *ref_row_model(const struct ref_row *r);
/* Why nothing may be concluded from this row (owned by the caller): a known
 * reference did not show. NULL: it did. */
char *ref_row_blind(const struct ref_row *r);

/* What idle pages count: of no file, and cached but unused. */
int32_t ref_row_idle(const struct ref_row *r);
int32_t ref_row_cached(const struct ref_row *r);

/* References that are neither the model's own nor a mapping's. */
struct ref_extra {
	int gets, pins;		/* less than 0: more were dropped than taken */
};
struct ref_extra ref_row_extra(const struct ref_row *r,
			       const struct page_view *v);

/* A measured row for run.json and host.jsonl, and back. The object is the
 * caller's. */
struct json_object *ref_row_to_json(const struct ref_row *r);
void ref_row_from_json(struct json_object *o, struct ref_row *r);
/* The row beside the models', a table of text. */
void ref_row_print(const struct ref_row *r, struct buf *out);

#endif
