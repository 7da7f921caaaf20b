// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether DAX pages are vm_normal_page(), and so counted in Rss, RssFile and
 * _mapcount, is read off this kernel and reported. What has to hold either way:
 * whoever maps, counts; whoever unmaps, uncounts the same. mm/memory.c
 * zap_present_ptes() and copy_present_ptes(), mm/huge_memory.c zap_huge_pmd()
 * and copy_huge_pmd() must agree with insert_page() or insert_pfn(). A counter
 * dropped on one path only grows or sinks with every round, and check_mm()
 * says "Bad rss-counter" when the process exits.
 */
#include "workload.h"

#include <ctype.h>
#include <sys/wait.h>

/* The counters are kept per CPU or thread and folded now and then. */
#define SLACK_KB 1024

static int fd;
static size_t len;	/* of one mapping */
static int rounds;

/* "Name:  123 kB" of @path; of the mapping at @p where that is not NULL. */
static long kb_of(const char *path, const void *p, const char *name)
{
	static char buf[1 << 18];
	char *line, *save, want[40];
	bool here = !p;

	if (read_small(path, buf, sizeof(buf)) < 0)
		return -1;
	snprintf(want, sizeof(want), "%lx-", (unsigned long)p);
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (p && (isdigit(line[0]) || islower(line[0])))
			here = strncmp(line, want, strlen(want)) == 0;
		if (here && strncmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':')
			return strtol(line + strlen(name) + 1, NULL, 10);
	}
	return -1;
}

static long smaps_kb(const void *p, const char *name)
{
	return kb_of("/proc/self/smaps", p, name);
}

static long status_kb(const char *name)
{
	return kb_of("/proc/self/status", NULL, name);
}

/* An entry of a file of 8-byte words; 0 where there is none. */
static uint64_t word_of(const char *path, uint64_t index)
{
	int f = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t w = 0;

	if (f < 0)
		return 0;
	if (pread(f, &w, 8, index * 8) != 8)
		w = 0;
	close(f);
	return w;
}

static void say_model(const char *p)
{
	uint64_t entry = word_of("/proc/self/pagemap", (uintptr_t)p / PAGE);
	uint64_t pfn = entry & ((1ull << 55) - 1);
	long rss = smaps_kb(p, "Rss");
	unsigned char in;

	/* Up to 6.14 smaps takes the first page of a PMD for all of it:
	 * fs/proc/task_mmu.c smaps_account(), as these are no compound pages. */
	INFO("a mapping of %zu KiB has Rss %ld kB, Pss %ld kB: DAX pages are "
	     "%s", len / 1024, rss, smaps_kb(p, "Pss"),
	     rss == 0 ? "not vm_normal_page() here" :
	     rss == (long)len / 1024 ? "vm_normal_page() here" :
				       "counted once for a PMD");
	if (entry >> 63 && pfn)
		INFO("pagemap: file %d; kpagecount %llu, kpageflags %#llx",
		     (int)(entry >> 61 & 1),
		     (unsigned long long)word_of("/proc/kpagecount", pfn),
		     (unsigned long long)word_of("/proc/kpageflags", pfn));
	else
		INFO("pagemap does not say the pfn of a DAX page");
	if (mincore((void *)p, PAGE, &in) == 0)
		CHECK(in & 1, "mincore sees a page that is mapped");
}

static void one_round(bool inherit)
{
	char *p = dax_map_flags(fd, 0, len, PROT_READ | PROT_WRITE,
				MAP_SHARED);
	volatile char *c = p;
	int status;
	pid_t pid;

	for (size_t off = 0; off < len; off += PAGE)
		c[off] = c[off];
	if (inherit) {
		pid = SAFE(fork());
		if (!pid) {
			for (size_t off = 0; off < len; off += PAGE)
				c[off] = c[off];
			if (rounds % 2)
				munmap(p, len);
			_exit(0);
		}
		if (rounds % 3 == 0)
			SAFE(munmap(p, len));
		SAFE(waitpid(pid, &status, 0));
		if (rounds % 3 == 0)
			return;
	}
	SAFE(munmap(p, len));
}

/* In a process that exits: its counters are checked by the kernel then. */
static int balance(void *arg)
{
	bool inherit = arg;
	long before = status_kb("RssFile"), after, most;

	for (rounds = 0; rounds < (inherit ? 12 : 40); rounds++)
		one_round(inherit);
	after = status_kb("RssFile");
	/* What one leaked count in each round would add up to. */
	most = rounds * (long)(len / 1024);
	CHECK(labs(after - before) < most / 4 + SLACK_KB,
	      "RssFile is what it was after %d rounds of %zu KiB%s: %ld kB, "
	      "then %ld kB", rounds, len / 1024, inherit ? " over fork" : "",
	      before, after);
	return 0;
}

static void bad_counters(int kmsg)
{
	char rec[2048];
	int bad = 0;
	ssize_t n;

	/* EPIPE: records were overwritten, read on. */
	while ((n = read(kmsg, rec, sizeof(rec) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		rec[n] = '\0';
		bad += strstr(rec, "Bad rss-counter") ||
		       strstr(rec, "Bad page map");
	}
	CHECK(!bad, "no process exits with a wrong counter (%d)", bad);
}

/* What the kernel says of one mapping and of two. */
static void look(void)
{
	long rss1, rss2, pss1, pss2;
	char *p, *q;

	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	touch_write(p, len);
	rss1 = smaps_kb(p, "Rss");
	pss1 = smaps_kb(p, "Pss");
	if (rss1 < 0) {
		INFO("no /proc/PID/smaps: CONFIG_PROC_PAGE_MONITOR is off");
		SAFE(munmap(p, len));
		return;
	}
	say_model(p);

	q = dax_map(fd, 0, len, PROT_READ);
	touch_read(q, len);
	rss2 = smaps_kb(q, "Rss");
	pss2 = smaps_kb(p, "Pss");
	CHECK(rss2 == rss1 && smaps_kb(p, "Rss") == rss1,
	      "a second mapping counts as the first: %ld kB, %ld kB",
	      smaps_kb(p, "Rss"), rss2);
	INFO("Pss of the first mapping: %ld kB alone, %ld kB with a second",
	     pss1, pss2);
	CHECK(pss2 <= pss1, "Pss does not grow by a second mapping");
	SAFE(munmap(q, len));
	CHECK(smaps_kb(p, "Rss") == rss1 && smaps_kb(p, "Pss") == pss1,
	      "the second one gone, the first counts as before: %ld kB, %ld kB",
	      smaps_kb(p, "Rss"), smaps_kb(p, "Pss"));
	SAFE(madvise(p, len, MADV_DONTNEED));
	CHECK(smaps_kb(p, "Rss") == 0, "nothing mapped counts as nothing");
	SAFE(munmap(p, len));
}

static void run(void)
{
	int kmsg = SAFE(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	struct peer peer;

	SAFE(lseek(kmsg, 0, SEEK_END));
	len = wl->unit == PMD ? PMD : 64 * PAGE;
	fd = dax_file("victim", len, 1);
	look();
	for (int inherit = 0; inherit < 2; inherit++) {
		peer_start(&peer);
		peer_call(&peer, balance, inherit ? &peer : NULL);
		CHECK(peer_end(&peer) == 0, "and the process exits");
	}
	bad_counters(kmsg);
	SAFE(ftruncate(fd, 0));
}

WORKLOAD(
	.name = "normal-page",
	.help = "whoever maps a DAX page counts it, whoever unmaps uncounts it",
	.point = "normal-page",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.run = run,
);
