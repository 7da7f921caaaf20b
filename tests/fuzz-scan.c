// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the console scanner. Seeds: tests/golden. What it
 * asserts holds for any bytes whatever.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rig/finding.h"
#include "rig/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_kreports_ struct kreports all = {}, rest = {};
	_findings_ struct findings fs = {};
	size_t from = size / 2, after = 0;

	scan_console((const char *)data, size, 0, &all);
	for (size_t i = 0; i < all.n; i++) {
		const struct kreport *k = &all.v[i];

		must(k->kind && *k->title && k->key);
		must(k->start < k->end && k->end <= size);
		must(!i || all.v[i - 1].start <= k->start);
		must(k->count && strlen(k->title) < 4096);
		after += k->start >= from;
	}
	scan_console((const char *)data, size, from, &rest);
	/* Folding may keep a few more of them, never fewer. */
	must(rest.n >= after || all.n >= SCAN_KEEP);
	scan_to_findings(&all, 0, &fs);
	must(fs.n <= all.n);
	return 0;
}
