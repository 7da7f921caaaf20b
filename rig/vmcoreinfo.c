// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmcoreinfo.h"
#include "util.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* arch/x86/include/asm/page_64_types.h __START_KERNEL_map: where the kernel's
 * image is mapped. phys_base is what its load address is off by. */
#define KERNEL_MAP 0xffffffff80000000ull

/* Four times VMCOREINFO_NOTE_SIZE of today. */
#define MAX_NOTE 16384

/* The value of the line "KEY=value" of @text, or NULL. */
static const char *value_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, len) == 0 && text[len] == '=')
			return text + len + 1;
	}
	return NULL;
}

/* Parse the number that is all of the line at @s. */
static int number(const char *s, int base, int64_t *out)
{
	char *end;

	errno = 0;
	/* NUMBER() is signed, a symbol's address is not. */
	*out = base == 16 ? (int64_t)strtoull(s, &end, 16) :
			    strtoll(s, &end, 10);
	return errno || end == s || (*end && *end != '\n') ? -EINVAL : 0;
}

/* What the note must have, and what it may have: then @absent stands for it. */
static const struct entry {
	const char *key;
	int base;
	bool optional;
	int64_t absent, min, max;
} entries[] = {
#define SYMBOL(name) { "SYMBOL(" name ")", 16, false, 0, INT64_MIN, -1 }
#define NEEDS(key, min, max) { key, 10, false, 0, min, max }
#define MAY(key, absent, min, max) { key, 10, true, absent, min, max }
	/* Kernel addresses have bit 63 set, so they are negative here. */
	SYMBOL("init_top_pgt"),
	SYMBOL("mem_section"),
	NEEDS("NUMBER(phys_base)", INT64_MIN, INT64_MAX),
	MAY("NUMBER(pgtable_l5_enabled)", 0, 0, 1),
	MAY("NUMBER(sme_mask)", 0, INT64_MIN, INT64_MAX),
	NEEDS("LENGTH(mem_section)", 1, 1 << 24),
	NEEDS("SIZE(mem_section)", 8, GUEST_PAGE),
	NEEDS("OFFSET(mem_section.section_mem_map)", 0, GUEST_PAGE - 8),
	NEEDS("NUMBER(SECTION_SIZE_BITS)", 20, 40),
	NEEDS("SIZE(page)", 32, 512),
	MAY("OFFSET(page.flags)", -1, 0, 504),
	MAY("OFFSET(page._refcount)", -1, 0, 508),
	MAY("OFFSET(page.mapping)", -1, 0, 504),
	MAY("OFFSET(page._mapcount)", -1, 0, 508),
	MAY("OFFSET(page.compound_head)", -1, 0, 504),
	MAY("OFFSET(page.compound_info)", -1, 0, 504),
	MAY("NUMBER(PG_head_mask)", 0, INT64_MIN, INT64_MAX),
};

/* In the order of the table. */
enum { TOP_PGT, MEM_SECTION, PHYS_BASE, LA57, SME_MASK, NR_ROOTS, SECTION_SIZE,
       MEM_MAP, SECTION_BITS, PAGE_SIZE_, FLAGS, REFCOUNT, MAPPING, MAPCOUNT,
       COMPOUND_HEAD, COMPOUND_INFO, HEAD_MASK, NR_ENTRIES };
_Static_assert(ARRAY_SIZE(entries) == NR_ENTRIES, "a name for each entry");

static int read_entries(const char *text, int64_t *v, char **why)
{
	for (int i = 0; i < NR_ENTRIES; i++) {
		const struct entry *e = &entries[i];
		const char *s = value_of(text, e->key);

		v[i] = e->absent;
		if (!s && e->optional)
			continue;
		if (!s) {
			*why = xstrfmt("it has no %s", e->key);
			return -EINVAL;
		}
		if (number(s, e->base, &v[i]) || v[i] < e->min ||
		    v[i] > e->max) {
			size_t len = strcspn(s, "\n");
			_free_ char *text = printable(s, len > 40 ? 40 : len,
						      false);

			*why = xstrfmt("%s is %s", e->key, text);
			return -EINVAL;
		}
	}
	return 0;
}

/* A copy of the note's text, or NULL and *@why. */
static char *text_of(const void *note, size_t len, char **why)
{
	static const char name[] = "VMCOREINFO";
	const size_t head = sizeof(Elf64_Nhdr) + 12;	/* padded name */
	_free_ char *copy = xcalloc(1, MAX_NOTE + 1);
	Elf64_Nhdr h;

	/* A copy, since the guest may write to what has been checked. */
	if (len > MAX_NOTE)
		len = MAX_NOTE;
	memcpy(copy, note, len);
	memcpy(&h, copy, sizeof(h));
	if (len < head || h.n_namesz != sizeof(name) ||
	    memcmp(copy + sizeof(h), name, sizeof(name))) {
		*why = xstrdup("there is no note of that name");
		return NULL;
	}
	if (h.n_descsz > len - head) {
		*why = xstrfmt("the note says %u bytes, there are %zu",
			       h.n_descsz, len - head);
		return NULL;
	}
	return xstrndup(copy + head, h.n_descsz);
}

int vmcoreinfo_parse(const void *note, size_t len, struct vmcoreinfo *out,
		     char **why)
{
	_free_ char *text = NULL;
	int64_t v[NR_ENTRIES];
	const char *release;
	int err;

	*why = NULL;
	*out = (struct vmcoreinfo){};
	text = text_of(note, len, why);
	if (!text)
		return -EINVAL;
	err = read_entries(text, v, why);
	if (err)
		return err;
	release = value_of(text, "OSRELEASE");
	if (release) {
		_free_ char *r = printable(release, strcspn(release, "\n"),
					   false);

		snprintf(out->release, sizeof(out->release), "%s", r);
	}
	/* struct mem_section never lies across two pages. */
	if (GUEST_PAGE % v[SECTION_SIZE] || v[MEM_MAP] % 8 ||
	    v[MEM_MAP] + 8 > v[SECTION_SIZE]) {
		*why = xstrfmt("mem_section has %" PRId64 " bytes and its "
			       "mem_map at %" PRId64, v[SECTION_SIZE],
			       v[MEM_MAP]);
		return -EINVAL;
	}
	out->tables = (struct page_tables){
		.root = v[TOP_PGT] - KERNEL_MAP + v[PHYS_BASE],
		.la57 = v[LA57],
		.mask = v[SME_MASK],
	};
	if (out->tables.root % GUEST_PAGE) {
		*why = xstrfmt("init_top_pgt would be at physical 0x%" PRIx64,
			       out->tables.root);
		return -EINVAL;
	}
	out->mem_section = v[MEM_SECTION];
	out->nr_roots = v[NR_ROOTS];
	out->section_size = v[SECTION_SIZE];
	out->section_mem_map = v[MEM_MAP];
	out->section_bits = v[SECTION_BITS];
	out->page_size = v[PAGE_SIZE_];
	out->page_flags = v[FLAGS];
	out->page_refcount = v[REFCOUNT];
	out->page_mapping = v[MAPPING];
	out->page_mapcount = v[MAPCOUNT];
	out->page_compound_head = v[COMPOUND_HEAD] >= 0 ? v[COMPOUND_HEAD] :
							  v[COMPOUND_INFO];
	out->pg_head = v[HEAD_MASK] ? __builtin_ctzll(v[HEAD_MASK]) : -1;
	return 0;
}

/* include/linux/mmzone.h, bits of section_mem_map. */
#define SECTION_HAS_MEM_MAP (1ull << 1)

int vmcoreinfo_page(const struct vmcoreinfo *v, const struct gmem *m,
		    uint64_t pfn, uint64_t *va)
{
	uint64_t nr = pfn >> (v->section_bits - 12);
	uint64_t per_root = GUEST_PAGE / v->section_size;
	uint64_t root, map;
	int err;

	if (nr / per_root >= v->nr_roots)
		return -ENOENT;
	err = gmem_load_va(m, &v->tables,
			   v->mem_section + nr / per_root * 8, &root);
	if (err)
		return err;
	if (!root)
		return -ENOENT;
	err = gmem_load_va(m, &v->tables, root +
			   nr % per_root * v->section_size +
			   v->section_mem_map, &map);
	if (err)
		return err;
	if (!(map & SECTION_HAS_MEM_MAP))
		return -ENOENT;
	/* It is the address that pfn 0 would have, so that no section number
	 * is needed. mem_maps begin on a page: flags are below that. */
	*va = (map & -GUEST_PAGE) + pfn * v->page_size;
	return 0;
}
