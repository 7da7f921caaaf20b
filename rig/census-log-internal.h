/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the writer and the reader of census.bin share. docs/census.md describes
 * the format; these are its numbers.
 */
#ifndef RIG_CENSUS_LOG_INTERNAL_H
#define RIG_CENSUS_LOG_INTERNAL_H

#include "census-log.h"

#define LOG_MAGIC "RIGCENS\n\1\0\0\0"	/* and version 1, little-endian */
#define LOG_MAGIC_LEN 12

enum log_record {
	LOG_NS = 1,
	LOG_GONE,
	LOG_FRAME,
	LOG_SAME,
	LOG_MARK,
	LOG_EVENT,
	LOG_NR_RECORDS,
};

/* The low bits of a run's first number; the pages are above them. */
enum log_run {
	LOG_RUN_COPY,		/* pages as in the namespace's last frame */
	LOG_RUN_CONST,		/* the index is the same for all */
	LOG_RUN_COUNTS,		/* it is one more for each */
};
#define LOG_RUN_BITS 2

enum log_view {
	LOG_VIEW_TAIL = 1,
	LOG_VIEW_TORN = 2,
	/* Members that follow; 0 where they do not. */
	LOG_VIEW_ORDER = 4,
	LOG_VIEW_PINCOUNT = 8,
	LOG_VIEW_MAPPING = 16,
	LOG_VIEW_INDEX = 32,
	LOG_VIEW_MAPCOUNT = 64,
	LOG_VIEW_PGMAP = 128,
};

/* Limits: a record that is beyond them is none. */
#define LOG_MAX_BODY ((uint64_t)64 << 20)
#define LOG_MAX_TEXT ((size_t)1 << 20)
#define LOG_MAX_RUNS ((size_t)1 << 22)
#define LOG_MAX_PTRS ((size_t)1 << 20)
#define LOG_MAX_HEAD (1 + 10 + 2)	/* type, length, check */

/* Checks of a record's type and length, and of its body. */
uint16_t log_check_head(const void *head, size_t len);
uint32_t log_check_body(uint8_t type, const void *body, size_t len);

/* Whether all but the index is the same. */
bool log_view_like(const struct page_view *a, const struct page_view *b);
/* Page @i of a run, as it is. */
struct page_view log_view_at(const struct census_run *r, uint64_t i);
/*
 * @run behind the others, as a part of the last one where it continues that.
 * It begins where that ends. False when there are too many.
 */
bool log_runs_add(struct census_runs *runs, const struct census_run *run);

#endif
