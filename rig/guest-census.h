/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The census of one boot, inside: guest.h has what the rest of the guest's side
 * calls. guest-census.c finds the struct pages, calibrates, and takes what the
 * guest tells; guest-leaks.c judges.
 */
#ifndef RIG_GUEST_CENSUS_H
#define RIG_GUEST_CENSUS_H

#include "census-live.h"
#include "guest.h"
#include "owners.h"

#define MAX_HOLDS 256

/* A reference that a workload says it holds. */
struct hold {
	int id;
	uint64_t off, len;		/* bytes of the device */
};

struct boot_census {
	struct gmem mem;
	struct vmcoreinfo info;
	const struct vmcoreinfo *v;	/* &info, or NULL: the guest has none */
	struct page_layout layout;
	struct census_ns ns[MAX_NS];
	bool attached[MAX_NS];
	struct census_live *live;
	struct owners owners;
	struct hold holds[MAX_HOLDS];
	size_t nr_holds;
	double began;			/* now() of it */
	bool hz_changed;		/* a case wanted another rate */
};

/* --- guest-census.c -------------------------------------------------------- */

/* What a refcount means in namespace @i, and of which kind that is. */
bool boot_is_devdax(const struct boot *b, int i);
const struct ref_row *boot_ref_row(const struct boot *b, int i);
/* Whether a census of namespace @i can say anything. */
bool boot_can_see(const struct boot *b, int i);

/* --- guest-leaks.c --------------------------------------------------------- */

/* The case stands still @at a point of its own: a reference on a page of
 * namespace @i that neither a mapping nor what the workload said it holds
 * accounts for is a finding. */
void boot_census_judge(struct boot *b, int i, const char *at);

#endif
