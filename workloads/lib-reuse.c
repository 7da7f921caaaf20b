// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets a freed block: take all space, then ask FIEMAP, and of what nobody
 * got GETFSMAP. See change.h.
 */
#include "change.h"

#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsmap.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define FILLERS 128

static int fillers[FILLERS];
static int count;

static bool owns(int fd, off_t phys, off_t *off)
{
	enum { N = 64 };
	struct fiemap *fm = calloc(1, sizeof(*fm) +
					      N * sizeof(fm->fm_extents[0]));
	bool found = false, last = false;

	fm->fm_length = FIEMAP_MAX_OFFSET;
	fm->fm_extent_count = N;
	while (!found && !last) {
		fm->fm_flags = 0;
		SAFE(ioctl(fd, FS_IOC_FIEMAP, fm));
		last = !fm->fm_mapped_extents;
		for (unsigned int i = 0; i < fm->fm_mapped_extents; i++) {
			struct fiemap_extent *e = &fm->fm_extents[i];

			last |= e->fe_flags & FIEMAP_EXTENT_LAST;
			fm->fm_start = e->fe_logical + e->fe_length;
			if ((uint64_t)phys < e->fe_physical ||
			    (uint64_t)phys >= e->fe_physical + e->fe_length)
				continue;
			*off = e->fe_logical + (phys - e->fe_physical);
			found = true;
			break;
		}
	}
	free(fm);
	return found;
}

static bool take_all(off_t phys, int *fd, off_t *off)
{
	struct statvfs sv;
	size_t step = PAGE;

	SAFE(statvfs(wl->mnt, &sv));
	while (step < sv.f_bfree * sv.f_bsize)
		step *= 2;
	while (step >= PAGE && count < FILLERS) {
		char name[32];
		int f;

		snprintf(name, sizeof(name), "filler-%d", count);
		f = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		/* No room for one more inode: it is full. */
		if (f < 0 && errno == ENOSPC)
			break;
		SAFE(f);
		fillers[count++] = f;
		/* One that fails keeps what it got until then. */
		if (fallocate(f, 0, 0, step) < 0) {
			if (errno != ENOSPC)
				BROKEN("cannot take the free space: %s",
				       strerror(errno));
			step /= 2;
		}
		if (owns(f, phys, off)) {
			*fd = f;
			return true;
		}
	}
	return false;
}

void block_reuse_prepare(void)
{
	int f = SAFE(open("filler-0", O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	SAFE(fallocate(f, 0, 0, PMD));
	fillers[count++] = f;
}

bool block_free(off_t phys)
{
	enum { N = 128 };
	struct fsmap_head *h = calloc(1, fsmap_sizeof(N));
	int root = SAFE(open(wl->mnt, O_RDONLY | O_CLOEXEC));
	bool is_free = false, more = true;

	SAFE(syncfs(root));
	h->fmh_count = N;
	h->fmh_keys[1] = (struct fsmap){
		.fmr_device = UINT_MAX,
		.fmr_flags = UINT_MAX,
		.fmr_physical = ULLONG_MAX,
		.fmr_owner = ULLONG_MAX,
		.fmr_offset = ULLONG_MAX,
	};
	while (more) {
		if (ioctl(root, FS_IOC_GETFSMAP, h) < 0) {
			INFO("%s does not say what is free: %s", wl->fs,
			     strerror(errno));
			break;
		}
		for (unsigned int i = 0; i < h->fmh_entries; i++) {
			struct fsmap *m = &h->fmh_recs[i];

			if (m->fmr_flags & FMR_OF_LAST)
				more = false;
			if ((uint64_t)phys >= m->fmr_physical &&
			    (uint64_t)phys < m->fmr_physical + m->fmr_length &&
			    m->fmr_flags & FMR_OF_SPECIAL_OWNER &&
			    m->fmr_owner == FMR_OWN_FREE)
				is_free = true;
		}
		more = more && h->fmh_entries;
		if (more)
			fsmap_advance(h);
	}
	close(root);
	free(h);
	return is_free;
}

bool block_reused(off_t phys, int *fd, off_t *off)
{
	static uint64_t page[KiB(4) / 8];
	int root = SAFE(open(wl->mnt, O_RDONLY | O_CLOEXEC));
	bool found = false;

	/* Both filesystems go on behind the last block of a file: the one made
	 * before the victim gets its blocks, if they are free. */
	if (count && block_free(phys)) {
		SAFE(fallocate(fillers[0], 0, PMD, 3 * PMD));
		*fd = fillers[0];
		found = owns(*fd, phys, off);
	}
	/* Freed extents are busy until the log has them, and XFS frees those
	 * of unlinked files in the background. */
	for (int round = 0; round < 2 && !found; round++) {
		SAFE(syncfs(root));
		found = take_all(phys, fd, off);
	}
	close(root);
	if (!found)
		return false;
	*off -= *off % (off_t)PAGE;
	fill(page, PAGE, REUSE_SEED, 0);
	if (SAFE(pwrite(*fd, page, PAGE, *off)) != (ssize_t)PAGE)
		BROKEN("short write to a filler");
	return true;
}

void block_reuse_end(void)
{
	while (count) {
		char name[32];

		snprintf(name, sizeof(name), "filler-%d", --count);
		close(fillers[count]);
		unlink(name);
	}
}
