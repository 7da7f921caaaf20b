// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each way an entry enters a file's page cache (fs/dax.c dax_insert_entry())
 * and leaves it (dax_delete_mapping_entry(), dax_delete_mapping_range(),
 * __dax_invalidate_entry()). After each step the file, the mapping, and a
 * mapping in another process are compared with what has to be there, byte for
 * byte: an entry left behind shows the block of before (a stale mapping, or
 * another file's data), one lost too early leaves a store without a block, a
 * zero page not replaced hides a write.
 */
#include "workload.h"

#include <linux/falloc.h>
#include <signal.h>
#include <sys/stat.h>

static struct {
	int fd;
	size_t full, len;	/* four units; what the file has now */
	char *p;		/* mapped all the time */
	char *want;
} e;
static char *peer_map;
static struct peer peer;
static uint64_t seed = 1;

/* First wrong byte, plus one. */
static int peer_compare(void *arg)
{
	if (!peer_map)
		peer_map = dax_map(e.fd, 0, e.full, PROT_READ);
	for (size_t off = 0; off + PAGE <= *(size_t *)arg; off += PAGE)
		if (memcmp(peer_map + off, e.want + off, PAGE) != 0)
			return off + 1;
	return 0;
}

/* Shared with the peer: how much of the mapping is the file. */
static size_t *whole_pages;

static void agree(const char *after)
{
	int bad;

	CHECK_DATA(e.fd, e.p, e.want, e.len, "after %s", after);
	*whole_pages = e.len;
	bad = peer_call(&peer, peer_compare, whole_pages);
	CHECK(!bad, "the other process after %s: %s (%#x)", after,
	      bad ? "wrong data" : "right", bad ? bad - 1 : 0);
}

static void open_map(bool hole)
{
	e.full = e.len = 4 * wl->unit;
	e.fd = hole ? dax_hole("victim", e.full) :
		      dax_file("victim", e.full, 1);
	e.want = buffer_shared(e.full);
	whole_pages = buffer_shared(PAGE);
	if (!hole)
		fill(e.want, e.full, 1, 0);
	peer_start(&peer);
	e.p = dax_map(e.fd, 0, e.full, PROT_READ | PROT_WRITE);
}

/* Store or write(2) anew what [@off, @off + @n) has to hold. */
static void store(size_t off, size_t n)
{
	fill(e.want + off, n, ++seed, off);
	memcpy(e.p + off, e.want + off, n);
}

static void write_file(size_t off, size_t n)
{
	fill(e.want + off, n, ++seed, off);
	if (SAFE(pwrite(e.fd, e.want + off, n, off)) != (ssize_t)n)
		BROKEN("short write");
}

static void set_size(size_t len)
{
	SAFE(ftruncate(e.fd, len));
	if (len < e.len)
		memset(e.want + len, 0, e.len - len);
	e.len = len;
}

static void alloc(int mode, size_t off, size_t n, const char *what)
{
	if (fallocate(e.fd, mode, off, n) < 0)
		SKIP("no %s on this filesystem: %s", what, strerror(errno));
}

static void drop_caches(const char *what)
{
	SAFE(write_small("/proc/sys/vm/drop_caches", what));
}

static void read_fault(void)
{
	open_map(false);
	touch_read(e.p, e.full);
	agree("read faults");
	write_file(wl->unit, wl->unit);
	agree("write(2)");
}

static void write_fault(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	agree("write faults");
	store(0, e.full);
	agree("stores");
}

static void read_then_write(void)
{
	open_map(false);
	touch_read(e.p, e.full);
	store(wl->unit, wl->unit);
	agree("a store to a page that was read");
	store(0, e.full);
	agree("stores to all");
}

/* The zero page is in the page cache too, and has to leave for a block. */
static void hole(void)
{
	open_map(true);
	touch_read(e.p, e.full);
	agree("reading a hole");
	store(wl->unit, PAGE);
	agree("a store into the hole");
	write_file(2 * wl->unit + wl->unit / 2, 64);
	agree("write(2) into the hole");
	alloc(0, 0, e.full, "allocation");
	agree("allocation without writing");
	store(3 * wl->unit, wl->unit);
	agree("a store into what was allocated");
	alloc(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, wl->unit, wl->unit,
	      "punching");
	memset(e.want + wl->unit, 0, wl->unit);
	agree("punching it out again");
}

static void truncate_it(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	set_size(wl->unit);
	CHECK(try_access(e.p + wl->unit, false) == SIGBUS,
	      "SIGBUS beyond the new end");
	agree("truncating");
	set_size(e.full);
	agree("growing");
	store(2 * wl->unit, wl->unit);
	agree("a store to what has grown");
	set_size(0);
	CHECK(try_access(e.p, true) == SIGBUS, "SIGBUS in an empty file");
	set_size(e.full);
	agree("growing from nothing");
}

/* What is behind the end of a file is zero when it becomes part of it. */
static void truncate_up(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	set_size(wl->unit + 1234);
	set_size(e.full - 100);
	agree("growing from the middle of a page");
	set_size(wl->unit / 2 + 8);
	set_size(e.full);
	agree("shrinking and growing");
}

/*
 * A store behind the end, in the last page, must not become part of the file:
 * POSIX has it zeroed, and DAX has no writeback to do that. In 6.1 ext4 zeroes
 * the rest of the block when the file shrinks only; stable 6.12 has it zeroed
 * in ext4_setattr() when the file grows too.
 */
static void beyond_end(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	set_size(wl->unit + 1234);
	memcpy(e.p + e.len + 16, "beyond the end", 14);
	set_size(e.full);
	agree("growing over a store behind the end");
}

static void punch(void)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	open_map(false);
	touch_write(e.p, e.full);
	alloc(mode, wl->unit, wl->unit, "punching");
	memset(e.want + wl->unit, 0, wl->unit);
	agree("punching a unit");
	alloc(mode, 2 * wl->unit + wl->unit / 2 - 100, 200, "punching");
	memset(e.want + 2 * wl->unit + wl->unit / 2 - 100, 0, 200);
	agree("punching parts of pages");
	store(0, e.full);
	agree("stores");
	alloc(FALLOC_FL_ZERO_RANGE, 100, wl->unit, "zeroing");
	memset(e.want + 100, 0, wl->unit);
	agree("zeroing");
	store(0, PAGE);
	agree("a store to what was zeroed");
}

/* What is behind moves: every entry there has to go. */
static void collapse(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	alloc(FALLOC_FL_COLLAPSE_RANGE, wl->unit, wl->unit, "collapsing");
	memmove(e.want + wl->unit, e.want + 2 * wl->unit, 2 * wl->unit);
	e.len = 3 * wl->unit;
	CHECK(try_access(e.p + 3 * wl->unit, false) == SIGBUS,
	      "SIGBUS beyond the new end");
	agree("collapsing");
	store(0, e.len);
	agree("stores");
}

static void insert(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	set_size(3 * wl->unit);
	alloc(FALLOC_FL_INSERT_RANGE, wl->unit, wl->unit, "inserting");
	memmove(e.want + 2 * wl->unit, e.want + wl->unit, 2 * wl->unit);
	memset(e.want + wl->unit, 0, wl->unit);
	e.len = 4 * wl->unit;
	agree("inserting");
	store(wl->unit, wl->unit);
	agree("a store into what was inserted");
}

static void caches(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	for (int i = 0; i < 3; i++) {
		store(i * wl->unit, wl->unit);
		if (i)
			SAFE(fsync(e.fd));
		drop_caches("3");
		agree("dropping caches");
	}
}

/* Leave the file to the kernel alone, and have it forget the inode. */
static void evict(void)
{
	struct stat st;
	ino_t ino;
	int fd;

	open_map(false);
	touch_write(e.p, e.full);
	store(0, e.full);
	agree("stores");
	SAFE(fstat(e.fd, &st));
	ino = st.st_ino;
	peer_end(&peer);
	SAFE(munmap(e.p, e.full));
	SAFE(close(e.fd));
	drop_caches("2");
	drop_caches("3");
	e.fd = SAFE(open("victim", O_RDWR | O_CLOEXEC));
	peer_start(&peer);
	e.p = dax_map(e.fd, 0, e.full, PROT_READ | PROT_WRITE);
	agree("evicting the inode");
	store(wl->unit, wl->unit);

	/* And with its last link: whoever gets its blocks gets zeroes. */
	peer_end(&peer);
	SAFE(unlink("victim"));
	SAFE(munmap(e.p, e.full));
	SAFE(close(e.fd));
	fd = dax_hole("next", e.full);
	SAFE(fallocate(fd, 0, 0, e.full));
	SAFE(fstat(fd, &st));
	INFO("the next file has %s inode", st.st_ino == ino ? "the same" :
							       "another");
	memset(e.want, 0, e.full);
	e.fd = fd;
	peer_start(&peer);
	e.p = dax_map(fd, 0, e.full, PROT_READ | PROT_WRITE);
	agree("allocating what an evicted file had");
	store(0, e.full);
	agree("stores to it");
}

static void sync_it(void)
{
	open_map(false);
	for (int i = 0; i < 3; i++) {
		/* fsync write-protects: the next store has to fault. */
		store(0, e.full);
		SAFE(i == 1 ? msync(e.p, e.full, MS_SYNC) : fsync(e.fd));
		agree("syncing");
	}
	SAFE(fdatasync(e.fd));
	store(PAGE / 2, 8);
	agree("a store after it");
}

/* A private mapping enters nothing for what it copies. */
static void private_cow(void)
{
	char *p, *want;

	open_map(false);
	want = buffer(e.full);
	memcpy(want, e.want, e.full);
	p = dax_map_flags(e.fd, 0, e.full, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE);
	touch_read(p, wl->unit);
	CHECK_DATA(-1, p, want, e.full, "the private mapping");
	fill(want + wl->unit, wl->unit, 77, 0);
	memcpy(p + wl->unit, want + wl->unit, wl->unit);
	memcpy(p, "private", 7);
	memcpy(want, "private", 7);
	CHECK_DATA(-1, p, want, e.full, "the private mapping written");
	agree("stores to a private mapping");
	store(0, 2 * wl->unit);
	CHECK_DATA(-1, p + wl->unit, want + wl->unit, wl->unit,
		   "a private copy after stores to the file");
	agree("stores to the file");
	set_size(wl->unit);
	CHECK(try_access(p + wl->unit, false) == SIGBUS,
	      "truncate takes private copies too");
	set_size(e.full);
	agree("truncating under a private mapping");
}

static void write_over(void)
{
	open_map(true);
	touch_read(e.p, e.full);
	for (int i = 0; i < 3; i++) {
		write_file(0, e.full);
		agree("write(2) over what is mapped");
		store(wl->unit + i * 16, wl->unit);
		agree("stores");
		write_file(wl->unit - 1000 / 8 * 8, 2000);
		agree("write(2) over the middle");
	}
}

static void remap_after(void)
{
	open_map(false);
	touch_write(e.p, e.full);
	for (int i = 0; i < 3; i++) {
		SAFE(munmap(e.p, e.full));
		e.p = dax_map(e.fd, 0, e.full, PROT_READ | PROT_WRITE);
		agree("mapping again");
		store(i * wl->unit, wl->unit);
		agree("stores");
	}
}

static const struct way {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "read-fault", read_fault },
	{ "write-fault", write_fault },
	{ "read-then-write", read_then_write },
	{ "hole", hole },
	{ "truncate", truncate_it },
	{ "truncate-up", truncate_up },
	{ "beyond-end", beyond_end },
	{ "punch", punch },
	{ "collapse", collapse },
	{ "insert", insert },
	{ "drop-caches", caches },
	{ "evict", evict },
	{ "fsync", sync_it },
	{ "private-cow", private_cow },
	{ "write-over-mapped", write_over },
	{ "remap-after", remap_after },
};

static void run(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, wl->variant) == 0)
			ways[i].fn();
	peer_end(&peer);
	SAFE(ftruncate(e.fd, 0));
	CHECK(block_of(e.fd, 0, NULL) == -1, "the emptied file has no blocks");
}

WORKLOAD(
	.name = "entry-lifetime",
	.help = "whichever way a page enters or leaves a file, nobody sees stale "
		"data",
	.point = "entry-lifetime",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){
		"read-fault", "write-fault", "read-then-write", "hole",
		"truncate", "truncate-up", "beyond-end", "punch", "collapse",
		"insert", "drop-caches", "evict", "fsync", "private-cow",
		"write-over-mapped", "remap-after", NULL },
	.run = run,
);
