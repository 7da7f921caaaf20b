/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMCOREINFO: what the kernel tells crash tools of itself, a note in guest RAM
 * whose address is in /sys/kernel/vmcoreinfo (kernel/ksysfs.c
 * vmcoreinfo_show()). With it the struct page of any pfn is found in guest RAM
 * (kernel/vmcore_info.c, arch/x86/kernel/vmcore_info_64.c).
 */
#ifndef RIG_VMCOREINFO_H
#define RIG_VMCOREINFO_H

#include "gmem.h"

struct vmcoreinfo {
	char release[128];
	struct page_tables tables;
	/* The pointer table of struct mem_section, include/linux/mmzone.h. */
	uint64_t mem_section;		/* its virtual address */
	uint64_t nr_roots;
	uint64_t section_size;		/* bytes of struct mem_section */
	uint64_t section_mem_map;	/* offset in it */
	unsigned int section_bits;	/* SECTION_SIZE_BITS */
	/* Of struct page, bytes; -1 where the note has none. */
	int page_size, page_flags, page_refcount, page_mapping, page_mapcount,
		page_compound_head;
};

/*
 * Parse the note of @len bytes at @note (its ELF header included). 0, or
 * -EINVAL with what is wrong in *@why (freed by the caller).
 */
int vmcoreinfo_parse(const void *note, size_t len, struct vmcoreinfo *out,
		     char **why);

/*
 * Virtual address of the struct page of @pfn, by its section's mem_map
 * (include/asm-generic/memory_model.h, sparse_decode_mem_map()). -ENOENT: the
 * section is not there (any more); others as gmem_walk().
 */
int vmcoreinfo_page(const struct vmcoreinfo *v, const struct gmem *m,
		    uint64_t pfn, uint64_t *va);

#endif
