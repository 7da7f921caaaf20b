// SPDX-License-Identifier: GPL-2.0-or-later
#include "pfn-info.h"
#include "util.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* drivers/nvdimm/pfn.h struct nd_pfn_sb */
struct block {
	uint8_t signature[16], uuid[16], parent_uuid[16];
	uint32_t flags;
	uint16_t major, minor;
	uint64_t dataoff, npfns;
	uint32_t mode, start_pad, end_trunc, align, page_size;
	uint16_t page_struct_size;
	uint8_t padding[3994];
	uint64_t checksum;
};
_Static_assert(sizeof(struct block) == PFN_INFO_SIZE, "struct nd_pfn_sb");

/* Over the block with a checksum of 0: drivers/nvdimm/claim.c
 * nd_sb_checksum(). */
static uint64_t checksum(const struct block *b)
{
	uint32_t lo = 0, word;
	uint64_t hi = 0;

	for (size_t i = 0; i < sizeof(*b); i += 4) {
		memcpy(&word, (const uint8_t *)b + i, 4);
		if (i < offsetof(struct block, checksum))
			lo += le32toh(word);
		hi += lo;
	}
	return hi << 32 | lo;
}

/* Older versions of the block end sooner: pfn_devs.c nd_pfn_validate(). */
static void decode(const struct block *b, struct pfn_info *out)
{
	unsigned int minor = le16toh(b->minor);

	out->major = le16toh(b->major);
	out->minor = minor;
	out->dataoff = le64toh(b->dataoff);
	out->npfns = le64toh(b->npfns);
	out->start_pad = minor >= 1 ? le32toh(b->start_pad) : 0;
	out->end_trunc = minor >= 1 ? le32toh(b->end_trunc) : 0;
	out->align = minor >= 2 ? le32toh(b->align) : 0;
	out->page_size = minor >= 4 ? le32toh(b->page_size) : 4096;
	out->page_struct_size = minor >= 4 ? le16toh(b->page_struct_size) : 64;
}

int pfn_info_parse(const void *block, uint64_t ns_size, struct pfn_info *out,
		   char **why)
{
	uint64_t end, room, mode, sum;
	struct block b;

	*why = NULL;
	*out = (struct pfn_info){};
	memcpy(&b, block, sizeof(b));
	out->dax = memcmp(b.signature, "NVDIMM_DAX_INFO", 16) == 0;
	if (!out->dax && memcmp(b.signature, "NVDIMM_PFN_INFO", 16))
		return -ENOENT;
	sum = checksum(&b);
	if (sum != le64toh(b.checksum)) {
		*why = xstrfmt("its checksum is 0x%" PRIx64 ", not 0x%" PRIx64,
			       (uint64_t)le64toh(b.checksum), sum);
		return -EINVAL;
	}
	decode(&b, out);
	mode = le32toh(b.mode);
	if (mode != PFN_MODE_RAM && mode != PFN_MODE_PMEM) {
		*why = xstrfmt("its mode is %" PRIu64, mode);
		return -EINVAL;
	}
	out->mode = mode;
	/* Two 32-bit figures: no overflow. */
	end = out->start_pad + out->end_trunc;
	if (end >= ns_size || out->dataoff >= ns_size - end ||
	    out->dataoff < PFN_INFO_OFFSET + PFN_INFO_SIZE ||
	    out->dataoff % 4096 || out->start_pad % 4096 ||
	    out->end_trunc % 4096) {
		*why = xstrfmt("its data begins at 0x%" PRIx64 ", with 0x%"
			       PRIx64 " bytes left out before and 0x%" PRIx64
			       " after, in a namespace of 0x%" PRIx64,
			       out->dataoff, out->start_pad, out->end_trunc,
			       ns_size);
		return -EINVAL;
	}
	/* As the kernel does when the namespace is smaller than it was. */
	room = (ns_size - end - out->dataoff) / 4096;
	if (out->npfns > room)
		out->npfns = room;
	if (out->align & (out->align - 1)) {
		*why = xstrfmt("its alignment is 0x%" PRIx64, out->align);
		return -EINVAL;
	}
	if (!out->align)
		out->align = 1ull << (63 - __builtin_clzll(out->dataoff));
	if (out->page_size != 4096 || out->page_struct_size < 32) {
		*why = xstrfmt("it is for pages of %u bytes and a struct page "
			       "of %u", out->page_size, out->page_struct_size);
		return -EINVAL;
	}
	return 0;
}
