// SPDX-License-Identifier: GPL-2.0-or-later
/* Files, mappings, patterns: what nearly every workload starts with. */
#include "workload.h"
#include "log.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static bool on_devdax(void)
{
	return strcmp(wl->fs, "devdax") == 0;
}

/* XFS places extents by this hint; ext4 has no such thing and is formatted
 * with a stripe of 2 MiB instead. */
static void align_extents(int fd)
{
	struct fsxattr fsx;

	if (wl->unit == PAGE || strcmp(wl->fs, "xfs") != 0)
		return;
	SAFE(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags |= FS_XFLAG_EXTSIZE;
	fsx.fsx_extsize = wl->unit;
	SAFE(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

int dax_hole(const char *name, size_t len)
{
	int fd = SAFE(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	align_extents(fd);
	SAFE(ftruncate(fd, len));
	log_file(fd);
	return fd;
}

int dax_file(const char *name, size_t len, uint64_t seed)
{
	static uint64_t chunk[KiB(64) / 8];
	int fd;

	if (on_devdax()) {
		void *p;

		fd = SAFE(open(wl->dev, O_RDWR | O_CLOEXEC));
		p = dax_map(fd, 0, len, PROT_READ | PROT_WRITE);
		fill(p, len, seed, 0);
		SAFE(munmap(p, len));
		return fd;
	}
	fd = dax_hole(name, len);
	SAFE(fallocate(fd, 0, 0, len));
	for (size_t off = 0; off < len; off += sizeof(chunk)) {
		size_t n = len - off < sizeof(chunk) ? len - off :
						       sizeof(chunk);

		fill(chunk, n, seed, off);
		if (SAFE(pwrite(fd, chunk, n, off)) != (ssize_t)n)
			BROKEN("%s: short write", name);
	}
	SAFE(fsync(fd));
	for (size_t off = 0; wl->unit == PMD && off < len; off += PMD) {
		off_t b = block_of(fd, off, NULL);

		if (b % (off_t)PMD)
			SKIP("%s gave %s no 2 MiB aligned blocks (%#llx)",
			     wl->fs, name, (unsigned long long)b);
	}
	log_file(fd);
	return fd;
}

void *dax_map_flags(int fd, off_t off, size_t len, int prot, int flags)
{
	size_t unit = wl->unit;
	char *area, *p;

	/* Address space for an aligned start, then the file over it. */
	area = SAFE(mmap(NULL, len + unit, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	p = (char *)(((uintptr_t)area + unit - 1) / unit * unit);
	if (p > area)
		munmap(area, p - area);
	if (area + len + unit > p + len)
		munmap(p + len, area + unit - p);
	area = mmap(p, len, prot, flags | MAP_FIXED, fd, off);
	/* drivers/dax/device.c check_vma(): the device's align. */
	if (area == MAP_FAILED && errno == EINVAL && on_devdax())
		SKIP("%s maps no units of %zu bytes, only larger ones", wl->dev,
		     unit);
	SAFE(area);
	log_map(fd, off, area, len);
	return area;
}

void *dax_map(int fd, off_t off, size_t len, int prot)
{
	void *p = dax_map_flags(fd, off, len, prot, MAP_SHARED);

	SAFE(madvise(p, len, MADV_DONTFORK));
	return p;
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

static void touch(volatile char *p, size_t len, bool store)
{
	long before;

	for (size_t off = 0; off < len; off += wl->unit) {
		if (store)
			p[off] = p[off];
		else
			(void)p[off];
		if (wl->unit == PAGE)
			continue;
		/* One PMD fault serves all of it; a PTE only its own page. */
		before = faults();
		if (store)
			p[off + wl->unit - 1] = p[off + wl->unit - 1];
		else
			(void)p[off + wl->unit - 1];
		if (faults() != before)
			SKIP("the kernel mapped 4 KiB pages, not 2 MiB");
	}
}

void touch_read(void *p, size_t len)
{
	touch(p, len, false);
	log_touched(p, len, wl->unit);
}

void touch_write(void *p, size_t len)
{
	touch(p, len, true);
	log_touched(p, len, wl->unit);
}

static uint64_t word(uint64_t seed, uint64_t off)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ull + off;

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 27;
}

void fill(void *p, size_t len, uint64_t seed, size_t off)
{
	uint64_t *w = p;

	for (size_t i = 0; i < len / 8; i++)
		w[i] = word(seed, off + i * 8);
}

ssize_t fill_diff(const void *p, size_t len, uint64_t seed, size_t off)
{
	const uint64_t *w = p;

	for (size_t i = 0; i < len / 8; i++)
		if (w[i] != word(seed, off + i * 8))
			return i * 8;
	return -1;
}

off_t block_of(int fd, off_t off, bool *shared)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext;
	} fm = {
		.map = {
			.fm_start = off,
			.fm_length = 1,
			.fm_extent_count = 1,
			.fm_flags = FIEMAP_FLAG_SYNC,
		},
	};

	SAFE(ioctl(fd, FS_IOC_FIEMAP, &fm));
	if (shared)
		*shared = fm.map.fm_mapped_extents &&
			  fm.ext.fe_flags & FIEMAP_EXTENT_SHARED;
	if (!fm.map.fm_mapped_extents)
		return -1;
	return fm.ext.fe_physical + (off - fm.ext.fe_logical);
}
