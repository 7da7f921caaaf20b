// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a namespace's struct pages are, and whether they still are there. */
#include "census-internal.h"
#include "pfn-info.h"
#include "util.h"

#include <errno.h>
#include <inttypes.h>

/* arch/x86/include/asm/sparsemem.h SECTION_SIZE_BITS; struct page of 64 bytes,
 * so that a section's are what one PMD of vmemmap maps. */
#define SECTION (1ull << 27)
#define SECTION_ARRAY (2ull << 20)
#define SECTION_PAGES (SECTION / GUEST_PAGE)

/* --- segments ------------------------------------------------------------ */

static const struct census_seg *seg_of(const struct census_ns *c, uint64_t i)
{
	size_t lo = 0, hi = c->nr_seg;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (c->seg[mid].first <= i)
			lo = mid;
		else
			hi = mid;
	}
	return &c->seg[lo];
}

const void *census_word(const struct census_ns *c, uint64_t i,
			unsigned int off)
{
	const struct census_seg *s = seg_of(c, i);

	if (s->rest && off >= s->split)
		return s->rest + (off - s->split);
	return s->p + (i - s->first) * c->layout.size + off;
}

static void add_seg(struct census_ns *c, const struct census_seg *s)
{
	struct census_seg *last = c->nr_seg ? &c->seg[c->nr_seg - 1] : NULL;

	if (last && !last->rest && !s->rest &&
	    last->p + last->n * c->layout.size == s->p) {
		last->n += s->n;
		return;
	}
	/* Grown by doubling: whenever the number is a power of two. */
	if (!(c->nr_seg & (c->nr_seg - 1)))
		c->seg = xrealloc(c->seg, (c->nr_seg ? c->nr_seg * 2 : 1) *
						  sizeof(*c->seg));
	c->seg[c->nr_seg++] = *s;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* --- by the info block --------------------------------------------------- */

/* The struct pages of whole sections, in the namespace. */
struct array {
	uint64_t first, last;		/* sections; @last is behind them */
	uint64_t gpa;			/* of @first's */
};

static int find_array(struct census_ns *c, const struct gmem *m,
		      const struct census_where *w, struct array *a, char **why)
{
	const uint8_t *block = gmem_at(m, w->base + PFN_INFO_OFFSET,
				       PFN_INFO_SIZE);
	_free_ char *wrong = NULL;
	struct pfn_info info;
	int err;

	if (!block || w->ns_size < PFN_INFO_RESERVE) {
		*why = xstrdup("it is too small to have an info block");
		return -EINVAL;
	}
	err = pfn_info_parse(block, w->ns_size, &info, &wrong);
	if (err) {
		*why = wrong ? xstrfmt("its info block is corrupt: %s", wrong) :
			       xstrdup("it has no info block");
		return err;
	}
	if (info.mode != PFN_MODE_PMEM) {
		*why = xstrdup("its info block says that struct pages are in "
			       "RAM (map=mem), not in the namespace");
		return -EINVAL;
	}
	/* The kernel makes no such namespaces any more: "the dax path is
	 * broken" then, drivers/nvdimm/pfn.h. */
	if (info.start_pad) {
		*why = xstrfmt("its info block leaves out 0x%" PRIx64 " bytes "
			       "at the start", info.start_pad);
		return -EINVAL;
	}
	if (w->data - w->base < info.dataoff ||
	    w->data - w->base + w->size > w->ns_size - info.end_trunc) {
		*why = xstrfmt("its info block has data from 0x%" PRIx64
			       " on, the guest from 0x%" PRIx64 " on",
			       info.dataoff, w->data - w->base);
		return -EINVAL;
	}
	c->sum = block + PFN_INFO_SIZE - 8;
	c->sum_was = LOAD(word64, c->sum);
	/* Each section's struct pages are the next 2 MiB that are free, from
	 * the reserve on: mm/sparse-vmemmap.c altmap_alloc_block_buf(). */
	a->first = round_up(w->base, SECTION) / SECTION;
	a->last = (w->base + w->ns_size - info.end_trunc) / SECTION;
	a->gpa = round_up(w->base + PFN_INFO_RESERVE, SECTION_ARRAY);
	if (a->last > a->first &&
	    a->gpa + (a->last - a->first) * SECTION_ARRAY >
		    w->base + info.dataoff) {
		*why = xstrfmt("its info block has too little room for struct "
			       "pages before the data at 0x%" PRIx64,
			       info.dataoff);
		return -EINVAL;
	}
	return 0;
}

/* How many pages from @i on the array has (in @in) or lacks, up to the next
 * section; and the address of the first one's struct page. */
static uint64_t array_run(const struct census_ns *c, const struct array *a,
			  uint64_t i, bool *in, uint64_t *gpa)
{
	uint64_t pfn = c->data_pfn + i, nr = pfn / SECTION_PAGES;
	uint64_t n = SECTION_PAGES - pfn % SECTION_PAGES;

	*in = nr >= a->first && nr < a->last;
	*gpa = a->gpa + (nr - a->first) * SECTION_ARRAY +
	       pfn % SECTION_PAGES * c->layout.size;
	return n < c->n - i ? n : c->n - i;
}

static int by_array(struct census_ns *c, const struct array *a, char **why)
{
	struct census_seg s;
	uint64_t gpa;
	bool in;

	for (uint64_t i = 0; i < c->n; i += s.n) {
		s = (struct census_seg){ .first = i };
		s.n = array_run(c, a, i, &in, &gpa);
		s.p = in ? gmem_at(c->m, gpa, s.n * c->layout.size) : NULL;
		if (!s.p) {
			*why = xstrfmt("struct pages from page %" PRIu64 " on "
				       "are in guest RAM, since the section of "
				       "128 MiB is not whole, and it takes "
				       "VMCOREINFO to find them", i);
			return -ENOTSUP;
		}
		add_seg(c, &s);
	}
	return 0;
}

/* Whether the struct pages that the array has are those that @c has, and how
 * many they are. */
static int compare(const struct census_ns *c, const struct array *a,
		   uint64_t *same, char **why)
{
	uint64_t n, gpa;
	bool in;

	*same = 0;
	for (uint64_t i = 0; i < c->n; i += n) {
		n = array_run(c, a, i, &in, &gpa);
		for (uint64_t k = 0; in && k < n; k++) {
			const void *p = gmem_at(c->m, gpa + k * c->layout.size,
						c->layout.size);

			if (p && p == census_word(c, i + k, 0))
				continue;
			*why = xstrfmt("its info block and the guest's page "
				       "tables disagree on where the struct "
				       "page of page %" PRIu64 " is", i + k);
			return -EINVAL;
		}
		*same += in ? n : 0;
	}
	return 0;
}

/* --- by the page tables -------------------------------------------------- */

/* The piece of memory that @va is in: its bytes, and at most @max of them. */
static int leaf_at(const struct census_ns *c, uint64_t va, uint64_t max,
		   const uint8_t **p, uint64_t *len)
{
	uint64_t gpa;
	int err = gmem_walk(c->m, &c->v->tables, va, &gpa, len);

	if (err)
		return err;
	if (*len > max)
		*len = max;
	*p = gmem_at(c->m, gpa, *len);
	return *p ? 0 : -EIO;
}

/* Pages @i to @i + @n: their struct pages are at @va and on. */
static int add_leaves(struct census_ns *c, uint64_t i, uint64_t n, uint64_t va)
{
	const uint64_t size = c->layout.size, end = i + n;

	while (i < end) {
		struct census_seg s = { .first = i };
		uint64_t len, rest;
		int err = leaf_at(c, va, (end - i) * size, &s.p, &len);

		if (err)
			return err;
		s.n = len / size;
		if (!s.n) {
			s.n = 1;
			s.split = len;
			err = leaf_at(c, va + len, size - len, &s.rest, &rest);
			if (err)
				return err;
		}
		add_seg(c, &s);
		i += s.n;
		va += s.n * size;
	}
	return 0;
}

static int by_tables(struct census_ns *c, char **why)
{
	uint64_t per = 1ull << (c->v->section_bits - 12), n;

	for (uint64_t i = 0; i < c->n; i += n) {
		uint64_t pfn = c->data_pfn + i, va;
		int err = vmcoreinfo_page(c->v, c->m, pfn, &va);

		n = per - pfn % per;
		if (n > c->n - i)
			n = c->n - i;
		if (!err)
			err = add_leaves(c, i, n, va);
		if (!err)
			continue;
		*why = xstrfmt("the struct page of page %" PRIu64 " %s", i,
			       err == -ENOENT ? "is not there: the guest has no "
						"such section of memory (any "
						"more)" :
			       err == -EFAULT ? "is not mapped by the guest's "
						"page tables" :
						"cannot be reached: the guest's "
						"page tables lead out of its "
						"memory");
		return err;
	}
	return 0;
}

/* --- attach -------------------------------------------------------------- */

/* Tail pages have no pgmap: the word says where their head is, and has bit 0
 * set (PageTail()). */
static bool is_tail(const struct census_ns *c, uint64_t i)
{
	return census_load64(c, i, c->layout.compound_head) & 1;
}

static uint64_t pgmap_of(const struct census_ns *c, uint64_t i)
{
	return census_load64(c, i, c->layout.pgmap);
}

/* An array that is found wrong does not have one pgmap all over. */
static int check_pgmap(struct census_ns *c, char **why)
{
	c->pgmap = pgmap_of(c, 0);
	if (c->pgmap % 8 || !(c->pgmap >> 63)) {
		*why = xstrfmt("what should be the struct page of page 0 is "
			       "none of a ZONE_DEVICE page: its pgmap is 0x%"
			       PRIx64, c->pgmap);
		return -EINVAL;
	}
	for (size_t k = 0; k <= c->nr_seg; k++) {
		uint64_t i = k < c->nr_seg ? c->seg[k].first : c->n - 1;

		if (is_tail(c, i) || pgmap_of(c, i) == c->pgmap)
			continue;
		*why = xstrfmt("the struct page of page %" PRIu64 " is of "
			       "another device than page 0: its pgmap is 0x%"
			       PRIx64 ", not 0x%" PRIx64, i, pgmap_of(c, i),
			       c->pgmap);
		return -EINVAL;
	}
	return 0;
}

static int check_where(const struct gmem *m, const struct vmcoreinfo *v,
		       const struct page_layout *l,
		       const struct census_where *w, char **why)
{
	if (!w->size || (w->base | w->ns_size | w->data | w->size) % 4096 ||
	    w->data < w->base || w->data - w->base > w->ns_size ||
	    w->size > w->ns_size - (w->data - w->base) ||
	    !gmem_at(m, w->base, w->ns_size)) {
		*why = xstrfmt("the guest says that it is at 0x%" PRIx64
			       ", with 0x%" PRIx64 " bytes of data at 0x%"
			       PRIx64 ": there is no such device", w->base,
			       w->size, w->data);
		return -EINVAL;
	}
	if (v && v->page_size != l->size) {
		*why = xstrfmt("struct page has %d bytes by VMCOREINFO, and %d "
			       "by %s", v->page_size, l->size, l->source);
		return -EINVAL;
	}
	if (!v && !w->map_dev) {
		*why = xstrdup("its struct pages are in guest RAM, and it takes "
			       "VMCOREINFO to find them: the kernel needs "
			       "CONFIG_CRASH_DUMP (CONFIG_VMCORE_INFO), or the "
			       "namespace map=dev");
		return -ENOTSUP;
	}
	if (!v && l->size != 64) {
		*why = xstrfmt("struct page has %d bytes, not 64, and it takes "
			       "VMCOREINFO to find those that are larger",
			       l->size);
		return -ENOTSUP;
	}
	return 0;
}

static int find(struct census_ns *c, const struct census_where *w, char **why)
{
	/* Larger struct pages are in the namespace only if the kernel was told
	 * to (nd_pmem's page_struct_override), and not by whole sections. */
	bool use_array = w->map_dev && c->layout.size == 64;
	struct array a = {};
	uint64_t same = 0;
	int err = 0;

	if (use_array)
		err = find_array(c, c->m, w, &a, why);
	if (err)
		return err;
	if (!c->v) {
		c->method = "info block";
		return by_array(c, &a, why);
	}
	err = by_tables(c, why);
	if (!err && use_array)
		err = compare(c, &a, &same, why);
	c->method = same ? "info block and page tables agree" : "page tables";
	return err;
}

int census_attach(struct census_ns *c, const struct gmem *m,
		  const struct vmcoreinfo *v, const struct page_layout *l,
		  const struct census_where *w, char **why)
{
	int err;

	*why = NULL;
	*c = (struct census_ns){ .m = m, .v = v, .layout = *l };
	err = check_where(m, v, l, w, why);
	if (err)
		return err;
	c->name = xstrdup(w->name ? w->name : "?");
	c->data_pfn = w->data / GUEST_PAGE;
	c->n = w->size / GUEST_PAGE;
	err = find(c, w, why);
	if (!err)
		err = check_pgmap(c, why);
	if (err)
		census_detach(c);
	return err;
}

void census_detach(struct census_ns *c)
{
	free(c->name);
	free(c->seg);
	*c = (struct census_ns){};
}

bool census_is_current(const struct census_ns *c)
{
	const uint8_t *p;
	uint64_t va, len;

	if (pgmap_of(c, 0) != c->pgmap)
		return false;
	if (c->sum && LOAD(word64, c->sum) != c->sum_was)
		return false;
	return !c->v || (!vmcoreinfo_page(c->v, c->m, c->data_pfn, &va) &&
			 !leaf_at(c, va, 1, &p, &len) && p == c->seg[0].p);
}
