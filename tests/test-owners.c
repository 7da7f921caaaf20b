// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose is a byte of the device: a wrong name in a finding sends somebody to
 * the wrong file. */
#include "rig/owners.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static void add(struct owners *o, unsigned int ns, double t, const char *text)
{
	struct json_object *ev = json_tokener_parse(text);

	o->t = t;
	owners_add(o, ns, ev);
	json_object_put(ev);
}

/* "FILE+OFF", with a "-" before it when it had it last; "" for nobody. */
static const char *who(struct owners *o, unsigned int ns, uint64_t dev,
		       double t)
{
	static char text[256];
	const struct owner *w = owners_find_at(o, ns, dev, t);

	if (!w)
		return "";
	snprintf(text, sizeof(text), "%s%s+%llu", w->is_now ? "" : "-",
		 w->file, (unsigned long long)w->off);
	return text;
}
#define IS(ns, dev, t, want) assert_string_equal(who(&o, ns, dev, t), want)

static void blocks_come_and_go(void **state)
{
	struct owners o = {};
	const struct owner *w;

	assert_null(owners_find(&o, 0, 0));
	add(&o, 0, 1, "{\"ev\":\"extents\",\"case\":\"c1\",\"file\":\"case/a\","
		      "\"ino\":131,\"extents\":[[0,8192,8192],[65536,0,4096]]}");
	IS(0, 8191, 2, "");
	IS(0, 8192, 2, "case/a+0");
	IS(0, 12290, 2, "case/a+4098");
	IS(0, 16384, 2, "");
	IS(0, 5, 2, "case/a+65541");
	/* Not before it was known, not in another namespace. */
	IS(0, 8192, 0.5, "");
	IS(1, 8192, 2, "");
	/* More of it takes nothing away. */
	add(&o, 0, 3, "{\"ev\":\"extents\",\"case\":\"c1\",\"file\":\"case/a\","
		      "\"ino\":131,\"extents\":[[8192,40960,4096]]}");
	IS(0, 8192, 3, "case/a+0");
	IS(0, 40960, 3, "case/a+8192");
	/* The middle of its first block goes to another file. */
	add(&o, 0, 4, "{\"ev\":\"extents\",\"case\":\"c1\",\"file\":\"case/b\","
		      "\"ino\":132,\"extents\":[[0,9000,100]]}");
	IS(0, 8999, 5, "case/a+807");
	IS(0, 9000, 5, "case/b+0");
	IS(0, 9099, 5, "case/b+99");
	IS(0, 9100, 5, "case/a+908");
	IS(0, 9000, 3.5, "case/a+808");
	/* All that b has, by now, is elsewhere. */
	add(&o, 0, 6, "{\"file\":\"case/b\",\"ino\":132,"
		      "\"extents\":[[0,20480,4096]]}");
	IS(0, 9000, 7, "-case/b+0");
	IS(0, 20480, 7, "case/b+0");
	add(&o, 0, 8, "{\"file\":\"case/b\",\"ino\":132,\"extents\":[]}");
	IS(0, 20490, 9, "-case/b+10");
	/* An offset of a file has one block: CoW moved it. */
	add(&o, 0, 10, "{\"ev\":\"extents\",\"case\":\"c1\",\"file\":\"case/a\","
		       "\"ino\":131,\"extents\":[[0,81920,4096]]}");
	IS(0, 8192, 11, "-case/a+0");
	IS(0, 81920, 11, "case/a+0");
	IS(0, 12288, 11, "case/a+4096");

	o.t = 12;
	owners_gone_case(&o, "other");
	IS(0, 81920, 13, "case/a+0");
	owners_gone_case(&o, "c1");
	IS(0, 81920, 13, "-case/a+0");
	w = owners_find(&o, 0, 81920);
	assert_false(w->is_now);
	assert_string_equal(w->case_name, "c1");
	assert_int_equal(w->ino, 131);
	assert_true(w->since == 10 && w->until == 12);
	owners_free(&o);
}

static void the_latest_owner_counts(void **state)
{
	struct owners o = {};

	add(&o, 2, 1, "{\"ev\":\"extents\",\"case\":\"c1\",\"file\":\"a\","
		      "\"ino\":1,\"extents\":[[0,0,4096]]}");
	o.t = 2;
	owners_gone(&o, 2);
	/* The same inode and name, in another case. */
	add(&o, 2, 3, "{\"ev\":\"extents\",\"case\":\"c2\",\"file\":\"a\","
		      "\"ino\":1,\"extents\":[[4096,0,4096]]}");
	IS(2, 0, 1.5, "a+0");
	IS(2, 0, 2.5, "-a+0");
	IS(2, 0, 3, "a+4096");
	assert_string_equal(owners_find(&o, 2, 0)->case_name, "c2");
	assert_true(owners_find(&o, 2, 0)->is_now);
	o.t = 4;
	owners_gone(&o, 2);
	IS(2, 0, 5, "-a+4096");
	owners_free(&o);
}

static void holds_end_when_released(void **state)
{
	struct owners o = {};
	const struct owner_hold *h;

	add(&o, 0, 1, "{\"ev\":\"hold\",\"case\":\"c\",\"id\":7,\"kind\":"
		      "\"vmsplice\",\"file\":\"case/a\",\"off\":8192,"
		      "\"extents\":[[40960,4096],[4096,8192]]}");
	add(&o, 0, 2, "{\"ev\":\"hold\",\"case\":\"c\",\"id\":8,\"kind\":"
		      "\"odirect\",\"extents\":[[4096,4096]]}");
	assert_null(owners_hold_at(&o, 0, 40960, 0.5));
	assert_null(owners_hold_at(&o, 1, 40960, 1.5));
	assert_null(owners_hold_at(&o, 0, 45056, 1.5));
	h = owners_hold_at(&o, 0, 40965, 1.5);
	assert_string_equal(h->kind, "vmsplice");
	assert_string_equal(h->file, "case/a");
	assert_int_equal(h->off, 8197);
	h = owners_hold_at(&o, 0, 8192, 1.5);
	assert_int_equal(h->off, 8192 + 4096 + 4096);
	/* Another case's numbers begin anew. */
	add(&o, 0, 3, "{\"ev\":\"release\",\"case\":\"d\",\"id\":7}");
	assert_non_null(owners_hold_at(&o, 0, 40960, 3.5));
	add(&o, 0, 4, "{\"ev\":\"release\",\"case\":\"c\",\"id\":7}");
	assert_non_null(owners_hold_at(&o, 0, 40960, 3.5));
	assert_null(owners_hold_at(&o, 0, 40960, 4));
	assert_string_equal(owners_hold_at(&o, 0, 4096, 4)->kind, "odirect");
	o.t = 5;
	owners_gone_case(&o, "c");
	assert_null(owners_hold_at(&o, 0, 4096, 5));
	owners_free(&o);
}

static void nonsense_is_ignored(void **state)
{
	static const char *const texts[] = {
		"7", "[]", "null", "{}", "{\"ev\":7}", "{\"ev\":\"extents\"}",
		"{\"ev\":\"extents\",\"extents\":[[0,0,4096]]}",
		"{\"ev\":\"extents\",\"file\":7,\"extents\":[[0,0,4096]]}",
		"{\"ev\":\"extents\",\"file\":\"x\",\"extents\":{}}",
		"{\"ev\":\"extents\",\"file\":\"x\",\"extents\":[7,[],[1],"
			"[\"a\",\"b\",\"c\"],[0,-1,5],[0,0,0],[0,0,-5],"
			"[0,0,1e300],[0,9223372036854775807,5],"
			"[9223372036854775807,0,5]]}",
		"{\"ev\":\"hold\",\"extents\":[[0],[0,-1],7]}",
		"{\"ev\":\"hold\",\"extents\":7}",
		"{\"ev\":\"release\"}", "{\"ev\":\"tick\"}",
	};
	struct owners o = {};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		add(&o, 0, i, texts[i]);
	IS(0, 0, 100, "");
	assert_null(owners_hold_at(&o, 0, 0, 100));
	/* Names are shown to people. */
	add(&o, 0, 100, "{\"ev\":\"extents\",\"file\":\"\\u001b[31m\","
			"\"extents\":[[0,0,4096]]}");
	IS(0, 0, 100, "\\x1b[31m+0");
	owners_free(&o);
}

/* What a guest can make rig keep. */
static void memory_is_bounded(void **state)
{
	struct owners o = {};

	for (int i = 0; i < 40000; i++) {
		_free_ char *ev = xstrfmt(
			"{\"ev\":\"extents\",\"file\":\"f%d\",\"ino\":%d,"
			"\"extents\":[[0,%d,4096]]}", i % 20000, i % 20000,
			i % 2 * 4096);
		_free_ char *hold = xstrfmt(
			"{\"ev\":\"hold\",\"id\":%d,\"kind\":\"k\","
			"\"extents\":[[0,4096]]}", i);

		add(&o, 0, i, ev);
		add(&o, 0, i, hold);
	}
	assert_true(o.dropped > 0);
	assert_in_range(o.nr_files, 1, 20000);
	assert_in_range(o.nr_past, 1, 1 << 16);
	assert_in_range(o.nr_refs, 1, 1 << 14);
	/* The newest are still known. */
	assert_string_equal(owners_hold_at(&o, 0, 0, 1e9)->kind, "k");
	owners_free(&o);
}

/* Against a list that knows the owner of each block at each time. */
static void as_a_plain_model_says(void **state)
{
	enum { BLOCKS = 24, FILES = 4, STEPS = 600 };
	static int owner[STEPS][BLOCKS], last[STEPS][BLOCKS];
	int block_of[FILES][BLOCKS];
	struct owners o = {};
	uint32_t x = 7;

	memset(block_of, -1, sizeof(block_of));
	for (int s = 0; s < STEPS; s++) {
		int f, off, dev, n;
		_free_ char *ev = NULL;

		memcpy(owner[s], owner[s ? s - 1 : 0], sizeof(owner[s]));
		memcpy(last[s], last[s ? s - 1 : 0], sizeof(last[s]));
		for (int b = 0; !s && b < BLOCKS; b++)
			owner[0][b] = last[0][b] = -1;
		x = x * 1664525 + 1013904223;
		f = x >> 8 & (FILES - 1);
		off = (x >> 12) % BLOCKS;
		dev = (x >> 17) % BLOCKS;
		n = 1 + (x >> 24) % 5;
		n = n < BLOCKS - off ? n : BLOCKS - off;
		n = n < BLOCKS - dev ? n : BLOCKS - dev;
		ev = xstrfmt("{\"ev\":\"extents\",\"file\":\"%d\",\"ino\":%d,"
			     "\"case\":\"c\",\"extents\":[[%d,%d,%d]]}",
			     f, f, off * 512, dev * 512, n * 512);
		for (int k = 0; k < n; k++) {
			int was = block_of[f][off + k], had = owner[s][dev + k];

			if (was >= 0)
				owner[s][was] = -1;
			if (had >= 0)
				block_of[had / 100][had % 100] = -1;
			block_of[f][off + k] = dev + k;
			owner[s][dev + k] = last[s][dev + k] = f * 100 + off + k;
		}
		add(&o, 0, s, ev);
	}
	for (int s = 0; s < STEPS; s++)
		for (int b = 0; b < BLOCKS; b++) {
			const struct owner *w = owners_find_at(&o, 0, b * 512,
							       s);

			if (last[s][b] < 0) {
				assert_null(w);
				continue;
			}
			assert_non_null(w);
			assert_int_equal(w->ino, last[s][b] / 100);
			assert_int_equal(w->off, last[s][b] % 100 * 512);
			assert_int_equal(w->is_now, owner[s][b] >= 0);
		}
	owners_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_come_and_go),
		cmocka_unit_test(the_latest_owner_counts),
		cmocka_unit_test(holds_end_when_released),
		cmocka_unit_test(nonsense_is_ignored),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(as_a_plain_model_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
