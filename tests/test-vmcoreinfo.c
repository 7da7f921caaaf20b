// SPDX-License-Identifier: GPL-2.0-or-later
/* The note that the guest's kernel keeps of itself, and what it leads to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gmem-fixture.h"

static char *text;		/* of a note that is right */
static struct vmcoreinfo v;

static int setup(void **state)
{
	struct fixture f = { .la57 = true };

	text = fx_note_text(&f);
	return 0;
}

static int teardown(void **state)
{
	free(text);
	return 0;
}

static int parse(const char *t, char **why)
{
	uint8_t note[4132];

	return vmcoreinfo_parse(note, fx_note(t, note), &v, why);
}

static void a_note_is_read(void **state)
{
	char *why;

	assert_int_equal(parse(text, &why), 0);
	assert_null(why);
	assert_string_equal(v.release, "6.1.0-56-cloud-amd64");
	/* phys_base is negative: KASLR loads below the link address, too. */
	assert_true(v.tables.root == FX_ROOT);
	assert_true(v.tables.la57);
	assert_true(v.mem_section == 0xff11000000000000 + FX_ROOTS);
	assert_int_equal(v.nr_roots, 2048);
	assert_int_equal(v.section_size, 16);
	assert_int_equal(v.section_bits, 27);
	assert_int_equal(v.page_size, 64);
	assert_int_equal(v.page_flags, 0);
	assert_int_equal(v.page_refcount, 52);
	assert_int_equal(v.page_mapcount, 48);
	assert_int_equal(v.page_mapping, 24);
	assert_int_equal(v.page_compound_head, 8);
	assert_int_equal(v.pg_head, 16);
}

/* The note with @from in place of @to. */
static char *with(const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return xstrfmt("%.*s%s%s", (int)(at - text), text, to,
		       at + strlen(from));
}

static void newer_and_older_kernels_are_known(void **state)
{
	_free_ char *new = with("page.compound_head", "page.compound_info");
	_free_ char *old = with("NUMBER(pgtable_l5_enabled)=1\n", "");
	_free_ char *none = with("OFFSET(page.mapping)=24\n", "");
	char *why;

	assert_int_equal(parse(new, &why), 0);
	assert_int_equal(v.page_compound_head, 8);
	assert_int_equal(parse(old, &why), 0);
	assert_false(v.tables.la57);
	assert_int_equal(parse(none, &why), 0);
	assert_int_equal(v.page_mapping, -1);
}

/* Refused, with @says in the reason. */
static void refused(const char *from, const char *to, const char *says)
{
	_free_ char *t = with(from, to), *why = NULL;

	assert_int_equal(parse(t, &why), -EINVAL);
	assert_non_null(why);
	if (!strstr(why, says))
		fail_msg("'%s' does not say '%s'", why, says);
}

static void what_cannot_be_is_refused(void **state)
{
	refused("SYMBOL(mem_section)", "SYMBOL(mem_map)",
		"it has no SYMBOL(mem_section)");
	refused("SYMBOL(init_top_pgt)", "SYMBOL(top)", "init_top_pgt");
	refused("ffffffff81010000", "ffffffff81010100", "init_top_pgt would");
	refused("ffffffff81010000", "1234", "init_top_pgt) is 1234");
	refused("ffffffff81010000", "1ffffffff81010000", "init_top_pgt) is");
	refused("SIZE(mem_section)=16", "SIZE(mem_section)=0", "is 0");
	refused("SIZE(mem_section)=16", "SIZE(mem_section)=24", "24 bytes");
	refused("SIZE(mem_section)=16", "SIZE(mem_section)=8192", "8192");
	refused("section_mem_map)=0", "section_mem_map)=4", "at 4");
	refused("section_mem_map)=0", "section_mem_map)=16", "at 16");
	refused("SECTION_SIZE_BITS)=27", "SECTION_SIZE_BITS)=64", "is 64");
	refused("SIZE(page)=64", "SIZE(page)=64x", "SIZE(page) is 64x");
	refused("SIZE(page)=64", "SIZE(page)=", "SIZE(page) is");
	refused("SIZE(page)=64", "SIZE(page)=-64", "is -64");
	refused("_refcount)=52", "_refcount)=99999999999999999999", "is 9");
	refused("_l5_enabled)=1", "_l5_enabled)=2", "is 2");
	/* The guest's bytes do not reach a terminal as they are. */
	refused("SIZE(page)=64", "SIZE(page)=\033[31m", "\\x1b[31m");
}

static void a_key_is_a_whole_one(void **state)
{
	/* A line that has the key within it, and one that begins with it. */
	refused("SIZE(page)=64", "XSIZE(page)=64\nSIZE(page)X=64",
		"it has no SIZE(page)");
}

static void short_notes_are_refused(void **state)
{
	uint8_t note[4132];
	size_t len = fx_note(text, note);
	uint32_t descsz;
	char *why;

	memcpy(&descsz, note + 4, 4);
	for (size_t n = 0; n < 24 + descsz; n++) {
		/* On the heap, so that a byte too many is seen. */
		_free_ uint8_t *copy = xcalloc(1, n);

		memcpy(copy, note, n);
		assert_int_equal(vmcoreinfo_parse(copy, n, &v, &why), -EINVAL);
		assert_non_null(why);
		free(why);
	}
	assert_int_equal(vmcoreinfo_parse(note, 24 + descsz, &v, &why), 0);
	descsz = len;
	memcpy(note + 4, &descsz, 4);
	assert_int_equal(vmcoreinfo_parse(note, len, &v, &why), -EINVAL);
	free(why);
	fx_note(text, note);
	note[12] = 'W';
	assert_int_equal(vmcoreinfo_parse(note, len, &v, &why), -EINVAL);
	assert_string_equal(why, "there is no note of that name");
	free(why);
}

static void a_section_leads_to_the_struct_page(void **state)
{
	const struct page_layout l = fx_layout("6.1");
	_fixture_ struct fixture f;
	uint64_t pfn = (FX_NV >> 12) + 5, va;

	fx_new(&f, true, 2, &l);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn, &va), -ENOENT);
	fx_section(&f, FX_NV >> 27);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn, &va), 0);
	assert_true(va == fx_vmemmap(&f) + pfn * 64);
	/* The next section is not there, nor is the next root, nor any beyond
	 * the table. */
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn + 32768, &va),
			 -ENOENT);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, 256ull * 32768, &va),
			 -ENOENT);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, 2048ull * 256 * 32768,
					 &va), -ENOENT);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, -1ull, &va), -ENOENT);
	/* Removed: section_mem_map has no SECTION_HAS_MEM_MAP any more. */
	fx_put(&f, FX_SECTIONS + (FX_NV >> 27) * 16, fx_vmemmap(&f) | 0x11);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn, &va), -ENOENT);
	fx_put(&f, FX_ROOTS, 0xff22000000000000);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn, &va), -EFAULT);
	fx_put(&f, FX_ROOTS, fx_direct(&f) + FX_SECTIONS + 4);
	assert_int_equal(vmcoreinfo_page(&f.v, &f.m, pfn, &va), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_is_read),
		cmocka_unit_test(newer_and_older_kernels_are_known),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_key_is_a_whole_one),
		cmocka_unit_test(short_notes_are_refused),
		cmocka_unit_test(a_section_leads_to_the_struct_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
