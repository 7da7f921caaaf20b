// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MAP_SYNC: a store fault on a block whose metadata is not on the media yet
 * takes the long way, fs/dax.c dax_fault_synchronous_pfnp(), vfs_fsync_range()
 * and dax_finish_sync_fault(), which inserts the PTE or PMD of an entry that
 * was unlocked in between (dax_insert_pfn_mkwrite()). What it inserts has to be
 * counted as any other page: a reference through it holds truncate up, exactly
 * as long as it is held, and its block is the file's.
 */
#include "workload.h"

#include <linux/mman.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x080000
#endif

static int fd;

static int cut(void *arg)
{
	return ftruncate(fd, 0) < 0 ? errno : 0;
}

static void *map_sync(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	if (p == MAP_FAILED && (errno == EOPNOTSUPP || errno == EINVAL))
		SKIP("MAP_SYNC is refused: %s", strerror(errno));
	if (p == MAP_FAILED)
		BROKEN("MAP_SYNC: %s", strerror(errno));
	munmap(p, len);
	return dax_map_flags(fd, 0, len, PROT_READ | PROT_WRITE,
			     MAP_SHARED_VALIDATE | MAP_SYNC);
}

static void run(void)
{
	bool holes = strcmp(wl->variant, "hole") == 0;
	bool unwritten = strcmp(wl->variant, "unwritten") == 0;
	size_t len = 4 * wl->unit;
	char *want = buffer(len), *p, *q;
	int fds[2], ret = -1;
	struct attempt a;

	if (holes || unwritten) {
		fd = dax_hole("victim", len);
		if (unwritten)
			SAFE(fallocate(fd, 0, 0, len));
	} else {
		fd = dax_file("victim", len, 1);
		fill(want, len, 1, 0);
	}
	SAFE(pipe2(fds, O_CLOEXEC));
	p = map_sync(len);
	SAFE(madvise(p, len, MADV_DONTFORK));
	q = dax_map(fd, 0, len, PROT_READ);
	/* The zero pages are in q's page tables when the stores come. */
	CHECK_DATA(fd, q, want, len, "before");
	for (size_t off = 0; off < len; off += wl->unit) {
		fill(want + off, PAGE, 2, off);
		memcpy(p + off, want + off, PAGE);
	}
	CHECK_DATA(fd, q, want, len, "the other mapping after stores");
	CHECK(block_of(fd, len - PAGE, NULL) != -1 || holes,
	      "what was stored has blocks");
	SAFE(fsync(fd));
	fill(want + wl->unit, PAGE, 3, wl->unit);
	memcpy(p + wl->unit, want + wl->unit, PAGE);
	CHECK_DATA(fd, q, want, len, "the other mapping after fsync, store");

	pipe_hold(fds, p + wl->unit, PAGE);
	SAFE(fsync(fd));
	CHECK(try_access(p, true) == 0, "a store under a reference");
	SAFE(munmap(p, len));
	attempt_start(&a, "ftruncate", cut, NULL);
	CHECK(attempt_blocks(&a), "truncate waits for the reference");
	CHECK(pipe_drop(fds, want + wl->unit, PAGE),
	      "the reference reads what was stored");
	if (CHECK(attempt_wait(&a, 5, &ret), "truncate ends without it"))
		CHECK(ret == 0, "truncate succeeds: %s", strerror(ret));
	attempt_end(&a);
	SAFE(ftruncate(fd, len));
	memset(want, 0, len);
	p = map_sync(len);
	CHECK_DATA(fd, p, want, len, "a synchronous mapping of what has grown");
}

WORKLOAD(
	.name = "sync-fault",
	.help = "MAP_SYNC store faults insert pages that count as any other",
	.point = "entry-lifetime",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){ "hole", "unwritten", "written",
					   NULL },
	.run = run,
);
