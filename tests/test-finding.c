// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "rig/finding.h"

static struct sighting warn(const char *site, const char *case_name)
{
	return (struct sighting){
		.kind = "WARNING", .oracle = "kernel",
		.title = "WARNING in f (fs/dax.c:398)", .key = "f",
		.site = site, .case_name = case_name,
		.text = "one\ntwo", .text_len = 7,
		.boot = 1, .offset = 99, .time = 1.5,
	};
}

static void counts_sightings_and_cases(void **state)
{
	_findings_ struct findings fs = {};
	struct sighting a = warn("fs/dax.c:398", "pin"),
			b = warn("fs/dax.c:398", "reflink");
	struct finding *f;

	f = findings_add(&fs, &a);
	assert_int_equal(f->count, 1);
	b.boot = 2;
	b.text = "other";
	b.count = 6;
	findings_add(&fs, &b);
	f = findings_add(&fs, &a);
	assert_int_equal(fs.n, 1);
	assert_int_equal(f->count, 8);
	assert_int_equal(f->cases.n, 2);
	assert_string_equal(f->cases.v[0], "pin");
	assert_string_equal(f->cases.v[1], "reflink");
	/* The first sighting is the one that is shown. */
	assert_int_equal(f->boot, 1);
	assert_int_equal(f->offset, 99);
	assert_string_equal(f->text, "one\ntwo");
	assert_ptr_equal(findings_find(&fs, f->fingerprint), f);
	assert_null(findings_find(&fs, "0000000000000000"));
}

static void count_does_not_wrap(void **state)
{
	_findings_ struct findings fs = {};
	struct sighting a = warn(NULL, NULL);

	a.count = UINT_MAX - 1;
	findings_add(&fs, &a);
	findings_add(&fs, &a);
	assert_int_equal(findings_add(&fs, &a)->count, UINT_MAX);
	assert_int_equal(fs.v[0].cases.n, 0);
}

/* Two lines of one function are two findings of one family; another function
 * or kind is another family. */
static void site_tells_apart_family_joins(void **state)
{
	_findings_ struct findings fs = {};
	struct sighting a = warn("fs/dax.c:398", NULL),
			b = warn("fs/dax.c:404", NULL), c = warn(NULL, NULL),
			d = warn("fs/dax.c:398", NULL);

	d.kind = "BUG";
	findings_add(&fs, &a);
	findings_add(&fs, &b);
	findings_add(&fs, &c);
	findings_add(&fs, &d);
	assert_int_equal(fs.n, 4);
	assert_string_not_equal(fs.v[0].fingerprint, fs.v[1].fingerprint);
	assert_string_equal(fs.v[0].family, fs.v[1].family);
	assert_string_equal(fs.v[2].fingerprint, fs.v[2].family);
	assert_string_equal(fs.v[2].family, fs.v[0].family);
	assert_string_not_equal(fs.v[3].family, fs.v[0].family);
}

/* Saved runs and bug reports quote fingerprints: they must not change. */
static void fingerprint_is_stable(void **state)
{
	_findings_ struct findings fs = {};
	struct sighting a = warn("fs/dax.c:398", NULL);

	findings_add(&fs, &a);
	assert_string_equal(fs.v[0].fingerprint, "93bf173985292495");
	assert_string_equal(fs.v[0].family, "6b6feb4193d796b4");
}

static void title_is_made_printable(void **state)
{
	_findings_ struct findings fs = {};
	struct sighting a = warn(NULL, NULL);

	a.title = "a\x1b[31m\xff\nb";
	findings_add(&fs, &a);
	assert_string_equal(fs.v[0].title, "a\\x1b[31m\\xff\\x0ab");
}

static void json_round_trip(void **state)
{
	_findings_ struct findings fs = {}, back = {};
	struct sighting a = warn("fs/dax.c:398", "pin"), b = warn(NULL, NULL);
	struct json_object *one, *two;
	const char *flags;

	b.kind = "hang";
	b.time = -1;
	findings_add(&fs, &a);
	findings_add(&fs, &b);
	one = findings_to_json(&fs);
	assert_int_equal(findings_from_json(&back, one), 0);
	two = findings_to_json(&back);
	flags = json_object_to_json_string_ext(one, JSON_C_TO_STRING_PRETTY);
	assert_string_equal(flags, json_object_to_json_string_ext(two,
						JSON_C_TO_STRING_PRETTY));
	assert_int_equal(back.n, 2);
	assert_true(back.v[1].time < 0);
	assert_string_equal(back.v[0].cases.v[0], "pin");
	json_object_put(one);
	json_object_put(two);
}

static void bad_json_is_refused_and_loses_nothing(void **state)
{
#define HEX "\"fingerprint\":\"0123456789abcdef\",\"family\":" \
	"\"0123456789abcdef\","
#define STR "\"kind\":\"k\",\"oracle\":\"o\",\"title\":\"t\",\"text\":\"\","
#define NUM "\"count\":1,\"boot\":0,\"offset\":0,\"time\":null,\"cases\":[]"
	static const char *const bad[] = {
		"{}", "[1]", "[{}]", "\"x\"",
		"[{" STR NUM "}]",
		"[{" HEX NUM "}]",
		"[{" HEX STR "\"count\":0,\"boot\":0,\"offset\":0,"
			"\"time\":null,\"cases\":[]}]",
		"[{" HEX STR "\"count\":1,\"boot\":-1,\"offset\":0,"
			"\"time\":null,\"cases\":[]}]",
		"[{" HEX STR "\"count\":1,\"boot\":0,\"offset\":0,"
			"\"time\":\"x\",\"cases\":[]}]",
		"[{" HEX STR "\"count\":1,\"boot\":0,\"offset\":0,"
			"\"time\":null,\"cases\":[1]}]",
		"[{\"fingerprint\":\"XYZ3456789abcdef\",\"family\":"
			"\"0123456789abcdef\"," STR NUM "}]",
		/* one fingerprint twice */
		"[{" HEX STR NUM "},{" HEX STR NUM "}]",
	};
	_findings_ struct findings fs = {};
	struct sighting a = warn(NULL, NULL);
	struct json_object *o;

	findings_add(&fs, &a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		o = json_tokener_parse(bad[i]);
		assert_non_null(o);
		if (findings_from_json(&fs, o) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(fs.n, 1);
		json_object_put(o);
	}
	o = json_tokener_parse("[{" HEX STR NUM "}]");
	assert_int_equal(findings_from_json(&fs, o), 0);
	assert_string_equal(fs.v[0].kind, "k");
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_sightings_and_cases),
		cmocka_unit_test(count_does_not_wrap),
		cmocka_unit_test(site_tells_apart_family_joins),
		cmocka_unit_test(fingerprint_is_stable),
		cmocka_unit_test(title_is_made_printable),
		cmocka_unit_test(json_round_trip),
		cmocka_unit_test(bad_json_is_refused_and_loses_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
