// SPDX-License-Identifier: GPL-2.0-or-later
/* Info blocks: those that ndctl's namespaces have, and corrupt ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gmem-fixture.h"

#define NS (512 * MIB)

/* Of a namespace of 512 MiB, as 6.1 makes it. */
static const struct fx_block good = {
	.sig = "NVDIMM_PFN_INFO", .minor = 4, .dataoff = 0xa00000,
	.npfns = 128512, .mode = PFN_MODE_PMEM, .align = 2 * MIB,
	.page_size = 4096, .struct_size = 64,
};

static struct pfn_info info;

static int parse(const struct fx_block *b, char **why)
{
	uint8_t p[4096];

	fx_block(p, b);
	return pfn_info_parse(p, NS, &info, why);
}

static void a_block_is_read(void **state)
{
	struct fx_block b = good;
	char *why;

	assert_int_equal(parse(&b, &why), 0);
	assert_null(why);
	assert_false(info.dax);
	assert_int_equal(info.major, 1);
	assert_int_equal(info.minor, 4);
	assert_int_equal(info.dataoff, 0xa00000);
	assert_int_equal(info.npfns, 128512);
	assert_int_equal(info.mode, PFN_MODE_PMEM);
	assert_int_equal(info.align, 2 * MIB);
	assert_int_equal(info.page_struct_size, 64);
	b.sig = "NVDIMM_DAX_INFO";
	b.mode = PFN_MODE_RAM;
	assert_int_equal(parse(&b, &why), 0);
	assert_true(info.dax);
	assert_int_equal(info.mode, PFN_MODE_RAM);
}

/* What a version does not have is not looked at. */
static void old_versions_lack_figures(void **state)
{
	struct fx_block b = good;
	char *why;

	b.start_pad = b.end_trunc = 2 * MIB;
	b.minor = 1;
	b.align = 12345;
	b.page_size = b.struct_size = 0;
	assert_int_equal(parse(&b, &why), 0);
	assert_int_equal(info.start_pad, 2 * MIB);
	/* Of the data, as nd_pfn_validate() guesses: 1 << ilog2(). */
	assert_int_equal(info.align, 8 * MIB);
	b.minor = 0;
	assert_int_equal(parse(&b, &why), 0);
	assert_int_equal(info.start_pad + info.end_trunc, 0);
}

static void a_smaller_namespace_has_fewer_pages(void **state)
{
	struct fx_block b = good;
	char *why;

	b.npfns = -1ull;
	assert_int_equal(parse(&b, &why), 0);
	assert_int_equal(info.npfns, 128512);
}

static void no_block_is_no_corrupt_block(void **state)
{
	uint8_t p[4096] = {};
	char *why;

	assert_int_equal(pfn_info_parse(p, NS, &info, &why), -ENOENT);
	assert_null(why);
	fx_block(p, &good);
	p[0] = 'M';
	assert_int_equal(pfn_info_parse(p, NS, &info, &why), -ENOENT);
	assert_null(why);
}

static void any_bit_breaks_the_checksum(void **state)
{
	uint8_t p[4096];
	char *why;

	fx_block(p, &good);
	/* But for those of the signature: there is no block then. */
	for (unsigned int bit = 16 * 8; bit < 4096 * 8; bit++) {
		p[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(pfn_info_parse(p, NS, &info, &why), -EINVAL);
		assert_memory_equal(why, "its checksum is 0x", 18);
		free(why);
		p[bit / 8] ^= 1 << bit % 8;
	}
	assert_int_equal(pfn_info_parse(p, NS, &info, &why), 0);
}

/* Refused, though the checksum is right, with @says in the reason. */
static void refused(struct fx_block b, const char *says)
{
	_free_ char *why = NULL;

	assert_int_equal(parse(&b, &why), -EINVAL);
	assert_non_null(why);
	if (!strstr(why, says))
		fail_msg("'%s' does not say '%s'", why, says);
}
#define REFUSED(field, val, says)		\
	do {					\
		struct fx_block b = good;	\
						\
		b.field = val;			\
		refused(b, says);		\
	} while (0)

static void what_cannot_be_is_refused(void **state)
{
	REFUSED(mode, 0, "its mode is 0");
	REFUSED(mode, 3, "its mode is 3");
	REFUSED(dataoff, 0, "data begins at 0x0");
	REFUSED(dataoff, 4096, "data begins");
	REFUSED(dataoff, 0xa00800, "data begins");
	REFUSED(dataoff, NS, "data begins");
	REFUSED(dataoff, -4096ull, "data begins");
	REFUSED(end_trunc, NS - 0xa00000, "data begins");
	REFUSED(end_trunc, 4294963200u, "data begins");
	REFUSED(start_pad, NS - 0xa00000, "data begins");
	REFUSED(start_pad, 100, "data begins");
	REFUSED(align, 3 * MIB, "its alignment is");
	REFUSED(page_size, 65536, "pages of 65536 bytes");
	REFUSED(struct_size, 0, "struct page of 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_read),
		cmocka_unit_test(old_versions_lack_figures),
		cmocka_unit_test(a_smaller_namespace_has_fewer_pages),
		cmocka_unit_test(no_block_is_no_corrupt_block),
		cmocka_unit_test(any_bit_breaks_the_checksum),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
