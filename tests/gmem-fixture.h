/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a guest that has one NVDIMM: page tables, VMCOREINFO, the
 * table of sections, an info block and struct pages, as Linux makes them on
 * x86-64. Tests then break what they are about.
 */
#ifndef GMEM_FIXTURE_H
#define GMEM_FIXTURE_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig/census.h"
#include "rig/pfn-info.h"
#include "rig/util.h"

#define MIB (UINT64_C(1) << 20)
#define FX_RAM (4 * MIB)
#define FX_NV UINT64_C(0x100000000)		/* where the NVDIMM is */
#define FX_ROOT UINT64_C(0x10000)		/* init_top_pgt */
#define FX_ROOTS UINT64_C(0x20000)		/* mem_section[] */
#define FX_SECTIONS UINT64_C(0x21000)		/* what its first entry points to */
#define FX_PGMAP UINT64_C(0xffff888000345678)

struct fixture {
	int ram_fd, nv_fd;
	uint8_t *ram, *nv;		/* the guest's own, writable */
	uint64_t nv_size, next;		/* next: free RAM */
	bool la57;
	struct gmem m;
	struct vmcoreinfo v;
	struct page_layout l;
};
#define _fixture_ __cleanup(fixture_free)

static inline uint64_t fx_direct(const struct fixture *f)
{
	return f->la57 ? 0xff11000000000000 : 0xffff888000000000;
}

static inline uint64_t fx_vmemmap(const struct fixture *f)
{
	return f->la57 ? 0xffd4000000000000 : 0xffffea0000000000;
}

static inline void *fx_at(const struct fixture *f, uint64_t gpa)
{
	return gpa >= FX_NV ? f->nv + (gpa - FX_NV) : f->ram + gpa;
}

static inline void fx_put(const struct fixture *f, uint64_t gpa, uint64_t val)
{
	memcpy(fx_at(f, gpa), &val, 8);
}

static inline uint64_t fx_get(const struct fixture *f, uint64_t gpa)
{
	uint64_t val;

	memcpy(&val, fx_at(f, gpa), 8);
	return val;
}

/* Where the entry is that maps @va with a leaf of 1 << @leaf bytes; tables on
 * the way are made. */
static inline uint64_t fx_entry(struct fixture *f, uint64_t va, int leaf)
{
	uint64_t table = FX_ROOT, at;

	for (int shift = f->la57 ? 48 : 39;; shift -= 9) {
		at = table + ((va >> shift) & 511) * 8;
		if (shift == leaf)
			return at;
		if (!(fx_get(f, at) & 1)) {
			fx_put(f, at, f->next | 0x63);
			f->next += 4096;
		}
		table = fx_get(f, at) & 0xffffffffff000;
	}
}

static inline void fx_map(struct fixture *f, uint64_t va, uint64_t gpa,
			  int leaf)
{
	fx_put(f, fx_entry(f, va, leaf),
	       gpa | (leaf > 12 ? 0x80000000000001e3 : 0x8000000000000163));
}

/* An ELF note of @text into @out (4132 bytes); its length. */
static inline size_t fx_note(const char *text, uint8_t *out)
{
	uint32_t head[3] = { 11, strlen(text), 0 };

	memset(out, 0, 4132);
	memcpy(out, head, 12);
	memcpy(out + 12, "VMCOREINFO", 11);
	memcpy(out + 24, text, strlen(text));
	return 4132;
}

static inline char *fx_note_text(const struct fixture *f)
{
	return xstrfmt("OSRELEASE=6.1.0-56-cloud-amd64\nPAGESIZE=4096\n"
		       "SYMBOL(init_top_pgt)=ffffffff81010000\n"
		       "SYMBOL(mem_section)=%" PRIx64 "\n"
		       "LENGTH(mem_section)=2048\nSIZE(mem_section)=16\n"
		       "OFFSET(mem_section.section_mem_map)=0\n"
		       "NUMBER(SECTION_SIZE_BITS)=27\n"
		       "SIZE(page)=%d\nOFFSET(page.flags)=0\n"
		       "OFFSET(page._refcount)=52\nOFFSET(page.mapping)=24\n"
		       "OFFSET(page._mapcount)=48\n"
		       "OFFSET(page.compound_head)=8\n"
		       "NUMBER(PG_head_mask)=65536\nNUMBER(phys_base)=-16777216\n"
		       "NUMBER(pgtable_l5_enabled)=%d\nNUMBER(sme_mask)=0\n",
		       fx_direct(f) + FX_ROOTS, f->l.size ? f->l.size : 64,
		       f->la57);
}

/* drivers/nvdimm/core.c nd_fletcher64(), written down once more. */
static inline void fx_seal(uint8_t *block)
{
	uint64_t lo = 0, hi = 0, sum;

	memset(block + 4088, 0, 8);
	for (int i = 0; i < 4096; i += 4) {
		uint32_t w;

		memcpy(&w, block + i, 4);
		lo = (lo + w) & 0xffffffff;
		hi += lo;
	}
	sum = hi << 32 | lo;
	memcpy(block + 4088, &sum, 8);
}

struct fx_block {
	const char *sig;
	uint16_t minor;
	uint64_t dataoff, npfns;
	uint32_t mode, start_pad, end_trunc, align, page_size;
	uint16_t struct_size;
};

static inline void fx_block(uint8_t *p, const struct fx_block *b)
{
	uint16_t major = 1;

	memset(p, 0, 4096);
	memcpy(p, b->sig, strlen(b->sig));
	memcpy(p + 52, &major, 2);
	memcpy(p + 54, &b->minor, 2);
	memcpy(p + 56, &b->dataoff, 8);
	memcpy(p + 64, &b->npfns, 8);
	memcpy(p + 72, &b->mode, 4);
	memcpy(p + 76, &b->start_pad, 4);
	memcpy(p + 80, &b->end_trunc, 4);
	memcpy(p + 84, &b->align, 4);
	memcpy(p + 88, &b->page_size, 4);
	memcpy(p + 92, &b->struct_size, 2);
	fx_seal(p);
}

/* The guest as a host without BTF would know it: 6.1, or later from a JSON. */
static inline struct page_layout fx_layout(const char *release)
{
	struct page_layout l;
	char *why;

	if (page_layout_get(NULL, NULL, release, &l, &why))
		abort();
	return l;
}

/* A guest with its RAM, its tables and @nv_mib of NVDIMM, nothing on it. */
static inline void fx_new(struct fixture *f, bool la57, unsigned int nv_mib,
			  const struct page_layout *l)
{
	uint8_t note[4132];
	char *text, *why = NULL;

	*f = (struct fixture){ .la57 = la57, .nv_size = nv_mib * MIB,
			       .next = 0x100000, .l = *l };
	f->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	f->nv_fd = memfd_create("nv", MFD_CLOEXEC);
	if (ftruncate(f->ram_fd, FX_RAM) || ftruncate(f->nv_fd, f->nv_size))
		abort();
	f->ram = mmap(NULL, FX_RAM, PROT_READ | PROT_WRITE, MAP_SHARED,
		      f->ram_fd, 0);
	f->nv = mmap(NULL, f->nv_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     f->nv_fd, 0);
	if (f->ram == MAP_FAILED || f->nv == MAP_FAILED ||
	    gmem_add_ram(&f->m, f->ram_fd, FX_RAM) ||
	    gmem_add(&f->m, FX_NV, f->nv_fd, 0, f->nv_size))
		abort();
	fx_map(f, fx_direct(f), 0, 21);
	fx_put(f, FX_ROOTS, fx_direct(f) + FX_SECTIONS);
	text = fx_note_text(f);
	if (vmcoreinfo_parse(note, fx_note(text, note), &f->v, &why))
		abort();
	free(text);
}

static inline void fixture_free(struct fixture *f)
{
	gmem_free(&f->m);
	munmap(f->ram, FX_RAM);
	munmap(f->nv, f->nv_size);
	close(f->ram_fd);
	close(f->nv_fd);
}

/* Section @nr is there, as memory hotplug leaves it: present, has a map. */
static inline void fx_section(struct fixture *f, uint64_t nr)
{
	fx_put(f, FX_SECTIONS + nr * 16, fx_vmemmap(f) | 0x13);
}

/* An idle struct page of @f's size at @p. */
static inline void fx_page(const struct fixture *f, uint8_t *p, int32_t ref)
{
	uint64_t pgmap = FX_PGMAP;

	memset(p, 0, f->l.size);
	memcpy(p + f->l.pgmap, &pgmap, 8);
	memset(p + f->l.mapcount, 0xff, 4);
	memcpy(p + f->l.refcount, &ref, 4);
}

/*
 * An fsdax namespace, map=dev, over all of the NVDIMM, enabled: its info block,
 * its struct pages, and the guest's way to them. Whole sections only.
 */
static inline struct census_where fx_namespace(struct fixture *f, int32_t ref)
{
	struct fx_block b = {
		.sig = "NVDIMM_PFN_INFO", .minor = 4,
		.dataoff = (2 * MIB + f->nv_size / 64 + 2 * MIB - 1) &
			   -(2 * MIB),
		.mode = PFN_MODE_PMEM, .align = 2 * MIB,
		.page_size = 4096, .struct_size = 64,
	};
	uint64_t sections = f->nv_size >> 27, nr = FX_NV >> 27;

	b.npfns = (f->nv_size - b.dataoff) / 4096;
	fx_block(f->nv + PFN_INFO_OFFSET, &b);
	for (uint64_t s = 0; s < sections; s++) {
		fx_section(f, nr + s);
		fx_map(f, fx_vmemmap(f) + (nr + s) * 2 * MIB,
		       FX_NV + (s + 1) * 2 * MIB, 21);
	}
	for (uint64_t i = b.dataoff / 4096; i < f->nv_size / 4096; i++)
		fx_page(f, f->nv + 2 * MIB + i * 64, ref);
	return (struct census_where){
		.name = "namespace0.0", .base = FX_NV, .ns_size = f->nv_size,
		.data = FX_NV + b.dataoff, .size = b.npfns * 4096,
		.map_dev = true,
	};
}

#endif
