// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes that use the filesystem as libpmem2 does, with MAP_SYNC where the
 * kernel grants it, flushing by CPU instructions and now and then to the media
 * (pmem2_deep_flush()), while rounds of map, hold, truncate, reflink go on
 * beside them. What they have persisted must be there by read(2) too.
 */
#include "workload.h"

#include <libpmem2.h>
#include <sys/stat.h>

#define WORKERS 2
#define SECONDS 2

/* 0, or what went wrong: an errno, or EIO for wrong data. */
static int worker(void *arg)
{
	int id = (int)(intptr_t)arg, fd, err = 0;
	size_t len = 2 * wl->unit > 64 * PAGE ? 2 * wl->unit : 64 * PAGE;
	char name[16], *data = buffer(len), *p;
	double until = wl_now() + SECONDS;
	unsigned int r = wl->seed + id;
	struct pmem2_config *cfg;
	struct pmem2_source *src;
	struct pmem2_map *map;
	pmem2_memcpy_fn copy;

	snprintf(name, sizeof(name), "bg%d", id);
	fd = dax_file(name, len, id);
	fill(data, len, id, 0);
	if (pmem2_config_new(&cfg) || pmem2_source_from_fd(&src, fd) ||
	    pmem2_config_set_required_store_granularity(
		    cfg, PMEM2_GRANULARITY_PAGE) ||
	    pmem2_map_new(&map, cfg, src)) {
		INFO("libpmem2: %s", pmem2_errormsg());
		return ENODEV;
	}
	p = pmem2_map_get_address(map);
	copy = pmem2_get_memcpy_fn(map);
	if (id == 0)
		INFO("libpmem2 gets %s granularity",
		     pmem2_map_get_store_granularity(map) ==
				     PMEM2_GRANULARITY_PAGE ?
			     "page" : "cache line");
	for (unsigned int n = 1; !err && wl_now() < until; n++) {
		size_t off = rand_r(&r) % (len / PAGE) * PAGE;

		fill(data + off, PAGE, id + n * WORKERS, off);
		copy(p + off, data + off, PAGE, 0);
		if (n % 16 == 0 && pmem2_deep_flush(map, p + off, PAGE))
			err = EREMOTEIO;
		if (n % 64 == 0 && wrong_data(fd, p, data, len))
			err = EIO;
	}
	if (!err && wrong_data(fd, p, data, len))
		err = EIO;
	if (pmem2_map_delete(&map))
		err = err ? err : EBUSY;
	pmem2_source_delete(&src);
	pmem2_config_delete(&cfg);
	if (!err && wrong_data(fd, NULL, data, len))
		err = EIO;
	return err;
}

static void run(void)
{
	struct attempt bg[WORKERS];
	unsigned int n = 0;
	bool ok = true;

	for (int i = 0; i < WORKERS; i++)
		attempt_start(&bg[i], "libpmem2", worker, (void *)(intptr_t)i);
	do
		ok &= busy_round(++n);
	while (!attempt_done(&bg[0]) && ok && n < 1000);
	CHECK(ok, "%u rounds beside libpmem2 hold their data and references",
	      n);
	for (int i = 0; i < WORKERS; i++) {
		int ret = -1;

		if (!attempt_wait(&bg[i], 20, &ret))
			FAIL("a process with libpmem2 does not end: it sleeps "
			     "in %s", attempt_where(&bg[i]));
		else if (ret == ENODEV)
			BROKEN("libpmem2 does not map the file");
		else
			CHECK(ret == 0, "libpmem2 finds what it persisted: %s",
			      strerror(ret));
		attempt_end(&bg[i]);
	}
	CHECK(busy_round(++n), "and one more round when it is idle");
}

WORKLOAD(
	.name = "background-pmem2",
	.help = "references, truncate and reflink beside libpmem2 mappings",
	.point = "background",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 5,
	.run = run,
);
