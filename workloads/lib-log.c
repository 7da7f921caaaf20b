// SPDX-License-Identifier: GPL-2.0-or-later
/* Events of who has which block and who holds what: see log.h. */
#include "workload.h"
#include "log.h"
#include "guest/agent.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MAX_EXTENTS 64
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct log_shared *log_shared;

/* Where a file is mapped, by this process or one that it was forked from. */
static struct mapped {
	uintptr_t start, end;
	off_t off;
	ino_t ino;
} maps[32];
static unsigned int maps_next;

/* What log_touched() told of: nothing to say when it is still so. */
static struct touched {
	uintptr_t at;
	uint64_t dev, len;
} touched[64];
static unsigned int touched_next;

/* Byte 0 of the device in physical memory, and its bytes. */
static uint64_t data_start, data_size;

/* A run of bytes of a file, or of addresses, that are one on the device. */
struct run_of {
	uint64_t from, dev, len;
};

/* --- sending, and what is shared ------------------------------------------- */

void log_lock(pthread_mutex_t *m)
{
	if (pthread_mutex_lock(m) == EOWNERDEAD)
		pthread_mutex_consistent(m);
}

void log_send(struct json_object *o)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN, &len);
	struct iovec iov[2] = {
		{ .iov_base = (char[]){ EVENT_MARK }, .iov_len = 1 },
		{ .iov_base = (char *)text, .iov_len = len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	while (sendmsg(wl_result_fd, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
	json_object_put(o);
}

static uint64_t sysfs_number(const char *path)
{
	char buf[64];

	return read_small(path, buf, sizeof(buf)) > 0 ?
		       strtoull(buf, NULL, 0) : 0;
}

/*
 * The device's place in memory: drivers/nvdimm/pfn_devs.c resource_show() and
 * size_show(), drivers/dax/bus.c resource_show() and size_show(). It stays
 * when the namespace is disabled and enabled.
 */
static void find_device(void)
{
	const char *name = wl->dev ? strrchr(wl->dev, '/') : NULL;
	char dir[100], path[120];

	for (int dax = 0; name && !data_size && dax < 2; dax++) {
		if (dax)
			snprintf(dir, sizeof(dir), "/sys/bus/dax/devices%s",
				 name);
		else
			snprintf(dir, sizeof(dir), "/sys/block%s/device", name);
		snprintf(path, sizeof(path), "%s/resource", dir);
		data_start = sysfs_number(path);
		snprintf(path, sizeof(path), "%s/size", dir);
		data_size = data_start ? sysfs_number(path) : 0;
	}
}

void log_start(void)
{
	pthread_mutexattr_t attr;

	log_shared = SAFE(mmap(NULL, sizeof(*log_shared),
			       PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&log_shared->census, &attr);
	pthread_mutex_init(&log_shared->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	find_device();
}

/* Whether the host knows that these bytes of the file are there; from now on
 * it does. What they push aside is forgotten. */
static bool is_news(ino_t ino, const struct run_of *x)
{
	struct log_shared *s = log_shared;

	for (size_t i = 0; i < ARRAY_LEN(s->told); i++) {
		struct told *t = &s->told[i];

		if (t->ino == ino && x->from >= t->off &&
		    x->from + x->len <= t->off + t->len &&
		    x->dev - x->from == t->dev - t->off)
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(s->told); i++) {
		struct told *t = &s->told[i];

		if ((t->ino == ino && x->from < t->off + t->len &&
		     t->off < x->from + x->len) ||
		    (x->dev < t->dev + t->len && t->dev < x->dev + x->len))
			t->len = 0;
	}
	s->told[s->told_next++ % ARRAY_LEN(s->told)] =
		(struct told){ ino, x->from, x->dev, x->len };
	return true;
}

/* @path as the host names files: below the mount point. */
static void put_file(struct json_object *o, char *path, ino_t ino)
{
	static const char gone[] = " (deleted)";
	size_t len = strlen(path), mnt = wl->mnt ? strlen(wl->mnt) : 0;

	if (len >= sizeof(gone) &&
	    strcmp(path + len - (sizeof(gone) - 1), gone) == 0)
		path[len - (sizeof(gone) - 1)] = '\0';
	if (mnt && strncmp(path, wl->mnt, mnt) == 0 && path[mnt] == '/')
		path += mnt + 1;
	put_str(o, "file", path);
	put_num(o, "ino", ino);
}

static void send_extents(char *path, ino_t ino, const struct run_of *x,
			 size_t n)
{
	struct json_object *list = json_object_new_array(), *o;

	log_lock(&log_shared->lock);
	for (size_t i = 0; i < n; i++)
		if (is_news(ino, &x[i]))
			json_object_array_add(
				list, extent(x[i].from, x[i].dev, x[i].len));
	pthread_mutex_unlock(&log_shared->lock);
	if (!json_object_array_length(list)) {
		json_object_put(list);
		return;
	}
	o = json_object_new_object();
	put_str(o, "ev", "extents");
	put_file(o, path, ino);
	json_object_object_add(o, "extents", list);
	log_send(o);
}

/* --- files ----------------------------------------------------------------- */

static bool seen(ino_t ino, bool add)
{
	struct log_shared *s = log_shared;
	bool ret = false;

	log_lock(&s->lock);
	for (size_t i = 0; i < ARRAY_LEN(s->seen); i++)
		ret |= s->seen[i] == ino;
	if (!ret && add)
		s->seen[s->seen_next++ % ARRAY_LEN(s->seen)] = ino;
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static size_t extents_of(int fd, struct run_of *x)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext[MAX_EXTENTS];
	} fm = {
		.map = {
			.fm_length = FIEMAP_MAX_OFFSET,
			.fm_extent_count = MAX_EXTENTS,
		},
	};
	size_t n = 0;

	if (ioctl(fd, FS_IOC_FIEMAP, &fm) < 0)
		return 0;
	for (unsigned int i = 0; i < fm.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &fm.ext[i];

		if (!(e->fe_flags & (FIEMAP_EXTENT_UNKNOWN |
				     FIEMAP_EXTENT_NOT_ALIGNED)))
			x[n++] = (struct run_of){ e->fe_logical, e->fe_physical,
						  e->fe_length };
	}
	return n;
}

void log_file(int fd)
{
	struct run_of x[MAX_EXTENTS] = { { 0, 0, data_size } };
	char link[64], path[4096];
	struct stat st;
	ssize_t len;
	size_t n = 1;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0 || fstat(fd, &st) < 0)
		return;
	path[len] = '\0';
	if (S_ISREG(st.st_mode))
		n = extents_of(fd, x);
	else if (!S_ISCHR(st.st_mode))
		return;
	seen(st.st_ino, true);
	send_extents(path, st.st_ino, x, n);
}

void log_map(int fd, off_t off, const void *p, size_t len)
{
	uintptr_t start = (uintptr_t)p;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (!seen(st.st_ino, false))
		log_file(fd);
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (maps[i].start < start + len && start < maps[i].end)
			maps[i].end = 0;
	for (size_t i = 0; i < ARRAY_LEN(touched); i++)
		if (touched[i].at < start + len &&
		    start < touched[i].at + touched[i].len)
			touched[i].len = 0;
	maps[maps_next++ % ARRAY_LEN(maps)] =
		(struct mapped){ start, start + len, off, st.st_ino };
}

/* --- mappings --------------------------------------------------------------- */

/* The file mapped at @p, and where in it that is: by the kernel's list. */
static bool look_up(uintptr_t p, char *path, size_t size, ino_t *ino,
		    off_t *off)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char *line = NULL;
	bool found = false;
	size_t cap = 0;

	while (f && !found && getline(&line, &cap, f) > 0) {
		unsigned long start, end, o, inode;
		int at = 0;

		if (sscanf(line, "%lx-%lx %*s %lx %*s %lu %n", &start, &end, &o,
			   &inode, &at) < 4 || p < start || p >= end)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (!inode || !at || !line[at])
			break;
		snprintf(path, size, "%s", line + at);
		*ino = inode;
		*off = o + (p - start);
		found = true;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/*
 * The same from log_map()'s list, if the mapping is still there as it was
 * made; that list is long, and printing it takes a millisecond.
 */
static bool file_at(uintptr_t p, char *path, size_t size, ino_t *ino,
		    off_t *off)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct mapped *m = &maps[i];
		char link[80];
		struct stat st;
		ssize_t len;

		if (p < m->start || p >= m->end)
			continue;
		snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx",
			 m->start, m->end);
		len = readlink(link, path, size - 1);
		if (len < 0 || stat(link, &st) < 0 || st.st_ino != m->ino)
			break;
		path[len] = '\0';
		*ino = m->ino;
		*off = m->off + (p - m->start);
		return true;
	}
	return look_up(p, path, size, ino, off);
}

/*
 * Pages of the device that are mapped in [@p, @p + @len), by addresses, one
 * looked at for each @step bytes. Documentation/admin-guide/mm/pagemap.rst:
 * bit 63 present, bits 0-54 the pfn.
 */
static size_t mapped_pages(uintptr_t p, size_t len, size_t step,
			   struct run_of *x)
{
	int fd = data_size ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) :
			     -1;
	uint64_t e[512];
	size_t n = 0, have = 0, base = 0;

	for (size_t at = 0; fd >= 0 && at < len; at += step) {
		size_t page = at / PAGE;
		uint64_t dev;
		ssize_t got;

		if (page >= base + have) {
			size_t want = step > PAGE ? 1 :
				      len / PAGE - page < ARRAY_LEN(e) ?
						    len / PAGE - page :
						    ARRAY_LEN(e);

			got = pread(fd, e, want * 8, (p / PAGE + page) * 8);
			if (got <= 0)
				break;
			base = page;
			have = got / 8;
		}
		dev = (e[page - base] & ((1ull << 55) - 1)) * PAGE - data_start;
		if (!(e[page - base] >> 63) || dev >= data_size)
			continue;
		if (n && x[n - 1].from + x[n - 1].len == p + at &&
		    x[n - 1].dev + x[n - 1].len == dev)
			x[n - 1].len += step;
		else if (n < MAX_EXTENTS)
			x[n++] = (struct run_of){ p + at, dev, step };
		else
			break;
	}
	if (fd >= 0)
		close(fd);
	return n;
}

int64_t log_page(int pagemap, const void *p)
{
	uint64_t e, dev;

	if (pread(pagemap, &e, 8, (uintptr_t)p / PAGE * 8) != 8 || !(e >> 63))
		return -2;
	if (!data_size)
		return -1;
	dev = (e & ((1ull << 55) - 1)) * PAGE - data_start;
	return dev < data_size ? (int64_t)dev : -1;
}

static bool was_touched(const struct run_of *x)
{
	for (size_t i = 0; i < ARRAY_LEN(touched); i++) {
		const struct touched *t = &touched[i];

		if (x->from >= t->at && x->from + x->len <= t->at + t->len &&
		    x->dev - x->from == t->dev - t->at)
			return true;
	}
	touched[touched_next++ % ARRAY_LEN(touched)] =
		(struct touched){ x->from, x->dev, x->len };
	return false;
}

void log_touched(const void *p, size_t len, size_t step)
{
	struct run_of x[MAX_EXTENTS];
	uintptr_t start = (uintptr_t)p / PAGE * PAGE;
	int saved = errno;
	size_t n = mapped_pages(start, (uintptr_t)p + len - start, step, x);
	bool news = false;
	char path[4096];
	ino_t ino;
	off_t off;

	for (size_t i = 0; i < n; i++)
		news |= !was_touched(&x[i]);
	if (news && file_at(start, path, sizeof(path), &ino, &off)) {
		for (size_t i = 0; i < n; i++)
			x[i].from += off - start;
		send_extents(path, ino, x, n);
	}
	errno = saved;
}

/* --- references ------------------------------------------------------------ */

int log_hold(const char *kind, const void *p, size_t len)
{
	uintptr_t start = (uintptr_t)p / PAGE * PAGE,
		  end = ((uintptr_t)p + len + PAGE - 1) / PAGE * PAGE;
	struct run_of x[MAX_EXTENTS];
	int saved = errno, id;
	size_t n = mapped_pages(start, end - start, PAGE, x);
	struct json_object *o, *list;
	char path[4096];
	ino_t ino;
	off_t off;

	if (!n)
		return 0;
	log_lock(&log_shared->lock);
	id = ++log_shared->hold_id;
	pthread_mutex_unlock(&log_shared->lock);
	o = json_object_new_object();
	list = json_object_new_array();
	put_str(o, "ev", "hold");
	put_num(o, "id", id);
	put_str(o, "kind", kind);
	if (file_at(start, path, sizeof(path), &ino, &off)) {
		put_file(o, path, ino);
		put_num(o, "off", off);
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_new_array();

		json_object_array_add(e, json_object_new_int64(x[i].dev));
		json_object_array_add(e, json_object_new_int64(x[i].len));
		json_object_array_add(list, e);
	}
	json_object_object_add(o, "extents", list);
	log_send(o);
	errno = saved;
	return id;
}

int log_hold_pages(const char *kind, const int64_t *dev, size_t n)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	int id;

	log_lock(&log_shared->lock);
	id = ++log_shared->hold_id;
	pthread_mutex_unlock(&log_shared->lock);
	put_str(o, "ev", "hold");
	put_num(o, "id", id);
	put_str(o, "kind", kind);
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_new_array();

		json_object_array_add(e, json_object_new_int64(dev[i]));
		json_object_array_add(e, json_object_new_int64(PAGE));
		json_object_array_add(list, e);
	}
	json_object_object_add(o, "extents", list);
	log_send(o);
	return id;
}

void log_release(int id)
{
	struct json_object *o;

	if (!id)
		return;
	o = json_object_new_object();
	put_str(o, "ev", "release");
	put_num(o, "id", id);
	log_send(o);
}

static ino_t pipe_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

void log_pipe_hold(int fd, const void *p, size_t len)
{
	struct log_shared *s = log_shared;
	ino_t pipe = pipe_of(fd);
	int id = log_hold("vmsplice", p, len);

	log_lock(&s->lock);
	for (size_t i = 0; id && i < ARRAY_LEN(s->piped); i++)
		if (!s->piped[i].id) {
			s->piped[i] = (struct piped){ pipe, id };
			break;
		}
	pthread_mutex_unlock(&s->lock);
}

void log_pipe_drop(int fd)
{
	struct log_shared *s = log_shared;
	struct piped *first = NULL;
	ino_t pipe = pipe_of(fd);
	int id = 0;

	log_lock(&s->lock);
	for (size_t i = 0; i < ARRAY_LEN(s->piped); i++) {
		struct piped *at = &s->piped[i];

		if (at->id && at->pipe == pipe && (!first || at->id < first->id))
			first = at;
	}
	if (first) {
		id = first->id;
		first->id = 0;
	}
	pthread_mutex_unlock(&s->lock);
	log_release(id);
}
