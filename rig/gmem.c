// SPDX-License-Identifier: GPL-2.0-or-later
#include "gmem.h"
#include "util.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define GIB (1ull << 30)

int gmem_add(struct gmem *m, uint64_t gpa, int fd, uint64_t off, uint64_t len)
{
	struct stat st;
	uint64_t end;
	void *p;

	if (!len || (gpa | off | len) % GUEST_PAGE ||
	    __builtin_add_overflow(gpa, len, &end))
		return -EINVAL;
	if (m->n == ARRAY_SIZE(m->v))
		return -ENOSPC;
	for (size_t i = 0; i < m->n; i++)
		if (gpa < m->v[i].gpa + m->v[i].len && m->v[i].gpa < end)
			return -EEXIST;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || len > (uint64_t)st.st_size ||
	    off > (uint64_t)st.st_size - len)
		return -EINVAL;
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, off);
	if (p == MAP_FAILED)
		return -errno;
	m->v[m->n++] = (struct gmem_region){ .gpa = gpa, .len = len, .p = p };
	return 0;
}

int gmem_add_ram(struct gmem *m, int fd, uint64_t len)
{
	uint64_t low = len >= 0xb0000000 ? 2 * GIB : len;
	int err = gmem_add(m, 0, fd, 0, low);

	return err || len == low ? err :
				   gmem_add(m, 4 * GIB, fd, low, len - low);
}

void gmem_free(struct gmem *m)
{
	for (size_t i = 0; i < m->n; i++)
		munmap((void *)m->v[i].p, m->v[i].len);
	*m = (struct gmem){};
}

const void *gmem_at(const struct gmem *m, uint64_t gpa, uint64_t len)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->v[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->len)
			return len <= r->len - (gpa - r->gpa) ?
				       r->p + (gpa - r->gpa) : NULL;
	}
	return NULL;
}

int gmem_load(const struct gmem *m, uint64_t gpa, uint64_t *val)
{
	const void *p = gmem_at(m, gpa, 8);

	if (!p || gpa % 8)
		return -EIO;
	*val = *(const volatile uint64_t *)p;
	return 0;
}

/* --- kernel virtual addresses -------------------------------------------- */

/* arch/x86/include/asm/pgtable_types.h */
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_LEAF (1ull << 7)		/* _PAGE_PSE */
#define ENTRY_ADDR 0x000ffffffffff000ull

int gmem_walk(const struct gmem *m, const struct page_tables *t, uint64_t va,
	      uint64_t *gpa, uint64_t *len)
{
	uint64_t addr = t->root;
	int shift = t->la57 ? 48 : 39;
	int64_t upper = (int64_t)va >> (shift + 8);

	if (upper != 0 && upper != -1)
		return -EFAULT;
	for (;; shift -= 9) {
		uint64_t e, size = 1ull << shift;
		/* 1 GiB and 2 MiB; in a page table the bit is PAT. */
		bool may_be_leaf = shift == 30 || shift == 21;

		if (gmem_load(m, addr + ((va >> shift) & 511) * 8, &e))
			return -EIO;
		if (!(e & ENTRY_PRESENT))
			return -EFAULT;
		addr = e & ENTRY_ADDR & ~t->mask;
		if (shift > 12 && !((e & ENTRY_LEAF) && may_be_leaf))
			continue;
		/* Below the address, a large leaf has PAT in bit 12. */
		*gpa = (addr & -size) | (va & (size - 1));
		*len = size - (va & (size - 1));
		return gmem_at(m, *gpa, 1) ? 0 : -EIO;
	}
}

int gmem_load_va(const struct gmem *m, const struct page_tables *t, uint64_t va,
		 uint64_t *val)
{
	uint64_t gpa, len;
	int err = gmem_walk(m, t, va, &gpa, &len);

	return err ? err : gmem_load(m, gpa, val);
}
