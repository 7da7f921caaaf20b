// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the census over a guest's memory: the input overwrites
 * words of page tables, sections, the info block and struct pages, and changes
 * what the agent says of the namespace.
 */
#include "gmem-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Small, since each input looks at all of it: 64 pages of data behind the
 * struct pages of one whole section, or at the start of the next. */
#define NV_MIB 136
#define PAGES 64

static struct fixture guests[2];
static struct census_where where[2];

static void set_up(void)
{
	static const char *const releases[] = { "6.1", "7.2" };

	for (int g = 0; g < 2; g++) {
		const struct page_layout l = fx_layout(releases[g]);
		struct fixture *f = &guests[g];
		uint64_t ram = 3 * MIB, va;

		fx_new(f, g, NV_MIB, &l);
		where[g] = fx_namespace(f, !g);
		/* The section that is not whole: its base pages in RAM. */
		fx_section(f, 33);
		va = fx_vmemmap(f) + 33 * 2 * MIB;
		for (int i = 0; i < 32; i++)
			fx_map(f, va + i * 4096, ram + i * 4096, 12);
		for (int i = 0; i < 2048; i++)
			fx_page(f, f->ram + ram + i * 64, !g);
		f->l.inode_ino = 64;
		f->l.inode_data = 376;
	}
}

/* A word that matters, by a number. */
static uint64_t word_at(const struct fixture *f, unsigned int n)
{
	const struct census_where *w = &where[f - guests];
	unsigned int i = n >> 3;

	switch (n & 7) {
	case 0:
		return FX_ROOT + i % 512 * 8;
	case 1:		/* page tables */
		return 0x100000 + i * 8ull % (f->next - 0x100000);
	case 2:
		return FX_ROOTS + i % 4 * 8;
	case 3:
		return FX_SECTIONS + (30 + i % 6) * 16;
	case 4:
		return FX_NV + PFN_INFO_OFFSET + i % 13 * 8;
	case 5:		/* struct pages in RAM */
		return 3 * MIB + i * 8ull % (PAGES * 64);
	case 6:		/* and in the NVDIMM */
		return FX_NV + 2 * MIB + (w->data - FX_NV) / 64 +
		       i * 8ull % (PAGES * 64);
	default:
		return i * 64ull % FX_RAM;
	}
}

static void look(const struct fixture *f, const struct vmcoreinfo *v,
		 const struct census_ns *c)
{
	for (int unowned = 0; unowned < 2; unowned++) {
		struct census_idle idle = { .ref = 1, .unowned = unowned };
		uint64_t out[PAGES];
		size_t n = census_pass(c, &idle, out, PAGES), seen = 0;

		must(n <= c->n && c->n <= PAGES);
		for (size_t i = 0; i < c->n && !unowned; i++) {
			struct page_view p;

			census_read(c, i, &p);
			must(!p.torn);
			if (p.ref == (p.tail ? 0 : 1))
				continue;
			must(seen < n && out[seen] == i);
			seen++;
			census_inode(&f->m, v, &c->layout, p.mapping);
		}
		must(unowned || seen == n);
	}
	must(census_is_current(c));
}

/* Ten bytes a change: which, what to, in 64 bits. */
static void change(struct fixture *f, struct census_where *w,
		   const uint8_t *data, bool *seal)
{
	unsigned int n = data[0] | data[1] << 8;
	uint64_t val;

	memcpy(&val, data + 2, 8);
	if (n < 0xf000) {
		fx_put(f, word_at(f, n), val);
		return;
	}
	switch (n & 7) {
	case 0: w->base = FX_NV + val % (160 * MIB); break;
	case 1: w->ns_size = val; break;
	case 2: w->data = val; break;
	case 3: w->size = val % (PAGES + 1) * 4096; break;
	case 4: w->map_dev = val & 1; break;
	case 5: f->v.mem_section = val; break;
	case 6: f->v.section_bits = 20 + val % 21; break;
	case 7: *seal = true; break;
	}
}

/* Words are put back from the last on, so that each is as it was. */
struct undo {
	uint64_t at, val;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct undo undo[64];
	uint8_t block[4096];
	size_t n = 0;
	bool seal = false;
	int g;

	if (!guests[0].ram)
		set_up();
	if (!size)
		return 0;
	g = data[0] & 1;

	struct fixture *f = &guests[g];
	const struct vmcoreinfo was = f->v, *v = data[0] & 2 ? &f->v : NULL;
	struct census_where w = where[g];
	_free_ char *why = NULL;
	struct census_ns c;
	uint64_t gpa, len, va = fx_vmemmap(f) + (FX_NV >> 12) * 64;

	memcpy(block, f->nv + PFN_INFO_OFFSET, sizeof(block));
	w.size = PAGES * 4096;
	if (data[0] & 4)
		w.data = FX_NV + 128 * MIB - (data[0] >> 3) * 4096;
	for (size_t i = 1; i + 10 <= size && n < ARRAY_SIZE(undo); i += 10) {
		undo[n].at = word_at(f, data[i] | data[i + 1] << 8);
		undo[n].val = fx_get(f, undo[n].at);
		n++;
		change(f, &w, data + i, &seal);
		memcpy(&va, data + i + 2, 8);
	}
	if (seal)
		fx_seal(f->nv + PFN_INFO_OFFSET);
	if (!gmem_walk(&f->m, &f->v.tables, va, &gpa, &len)) {
		must(gmem_at(&f->m, gpa, 1) != NULL);
		must(len && len <= 1 << 30 && (va + len) % 4096 == 0);
	}
	if (w.size <= PAGES * 4096) {
		int err = census_attach(&c, &f->m, v, &f->l, &w, &why);

		must(err <= 0 && !err == !why);
		if (!err)
			look(f, v, &c);
		census_detach(&c);
	}
	while (n--)
		fx_put(f, undo[n].at, undo[n].val);
	memcpy(f->nv + PFN_INFO_OFFSET, block, sizeof(block));
	f->v = was;
	return 0;
}
