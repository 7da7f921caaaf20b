// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking the memory away below a reference. mm/memremap.c memunmap_pages()
 * kills pgmap->ref and waits for its completion, but references on fsdax pages
 * are not in it: it gives the struct pages back, and whoever drops the
 * reference then writes to memory that is none. From 6.15 on umount holds the
 * reference's place, as it waits for idle pages; before, nothing does.
 *
 * A reference is only let go when the namespace is there again, so that a
 * kernel that ran past it ends as a FAIL and not as an oops in exit().
 */
#include "workload.h"

static int fd, fds[2];
static size_t len;
static char *want;

static int disable(void *arg)
{
	const char *err = ns_disable();

	if (err)
		INFO("%s", err);
	return err ? EIO : 0;
}

static bool ends(struct attempt *a, const char *what)
{
	int ret = -1;

	if (CHECK(attempt_wait(a, 20, &ret), "%s ends", what))
		CHECK(ret == 0, "%s succeeds: %s", what, strerror(ret));
	else
		INFO("%s sleeps in %s", what, attempt_where(a));
	attempt_end(a);
	return ret == 0;
}

static void back_again(void)
{
	const char *err = ns_enable();
	char *p;

	CHECK(!err, "the namespace is enabled again%s%s", err ? ": " : "",
	      err ? err : "");
	if (err)
		return;
	if (!WAIT_FOR(access(wl->dev, F_OK) == 0, 5))
		BROKEN("no %s after enabling", wl->dev);
	fs_mount();
	fd = SAFE(open("victim", O_RDWR | O_CLOEXEC));
	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	CHECK_DATA(fd, p, want, len, "the file, enabled and mounted again");
	fill(want, PAGE, 2, 0);
	memcpy(p, want, PAGE);
	CHECK_DATA(fd, p, want, len, "and stored to");
	SAFE(munmap(p, len));
}

static void run(void)
{
	bool held = strcmp(wl->variant, "ref-held") == 0;
	struct attempt a;
	char *p, *old;

	len = 2 * wl->unit;
	fd = dax_file("victim", len, 1);
	want = buffer(len);
	fill(want, len, 1, 0);
	old = buffer(PAGE);
	memcpy(old, want, PAGE);
	p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
	touch_write(p, len);
	SAFE(pipe2(fds, O_CLOEXEC));
	pipe_hold(fds, p, PAGE);
	if (!held)
		CHECK(pipe_drop(fds, old, PAGE), "the reference reads right");
	SAFE(munmap(p, len));
	close(fd);

	fs_leave();
	attempt_start(&a, "umount", fs_umount, NULL);
	if (held && attempt_blocks(&a)) {
		PASS("with a reference held, umount waits in %s and the "
		     "namespace stays", attempt_where(&a));
		CHECK(pipe_drop(fds, old, PAGE),
		      "the reference reads what the file holds");
		held = false;
	}
	if (!ends(&a, "umount"))
		return;
	attempt_start(&a, "disabling", disable, NULL);
	/* Grace periods make it sleep in any case: what counts is the end. */
	if (held && CHECK(!attempt_wait(&a, 2, NULL),
			  "disabling waits for a held reference")) {
		INFO("it sleeps in %s", attempt_where(&a));
		CHECK(pipe_drop(fds, old, PAGE),
		      "the reference reads what the file holds");
		held = false;
	}
	if (!ends(&a, "disabling"))
		return;
	back_again();
	if (held)
		CHECK(pipe_drop(fds, NULL, PAGE), "the reference is let go");
}

WORKLOAD(
	.name = "namespace-disable",
	.help = "a namespace goes when nobody holds a reference, and comes back "
		"with its data",
	.point = "pgmap-lifetime",
	.on = ON_FS,
	.with = WITH_BOTH,
	.flags = WL_OWNS_FS,
	.runtime = 3,
	.variants = (const char *const[]){ "ref-held", "idle", NULL },
	.run = run,
);
