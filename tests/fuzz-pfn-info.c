// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the info block. The input is its first bytes; the last
 * one says how large the namespace is and whether the checksum is right.
 */
#include <errno.h>

#include "gmem-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sigs[] = { "NVDIMM_PFN_INFO",
					    "NVDIMM_DAX_INFO" };
	uint8_t block[4096] = {}, last = size ? data[size - 1] : 0;
	uint64_t ns_size = (last & 15) * 16 * MIB;
	struct pfn_info info;
	char *why;
	int err;

	memcpy(block, data, size < 4096 ? size : 4096);
	if (last & 0x40)
		memcpy(block, sigs[last >> 5 & 1], 16);
	if (last & 0x80)
		fx_seal(block);
	err = pfn_info_parse(block, ns_size, &info, &why);
	must(err == 0 || err == -EINVAL || err == -ENOENT);
	must((err == -EINVAL) == (why != NULL));
	if (!err) {
		must(info.mode == PFN_MODE_RAM || info.mode == PFN_MODE_PMEM);
		must(info.dataoff >= PFN_INFO_OFFSET + PFN_INFO_SIZE);
		must(info.start_pad < ns_size && info.end_trunc < ns_size);
		must(info.dataoff + info.npfns * 4096 + info.start_pad +
			     info.end_trunc <= ns_size);
		must(info.align);
	}
	free(why);
	return 0;
}
