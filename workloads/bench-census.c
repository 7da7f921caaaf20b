// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the live census costs the guest: the same work with the host looking
 * ten times a second, and not at all, in turn. A quarter of a second each, in
 * the order off, on, on, off, so that what drifts hits both alike; each four
 * give one ratio, and their median counts, as a busy host spoils some.
 *
 * The work is what a struct page is there for: fault 64 pages in by store,
 * read one through a reference, unmap, cut the file and write it anew.
 */
#include "workload.h"

#define HZ 10
#define SLICE 0.25		/* seconds */
#define PAGES 64

static unsigned int a_round(int fd)
{
	static char block[PAGE * PAGES];
	char *p = SAFE(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0));
	int fds[2];

	for (size_t i = 0; i < PAGES; i++)
		p[i * PAGE] = i;
	SAFE(pipe(fds));
	SAFE(vmsplice(fds[1], &(struct iovec){ p, PAGE }, 1, 0));
	SAFE(read(fds[0], block, PAGE));
	close(fds[0]);
	close(fds[1]);
	SAFE(munmap(p, PAGES * PAGE));
	SAFE(ftruncate(fd, 0));
	if (SAFE(pwrite(fd, block, sizeof(block), 0)) != sizeof(block))
		BROKEN("short write");
	return 1;
}

/* Rounds a second while the host looks @hz times a second. */
static double slice(int fd, double hz)
{
	double start, end;
	unsigned int n = 0;

	wl_census_hz(hz);
	/* The agent and the host get it while we do this. */
	a_round(fd);
	start = wl_now();
	do {
		n += a_round(fd);
		end = wl_now();
	} while (end - start < SLICE);
	return n / (end - start);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void run(void)
{
	static double ratio[200];
	size_t n = wl->variant[0] == 'l' ? 200 : 40;
	double off = 0, on = 0;
	int fd;

	if (!wl_has_census())
		SKIP("no census is taken");
	fd = dax_file("work", PAGES * PAGE, 1);
	for (size_t i = 0; i < n; i++) {
		double a = slice(fd, 0), b = slice(fd, HZ), c = slice(fd, HZ),
		       d = slice(fd, 0);

		off += (a + d) / 2;
		on += (b + c) / 2;
		ratio[i] = (b + c) / (a + d);
	}
	qsort(ratio, n, sizeof(*ratio), by_value);
	INFO("%.0f rounds a second without, %.0f at %d Hz; of %zu ratios the "
	     "median is %.4f, half are between %.4f and %.4f", off / n, on / n,
	     HZ, n, ratio[n / 2], ratio[n / 4], ratio[n * 3 / 4]);
	PASS("the guest was measured");
}

WORKLOAD(
	.name = "bench-census",
	.help = "what the live census costs the guest, by the ratio of its "
		"throughput",
	.point = "census",
	.on = ON_XFS,
	.flags = WL_BY_NAME,
	.runtime = 60,
	.variants = (const char *const[]){ "short", "long", NULL },
	.run = run,
);
