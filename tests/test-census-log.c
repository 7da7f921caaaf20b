// SPDX-License-Identifier: GPL-2.0-or-later
/* census.bin: what is read is what was seen, to the last whole record, and
 * what is no record is found out. And the thread that writes it. */
#include "census-fixture.h"
#include "rig/census-live.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static char dir[] = "/tmp/rig-test-XXXXXX";
static int nr_paths;

static char *new_path(void)
{
	return xstrfmt("%s/%d.bin", dir, nr_paths++);
}

static uint32_t rnd_state = 1;

/* The same numbers in every run: a failure can be looked at again. */
static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (uint64_t)(rnd_state >> 4) * below >> 28;
}

/* --- what was written, in one list of words ---------------------------------------- */

static void note_view(struct buf *b, uint64_t i, const struct page_view *v)
{
	buf_addf(b, "%llu:%d,%d,%d,%llx,%llx,%llx,%d,%d%d ",
		 (unsigned long long)i, v->ref, v->mapcount, v->pincount,
		 (unsigned long long)v->mapping, (unsigned long long)v->index,
		 (unsigned long long)v->pgmap, v->order, v->tail, v->torn);
}

static void note_now(struct buf *b, unsigned int ns, const struct census_ns *c)
{
	buf_addf(b, "frame %u ", ns);
	for (uint64_t i = 0; i < c->n; i++) {
		struct page_view v;

		census_read(c, i, &v);
		note_view(b, i, &v);
	}
	buf_addf(b, "\n");
}

struct seen {
	struct buf text;
	unsigned int frames, same, records, gone;
	uint64_t pages;			/* of the namespace */
	double t;
};

static void on_time(struct seen *s, double t)
{
	assert_true(t >= s->t && t < 600);
	s->t = t;
	s->records++;
}

static void on_ns(const struct census_log_ns_info *ns, double t, void *arg)
{
	struct seen *s = arg;

	on_time(s, t);
	s->pages = ns->n;
	buf_addf(&s->text, "ns %u %s %llu %llu %d\n", ns->ns, ns->name,
		 (unsigned long long)ns->data_pfn, (unsigned long long)ns->n,
		 ns->idle_ref);
}

static void on_gone(unsigned int ns, double t, void *arg)
{
	struct seen *s = arg;

	on_time(s, t);
	s->gone++;
	buf_addf(&s->text, "gone %u\n", ns);
}

static void on_frame(const struct census_frame *f, void *arg)
{
	struct seen *s = arg;
	uint64_t pos = 0;

	on_time(s, f->t);
	s->frames++;
	s->same += f->same;
	buf_addf(&s->text, "frame %u ", f->ns);
	for (size_t i = 0; i < f->nr_runs; i++) {
		const struct census_run *r = &f->runs[i];

		assert_int_equal(r->first, pos);
		pos += r->n;
		for (uint64_t k = 0; k < r->n; k++) {
			struct page_view v = r->v;

			v.index += r->counts ? k : 0;
			note_view(&s->text, r->first + k, &v);
		}
	}
	buf_addf(&s->text, "\n");
}

static void on_mark(const char *text, double t, void *arg)
{
	struct seen *s = arg;

	on_time(s, t);
	buf_addf(&s->text, "mark %s\n", text);
}

static void on_event(unsigned int ns, const char *json, double t, void *arg)
{
	struct seen *s = arg;

	on_time(s, t);
	buf_addf(&s->text, "event %u %s\n", ns, json);
}

static struct census_log_reader reads(struct seen *s)
{
	return (struct census_log_reader){ on_ns, on_gone, on_frame, on_mark,
					   on_event, s };
}

static void load(const char *path, struct seen *s)
{
	const struct census_log_reader cb = reads(s);
	struct census_reader *r = census_reader_new(&cb);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_free_ char *why = NULL;

	assert_true(fd >= 0);
	assert_int_equal(census_reader_fd(r, fd, &why), 0);
	assert_null(why);
	census_reader_free(r);
}

/* --- the log ----------------------------------------------------------------------- */

/* Something like what files do to a namespace: ranges get an owner with an
 * index that counts, single pages get references, ranges are let go. */
static void change(struct fixture *f, int32_t idle)
{
	uint64_t first = rnd(f->c.n), n = 1 + rnd(f->c.n - first);
	uint64_t mapping = 0xffff888000000000 + rnd(6) * 64;
	uint32_t what = rnd(5);

	if (rnd(2))
		n = 1;
	for (uint64_t i = 0; i < n; i++) {
		switch (what) {
		case 0:
			fixture_set(f, first + i, idle, 0, 0);
			break;
		case 1:
			fixture_set(f, first + i, idle, mapping, i + 7);
			break;
		case 2:
			fixture_set(f, first + i, idle + rnd(3), mapping, i);
			fixture_mapcount(f, first + i, rnd(3));
			break;
		case 3:
			fixture_set(f, first + i, idle + 1024, 1, 2);
			break;
		default:
			fixture_set(f, first + i, -(int32_t)rnd(100),
				    (uint64_t)rnd(1 << 20) << 40,
				    ~(uint64_t)rnd(3));
		}
	}
}

static void what_was_seen_is_read(void **state)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture a = {}, b = {};
	struct census_log l;
	_buf_ struct buf want = {};
	struct seen s = {};

	fixture_init(&a, "namespace0.0", 600, 1);
	fixture_init(&b, "b \"<&\xff", 97, 0);
	assert_int_equal(census_log_open(&l, path), 0);
	assert_int_equal(census_log_ns(&l, 0, &a.c, 1), 0);
	buf_addf(&want, "ns 0 namespace0.0 %d 600 1\n", 0x140000);
	for (int i = 0; i < 1500; i++) {
		if (i % 300 == 10) {
			/* Made anew, now and then, with another size. */
			b.c.n = 50 + i / 50;
			b.seg[1].n = b.c.n - b.seg[0].n;
			assert_int_equal(census_log_ns(&l, 63, &b.c, 0), 0);
			buf_addf(&want, "ns 63 b \"<&\xff %d %d 0\n", 0x140000,
				 (int)b.c.n);
		}
		if (i % 300 == 299) {
			assert_int_equal(census_log_gone(&l, 63), 0);
			assert_int_equal(census_log_frame(&l, 63, &b.c),
					 -EINVAL);
			buf_addf(&want, "gone 63\n");
		}
		if (i % 7 == 0) {
			_free_ char *text = xstrfmt("begin case %d", i);

			assert_int_equal(census_log_mark(&l, text), 0);
			buf_addf(&want, "mark begin case %d\n", i);
		}
		if (rnd(4))
			change(&a, 1);
		assert_int_equal(census_log_frame(&l, 0, &a.c), 0);
		note_now(&want, 0, &a.c);
		if (i % 300 >= 10 && i % 300 < 299) {
			change(&b, 0);
			assert_int_equal(census_log_frame(&l, 63, &b.c), 0);
			note_now(&want, 63, &b.c);
		}
	}
	assert_int_equal(census_log_event(&l, 5, "{\"ev\":\"hold\"}"), 0);
	buf_addf(&want, "event 5 {\"ev\":\"hold\"}\n");
	census_log_close(&l);
	load(path, &s);
	assert_int_equal(s.text.len, want.len);
	assert_memory_equal(s.text.data, want.data, want.len);
	assert_in_range(s.same, 100, 1000);
	buf_free(&s.text);
}

static void nothing_new_is_a_few_bytes(void **state)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture f = {};
	struct census_log l;
	uint64_t before;

	fixture_init(&f, "namespace0.0", 130048, 1);
	for (uint64_t i = 2000; i < 40000; i++)
		fixture_set(&f, i, 1, 0xffff888000001000, i);
	assert_int_equal(census_log_open(&l, path), 0);
	assert_int_equal(census_log_ns(&l, 0, &f.c, 1), 0);
	before = l.bytes;
	assert_int_equal(census_log_frame(&l, 0, &f.c), 0);
	/* Three runs. */
	assert_in_range(l.bytes - before, 20, 80);
	before = l.bytes;
	assert_int_equal(census_log_frame(&l, 0, &f.c), 0);
	assert_in_range(l.bytes - before, 5, 20);
	/* One page of 130,048 is not the whole frame again. */
	for (uint64_t i = 0; i < 130048; i += 50)
		fixture_set(&f, i, 2, 0xffff888000001000, i);
	assert_int_equal(census_log_frame(&l, 0, &f.c), 0);
	before = l.bytes;
	fixture_set(&f, 77777, 2, 0, 0);
	assert_int_equal(census_log_frame(&l, 0, &f.c), 0);
	assert_in_range(l.bytes - before, 5, 40);
	census_log_close(&l);
}

/* A short log with every kind of record. */
static void short_log(struct buf *out)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture f = {};
	struct census_log l;

	fixture_init(&f, "namespace0.0", 40, 1);
	assert_int_equal(census_log_open(&l, path), 0);
	assert_int_equal(census_log_ns(&l, 1, &f.c, 1), 0);
	assert_int_equal(census_log_mark(&l, "begin x"), 0);
	assert_int_equal(census_log_frame(&l, 1, &f.c), 0);
	for (int i = 0; i < 4; i++) {
		change(&f, 1);
		assert_int_equal(census_log_frame(&l, 1, &f.c), 0);
	}
	assert_int_equal(census_log_event(&l, 1, "{}"), 0);
	assert_int_equal(census_log_frame(&l, 1, &f.c), 0);
	assert_int_equal(census_log_gone(&l, 1), 0);
	census_log_close(&l);
	assert_int_equal(read_file(path, out), 0);
}

static void a_torn_tail_is_read_up_to_there(void **state)
{
	_buf_ struct buf file = {};
	struct seen all = {};
	struct census_log_reader cb = reads(&all);
	unsigned int before = 0, steps = 0;
	char *why;

	short_log(&file);
	assert_int_equal(census_log_read(file.data, file.len, &cb, &why),
			 file.len);
	assert_int_equal(all.records, 10);
	for (size_t cut = 0; cut <= file.len; cut++) {
		/* In a block of its own size: reading beyond it is seen. */
		_free_ char *part = xcalloc(1, cut ? cut : 1);
		struct seen s = {};
		struct census_log_reader cs = reads(&s);
		struct census_reader *r = census_reader_new(&cs);
		ssize_t n;

		memcpy(part, file.data, cut);
		n = census_reader_feed(r, part, cut, &why);
		assert_null(why);
		assert_in_range(n, 0, cut);
		assert_true(s.records == before || s.records == before + 1);
		steps += s.records - before;
		before = s.records;
		/* A reader that comes again gets the rest. */
		assert_int_equal(census_reader_feed(r, file.data + n,
						    file.len - n, &why),
				 file.len - n);
		assert_string_equal(s.text.data, all.text.data);
		census_reader_free(r);
		buf_free(&s.text);
	}
	assert_int_equal(steps, all.records);
	buf_free(&all.text);
}

static void corruption_is_found_out(void **state)
{
	_buf_ struct buf file = {};
	struct seen all = {};
	struct census_log_reader cb = reads(&all);
	size_t found = 0;
	char *why;

	short_log(&file);
	census_log_read(file.data, file.len, &cb, &why);
	for (size_t i = 0; i < file.len * 8; i++) {
		struct seen s = {};
		struct census_log_reader cs = reads(&s);
		ssize_t n;

		file.data[i / 8] ^= 1 << i % 8;
		n = census_log_read(file.data, file.len, &cs, &why);
		file.data[i / 8] ^= 1 << i % 8;
		/* What came before it was read. By chance, once in 65536, a
		 * length that is wrong passes for right and for a torn tail. */
		assert_true(n < (ssize_t)file.len);
		assert_true(s.records < all.records);
		if (s.text.len)
			assert_memory_equal(s.text.data, all.text.data,
					    s.text.len);
		if (n < 0) {
			assert_int_equal(n, -EINVAL);
			assert_non_null(why);
			found++;
		}
		free(why);
		buf_free(&s.text);
	}
	assert_in_range(found, file.len * 8 - 8, file.len * 8);
	buf_free(&all.text);
}

static void what_is_no_log_is_refused(void **state)
{
	static const char *const texts[] = {
		"x", "RIGCENS\n\2\0\0", "\x7f""ELF", "{\"ev\":\"end\"}\n",
	};
	struct seen s = {};
	struct census_log_reader cb = reads(&s);
	char *why;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(census_log_read(texts[i], strlen(texts[i]),
						 &cb, &why), -EINVAL);
		assert_string_equal(why,
				    "it is no census of this version of rig");
		free(why);
	}
	assert_int_equal(census_log_read("", 0, &cb, &why), 0);
	assert_int_equal(s.records, 0);
}

static void limits_are_kept(void **state)
{
	_free_ char *path = new_path(), *again = NULL;
	_fixture_ struct fixture f = {};
	struct census_log l, other;
	_buf_ struct buf long_text = {};

	fixture_init(&f, "n", 3, 1);
	assert_int_equal(census_log_open(&l, path), 0);
	assert_int_equal(census_log_open(&other, path), -EEXIST);
	assert_int_equal(census_log_frame(&l, 0, &f.c), -EINVAL);
	assert_int_equal(census_log_ns(&l, CENSUS_LOG_NS, &f.c, 0), -EINVAL);
	assert_int_equal(census_log_gone(&l, 3), -EINVAL);
	f.c.n = CENSUS_LOG_PAGES + 1;
	assert_int_equal(census_log_ns(&l, 0, &f.c, 0), -EINVAL);
	for (int i = 0; i < (1 << 20) + 1; i++)
		buf_add(&long_text, "x", 1);
	assert_int_equal(census_log_mark(&l, long_text.data), -EINVAL);
	/* None of it is an error of the file's. */
	assert_int_equal(l.error, 0);
	assert_int_equal(census_log_mark(&l, "x"), 0);
	census_log_close(&l);
	again = xstrfmt("%s/none/x.bin", dir);
	assert_int_equal(census_log_open(&l, again), -ENOENT);
	census_log_close(&l);
}

/* --- the thread -------------------------------------------------------------------- */

/* Struct pages that can be taken away for good. */
static void fixture_protect(struct fixture *f, uint8_t **old)
{
	size_t len = f->c.n * 64;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	memcpy(p, f->pages, len);
	for (int i = 0; i < 2; i++)
		f->seg[i].p = p + (f->seg[i].p - f->pages);
	*old = f->pages;
	f->pages = p;
}

static void wait_frames(struct census_live *l, uint64_t more)
{
	uint64_t first, n;
	double spent, end = now() + 60;

	census_live_cost(l, &first, &spent);
	do {
		usleep(1000);
		census_live_cost(l, &n, &spent);
		assert_true(now() < end);
	} while (n < first + more);
	assert_true(spent > 0);
}

static void the_thread_looks_at_what_it_is_told(void **state)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture f = {};
	struct census_live *l = census_live_new(path, 500);
	const char *p, *q;
	struct seen s = {};
	uint8_t *old;
	int fd;

	assert_non_null(l);
	fixture_init(&f, "namespace0.0", 4096, 1);
	fixture_protect(&f, &old);
	census_live_watch(l, 0, &f.c, 1);
	wait_frames(l, 3);
	census_live_mark(l, "begin");
	fixture_set(&f, 100, 2, 0x1000, 5);
	wait_frames(l, 3);
	census_live_event(l, 0, "{}");
	/* As long as it is written, readers see so. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	census_live_watch(l, 0, NULL, 0);
	munmap(f.pages, f.c.n * 64);
	usleep(20000);
	/* Another one, made anew behind the thread's back. */
	f.pages = old;
	f.seg[0].p = old;
	f.seg[1].p = old + f.seg[0].n * 64;
	census_live_watch(l, 0, &f.c, 1);
	wait_frames(l, 2);
	f.c.pgmap++;
	usleep(50000);
	assert_int_equal(census_live_free(l), 0);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(fd);

	load(path, &s);
	assert_in_range(s.frames, 8, 10000);
	assert_int_equal(s.gone, 2);
	p = strstr(s.text.data, "mark begin");
	q = strstr(s.text.data, " 100:2,0,0,1000,5,");
	assert_non_null(p);
	assert_true(q > p);
	assert_true(strstr(s.text.data, "event 0 {}") > q);
	buf_free(&s.text);
}

static void without_a_rate_only_what_is_asked_for(void **state)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture f = {};
	struct census_live *l = census_live_new(path, 0);
	struct seen s = {};

	fixture_init(&f, "namespace0.0", 64, 1);
	census_live_watch(l, 0, &f.c, 1);
	usleep(20000);
	census_live_frame(l);
	census_live_frame(l);
	assert_int_equal(census_live_free(l), 0);
	load(path, &s);
	assert_int_equal(s.frames, 2);
	assert_int_equal(s.same, 1);
	buf_free(&s.text);
	assert_int_equal(census_live_free(NULL), 0);
	assert_null(census_live_new("/proc/none/x", 1));
	assert_int_equal(errno, ENOENT);
}

static void a_full_disk_ends_only_the_writing(void **state)
{
	_free_ char *path = new_path();
	_fixture_ struct fixture f = {};
	struct census_live *l = census_live_new(path, 200);
	struct rlimit old, small;
	struct seen s = {};
	struct census_log_reader cb = reads(&s);
	_buf_ struct buf file = {};
	ssize_t n;
	char *why;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 5000, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	fixture_init(&f, "namespace0.0", 64, 1);
	census_live_watch(l, 0, &f.c, 1);
	for (int i = 0; i < 400; i++)
		census_live_mark(l, "a mark of some length, so it fills up");
	setrlimit(RLIMIT_FSIZE, &old);
	/* There is room again, but a gap in the file. */
	census_live_mark(l, "one more");
	census_live_frame(l);
	assert_int_equal(census_live_free(l), -EFBIG);
	assert_int_equal(read_file(path, &file), 0);
	assert_int_equal(file.len, 5000);
	n = census_log_read(file.data, file.len, &cb, &why);
	assert_in_range(n, 4900, 5000);
	assert_non_null(strstr(s.text.data, "mark a mark"));
	assert_null(strstr(s.text.data, "one more"));
	buf_free(&s.text);
}

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_seen_is_read),
		cmocka_unit_test(nothing_new_is_a_few_bytes),
		cmocka_unit_test(a_torn_tail_is_read_up_to_there),
		cmocka_unit_test(corruption_is_found_out),
		cmocka_unit_test(what_is_no_log_is_refused),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(the_thread_looks_at_what_it_is_told),
		cmocka_unit_test(without_a_rate_only_what_is_asked_for),
		cmocka_unit_test(a_full_disk_ends_only_the_writing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
