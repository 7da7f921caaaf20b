// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of a census: which page was off idle, from when until when,
 * whose it was; and that the picture shows it, whatever names a guest makes
 * up. */
#include "census-fixture.h"
#include "rig/census-picture.h"
#include "rig/svg.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

#define PAGES 130048
#define MAPPING 0xffff888005a01400ULL

static char path[] = "/tmp/rig-test-XXXXXX";

static int view_level(int32_t ref, int32_t mapcount, int32_t pincount,
		      uint64_t mapping, uint64_t index, bool tail, int32_t idle)
{
	struct page_view v = { .ref = ref, .mapcount = mapcount,
			       .pincount = pincount, .mapping = mapping,
			       .index = index, .tail = tail };

	return page_level(&v, idle);
}

/* By models A (idle 1, mappings not counted) and C (idle 0, counted). */
static void counts_are_told_apart(void **state)
{
	assert_int_equal(view_level(1, 0, 0, 0, 0, 0, 1), LEVEL_FREE);
	assert_int_equal(view_level(1, 0, 0, MAPPING, 0, 0, 1), LEVEL_OWNED);
	assert_int_equal(view_level(1, 0, 0, 0, 2, 0, 1), LEVEL_OWNED);
	assert_int_equal(view_level(2, 0, 0, MAPPING, 0, 0, 1), LEVEL_REF);
	assert_int_equal(view_level(1025, 0, 0, 0, 0, 0, 1), LEVEL_PINNED);
	assert_int_equal(view_level(0, 0, 0, 0, 0, 0, 1), LEVEL_UNDER);
	assert_int_equal(view_level(0, 0, 0, 0, 0, 0, 0), LEVEL_FREE);
	assert_int_equal(view_level(1, 1, 0, MAPPING, 0, 0, 0), LEVEL_MAPPED);
	assert_int_equal(view_level(3, 3, 0, MAPPING, 0, 0, 0),
			 LEVEL_MAPPED_MORE);
	assert_int_equal(view_level(3, 2, 0, MAPPING, 0, 0, 0), LEVEL_REF);
	assert_int_equal(view_level(1023, 0, 0, 0, 0, 0, 0), LEVEL_REFS);
	/* A pin of a large folio counts one, beside its pincount. */
	assert_int_equal(view_level(2, 1, 1, MAPPING, 0, 0, 0), LEVEL_PINNED);
	assert_int_equal(view_level(1, 2, 0, MAPPING, 0, 0, 0), LEVEL_UNDER);
	/* device-dax: idle 1, but the tails of its folios are 0. */
	assert_int_equal(view_level(0, 0, 0, 0, 0, 1, 1), LEVEL_TAIL);
	assert_int_equal(view_level(INT32_MIN, INT32_MAX, 0, 0, 0, 0, 1),
			 LEVEL_UNDER);
}

static void say(struct census_log *l, double t)
{
	l->start = now() - t;
}

static void event(struct census_log *l, const char *text)
{
	assert_int_equal(census_log_event(l, 0, text), 0);
}

/*
 * A boot of 20 seconds: a reference that is held and released, one that stays,
 * and one of a namespace that is made anew.
 */
static void write_log(const char *case_name)
{
	_fixture_ struct fixture f = {};
	struct census_log l;
	_free_ char *begin = xstrfmt("begin %s", case_name);
	_free_ char *ran = xstrfmt("ran %s", case_name);
	_free_ char *end = xstrfmt("end %s", case_name);

	unlink(path);
	fixture_init(&f, "namespace0.0", PAGES, 1);
	assert_int_equal(census_log_open(&l, path), 0);
	say(&l, 0.5);
	/* What it counts is not known yet. */
	census_log_ns(&l, 0, &f.c, 0);
	census_log_frame(&l, 0, &f.c);
	say(&l, 0.9);
	census_log_ns(&l, 0, &f.c, 1);
	say(&l, 1);
	census_log_frame(&l, 0, &f.c);
	say(&l, 2);
	census_log_mark(&l, begin);
	for (int i = 0; i < 64; i++)
		fixture_set(&f, 1000 + i, 1, MAPPING, i);
	fixture_set(&f, 1003, 2, MAPPING, 3);
	fixture_set(&f, 1010, 1025, MAPPING, 10);
	fixture_set(&f, 1011, 1025, MAPPING, 11);
	say(&l, 3);
	census_log_frame(&l, 0, &f.c);
	say(&l, 3.1);
	event(&l, "{\"ev\":\"extents\",\"case\":\"a/xfs/4k\",\"file\":"
		  "\"case/victim\",\"ino\":131,"
		  "\"extents\":[[0,4096000,262144]]}");
	event(&l, "{\"ev\":\"hold\",\"case\":\"a/xfs/4k\",\"id\":1,\"kind\":"
		  "\"vmsplice\",\"extents\":[[4108288,4096]]}");
	say(&l, 8);
	census_log_mark(&l, "at the reference is held");
	for (int i = 0; i < 64; i++)
		fixture_set(&f, 1000 + i, 1, 0, 0);
	fixture_set(&f, 1010, 1025, 0, 0);
	fixture_set(&f, 1011, 1025, 0, 0);
	census_log_frame(&l, 0, &f.c);
	event(&l, "{\"ev\":\"release\",\"case\":\"a/xfs/4k\",\"id\":1}");
	say(&l, 9);
	census_log_mark(&l, ran);
	census_log_mark(&l, end);
	/* Not looked at for a while; the array is the same one. */
	census_log_gone(&l, 0);
	say(&l, 11);
	census_log_ns(&l, 0, &f.c, 1);
	fixture_set(&f, 70000, 0, 0, 0);
	census_log_frame(&l, 0, &f.c);
	census_log_mark(&l, "begin b/xfs/4k");
	say(&l, 14);
	census_log_gone(&l, 0);
	say(&l, 16);
	/* And here it is another. */
	f.c.pgmap += 64;
	for (int i = 0; i < PAGES; i++)
		fixture_set(&f, i, 1, 0, 0);
	fixture_set(&f, 1010, 2, 0, 0);
	census_log_ns(&l, 0, &f.c, 1);
	census_log_frame(&l, 0, &f.c);
	say(&l, 20);
	census_log_frame(&l, 0, &f.c);
	assert_int_equal(l.error, 0);
	census_log_close(&l);
}

static int load(struct history *h)
{
	const struct census_log_reader cb = history_reader(h);
	struct census_reader *r = census_reader_new(&cb);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *why;

	assert_true(fd >= 0);
	assert_int_equal(census_reader_fd(r, fd, &why), 0);
	census_reader_free(r);
	return fd;
}

static bool near(double a, double b)
{
	/* The host may be busy. */
	return a >= b - 0.001 && a < b + 0.4;
}

static void references_are_followed(void **state)
{
	_history_ struct history first = HISTORY_INIT, h = HISTORY_INIT;
	size_t n;

	write_log("a/xfs/4k");
	first.skim = true;
	close(load(&first));
	h.before = &first;
	close(load(&h));
	assert_true(near(h.end, 20));
	assert_int_equal(h.ns[0].frames, 7);
	assert_int_equal(h.nr_cases, 2);
	_free_ struct history_spell *s = history_spells(&h, 0, &n);
	assert_int_equal(n, 4);
	/* Those that stayed, the longer first: while nobody looked, the array
	 * was the same, and then it was another. */
	assert_int_equal(s[0].first, 1010);
	assert_int_equal(s[0].n, 2);
	assert_int_equal(s[0].ref, 1025);
	assert_int_equal(s[0].level, LEVEL_PINNED);
	assert_true(s[0].stayed);
	assert_true(near(s[0].since, 3) && near(s[0].until, 14));
	/* Its mapping when it had one. */
	assert_true(s[0].mapping == MAPPING && s[0].index == 10);
	assert_true(s[1].stayed && s[1].first == 1010 && s[1].ref == 2);
	assert_true(near(s[1].since, 16) && near(s[1].until, 20));
	assert_true(s[2].stayed && s[2].first == 70000 && s[2].ref == 0);
	assert_int_equal(s[2].level, LEVEL_UNDER);
	assert_true(near(s[2].since, 11) && near(s[2].until, 14));
	assert_false(s[3].stayed);
	assert_int_equal(s[3].first, 1003);
	assert_true(near(s[3].since, 3) && near(s[3].until, 8));

	_free_ char *whose = history_whose(&h, 0, &s[0]);
	_free_ char *held = history_held(&h, 0, &s[3]);
	_free_ char *until = history_until(&h, &s[0]);
	_free_ char *still = history_until(&h, &s[1]);
	_free_ char *last = history_whose(&h, 0, &s[1]);
	_free_ char *nobody = history_whose(&h, 0, &s[2]);
	assert_string_equal(whose, "case/victim+0xa000, until 9.0 s");
	assert_string_equal(held, "vmsplice");
	assert_null(history_held(&h, 0, &s[0]));
	assert_string_equal(until, "14.0 s (namespace gone)");
	assert_string_equal(still, "still there");
	assert_string_equal(last, "case/victim+0xa000, which had it last");
	assert_string_equal(nobody, "no file that is known");
	assert_string_equal(history_case_at(&h, 3), "a/xfs/4k");
	assert_null(history_case_at(&h, 10));
	assert_string_equal(history_case_at(&h, 19), "b/xfs/4k");
}

static const struct history_count *count(const struct history *h, int ref,
					 int level)
{
	for (size_t i = 0; i < h->ns[0].nr_counts; i++)
		if (h->ns[0].counts[i].ref == ref &&
		    (int)h->ns[0].counts[i].level == level)
			return &h->ns[0].counts[i];
	return NULL;
}

static void pages_are_counted(void **state)
{
	_history_ struct history h = HISTORY_INIT, part = HISTORY_INIT;
	size_t n;

	write_log("a/xfs/4k");
	close(load(&h));
	assert_int_equal(count(&h, 1, LEVEL_FREE)->pages, PAGES - 1);
	assert_int_equal(count(&h, 1, LEVEL_OWNED)->pages, 0);
	assert_int_equal(count(&h, 1, LEVEL_OWNED)->most, 61);
	assert_true(near(count(&h, 1, LEVEL_OWNED)->at, 3));
	assert_int_equal(count(&h, 1025, LEVEL_PINNED)->most, 2);
	/* Before it was known that idle is 1. */
	assert_int_equal(count(&h, 1, LEVEL_REF)->most, PAGES);

	part.from = 4;
	part.to = 12;
	part.first = 1003;
	part.last = 1010;
	close(load(&part));
	assert_true(near(part.end, 11));
	assert_int_equal(count(&part, 1025, LEVEL_PINNED)->pages, 1);
	assert_int_equal(count(&part, 1, LEVEL_FREE)->pages, 7);
	_free_ struct history_spell *s = history_spells(&part, 0, &n);
	assert_int_equal(n, 2);
	assert_true(s[0].first == 1010 && s[0].n == 1 && s[0].stayed);
	assert_true(s[1].first == 1003 && near(s[1].since, 3));
}

/* Balanced elements, no bare & or <, no byte that XML lacks. */
static void is_xml(const char *svg)
{
	int depth = 0;

	for (const char *p = svg; *p; p++) {
		assert_true((unsigned char)*p >= ' ' || *p == '\n');
		if (*p == '&')
			assert_true(starts_with(p, "&amp;") ||
				    starts_with(p, "&lt;") ||
				    starts_with(p, "&gt;") ||
				    starts_with(p, "&quot;") ||
				    starts_with(p, "&#39;"));
		if (*p != '<')
			continue;
		if (p[1] == '?')
			continue;
		depth += p[1] == '/' ? -1 : 1;
		p += strcspn(p, ">");
		assert_int_equal(*p, '>');
		depth -= p[-1] == '/';
		assert_true(depth >= 0);
	}
	assert_int_equal(depth, 0);
}

static void the_picture_shows_one_page(void **state)
{
	_history_ struct history h = HISTORY_INIT;
	_free_ char *svg = NULL;
	int fd, err;

	write_log("<b>&\"'\033[31m\xff\xef\xbf\xbe/xfs/4k");
	fd = load(&h);
	svg = census_picture(&h, fd, "title <&>", "sub \"'", &err);
	assert_non_null(svg);
	is_xml(svg);
	assert_non_null(strstr(svg, "title &lt;&amp;&gt;"));
	assert_non_null(strstr(svg, "&lt;b&gt;&amp;&quot;&#39;\\x1b[31m\\xff"
				    "\\xef\\xbf\\xbe/xfs/4k"));
	/* Page 70000 of 130048, from second 11 of 20 on: column 387 of 720,
	 * some 286 of 520 down; black, and wider than it is. */
	assert_non_null(strstr(svg, "fill=\"#000000\" stroke=\"#000000\" "
				    "stroke-width=\"2\" d=\"M387 28"));
	assert_non_null(strstr(svg, "+0x11170000 (pfn 0x151170): counts 0, "
				    "from 11."));
	assert_non_null(strstr(svg, " s (namespace gone); no file that is "
				    "known<"));
	assert_in_range(strlen(svg), 5000, 100000);
	/* Nothing in the window. */
	h.first = h.last = PAGES;
	assert_null(census_picture(&h, fd, "t", "s", &err));
	assert_int_equal(err, 0);
	close(fd);
}

/* Every page another than its neighbours, all the time. */
static void noise_is_kept_small(void **state)
{
	_history_ struct history h = HISTORY_INIT;
	_fixture_ struct fixture f = {};
	_free_ char *svg = NULL;
	struct census_log l;
	uint32_t x = 1;
	int fd, err;

	unlink(path);
	fixture_init(&f, "namespace0.0", 720, 1);
	assert_int_equal(census_log_open(&l, path), 0);
	census_log_ns(&l, 0, &f.c, 1);
	for (int t = 0; t < 260; t++) {
		for (int i = 0; i < 720; i++) {
			/* A row shows the higher of two: so that each level is
			 * as frequent there. */
			uint32_t r;

			x = x * 1664525 + 1013904223;
			r = x >> 24;
			fixture_set(&f, i, r < 128 ? 2 : r < 181 ? 3 :
					   r < 222 ? 1025 : 0, 0, 0);
		}
		say(&l, t);
		census_log_frame(&l, 0, &f.c);
	}
	census_log_close(&l);
	fd = load(&h);
	svg = census_picture(&h, fd, "t", "s", &err);
	close(fd);
	assert_non_null(svg);
	is_xml(svg);
	assert_in_range(strlen(svg), 100000, 1200000);
}

static void texts_are_escaped(void **state)
{
	_buf_ struct buf b = {};

	svg_text(&b, 1.5, -0.25, "", "a<b>&\"'\n\xc3\xa9\x01\xef\xbf\xbf");
	assert_string_equal(b.data, "<text x=\"1.5\" y=\"-0.25\">a&lt;b&gt;"
				    "&amp;&quot;&#39;\\x0a\xc3\xa9\\x01"
				    "\\xef\\xbf\\xbf</text>\n");
	b.len = 0;
	svg_line(&b, 0, 1, 2.005, 1e6, " class=\"a\"");
	assert_string_equal(b.data, "<line x1=\"0\" y1=\"1\" x2=\"2.01\" "
				    "y2=\"1000000\" class=\"a\"/>\n");
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_told_apart),
		cmocka_unit_test(references_are_followed),
		cmocka_unit_test(pages_are_counted),
		cmocka_unit_test(the_picture_shows_one_page),
		cmocka_unit_test(noise_is_kept_small),
		cmocka_unit_test(texts_are_escaped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
