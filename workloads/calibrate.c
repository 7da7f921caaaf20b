// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Brings one page through states whose reference counts are known for each
 * model, and has the host look at each: what it reads is this kernel's model,
 * and a pin that it does not see makes the census worth nothing. Each state
 * lasts until the host has looked; nothing else uses the page meanwhile.
 */
#include "workload.h"
#include "guest/agent.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

/* Mappings of the page at a time, for "ptes" and "pmds". */
#define NR_PTES 3
#define NR_PMDS 2

struct page_under {
	int fd;
	off_t off, block;	/* in the file, on the device */
	char *p;		/* its mapping */
	char *want;
	unsigned int states;
};

/* Each state has one name of a 4 KiB page and one of a 2 MiB mapping's pages,
 * or NULL where it tells nothing new. */
static void state(struct page_under *c, const char *pte, const char *pmd)
{
	const char *at = wl->unit == PAGE ? pte : pmd;

	if (!at)
		return;
	wl_census(at, c->block, wl->unit);
	c->states++;
}

static void map(struct page_under *c)
{
	c->p = dax_map(c->fd, c->off, wl->unit, PROT_READ | PROT_WRITE);
	touch_write(c->p, wl->unit);
}

static void unmap(struct page_under *c)
{
	SAFE(munmap(c->p, wl->unit));
}

static void cached(struct page_under *c)
{
	c->p = dax_map(c->fd, c->off, wl->unit, PROT_READ);
	touch_read(c->p, wl->unit);
	unmap(c);
	state(c, "cached", NULL);
}

static void mapped(struct page_under *c)
{
	unsigned int n = wl->unit == PAGE ? NR_PTES : NR_PMDS;
	void *more[NR_PTES];

	map(c);
	state(c, "pte", "pmd");
	for (unsigned int i = 1; i < n; i++) {
		more[i] = dax_map(c->fd, c->off, wl->unit, PROT_READ);
		touch_read(more[i], wl->unit);
	}
	state(c, "ptes", "pmds");
	for (unsigned int i = 1; i < n; i++)
		SAFE(munmap(more[i], wl->unit));
}

static void held(struct page_under *c, const char *kind, const char *pte,
		 const char *pmd)
{
	struct ref *r = ref_try(kind, c->p, PAGE);

	if (!r) {
		INFO("no %s reference on this kernel: %s", kind,
		     strerror(errno));
		return;
	}
	state(c, pte, pmd);
	CHECK(ref_drop(r, c->want) == 0, "the %s reference reads right", kind);
}

static void held_unmapped(struct page_under *c)
{
	struct ref *r = ref_take("vmsplice", c->p, PAGE);

	unmap(c);
	state(c, "get-unmapped", NULL);
	CHECK(ref_drop(r, c->want) == 0,
	      "the vmsplice reference reads right after munmap");
	state(c, "unmapped", "pmd-unmapped");
}

/*
 * A kernel without page->share (it came with v6.2) cannot tell how many files
 * have a page, and warns when a second one maps it: for workloads to find, and
 * not once in each run. One without BTF may be such a kernel. There the page is
 * mapped in one of the two files that share it.
 */
static bool counts_files(void)
{
	static const char *const types[] = { "page", "folio" };
	struct json_object *reply = json_object_new_object(), *btf, *v;
	struct json_object *members = json_tokener_parse(
		"[\"page.share\",\"folio.share\"]");
	bool ret = false;

	put_btf(members, reply);
	if (json_object_object_get_ex(reply, "btf", &btf))
		for (int i = 0; i < 2; i++)
			ret |= json_object_object_get_ex(btf, types[i], &v) &&
			       json_object_object_get_ex(v, "share", &v);
	json_object_put(reply);
	json_object_put(members);
	return ret;
}

static void shared(struct page_under *c)
{
	struct page_under s = { .fd = dax_file("shared", PAGE, 2) };
	int clone = SAFE(open("clone", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			      0600));
	void *a, *b = NULL;

	if (ioctl(clone, FICLONE, s.fd) < 0) {
		INFO("no reflink: %s", strerror(errno));
		return;
	}
	s.block = block_of(s.fd, 0, NULL);
	a = dax_map(s.fd, 0, PAGE, PROT_READ);
	touch_read(a, PAGE);
	if (counts_files()) {
		b = dax_map(clone, 0, PAGE, PROT_READ);
		touch_read(b, PAGE);
	}
	state(&s, b ? "shared" : "shared-one", NULL);
	c->states += s.states;
	SAFE(munmap(a, PAGE));
	if (b)
		SAFE(munmap(b, PAGE));
	close(clone);
	close(s.fd);
}

static void run(void)
{
	bool file = strcmp(wl->fs, "devdax") != 0;
	struct page_under c = { .off = wl->unit, .want = buffer(PAGE) };

	c.fd = dax_file("calibrate", 2 * wl->unit, 1);
	c.block = file ? block_of(c.fd, c.off, NULL) : c.off;
	fill(c.want, PAGE, 1, c.off);
	state(&c, "idle", NULL);
	if (file)
		cached(&c);
	mapped(&c);
	held(&c, "vmsplice", "get", "pmd-get");
	/* The one way to pin that is the same on every kernel: direct I/O did
	 * not pin up to 6.4. */
	held(&c, "process-vm-read", "pin", "pmd-pin");
	held_unmapped(&c);
	if (strcmp(wl->fs, "xfs") == 0 && wl->unit == PAGE)
		shared(&c);
	if (file) {
		SAFE(ftruncate(c.fd, 0));
		state(&c, "truncated", "pmd-truncated");
	}
	PASS("a page was in %u states%s", c.states,
	     wl_has_census() ? "" : ", which nobody looked at");
}

WORKLOAD(
	.name = "calibrate",
	.help = "a page in each state of the refcount models, for the host to "
		"look at",
	.point = "census",
	.on = ON_FS | ON_DEVDAX,
	.with = WITH_BOTH,
	.flags = WL_BY_NAME,
	.runtime = 2,
	.run = run,
);
