// SPDX-License-Identifier: GPL-2.0-or-later
/* What a file holds, in pieces: the same as in bytes, whatever is done to it. */
#include "workloads/prog.h"

#include <stdarg.h>
#include <cmocka.h>

#define SIZE 2048u

/* The same in bytes. */
struct plain {
	char bytes[SIZE];
	uint8_t unsure[SIZE];
};

static uint64_t state = 1;

static unsigned int below(unsigned int n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % n;
}

static void same(const struct content *c, const struct plain *p)
{
	char want[SIZE];
	uint8_t unsure[SIZE];
	uint64_t end = 0;

	for (unsigned int i = 0; i < c->n; i++) {
		assert_true(c->v[i].off >= end && c->v[i].end > c->v[i].off);
		end = c->v[i].end;
	}
	content_read(c, 0, SIZE, want, unsure);
	assert_memory_equal(unsure, p->unsure, SIZE);
	for (unsigned int i = 0; i < SIZE; i++)
		if (!unsure[i])
			assert_int_equal(want[i], p->bytes[i]);
}

/* Any part of it is what it is, and nothing else. */
static void compares(const struct content *c, const struct plain *p)
{
	unsigned int off = below(SIZE), n = 1 + below(SIZE - off), at;
	bool unsure = memchr(p->unsure + off, 1, n);
	char got[SIZE];

	memcpy(got, p->bytes + off, n);
	assert_int_equal(content_is_unsure(c, off, off + n), unsure);
	assert_int_equal(content_is(c, off, got, n), !unsure);
	at = below(n);
	got[at] ^= 1 << below(8);
	assert_false(content_is(c, off, got, n));
}

static void set(struct plain *p, unsigned int off, unsigned int n,
		const char *from, int unsure)
{
	memcpy(p->bytes + off, from, n);
	memset(p->unsure + off, unsure, n);
}

static void one_step(struct content *c, struct plain *p, unsigned int step)
{
	static const char zeroes[SIZE];
	static struct ino files[4] = { { .id = 1 }, { .id = 2 }, { .id = 3 },
				       { .id = 4 } };
	unsigned int off = below(SIZE), n = below(SIZE - off), to;
	unsigned int file = below(4), at = below(1 << 20);
	struct plain was = *p;
	char data[SIZE];

	data_fill(data, &files[file], step, at, n);
	switch (below(8)) {
	case 0:
		content_zero(c, off, off + n);
		set(p, off, n, zeroes, 0);
		break;
	case 1:
		n /= 4;
		content_unsure(c, off, off + n);
		set(p, off, n, zeroes, 1);
		break;
	case 2:
		content_step(c, off, off + n, file + 1, step, at);
		set(p, off, n, data, 0);
		break;
	case 3:
		/* Its data, recognised or not, with something else in it. */
		if (n && below(2))
			data[below(n)] ^= 0x11;
		if (n > 40 && below(2))
			memset(data + n / 2, 0, 30);
		content_bytes(c, off, data, n);
		set(p, off, n, data, 0);
		break;
	case 4:
		to = below(SIZE - n);
		content_copy(c, to, c, off, n);
		memcpy(p->bytes + to, was.bytes + off, n);
		memcpy(p->unsure + to, was.unsure + off, n);
		break;
	case 5:
		content_collapse(c, off, n);
		memmove(p->bytes + off, was.bytes + off + n, SIZE - off - n);
		memmove(p->unsure + off, was.unsure + off + n, SIZE - off - n);
		set(p, SIZE - n, n, zeroes, 0);
		break;
	case 6:
		content_insert(c, off, n);
		content_zero(c, SIZE, 2 * SIZE);
		memmove(p->bytes + off + n, was.bytes + off, SIZE - off - n);
		memmove(p->unsure + off + n, was.unsure + off, SIZE - off - n);
		set(p, off, n, zeroes, 0);
		break;
	default:
		/* It grows too old otherwise. */
		content_bytes(c, off, p->bytes + off, n);
		memset(p->unsure + off, 0, n);
		break;
	}
}

static void pieces_are_bytes(void **state)
{
	static struct exec exec = { .nonce = 9 };
	struct content c = {};
	struct plain p = {};

	ex = &exec;
	for (unsigned int i = 0; i < 20000; i++) {
		/* What is unknown is zero here, as content_read() gives it. */
		one_step(&c, &p, 1 + i % 999);
		for (unsigned int k = 0; k < SIZE; k++)
			if (p.unsure[k])
				p.bytes[k] = 0;
		same(&c, &p);
		compares(&c, &p);
	}
	content_free(&c);
}

static void a_write_is_one_piece(void **state)
{
	static struct exec exec = { .nonce = 9 };
	struct ino ino = { .id = 3 };
	struct content c = {};
	char *data = malloc(MiB(1));

	ex = &exec;
	data_fill(data, &ino, 7, 4096, MiB(1));
	content_bytes(&c, 4096, data, MiB(1));
	assert_int_equal(c.n, 1);
	assert_int_equal(c.v[0].kind, PIECE_STEP);
	assert_int_equal(c.v[0].step, 7);
	/* In pieces that go on it is one again. */
	content_zero(&c, 8192, 8200);
	assert_int_equal(c.n, 2);
	content_step(&c, 8192, 8200, 3, 7, 8192);
	assert_true(c.n <= 2);
	assert_true(content_is(&c, 4096, data, MiB(1)));
	content_free(&c);
	free(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_bytes),
		cmocka_unit_test(a_write_is_one_piece),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
