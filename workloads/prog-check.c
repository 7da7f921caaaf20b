// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Comparing what was read with what the model holds, and naming what is there
 * instead: each word of data tells the program, file, step and position it was
 * written for.
 */
#include "prog-internal.h"
#include "guest/agent.h"
#include "log.h"

#include <signal.h>
#include <sys/stat.h>

/* What a word says of itself. */
enum origin {
	IS_ZERO,		/* never written, or removed */
	IS_SAME,		/* data of this file and place */
	IS_MOVED,		/* of another place of this file */
	IS_FOREIGN,		/* of another file */
	IS_EARLIER,		/* of another program */
	IS_UNKNOWN,
};
static const char *const origin_words[] = {
	[IS_ZERO] = "zeroes",
	[IS_SAME] = "older data of the same place",
	[IS_MOVED] = "data of another place of the file",
	[IS_FOREIGN] = "data of another file",
	/* Old data of a block, whatever happens to lie there. */
	[IS_EARLIER] = "data that no step wrote",
	[IS_UNKNOWN] = "data that no step wrote",
};

struct found {
	enum origin origin;
	unsigned int file, step;
	uint64_t off;
};

static struct found decode(const struct ino *ino, uint64_t word, uint64_t off)
{
	uint64_t mask = 0xffffull << 48;
	struct found f = {
		.file = word >> 40 & 0xff, .step = word >> 24 & 0xffff,
		.off = (word & 0xffffff) * 8,
	};

	if (!word)
		f.origin = IS_ZERO;
	else if ((word ^ data_word(0, 0, 0)) >> 56)
		f.origin = IS_UNKNOWN;
	else if ((word ^ data_word(0, 0, 0)) & mask)
		f.origin = IS_EARLIER;
	else if (f.file != ino->id)
		f.origin = IS_FOREIGN;
	else
		f.origin = f.off == off ? IS_SAME : IS_MOVED;
	return f;
}

/* The aligned word that byte @i of the @n at @p is in; those at the edges are
 * made up of what is there. @off is the file position of @p. */
static uint64_t word_at(const char *p, uint64_t off, size_t n, size_t i)
{
	uint64_t word = 0;
	int64_t at = (int64_t)i - (int64_t)((off + i) % 8);

	for (int b = 0; b < 8; b++)
		if (at + b >= 0 && at + b < (int64_t)n)
			word |= (uint64_t)(uint8_t)p[at + b] << 8 * b;
	return word;
}

/* --- findings -------------------------------------------------------------------- */

void finding(const char *kind, const char *key, const char *title,
	     const char *text, struct json_object *detail)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "ev", "finding");
	put_str(o, "kind", kind);
	put_str(o, "key", key);
	put_str(o, "title", title);
	put_str(o, "text", text);
	if (detail)
		json_object_object_add(o, "detail", detail);
	log_send(o);
}

static const struct step *step_of(unsigned int nr)
{
	return nr && nr <= ex->prog->n ? &ex->prog->v[nr - 1] : NULL;
}

static const char *op_of(unsigned int nr)
{
	const struct step *s = step_of(nr);

	return s ? s->op->name : "nothing";
}

/* "step 7, `0 pwrite fd=0 off=0 len=0x1000`" */
static void add_step(FILE *f, const char *what, unsigned int nr)
{
	const struct step *s = step_of(nr);
	char line[400];

	if (s)
		fprintf(f, "%s step %u: %s\n", what, nr,
			step_print(s, line, sizeof(line)));
}

static void put_slots(struct json_object *o, const struct ino *ino)
{
	char name[2] = "";
	int fd = -1, map = -1;

	for (int i = NR_SLOTS - 1; i >= 0; i--) {
		if (ex->names[i] == ino)
			name[0] = 'a' + i;
		if (ex->files[i].fd >= 0 && ex->files[i].ino == ino)
			fd = i;
		if (ex->maps[i].p && ex->maps[i].ino == ino)
			map = i;
	}
	put_str(o, "file", name);
	put_num(o, "fd", fd);
	put_num(o, "map", map);
}

/* One finding of a file and view: what follows is mostly the same again. */
static bool is_told(struct ino *ino, const char *view)
{
	unsigned int bit = 1u << (strlen(view) % 31);
	bool told = ino->told & bit;

	ino->told |= bit;
	return told;
}

/* What was read, and what is to be there: the @n bytes of @holds at @at, which
 * is not @off in the copies that a private mapping has of its own. */
struct looked {
	struct lane *l;
	struct ino *ino;
	uint64_t off;
	const char *got;
	const struct content *holds;
	uint64_t at;
	size_t n;
	const char *view;
	int map;		/* slot, or -1 */
	/* When they differ: as bytes, and which of them nobody knows. */
	char *want;
	uint8_t *unsure;
};

/*
 * From byte @i on: as many bytes as differ in the same way, for a reproducer to
 * look at. Words at the edges may be made of two writes, whose positions,
 * program and file look the same: where there are more, they are left out; else
 * it is the one byte that is known to differ.
 */
static void same_way(const struct looked *k, size_t *i, size_t *len)
{
	const struct ino *ino = k->ino;
	uint64_t first = (k->off + *i + 7) / 8 * 8 - k->off, at = first;
	uint64_t mask = 0xffffffffffull << 24, want, got;

	*len = 1;
	if (first + 8 > k->n)
		return;
	want = word_at(k->want, k->off, k->n, first) & mask;
	got = word_at(k->got, k->off, k->n, first) & mask;
	while (at + 8 <= k->n && want != got &&
	       (word_at(k->want, k->off, k->n, at) & mask) == want &&
	       (word_at(k->got, k->off, k->n, at) & mask) == got)
		at += 8;
	/* The last one, too, unless the file ends there. */
	if (at < k->n && k->off + at < ino->size && at > first)
		at -= 8;
	if (at <= first)
		return;
	*i = first;
	*len = at - first;
}

static void tell_data(const struct looked *k, size_t i, struct found f)
{
	const struct ino *ino = k->ino;
	uint64_t ww, at;
	struct found w;
	unsigned int last, now;
	struct json_object *d = json_object_new_object();
	char key[200], title[200], *text = NULL;
	size_t len, size;
	FILE *out;

	now = k->l->step ? k->l->step->nr : ex->prog->n + 1;
	same_way(k, &i, &len);
	at = k->off + i;
	ww = word_at(k->want, k->off, k->n, i);
	w = decode(ino, ww, at / 8 * 8);
	if (len > 1)
		f = decode(ino, word_at(k->got, k->off, k->n, i), at);
	last = ino->last[at / PAGE];
	/* Whoever changed the page last has to answer for what is there. */
	if (w.origin != IS_ZERO)
		last = w.step;
	snprintf(key, sizeof(key), "%s %s: %s for %s of %s", wl->fs, k->view,
		 origin_words[f.origin], w.origin == IS_ZERO ? "zeroes" :
		 "data", op_of(last));
	snprintf(title, sizeof(title), "%s of an %s file has %s where %s of %s are to be",
		 k->view, wl->fs, origin_words[f.origin],
		 w.origin == IS_ZERO ? "zeroes" : "data", op_of(last));
	out = open_memstream(&text, &size);
	fprintf(out, "%s: file %u, size %#llx: %zu bytes from %#llx on: first word %#018llx, not %#018llx\n",
		title, ino->id, (unsigned long long)ino->size, len,
		(unsigned long long)at,
		(unsigned long long)word_at(k->got, k->off, k->n, i),
		(unsigned long long)ww);
	if (f.origin == IS_FOREIGN || f.origin == IS_SAME ||
	    f.origin == IS_MOVED) {
		fprintf(out, "what is there is of file %u, position %#llx\n",
			f.file, (unsigned long long)f.off);
		add_step(out, "written by", f.step);
	} else if (f.origin == IS_EARLIER) {
		fprintf(out, "what is there is of an earlier program\n");
	}
	add_step(out, "what is to be there comes from", last);
	add_step(out, "noticed by", now);
	fclose(out);
	put_slots(d, ino);
	if (k->map >= 0)
		put_num(d, "map", k->map);
	put_str(d, "view", k->view);
	put_num(d, "off", at);
	put_num(d, "len", len);
	put_num(d, "want_step", w.origin == IS_ZERO ? 0 : w.step);
	/* Where the step wrote it: data may have moved since. */
	put_num(d, "want_off", w.origin == IS_ZERO ? at : w.off + at % 8);
	put_num(d, "last_step", last);
	put_num(d, "got_step", f.origin == IS_ZERO ? 0 :
		f.origin == IS_SAME || f.origin == IS_MOVED ||
		f.origin == IS_FOREIGN ? (int)f.step : -1);
	put_num(d, "step", now);
	finding("data", key, title, text, d);
	free(text);
}

/* --- comparing ---------------------------------------------------------------------- */

/*
 * Where nobody can say what is there: at least no data of another file that
 * never came near this one, and none of an earlier program. Whole words only:
 * at the edges of writes two may meet.
 */
static bool may_be(const struct ino *ino, struct found f)
{
	if (ino->shifted)
		return true;
	if (f.origin == IS_FOREIGN)
		return ino->flow >> (f.file & 63) & 1;
	if (f.origin == IS_MOVED)
		return ino->moved;
	return f.origin != IS_EARLIER;
}

/* In a word of two writes, or of one and zeroes, what it says is nobody's: two
 * in a row that say the same are right. */
static bool is_twice(const struct looked *k, size_t i, struct found f)
{
	for (int by = -8; by <= 8; by += 16) {
		struct found g;

		if ((by < 0 && i < 8) || (by > 0 && k->n - i < 16))
			continue;
		g = decode(k->ino, word_at(k->got, k->off, k->n, i + by),
			   (k->off + i + by) / 8 * 8);
		if (g.origin == f.origin && g.file == f.file &&
		    g.step == f.step && g.off == f.off + by)
			return true;
	}
	return false;
}

/* The whole word from byte @i on. */
static bool whole_unsure(const struct looked *k, size_t i, bool all_unsure)
{
	if ((k->off + i) % 8 || k->n - i < 8)
		return false;
	return all_unsure || memcmp(k->unsure + i, "\1\1\1\1\1\1\1\1",
				    8) == 0;
}

static void compare(struct looked *k, bool all_unsure)
{
	struct ino *ino = k->ino;

	for (size_t i = 0; i < k->n; i++) {
		struct found f;

		if (k->got[i] == k->want[i])
			continue;
		f = decode(ino, word_at(k->got, k->off, k->n, i),
			   (k->off + i) / 8 * 8);
		if (all_unsure || k->unsure[i]) {
			if (may_be(ino, f) || (k->off + i) % 8 ||
			    k->n - i < 8 || !is_twice(k, i, f)) {
				if (whole_unsure(k, i, all_unsure))
					i += 7;
				continue;
			}
		} else if (f.origin == IS_SAME && f.step ==
			   (word_at(k->want, k->off, k->n, i) >> 24 & 0xffff) &&
			   (k->off + i) % 8) {
			/* A word of two writes: the byte tells, not it. */
			f.origin = IS_UNKNOWN;
		}
		if (!is_told(ino, k->view))
			tell_data(k, i, f);
		return;
	}
}

/* With the lock held. */
static void check_locked(struct looked *k, bool all_unsure)
{
	uint64_t size = k->ino->size;

	if (k->ino->poisoned || k->off >= size)
		return;
	if (k->n > size - k->off)
		k->n = size - k->off;
	if (content_is(k->holds, k->at, k->got, k->n))
		return;
	k->want = malloc(k->n);
	k->unsure = malloc(k->n);
	content_read(k->holds, k->at, k->n, k->want, k->unsure);
	compare(k, all_unsure);
	free(k->want);
	free(k->unsure);
}

void check_data(struct lane *l, struct span *sp, uint64_t off, const void *got,
		size_t n, const char *view)
{
	check_copy(l, sp, off, got, &sp->ino->holds, off, n, view);
}

void check_copy(struct lane *l, struct span *sp, uint64_t off, const void *got,
		const struct content *want, uint64_t at, size_t n,
		const char *view)
{
	struct looked k = { l, sp->ino, off, got, want, at, n, view, -1 };

	pthread_mutex_lock(&ex->lock);
	if (!(sp->clash && sp->ino->size_unsure))
		check_locked(&k, sp->clash);
	pthread_mutex_unlock(&ex->lock);
}

void check_bytes(struct lane *l, struct span *sp, uint64_t off, const void *got,
		 const void *want, size_t n, const char *view)
{
	struct content c = {};

	content_bytes(&c, off, want, n);
	check_copy(l, sp, off, got, &c, off, n, view);
	content_free(&c);
}

void check_count(struct lane *l, struct span *sp, uint64_t off, uint64_t want,
		 uint64_t got)
{
	struct ino *ino = sp->ino;
	uint64_t left, have;
	char key[120], title[160];

	pthread_mutex_lock(&ex->lock);
	/* Threads may have made it longer than the model goes. */
	left = off < MAX_FILE ? MAX_FILE - off : 0;
	want = want < left ? want : left;
	got = got < left ? got : left;
	left = off < ino->size ? ino->size - off : 0;
	have = want < left ? want : left;
	if (have != got && !sp->clash && !ino->size_unsure &&
	    !ino->poisoned && !is_told(ino, "count")) {
		struct json_object *d = json_object_new_object();

		snprintf(key, sizeof(key), "%s count %s %s", wl->fs,
			 l->step ? l->step->op->name : "read",
			 got < have ? "short" : "long");
		snprintf(title, sizeof(title), "%s at %#llx gives %llu bytes, not %llu, of an %s file of %#llx bytes",
			 l->step ? l->step->op->name : "read(2)",
			 (unsigned long long)off, (unsigned long long)got,
			 (unsigned long long)have, wl->fs,
			 (unsigned long long)ino->size);
		put_slots(d, ino);
		put_str(d, "view", "count");
		put_num(d, "off", off);
		put_num(d, "len", want);
		put_num(d, "count", have);
		put_num(d, "step", l->step ? l->step->nr : ex->prog->n + 1);
		finding("data", key, title, title, d);
	}
	pthread_mutex_unlock(&ex->lock);
}

void check_error(struct lane *l, struct ino *ino, int err)
{
	static const int never[] = { EIO, EUCLEAN, ENODATA, ESHUTDOWN, EFAULT };
	const char *op = l->step ? l->step->op->name : "?";
	char key[120], title[160];

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		struct json_object *d;

		/* EFAULT is right where a mapping ends early. */
		if (never[i] != err || err == EFAULT || ex->poisoned ||
		    (ino && ino->poisoned))
			continue;
		d = json_object_new_object();
		snprintf(key, sizeof(key), "%s error %s %s", wl->fs, op,
			 strerrorname_np(err));
		snprintf(title, sizeof(title), "%s fails on %s: %s", op, wl->fs,
			 strerror(err));
		put_str(d, "view", "error");
		put_num(d, "error", err);
		put_num(d, "step", l->step ? l->step->nr : 0);
		finding("data", key, title, title, d);
	}
}

void check_sigbus(struct lane *l, struct span *sp, uint64_t off)
{
	const char *op = l->step ? l->step->op->name : "a look";
	struct ino *ino = sp->ino;
	char key[120], title[200];

	pthread_mutex_lock(&ex->lock);
	/* The page that the file ends in is still there. */
	if (off < ino->size && !sp->clash && !ino->size_unsure &&
	    !ino->poisoned && !ex->poisoned && !is_told(ino, "SIGBUS")) {
		struct json_object *d = json_object_new_object();

		snprintf(key, sizeof(key), "%s SIGBUS %s", wl->fs, op);
		snprintf(title, sizeof(title), "%s of a mapped %s file gives SIGBUS at %#llx, the file has %#llx bytes",
			 op, wl->fs, (unsigned long long)off,
			 (unsigned long long)ino->size);
		put_slots(d, ino);
		put_str(d, "view", "SIGBUS");
		put_num(d, "off", off);
		put_num(d, "step", l->step ? l->step->nr : ex->prog->n + 1);
		finding("data", key, title, title, d);
	}
	pthread_mutex_unlock(&ex->lock);
}

/* --- everything, when nothing else runs --------------------------------------------- */

static void look_at_size(struct lane *l, struct ino *ino, int fd)
{
	struct stat st;
	char key[80], title[160];
	uint64_t size;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	/* What threads added behind that nobody looks at. */
	size = (uint64_t)st.st_size < MAX_FILE ? (uint64_t)st.st_size :
						 MAX_FILE;
	if (size != ino->size && !ino->size_unsure && !is_told(ino, "size")) {
		struct json_object *d = json_object_new_object();

		snprintf(key, sizeof(key), "%s size", wl->fs);
		snprintf(title, sizeof(title), "fstat of an %s file gives a size of %#llx, not %#llx",
			 wl->fs, (unsigned long long)st.st_size,
			 (unsigned long long)ino->size);
		put_slots(d, ino);
		put_str(d, "view", "size");
		put_num(d, "len", ino->size);
		put_num(d, "step", l->step ? l->step->nr : ex->prog->n + 1);
		finding("data", key, title, title, d);
	}
	if (size < ino->size)
		content_zero(&ino->holds, size, MAX_FILE);
	else if (size > ino->size)
		content_unsure(&ino->holds, ino->size, size);
	ino->size = size;
	ino->size_unsure = false;
}

/* Pieces that nobody knew are what was read. */
static void believe(struct ino *ino, uint64_t off, size_t n, const char *got)
{
	struct content *c = &ino->holds;

	for (unsigned int i = 0; i < c->n; i++) {
		uint64_t from = c->v[i].off > off ? c->v[i].off : off;
		uint64_t end = c->v[i].end < off + n ? c->v[i].end : off + n;

		if (c->v[i].kind != PIECE_UNSURE || from >= end)
			continue;
		content_bytes(c, from, got + (from - off), end - from);
		/* There are others now. */
		i = -1;
	}
}

/* By read(2); where nobody was sure the model believes it. */
static void look_at_file(struct lane *l, struct ino *ino, int fd)
{
	uint64_t off = 0;

	look_at_size(l, ino, fd);
	while (off < ino->size) {
		size_t n = ino->size - off < MiB(1) ? ino->size - off : MiB(1);
		ssize_t got = pread(fd, l->buf, n, off);
		struct looked k = { l, ino, off, l->buf, &ino->holds, off, n,
				    "read(2)", -1 };

		if (got < 0 && errno != EAGAIN)
			check_error(l, ino, errno);
		if (got != (ssize_t)n)
			break;
		check_locked(&k, false);
		believe(ino, off, n, l->buf);
		off += n;
	}
}

static const char *view_of(const struct map *m)
{
	return m->private ? "a private mapping" : "a shared mapping";
}

static void look_at_page(struct lane *l, struct map *m, int slot, size_t at)
{
	bool own = m->own && m->own[at / PAGE];
	struct looked k = { l, m->ino, m->off + at, l->buf,
			    own ? &m->copy : &m->ino->holds,
			    own ? at : m->off + at, PAGE, view_of(m), slot };
	size_t done;
	int sig;

	if (m->own && m->own[at / PAGE] == 2)
		return;
	sig = map_copy_out(l->buf, m->p + at, PAGE, &done);
	if (sig == SIGBUS) {
		struct span *sp = will_read(l, m->ino, k.off, PAGE);

		check_sigbus(l, sp, k.off);
		span_close(sp, 0);
	}
	if (sig)
		return;
	check_locked(&k, false);
}

static void look_at_map(struct lane *l, struct map *m, int slot)
{
	for (size_t at = 0; at < m->len; at += PAGE) {
		if (m->off + at >= m->ino->size)
			break;
		look_at_page(l, m, slot, at);
	}
}

void check_all(struct lane *l)
{
	for (int i = 1; i < 64; i++) {
		struct ino *ino = &ex->inos[i];
		bool own;
		int fd;

		if (!ino->id || !ino->uses || ino->poisoned)
			continue;
		fd = ino_fd(ino, &own);
		if (fd < 0)
			continue;
		if (!own || strcmp(wl->fs, "devdax") != 0)
			look_at_file(l, ino, fd);
		if (own)
			close(fd);
	}
	for (int i = 0; i < NR_SLOTS; i++) {
		struct map *m = &ex->maps[i];

		if (m->p && !m->gone && m->prot & PROT_READ &&
		    !m->ino->poisoned &&
		    !content_is_unsure(&m->ino->holds, 0, MAX_FILE))
			look_at_map(l, m, i);
	}
}
