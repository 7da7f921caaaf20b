/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the members of the guest's struct page are. From the guest's own BTF,
 * which the agent reads; else what VMCOREINFO has, over a table of known
 * kernels. Calibration then proves it: see refmodel.h.
 */
#ifndef RIG_PAGE_LAYOUT_H
#define RIG_PAGE_LAYOUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct vmcoreinfo;

/*
 * Bytes from the start of struct page; -1: this kernel has no such member.
 * Every layout that page_layout_get() gives is such that words are aligned and
 * end within the struct pages that a folio of order 1 has.
 */
struct page_layout {
	int size;		/* of struct page */
	int flags, pgmap, mapping, index, mapcount, refcount, compound_head;
	/* Members of struct folio that lie in the page after the head; from
	 * the head's start, so at least @size. */
	int large_mapcount, entire_mapcount, pincount, order;
	bool order_in_flags;	/* @order: the low byte of folio->_flags_1 (6.6
				 * on), not a byte of its own */
	int pg_head;		/* number of the flag PG_head, or -1 */
	char source[96];	/* "BTF", "table: include/linux/mm_types.h of
				 * 6.1 ..." */
	/* To name a page's file: of struct address_space; of struct inode,
	 * where i_data is the address_space that a regular file has. */
	int mapping_host, inode_ino, inode_data;
};

/* The members that the agent is asked for, "page._refcount", as a list. The
 * member "size" is the type's; "pageflags" is an enum. Freed by the caller. */
struct json_object *page_layout_wants(void);

/*
 * From the agent's answer: {"page":{"size":64,...}}, see docs/protocol.md.
 * @json may be NULL (no BTF) and @v may be NULL (no VMCOREINFO); @release is
 * the guest's, "6.1.0-56-cloud-amd64", and picks the row of the table. Where
 * two sources disagree the BTF is taken and *@why (freed by the caller; else
 * NULL) says so. 0; -EINVAL: no usable layout, *@why tells.
 */
int page_layout_get(struct json_object *json, const struct vmcoreinfo *v,
		    const char *release, struct page_layout *out, char **why);

#endif
