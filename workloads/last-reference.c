// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two to one and one to zero: while one thread drops the last reference from
 * outside, others delete the entry and fault it in anew. fs/dax.c
 * dax_busy_page() looks, ___wait_var_event() sleeps, put_page() of a DAX page
 * (up to 6.14 __put_devmap_managed_page_refs(), from 6.15
 * free_zone_device_folio()) wakes. A wake-up lost in between leaves truncate
 * asleep for good; an entry deleted too early lets the reference read what is
 * somebody else's block by now, which is why a neighbour keeps allocating.
 *
 * 6.15 and later lose it in wait_page_idle(): dax_busy_page() looks for
 * references beside the map count, but the sleeper waits for none at all. A
 * page mapped anew while it sleeps (locks are dropped for that) never gets
 * there, so nobody wakes it when the reference goes: break-refault does that in
 * a certain order.
 *
 * The file is mapped all the time: see zap.c.
 */
#include "workload.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/uio.h>

#define SECONDS 0.7
#define NEIGHBOUR 1000	/* its seed */

static int fd, neighbour;
static size_t len;
static char *map;
static volatile bool stop;
static volatile unsigned long held, cut, faulted, foreign;

/*
 * Neither the victim's pattern nor zero: byte by byte, as a store of the
 * faulter may put a byte of before into a page that has been zeroed since.
 */
static bool is_foreign(const char *got, size_t off)
{
	static __thread char was[PAGE];

	fill(was, PAGE, 1, off);
	for (size_t i = 0; i < PAGE; i++)
		if (got[i] && got[i] != was[i])
			return true;
	return false;
}

/* Takes a reference, lets go of it by reading: the put may be the last. */
static void *holder(void *arg)
{
	unsigned int r = wl->seed;
	char got[PAGE];
	int fds[2];

	SAFE(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	while (!stop) {
		size_t off = rand_r(&r) % (len / PAGE) * PAGE;
		struct iovec iov = { map + off, PAGE };

		/* EFAULT where the file ends at the moment. */
		if (vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) != PAGE)
			continue;
		for (unsigned int spin = rand_r(&r) % 2000; spin; spin--)
			__asm__ volatile("");
		if (SAFE(read(fds[0], got, PAGE)) != PAGE)
			BROKEN("short read from a pipe");
		held++;
		if (is_foreign(got, off))
			foreign++;
	}
	close(fds[0]);
	close(fds[1]);
	return NULL;
}

static void *cutter(void *arg)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	bool by_punch = strcmp(wl->variant, "punch") == 0;
	unsigned int r = wl->seed + 1;

	while (!stop) {
		size_t at = rand_r(&r) % (len / wl->unit) * wl->unit;

		if (by_punch) {
			SAFE(fallocate(fd, punch, at, len - at));
			SAFE(fallocate(fd, 0, at, len - at));
		} else {
			SAFE(ftruncate(fd, at));
			SAFE(ftruncate(fd, len));
			SAFE(fallocate(fd, 0, 0, len));
		}
		cut++;
	}
	return NULL;
}

static void *faulter(void *arg)
{
	unsigned int r = wl->seed + 2;
	char *page = malloc(PAGE);

	while (!stop) {
		size_t off = rand_r(&r) % (len / PAGE) * PAGE;

		if (try_access(map + off, true))
			continue;
		if (rand_r(&r) % 4 == 0) {
			fill(page, PAGE, 1, off);
			/* By the kernel: EFAULT, not SIGBUS, if it is cut. */
			if (pwrite(fd, page, PAGE, off) < 0 && errno != EFAULT)
				BROKEN("write: %s", strerror(errno));
		}
		faulted++;
	}
	free(page);
	return NULL;
}

/* Whoever frees a block too early sees this file's pattern in it. */
static void *allocator(void *arg)
{
	char *data = malloc(wl->unit);

	fill(data, wl->unit, NEIGHBOUR, 0);
	while (!stop) {
		SAFE(ftruncate(neighbour, 0));
		if (SAFE(pwrite(neighbour, data, wl->unit, 0)) !=
		    (ssize_t)wl->unit)
			BROKEN("short write");
	}
	free(data);
	return NULL;
}

static int truncate_all(void *arg)
{
	return ftruncate(fd, 0) < 0 ? errno : 0;
}

static void run(void)
{
	void *(*const fns[])(void *) = { cutter, holder, holder, faulter,
					 allocator };
	pthread_t threads[sizeof(fns) / sizeof(*fns)];
	struct timespec limit;
	struct attempt a;
	char *want;
	int ret;

	len = 4 * wl->unit;
	fd = dax_file("victim", len, 1);
	neighbour = dax_hole("neighbour", wl->unit);
	map = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	touch_write(map, len);
	/* Handlers are the process's: in place before threads need them. */
	try_access(map, false);
	for (size_t i = 0; i < sizeof(fns) / sizeof(*fns); i++)
		if (pthread_create(&threads[i], NULL, fns[i], NULL))
			BROKEN("no thread");
	usleep(SECONDS * 1e6);
	stop = true;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 1 + 5 * wl->scale;
	/* The holders let go by themselves, whatever the cutter does. */
	pthread_join(threads[1], NULL);
	pthread_join(threads[2], NULL);
	INFO("%lu references, %lu cuts, %lu faults", held, cut, faulted);
	if (!CHECK(!pthread_timedjoin_np(threads[0], NULL, &limit),
		   "%s ends when all references are gone", wl->variant))
		return;
	pthread_join(threads[3], NULL);
	pthread_join(threads[4], NULL);
	CHECK(!foreign, "no reference reads another file's data (%lu did)",
	      foreign);
	attempt_start(&a, "ftruncate", truncate_all, NULL);
	if (CHECK(attempt_wait(&a, 5, &ret), "idle, truncate does not wait"))
		CHECK(ret == 0, "truncate succeeds: %s", strerror(ret));
	attempt_end(&a);
	SAFE(ftruncate(fd, len));
	want = buffer(len);
	CHECK_DATA(fd, map, want, len, "the file, grown from nothing");
}

WORKLOAD(
	.name = "last-reference",
	.help = "an entry deleted while its last reference is being dropped",
	.point = "last-reference",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.variants = (const char *const[]){ "truncate", "punch", NULL },
	.run = run,
);
