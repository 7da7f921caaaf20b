// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A frozen filesystem: a store fault waits in sb_start_pagefault(), before it
 * takes a DAX entry or a lock of the inode that others would need; loads go on,
 * references stay valid, and truncate waits for the thaw first and for the
 * reference then. A thaw that wakes nobody, a fault that sleeps with the entry
 * locked, or one that a kill leaves behind with its locks shows here.
 */
#include "workload.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define STORED "stored under freeze"

static struct {
	int fd, mnt, pipe[2];
	char *want;
} f;

static int store(void *arg)
{
	char *p = dax_map(f.fd, 0, wl->unit, PROT_READ | PROT_WRITE);

	memcpy(p + PAGE / 2, STORED, sizeof(STORED));
	return 0;
}

static int load(void *arg)
{
	char *p = dax_map(f.fd, 0, 2 * wl->unit, PROT_READ);

	/* The other unit: no store waits for that one. */
	return memcmp(p + wl->unit, f.want + wl->unit, wl->unit) ? EIO : 0;
}

static int cut(void *arg)
{
	return ftruncate(f.fd, 0) < 0 ? errno : 0;
}

static int thaw(void *arg)
{
	return ioctl(f.mnt, FITHAW, 0) < 0 ? errno : 0;
}

static void freeze(void)
{
	SAFE(fsync(f.fd));
	if (ioctl(f.mnt, FIFREEZE, 0) < 0) {
		if (errno == EOPNOTSUPP)
			SKIP("%s does not freeze", wl->fs);
		BROKEN("FIFREEZE: %s", strerror(errno));
	}
}

/* A filesystem left frozen would take the guest along: this comes first. */
static bool thawed(void)
{
	struct attempt a;
	int ret = -1;
	bool ok;

	attempt_start(&a, "thaw", thaw, NULL);
	ok = attempt_wait(&a, 20, &ret) && ret == 0;
	CHECK(ok, "the filesystem thaws%s%s", ok ? "" : ", but sleeps in ",
	      ok ? "" : attempt_where(&a));
	attempt_end(&a);
	return ok;
}

static void stores(bool kill_it)
{
	struct attempt storing, loading;
	bool blocked, gone = false;
	int ret = -1;

	freeze();
	attempt_start(&storing, "store", store, NULL);
	blocked = attempt_blocks(&storing);
	attempt_start(&loading, "load", load, NULL);
	attempt_wait(&loading, 5, &ret);
	attempt_end(&loading);
	if (kill_it)
		gone = attempt_kill(&storing, 0.1);
	if (!thawed())
		return;
	CHECK(blocked, "a store fault waits for the thaw");
	CHECK(ret == 0, "loads go on while it is frozen (%d)", ret);
	if (kill_it) {
		/* percpu_down_read() sleeps uninterruptibly by design. */
		INFO("the fault was %skilled before the thaw",
		     gone ? "" : "not ");
		CHECK(gone || attempt_kill(&storing, 5),
		      "a killed fault ends with the thaw");
	} else {
		CHECK(attempt_wait(&storing, 5, NULL),
		      "the store goes on when the filesystem is thawed");
		memcpy(f.want + PAGE / 2, STORED, sizeof(STORED));
		CHECK_DATA(f.fd, NULL, f.want, 2 * wl->unit, "the file");
	}
	attempt_end(&storing);
}

static void run(void)
{
	struct attempt cutting;
	bool blocked;
	int ret = -1;
	char *p;

	f.fd = dax_file("victim", 2 * wl->unit, 1);
	f.mnt = SAFE(open(wl->mnt, O_RDONLY | O_CLOEXEC));
	f.want = buffer_shared(2 * wl->unit);
	fill(f.want, 2 * wl->unit, 1, 0);
	SAFE(pipe2(f.pipe, O_CLOEXEC));
	p = dax_map(f.fd, wl->unit, wl->unit, PROT_READ | PROT_WRITE);
	touch_write(p, wl->unit);
	pipe_hold(f.pipe, p, PAGE);
	stores(strcmp(wl->variant, "kill") == 0);

	freeze();
	attempt_start(&cutting, "ftruncate", cut, NULL);
	blocked = attempt_blocks(&cutting);
	if (!thawed())
		return;
	CHECK(blocked, "truncate waits for the thaw");
	CHECK(attempt_blocks(&cutting), "and then for the reference");
	CHECK(pipe_drop(f.pipe, f.want + wl->unit, PAGE),
	      "the reference reads what the file holds");
	if (CHECK(attempt_wait(&cutting, 5, &ret), "and ends without it"))
		CHECK(ret == 0, "truncate succeeds: %s", strerror(ret));
	attempt_end(&cutting);
}

WORKLOAD(
	.name = "freeze",
	.help = "store faults wait for a thaw, and hold nothing else up",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){ "resume", "kill", NULL },
	.run = run,
);
