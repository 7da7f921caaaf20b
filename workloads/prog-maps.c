// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a mapping holds: the file's data, or, of a private one, copies that it
 * made of pages when they were stored to. Copies are known as long as one step
 * at a time may make or drop some of that mapping, and nobody changes the page
 * of the file that is being copied.
 */
#include "prog-internal.h"

static struct span *through(struct map *m, struct span *sp, bool copying)
{
	pthread_mutex_lock(&ex->lock);
	sp->map = m;
	sp->copies = m->copies;
	sp->copying = copying;
	if (copying) {
		m->copies++;
		m->mixed |= m->copiers++ > 0;
	}
	pthread_mutex_unlock(&ex->lock);
	return sp;
}

struct span *map_will_load(struct lane *l, struct map *m, uint64_t off,
			   uint64_t len)
{
	return through(m, will_read(l, m->ino, m->off + off, len), false);
}

struct span *map_will_copy(struct lane *l, struct map *m, uint64_t off,
			   uint64_t len)
{
	uint64_t first = off / PAGE * PAGE, end = off + len + PAGE - 1;

	return through(m, will_read(l, m->ino, m->off + first,
				    end / PAGE * PAGE - first), m->own);
}

struct span *map_will_store(struct lane *l, struct map *m, uint64_t off,
			    uint64_t len)
{
	if (m->own)
		return map_will_copy(l, m, off, len);
	return through(m, will_write(l, m->ino, m->off + off, len), false);
}

/* Up to the end of the page, or @n. */
static size_t in_page(uint64_t off, size_t n)
{
	size_t left = PAGE - off % PAGE;

	return left < n ? left : n;
}

void map_loaded(struct lane *l, struct span *sp, uint64_t off, const void *got,
		size_t n, const char *view)
{
	struct map *m = sp->map;
	const char *p = got;
	bool still;

	if (!m->own) {
		check_data(l, sp, m->off + off, got, n,
			   view ?: "a shared mapping");
		return;
	}
	for (size_t at = 0, len; at < n; at += len) {
		uint8_t own;

		len = in_page(off + at, n - at);
		pthread_mutex_lock(&ex->lock);
		still = !m->copiers && m->copies == sp->copies;
		own = m->own[(off + at) / PAGE];
		pthread_mutex_unlock(&ex->lock);
		if (!still)
			return;
		if (own == 2)
			continue;
		if (own)
			check_copy(l, sp, m->off + off + at, p + at, &m->copy,
				   off + at, len, view ?: "a private mapping");
		else
			check_data(l, sp, m->off + off + at, p + at, len,
				   view ?: "a private mapping");
	}
}

/* The page at @page becomes a copy of what the file has there. With the lock
 * held, as the next. */
static void copied(struct span *sp, size_t page)
{
	struct map *m = sp->map;
	const struct ino *ino = sp->ino;
	uint64_t at = m->off + page * PAGE;

	if (m->own[page])
		return;
	content_copy(&m->copy, page * PAGE, &ino->holds, at, PAGE);
	/* What is behind the end of the file in its last page is nobody's. */
	m->own[page] = at + PAGE > ino->size || ino->size_unsure ||
		       content_is_unsure(&ino->holds, at, at + PAGE) ? 2 : 1;
}

/* Nobody can say of these pages whether they are copies, and of what. */
static void in_doubt(struct map *m, uint64_t off, uint64_t end)
{
	for (size_t page = off / PAGE; page * PAGE < end; page++)
		m->own[page] = 2;
}

static bool is_doubtful(const struct span *sp)
{
	return sp->clash || sp->map->mixed;
}

static void stored_private(struct span *sp, uint64_t off, const char *from,
			   size_t done, bool partly)
{
	struct map *m = sp->map;
	uint64_t end = off + done;

	pthread_mutex_lock(&ex->lock);
	if (is_doubtful(sp)) {
		in_doubt(m, off, end);
	} else {
		for (size_t at = 0, len; at < done; at += len) {
			len = in_page(off + at, done - at);
			copied(sp, (off + at) / PAGE);
			content_bytes(&m->copy, off + at, from + at, len);
		}
	}
	if (partly)
		in_doubt(m, end, end + 1);
	pthread_mutex_unlock(&ex->lock);
}

void map_stored(struct lane *l, struct span *sp, uint64_t off,
		const void *from, size_t done, bool partly)
{
	struct map *m = sp->map;
	uint64_t at = m->off + off, n = 0;

	if (m->own) {
		stored_private(sp, off, from, done, partly);
		return;
	}
	/* What is stored behind the end of the file is nobody's. */
	if (at < sp->ino->size)
		n = sp->ino->size - at;
	if (n > done)
		n = done;
	if (n)
		model_data(l, sp, at, from, n);
	if (partly)
		model_unsure(l, sp, at + done, in_page(off + done, PAGE));
	else if (!n)
		model_nothing(sp);
}

void map_unknown(struct lane *l, struct span *sp, uint64_t off, uint64_t len)
{
	if (!sp->map->own) {
		model_unsure(l, sp, sp->map->off + off, len);
		return;
	}
	pthread_mutex_lock(&ex->lock);
	in_doubt(sp->map, off, off + len);
	pthread_mutex_unlock(&ex->lock);
}

void map_faulted(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		 bool sure)
{
	struct map *m = sp->map;

	if (!m->own) {
		model_same(l, sp, m->off + off, len, false);
		return;
	}
	pthread_mutex_lock(&ex->lock);
	if (!sure || is_doubtful(sp))
		in_doubt(m, off, off + len);
	else
		for (size_t page = off / PAGE; page * PAGE < off + len; page++)
			copied(sp, page);
	pthread_mutex_unlock(&ex->lock);
}

void map_dropped(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		 bool sure)
{
	struct map *m = sp->map;

	if (!m->own)
		return;
	pthread_mutex_lock(&ex->lock);
	sure = sure && !m->mixed;
	for (size_t page = off / PAGE; page * PAGE < off + len; page++)
		m->own[page] = sure ? 0 : m->own[page] ? 2 : 0;
	pthread_mutex_unlock(&ex->lock);
}
