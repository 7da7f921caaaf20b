/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMCOREINFO: what the kernel tells crash tools of itself, a note in guest RAM
 * whose address is in /sys/kernel/vmcoreinfo (kernel/ksysfs.c
 * vmcoreinfo_show()). With it the struct page of any pfn is found in guest RAM
 * (kernel/vmcore_info.c, arch/x86/kernel/vmcore_info_64.c; both are
 * crash_core*.c before 6.9).
 */
#ifndef RIG_VMCOREINFO_H
#define RIG_VMCOREINFO_H

#include "gmem.h"

struct vmcoreinfo {
	char release[128];		/* printable */
	struct page_tables tables;
	/*
	 * The table of pointers to arrays of struct mem_section, as x86-64 has
	 * it (CONFIG_SPARSEMEM_EXTREME, include/linux/mmzone.h). The note has
	 * the pointer's value, not its address: VMCOREINFO_SYMBOL_ARRAY().
	 */
	uint64_t mem_section;		/* its virtual address */
	uint64_t nr_roots;
	uint64_t section_size;		/* bytes of struct mem_section */
	uint64_t section_mem_map;	/* offset in it */
	unsigned int section_bits;	/* SECTION_SIZE_BITS */
	/* Of struct page, bytes; -1 where the note has none. compound_head is
	 * compound_info in 7.2. */
	int page_size, page_flags, page_refcount, page_mapping, page_mapcount,
		page_compound_head;
	int pg_head;			/* number of the flag, or -1 */
};

/*
 * Parse the note of @len bytes at @note (its ELF header included), which the
 * guest may write to meanwhile. 0, or -EINVAL with what is wrong in *@why
 * (freed by the caller; bytes of the guest in it are printable).
 */
int vmcoreinfo_parse(const void *note, size_t len, struct vmcoreinfo *out,
		     char **why);

/*
 * Virtual address of the struct page of @pfn, by its section's mem_map
 * (include/asm-generic/memory_model.h, mm/sparse.c sparse_decode_mem_map()).
 * -ENOENT: the section is not there (any more); others as gmem_walk().
 */
int vmcoreinfo_page(const struct vmcoreinfo *v, const struct gmem *m,
		    uint64_t pfn, uint64_t *va);

#endif
