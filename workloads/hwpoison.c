// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Poison on a mapped DAX page, injected by MADV_HWPOISON: every process that
 * maps it and asked to be told early, through whichever file shares the block,
 * gets SIGBUS; nobody else does. mm/memory-failure.c memory_failure_dev_pagemap()
 * goes by page->mapping (mf_generic_kill_procs()) or asks the filesystem for
 * the owners (xfs_dax_notify_failure(), mf_dax_kill_procs()). A mapper that is
 * not found goes on reading what is lost; the reference that madvise takes has
 * to be dropped on every way out, or truncate waits for ever.
 *
 * Poison stays in the pages until the namespace is made anew.
 */
#include "workload.h"

#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static int fd, other;
static size_t len;
static char *want;

/* In each peer. */
static char *map;
static volatile sig_atomic_t signals;
static volatile uintptr_t signal_at;

static void on_bus(int sig, siginfo_t *si, void *ctx)
{
	signals++;
	signal_at = (uintptr_t)si->si_addr;
}

static int map_file(void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
				.sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(SIGBUS, &sa, NULL);
	/* Without it only who accesses the page is told. */
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	map = dax_map(*(int *)arg, 0, len, PROT_READ | PROT_WRITE);
	return memcmp(map, want, len) != 0;
}

/* The second page of the file: 0, or an errno. */
static int advise(void *arg)
{
	return madvise(map + PAGE, PAGE, *(int *)arg) < 0 ? errno : 0;
}

/* 0: none yet; 1: for that page; 2: for another address. */
static int was_signalled(void *arg)
{
	uintptr_t at = signal_at & ~(wl->unit - 1);

	if (!signals)
		return 0;
	return at == ((uintptr_t)(map + PAGE) & ~(wl->unit - 1)) ? 1 : 2;
}

static int load_other(void *arg)
{
	return memcmp(map + len - PAGE, want + len - PAGE, PAGE) != 0;
}

static int cut(void *arg)
{
	return ftruncate(fd, 0) < 0 ? errno : 0;
}

static void check_signalled(struct peer *p, const char *who)
{
	int got = 0;

	WAIT_FOR((got = peer_call(p, was_signalled, NULL)), 5);
	CHECK(got, "%s gets SIGBUS", who);
	CHECK(got != 2, "%s gets the address of the poison", who);
}

static void run(void)
{
	bool shared = strcmp(wl->variant, "reflink") == 0;
	bool soft = strcmp(wl->variant, "soft-offline") == 0;
	int *advice = buffer_shared(PAGE), ret = -1;
	struct peer poisoner, mapper;
	struct attempt a;

	len = 2 * wl->unit > 4 * PAGE ? 2 * wl->unit : 4 * PAGE;
	fd = dax_file("victim", len, 1);
	want = buffer_shared(len);
	fill(want, len, 1, 0);
	if (shared) {
		other = SAFE(open("other", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		if (ioctl(other, FICLONE, fd) < 0)
			SKIP("no reflink of DAX files on %s: %s", wl->fs,
			     strerror(errno));
	}
	peer_start(&poisoner);
	peer_start(&mapper);
	CHECK(!peer_call(&poisoner, map_file, &fd), "one process maps it");
	CHECK(!peer_call(&mapper, map_file, shared ? &other : &fd),
	      "another maps %s", shared ? "a clone of it" : "it too");
	*advice = soft ? MADV_SOFT_OFFLINE : MADV_HWPOISON;
	ret = peer_call(&poisoner, advise, advice);
	if (ret == EINVAL || ret == EPERM)
		SKIP("madvise does not poison here: %s", strerror(ret));
	if (soft) {
		/* There is no other page to move the data to. */
		CHECK(ret, "soft offlining of a DAX page is refused: %s",
		      strerror(ret));
		CHECK_DATA(fd, NULL, want, len, "the file");
	} else if (ret) {
		INFO("MADV_HWPOISON: %s", strerror(ret));
	}
	if (!soft) {
		check_signalled(&poisoner, "who touches the poison");
		check_signalled(&mapper, "the other mapper");
		CHECK(!peer_call(&mapper, load_other, NULL),
		      "the rest of the file stays readable");
	}
	peer_end(&poisoner);
	peer_end(&mapper);
	attempt_start(&a, "ftruncate", cut, NULL);
	if (CHECK(attempt_wait(&a, 10, &ret), "truncate does not wait"))
		CHECK(ret == 0, "truncate succeeds: %s", strerror(ret));
	else
		INFO("it sleeps in %s", attempt_where(&a));
	attempt_end(&a);
}

WORKLOAD(
	.name = "hwpoison",
	.help = "poison on a DAX page reaches everyone who maps its block",
	.point = "dma-pinned",
	.on = ON_FS,
	.with = WITH_BOTH,
	.flags = WL_OWNS_FS | WL_BY_NAME,
	.runtime = 2,
	.variants = (const char *const[]){ "two-processes", "reflink",
					   "soft-offline", NULL },
	.run = run,
);
