// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the members of struct page are, by BTF, by VMCOREINFO, by the table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "rig/page-layout.h"
#include "rig/util.h"
#include "rig/vmcoreinfo.h"

/* What the BTF of Debian's kernels says. */
#define INODE "\"address_space\":{\"size\":192,\"host\":0}," \
	"\"inode\":{\"size\":632,\"i_ino\":64,\"i_data\":376}"
static const struct {
	const char *release, *json;
} debian[] = {
	{ "6.1.0-56-cloud-amd64",
	  "{\"page\":{\"size\":64,\"flags\":0,\"pgmap\":8,\"mapping\":24,"
	  "\"index\":32,\"_mapcount\":48,\"_refcount\":52,\"compound_head\":8,"
	  "\"compound_mapcount\":20,\"compound_pincount\":24,"
	  "\"compound_order\":17},\"folio\":{\"size\":112,\"index\":32,"
	  "\"_pincount\":88,\"_folio_order\":81,\"_flags_1\":64},"
	  "\"pageflags\":{\"PG_head\":16}," INODE "}" },
	{ "6.12.117+deb13-cloud-amd64",
	  "{\"page\":{\"size\":64,\"flags\":0,\"pgmap\":8,\"mapping\":24,"
	  "\"index\":32,\"_mapcount\":48,\"_refcount\":52,\"compound_head\":8},"
	  "\"folio\":{\"size\":256,\"index\":32,\"_large_mapcount\":80,"
	  "\"_entire_mapcount\":84,\"_pincount\":92,\"_flags_1\":64},"
	  "\"pageflags\":{\"PG_head\":6}," INODE "}" },
	{ "7.2.12+deb14-cloud-amd64",
	  "{\"folio\":{\"size\":256,\"pgmap\":8,\"index\":32,"
	  "\"_large_mapcount\":80,\"_entire_mapcount\":88,\"_pincount\":92,"
	  "\"_flags_1\":64},\"page\":{\"size\":64,\"flags\":0,\"mapping\":24,"
	  "\"__folio_index\":32,\"_mapcount\":48,\"_refcount\":52,"
	  "\"compound_info\":8},\"pageflags\":{\"PG_head\":6}," INODE "}" },
};

/* @json is put. */
static int get(struct json_object *json, const struct vmcoreinfo *v,
	       const char *release, struct page_layout *l, char **why)
{
	int err = page_layout_get(json, v, release, l, why);

	json_object_put(json);
	return err;
}

static void btf_is_understood(void **state)
{
	struct page_layout l[3];
	char *why;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(json_tokener_parse(debian[i].json), NULL,
				     debian[i].release, &l[i], &why), 0);
		assert_null(why);
		assert_string_equal(l[i].source, "BTF");
		assert_int_equal(l[i].pgmap, 8);
		assert_int_equal(l[i].compound_head, 8);
		assert_int_equal(l[i].index, 32);
		assert_int_equal(l[i].refcount, 52);
		assert_int_equal(l[i].inode_data, 376);
	}
	/* Before 6.2 members of struct page, relative to the tail. */
	assert_int_equal(l[0].order, 64 + 17);
	assert_false(l[0].order_in_flags);
	assert_int_equal(l[0].pincount, 64 + 24);
	assert_int_equal(l[0].entire_mapcount, 64 + 20);
	assert_int_equal(l[0].large_mapcount, -1);
	assert_int_equal(l[0].pg_head, 16);
	/* From then on of struct folio, relative to the head. */
	assert_int_equal(l[1].order, 64);
	assert_true(l[1].order_in_flags);
	assert_int_equal(l[1].large_mapcount, 80);
	assert_int_equal(l[1].pincount, 92);
	assert_int_equal(l[2].entire_mapcount, 88);
	assert_int_equal(l[2].pg_head, 6);
}

/* A kernel without BTF is read as one that has it. */
static void the_table_says_what_btf_says(void **state)
{
	for (int i = 0; i < 3; i++) {
		struct page_layout btf, table;
		char *why;

		assert_int_equal(get(json_tokener_parse(debian[i].json), NULL,
				     NULL, &btf, &why), 0);
		assert_int_equal(get(NULL, NULL, debian[i].release, &table,
				     &why), 0);
		assert_memory_equal(table.source, "table: ", 7);
		/* Nothing names a file without BTF. */
		assert_int_equal(table.inode_ino, -1);
		assert_int_equal(table.inode_data, -1);
		assert_memory_equal(&btf, &table, offsetof(struct page_layout,
							   order_in_flags));
		assert_int_equal(btf.order_in_flags, table.order_in_flags);
		assert_int_equal(btf.pg_head, table.pg_head);
		assert_int_equal(btf.mapping_host, table.mapping_host);
	}
}

static void the_row_is_that_of_the_version(void **state)
{
	struct page_layout l;
	char *why;

	assert_int_equal(get(NULL, NULL, "6.6.13", &l, &why), 0);
	assert_true(l.order_in_flags);
	assert_int_equal(l.large_mapcount, -1);
	assert_int_equal(get(NULL, NULL, "6.5.0", &l, &why), 0);
	assert_false(l.order_in_flags);
	assert_int_equal(get(NULL, NULL, "6.18-rc1", &l, &why), 0);
	assert_int_equal(l.entire_mapcount, 88);
	assert_int_equal(get(NULL, NULL, "10.0", &l, &why), 0);
	assert_int_equal(l.entire_mapcount, 88);
	assert_int_equal(get(NULL, NULL, "5.10.0-30-amd64", &l, &why), -EINVAL);
	assert_string_equal(why, "5.10.0-30-amd64 has no BTF, and its struct "
				 "page is not known");
	free(why);
	assert_int_equal(get(NULL, NULL, NULL, &l, &why), -EINVAL);
	free(why);
}

static void vmcoreinfo_is_over_the_table(void **state)
{
	struct vmcoreinfo v = {
		.page_size = 80, .page_flags = 0, .page_refcount = 60,
		.page_mapping = 24, .page_mapcount = 56,
		.page_compound_head = -1, .pg_head = 7,
	};
	struct page_layout l;
	char *why;

	assert_int_equal(get(NULL, &v, "6.6.0", &l, &why), 0);
	assert_null(why);
	assert_int_equal(l.size, 80);
	assert_int_equal(l.refcount, 60);
	assert_int_equal(l.mapcount, 56);
	assert_int_equal(l.compound_head, 8);
	assert_int_equal(l.pg_head, 7);
	assert_int_equal(l.order, 80);
	assert_non_null(strstr(l.source, "VMCOREINFO"));
}

static void btf_is_over_vmcoreinfo_and_it_says_so(void **state)
{
	struct vmcoreinfo v = {
		.page_size = 64, .page_flags = -1, .page_refcount = 40,
		.page_mapping = 24, .page_mapcount = 48,
		.page_compound_head = 8, .pg_head = 16,
	};
	struct page_layout l;
	char *why;

	assert_int_equal(get(json_tokener_parse(debian[0].json), &v, NULL, &l,
			     &why), 0);
	assert_int_equal(l.refcount, 52);
	assert_string_equal(why, "struct page: refcount is 52 by the guest's "
				 "BTF, which is taken, and 40 by its "
				 "VMCOREINFO");
	free(why);
	v.page_refcount = 52;
	assert_int_equal(get(json_tokener_parse(debian[0].json), &v, NULL, &l,
			     &why), 0);
	assert_null(why);
}

/* With TYPE.MEMBER set to @n; -1: without it. */
static void refused(const char *type, const char *member, int n,
		    const char *says)
{
	struct json_object *json = json_tokener_parse(debian[1].json), *t;
	_free_ char *why = NULL;
	struct page_layout l;

	assert_true(json_object_object_get_ex(json, type, &t));
	json_object_object_del(t, member);
	if (n != -1)
		json_object_object_add(t, member, json_object_new_int(n));
	assert_int_equal(get(json, NULL, "6.12.0", &l, &why), -EINVAL);
	assert_non_null(why);
	if (!strstr(why, says))
		fail_msg("'%s' does not say '%s'", why, says);
}

static void what_cannot_be_is_refused(void **state)
{
	refused("page", "_refcount", -1, "struct page has no refcount");
	refused("page", "_refcount", 64, "refcount at 64");
	refused("page", "_refcount", 50, "refcount at 50");
	refused("page", "_refcount", 62, "refcount at 62");
	refused("page", "_refcount", -5, "struct page has no refcount");
	refused("page", "mapping", 60, "mapping at 60");
	refused("page", "size", 0, "0 bytes");
	refused("page", "size", 60, "60 bytes");
	refused("page", "size", 4096, "4096 bytes");
	refused("page", "size", -1, "bytes");
	refused("folio", "_pincount", 60, "pincount at 60");
	refused("folio", "_pincount", 128, "pincount at 128");
	refused("pageflags", "PG_head", 64, "PG_head is 64");
}

static void odd_answers_are_no_answers(void **state)
{
	static const char *const odd[] = {
		"{}", "[]", "1", "\"page\"", "{\"page\":[]}",
		"{\"page\":{\"size\":\"64\"}}", "{\"page\":{\"size\":1e99}}",
	};
	struct page_layout l;
	char *why;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		assert_int_equal(get(json_tokener_parse(odd[i]), NULL, "6.1",
				     &l, &why), -EINVAL);
		assert_non_null(why);
		free(why);
	}
}

static void the_agent_is_asked_for_all_of_it(void **state)
{
	struct json_object *list = page_layout_wants();
	const char *s = json_object_to_json_string(list);

	assert_true(json_object_is_type(list, json_type_array));
	assert_non_null(strstr(s, "\"page._refcount\""));
	assert_non_null(strstr(s, "\"page.size\""));
	assert_non_null(strstr(s, "\"folio._pincount\""));
	assert_non_null(strstr(s, "\"pageflags.PG_head\""));
	assert_non_null(strstr(s, "\"inode.i_data\""));
	json_object_put(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(btf_is_understood),
		cmocka_unit_test(the_table_says_what_btf_says),
		cmocka_unit_test(the_row_is_that_of_the_version),
		cmocka_unit_test(vmcoreinfo_is_over_the_table),
		cmocka_unit_test(btf_is_over_vmcoreinfo_and_it_says_so),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(odd_answers_are_no_answers),
		cmocka_unit_test(the_agent_is_asked_for_all_of_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
