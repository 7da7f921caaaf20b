// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaks on purpose, for tests of the census: a reference that the log does not
 * tell of, on a known page of a file named "planted" (page 3; at 2 MiB the
 * second 2 MiB). "get" and "pin" let go of it again. "outlives" leaves it
 * behind, held by nothing but a write to a suspended device that io_uring was
 * given: the process is gone, and then its file is. From 6.15 on, that waits
 * for the reference (fs/dax.c dax_break_layout_final()); so "outlives-kept" has
 * its file where only unmounting would remove it. "release" lets what either
 * left complete.
 */
#include "workload.h"

/* Outside of the case's folder. */
#define KEPT_FILE (wl->unit == PAGE ? "../planted" : "../planted-2m")

struct plant {
	int fd;
	size_t len;
	off_t off, block;
	char *p, *want;
};

static void plant(struct plant *t, const char *name)
{
	bool small = wl->unit == PAGE;

	t->len = small ? 8 * PAGE : 2 * PMD;
	t->off = small ? 3 * PAGE : PMD;
	t->fd = dax_file(name, t->len, 1);
	t->block = strcmp(wl->fs, "devdax") == 0 ?
			   t->off : block_of(t->fd, t->off, NULL);
	t->want = buffer(PAGE);
	fill(t->want, PAGE, 1, t->off);
	t->p = dax_map(t->fd, 0, t->len, PROT_READ | PROT_WRITE);
	touch_write(t->p, t->len);
}

/* Below ref_take(), which would tell. */
static struct ref *take(struct plant *t, const char *kind)
{
	const struct ref_kind *k = ref_kind_of(kind);
	struct ref *r = k->take(t->p + t->off, PAGE);

	if (!r)
		SKIP("no %s reference on this kernel: %s", kind,
		     strerror(errno));
	r->kind = k;
	r->len = PAGE;
	SAFE(munmap(t->p, t->len));
	wl_census("planted", t->block, wl->unit);
	return r;
}

static void plant_and_drop(const char *kind)
{
	struct plant t;
	struct ref *r;

	plant(&t, "planted");
	r = take(&t, kind);
	CHECK(r->kind->drop(r, t.want) == 0, "the %s reference reads right",
	      kind);
	wl_census("released", t.block, wl->unit);
}

static void outlive(const char *name)
{
	struct plant t;

	plant(&t, name);
	take(&t, "uring-write");
	gate_keep();
	PASS("a write of the page at %#llx of %s is left behind",
	     (unsigned long long)t.off, name);
}

static void release(void)
{
	int n = gates_release();

	if (!n)
		SKIP("nothing was left behind");
	if (wl->mnt) {
		unlink("../planted");
		unlink("../planted-2m");
	}
	PASS("%d writes that were left behind are let go", n);
}

static void run(void)
{
	if (strcmp(wl->variant, "get") == 0)
		plant_and_drop("vmsplice");
	else if (strcmp(wl->variant, "pin") == 0)
		plant_and_drop("process-vm-read");
	else if (strcmp(wl->variant, "outlives") == 0)
		outlive("planted");
	else if (strcmp(wl->variant, "outlives-kept") == 0)
		outlive(KEPT_FILE);
	else
		release();
}

static const char *const variants[] = { "get", "pin", "outlives",
					"outlives-kept", "release", NULL };

WORKLOAD(
	.name = "plant",
	.help = "leaves references behind, for tests of the census",
	.point = "census",
	.on = ON_FS | ON_DEVDAX,
	.with = WITH_BOTH,
	.flags = WL_BY_NAME,
	.runtime = 1,
	.modules = "dm-mod brd",
	.variants = variants,
	.run = run,
);
