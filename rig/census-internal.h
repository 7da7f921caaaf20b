/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the census share: census-find.c has found the struct pages,
 * census.c reads them.
 */
#ifndef RIG_CENSUS_INTERNAL_H
#define RIG_CENSUS_INTERNAL_H

#include "census.h"

/* Guest CPUs store to it meanwhile: each word is loaded once and whole. */
#define LOAD(type, p) (*(const volatile type *)(p))
typedef uint32_t __attribute__((may_alias)) word32;
typedef uint64_t __attribute__((may_alias)) word64;

/* Where the word at @off of page @i's struct page is; @i < c->n. */
const void *census_word(const struct census_ns *c, uint64_t i,
			unsigned int off);

static inline uint32_t census_load32(const struct census_ns *c, uint64_t i,
				     unsigned int off)
{
	return LOAD(word32, census_word(c, i, off));
}

static inline uint64_t census_load64(const struct census_ns *c, uint64_t i,
				     unsigned int off)
{
	return LOAD(word64, census_word(c, i, off));
}

#endif
