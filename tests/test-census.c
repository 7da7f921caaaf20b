// SPDX-License-Identifier: GPL-2.0-or-later
/* Struct pages: found, read, passed over, and the guest's tricks. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gmem-fixture.h"

static int attach(struct census_ns *c, const struct fixture *f,
		  const struct vmcoreinfo *v, const struct census_where *w)
{
	_free_ char *why = NULL;
	int err = census_attach(c, &f->m, v, &f->l, w, &why);

	assert_true(!err == !why);
	return err;
}

/* Refused, with @says in the reason. */
static void refused(const struct fixture *f, const struct vmcoreinfo *v,
		    const struct census_where *w, int want, const char *says)
{
	_free_ char *why = NULL;
	struct census_ns c;

	assert_int_equal(census_attach(&c, &f->m, v, &f->l, w, &why), want);
	assert_non_null(why);
	if (!strstr(why, says) || strchr(why, '\n'))
		fail_msg("'%s' does not say '%s'", why, says);
	census_detach(&c);
}

/* The struct page of @w's page @i, where the guest has it (map=dev). */
static uint8_t *page_of(const struct fixture *f, const struct census_where *w,
			uint64_t i)
{
	return f->nv + 2 * MIB + ((w->data - FX_NV) / 4096 + i) * 64;
}

static void set32(uint8_t *p, uint32_t val)
{
	memcpy(p, &val, 4);
}

static void set64(uint8_t *p, uint64_t val)
{
	memcpy(p, &val, 8);
}

/* --- finding them -------------------------------------------------------- */

static void both_ways_find_the_same(void **state)
{
	for (int la57 = 0; la57 < 2; la57++) {
		const struct page_layout l = fx_layout("6.1");
		_census_ns_ struct census_ns c = {}, d = {}, e = {};
		_fixture_ struct fixture f;
		struct census_where w;

		fx_new(&f, la57, 384, &l);
		w = fx_namespace(&f, 1);
		assert_int_equal(attach(&c, &f, NULL, &w), 0);
		assert_string_equal(c.method, "info block");
		assert_int_equal(attach(&d, &f, &f.v, &w), 0);
		assert_string_equal(d.method,
				    "info block and page tables agree");
		w.map_dev = false;
		assert_int_equal(attach(&e, &f, &f.v, &w), 0);
		assert_string_equal(e.method, "page tables");
		assert_string_equal(e.name, "namespace0.0");
		assert_int_equal(c.n, w.size / 4096);
		assert_true(c.data_pfn == w.data / 4096);
		assert_true(c.pgmap == FX_PGMAP);
		/* 2 MiB leaves that follow each other are one piece. */
		assert_int_equal(c.nr_seg, 1);
		assert_int_equal(d.nr_seg, 1);
		assert_ptr_equal(c.seg[0].p, d.seg[0].p);
		assert_ptr_equal(c.seg[0].p, e.seg[0].p);
	}
}

static void disagreement_is_an_error(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	struct census_where w;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	/* The second section's struct pages moved to another place. */
	fx_map(&f, fx_vmemmap(&f) + 33 * 2 * MIB, FX_NV + 16 * MIB, 21);
	for (uint64_t i = 0; i < 32768; i++)
		fx_page(&f, f.nv + 16 * MIB + i * 64, 1);
	refused(&f, &f.v, &w, -EINVAL,
		"disagree on where the struct page of page 31232 is");
}

/* As vmemmap_populate() does it: those of a section that is not whole are in
 * RAM, in base pages. */
static void partial_sections_are_in_ram(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	uint64_t ram = 3 * MIB, pages = 16 * MIB / 4096;
	_census_ns_ struct census_ns c = {};
	struct page_view v;
	_fixture_ struct fixture f;
	struct census_where w;

	fx_new(&f, true, 272, &l);
	w = fx_namespace(&f, 1);
	fx_section(&f, 34);
	refused(&f, &f.v, &w, -EFAULT, "is not mapped by the guest's page");
	for (uint64_t i = 0; i < pages * 64 / 4096; i++)
		/* Backwards, so that no two follow each other. */
		fx_map(&f, fx_vmemmap(&f) + 34 * 2 * MIB + i * 4096,
		       ram + (pages * 64 - 4096) - i * 4096, 12);
	for (uint64_t i = 0; i < pages; i++)
		fx_page(&f, f.ram + ram + i * 64, 7);
	refused(&f, NULL, &w, -ENOTSUP, "it takes VMCOREINFO to find them");
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	assert_string_equal(c.method, "info block and page tables agree");
	assert_int_equal(c.nr_seg, 1 + pages * 64 / 4096);
	census_read(&c, c.n - pages - 1, &v);
	assert_int_equal(v.ref, 1);
	for (uint64_t i = c.n - pages; i < c.n; i++) {
		census_read(&c, i, &v);
		assert_int_equal(v.ref, 7);
	}
	/* The last page's is at the start of the last base page's last line. */
	fx_page(&f, f.ram + ram + 63 * 64, 9);
	census_read(&c, c.n - 1, &v);
	assert_int_equal(v.ref, 9);
	{
		struct census_idle idle = { .ref = 1 };
		uint64_t out[2];

		assert_int_equal(census_pass(&c, &idle, out, 2), pages);
		assert_int_equal(out[0], c.n - pages);
		idle.ref = 7;
		assert_int_equal(census_pass(&c, &idle, out, 2),
				 c.n - pages + 1);
	}
}

/* 80 bytes, as with KMSAN: no leaf holds a whole number of them. */
static void larger_struct_pages_lie_across_leaves(void **state)
{
	struct vmcoreinfo big = { .page_size = 80, .page_flags = -1,
				  .page_refcount = -1, .page_mapping = -1,
				  .page_mapcount = -1, .pg_head = -1,
				  .page_compound_head = -1 };
	_census_ns_ struct census_ns c = {};
	struct census_idle idle = { .ref = 1, .unowned = true };
	uint64_t n = 2048, out[4], base, bytes = n * 80;
	_free_ uint8_t *image = xcalloc(n, 80);
	struct page_layout l;
	struct page_view v;
	_fixture_ struct fixture f;
	struct census_where w;
	size_t split = 0;
	char *why;

	assert_int_equal(page_layout_get(NULL, &big, "6.6", &l, &why), 0);
	fx_new(&f, false, 8, &l);
	w = (struct census_where){ .name = "ns", .base = FX_NV,
				   .ns_size = 8 * MIB, .data = FX_NV,
				   .size = n * 4096 };
	fx_section(&f, 32);
	for (uint64_t i = 0; i < n; i++) {
		fx_page(&f, image + i * 80, 1);
		set64(image + i * 80 + l.index, i % 51 == 0);
		set32(image + i * 80 + l.mapcount, i);
	}
	set32(image + 51 * 80 + l.refcount, 5);
	base = fx_vmemmap(&f) + (FX_NV >> 12) * 80;
	for (uint64_t i = 0; i * 4096 < bytes; i++) {
		uint64_t gpa = 3 * MIB + (i ^ 1) * 4096;

		memcpy(f.ram + gpa, image + i * 4096,
		       bytes - i * 4096 < 4096 ? bytes - i * 4096 : 4096);
		fx_map(&f, base + i * 4096, gpa, 12);
	}
	refused(&f, NULL, &w, -ENOTSUP, "it takes VMCOREINFO");
	w.map_dev = true;
	refused(&f, NULL, &w, -ENOTSUP, "struct page has 80 bytes, not 64");
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	assert_string_equal(c.method, "page tables");
	for (uint64_t i = 0; i < n; i++) {
		census_read(&c, i, &v);
		assert_int_equal(v.mapcount, i + 1);
		assert_int_equal(v.index, i % 51 == 0);
		assert_int_equal(v.ref, i == 51 ? 5 : 1);
		assert_true(v.pgmap == FX_PGMAP);
	}
	for (size_t i = 0; i < c.nr_seg; i++)
		split += c.seg[i].rest != NULL;
	assert_true(split > 8);
	/* Page 51 is one of them: 4096 / 80 is 51.2. */
	idle.ref = 1;
	assert_int_equal(census_pass(&c, &idle, out, 4), 41);
	assert_int_equal(out[1], 51);
	idle.unowned = false;
	assert_int_equal(census_pass(&c, &idle, out, 4), 1);
	assert_int_equal(out[0], 51);
}

static void what_is_missing_is_said(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	struct census_where w, x;
	struct vmcoreinfo v;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	x = w;
	x.map_dev = false;
	refused(&f, NULL, &x, -ENOTSUP, "it takes VMCOREINFO to find them");
	v = f.v;
	v.page_size = 80;
	refused(&f, &v, &w, -EINVAL, "80 bytes by VMCOREINFO");
	/* What the agent says is the guest's word, too. */
	x = w;
	x.size += 4096;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.size = 0;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.size = -4096ull;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.base += 4096;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.data = x.base - 4096;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.data += 2048;
	refused(&f, &f.v, &x, -EINVAL, "there is no such device");
	x = w;
	x.data -= 4096;
	refused(&f, &f.v, &x, -EINVAL, "its info block has data from");
	/* Sections that are gone. */
	fx_put(&f, FX_SECTIONS + 33 * 16, 0);
	refused(&f, &f.v, &w, -ENOENT, "page 31232 is not there");
	fx_put(&f, FX_ROOTS, 0);
	refused(&f, &f.v, &w, -ENOENT, "page 0 is not there");
	fx_put(&f, FX_ROOT + 273 * 8, 0x7ffffffff063);
	refused(&f, &f.v, &w, -EIO, "lead out of its memory");
}

static void corrupt_info_blocks_are_said(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	uint8_t *block;
	_fixture_ struct fixture f;
	struct census_where w;
	uint64_t val;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	block = f.nv + PFN_INFO_OFFSET;
	block[60]++;
	refused(&f, &f.v, &w, -EINVAL, "its info block is corrupt: its check");
	block[60]--;
	set32(block + 72, PFN_MODE_RAM);
	fx_seal(block);
	refused(&f, &f.v, &w, -EINVAL, "struct pages are in RAM");
	set32(block + 72, PFN_MODE_PMEM);
	set32(block + 76, 2 * MIB);
	fx_seal(block);
	refused(&f, &f.v, &w, -EINVAL, "leaves out 0x200000 bytes at the");
	set32(block + 76, 0);
	/* No room for the struct pages of two sections. */
	val = 4 * MIB;
	set64(block + 56, val);
	fx_seal(block);
	refused(&f, &f.v, &w, -EINVAL, "too little room for struct pages");
	memset(block, 0, 4096);
	refused(&f, &f.v, &w, -ENOENT, "it has no info block");
}

static void other_memory_is_no_struct_page(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	struct census_where w;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	set64(page_of(&f, &w, w.size / 4096 - 1) + 8, 0xffff888000999990);
	refused(&f, &f.v, &w, -EINVAL, "is of another device than page 0");
	set64(page_of(&f, &w, 0) + 8, 0);
	refused(&f, &f.v, &w, -EINVAL, "is none of a ZONE_DEVICE page");
	set64(page_of(&f, &w, 0) + 8, 0xffff888000999991);
	refused(&f, &f.v, &w, -EINVAL, "is none of a ZONE_DEVICE page");
	set64(page_of(&f, &w, 0) + 8, 0x0000123412341230);
	refused(&f, NULL, &w, -EINVAL, "is none of a ZONE_DEVICE page");
}

static void a_namespace_made_anew_is_not_current(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_census_ns_ struct census_ns c = {}, d = {};
	_fixture_ struct fixture f;
	struct census_where w;
	uint64_t val;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	assert_int_equal(attach(&d, &f, NULL, &w), 0);
	assert_true(census_is_current(&c));
	assert_true(census_is_current(&d));
	/* Another dev_pagemap. */
	set64(page_of(&f, &w, 0) + 8, FX_PGMAP + 8);
	assert_false(census_is_current(&c));
	assert_false(census_is_current(&d));
	set64(page_of(&f, &w, 0) + 8, FX_PGMAP);
	/* Another UUID. */
	f.nv[PFN_INFO_OFFSET + 20]++;
	fx_seal(f.nv + PFN_INFO_OFFSET);
	assert_false(census_is_current(&c));
	assert_false(census_is_current(&d));
	f.nv[PFN_INFO_OFFSET + 20]--;
	fx_seal(f.nv + PFN_INFO_OFFSET);
	assert_true(census_is_current(&c));
	/* Disabled: the section is gone, the bytes are still there. */
	val = fx_get(&f, FX_SECTIONS + 32 * 16);
	fx_put(&f, FX_SECTIONS + 32 * 16, 0);
	assert_false(census_is_current(&c));
	fx_put(&f, FX_SECTIONS + 32 * 16, val);
	assert_true(census_is_current(&c));
	fx_map(&f, fx_vmemmap(&f) + 32 * 2 * MIB, FX_NV + 16 * MIB, 21);
	assert_false(census_is_current(&c));
}

/* --- reading them -------------------------------------------------------- */

static void an_order_0_page_is_decoded(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_census_ns_ struct census_ns c = {};
	struct page_view v;
	_fixture_ struct fixture f;
	struct census_where w;
	uint8_t *p;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	p = page_of(&f, &w, 4711);
	set32(p + 52, 1025);
	set32(p + 48, 2);
	set64(p + 24, 0xffff888000111111);
	set64(p + 32, 99);
	census_read(&c, 4711, &v);
	assert_int_equal(v.ref, 1025);
	assert_int_equal(v.mapcount, 3);
	assert_int_equal(v.pincount, 0);
	assert_true(v.mapping == 0xffff888000111111);
	assert_int_equal(v.index, 99);
	assert_true(v.pgmap == FX_PGMAP);
	assert_int_equal(v.order, 0);
	assert_false(v.tail);
	assert_false(v.torn);
	set32(p + 52, -1);
	set32(p + 48, INT32_MAX);
	census_read(&c, 4711, &v);
	assert_int_equal(v.ref, -1);
	assert_int_equal(v.mapcount, INT32_MIN);
	census_read(&c, 4712, &v);
	assert_int_equal(v.ref, 1);
	assert_int_equal(v.mapcount, 0);
}

/* Make pages @i and on a large folio, as prep_compound_page() of 7.2 does. */
static void make_folio(const struct fixture *f, const struct census_where *w,
		       uint64_t i, int order)
{
	uint8_t *p = page_of(f, w, i);

	set64(p + f->l.flags, 1ull << f->l.pg_head);
	for (int k = 1; k < 1 << order; k++) {
		p += 64;
		set64(p + 8, (-1ull << (order + 6)) | 1);
		set64(p + 24, 0xdead000000000400);	/* TAIL_MAPPING */
		set32(p + 52, 0);
	}
	p = page_of(f, w, i + 1);
	set64(p, order);
	set32(p + 16, 2);	/* _large_mapcount */
	set32(p + 24, -1);	/* _entire_mapcount */
	set32(p + 28, 4);	/* _pincount */
}

static void a_large_folio_is_decoded(void **state)
{
	const struct page_layout l = fx_layout("7.2");
	struct census_idle idle = { .ref = 0 };
	_census_ns_ struct census_ns c = {};
	_fixture_ struct fixture f;
	struct census_where w;
	struct page_view v;
	uint64_t out[600];

	fx_new(&f, true, 256, &l);
	w = fx_namespace(&f, 0);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	make_folio(&f, &w, 1024, 9);
	set32(page_of(&f, &w, 1024) + 52, 7);
	set64(page_of(&f, &w, 1024) + 24, 0xffff888000111110);
	/* Tails that nothing but their bit tells from idle pages. */
	for (int k = 1028; k < 1032; k++)
		set64(page_of(&f, &w, k) + 24, 0);
	census_read(&c, 1024, &v);
	assert_int_equal(v.ref, 7);
	assert_int_equal(v.order, 9);
	assert_int_equal(v.mapcount, 3);
	assert_int_equal(v.pincount, 4);
	assert_false(v.tail);
	assert_true(v.mapping == 0xffff888000111110);
	for (int k = 1; k < 512; k++) {
		census_read(&c, 1024 + k, &v);
		assert_true(v.tail);
		assert_int_equal(v.ref | v.mapcount | v.pincount | v.order, 0);
		assert_int_equal(v.mapping | v.index | v.pgmap, 0);
	}
	census_read(&c, 1536, &v);
	assert_false(v.tail);
	/* Tails count nothing, so that only the head is off; once no file may
	 * have them, all of the folio is. */
	assert_int_equal(census_pass(&c, &idle, out, 600), 1);
	assert_int_equal(out[0], 1024);
	idle.unowned = true;
	assert_int_equal(census_pass(&c, &idle, out, 600), 512);
	assert_int_equal(out[511], 1535);
	set32(page_of(&f, &w, 1024) + 52, 0);
	set64(page_of(&f, &w, 1024) + 24, 0);
	assert_int_equal(census_pass(&c, &idle, out, 600), 512);
	assert_int_equal(out[0], 1024);
	/* A tail that has a count is off by any measure. */
	idle.unowned = false;
	set32(page_of(&f, &w, 1030) + 52, 1);
	assert_int_equal(census_pass(&c, &idle, out, 600), 1);
	assert_int_equal(out[0], 1030);
	/* A head at the very end has no next page to read: data follows. */
	set64(page_of(&f, &w, c.n - 1), 1ull << l.pg_head);
	assert_ptr_equal(page_of(&f, &w, c.n), f.nv + (w.data - FX_NV));
	set64(page_of(&f, &w, c.n), 9);
	census_read(&c, c.n - 1, &v);
	assert_int_equal(v.order, 0);
}

/* device-dax of 6.1: compound for good, the head counts 1, and its tails share
 * one page of struct pages (Documentation/mm/vmemmap_dedup.rst). */
static void device_dax_tails_are_shared(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	struct census_idle idle = { .ref = 1 };
	uint64_t ram = 3 * MIB, n = 2048, out[8], base;
	_census_ns_ struct census_ns c = {};
	struct page_view v;
	_fixture_ struct fixture f;
	struct census_where w = { .name = "dax", .base = FX_NV,
				  .ns_size = 8 * MIB, .data = FX_NV,
				  .size = 8 * MIB };

	fx_new(&f, true, 8, &l);
	fx_section(&f, 32);
	base = fx_vmemmap(&f) + (FX_NV >> 12) * 64;
	for (uint64_t k = 0; k < n / 512; k++) {
		uint8_t *p = f.ram + ram + k * 8192;

		for (int i = 0; i < 8; i++)
			fx_map(&f, base + k * 32768 + i * 4096,
			       ram + k * 8192 + (i ? 4096 : 0), 12);
		for (int i = 0; i < 128; i++) {
			fx_page(&f, p + i * 64, i == 0);
			if (i)
				set64(p + i * 64 + 8, base + k * 32768 + 1);
		}
		set64(p, 1ull << l.pg_head);
		p[64 + 17] = 9;
	}
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	census_read(&c, 512, &v);
	assert_int_equal(v.order, 9);
	assert_int_equal(v.ref, 1);
	census_read(&c, 1023, &v);
	assert_true(v.tail);
	assert_int_equal(census_pass(&c, &idle, out, 8), 0);
	set32(f.ram + ram + 8192 + 52, 2);
	assert_int_equal(census_pass(&c, &idle, out, 8), 1);
	assert_int_equal(out[0], 512);
}

static void a_pass_tells_all_in_order(void **state)
{
	static const uint64_t off[] = { 0, 1, 63, 64, 65, 127, 128, 4000, 62463 };
	const struct page_layout l = fx_layout("6.1");
	struct census_idle idle = { .ref = 1 };
	_census_ns_ struct census_ns c = {};
	_fixture_ struct fixture f;
	struct census_where w;
	uint64_t out[16];

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	assert_int_equal(c.n, 64000);
	assert_int_equal(census_pass(&c, &idle, out, 16), 0);
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		set32(page_of(&f, &w, off[i]) + 52, i % 2 ? 2 : 0);
	assert_int_equal(census_pass(&c, &idle, out, 16), ARRAY_SIZE(off));
	assert_memory_equal(out, off, sizeof(off));
	memset(out, 0, sizeof(out));
	assert_int_equal(census_pass(&c, &idle, out, 3), ARRAY_SIZE(off));
	assert_memory_equal(out, off, 3 * sizeof(*off));
	assert_int_equal(out[3], 0);
	assert_int_equal(census_pass(&c, &idle, NULL, 0), ARRAY_SIZE(off));
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		set32(page_of(&f, &w, off[i]) + 52, 1);
	/* Neither is a number of pages that is no multiple of anything. */
	w.size -= 3 * 4096;
	census_detach(&c);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	set32(page_of(&f, &w, c.n - 1) + 52, 3);
	set32(page_of(&f, &w, c.n) + 52, 3);
	assert_int_equal(census_pass(&c, &idle, out, 16), 1);
	assert_int_equal(out[0], 63996);
	set32(page_of(&f, &w, c.n - 1) + 52, 1);
	/* What a file left behind counts once it owns the page no more. */
	set64(page_of(&f, &w, 77) + 24, 0xffff888000111110);
	set64(page_of(&f, &w, 90) + 32, 1ull << 40);
	assert_int_equal(census_pass(&c, &idle, out, 16), 0);
	idle.unowned = true;
	assert_int_equal(census_pass(&c, &idle, out, 16), 2);
	assert_int_equal(out[0], 77);
	assert_int_equal(out[1], 90);
}

/* --- a guest that goes on writing ---------------------------------------- */

struct writer {
	uint8_t *p;
	bool stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;

	for (uint64_t i = 0; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); i++)
		__atomic_store_n((uint64_t *)(w->p + 32), i, __ATOMIC_RELAXED);
	return NULL;
}

static void a_page_that_changes_is_torn(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_census_ns_ struct census_ns c = {};
	_fixture_ struct fixture f;
	struct census_where w;
	struct writer wr = {};
	struct page_view v = {};
	pthread_t t;
	double end = now() + 30;

	fx_new(&f, false, 256, &l);
	w = fx_namespace(&f, 1);
	assert_int_equal(attach(&c, &f, &f.v, &w), 0);
	wr.p = page_of(&f, &w, 5);
	assert_int_equal(pthread_create(&t, NULL, write_on, &wr), 0);
	while (!v.torn && now() < end)
		census_read(&c, 5, &v);
	__atomic_store_n(&wr.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_true(v.torn);
	assert_int_equal(v.ref, 1);
	census_read(&c, 5, &v);
	assert_false(v.torn);
}

static void an_inode_is_named(void **state)
{
	struct page_layout l = fx_layout("6.1");
	uint64_t inode = 0x200000, mapping;
	_fixture_ struct fixture f;

	fx_new(&f, true, 2, &l);
	mapping = fx_direct(&f) + inode + 376;
	fx_map(&f, fx_direct(&f) + 2 * MIB, 2 * MIB, 21);
	fx_put(&f, inode + 376, fx_direct(&f) + inode);
	fx_put(&f, inode + 64, 4099);
	/* The table knows nothing of struct inode. */
	assert_int_equal(census_inode(&f.m, &f.v, &l, mapping), 0);
	l.inode_ino = 64;
	l.inode_data = 376;
	assert_int_equal(census_inode(&f.m, &f.v, &l, mapping), 4099);
	assert_int_equal(census_inode(&f.m, &f.v, &l, mapping | 3), 4099);
	assert_int_equal(census_inode(&f.m, NULL, &l, mapping), 0);
	assert_int_equal(census_inode(&f.m, &f.v, &l, 1), 0);
	assert_int_equal(census_inode(&f.m, &f.v, &l, 0xffff000000000000), 0);
	/* Memory that is used for something else by now. */
	fx_put(&f, inode + 8 + 64, 77);
	fx_put(&f, inode + 376, fx_direct(&f) + inode + 8);
	assert_int_equal(census_inode(&f.m, &f.v, &l, mapping), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_find_the_same),
		cmocka_unit_test(disagreement_is_an_error),
		cmocka_unit_test(partial_sections_are_in_ram),
		cmocka_unit_test(larger_struct_pages_lie_across_leaves),
		cmocka_unit_test(what_is_missing_is_said),
		cmocka_unit_test(corrupt_info_blocks_are_said),
		cmocka_unit_test(other_memory_is_no_struct_page),
		cmocka_unit_test(a_namespace_made_anew_is_not_current),
		cmocka_unit_test(an_order_0_page_is_decoded),
		cmocka_unit_test(a_large_folio_is_decoded),
		cmocka_unit_test(device_dax_tails_are_shared),
		cmocka_unit_test(a_pass_tells_all_in_order),
		cmocka_unit_test(a_page_that_changes_is_torn),
		cmocka_unit_test(an_inode_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
