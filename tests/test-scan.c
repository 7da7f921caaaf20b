// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console scanner against golden logs: tests/golden/NAME.log must give
 * exactly the findings in NAME.expect. GOLDEN_UPDATE=1 writes the .expect
 * files anew; read the difference before committing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <time.h>

#include "rig/finding.h"
#include "rig/patterns.h"
#include "rig/scan.h"

#define GOLDEN "tests/golden/"
#define WARN_HEAD "------------[ cut here ]------------\n"

static glob_t logs;

static int find_logs(void **state)
{
	if (glob(GOLDEN "*.log", 0, NULL, &logs) || logs.gl_pathc < 30)
		return -1;
	return 0;
}

static int free_logs(void **state)
{
	globfree(&logs);
	return 0;
}

static struct buf slurp(const char *path)
{
	struct buf b = {};

	if (read_file(path, &b))
		fail_msg("cannot read %s", path);
	return b;
}

static char *expect_path(const char *log)
{
	return xstrfmt("%.*s.expect", (int)strlen(log) - 4, log);
}

/* The findings as a .expect file has them. */
static void describe(const struct kreports *r, struct buf *out)
{
	_findings_ struct findings fs = {};

	scan_to_findings(r, 0, &fs);
	for (size_t i = 0; i < fs.n; i++) {
		const struct finding *f = &fs.v[i];
		bool fatal = false, truncated = false;

		/* What a finding does not tell comes from its reports. */
		for (size_t j = 0; j < r->n; j++) {
			const struct kreports one = { &r->v[j], 1 };
			_findings_ struct findings its = {};

			scan_to_findings(&one, 0, &its);
			if (strcmp(its.v[0].fingerprint, f->fingerprint))
				continue;
			fatal |= r->v[j].fatal;
			truncated |= r->v[j].truncated;
		}
		buf_addf(out, "\nkind: %s\ntitle: %s\ncase:", f->kind,
			 f->title);
		for (size_t j = 0; j < f->cases.n; j++)
			buf_addf(out, " %s", f->cases.v[j]);
		buf_addf(out, "%s\ncount: %u\nfatal: %s\ntruncated: %s\n",
			 f->cases.n ? "" : " -", f->count,
			 fatal ? "yes" : "no", truncated ? "yes" : "no");
	}
}

/* The comment lines at its top, then the findings. */
static size_t comment_len(const struct buf *expect)
{
	const char *p = expect->data ? expect->data : "";

	while (*p == '#') {
		p = strchrnul(p, '\n');
		p += *p == '\n';
	}
	return expect->data ? p - expect->data : 0;
}

static void print_diff(const char *want, const char *got)
{
	_strv_ struct strv a = {}, b = {};

	strv_split(&a, want, "\n");
	strv_split(&b, got, "\n");
	for (size_t i = 0; i < a.n || i < b.n; i++) {
		const char *x = i < a.n ? a.v[i] : NULL;
		const char *y = i < b.n ? b.v[i] : NULL;

		if (x && y && !strcmp(x, y)) {
			print_message("#   %s\n", x);
			continue;
		}
		if (x)
			print_message("# - %s\n", x);
		if (y)
			print_message("# + %s\n", y);
	}
}

static void golden_logs(void **state)
{
	unsigned int bad = 0;

	for (size_t i = 0; i < logs.gl_pathc; i++) {
		_free_ char *path = expect_path(logs.gl_pathv[i]);
		_buf_ struct buf log = slurp(logs.gl_pathv[i]);
		_buf_ struct buf expect = {}, got = {};
		_kreports_ struct kreports r = {};
		size_t head;

		if (read_file(path, &expect) && !getenv("GOLDEN_UPDATE"))
			fail_msg("%s is missing", path);
		head = comment_len(&expect);
		scan_console(log.data, log.len, 0, &r);
		buf_add(&got, expect.data ? expect.data : "", head);
		describe(&r, &got);
		if (getenv("GOLDEN_UPDATE")) {
			assert_int_equal(write_file(path, got.data, got.len), 0);
			continue;
		}
		if (expect.len == got.len &&
		    !memcmp(expect.data, got.data, got.len))
			continue;
		bad++;
		print_message("# %s: - wanted, + found\n", logs.gl_pathv[i]);
		print_diff(expect.data, got.data);
	}
	assert_int_equal(bad, 0);
}

/* A report's range holds its first and its last line, and its text only lines
 * that are in the range. */
static void ranges_hold_the_text(void **state)
{
	for (size_t i = 0; i < logs.gl_pathc; i++) {
		_buf_ struct buf log = slurp(logs.gl_pathv[i]);
		_kreports_ struct kreports r = {};

		scan_console(log.data, log.len, 0, &r);
		for (size_t j = 0; j < r.n; j++) {
			const struct kreport *k = &r.v[j];
			const char *from = log.data + k->start;
			size_t span = k->end - k->start;
			const char *p = k->text, *e = p + k->text_len;
			const char *last = memrchr(p, '\n', k->text_len);
			const char *eol = memchr(p, '\n', k->text_len);
			size_t first_len = (eol ? eol : e) - p;

			last = last ? last + 1 : p;
			assert_true(k->start < k->end && k->end <= log.len);
			assert_memory_equal(from, p, first_len);
			assert_true(span >= (size_t)(e - last));
			assert_memory_equal(log.data + k->end - (e - last),
					    last, e - last);
			for (const char *q; p < e; p = q + 1) {
				q = memchr(p, '\n', e - p);
				q = q ? q : e;
				if (!memmem(from, span, p, q - p))
					fail_msg("%s: text is not in the range",
						 logs.gl_pathv[i]);
			}
			/* Nobody's next report is in it. */
			assert_true(!j || r.v[j - 1].start < k->start);
		}
	}
}

static void same_bytes_same_reports(void **state)
{
	for (size_t i = 0; i < logs.gl_pathc; i++) {
		_buf_ struct buf log = slurp(logs.gl_pathv[i]), a = {}, b = {};
		_kreports_ struct kreports r1 = {}, r2 = {};

		scan_console(log.data, log.len, 0, &r1);
		scan_console(log.data, log.len, 0, &r2);
		describe(&r1, &a);
		describe(&r2, &b);
		assert_int_equal(r1.n, r2.n);
		assert_int_equal(a.len, b.len);
		if (a.len)
			assert_memory_equal(a.data, b.data, a.len);
		for (size_t j = 0; j < r1.n; j++)
			assert_string_equal(r1.v[j].key, r2.v[j].key);
	}
}

/* A reader that looks again where it left off loses and doubles nothing. */
static void from_cuts_by_first_byte(void **state)
{
	for (size_t i = 0; i < logs.gl_pathc; i++) {
		_buf_ struct buf log = slurp(logs.gl_pathv[i]);
		_kreports_ struct kreports all = {};

		scan_console(log.data, log.len, 0, &all);
		if (all.n >= SCAN_KEEP)
			continue;
		for (size_t j = 0; j < all.n; j++) {
			_kreports_ struct kreports at = {}, after = {};
			size_t start = all.v[j].start;

			scan_console(log.data, log.len, start, &at);
			scan_console(log.data, log.len, start + 1, &after);
			assert_int_equal(at.n, all.n - j);
			assert_int_equal(after.n, all.n - j - 1);
			assert_int_equal(at.v[0].start, start);
			assert_string_equal(at.v[0].title, all.v[j].title);
			/* Markers before @from still count. */
			if (all.v[j].case_name)
				assert_string_equal(at.v[0].case_name,
						    all.v[j].case_name);
		}
	}
}

static void scan_text(const char *text, struct kreports *r)
{
	scan_console(text, strlen(text), 0, r);
}

#define WARN(t, cpu, func) \
	"[    " t "] " WARN_HEAD \
	"[    " t "] WARNING: CPU: " cpu " PID: 7" cpu " at fs/dax.c:398 " \
		func "+0x87/0xb0\n" \
	"[    " t "] CPU: " cpu " PID: 7" cpu " Comm: x Not tainted 6.1.0 #1\n" \
	"[    " t "] Call Trace:\n[    " t "]  <TASK>\n" \
	"[    " t "]  do_sys+0x1/0x2\n[    " t "]  </TASK>\n" \
	"[    " t "] ---[ end trace 0000000000000000 ]---\n"

static void cases_come_from_the_markers(void **state)
{
	_kreports_ struct kreports r = {};

	scan_text(WARN("1.000000", "0", "before")
		  "[    2.000000] rig: begin pin-truncate\n"
		  WARN("2.500000", "0", "inside")
		  "[    3.000000] rig: end pin-truncate\n"
		  WARN("3.500000", "0", "between")
		  "[    4.000000] rig: begin hangs\n"
		  WARN("4.500000", "0", "hangs_1")
		  /* no end: the next begin ends it */
		  "[    5.000000] rig: begin next and more words\r\n"
		  WARN("5.500000", "0", "next_1")
		  "rig: begin quoted-by-a-program\n"
		  WARN("6.500000", "0", "next_2"), &r);
	assert_int_equal(r.n, 6);
	assert_null(r.v[0].case_name);
	assert_string_equal(r.v[1].case_name, "pin-truncate");
	assert_null(r.v[2].case_name);
	assert_string_equal(r.v[3].case_name, "hangs");
	assert_string_equal(r.v[4].case_name, "next");
	assert_string_equal(r.v[5].case_name, "next");
	assert_string_equal(r.v[5].title, "WARNING in next_2 (fs/dax.c:398)");
	assert_true(r.v[1].time > 2.49 && r.v[1].time < 2.51);
}

static void time_is_unknown_without_stamps(void **state)
{
	_kreports_ struct kreports r = {};

	scan_text(WARN_HEAD "WARNING: CPU: 0 PID: 1 at mm/gup.c:1 f+0x1/0x2\n"
		  "---[ end trace 0000000000000000 ]---\n", &r);
	assert_int_equal(r.n, 1);
	assert_true(r.v[0].time < 0);
}

/* What differs between two sightings of one bug is not in the key; the line
 * is in the site only. */
static void key_leaves_out_what_differs(void **state)
{
	static const char *const same[] = {
		"WARNING: CPU: 0 PID: 1 at fs/dax.c:398 dax_x+0x87/0xb0\n",
		"WARNING: CPU: 3 PID: 99 at fs/dax.c:404 dax_x+0x12/0xc0 [dax]\n",
		"WARNING: CPU: 3 PID: 99 at ../fs/dax.c:404 "
			"dax_x.isra.0.constprop.1+0x12/0xc0\n",
		"WARNING: fs/dax.c:452 at dax_x.cold+0x86/0xb0, CPU#0: a/b/1\n",
		"WARNING: [busy > 1] fs/dax.c:9 at dax_x+0x1/0xb, CPU#7: x/2\n",
		"WARNING: CPU: 0 PID: 1 at dax_x+0x87/0xb0\n",
	};
	static const char *const sites[] = {
		"fs/dax.c:398", "fs/dax.c:404", "fs/dax.c:404", "fs/dax.c:452",
		"fs/dax.c:9", NULL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		_kreports_ struct kreports r = {};
		_free_ char *text = xstrfmt(WARN_HEAD "%s", same[i]);

		scan_text(text, &r);
		assert_int_equal(r.n, 1);
		assert_string_equal(r.v[0].kind, "WARNING");
		assert_string_equal(r.v[0].key, "dax_x");
		if (sites[i])
			assert_string_equal(r.v[0].site, sites[i]);
		else
			assert_null(r.v[0].site);
		assert_true(r.v[0].truncated);
	}
}

static void paths_are_those_of_the_tree(void **state)
{
	static const char *const paths[][2] = {
		{ "fs/dax.c:1", "fs/dax.c:1" },
		{ "./include/linux/mm.h:7", "include/linux/mm.h:7" },
		{ "../drivers/net/lib/x.c:2", "drivers/net/lib/x.c:2" },
		{ "/home/net/linux-6.1/fs/xfs/a.c:3", "fs/xfs/a.c:3" },
		{ "../../src/linux/kernel/fork.c:4", "kernel/fork.c:4" },
		{ "/opt/k/include/linux/mm.h:5", "include/linux/mm.h:5" },
		{ "/home/me/mod.c:6", "/home/me/mod.c:6" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_kreports_ struct kreports r = {};
		_free_ char *text = xstrfmt("WARNING: CPU: 0 PID: 1 at %s "
					    "f+0x1/0x2\n", paths[i][0]);

		scan_text(text, &r);
		assert_int_equal(r.n, 1);
		assert_string_equal(r.v[0].site, paths[i][1]);
	}
}

/* Rows that no golden log has: one line of each. */
static void lines_of_the_table(void **state)
{
	static const struct {
		const char *line, *kind, *title;
	} rows[] = {
		{ "BUG: KFENCE: use-after-free read in test_f+0x3/0x9",
		  "KFENCE", "KFENCE: use-after-free read in test_f" },
		{ "BUG: KMSAN: uninit-value in xfs_f+0x3/0x9 [xfs]", "KMSAN",
		  "KMSAN: uninit-value in xfs_f" },
		{ "BUG: KCSAN: data-race in dax_a / dax_b", "KCSAN",
		  "KCSAN: data-race in dax_a / dax_b" },
		{ "kmemleak: 3 new suspected memory leaks (see "
		  "/sys/kernel/debug/kmemleak)", "memory-leak",
		  "kmemleak: new suspected memory leaks" },
		{ "WARNING: inconsistent lock state", "lockdep",
		  "inconsistent lock state" },
		{ "WARNING: bad unlock balance detected!", "lockdep",
		  "bad unlock balance" },
		{ "WARNING: held lock freed!", "lockdep", "held lock freed" },
		{ "WARNING: lock held when returning to user space!",
		  "lockdep", "lock held when returning to user space" },
		{ "WARNING: Nested lock was not taken", "lockdep",
		  "Nested lock was not taken" },
		{ "WARNING: chain_key collision", "lockdep",
		  "chain_key collision" },
		{ "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
		  "lockdep", "HARDIRQ-safe -> HARDIRQ-unsafe lock order" },
		{ "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected",
		  "lockdep", "SOFTIRQ-safe -> SOFTIRQ-unsafe lock order" },
		{ "WARNING: fsx/12 still has locks held!", "lockdep",
		  "still has locks held" },
		{ "[ BUG: Invalid wait context ]", "lockdep",
		  "Invalid wait context" },
		{ "INFO: trying to register non-static key.", "lockdep",
		  "trying to register non-static key" },
		{ "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1",
		  "hard-lockup", "hard lockup" },
		{ "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
		  "hard-lockup", "hard lockup" },
		{ "NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
		  "soft-lockup", "soft lockup" },
		{ "rcu: INFO: rcu_sched self-detected stall on CPU",
		  "rcu-stall", "RCU stall" },
		{ "rcu: INFO: rcu_preempt detected expedited stalls on "
		  "CPUs/tasks: { 1-...D } 26 jiffies", "rcu-stall",
		  "RCU stall" },
		{ "rcu: rcu_preempt kthread starved for 5250 jiffies! g5",
		  "rcu-stall", "RCU grace-period kthread starved" },
		{ "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 "
		  "stuck for 44s!", "workqueue-lockup", "workqueue lockup" },
		{ "unregister_netdevice: waiting for lo to become free. Usage "
		  "count = 2", "netdev-wait",
		  "unregister_netdevice: waiting for lo to become free" },
		{ "BUG: Bad page cache in process fsx  pfn:1402c0", "bad-page",
		  "Bad page cache" },
		{ "BUG: non-zero pgtables_bytes on freeing mm: 4096", "bad-rss",
		  "non-zero pgtables_bytes on freeing mm" },
		{ "BUG: unable to handle kernel paging request at ffff8800",
		  "oops", "unable to handle paging request" },
		{ "BUG: IRQ stack guard page was hit at 00000000aa (stack is "
		  "0..1)", "oops", "stack overflow" },
		{ "divide error: 0000 [#1] PREEMPT SMP", "oops",
		  "divide error" },
		{ "Oops: divide error: 0000 [#1] SMP NOPTI", "oops",
		  "divide error" },
		{ "Oops: general protection fault, probably for non-canonical "
		  "address 0xdead: 0000 [#1] SMP", "oops",
		  "general protection fault" },
		{ "int3: 0000 [#1] SMP", "oops", "int3" },
		{ "stack segment: 0000 [#1] SMP", "oops",
		  "stack segment fault" },
		{ "alignment check: 0000 [#1] SMP", "oops",
		  "alignment check" },
		{ "control protection fault: 0018 [#1] SMP", "oops",
		  "control protection fault" },
		{ "Oops: Oops: 0002 [#1] SMP NOPTI", "oops", "oops" },
		{ "Oops: 0002 [#1] SMP NOPTI", "oops", "oops" },
		{ "stack guard page: 0000 [#1] SMP", "oops",
		  "stack overflow" },
		{ "PANIC: double fault, error_code: 0x0", "oops",
		  "double fault" },
		{ "invalid opcode: 0000 [#1] SMP", "oops", "invalid opcode" },
		{ "refcount_t: decrement hit 0; leaking memory.", "refcount",
		  "refcount_t: decrement hit 0; leaking memory" },
		{ "list_del corruption. prev->next should be ff11, but was 0",
		  "list-corruption", "list_del corruption" },
		{ "DEBUG_LOCKS_WARN_ON(lock->magic != lock)", "lockdep",
		  "DEBUG_LOCKS_WARN_ON(lock->magic != lock)" },
		{ "BUG: sleeping function called from invalid context at "
		  "mm/x.c:9", "atomic",
		  "sleeping function called from invalid context" },
		{ "BUG: using smp_processor_id() in preemptible [00000000] "
		  "code: fio/9", "atomic",
		  "using smp_processor_id() in preemptible code" },
		{ "BUG: workqueue leaked lock or atomic: kworker/1:2/0x0001/77",
		  "atomic", "workqueue leaked lock or atomic" },
		{ "BUG: something that nobody has seen yet (7)", "BUG",
		  "BUG: something that nobody has seen yet (7)" },
		{ "XFS: Assertion failed: ip->i_nblocks == 0, file: "
		  "fs/xfs/xfs_inode.c, line: 12", "fs-corruption",
		  "XFS: Assertion failed: ip->i_nblocks == 0" },
		{ "XFS (pmem0): log I/O error -5", "io-error",
		  "XFS: log I/O error" },
		{ "JBD2: Detected IO errors while flushing file data on pmem1",
		  "fs-corruption", "JBD2: Detected IO errors" },
		{ "blk_update_request: I/O error, dev pmem0, sector 8",
		  "io-error", "I/O error, dev pmem0" },
		{ "Kernel panic - not syncing: stack-protector: Kernel stack is"
		  " corrupted in: dax_f+0x1/0x2", "stack-corruption",
		  "kernel stack is corrupted in dax_f" },
		{ "Kernel panic - not syncing: Fatal exception", "panic",
		  "Kernel panic: Fatal exception" },
		{ "page dumped because: somebody asked", "bad-page",
		  "page dumped: somebody asked" },
		{ "page:00000000c3f1d2f7 count:1 mapcount:0 mapping:00 index:0",
		  "bad-page", "page dumped" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *text = xstrfmt("[    1.000000] %s\n",
					    rows[i].line);
		_kreports_ struct kreports r = {};

		scan_text(text, &r);
		if (r.n != 1)
			fail_msg("%zu reports: %s", r.n, rows[i].line);
		assert_string_equal(r.v[0].kind, rows[i].kind);
		assert_string_equal(r.v[0].title, rows[i].title);
	}
}

/* The frames that title a report: none that is uncertain or says nothing. */
static void titles_skip_generic_frames(void **state)
{
	_kreports_ struct kreports r = {};

	scan_text("[    1.000000] BUG: sleeping function called from invalid "
			"context at kernel/locking/mutex.c:580\n"
		  "[    1.000000] CPU: 0 PID: 9 Comm: fio Not tainted 6.1\n"
		  "[    1.000000] Call Trace:\n[    1.000000]  <TASK>\n"
		  "[    1.000000]  dump_stack_lvl+0x44/0x5c\n"
		  "[    1.000000]  __might_resched.cold+0x1/0x2\n"
		  "[    1.000000]  ? stale_frame+0x1/0x2\n"
		  "[    1.000000]  mutex_lock+0x1/0x2\n"
		  "[    1.000000]  dax_lock_page.part.0+0x1/0x2\n"
		  "[    1.000000]  memory_failure+0x1/0x2\n"
		  "[    1.000000]  </TASK>\n", &r);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0].title, "sleeping function called from "
			    "invalid context in dax_lock_page");
	assert_false(r.v[0].truncated);
	assert_false(r.v[0].fatal);
}

/* Before 5.14 nothing marks a stack's ends, and frames show addresses: the
 * first line that is no frame ends it. */
static void unmarked_stacks_end(void **state)
{
	_kreports_ struct kreports r = {};

	scan_text("[    1.000000] BUG: scheduling while atomic: fio/9/0x2\n"
		  "[    1.000000] CPU: 0 PID: 9 Comm: fio Not tainted 4.19.0\n"
		  "[    1.000000] Call Trace:\n"
		  "[    1.000000]  [<ffffffff8106f7a5>] dump_stack+0x5c/0x80\n"
		  "[    1.000000]  [<ffffffff8106f7a6>] ? guess+0x1/0x2\n"
		  "[    1.000000]  [<ffffffff8106f7a7>] xfs_wait+0x3/0x4 [xfs]\n"
		  "[    1.000000] Modules linked in: xfs\n"
		  "[    1.000000] CPU: 1 PID: 4 Comm: x Not tainted 4.19.0\n",
		  &r);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0].title, "scheduling while atomic in xfs_wait");
	assert_false(r.v[0].truncated);
	assert_null(strstr(r.v[0].text, "Modules"));
}

/* More callers report at once than the scanner has slots. */
static void many_callers_lose_the_oldest(void **state)
{
	_buf_ struct buf b = {};
	_kreports_ struct kreports r = {};

	for (int i = 0; i < 100; i++)
		buf_addf(&b, "[    1.000000][ T%d] WARNING: CPU: 0 PID: %d at "
			 "a.c:%d f+0x1/0x2\n", i, i, i);
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "[    1.000000][ T%d] ---[ end trace 0 ]---\n", i);
	scan_console(b.data, b.len, 0, &r);
	assert_int_equal(r.n, 100);
	assert_true(r.v[0].truncated);
	assert_false(r.v[r.n - 1].truncated);
}

/* "Fatal exception" ends an oops. A panic of its own does not join one. */
static void panics_join_their_cause_only(void **state)
{
	_kreports_ struct kreports r = {}, own = {};
	const char *warn = WARN("1.000000", "0", "harmless");
	_free_ char *text = NULL;

	text = xstrfmt("%s[    2.000000] Kernel panic - not syncing: %s\n",
		       warn, "Fatal exception");
	scan_text(text, &own);
	assert_int_equal(own.n, 2);
	assert_string_equal(own.v[1].kind, "panic");
	assert_false(own.v[0].fatal);
	assert_true(own.v[1].fatal);

	free(take_ptr(text));
	text = xstrfmt("%s[    2.000000] Kernel panic - not syncing: %s\n",
		       warn, "kernel: panic_on_warn set ...");
	scan_text(text, &r);
	assert_int_equal(r.n, 1);
	assert_true(r.v[0].fatal);
	assert_non_null(strstr(r.v[0].text, "panic_on_warn"));
}

static void scan_repeated(const char *unit, size_t bytes, struct buf *b)
{
	while (b->len < bytes)
		buf_add(b, unit, strlen(unit));
}

static double cpu_seconds(const struct buf *b)
{
	_kreports_ struct kreports r = {};
	clock_t start = clock();

	scan_console(b->data, b->len, 0, &r);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Four times the bytes take about four times as long, whatever they are;
 * anything that looks back over the whole takes sixteen. */
static void time_is_linear(void **state)
{
	static const char *const units[] = {
		"[   12.345678] usb 1-1: new high-speed USB device number 2\n",
		"[", "[ [ 1.", "\n", "a", "\0", " ? ",
		"[    1.000000] " WARN_HEAD,
		"[    1.000000][  T1] " WARN_HEAD "[    1.000000][  T2] x\n",
		"[    1.000000] BUG: KASAN: use-after-free in f+0x1/0x2\n",
		"[    1.000000] BUG: KASAN: a a a a a a a a a a a a a a a a a ",
		"[    1.000000] XFS (pmem0): Metadata corruption detected at f\n",
		"[    1.000000] page:0 refcount:1\n",
		"[    1.000000] WARNING: possible recursive locking detected\n"
			"[    1.000000] more\n",
		"[    1.000000] Kernel panic - not syncing: Fatal exception\n",
		"WARNING: CPU: 0 PID: 1 at fs/dax.c:398 f+0x1/0x2\n",
		"x WARNING: CPU: 0 PID: 1 at fs/dax.c:398 f+0x1/0x2",
		"=====================\n",
		WARN("1.000000", "0", "f"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		_buf_ struct buf small = {}, large = {};
		double a, b;

		scan_repeated(*units[i] ? units[i] : "\n", 256 << 10, &small);
		scan_repeated(*units[i] ? units[i] : "\n", 1 << 20, &large);
		a = cpu_seconds(&small);
		b = cpu_seconds(&large);
		/* Below a tenth of a second the clock says little. */
		if (b > 0.1 && b > 9 * a)
			fail_msg("%.3fs, then %.3fs: %s", a, b, units[i]);
	}
}

static void a_flood_is_counted_not_kept(void **state)
{
	_buf_ struct buf b = {};
	_kreports_ struct kreports r = {};
	_findings_ struct findings fs = {};

	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%s", WARN("1.000000", "0", "f"));
	scan_console(b.data, b.len, 0, &r);
	assert_int_equal(r.n, SCAN_KEEP);
	scan_to_findings(&r, 3, &fs);
	assert_int_equal(fs.n, 1);
	assert_int_equal(fs.v[0].count, 1000);
	assert_int_equal(fs.v[0].boot, 3);
	assert_string_equal(fs.v[0].oracle, "kernel");
}

/* Any prefix of a log, and any damage to it, gives some reports that keep
 * their promises; the sanitizers watch. */
static void damage_is_survived(void **state)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < logs.gl_pathc; i++) {
		_buf_ struct buf log = slurp(logs.gl_pathv[i]);

		if (log.len > 20000)
			continue;
		for (int round = 0; round < 40; round++) {
			_buf_ struct buf b = {};
			_kreports_ struct kreports r = {};

			seed = seed * 1103515245 + 12345;
			buf_add(&b, log.data, seed % log.len + 1);
			for (int k = 0; round % 2 && k < 50; k++) {
				seed = seed * 1103515245 + 12345;
				b.data[(seed >> 4) % b.len] = seed >> 20;
			}
			scan_console(b.data, b.len, 0, &r);
			for (size_t j = 0; j < r.n; j++) {
				assert_true(r.v[j].start < r.v[j].end);
				assert_true(r.v[j].end <= b.len);
				assert_true(*r.v[j].title);
			}
		}
	}
}

static void nothing_is_no_report(void **state)
{
	_kreports_ struct kreports r = {};

	scan_console(NULL, 0, 0, &r);
	assert_int_equal(r.n, 0);
	scan_console("\0\0\n\r\n", 5, 0, &r);
	assert_int_equal(r.n, 0);
	scan_console("x", 1, 99, &r);
	assert_int_equal(r.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_logs),
		cmocka_unit_test(ranges_hold_the_text),
		cmocka_unit_test(same_bytes_same_reports),
		cmocka_unit_test(from_cuts_by_first_byte),
		cmocka_unit_test(cases_come_from_the_markers),
		cmocka_unit_test(time_is_unknown_without_stamps),
		cmocka_unit_test(key_leaves_out_what_differs),
		cmocka_unit_test(paths_are_those_of_the_tree),
		cmocka_unit_test(lines_of_the_table),
		cmocka_unit_test(titles_skip_generic_frames),
		cmocka_unit_test(unmarked_stacks_end),
		cmocka_unit_test(many_callers_lose_the_oldest),
		cmocka_unit_test(panics_join_their_cause_only),
		cmocka_unit_test(time_is_linear),
		cmocka_unit_test(a_flood_is_counted_not_kept),
		cmocka_unit_test(damage_is_survived),
		cmocka_unit_test(nothing_is_no_report),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, find_logs, free_logs);
}
