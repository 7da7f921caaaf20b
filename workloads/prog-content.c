// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog-internal.h"

/* --- words of data --------------------------------------------------------------- */

#define DATA_MAGIC 0xd5ull

/* magic:8 nonce:8 file:8 step:16 position/8:24, so that a word mixed of two
 * writes of one program at any byte still tells file and program. */
uint64_t data_word(unsigned int file, unsigned int step, uint64_t off)
{
	return DATA_MAGIC << 56 | (uint64_t)(ex->nonce & 0xff) << 48 |
	       (uint64_t)(file & 0xff) << 40 | (uint64_t)(step & 0xffff) << 24 |
	       (off / 8 & 0xffffff);
}

/* Two words at a time, wherever they are. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(1), may_alias));

static void fill_words(char *p, uint64_t word, size_t n)
{
	pair w = { word, word + 1 }, two = { 2, 2 };

	for (; n >= 8; n -= 8, p += 64) {
		pair *to = (pair *)p;

		to[0] = w;
		to[1] = w += two;
		to[2] = w += two;
		to[3] = w += two;
		w += two;
	}
	for (word = w[0]; n; n--, p += 8, word++)
		memcpy(p, &word, 8);
}

static bool same_words(const char *p, uint64_t word, size_t n)
{
	pair w = { word, word + 1 }, two = { 2, 2 };
	uint64_t got;

	for (; n >= 8; n -= 8, p += 64) {
		const pair *at = (const pair *)p;
		pair diff = at[0] ^ w;

		diff |= at[1] ^ (w += two);
		diff |= at[2] ^ (w += two);
		diff |= at[3] ^ (w += two);
		w += two;
		if (diff[0] | diff[1])
			return false;
	}
	for (word = w[0]; n; n--, p += 8, word++) {
		memcpy(&got, p, 8);
		if (got != word)
			return false;
	}
	return true;
}

static bool all_zero(const char *p, size_t n)
{
	for (; n >= 64; n -= 64, p += 64) {
		const pair *at = (const pair *)p;
		pair any = at[0] | at[1] | at[2] | at[3];

		if (any[0] | any[1])
			return false;
	}
	while (n)
		if (p[--n])
			return false;
	return true;
}

/* MAX_FILE / 8 has 20 bits: the position never carries. */
static void put_data(char *to, unsigned int file, unsigned int step, uint64_t off,
		 size_t len)
{
	uint64_t word = data_word(file, step, off);
	size_t head = -off % 8 < len ? -off % 8 : len, words;

	if (head) {
		memcpy(to, (char *)&word + off % 8, head);
		word++;
	}
	words = (len - head) / 8;
	fill_words(to + head, word, words);
	word += words;
	memcpy(to + head + words * 8, &word, (len - head) % 8);
}

void data_fill(void *p, const struct ino *ino, unsigned int step, uint64_t off,
	       size_t len)
{
	put_data(p, ino->id, step, off, len);
}

static bool is_data(const char *p, const struct piece *x, uint64_t at,
		    size_t len)
{
	uint64_t word = data_word(x->file, x->step, at);
	size_t head = -at % 8 < len ? -at % 8 : len, words;

	if (head && memcmp(p, (char *)&word + at % 8, head) != 0)
		return false;
	word += head != 0;
	words = (len - head) / 8;
	return same_words(p + head, word, words) &&
	       (word += words,
		memcmp(p + head + words * 8, &word, (len - head) % 8) == 0);
}

/* --- pieces --------------------------------------------------------------------------- */

void content_free(struct content *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		free(c->v[i].bytes);
	free(c->v);
	*c = (struct content){};
}

static void insert_at(struct content *c, unsigned int i, struct piece x)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 8;
		c->v = realloc(c->v, c->cap * sizeof(*c->v));
	}
	memmove(&c->v[i + 1], &c->v[i], (c->n - i) * sizeof(*c->v));
	c->v[i] = x;
	c->n++;
}

static void remove_at(struct content *c, unsigned int i)
{
	free(c->v[i].bytes);
	c->n--;
	memmove(&c->v[i], &c->v[i + 1], (c->n - i) * sizeof(*c->v));
}

/* The part of @x in [@off, @end), with bytes of its own. */
static struct piece part_of(const struct piece *x, uint64_t off, uint64_t end)
{
	struct piece p = *x;

	p.off = off > x->off ? off : x->off;
	p.end = end < x->end ? end : x->end;
	p.at = x->at + (p.off - x->off);
	if (x->bytes) {
		p.bytes = malloc(p.end - p.off);
		memcpy(p.bytes, x->bytes + (p.off - x->off), p.end - p.off);
	}
	return p;
}

/* First piece that ends behind @off. */
static unsigned int piece_at(const struct content *c, uint64_t off)
{
	unsigned int i = 0;

	while (i < c->n && c->v[i].end <= off)
		i++;
	return i;
}

void content_zero(struct content *c, uint64_t off, uint64_t end)
{
	unsigned int i = piece_at(c, off);

	while (off < end && i < c->n && c->v[i].off < end) {
		struct piece old = c->v[i];

		if (old.off < off) {
			/* Its head stays, and perhaps its tail. */
			c->v[i] = part_of(&old, 0, off);
			if (old.end > end)
				insert_at(c, i + 1,
					  part_of(&old, end, old.end));
			free(old.bytes);
			i++;
		} else if (old.end > end) {
			c->v[i] = part_of(&old, end, old.end);
			free(old.bytes);
		} else {
			remove_at(c, i);
		}
	}
}

static bool goes_on(const struct piece *a, const struct piece *b)
{
	if (a->end != b->off || a->kind != b->kind)
		return false;
	return a->kind == PIECE_UNSURE ||
	       (a->kind == PIECE_STEP && a->file == b->file &&
		a->step == b->step && a->at + (a->end - a->off) == b->at);
}

/* Into the gap that is there. */
static void put(struct content *c, struct piece x)
{
	unsigned int i = piece_at(c, x.off);

	if (i && goes_on(&c->v[i - 1], &x))
		c->v[i - 1].end = x.end;
	else
		insert_at(c, i, x);
}

void content_unsure(struct content *c, uint64_t off, uint64_t end)
{
	content_zero(c, off, end);
	if (off < end)
		put(c, (struct piece){ off, end, PIECE_UNSURE });
}

void content_step(struct content *c, uint64_t off, uint64_t end,
		  unsigned int file, unsigned int step, uint64_t at)
{
	content_zero(c, off, end);
	if (off < end)
		put(c, (struct piece){ off, end, PIECE_STEP, file, step, at });
}

/* Where from @i on a word begins that a step may have written; it is not known
 * at which position of the word the bytes begin. */
static bool looks_like_data(uint64_t word)
{
	return (word ^ data_word(0, 0, 0)) >> 48 == 0;
}

/* How many bytes from @p on are what follows on @x's first. */
static size_t data_run(const char *p, size_t n, const struct piece *x)
{
	size_t len = 8;

	/* Mostly it is one write, whole. */
	if (is_data(p, x, x->at, n))
		return n;
	while (len + 64 <= n && is_data(p + len, x, x->at + len, 64))
		len += 64;
	while (len < n && is_data(p + len, x, x->at + len, 1))
		len++;
	return len;
}

static void put_literal(struct content *c, uint64_t off, const char *p,
			size_t n)
{
	struct piece x = { off, off + n, PIECE_BYTES };

	if (!n)
		return;
	x.bytes = malloc(n);
	memcpy(x.bytes, p, n);
	put(c, x);
}

/*
 * Words are where they are in the file they were written to, which may be
 * elsewhere than here: a step's data is looked for at each byte. What is before
 * its first whole word is kept as bytes.
 */
void content_bytes(struct content *c, uint64_t off, const char *p, size_t n)
{
	size_t i = 0, from = 0;

	content_zero(c, off, off + n);
	while (i < n) {
		uint64_t word = 0;
		size_t len = 1;

		if (n - i >= 8)
			memcpy(&word, p + i, 8);
		if (looks_like_data(word)) {
			struct piece x = {
				.kind = PIECE_STEP, .file = word >> 40 & 0xff,
				.step = word >> 24 & 0xffff,
				.at = (word & 0xffffff) * 8,
			};

			put_literal(c, off + from, p + from, i - from);
			len = data_run(p + i, n - i, &x);
			x.off = off + i;
			x.end = x.off + len;
			put(c, x);
			from = i + len;
		} else if (!word && n - i >= 8) {
			put_literal(c, off + from, p + from, i - from);
			while (i + len < n && !p[i + len])
				len++;
			from = i + len;
		}
		i += len;
	}
	put_literal(c, off + from, p + from, n - from);
}

void content_copy(struct content *dst, uint64_t doff,
		  const struct content *src, uint64_t soff, uint64_t len)
{
	struct content part = {};

	for (unsigned int i = piece_at(src, soff);
	     len && i < src->n && src->v[i].off < soff + len; i++) {
		struct piece x = part_of(&src->v[i], soff, soff + len);

		x.off = x.off - soff + doff;
		x.end = x.end - soff + doff;
		insert_at(&part, part.n, x);
	}
	content_zero(dst, doff, doff + len);
	for (unsigned int i = 0; i < part.n; i++)
		put(dst, part.v[i]);
	free(part.v);
}

static void shift(struct content *c, uint64_t from, int64_t by)
{
	for (unsigned int i = piece_at(c, from); i < c->n; i++) {
		c->v[i].off += by;
		c->v[i].end += by;
	}
}

void content_collapse(struct content *c, uint64_t off, uint64_t len)
{
	content_zero(c, off, off + len);
	shift(c, off, -(int64_t)len);
}

void content_insert(struct content *c, uint64_t off, uint64_t len)
{
	unsigned int i = piece_at(c, off);

	/* One that reaches over @off is two from now on. */
	if (i < c->n && c->v[i].off < off) {
		struct piece old = c->v[i];

		c->v[i] = part_of(&old, 0, off);
		insert_at(c, i + 1, part_of(&old, off, old.end));
		free(old.bytes);
	}
	shift(c, off, len);
}

/* --- comparing -------------------------------------------------------------------------- */

static bool piece_is(const struct piece *x, uint64_t off, const char *p,
		     size_t n)
{
	switch (x->kind) {
	case PIECE_STEP:
		return is_data(p, x, x->at + (off - x->off), n);
	case PIECE_BYTES:
		return memcmp(p, x->bytes + (off - x->off), n) == 0;
	default:
		return false;
	}
}

bool content_is(const struct content *c, uint64_t off, const char *p, size_t n)
{
	uint64_t end = off + n;

	for (unsigned int i = piece_at(c, off); off < end; i++) {
		uint64_t from = i < c->n && c->v[i].off < end ? c->v[i].off :
								end, to;

		if (from > off && !all_zero(p, from - off))
			return false;
		if (from > off) {
			p += from - off;
			off = from;
		}
		if (off == end)
			break;
		to = c->v[i].end < end ? c->v[i].end : end;
		if (!piece_is(&c->v[i], off, p, to - off))
			return false;
		p += to - off;
		off = to;
	}
	return true;
}

bool content_is_unsure(const struct content *c, uint64_t off, uint64_t end)
{
	for (unsigned int i = piece_at(c, off); i < c->n && c->v[i].off < end;
	     i++)
		if (c->v[i].kind == PIECE_UNSURE)
			return true;
	return false;
}

void content_read(const struct content *c, uint64_t off, size_t n, char *want,
		  uint8_t *unsure)
{
	memset(want, 0, n);
	if (unsure)
		memset(unsure, 0, n);
	for (unsigned int i = piece_at(c, off);
	     i < c->n && c->v[i].off < off + n; i++) {
		struct piece x = part_of(&c->v[i], off, off + n);
		char *to = want + (x.off - off);

		if (x.kind == PIECE_STEP)
			put_data(to, x.file, x.step, x.at, x.end - x.off);
		else if (x.kind == PIECE_BYTES)
			memcpy(to, x.bytes, x.end - x.off);
		else if (unsure)
			memset(unsure + (x.off - off), 1, x.end - x.off);
		free(x.bytes);
	}
}
