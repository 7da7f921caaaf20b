// SPDX-License-Identifier: GPL-2.0-or-later
#include "owners.h"

#include <math.h>
#include <string.h>

/* What is kept of a guest that makes up files; the oldest is forgotten. */
#define MAX_NOW ((size_t)1 << 16)
#define MAX_PAST ((size_t)1 << 16)
#define MAX_REFS ((size_t)1 << 14)
#define MAX_FILES ((size_t)1 << 14)
/* Bytes of a name; offsets beyond are nonsense, and sums stay in range. */
#define MAX_NAME 512
#define MAX_OFF ((uint64_t)1 << 60)

struct owner_file {
	unsigned int ns;
	uint64_t ino;
	char *name, *case_name;
};

struct owner_ext {
	unsigned int file;	/* index of owners.files */
	unsigned int ns;
	uint64_t off, dev, len;
	double since, until;
};

struct owner_ref {
	unsigned int ns;
	int64_t id;
	char *kind, *file, *case_name;
	uint64_t off, dev, len;
	double since, until;
};

static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap * 2 + 16;
	return xrealloc(v, *cap * size);
}

/* --- events ----------------------------------------------------------------------- */

static char *text(struct json_object *ev, const char *key)
{
	struct json_object *v;
	const char *s;

	if (!json_object_object_get_ex(ev, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	s = json_object_get_string(v);
	return printable(s, strnlen(s, MAX_NAME), false);
}

/* A member, or an element of an array, that may be anything. */
static uint64_t number(struct json_object *v)
{
	int64_t n = json_object_is_type(v, json_type_int) ?
			    json_object_get_int64(v) : -1;

	return n < 0 || (uint64_t)n > MAX_OFF ? MAX_OFF : (uint64_t)n;
}

static uint64_t member(struct json_object *ev, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(ev, key, &v) ? number(v) : MAX_OFF;
}

/* Numbers @n of element @i of the event's extents. */
static bool extent(struct json_object *list, size_t i, uint64_t *v, size_t n)
{
	struct json_object *e = json_object_array_get_idx(list, i);

	if (!json_object_is_type(e, json_type_array) ||
	    json_object_array_length(e) < n)
		return false;
	for (size_t k = 0; k < n; k++) {
		v[k] = number(json_object_array_get_idx(e, k));
		if (v[k] >= MAX_OFF)
			return false;
	}
	return v[n - 1] > 0;
}

static struct json_object *extents(struct json_object *ev)
{
	struct json_object *list;

	return json_object_object_get_ex(ev, "extents", &list) &&
			       json_object_is_type(list, json_type_array) ?
		       list : NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The file's number; -1: there are too many. Inodes come again, in another
 * case or under another name: that is another file. */
static int file_of(struct owners *o, unsigned int ns, struct json_object *ev)
{
	_free_ char *name = text(ev, "file"), *case_name = text(ev, "case");
	uint64_t ino = member(ev, "ino");

	if (!name)
		return -1;
	for (size_t i = o->nr_files; i-- > 0;) {
		const struct owner_file *f = &o->files[i];

		/* All of a file's blocks come without the case. */
		if (f->ino == ino && f->ns == ns && same(f->name, name) &&
		    (!case_name || same(f->case_name, case_name)))
			return i;
	}
	if (o->nr_files == MAX_FILES) {
		o->dropped++;
		return -1;
	}
	o->files = grown(o->files, o->nr_files, &o->cap_files,
			 sizeof(*o->files));
	o->files[o->nr_files] = (struct owner_file){
		ns, ino, take_ptr(name), take_ptr(case_name),
	};
	return o->nr_files++;
}

/* --- extents -------------------------------------------------------------------- */

static void push_now(struct owners *o, const struct owner_ext *x)
{
	if (o->nr_now == MAX_NOW) {
		o->dropped++;
		return;
	}
	o->now = grown(o->now, o->nr_now, &o->cap_now, sizeof(*o->now));
	o->now[o->nr_now++] = *x;
}

/* It ends now. */
static void push_past(struct owners *o, struct owner_ext x)
{
	if (o->nr_past == MAX_PAST) {
		o->nr_past /= 2;
		memmove(o->past, o->past + o->nr_past,
			o->nr_past * sizeof(*o->past));
		o->dropped += o->nr_past;
	}
	x.until = o->t;
	o->past = grown(o->past, o->nr_past, &o->cap_past, sizeof(*o->past));
	o->past[o->nr_past++] = x;
}

/* Bytes @from..@from+@len of extent @i are no longer its: they become a past
 * one, what is left goes on. */
static void cut(struct owners *o, size_t i, uint64_t from, uint64_t len)
{
	struct owner_ext x = o->now[i], part = x;
	uint64_t before = from, after = x.len - from - len;

	o->now[i] = o->now[--o->nr_now];
	part.off += from;
	part.dev += from;
	part.len = len;
	push_past(o, part);
	if (before) {
		part = x;
		part.len = before;
		push_now(o, &part);
	}
	if (after) {
		part = x;
		part.off += from + len;
		part.dev += from + len;
		part.len = after;
		push_now(o, &part);
	}
}

/* Where @a..@a+@alen lies in @b..@b+@blen, from @b on. */
static bool overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen,
		    uint64_t *from, uint64_t *len)
{
	uint64_t start = a > b ? a : b;
	uint64_t end = a + alen < b + blen ? a + alen : b + blen;

	if (start >= end)
		return false;
	*from = start - b;
	*len = end - start;
	return true;
}

/* A block has one owner, and a byte of a file one block. */
static void add_extent(struct owners *o, const struct owner_ext *x)
{
	uint64_t from, len;

	for (size_t i = 0; i < o->nr_now;) {
		const struct owner_ext *e = &o->now[i];
		bool is_file = e->file == x->file;

		if (is_file && x->dev - e->dev == x->off - e->off &&
		    x->dev >= e->dev && x->dev + x->len <= e->dev + e->len)
			return;
		if (e->ns == x->ns &&
		    (overlap(x->dev, x->len, e->dev, e->len, &from, &len) ||
		     (is_file && overlap(x->off, x->len, e->off, e->len, &from,
					 &len))))
			/* What is left of it is at the end: not met again, as
			 * it overlaps no more, or met and cut once more. */
			cut(o, i, from, len);
		else
			i++;
	}
	push_now(o, x);
}

static void end_file(struct owners *o, unsigned int file,
		     struct json_object *but)
{
	for (size_t i = 0; i < o->nr_now;) {
		const struct owner_ext *e = &o->now[i];
		bool stays = e->file != file;
		uint64_t v[3];

		for (size_t k = 0; !stays && k < json_object_array_length(but);
		     k++)
			stays = extent(but, k, v, 3) && e->off >= v[0] &&
				e->off + e->len <= v[0] + v[2] &&
				e->dev - e->off == v[1] - v[0];
		if (stays)
			i++;
		else
			cut(o, i, 0, e->len);
	}
}

static void take_extents(struct owners *o, unsigned int ns,
			 struct json_object *ev, bool whole)
{
	struct json_object *list = extents(ev);
	int file = list ? file_of(o, ns, ev) : -1;
	uint64_t v[3];

	if (file < 0)
		return;
	if (whole)
		end_file(o, file, list);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (extent(list, i, v, 3))
			add_extent(o, &(struct owner_ext){
				.file = file, .ns = ns, .off = v[0],
				.dev = v[1], .len = v[2], .since = o->t,
				.until = INFINITY,
			});
}

/* --- references ----------------------------------------------------------------- */

static void free_ref(struct owner_ref *r)
{
	free(r->kind);
	free(r->file);
	free(r->case_name);
}

static void take_hold(struct owners *o, unsigned int ns, struct json_object *ev)
{
	struct json_object *list = extents(ev);
	uint64_t off = member(ev, "off"), v[2];

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		if (!extent(list, i, v, 2))
			continue;
		if (o->nr_refs == MAX_REFS) {
			size_t half = MAX_REFS / 2;

			for (size_t k = 0; k < half; k++)
				free_ref(&o->refs[k]);
			memmove(o->refs, o->refs + half,
				half * sizeof(*o->refs));
			o->nr_refs = half;
			o->dropped += half;
		}
		o->refs = grown(o->refs, o->nr_refs, &o->cap_refs,
				sizeof(*o->refs));
		o->refs[o->nr_refs++] = (struct owner_ref){
			.ns = ns, .id = member(ev, "id"),
			.kind = text(ev, "kind"), .file = text(ev, "file"),
			.case_name = text(ev, "case"),
			.off = off < MAX_OFF ? off : 0, .dev = v[0],
			.len = v[1], .since = o->t, .until = INFINITY,
		};
		off += off < MAX_OFF ? v[1] : 0;
	}
}

static void take_release(struct owners *o, struct json_object *ev)
{
	_free_ char *case_name = text(ev, "case");
	int64_t id = member(ev, "id");

	for (size_t i = 0; i < o->nr_refs; i++) {
		struct owner_ref *r = &o->refs[i];

		if (isinf(r->until) && r->id == id &&
		    same(r->case_name, case_name))
			r->until = o->t;
	}
}

void owners_add(struct owners *o, unsigned int ns, struct json_object *ev)
{
	struct json_object *v;
	const char *name;

	if (!json_object_is_type(ev, json_type_object))
		return;
	name = json_object_object_get_ex(ev, "ev", &v) ?
		       json_object_get_string(v) : NULL;
	if (!name || strcmp(name, "extents") == 0)
		take_extents(o, ns, ev, !name);
	else if (strcmp(name, "hold") == 0)
		take_hold(o, ns, ev);
	else if (strcmp(name, "release") == 0)
		take_release(o, ev);
}

static bool is_of(const char *said, const char *case_name)
{
	return !said || same(said, case_name);
}

void owners_gone_case(struct owners *o, const char *case_name)
{
	for (size_t i = 0; i < o->nr_now;)
		if (is_of(o->files[o->now[i].file].case_name, case_name))
			cut(o, i, 0, o->now[i].len);
		else
			i++;
	for (size_t i = 0; i < o->nr_refs; i++)
		if (isinf(o->refs[i].until) &&
		    is_of(o->refs[i].case_name, case_name))
			o->refs[i].until = o->t;
}

void owners_gone(struct owners *o, unsigned int ns)
{
	for (size_t i = 0; i < o->nr_now;)
		if (o->now[i].ns == ns)
			cut(o, i, 0, o->now[i].len);
		else
			i++;
	for (size_t i = 0; i < o->nr_refs; i++)
		if (isinf(o->refs[i].until) && o->refs[i].ns == ns)
			o->refs[i].until = o->t;
}

void owners_free(struct owners *o)
{
	for (size_t i = 0; i < o->nr_files; i++) {
		free(o->files[i].name);
		free(o->files[i].case_name);
	}
	for (size_t i = 0; i < o->nr_refs; i++)
		free_ref(&o->refs[i]);
	free(o->now);
	free(o->past);
	free(o->refs);
	free(o->files);
	*o = (struct owners){};
}

/* --- questions ------------------------------------------------------------------ */

static bool has(const struct owner_ext *x, unsigned int ns, uint64_t dev,
		double t)
{
	return x->ns == ns && dev >= x->dev && dev - x->dev < x->len &&
	       x->since <= t;
}

const struct owner *owners_find_at(struct owners *o, unsigned int ns,
				   uint64_t dev, double t)
{
	const struct owner_ext *best = NULL;
	const struct owner_file *f;

	for (size_t i = 0; i < o->nr_now && !best; i++)
		if (has(&o->now[i], ns, dev, t))
			best = &o->now[i];
	/* The last to end, of those that had it at all by then. */
	for (size_t i = o->nr_past; i-- > 0 && !best;)
		if (has(&o->past[i], ns, dev, t))
			best = &o->past[i];
	if (!best)
		return NULL;
	f = &o->files[best->file];
	o->found = (struct owner){
		.file = f->name, .case_name = f->case_name, .ino = f->ino,
		.off = best->off + (dev - best->dev), .since = best->since,
		.until = best->until,
		.is_now = isinf(best->until) || t < best->until,
	};
	return &o->found;
}

const struct owner *owners_find(struct owners *o, unsigned int ns, uint64_t dev)
{
	return owners_find_at(o, ns, dev, INFINITY);
}

const struct owner_hold *owners_hold_at(struct owners *o, unsigned int ns,
					uint64_t dev, double t)
{
	for (size_t i = o->nr_refs; i-- > 0;) {
		const struct owner_ref *r = &o->refs[i];

		if (r->ns != ns || dev < r->dev || dev - r->dev >= r->len ||
		    t < r->since || t >= r->until)
			continue;
		o->held = (struct owner_hold){
			.kind = r->kind ? r->kind : "?", .file = r->file,
			.case_name = r->case_name,
			.off = r->off + (dev - r->dev), .since = r->since,
			.until = r->until,
		};
		return &o->held;
	}
	return NULL;
}
