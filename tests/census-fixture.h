/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A namespace whose struct pages are in this process, in two pieces, laid out
 * as on x86-64 without debug options (include/linux/mm_types.h).
 */
#ifndef CENSUS_FIXTURE_H
#define CENSUS_FIXTURE_H

#include "rig/census.h"
#include "rig/util.h"

#include <string.h>

#define FIXTURE_PGMAP 0xffff888003a01028ULL

static const struct page_layout fixture_layout = {
	.size = 64, .flags = 0, .pgmap = 8, .mapping = 24, .index = 32,
	.mapcount = 48, .refcount = 52, .compound_head = 8,
	.large_mapcount = 80, .entire_mapcount = 88, .pincount = 92,
	.order = -1, .pg_head = 6, .source = "tests",
	.mapping_host = -1, .inode_ino = -1, .inode_data = -1,
};

struct fixture {
	struct census_ns c;
	struct census_seg seg[2];
	uint8_t *pages;
};

static inline void fixture_set(struct fixture *f, uint64_t i, int32_t ref,
			       uint64_t mapping, uint64_t index)
{
	uint8_t *p = f->pages + i * 64;
	int32_t mapcount = -1;

	memcpy(p + 8, &f->c.pgmap, 8);
	memcpy(p + 24, &mapping, 8);
	memcpy(p + 32, &index, 8);
	memcpy(p + 48, &mapcount, 4);
	memcpy(p + 52, &ref, 4);
}

static inline void fixture_mapcount(struct fixture *f, uint64_t i, int32_t n)
{
	n--;
	memcpy(f->pages + i * 64 + 48, &n, 4);
}

/* @n pages, all idle. */
static inline void fixture_init(struct fixture *f, const char *name,
				uint64_t n, int32_t idle)
{
	uint64_t half = n / 3;

	*f = (struct fixture){ .pages = xcalloc(n, 64) };
	f->seg[0] = (struct census_seg){ 0, half, f->pages };
	f->seg[1] = (struct census_seg){ half, n - half,
					 f->pages + half * 64 };
	f->c = (struct census_ns){
		.name = (char *)name, .data_pfn = 0x140000, .n = n,
		.layout = fixture_layout, .method = "tests",
		.seg = half ? f->seg : f->seg + 1, .nr_seg = half ? 2 : 1,
		.pgmap = FIXTURE_PGMAP,
	};
	for (uint64_t i = 0; i < n; i++)
		fixture_set(f, i, idle, 0, 0);
}

static inline void fixture_free(struct fixture *f)
{
	free(f->pages);
	f->pages = NULL;
}
#define _fixture_ __cleanup(fixture_free)

#endif
