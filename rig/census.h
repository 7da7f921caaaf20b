/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The census: every struct page of a namespace, read from the host while the
 * guest runs. docs/census.md tells how it works and what it can tell.
 *
 * Pages are numbered as the device is: page i holds the bytes from 4096 * i on
 * of /dev/pmemN (or /dev/daxN.M). Its pfn is data_gpa / 4096 + i.
 */
#ifndef RIG_CENSUS_H
#define RIG_CENSUS_H

#include "gmem.h"
#include "page-layout.h"
#include "vmcoreinfo.h"

/* --- one namespace's struct pages ---------------------------------------- */

/* What the agent's setup says of a namespace. Addresses are guest-physical. */
struct census_where {
	const char *name;		/* "namespace0.0" */
	uint64_t base, ns_size;		/* the namespace: its info block is
					 * PFN_INFO_OFFSET into it */
	uint64_t data, size;		/* byte 0 of the device, and its bytes */
	bool map_dev;			/* struct pages are in the namespace */
};

/*
 * Struct pages that lie one behind the other in the host's memory. One whose
 * size is no power of two may lie across two leaves of the page tables, which
 * are anywhere: it is a segment of its own, its bytes from @split on at @rest.
 */
struct census_seg {
	uint64_t first, n;		/* pages */
	const uint8_t *p, *rest;	/* @rest is NULL for all others */
	uint32_t split;
};

struct census_ns {
	char *name;
	uint64_t data_pfn, n;		/* of page 0; pages */
	struct page_layout layout;
	struct census_seg *seg;		/* in order, without gaps */
	size_t nr_seg;
	const char *method;		/* "info block", "page tables", or
					 * "info block and page tables agree" */
	/* Other than these, and the namespace was made anew: page 0's pgmap;
	 * the checksum in the info block, if @sum is non-NULL. */
	uint64_t pgmap;
	const uint8_t *sum;
	uint64_t sum_was;
	const struct gmem *m;
	const struct vmcoreinfo *v;	/* or NULL */
};
#define _census_ns_ __cleanup(census_detach)

/*
 * Find the namespace's struct pages: by its info block where they are in the
 * namespace (mm/memremap.c and arch/x86/mm/init_64.c vmemmap_populate(): those
 * of whole sections of 128 MiB), by the guest's page tables where @v is
 * non-NULL, by both where both are there, and then they must agree, page for
 * page. @m and @v have to outlive @c; @w and @l do not.
 *
 * 0, or -errno with *@why, one line without the namespace's name (freed by the
 * caller): corrupt info block, no VMCOREINFO, a section that is gone, a struct
 * page that is not one of a ZONE_DEVICE page. Then there is nothing to detach.
 */
int census_attach(struct census_ns *c, const struct gmem *m,
		  const struct vmcoreinfo *v, const struct page_layout *l,
		  const struct census_where *w, char **why);
void census_detach(struct census_ns *c);
/*
 * Whether the struct pages are still those that were attached: page 0's pgmap,
 * the info block's checksum, and, with VMCOREINFO, that the page tables still
 * lead to page 0. Costs a few loads. Without VMCOREINFO a namespace that is
 * disabled, or was enabled again as it was, is not told from one that stayed.
 */
bool census_is_current(const struct census_ns *c);

/* --- reading ------------------------------------------------------------- */

/* One page, decoded. */
struct page_view {
	int32_t ref;		/* _refcount */
	int32_t mapcount;	/* _mapcount + 1; of a large folio's head
				 * _large_mapcount + 1, or where there is none
				 * _entire_mapcount + 1 */
	int32_t pincount;	/* of a large folio's head, else 0 */
	uint64_t mapping;	/* low bits: PAGE_MAPPING_* */
	uint64_t index;		/* or share: one word */
	uint64_t pgmap;
	uint8_t order;		/* of a large folio's head, else 0 */
	bool tail;		/* of a large folio: has @ref only, which is 0 */
	bool torn;		/* changed while it was read, three times over */
};

/* Page @i < c->n: read until two readings agree, at most three times. */
void census_read(const struct census_ns *c, uint64_t i, struct page_view *out);

/* What an idle page looks like. A large folio's tail counts 0 whatever @ref. */
struct census_idle {
	int32_t ref;
	bool unowned;	/* mapping and index (share) must be 0 and the page
			 * neither head nor tail of a large folio: no file has
			 * it any more */
};

/*
 * One pass over all pages: the numbers of those that differ from @idle go to
 * @out (at most @max), in order. Returns how many there are in all. Reads each
 * struct page once, at memory's speed; the caller looks again at what it
 * finds, as a page may just have been in use.
 */
size_t census_pass(const struct census_ns *c, const struct census_idle *idle,
		   uint64_t *out, size_t max);

/*
 * The inode number of the address_space at @mapping (its low bits ignored),
 * from the guest's memory; 0 when it cannot be told, as the layout has it not
 * or the address_space is not that of the inode it names. The file may be gone:
 * then what is read is what its memory was used for since, or still says.
 */
uint64_t census_inode(const struct gmem *m, const struct vmcoreinfo *v,
		      const struct page_layout *l, uint64_t mapping);

#endif
