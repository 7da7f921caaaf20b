/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a file or a private mapping holds, as pieces: what is to be there is
 * data of a step, zeroes, bytes of somebody else's or unknown. No byte of it is
 * kept that can be said: a write of megabytes costs one piece.
 */
#ifndef WORKLOADS_PROG_CONTENT_H
#define WORKLOADS_PROG_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
	uint64_t off, end;
	enum { PIECE_STEP, PIECE_BYTES, PIECE_UNSURE } kind;
	/* PIECE_STEP: what @step has for position @at of file @file on. */
	unsigned int file, step;
	uint64_t at;
	char *bytes;		/* PIECE_BYTES: its own */
};

/* In order, without overlaps; what is in none is zeroes. All zero: empty. */
struct content {
	struct piece *v;
	unsigned int n, cap;
};

void content_free(struct content *c);

/* [@off, @end) becomes zeroes, unknown, or a step's data. */
void content_zero(struct content *c, uint64_t off, uint64_t end);
void content_unsure(struct content *c, uint64_t off, uint64_t end);
void content_step(struct content *c, uint64_t off, uint64_t end,
		  unsigned int file, unsigned int step, uint64_t at);
/* ... or these @n bytes, whatever they are: data of steps is recognised. */
void content_bytes(struct content *c, uint64_t off, const char *p, size_t n);
/* @len bytes of @src; may be the same content, and overlap. */
void content_copy(struct content *dst, uint64_t doff,
		  const struct content *src, uint64_t soff, uint64_t len);
/* What is behind moves down or up by @len. */
void content_collapse(struct content *c, uint64_t off, uint64_t len);
void content_insert(struct content *c, uint64_t off, uint64_t len);

/* Whether @p has what is to be there; false where nobody knows. */
bool content_is(const struct content *c, uint64_t off, const char *p, size_t n);
bool content_is_unsure(const struct content *c, uint64_t off, uint64_t end);
/* What is to be there, and (unless @unsure is NULL) 1 for each byte that
 * nobody knows. */
void content_read(const struct content *c, uint64_t off, size_t n, char *want,
		  uint8_t *unsure);

#endif
