// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of changes, and the scene they are played on: see change.h. */
#include "change.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define VICTIM_SEED 1
#define OTHER_SEED 2

/* fs/xfs/libxfs/xfs_fs.h: struct xfs_bstat, xfs_swapext, xfs_exchange_range */
struct xfs_bstat_ {
	uint64_t ino;
	uint16_t mode, nlink;
	uint32_t uid, gid, rdev;
	int32_t blksize;
	int64_t size;
	struct {
		long sec;
		int32_t nsec;
	} atime, mtime, ctime;
	int64_t blocks;
	uint32_t xflags;
	int32_t extsize, extents;
	uint32_t gen;
	uint16_t projid_lo, forkoff, projid_hi, sick, checked;
	unsigned char pad[2];
	uint32_t cowextsize, dmevmask;
	uint16_t dmstate, aextents;
};

struct xfs_swapext_ {
	int64_t version, fdtarget, fdtmp, offset, length;
	char pad[16];
	struct xfs_bstat_ stat;
};

struct xfs_exchange_range_ {
	int32_t file1_fd;
	uint32_t pad;
	uint64_t file1_offset, file2_offset, length, flags;
};

#define XFS_IOC_SWAPEXT_ _IOWR('X', 109, struct xfs_swapext_)
#define XFS_IOC_EXCHANGE_RANGE_ _IOW('X', 129, struct xfs_exchange_range_)

static int falloc(struct scene *s, int mode)
{
	return fallocate(s->fd, mode, wl->unit, wl->unit) < 0 ? errno : 0;
}

static int run_truncate(struct scene *s)
{
	return ftruncate(s->fd, wl->unit) < 0 ? errno : 0;
}

static int run_punch(struct scene *s)
{
	return falloc(s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int run_collapse(struct scene *s)
{
	return falloc(s, FALLOC_FL_COLLAPSE_RANGE);
}

static int run_insert(struct scene *s)
{
	return falloc(s, FALLOC_FL_INSERT_RANGE);
}

static int run_zero_range(struct scene *s)
{
	return falloc(s, FALLOC_FL_ZERO_RANGE);
}

static int run_unshare(struct scene *s)
{
	return falloc(s, FALLOC_FL_UNSHARE_RANGE);
}

static int run_prealloc(struct scene *s)
{
	return fallocate(s->fd, 0, wl->unit, 4 * wl->unit) < 0 ? errno : 0;
}

static int run_clone_source(struct scene *s)
{
	return ioctl(s->other, FICLONE, s->fd) < 0 ? errno : 0;
}

static int run_clone_dest(struct scene *s)
{
	return ioctl(s->fd, FICLONE, s->other) < 0 ? errno : 0;
}

static int run_dedupe(struct scene *s)
{
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info;
	} d = {
		.range = {
			.src_offset = wl->unit,
			.src_length = wl->unit,
			.dest_count = 1,
		},
		.info = { .dest_fd = s->fd, .dest_offset = wl->unit },
	};

	if (ioctl(s->other, FIDEDUPERANGE, &d) < 0)
		return errno;
	if (d.info.status < 0)
		return -d.info.status;
	/* Data that was the same is said to differ, or only part was done. */
	return d.info.status == FILE_DEDUPE_RANGE_DIFFERS ||
	       d.info.bytes_deduped != wl->unit ? EBADE : 0;
}

static int run_exchange(struct scene *s)
{
	struct xfs_exchange_range_ x = {
		.file1_fd = s->other,
		.length = 3 * wl->unit,
	};

	return ioctl(s->fd, XFS_IOC_EXCHANGE_RANGE_, &x) < 0 ? errno : 0;
}

static int run_swapext(struct scene *s)
{
	struct xfs_swapext_ x = {
		.fdtarget = s->fd,
		.fdtmp = s->other,
		.length = 3 * wl->unit,
	};
	struct stat st;

	/* xfs_swap_extents() wants to be told the target's times, as a proof
	 * that nobody has changed it. */
	fstat(s->fd, &st);
	x.stat.mtime.sec = st.st_mtim.tv_sec;
	x.stat.mtime.nsec = st.st_mtim.tv_nsec;
	x.stat.ctime.sec = st.st_ctim.tv_sec;
	x.stat.ctime.nsec = st.st_ctim.tv_nsec;
	return ioctl(s->fd, XFS_IOC_SWAPEXT_, &x) < 0 ? errno : 0;
}

static void prepare_shared(struct scene *s)
{
	if (ioctl(s->other, FICLONE, s->fd) < 0) {
		if (errno == EOPNOTSUPP || errno == EINVAL)
			SKIP("%s shares no extents: FICLONE: %s", wl->fs,
			     strerror(errno));
		BROKEN("FICLONE: %s", strerror(errno));
	}
}

static void verify_shared(struct scene *s)
{
	bool shared;

	block_of(s->fd, wl->unit, &shared);
	CHECK(shared && block_of(s->fd, wl->unit, NULL) ==
				block_of(s->other, wl->unit, NULL),
	      "the two files share the blocks after %s", s->change->name);
}

static void verify_unshared(struct scene *s)
{
	bool shared;

	block_of(s->fd, wl->unit, &shared);
	CHECK(!shared && block_of(s->fd, wl->unit, NULL) !=
				 block_of(s->other, wl->unit, NULL),
	      "the two files share no block after %s", s->change->name);
}

static const struct change changes[] = {
	{ .name = "truncate", .run = run_truncate, .after = "a" },
	{ .name = "punch", .run = run_punch, .after = "a0c" },
	{ .name = "collapse", .run = run_collapse, .after = "ac" },
	{ .name = "insert", .run = run_insert, .after = "a0bc" },
	{ .name = "zero-range", .run = run_zero_range, .after = "a0c" },
	{ .name = "prealloc", .run = run_prealloc, .after = "abc00",
	  .free_to_go = true },
	{ .name = "clone-source", .run = run_clone_source, .other = "ABC",
	  .after = "abc", .other_after = "abc", .verify = verify_shared },
	{ .name = "clone-dest", .run = run_clone_dest, .other = "ABC",
	  .after = "ABC", .other_after = "ABC", .verify = verify_shared },
	{ .name = "dedupe", .run = run_dedupe, .other = "abc",
	  .after = "abc", .other_after = "abc", .verify = verify_shared },
	{ .name = "unshare", .run = run_unshare, .prepare = prepare_shared,
	  .other = "abc", .after = "abc", .other_after = "abc",
	  .shared = true, .verify = verify_unshared },
	{ .name = "exchange-range", .run = run_exchange, .other = "ABC",
	  .after = "ABC", .other_after = "abc" },
	{ .name = "swapext", .run = run_swapext, .other = "ABC",
	  .after = "ABC", .other_after = "abc" },
};

static int new_file(const char *name, const char *pieces)
{
	return dax_file(name, strlen(pieces) * wl->unit,
			*pieces >= 'a' ? VICTIM_SEED : OTHER_SEED);
}

static ino_t ino_of(int fd)
{
	struct stat st;

	SAFE(fstat(fd, &st));
	return st.st_ino;
}

void scene_make(struct scene *s, const char *name)
{
	size_t n = strlen(name);
	bool high = n > 5 && strcmp(name + n - 5, "-high") == 0;

	if (high)
		n -= 5;
	s->change = NULL;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		if (strlen(changes[i].name) == n &&
		    strncmp(changes[i].name, name, n) == 0)
			s->change = &changes[i];
	if (!s->change)
		BROKEN("no such change: %s", name);
	s->fd = s->other = -1;
	s->map = s->page = NULL;
	if (!s->change->other) {
		s->fd = new_file("victim", "abc");
	} else if (high) {
		s->other = new_file("other", s->change->other);
		s->fd = new_file("victim", "abc");
	} else {
		s->fd = new_file("victim", "abc");
		s->other = new_file("other", s->change->other);
	}
	/* New inodes get ascending numbers, mostly. */
	if (s->other >= 0 && (ino_of(s->fd) > ino_of(s->other)) != high)
		SKIP("the files got inode numbers in the wrong order");
	s->near = new_file("near", "abc");
	if (s->change->prepare)
		s->change->prepare(s);
}

void scene_map(struct scene *s)
{
	s->map = dax_map(s->fd, 0, 3 * wl->unit, PROT_READ | PROT_WRITE);
	/* The last page of the unit: with 2 MiB a tail page of the folio. */
	s->page = s->map + 2 * wl->unit - PAGE;
	if (s->change->shared)
		touch_read(s->map + wl->unit, wl->unit);
	else
		touch_write(s->map + wl->unit, wl->unit);
}

void scene_unmap(struct scene *s)
{
	SAFE(munmap(s->map, 3 * wl->unit));
	s->map = NULL;
}

int scene_change(void *arg)
{
	struct scene *s = arg;

	return s->change->run(s);
}

void scene_lacks(struct scene *s, struct attempt *a)
{
	int ret = 0;

	if (attempt_done(a))
		attempt_wait(a, 0, &ret);
	if (ret == EOPNOTSUPP || ret == ENOTTY || ret == ENOSYS)
		SKIP("%s has no %s here: %s", wl->fs, s->change->name,
		     strerror(ret));
}

void scene_release(struct scene *s, struct attempt *a, struct ref *r,
		   const void *held)
{
	int ret;

	CHECK(ref_drop(r, held) == 0,
	      "the reference sees the data that it was taken on");
	if (CHECK(attempt_wait(a, 5, &ret),
		  "%s ends when the reference is gone", wl->variant) &&
	    CHECK(ret == 0, "%s succeeds: %s", wl->variant, strerror(ret)))
		scene_check_after(s);
	attempt_end(a);
}

static bool unit_is(const void *p, size_t len, char piece, size_t off)
{
	const uint64_t *w = p;

	if (piece >= 'a')
		return fill_diff(p, len, VICTIM_SEED,
				 (piece - 'a') * wl->unit + off) < 0;
	if (piece >= 'A')
		return fill_diff(p, len, OTHER_SEED,
				 (piece - 'A') * wl->unit + off) < 0;
	for (size_t i = 0; i < len / 8; i++)
		if (w[i])
			return false;
	return true;
}

bool check_units(int fd, const char *what, const char *pieces)
{
	static uint64_t buf[KiB(64) / 8];
	size_t want = strlen(pieces) * wl->unit;
	struct stat st;
	char *p;

	SAFE(fstat(fd, &st));
	if ((size_t)st.st_size != want) {
		FAIL("%s has %lld bytes, not %zu", what, (long long)st.st_size,
		     want);
		return false;
	}
	for (size_t off = 0; off < want; off += sizeof(buf)) {
		ssize_t n = SAFE(pread(fd, buf, sizeof(buf), off));

		for (ssize_t i = 0; i < n; i += PAGE)
			if (!unit_is((char *)buf + i, PAGE,
				     pieces[(off + i) / wl->unit],
				     (off + i) % wl->unit)) {
				FAIL("%s, read(2) at %#zx: not '%c' of '%s'",
				     what, off + i,
				     pieces[(off + i) / wl->unit], pieces);
				return false;
			}
	}
	if (!want)
		return true;
	p = dax_map(fd, 0, want, PROT_READ);
	for (size_t off = 0; off < want; off += PAGE)
		if (try_access(p + off, false) || !unit_is(p + off, PAGE, pieces[off / wl->unit],
			     off % wl->unit)) {
			FAIL("%s, mapped, at %#zx: %s '%c' of '%s'", what, off,
			     try_access(p + off, false) ? "SIGBUS, not" :
							  "not",
			     pieces[off / wl->unit], pieces);
			munmap(p, want);
			return false;
		}
	munmap(p, want);
	return true;
}

bool check_page(int fd, off_t off, const void *want, char piece,
		const char *what)
{
	static uint64_t got[PAGE / 8];
	char *p = dax_map(fd, off - off % wl->unit, wl->unit, PROT_READ);
	bool by_read, mapped;

	if (SAFE(pread(fd, got, PAGE, off)) != (ssize_t)PAGE)
		BROKEN("short read at %#llx", (long long)off);
	by_read = CHECK(memcmp(got, want, PAGE) == 0,
			"read(2) gives what the page has to hold after %s",
			what);
	mapped = CHECK(!try_access(p + off % wl->unit, false) &&
		       memcmp(p + off % wl->unit, want, PAGE) == 0,
		       "a mapping gives what the page has to hold after %s",
		       what);
	munmap(p, wl->unit);
	fill(got, PAGE, VICTIM_SEED,
	     (piece - 'a') * wl->unit + off % wl->unit);
	if (SAFE(pwrite(fd, got, PAGE, off)) != (ssize_t)PAGE)
		BROKEN("short write at %#llx", (long long)off);
	return by_read && mapped;
}

static void check(struct scene *s, const char *when, const char *victim,
		  const char *other)
{
	bool ok = check_units(s->fd, "the victim", victim);

	if (s->other >= 0)
		ok &= check_units(s->other, "the other file", other);
	ok &= check_units(s->near, "the neighbour", "abc");
	if (ok)
		PASS("%s %s the files hold what they must", when,
		     s->change->name);
}

void scene_check_before(struct scene *s)
{
	check(s, "before", "abc", s->change->other);
}

void scene_check_after(struct scene *s)
{
	check(s, "after", s->change->after, s->change->other_after);
	if (s->change->verify)
		s->change->verify(s);
}
