// SPDX-License-Identifier: GPL-2.0-or-later
/* Fault by store. */
#include "prog.h"

#include <signal.h>

enum { MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	if (!g->map[s->arg[MAP]].writable)
		return false;
	g->map[s->arg[MAP]].touched = true;
	return true;
}

/*
 * A page that was written to is the mapping's own from then on. Nobody can say
 * what is in it while a store is under way (a load then sees either), nor after
 * two at a time: whoever is not alone says so before it stores and after.
 */
static void will_own(struct map *m, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&ex->lock);
	for (size_t page = off / PAGE; page * PAGE < off + len; page++) {
		if (m->users > 1)
			m->own[page] = 2;
		else if (!m->own[page])
			m->own[page] = 3;
	}
	pthread_mutex_unlock(&ex->lock);
}

static void owned(struct lane *l, struct map *m, const struct span *sp,
		  uint64_t off, size_t n)
{
	pthread_mutex_lock(&ex->lock);
	for (size_t at = 0, len; at < n; at += len) {
		size_t page = (off + at) / PAGE;

		len = (page + 1) * PAGE - (off + at);
		if (len > n - at)
			len = n - at;
		if (m->own[page] == 3) {
			memcpy(m->copy + page * PAGE,
			       m->ino->data + m->off + page * PAGE, PAGE);
			/* The copy was made of what was there then. */
			m->own[page] = m->ino->any_unsure ? 2 : 1;
		}
		if (sp->clash || m->users > 1)
			m->own[page] = 2;
		memcpy(m->copy + off + at, l->buf + at, len);
	}
	pthread_mutex_unlock(&ex->lock);
}

static int store_private(struct lane *l, struct map *m, uint64_t off,
			 uint64_t len, size_t *done)
{
	uint64_t first = off / PAGE * PAGE;
	uint64_t end = (off + len + PAGE - 1) / PAGE * PAGE;
	/* All of a page is copied. */
	struct span *sp = will_read(l, m->ino, m->off + first, end - first);
	int sig;

	will_own(m, off, len);
	sig = map_copy_in(m->p + off, l->buf, len, done);
	owned(l, m, sp, off, *done);
	/* What a signal cut short: it may be the mapping's own, or not. */
	pthread_mutex_lock(&ex->lock);
	for (uint64_t page = off / PAGE; page * PAGE < end; page++)
		if (m->own[page] == 3)
			m->own[page] = 2;
	pthread_mutex_unlock(&ex->lock);
	if (sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + *done);
	return sig ? EFAULT : 0;
}

static int store_shared(struct lane *l, struct map *m, uint64_t off,
			uint64_t len, size_t *done)
{
	uint64_t file_off = m->off + off, in_file;
	struct span *sp = will_write(l, m->ino, file_off, len);
	int sig = map_copy_in(m->p + off, l->buf, len, done);

	/* What is stored behind the end of the file is nobody's. */
	in_file = file_off < m->ino->size ? m->ino->size - file_off : 0;
	if (in_file > *done)
		in_file = *done;
	if (in_file)
		model_data(l, sp, file_off, l->buf, in_file);
	else
		model_nothing(sp);
	if (sig == SIGBUS)
		check_sigbus(l, sp, file_off + *done);
	return sig ? EFAULT : 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	size_t done;

	if (!m || off >= m->len || !(m->prot & PROT_WRITE))
		return VOID;
	if (len > m->len - off)
		len = m->len - off;
	data_fill(l->buf, m->ino, s->nr, m->off + off, len);
	return m->own ? store_private(l, m, off, len, &done) :
			store_shared(l, m, off, len, &done);
}

OP(
	.name = "store",
	.help = "store to a mapping",
	.groups = "map",
	.weight = 10,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN } },
	.gen = gen,
	.run = run,
	.c = "store(map$map + $off, '$letter', $len);",
	.c_uses = "store",
	.must = "what is stored to a shared mapping is in the file",
);
