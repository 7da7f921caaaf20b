// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings of a device-dax node: drivers/dax/device.c dev_dax_huge_fault()
 * inserts PMDs of pages that no filesystem owns. They have no truncate to wait
 * for, so what can be seen from here is that data stays where it is through
 * every way a mapping goes under a reference, that nothing is mapped behind the
 * end or off alignment, and what the kernel says of its counters: a put too
 * many of a page in MEMORY_DEVICE_GENERIC ends in free_zone_device_folio().
 *
 * check_vma() looks at the addresses of a mapping and not at its offset: one
 * off alignment is taken, and __dev_dax_pmd_fault() shows the 2 MiB that begin
 * below it, on every kernel so far: the data of another offset.
 */
#include "workload.h"

#include <signal.h>
#include <sys/wait.h>

static int fd, fds[2];
static size_t len = 4 * PMD;
static char *want;

static unsigned long long device_size(void)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%s/size",
		 strrchr(wl->dev, '/') + 1);
	if (read_small(path, text, sizeof(text)) < 0)
		BROKEN("no %s", path);
	return strtoull(text, NULL, 0);
}

static void touch_hold(char *p)
{
	touch_write(p, len);
	pipe_hold(fds, p + PMD, PAGE);
}

static void dropped(void)
{
	char *p;

	CHECK(pipe_drop(fds, want + PMD, PAGE),
	      "the reference reads what the device holds");
	p = dax_map(fd, 0, len, PROT_READ);
	CHECK_DATA(-1, p, want, len, "the device afterwards");
}

static void by_munmap(void)
{
	char *p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);

	touch_hold(p);
	SAFE(munmap(p + PMD, PMD));
	CHECK_DATA(-1, p, want, PMD, "below the hole");
	CHECK_DATA(-1, p + 2 * PMD, want + 2 * PMD, 2 * PMD, "above the hole");
	SAFE(munmap(p, len));
	dropped();
}

static void by_dontneed(void)
{
	char *p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);

	touch_hold(p);
	SAFE(madvise(p, len, MADV_DONTNEED));
	CHECK_DATA(-1, p, want, len, "refaulted");
	fill(want, PMD, 2, 0);
	memcpy(p, want, PMD);
	SAFE(madvise(p, len, MADV_DONTNEED));
	CHECK_DATA(-1, p, want, len, "stored to, refaulted");
	dropped();
}

static void by_close(void)
{
	char *p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);

	touch_hold(p);
	SAFE(close(fd));
	CHECK_DATA(-1, p, want, len, "the device closed, the mapping");
	SAFE(munmap(p, len));
	fd = SAFE(open(wl->dev, O_RDWR | O_CLOEXEC));
	dropped();
}

static void by_fork(void)
{
	char *p = dax_map_flags(fd, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED);
	int status;
	pid_t pid;

	touch_hold(p);
	pid = SAFE(fork());
	if (!pid) {
		int bad = memcmp(p, want, len) != 0;

		memcpy(p, "of child", 8);
		_exit(bad);
	}
	SAFE(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "the child reads what the device holds (%#x)", status);
	memcpy(want, "of child", 8);
	CHECK_DATA(-1, p, want, len, "the parent after the child");
	SAFE(munmap(p, len));
	dropped();
}

/* A process that ends with all of it mapped, on whatever way. */
static int peer_hold(void *arg)
{
	touch_hold(dax_map(fd, 0, len, PROT_READ | PROT_WRITE));
	return 0;
}

static void by_exit(void)
{
	struct peer peer;
	int status;

	peer_start(&peer);
	peer_call(&peer, peer_hold, NULL);
	if (strcmp(wl->variant, "kill") == 0)
		kill(peer.pid, SIGKILL);
	status = peer_end(&peer);
	CHECK(status == 0 || WIFSIGNALED(status), "the process ends");
	dropped();
}

static void offsets(void)
{
	char *p = dax_map(fd, 2 * PMD, PMD, PROT_READ | PROT_WRITE), *q;

	CHECK_DATA(-1, p, want + 2 * PMD, PMD, "a mapping from the middle");
	q = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	fill(want + 2 * PMD, PMD, 3, 0);
	memcpy(p, want + 2 * PMD, PMD);
	CHECK_DATA(-1, q, want, len, "a mapping of all after stores to it");
	SAFE(munmap(p, PMD));
	CHECK_DATA(-1, q, want, len, "and without the other");
	touch_hold(q);
	SAFE(munmap(q, len));
	dropped();
}

static void beyond_end(void)
{
	unsigned long long size = device_size();
	char *p = dax_map(fd, size - PMD, 2 * PMD, PROT_READ | PROT_WRITE);

	CHECK(try_access(p, true) == 0, "the last 2 MiB are there");
	CHECK(try_access(p + PMD, false) == SIGBUS, "no load behind the end");
	CHECK(try_access(p + PMD, true) == SIGBUS, "no store behind the end");
	SAFE(munmap(p, 2 * PMD));
	p = dax_map(fd, size, PMD, PROT_READ);
	CHECK(try_access(p, false) == SIGBUS, "nor in a mapping of its own");
}

/* What a PMD cannot show has to be refused, or shown right. */
static void off_alignment(void)
{
	char *p = dax_map_flags(-1, 0, 2 * PMD, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS), *q;
	int sig;

	q = mmap(p, PMD / 2, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK(q == MAP_FAILED || try_access(q, false) == SIGBUS,
	      "half of the alignment is refused: %s",
	      q == MAP_FAILED ? strerror(errno) : "SIGBUS");
	q = mmap(p + PAGE, PMD, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK(q == MAP_FAILED || try_access(q, false) == SIGBUS,
	      "an address off alignment is refused: %s",
	      q == MAP_FAILED ? strerror(errno) : "SIGBUS");
	q = mmap(NULL, PMD, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(q == MAP_FAILED && errno == EINVAL,
	      "a private mapping is refused");
	q = mmap(p, PMD, PROT_READ, MAP_SHARED | MAP_FIXED, fd, PAGE);
	if (q == MAP_FAILED) {
		PASS("an offset off alignment is refused: %s", strerror(errno));
		return;
	}
	sig = try_access(q, false);
	CHECK(sig == SIGBUS || memcmp(q, want + PAGE, PAGE) == 0,
	      "an offset off alignment is refused or reads what is there");
}

/* The device reads from, or writes to, its pages. */
static void odirect(void)
{
	char *p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	bool reads = strcmp(wl->variant, "odirect-write") == 0;
	struct ref *r;

	touch_write(p, len);
	r = ref_take(wl->variant, p + PMD, PAGE);
	SAFE(munmap(p, len));
	p = dax_map(fd, 0, len, PROT_READ);
	CHECK_DATA(-1, p, want, len, "while the I/O is in flight");
	CHECK(ref_drop(r, reads ? want + PMD : NULL) == 0,
	      "the I/O ends with the right data");
	if (!reads)
		fill(want + PMD, PAGE, 0, 0);
	CHECK_DATA(-1, p, want, len, "after the I/O");
}

static const struct way {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "munmap", by_munmap },
	{ "dontneed", by_dontneed },
	{ "close", by_close },
	{ "fork", by_fork },
	{ "exit", by_exit },
	{ "kill", by_exit },
	{ "offsets", offsets },
	{ "beyond-end", beyond_end },
	{ "off-alignment", off_alignment },
	{ "odirect-write", odirect },
	{ "odirect-read", odirect },
};

static void run(void)
{
	fd = dax_file("device", len, 1);
	want = buffer_shared(len);
	fill(want, len, 1, 0);
	SAFE(pipe2(fds, O_CLOEXEC));
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, wl->variant) == 0)
			ways[i].fn();
}

WORKLOAD(
	.name = "devdax-map",
	.help = "device-dax: mappings come and go under references, data stays",
	.point = "zap",
	.on = ON_DEVDAX,
	.with = WITH_2M,
	.runtime = 1,
	.modules = "dm-mod brd",
	.variants = (const char *const[]){
		"munmap", "dontneed", "close", "fork", "exit", "kill",
		"offsets", "beyond-end", "off-alignment", "odirect-write",
		"odirect-read", NULL },
	.run = run,
);
