// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps on two files that share extents: see reflink.h. */
#include "workload.h"
#include "log.h"
#include "reflink.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>

struct side {
	const char *name;
	int fd;
	size_t full, len;	/* bytes: at first, now */
	char *want;		/* shared with the peer */
	char *map;
	bool touched;		/* compare it after each step */
	bool wrong, peer_wrong;	/* it was; what follows may come of it */
	struct peer peer;
	bool has_peer;
};

static struct side sides[2];
static char *peer_map[2];	/* in the peer only */
static uint64_t seed = 1;

#define FOR_BOTH(step) [step##_A] = #step " A", [step##_B] = #step " B"
static const char *const names[] = {
	[CLONE] = "CLONE", [CLONE_BACK] = "CLONE_BACK",
	[CLONE_PART] = "CLONE_PART", [DEDUPE] = "DEDUPE", [COPY] = "COPY",
	FOR_BOTH(MAP), FOR_BOTH(RO), FOR_BOTH(PEER), FOR_BOTH(LOAD),
	FOR_BOTH(STORE), FOR_BOTH(FILL), FOR_BOTH(PEER_STORE),
	FOR_BOTH(WRITE), FOR_BOTH(WRITE_PAGE), FOR_BOTH(WRITE_PART),
	FOR_BOTH(WRITE_OVER), FOR_BOTH(PUNCH), FOR_BOTH(ZERO),
	FOR_BOTH(UNSHARE), FOR_BOTH(CUT), FOR_BOTH(CUT_PART), FOR_BOTH(GROW),
	FOR_BOTH(SYNC), FOR_BOTH(UNMAP), FOR_BOTH(UNLINK),
};

static int peer_do_map(void *arg)
{
	struct side *s = arg;
	char *p = dax_map(s->fd, 0, s->full, PROT_READ | PROT_WRITE);

	peer_map[s - sides] = p;
	return memcmp(p, s->want, s->len) != 0;
}

/* First wrong byte, plus one. */
static int peer_compare(void *arg)
{
	struct side *s = arg;
	const char *p = peer_map[s - sides];

	for (size_t off = 0; off < s->full; off += PAGE)
		if (memcmp(p + off, s->want + off, PAGE) != 0)
			return off + 1;
	return 0;
}

static int peer_do_store(void *arg)
{
	struct side *s = arg;
	char *p = peer_map[s - sides];

	return !try_copy(p, s->want, PAGE, 2) ||
	       !try_copy(p + s->full - PAGE, s->want + s->full - PAGE, PAGE, 2);
}

static void fresh(struct side *s, size_t off, size_t len)
{
	fill(s->want + off, len, ++seed, off);
}

static void store(struct side *s, size_t off, size_t len)
{
	fresh(s, off, len);
	CHECK(try_copy(s->map + off, s->want + off, len, 2),
	      "%s: a store to its mapping at %#zx ends", s->name, off);
}

static void write_at(struct side *s, size_t off, size_t len)
{
	if (SAFE(pwrite(s->fd, s->want + off, len, off)) != (ssize_t)len)
		BROKEN("%s: short write", s->name);
}

static void clone_range(struct side *from, struct side *to, size_t off,
			size_t len)
{
	struct file_clone_range r = {
		.src_fd = from->fd,
		.src_offset = off,
		.src_length = len,
		.dest_offset = off,
	};

	if (ioctl(to->fd, FICLONERANGE, &r) < 0) {
		if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL)
			SKIP("no reflink between DAX files here: %s",
			     strerror(errno));
		BROKEN("FICLONERANGE: %s", strerror(errno));
	}
	memcpy(to->want + off, from->want + off, len);
}

static void dedupe(struct side *from, struct side *to)
{
	struct {
		struct file_dedupe_range r;
		struct file_dedupe_range_info i;
	} d = {
		.r = { .src_length = from->len, .dest_count = 1 },
		.i = { .dest_fd = to->fd },
	};

	memcpy(to->want, from->want, from->len);
	write_at(to, 0, to->len);
	SAFE(fsync(to->fd));
	if (ioctl(from->fd, FIDEDUPERANGE, &d) < 0)
		BROKEN("FIDEDUPERANGE: %s", strerror(errno));
	if (d.i.status == -EOPNOTSUPP || d.i.status == -EINVAL)
		SKIP("no dedupe of DAX files here: %s", strerror(-d.i.status));
	CHECK(d.i.status == FILE_DEDUPE_RANGE_SAME,
	      "dedupe finds the same data the same (%d)", d.i.status);
	CHECK(d.i.status != FILE_DEDUPE_RANGE_SAME ||
	      d.i.bytes_deduped == from->len, "and shares all of it");
}

static void copy(struct side *from, struct side *to)
{
	off_t in = 0, out = 0;

	while ((size_t)in < from->len)
		if (SAFE(copy_file_range(from->fd, &in, to->fd, &out,
					 from->len - in, 0)) == 0)
			BROKEN("copy_file_range copies nothing");
	memcpy(to->want, from->want, from->len);
}

static void change_size(struct side *s, size_t len)
{
	SAFE(ftruncate(s->fd, len));
	if (len < s->full)
		memset(s->want + len, 0, s->full - len);
	s->len = len;
}

static void map(struct side *s, int prot)
{
	s->map = dax_map(s->fd, 0, s->full, prot);
	s->touched = false;
}

static void unmap(struct side *s)
{
	SAFE(munmap(s->map, s->full));
	s->map = NULL;
	s->touched = false;
}

/* What is done to one file; the table above pairs the steps up. */
static void one(enum reflink_step step, struct side *s)
{
	size_t mid = s->full / 2;

	switch (step) {
	case MAP_A:
		map(s, PROT_READ | PROT_WRITE);
		break;
	case RO_A:
		map(s, PROT_READ);
		break;
	case PEER_A:
		if (!s->has_peer)
			peer_start(&s->peer);
		s->has_peer = true;
		CHECK(peer_call(&s->peer, peer_do_map, s) == 0,
		      "the other process reads what %s holds", s->name);
		break;
	case LOAD_A:
		/* Nothing can be said of PMDs once blocks are shared. */
		if (seed == 1)
			touch_read(s->map, s->full);
		s->touched = true;
		break;
	case STORE_A:
		store(s, 0, PAGE);
		store(s, s->full - PAGE, PAGE);
		s->touched = true;
		break;
	case FILL_A:
		store(s, 0, s->full);
		s->touched = true;
		break;
	case PEER_STORE_A:
		fresh(s, 0, PAGE);
		fresh(s, s->full - PAGE, PAGE);
		CHECK(!peer_call(&s->peer, peer_do_store, s),
		      "%s: stores of the other process end", s->name);
		break;
	case WRITE_A:
		fresh(s, 0, s->full);
		write_at(s, 0, s->full);
		break;
	case WRITE_PAGE_A:
		fresh(s, PAGE, PAGE);
		write_at(s, PAGE, PAGE);
		break;
	case WRITE_PART_A:
		/* Around and inside: the rest of the block has to be copied. */
		fresh(s, 304, 104);
		write_at(s, 304, 104);
		fresh(s, mid - 8, 16);
		write_at(s, mid - 8, 16);
		fresh(s, s->full - 48, 48);
		write_at(s, s->full - 48, 48);
		break;
	case WRITE_OVER_A:
		fresh(s, mid - PAGE / 2, PAGE);
		write_at(s, mid - PAGE / 2, PAGE);
		break;
	case PUNCH_A:
		memset(s->want, 0, PAGE);
		SAFE(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, PAGE));
		break;
	case ZERO_A:
		memset(s->want + mid - 200, 0, 400);
		SAFE(fallocate(s->fd, FALLOC_FL_ZERO_RANGE, mid - 200, 400));
		break;
	case UNSHARE_A:
		if (fallocate(s->fd, FALLOC_FL_UNSHARE_RANGE, 0, s->full) < 0)
			SKIP("no unsharing here: %s", strerror(errno));
		break;
	case CUT_A:
		change_size(s, 0);
		if (s->map)
			CHECK(try_access(s->map, false) == SIGBUS,
			      "%s: SIGBUS beyond its end", s->name);
		s->touched = false;
		break;
	case CUT_PART_A:
		change_size(s, wl->unit / 2 + 100);
		s->touched = false;
		break;
	case GROW_A:
		change_size(s, s->full);
		s->touched = s->map;
		break;
	case SYNC_A:
		SAFE(fsync(s->fd));
		break;
	case UNMAP_A:
		unmap(s);
		break;
	case UNLINK_A:
		if (s->map)
			unmap(s);
		SAFE(unlink(s->name));
		SAFE(close(s->fd));
		s->fd = -1;
		break;
	default:
		BROKEN("%s: not a step of one file", names[step]);
	}
}

static void take(enum reflink_step step)
{
	struct side *a = &sides[0], *b = &sides[1];

	switch (step) {
	case CLONE:
		clone_range(a, b, 0, a->len);
		break;
	case CLONE_BACK:
		clone_range(b, a, 0, b->len);
		break;
	case CLONE_PART:
		clone_range(a, b, wl->unit, wl->unit);
		break;
	case DEDUPE:
		dedupe(a, b);
		break;
	case COPY:
		copy(a, b);
		break;
	default:
		/* A's steps are even to MAP_A, each B's follows its A's. */
		if ((step - MAP_A) % 2)
			one(step - 1, b);
		else
			one(step, a);
	}
}

static void compare(struct side *s, enum reflink_step after)
{
	int bad;

	if (s->fd < 0)
		return;
	/* For the census: the blocks that a fault has given it. */
	if (s->touched)
		log_touched(s->map, s->len, wl->unit);
	if (!s->wrong)
		s->wrong = !CHECK_DATA(s->fd, s->touched ? s->map : NULL,
				       s->want, s->len, "%s after %s", s->name,
				       names[after]);
	if (!s->has_peer || s->len < s->full || s->peer_wrong)
		return;
	bad = peer_call(&s->peer, peer_compare, s);
	s->peer_wrong = bad;
	CHECK(!bad, "%s in the other process after %s: %s (%#x)", s->name,
	      names[after], bad ? "wrong data" : "right", bad ? bad - 1 : 0);
}

static void side_new(struct side *s, const char *name)
{
	s->name = name;
	/* A boundary between the two units for what works across extents. */
	s->full = s->len = 2 * wl->unit;
	s->fd = dax_file(name, s->full, name[0]);
	s->want = buffer_shared(s->full);
	fill(s->want, s->full, name[0], 0);
}

static int unlink_both(void *arg)
{
	for (int i = 0; i < 2; i++)
		if (unlink(sides[i].name) < 0 && errno != ENOENT)
			return errno;
	return 0;
}

/* What was miscounted until now comes out when the inodes are evicted: that is
 * to happen in this case, and in a process that may die of it. */
static void remove_both(void)
{
	struct attempt a;
	int ret = -1;
	bool ok;

	for (int i = 0; i < 2; i++) {
		struct side *s = &sides[i];

		if (s->has_peer)
			peer_end(&s->peer);
		if (s->map)
			unmap(s);
		if (s->fd >= 0)
			SAFE(close(s->fd));
		s->fd = -1;
	}
	attempt_start(&a, "unlink", unlink_both, NULL);
	ok = attempt_wait(&a, 5, &ret);
	CHECK(ok && ret == 0, "both files can be removed%s%s",
	      ok ? "" : ": it died, or sleeps in ",
	      ok ? "" : attempt_where(&a));
	attempt_end(&a);
}

void reflink_pair(const enum reflink_step *steps)
{
	side_new(&sides[0], "A");
	side_new(&sides[1], "B");
	for (const enum reflink_step *s = steps; *s != END; s++) {
		take(*s);
		compare(&sides[0], *s);
		compare(&sides[1], *s);
	}
}

void reflink_run(const struct reflink_variant *v)
{
	while (v->name && strcmp(v->name, wl->variant) != 0)
		v++;
	if (!v->name)
		BROKEN("no such variant");
	reflink_pair(v->steps);
	remove_both();
}
