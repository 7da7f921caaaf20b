// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking a device-dax device away while it is mapped or referenced.
 * drivers/dax/bus.c kill_dev_dax() unmaps it from every process, so that the
 * next access is a SIGBUS; mm/memremap.c memunmap_pages() then gives the struct
 * pages back, waiting for pgmap->ref only, in which page references are not.
 * Device-dax has no filesystem that would wait for them before: a pin that
 * outlives the device writes to memory that is none, on every kernel so far.
 *
 * A reference is only let go when the device is there again: see
 * namespace-disable.c.
 */
#include "workload.h"

#include <signal.h>

static int fd, fds[2];
static size_t len = 2 * PMD;
static char *want, *map;

static int disable(void *arg)
{
	const char *err = ns_disable();

	if (err)
		INFO("%s", err);
	return err ? EIO : 0;
}

static int peer_map(void *arg)
{
	map = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	touch_write(map, len);
	return memcmp(map, want, len) != 0;
}

static int peer_access(void *arg)
{
	return try_access(map, *(int *)arg);
}

static void back_again(void)
{
	const char *err = ns_enable();
	char *p;

	CHECK(!err, "the device is enabled again%s%s", err ? ": " : "",
	      err ? err : "");
	if (err)
		return;
	fd = -1;
	if (!WAIT_FOR((fd = open(wl->dev, O_RDWR | O_CLOEXEC)) >= 0, 5))
		BROKEN("no %s after enabling: %s", wl->dev, strerror(errno));
	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	CHECK_DATA(-1, p, want, len, "the device, enabled again");
	fill(want, len, 2, 0);
	memcpy(p, want, len);
	CHECK_DATA(-1, p, want, len, "and stored to");
}

static void run(void)
{
	bool held = strcmp(wl->variant, "ref-held") == 0;
	bool mapped = strcmp(wl->variant, "mapped") == 0;
	int *store = buffer_shared(PAGE), ret = -1;
	struct peer peer;
	struct attempt a;

	fd = dax_file("device", len, 1);
	want = buffer_shared(len);
	fill(want, len, 1, 0);
	SAFE(pipe2(fds, O_CLOEXEC));
	if (mapped) {
		peer_start(&peer);
		CHECK(peer_call(&peer, peer_map, NULL) == 0,
		      "another process reads what the device holds");
	}
	peer_map(NULL);
	pipe_hold(fds, map, PAGE);
	if (!held)
		CHECK(pipe_drop(fds, want, PAGE), "the reference reads right");
	if (!mapped) {
		SAFE(munmap(map, len));
		SAFE(close(fd));
	}
	attempt_start(&a, "disabling", disable, NULL);
	/* Grace periods make it sleep in any case: what counts is the end. */
	if (held && CHECK(!attempt_wait(&a, 2, NULL),
			  "disabling waits for a held reference")) {
		INFO("it sleeps in %s", attempt_where(&a));
		CHECK(pipe_drop(fds, want, PAGE),
		      "the reference reads what the device holds");
		held = false;
	}
	if (CHECK(attempt_wait(&a, 20, &ret), "disabling ends"))
		CHECK(ret == 0, "disabling succeeds: %s", strerror(ret));
	else
		INFO("it sleeps in %s", attempt_where(&a));
	attempt_end(&a);
	if (ret)
		return;
	if (mapped) {
		CHECK(try_access(map, false) == SIGBUS &&
		      try_access(map, true) == SIGBUS,
		      "no access to a device that is gone");
		for (*store = 0; *store < 2; ++*store)
			CHECK(peer_call(&peer, peer_access, store) == SIGBUS,
			      "nor by the other process");
		CHECK(peer_end(&peer) == 0, "the other process exits");
		SAFE(munmap(map, len));
		SAFE(close(fd));
	}
	back_again();
	if (held)
		CHECK(pipe_drop(fds, NULL, PAGE), "the reference is let go");
}

WORKLOAD(
	.name = "devdax-unbind",
	.help = "device-dax: a device goes when nobody holds a reference",
	.point = "pgmap-lifetime",
	.on = ON_DEVDAX,
	.with = WITH_2M,
	.flags = WL_OWNS_FS,
	.runtime = 3,
	.variants = (const char *const[]){ "ref-held", "mapped", "idle", NULL },
	.run = run,
);
