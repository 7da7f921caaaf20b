// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/kernel-fixture.h"
#include "rig/kconfig.h"

#include <json-c/json.h>

static const struct kconfig_want *find(const struct kconfig *kc,
				       const char *symbol)
{
	for (size_t i = 0; i < kc->n; i++)
		if (strcmp(kc->v[i].symbol, symbol) == 0)
			return &kc->v[i];
	return NULL;
}

static void defaults_are_the_marked_ones(void **state)
{
	_kconfig_ struct kconfig kc = {};
	const struct strv none = {};

	assert_int_equal(kconfig_load(&kc, true, &none), EXIT_CLEAN);
	assert_int_equal(kc.names.n, 4);
	assert_true(strv_has(&kc.names, "pmem"));
	assert_false(strv_has(&kc.names, "kasan"));
	assert_string_equal(find(&kc, "CONFIG_FS_DAX")->fragment, "pmem");
	assert_null(find(&kc, "CONFIG_KASAN"));
}

static void last_fragment_wins_and_is_named(void **state)
{
	_kconfig_ struct kconfig kc = {};
	_strv_ struct strv extra = {};
	_free_ char *path = in_scratch("mine.config");
	_free_ char *text = NULL;

	put("mine.config", "# own\nCONFIG_NR_CPUS=4\n"
			   "# CONFIG_XFS_FS is not set\n\n");
	strv_push(&extra, path);
	assert_int_equal(kconfig_load(&kc, true, &extra), EXIT_CLEAN);
	assert_string_equal(find(&kc, "CONFIG_NR_CPUS")->value, "4");
	assert_string_equal(find(&kc, "CONFIG_NR_CPUS")->fragment, path);
	assert_string_equal(find(&kc, "CONFIG_XFS_FS")->value, "n");
	text = kconfig_text(&kc);
	assert_non_null(strstr(text, "CONFIG_NR_CPUS=4\n"));
	assert_null(strstr(text, "CONFIG_NR_CPUS=8"));
}

static void bad_fragments_are_refused(void **state)
{
	static const char *const bad[] = { "CONFIG_X\n", "FS_DAX=y\n",
					   "CONFIG_=y\n", "CONFIG_X =y\n",
					   "CONFIG_X=\n" };
	_free_ char *path = in_scratch("bad.config");

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_kconfig_ struct kconfig kc = {};
		_strv_ struct strv extra = {};

		put("bad.config", bad[i]);
		strv_push(&extra, path);
		assert_int_equal(kconfig_load(&kc, false, &extra), EXIT_USAGE);
	}
}

static void lost_lines_say_why(void **state)
{
	_kconfig_ struct kconfig kc = {};
	_strv_ struct strv extra = {};
	_free_ char *frag = in_scratch("f.config");
	_free_ char *config = in_scratch("config");
	_free_ char *line = NULL;
	_free_ char *want = NULL;
	int err;

	put("f.config", "CONFIG_GOT=y\nCONFIG_DEPS=y\nCONFIG_UNKNOWN=y\n"
			"CONFIG_STAYS=n\nCONFIG_GONE=n\nCONFIG_NUM=20\n"
			"CONFIG_MOD=m\n");
	put("config", "CONFIG_GOT=y\n# CONFIG_DEPS is not set\n"
		      "CONFIG_STAYS=y\nCONFIG_NUM=17\nCONFIG_MOD=y\n");
	put("tree/mm/Kconfig.x", "\nmenuconfig DEPS\n\tbool\n");
	put("tree/Documentation/Kconfig", "\nconfig UNKNOWN\n");
	strv_push(&extra, frag);
	assert_int_equal(kconfig_load(&kc, false, &extra), EXIT_CLEAN);
	{
		_free_ char *tree = in_scratch("tree");

		line = kconfig_lost(&kc, config, tree, &err);
	}
	want = xstrfmt("CONFIG_DEPS=y (%s: its dependencies are not met), "
		       "CONFIG_UNKNOWN=y (%s: this tree has no such symbol), "
		       "CONFIG_STAYS=n (%s: it is y), "
		       "CONFIG_NUM=20 (%s: it is 17)",
		       frag, frag, frag, frag);
	assert_string_equal(line, want);
}

static void nothing_lost_is_null(void **state)
{
	_kconfig_ struct kconfig kc = {};
	_strv_ struct strv extra = {};
	_free_ char *frag = in_scratch("f.config");
	int err;

	put("f.config", "CONFIG_GOT=y\n");
	strv_push(&extra, frag);
	assert_int_equal(kconfig_load(&kc, false, &extra), EXIT_CLEAN);
	assert_null(kconfig_lost(&kc, frag, scratch, &err));
	assert_int_equal(err, 0);
	assert_null(kconfig_lost(&kc, "/nonexistent", scratch, &err));
	assert_int_equal(err, -ENOENT);
}

static void list_has_help_and_default(void **state)
{
	struct json_object *list = kconfig_list();
	bool seen = false;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = json_object_get_string(
			json_object_object_get(o, "name"));
		const char *help = json_object_get_string(
			json_object_object_get(o, "help"));

		assert_true(strlen(help) > 20);
		if (strcmp(name, "pmem") == 0) {
			seen = true;
			assert_true(json_object_get_boolean(
				json_object_object_get(o, "default")));
		}
	}
	assert_true(seen);
	json_object_put(list);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(defaults_are_the_marked_ones),
		test(last_fragment_wins_and_is_named),
		test(bad_fragments_are_refused),
		test(lost_lines_say_why),
		test(nothing_lost_is_null),
		test(list_has_help_and_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
