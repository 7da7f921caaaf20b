// SPDX-License-Identifier: GPL-2.0-or-later
/* Struct pages that have been found: reading one, passing over all. */
#include "census-internal.h"

#include <string.h>

/* --- reading ------------------------------------------------------------- */

enum { RAW_REF, RAW_FLAGS, RAW_HEAD, RAW_PGMAP, RAW_MAPPING, RAW_INDEX,
       RAW_MAPCOUNT, RAW_ORDER, RAW_LARGE, RAW_PINCOUNT, NR_RAW };

static bool is_head(const struct page_layout *l, const uint64_t *raw)
{
	return l->pg_head >= 0 && (raw[RAW_FLAGS] >> l->pg_head & 1);
}

static void read_raw(const struct census_ns *c, uint64_t i, uint64_t *raw)
{
	const struct page_layout *l = &c->layout;
	int large = l->large_mapcount >= 0 ? l->large_mapcount :
					     l->entire_mapcount;

	memset(raw, 0, NR_RAW * sizeof(*raw));
	raw[RAW_HEAD] = census_load64(c, i, l->compound_head) & 1;
	raw[RAW_REF] = census_load32(c, i, l->refcount);
	if (raw[RAW_HEAD])
		return;
	raw[RAW_FLAGS] = census_load64(c, i, l->flags);
	raw[RAW_PGMAP] = census_load64(c, i, l->pgmap);
	raw[RAW_MAPPING] = census_load64(c, i, l->mapping);
	raw[RAW_INDEX] = census_load64(c, i, l->index);
	raw[RAW_MAPCOUNT] = census_load32(c, i, l->mapcount);
	/* The next page has the rest of a large folio. */
	if (!is_head(l, raw) || i + 1 == c->n)
		return;
	if (l->order >= 0)
		raw[RAW_ORDER] = LOAD(uint8_t, census_word(c, i + 1,
							   l->order - l->size));
	if (large >= 0)
		raw[RAW_LARGE] = census_load32(c, i + 1, large - l->size);
	if (l->pincount >= 0)
		raw[RAW_PINCOUNT] = census_load32(c, i + 1,
						  l->pincount - l->size);
}

void census_read(const struct census_ns *c, uint64_t i, struct page_view *out)
{
	const struct page_layout *l = &c->layout;
	uint64_t raw[NR_RAW], again[NR_RAW];
	bool torn = true, head;
	uint32_t mapcount;

	read_raw(c, i, again);
	for (int k = 0; k < 3 && torn; k++) {
		memcpy(raw, again, sizeof(raw));
		read_raw(c, i, again);
		torn = memcmp(raw, again, sizeof(raw)) != 0;
	}
	head = is_head(l, again);
	mapcount = head && (l->large_mapcount & l->entire_mapcount) >= 0 ?
			   again[RAW_LARGE] : again[RAW_MAPCOUNT];
	*out = (struct page_view){
		.ref = (uint32_t)again[RAW_REF],
		.mapcount = again[RAW_HEAD] ? 0 : mapcount + 1,
		.pincount = (uint32_t)again[RAW_PINCOUNT],
		.mapping = again[RAW_MAPPING],
		.index = again[RAW_INDEX],
		.pgmap = again[RAW_PGMAP],
		.order = again[RAW_ORDER],
		.tail = again[RAW_HEAD],
		.torn = torn,
	};
}

/* --- a pass -------------------------------------------------------------- */

/* What a pass looks at. A struct page of 64 bytes is two halves, idle if their
 * bits in @mask are those in @want. */
typedef uint64_t __attribute__((vector_size(32), may_alias)) half;

#ifdef __CHECKER__	/* sparse has not heard of it */
#define __builtin_cpu_supports(feature) false
#endif

struct probe {
	const struct page_layout *l;
	uint32_t ref;
	uint64_t head_bit;
	bool unowned;
	union {
		uint8_t bytes[64];
		half half[2];
	} mask, want;
};

static uint64_t get64(const uint8_t *p)
{
	uint64_t val;

	memcpy(&val, p, 8);
	return val;
}

/* Page by page, and exact: @p is a copy of the struct page. */
static uint64_t is_off(const void *copy, const struct probe *q)
{
	const struct page_layout *l = q->l;
	const uint8_t *p = copy;
	bool tail = p[l->compound_head] & 1;
	uint32_t ref;

	memcpy(&ref, p + l->refcount, 4);
	return ref != (tail ? 0 : q->ref) ||
	       (q->unowned && (tail || (get64(p + l->flags) & q->head_bit) ||
			       get64(p + l->mapping) || get64(p + l->index)));
}

/*
 * Bit k: page k of @n is off idle. Four pages at a time, with one branch for
 * them that is not taken while all are idle and none a tail. What has been
 * loaded is what is_off() gets: nothing is read twice.
 */
static inline __attribute__((always_inline)) uint64_t
pass_64(const uint8_t *p, unsigned int n, const struct probe *q)
{
	const half m0 = q->mask.half[0], m1 = q->mask.half[1];
	const half w0 = q->want.half[0], w1 = q->want.half[1];
	uint64_t off = 0;

	for (unsigned int k = 0; k < n; k += 4, p += 256) {
		half a0 = LOAD(half, p), a1 = LOAD(half, p + 32);
		half b0 = LOAD(half, p + 64), b1 = LOAD(half, p + 96);
		half c0 = LOAD(half, p + 128), c1 = LOAD(half, p + 160);
		half d0 = LOAD(half, p + 192), d1 = LOAD(half, p + 224);
		half x = (a0 ^ w0) | (b0 ^ w0) | (c0 ^ w0) | (d0 ^ w0);
		half y = (a1 ^ w1) | (b1 ^ w1) | (c1 ^ w1) | (d1 ^ w1);
		half odd = (x & m0) | (y & m1);
		uint64_t w[4];

		memcpy(w, &odd, sizeof(w));
		if (!(w[0] | w[1] | w[2] | w[3]))
			continue;

		const half copy[8] = { a0, a1, b0, b1, c0, c1, d0, d1 };

		for (int i = 0; i < 4; i++)
			off |= is_off(&copy[2 * i], q) << (k + i);
	}
	return off;
}

static uint64_t pass_64_any(const uint8_t *p, unsigned int n,
			    const struct probe *q)
{
	return pass_64(p, n, q);
}

__attribute__((target("avx2")))
static uint64_t pass_64_avx2(const uint8_t *p, unsigned int n,
			     const struct probe *q)
{
	return pass_64(p, n, q);
}

/* One page, of any size and wherever its pieces are. */
static uint64_t pass_one(const struct census_ns *c, const struct census_seg *s,
			 uint64_t i, const struct probe *q)
{
	const uint8_t *p = s->p + i * c->layout.size;
	uint64_t copy[256 / 8] = {};

	for (unsigned int o = 0; o < (unsigned int)c->layout.size; o += 8)
		copy[o / 8] = LOAD(word64, s->rest && o >= s->split ?
						   s->rest + (o - s->split) :
						   p + o);
	return is_off(copy, q);
}

static void probe_init(struct probe *q, const struct page_layout *l,
		       const struct census_idle *idle)
{
	const uint64_t all = -1, tail = 1;

	*q = (struct probe){
		.l = l, .ref = idle->ref, .unowned = idle->unowned,
		.head_bit = l->pg_head < 0 ? 0 : 1ull << l->pg_head,
	};
	if (l->size != 64)
		return;
	if (idle->unowned) {
		memcpy(q->mask.bytes + l->mapping, &all, 8);
		memcpy(q->mask.bytes + l->index, &all, 8);
		memcpy(q->mask.bytes + l->flags, &q->head_bit, 8);
	}
	memcpy(q->mask.bytes + l->compound_head, &tail, 8);
	memcpy(q->mask.bytes + l->refcount, &all, 4);
	memcpy(q->want.bytes + l->refcount, &idle->ref, 4);
}

size_t census_pass(const struct census_ns *c, const struct census_idle *idle,
		   uint64_t *out, size_t max)
{
	const bool avx2 = __builtin_cpu_supports("avx2");
	size_t found = 0;
	struct probe q;

	probe_init(&q, &c->layout, idle);
	for (size_t k = 0; k < c->nr_seg; k++) {
		const struct census_seg *s = &c->seg[k];

		for (uint64_t i = 0, n; i < s->n; i += n) {
			const uint8_t *p = s->p + i * 64;
			uint64_t off;

			n = s->n - i < 64 ? (s->n - i) & ~3ull : 64;
			if (c->layout.size != 64 || !n) {
				n = 1;
				off = pass_one(c, s, i, &q);
			} else {
				off = avx2 ? pass_64_avx2(p, n, &q) :
					     pass_64_any(p, n, &q);
			}
			for (; off; off &= off - 1, found++)
				if (found < max)
					out[found] = s->first + i +
						     __builtin_ctzll(off);
		}
	}
	return found;
}

/* --- whose a page is ----------------------------------------------------- */

uint64_t census_inode(const struct gmem *m, const struct vmcoreinfo *v,
		      const struct page_layout *l, uint64_t mapping)
{
	uint64_t host, ino;

	/* include/linux/page-flags.h PAGE_MAPPING_FLAGS */
	mapping &= ~3ull;
	if (!v || !mapping || l->mapping_host < 0 || l->inode_ino < 0 ||
	    l->inode_data < 0)
		return 0;
	if (gmem_load_va(m, &v->tables, mapping + l->mapping_host, &host) ||
	    host + l->inode_data != mapping ||
	    gmem_load_va(m, &v->tables, host + l->inode_ino, &ino))
		return 0;
	return ino;
}
