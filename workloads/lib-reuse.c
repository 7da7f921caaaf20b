// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets a freed block: take all space, then ask FIEMAP. See change.h. */
#include "change.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define FILLERS 64

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
	size_t step = MiB(1024);

	while (step >= PAGE && count < FILLERS) {
		char name[32];
		int f;

		snprintf(name, sizeof(name), "filler-%d", count);
		f = SAFE(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
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

bool block_reused(off_t phys, int *fd, off_t *off)
{
	static uint64_t page[KiB(4) / 8];
	int root = SAFE(open(wl->mnt, O_RDONLY | O_CLOEXEC));
	bool found = false;

	/* Freed extents are busy until the log has them, and XFS frees those
	 * of unlinked files in the background. */
	for (int round = 0; round < 2 && !found; round++) {
		struct statvfs sv;

		SAFE(syncfs(root));
		SAFE(statvfs(wl->mnt, &sv));
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
