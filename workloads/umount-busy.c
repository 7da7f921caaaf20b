// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unmounting with mappings is refused; with nothing but a reference it is not.
 * Up to 6.14 nobody looks: evict() deletes the entries (truncate_inode_pages())
 * whatever is held, and the page that DMA may still go to is free for the next
 * mount. That is shown, not assumed: the filesystem is mounted again, the block
 * freed and written by another file, and the reference reads that file's data.
 * From 6.15 on dax_break_layout_final() sleeps in evict() until the page is
 * idle: a lost wake-up in free_zone_device_folio() leaves umount there.
 */
#include "workload.h"

static int fds[2], fd;
static size_t len, mid;	/* of the file; where the referenced page is */
static char *want;

static int cut(void *arg)
{
	return ftruncate(fd, 0) < 0 ? errno : 0;
}

static void mounted_again(void)
{
	char *p;

	fs_mount();
	fd = SAFE(open("victim", O_RDWR | O_CLOEXEC));
	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	CHECK_DATA(fd, p, want, len, "the file, mounted again");
	SAFE(munmap(p, len));
}

static void umount_ends(struct attempt *a)
{
	int ret = -1;

	if (CHECK(attempt_wait(a, 10, &ret), "umount ends"))
		CHECK(ret == 0, "umount succeeds: %s", strerror(ret));
	else
		INFO("umount sleeps in %s", attempt_where(a));
	attempt_end(a);
	if (ret)
		BROKEN("no unmounted filesystem to go on with");
}

static void idle(char *p)
{
	struct attempt a;

	SAFE(munmap(p, len));
	CHECK(pipe_drop(fds, want + mid, PAGE), "the reference reads right");
	close(fd);
	fs_leave();
	attempt_start(&a, "umount", fs_umount, NULL);
	umount_ends(&a);
	mounted_again();
}

static void mapped_refused(char *p)
{
	struct attempt a;

	CHECK(pipe_drop(fds, want + mid, PAGE), "the reference reads right");
	fs_leave();
	CHECK(fs_umount(NULL) == EBUSY, "umount is refused: open and mapped");
	close(fd);
	CHECK(fs_umount(NULL) == EBUSY, "umount is refused: mapped");
	CHECK_DATA(-1, p, want, len, "the mapping after it");
	SAFE(munmap(p, len));
	attempt_start(&a, "umount", fs_umount, NULL);
	umount_ends(&a);
	mounted_again();
}

/* New files until one has @block; there it is written. */
static bool reuse(off_t block)
{
	static char data[PAGE];
	char name[32];
	off_t at = -1;
	int next = -1;

	/* ext4 hands a freed block out when the journal has committed. */
	SAFE(syncfs(fd));
	for (int i = 0; i < 600 && at < 0; i++) {
		if (next >= 0)
			close(next);
		snprintf(name, sizeof(name), "next%d", i);
		next = SAFE(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		if (fallocate(next, 0, 0, len) < 0)
			return false;
		at = offset_of(next, block);
	}
	if (at < 0)
		return false;
	fill(data, sizeof(data), 99, 0);
	if (SAFE(pwrite(next, data, sizeof(data), at)) != sizeof(data))
		BROKEN("short write");
	SAFE(fsync(next));
	return true;
}

static void ref_held(char *p)
{
	off_t block = block_of(fd, mid, NULL);
	struct attempt a;
	int ret = -1;

	SAFE(munmap(p, len));
	close(fd);
	fs_leave();
	attempt_start(&a, "umount", fs_umount, NULL);
	if (attempt_blocks(&a)) {
		INFO("umount sleeps in %s", attempt_where(&a));
		CHECK(pipe_drop(fds, want + mid, PAGE),
		      "the reference reads what the file holds");
		umount_ends(&a);
		mounted_again();
		return;
	}
	umount_ends(&a);
	INFO("umount does not wait for a reference");
	mounted_again();
	attempt_start(&a, "ftruncate", cut, NULL);
	if (CHECK(attempt_blocks(&a),
		  "mounted again, truncate waits for a reference of before")) {
		CHECK(pipe_drop(fds, want + mid, PAGE),
		      "the reference reads what the file holds");
		CHECK(attempt_wait(&a, 5, &ret) && ret == 0, "truncate ends");
		attempt_end(&a);
		return;
	}
	attempt_end(&a);
	if (!reuse(block))
		BROKEN("no file got the block %#llx", (long long)block);
	CHECK(pipe_drop(fds, want + mid, PAGE),
	      "the reference reads what the file held, not another file's");
}

static void run(void)
{
	char *p;

	/* The middle of an extent is what no metadata is put into. */
	len = 2 * wl->unit > MiB(1) ? 2 * wl->unit : MiB(1);
	mid = len / 2;
	fd = dax_file("victim", len, 1);
	want = buffer(len);
	fill(want, len, 1, 0);
	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	touch_write(p, len);
	SAFE(pipe2(fds, O_CLOEXEC));
	pipe_hold(fds, p + mid, PAGE);
	if (strcmp(wl->variant, "idle") == 0)
		idle(p);
	else if (strcmp(wl->variant, "mapped-refused") == 0)
		mapped_refused(p);
	else
		ref_held(p);
}

WORKLOAD(
	.name = "umount-busy",
	.help = "umount is refused by mappings, and a reference outlives none",
	.point = "pgmap-lifetime",
	.on = ON_FS,
	.with = WITH_BOTH,
	.flags = WL_OWNS_FS,
	.runtime = 2,
	.variants = (const char *const[]){ "ref-held", "mapped-refused", "idle",
					   NULL },
	.run = run,
);
