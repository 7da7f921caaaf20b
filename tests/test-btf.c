// SPDX-License-Identifier: GPL-2.0-or-later
/* Offsets from BTF that is made here, with what real kernels' has in it. */
#include "guest/btf.h"
#include "rig/util.h"

#include <bpf/btf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct ids {
	int u32, ulong, anon;
};

static void free_btf(struct btf **b)
{
	btf__free(*b);
}
#define _btf_ __cleanup(free_btf)

/* What the answer to @wants over the raw bytes is, or the fault; owned by the
 * caller. */
static char *answer(const void *raw, size_t len, const char *wants)
{
	struct json_object *list = json_tokener_parse(wants);
	char why[BTF_WHY] = "";
	struct json_object *o = btf_layout(raw, len, list, why);
	char *text = xstrdup(o ? json_object_to_json_string_ext(
					 o, JSON_C_TO_STRING_PLAIN) : why);

	assert_int_equal(!o, *why != '\0');
	json_object_put(o);
	json_object_put(list);
	return text;
}

static void shows(struct btf *b, const char *wants, const char *want)
{
	__u32 len;
	const void *raw = btf__raw_data(b, &len);
	_free_ char *got = answer(raw, len, wants);

	assert_string_equal(got, want);
}

static void add(struct btf *b, const char *name, int type, int bit, int bits)
{
	assert_int_equal(btf__add_field(b, name, type, bit, bits), 0);
}

/* As struct page: a union of anonymous structs between plain members. */
static struct btf *a_page(struct ids *id)
{
	struct btf *b = btf__new_empty();

	id->u32 = btf__add_int(b, "unsigned int", 4, 0);
	id->ulong = btf__add_int(b, "long unsigned int", 8, 0);
	/* Offset 16 in the union, which is at 8: named for the page 24. */
	id->anon = btf__add_struct(b, NULL, 40);
	add(b, "lru", id->ulong, 0, 0);
	add(b, "mapping", id->ulong, 128, 0);
	int other = btf__add_struct(b, NULL, 40);

	add(b, "pgmap", id->ulong, 0, 0);
	int both = btf__add_union(b, NULL, 40);

	add(b, NULL, id->anon, 0, 0);
	add(b, NULL, other, 0, 0);
	assert_true(btf__add_struct(b, "page", 64) > 0);
	add(b, "flags", id->ulong, 0, 0);
	add(b, NULL, both, 64, 0);
	add(b, "_refcount", id->u32, 52 * 8, 0);
	return b;
}

static void anonymous_members_are_the_containers(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);

	shows(b, "[\"page.flags\",\"page.mapping\",\"page.pgmap\","
	      "\"page._refcount\"]",
	      "{\"page\":{\"size\":64,\"flags\":0,\"mapping\":24,\"pgmap\":8,"
	      "\"_refcount\":52}}");
}

static void what_is_not_there_is_left_out(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);

	shows(b, "[\"page.none\",\"folio.x\",\"page\",\"\",7]",
	      "{\"page\":{\"size\":64}}");
	shows(b, "[]", "{}");
	shows(b, "{}", "{}");
}

static void members_behind_qualifiers(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);
	int td = btf__add_typedef(b, "anon_t", btf__add_const(b, id.anon));

	/* -fms-extensions: a type's members without a member of its own. */
	btf__add_struct(b, "slab", 48);
	add(b, NULL, td, 64, 0);
	shows(b, "[\"slab.mapping\"]", "{\"slab\":{\"size\":48,\"mapping\":24}}");
}

static void bit_fields_are_left_out(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);
	int nibble = btf__add_int(b, "nibble", 4, 0);
	struct btf_type *t;

	btf__add_struct(b, "flags", 16);
	add(b, "low", id.u32, 0, 4);
	add(b, "byte", id.u32, 8, 8);
	add(b, "after", id.u32, 32, 0);
	/* As compilers wrote them before kind_flag: an int of four bits. */
	t = (void *)btf__type_by_id(b, nibble);
	*(uint32_t *)(t + 1) = 4;
	int old = btf__add_struct(b, "old", 16);

	add(b, "bits", nibble, 8, 0);
	add(b, "whole", id.u32, 32, 0);
	add(b, "odd", id.u32, 64, 0);
	btf_members(btf__type_by_id(b, old))[2].offset = 67;
	shows(b, "[\"flags.low\",\"flags.byte\",\"flags.after\",\"old.bits\","
	      "\"old.whole\",\"old.odd\"]",
	      "{\"flags\":{\"size\":16,\"after\":4},"
	      "\"old\":{\"size\":16,\"whole\":4}}");
}

static void enums_have_their_values(void **state)
{
	_btf_ struct btf *b = btf__new_empty();

	btf__add_enum(b, "pageflags", 4);
	btf__add_enum_value(b, "PG_locked", 0);
	btf__add_enum_value(b, "PG_head", 6);
	btf__add_enum(b, "signs", 4);
	btf__add_enum_value(b, "MINUS", -1);
	btf__add_enum(b, "big", 4);
	btf__add_enum_value(b, "TOP", 0xffffffff);
	btf__add_enum64(b, "wide", 8, false);
	btf__add_enum64_value(b, "FAR", 0x123456789abull);
	shows(b, "[\"pageflags.PG_head\",\"pageflags.PG_none\",\"signs.MINUS\","
	      "\"big.TOP\",\"wide.FAR\"]",
	      "{\"pageflags\":{\"PG_head\":6},\"signs\":{\"MINUS\":-1},"
	      "\"big\":{\"TOP\":4294967295},\"wide\":{\"FAR\":1250999896491}}");
}

static void the_first_definition_counts(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);

	btf__add_fwd(b, "later", BTF_FWD_STRUCT);
	btf__add_struct(b, "page", 8);
	add(b, "flags", id.u32, 32, 0);
	btf__add_struct(b, "later", 16);
	add(b, "x", id.u32, 64, 0);
	shows(b, "[\"page.flags\",\"later.x\"]",
	      "{\"page\":{\"size\":64,\"flags\":0},"
	      "\"later\":{\"size\":16,\"x\":8}}");
}

/* Structs that contain themselves, all their members over: ends, with nothing
 * found, in no time. */
static void loops_end(void **state)
{
	_btf_ struct btf *b = btf__new_empty();
	int id = btf__add_struct(b, "loop", 8);

	for (int i = 0; i < 100; i++)
		add(b, NULL, id, 0, 0);
	btf__add_typedef(b, "a", 3);
	btf__add_typedef(b, "b", 2);
	btf__add_struct(b, "chain", 8);
	add(b, NULL, 2, 0, 0);
	add(b, NULL, 0, 0, 0);
	add(b, NULL, 4711, 0, 0);
	shows(b, "[\"loop.x\",\"chain.x\"]",
	      "{\"loop\":{\"size\":8},\"chain\":{\"size\":8}}");
}

/* Whether the answer over the raw bytes, one u32 of the header changed, is a
 * fault. */
static bool faulty(const void *raw, size_t len, size_t at, uint32_t value)
{
	_free_ char *copy = malloc(len), *got = NULL;

	memcpy(copy, raw, len);
	memcpy(copy + at, &value, sizeof(value));
	got = answer(copy, len, "[\"page.flags\"]");
	return strncmp(got, "corrupt BTF: ", 13) == 0;
}

static void corrupt_headers_are_refused(void **state)
{
	struct ids id;
	_btf_ struct btf *b = a_page(&id);
	__u32 len;
	const void *raw = btf__raw_data(b, &len);
	static const uint32_t bad[] = { 0x7fffffff, 0x80000000, 0xffffffff,
					0xfffffffc, 0x100000 };

	assert_false(faulty(raw, len, 0, *(const uint32_t *)raw));
	/* Byte order, version; hdr_len shorter than the header. */
	assert_true(faulty(raw, len, 0, 0x9feb0100));
	assert_true(faulty(raw, len, 0, 0x0002eb9f));
	assert_true(faulty(raw, len, 4, 0));
	assert_true(faulty(raw, len, 4, 23));
	for (size_t at = 4; at < sizeof(struct btf_header); at += 4)
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			assert_true(faulty(raw, len, at, bad[i]));
	for (size_t cut = 0; cut < len; cut++) {
		_free_ char *copy = malloc(cut + 1);
		_free_ char *got = NULL;

		memcpy(copy, raw, cut);
		got = answer(copy, cut, "[\"page.flags\"]");
		assert_int_equal(strncmp(got, "corrupt BTF: ", 13), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anonymous_members_are_the_containers),
		cmocka_unit_test(what_is_not_there_is_left_out),
		cmocka_unit_test(members_behind_qualifiers),
		cmocka_unit_test(bit_fields_are_left_out),
		cmocka_unit_test(enums_have_their_values),
		cmocka_unit_test(the_first_definition_counts),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(corrupt_headers_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("btf", tests, NULL, NULL);
}
