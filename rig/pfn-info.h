/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The info block of an fsdax or devdax namespace: drivers/nvdimm/pfn.h struct
 * nd_pfn_sb, 4096 bytes into the namespace.
 */
#ifndef RIG_PFN_INFO_H
#define RIG_PFN_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PFN_INFO_OFFSET 4096
#define PFN_INFO_SIZE 4096
/* What both take of the namespace: drivers/nvdimm/nd.h
 * nd_info_block_reserve(). The struct pages come after it. */
#define PFN_INFO_RESERVE 8192

enum pfn_mode { PFN_MODE_NONE, PFN_MODE_RAM, PFN_MODE_PMEM };

struct pfn_info {
	bool dax;			/* "NVDIMM_DAX_INFO": device-dax */
	unsigned int major, minor;	/* version */
	uint64_t dataoff;		/* bytes, from the namespace's start */
	uint64_t npfns;			/* pages of data, at most what fits */
	enum pfn_mode mode;
	uint64_t start_pad, end_trunc, align;
	uint32_t page_size, page_struct_size;
};

/*
 * Check and parse the block (PFN_INFO_SIZE bytes, which the guest may write to
 * meanwhile) of a namespace of @ns_size bytes: signature, checksum
 * (drivers/nvdimm/core.c nd_fletcher64()), and that every figure fits, as
 * drivers/nvdimm/pfn_devs.c nd_pfn_validate(). 0, -ENOENT when there is no info
 * block at all, or -EINVAL; then *@why (freed by the caller) says what is
 * wrong.
 */
int pfn_info_parse(const void *block, uint64_t ns_size, struct pfn_info *out,
		   char **why);

#endif
