// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest-physical memory and the walk through the guest's page tables. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gmem-fixture.h"

#define GIB (1ull << 30)

static int memfd(uint64_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	return fd;
}

static void regions_do_not_overlap(void **state)
{
	_gmem_ struct gmem m = {};
	_close_ int fd = memfd(MIB), dir = open("/tmp", O_RDONLY | O_CLOEXEC);

	assert_int_equal(gmem_add(&m, 2 * MIB, fd, 0, MIB), 0);
	assert_int_equal(gmem_add(&m, 3 * MIB - 4096, fd, 0, 8192), -EEXIST);
	assert_int_equal(gmem_add(&m, 2 * MIB - 4096, fd, 0, 8192), -EEXIST);
	assert_int_equal(gmem_add(&m, 3 * MIB, fd, 0, 4096), 0);
	assert_int_equal(gmem_add(&m, MIB, fd, 0, MIB), 0);
	/* What the file does not have would be a SIGBUS. */
	assert_int_equal(gmem_add(&m, 8 * MIB, fd, 0, MIB + 4096), -EINVAL);
	assert_int_equal(gmem_add(&m, 8 * MIB, fd, 4096, MIB), -EINVAL);
	assert_int_equal(gmem_add(&m, 8 * MIB, fd, -4096ull, 8192), -EINVAL);
	assert_int_equal(gmem_add(&m, 8 * MIB, dir, 0, 4096), -EINVAL);
	assert_int_equal(gmem_add(&m, 8 * MIB, -1, 0, 4096), -EBADF);
	assert_int_equal(gmem_add(&m, 8 * MIB, fd, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&m, 8 * MIB + 8, fd, 0, 4096), -EINVAL);
	assert_int_equal(gmem_add(&m, -4096ull, fd, 0, 8192), -EINVAL);
	for (uint64_t i = 0; i < 13; i++)
		assert_int_equal(gmem_add(&m, (16 + i) * MIB, fd, 0, 4096), 0);
	assert_int_equal(gmem_add(&m, 64 * MIB, fd, 0, 4096), -ENOSPC);
}

static void nothing_is_read_beyond_a_region(void **state)
{
	_gmem_ struct gmem m = {};
	_close_ int fd = memfd(MIB);
	uint64_t val = 0x1122334455667788;

	assert_int_equal(gmem_add(&m, MIB, fd, 0, MIB), 0);
	assert_int_equal(pwrite(fd, &val, 8, MIB - 8), 8);
	assert_null(gmem_at(&m, MIB - 1, 1));
	assert_null(gmem_at(&m, MIB - 1, 2));
	assert_non_null(gmem_at(&m, MIB, MIB));
	assert_null(gmem_at(&m, MIB, MIB + 1));
	assert_null(gmem_at(&m, 2 * MIB - 1, 2));
	assert_null(gmem_at(&m, 2 * MIB, 1));
	assert_null(gmem_at(&m, 2 * MIB - 8, -1ull));
	assert_null(gmem_at(&m, -1ull, 1));
	assert_int_equal(gmem_load(&m, 2 * MIB - 8, &val), 0);
	assert_true(val == 0x1122334455667788);
	assert_int_equal(gmem_load(&m, 2 * MIB - 4, &val), -EIO);
	assert_int_equal(gmem_load(&m, MIB + 4, &val), -EIO);
}

static void q35_has_a_hole_below_4_gib(void **state)
{
	_close_ int fd = memfd(3 * GIB);
	uint64_t val = 0xfeed, got;

	assert_int_equal(pwrite(fd, &val, 8, 2 * GIB), 8);
	{
		_gmem_ struct gmem m = {};

		assert_int_equal(gmem_add_ram(&m, fd, 3 * GIB), 0);
		assert_int_equal(gmem_load(&m, 4 * GIB, &got), 0);
		assert_int_equal(got, 0xfeed);
		assert_int_equal(gmem_load(&m, 2 * GIB, &got), -EIO);
		assert_int_equal(gmem_load(&m, 5 * GIB, &got), -EIO);
	}
	{
		_gmem_ struct gmem m = {};

		/* 2.5 GiB stay in one piece. */
		assert_int_equal(gmem_add_ram(&m, fd, 5 * GIB / 2), 0);
		assert_int_equal(gmem_load(&m, 2 * GIB, &got), 0);
		assert_int_equal(got, 0xfeed);
		assert_int_equal(m.n, 1);
	}
}

static void walk(const struct fixture *f, uint64_t va, int want, uint64_t gpa,
		 uint64_t len)
{
	uint64_t g = 0, l = 0;

	assert_int_equal(gmem_walk(&f->m, &f->v.tables, va, &g, &l), want);
	if (want)
		return;
	assert_true(g == gpa);
	assert_true(l == len);
}

static void walks(bool la57)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	uint64_t va = 0xfffff00000000000, at;

	if (la57)
		va = 0xff80000000000000;
	fx_new(&f, la57, 2, &l);
	walk(&f, va, -EFAULT, 0, 0);
	fx_map(&f, va, 0x5000, 12);
	walk(&f, va + 0x123, 0, 0x5123, 4096 - 0x123);
	walk(&f, va + 4096, -EFAULT, 0, 0);
	fx_map(&f, va + 2 * MIB, 0x200000, 21);
	walk(&f, va + 2 * MIB + 0x1234, 0, 0x201234, 2 * MIB - 0x1234);
	/* Bit 12 of a large leaf is PAT, bit 63 NX: neither is an address. */
	at = fx_entry(&f, va + 2 * MIB, 21);
	fx_put(&f, at, fx_get(&f, at) | 1 << 12);
	walk(&f, va + 2 * MIB + 8, 0, 0x200008, 2 * MIB - 8);
	fx_map(&f, va + GIB, 0, 30);
	walk(&f, va + GIB + 0x300010, 0, 0x300010, GIB - 0x300010);
	/* In a page table, bit 7 is PAT. */
	fx_put(&f, fx_entry(&f, va + 8192, 12), 0x6000 | 0xe3);
	walk(&f, va + 8192, 0, 0x6000, 4096);
	/* There are no leaves above 1 GiB, whatever the bit says. */
	at = FX_ROOT + ((va >> (la57 ? 48 : 39)) & 511) * 8;
	fx_put(&f, at, fx_get(&f, at) | 1 << 7);
	walk(&f, va + 8192, 0, 0x6000, 4096);
	/* Out of the guest's memory: a leaf, a table. */
	fx_map(&f, va + 12288, FX_RAM, 12);
	walk(&f, va + 12288, -EIO, 0, 0);
	fx_put(&f, fx_entry(&f, va + 2 * GIB, 21), 0x7ffffffff063);
	walk(&f, va + 2 * GIB, -EIO, 0, 0);
	/* A table that is its own table ends with the levels. */
	fx_put(&f, FX_ROOT + ((va >> (la57 ? 48 : 39)) & 511) * 8,
	       FX_ROOT | 0x63);
	walk(&f, va, -EFAULT, 0, 0);
}

static void four_levels(void **state)
{
	_fixture_ struct fixture f;
	const struct page_layout l = fx_layout("6.1");

	walks(false);
	fx_new(&f, false, 2, &l);
	/* Not canonical: what the fifth level would tell apart. */
	walk(&f, 0x00ff888000000000, -EFAULT, 0, 0);
	walk(&f, 0xff11000000000000, -EFAULT, 0, 0);
	walk(&f, fx_direct(&f) + 0x1000, 0, 0x1000, 2 * MIB - 0x1000);
}

static void five_levels(void **state)
{
	_fixture_ struct fixture f;
	const struct page_layout l = fx_layout("6.1");

	walks(true);
	fx_new(&f, true, 2, &l);
	walk(&f, 0x0111000000000000, -EFAULT, 0, 0);
	walk(&f, fx_direct(&f) + 0x1000, 0, 0x1000, 2 * MIB - 0x1000);
}

static void the_memory_encryption_bit_is_no_address(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	uint64_t va = 0xfffff00000000000, at;

	fx_new(&f, false, 2, &l);
	fx_map(&f, va, 0x5000, 12);
	at = fx_entry(&f, va, 12);
	fx_put(&f, at, fx_get(&f, at) | 1ull << 47);
	walk(&f, va, -EIO, 0, 0);
	f.v.tables.mask = 1ull << 47;
	walk(&f, va, 0, 0x5000, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions_do_not_overlap),
		cmocka_unit_test(nothing_is_read_beyond_a_region),
		cmocka_unit_test(q35_has_a_hole_below_4_gib),
		cmocka_unit_test(four_levels),
		cmocka_unit_test(five_levels),
		cmocka_unit_test(the_memory_encryption_bit_is_no_address),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
