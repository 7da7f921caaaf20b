/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest-physical memory as the host sees it: QEMU's RAM and pmem backends are
 * shared files, mapped here read-only. The guest runs on meanwhile, so that
 * what is read is data of a hostile writer and may change between two loads.
 */
#ifndef RIG_GMEM_H
#define RIG_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE ((uint64_t)4096)

/* A piece of guest-physical memory that one file backs. */
struct gmem_region {
	uint64_t gpa, len;	/* bytes */
	const uint8_t *p;	/* mapped; @len bytes */
};

struct gmem {
	struct gmem_region v[16];
	size_t n;
};
#define _gmem_ __cleanup(gmem_free)

/*
 * Map @len bytes of the regular file @fd from @off on as guest-physical @gpa,
 * all of them multiples of GUEST_PAGE. The fd is not kept. The file must not
 * shrink: reading what it has lost is a SIGBUS. 0 or -errno: -EEXIST when it
 * overlaps a region, -ENOSPC when there are too many, -EINVAL for figures that
 * cannot be, or when the file is shorter.
 */
int gmem_add(struct gmem *m, uint64_t gpa, int fd, uint64_t off, uint64_t len);
/* QEMU's q35 (hw/i386/pc_q35.c pc_q35_init()): RAM up to 2 GiB, or all of it
 * when it is less than 2.75 GiB, lies from 0 on, the rest from 4 GiB on. */
int gmem_add_ram(struct gmem *m, int fd, uint64_t len);
void gmem_free(struct gmem *m);

/* @len bytes at @gpa, or NULL when no one region has them all. */
const void *gmem_at(const struct gmem *m, uint64_t gpa, uint64_t len);
/* One load of the 64-bit word at @gpa. 0, or -EIO: outside of the guest's
 * memory, or @gpa is no multiple of 8. */
int gmem_load(const struct gmem *m, uint64_t gpa, uint64_t *val);

/* --- kernel virtual addresses -------------------------------------------- */

/* The kernel's page tables: struct vmcoreinfo has it all. */
struct page_tables {
	uint64_t root;		/* guest-physical address of init_top_pgt */
	bool la57;		/* five levels */
	uint64_t mask;		/* address bits of an entry that do not count:
				 * sme_mask */
};

/*
 * Walk for @va. On success *@gpa is its guest-physical address and *@len the
 * bytes from there to the end of the leaf (4 KiB, 2 MiB or 1 GiB), of which
 * only the first byte is known to be in memory. -EFAULT: not mapped, or not
 * canonical; -EIO: an entry points outside of the guest's memory.
 */
int gmem_walk(const struct gmem *m, const struct page_tables *t, uint64_t va,
	      uint64_t *gpa, uint64_t *len);
/* gmem_load() of the word at @va; errors of both. */
int gmem_load_va(const struct gmem *m, const struct page_tables *t, uint64_t va,
		 uint64_t *val);

#endif
