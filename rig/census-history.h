/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a census.bin tells over time: how many pages counted what, and which
 * were off idle, from when until when, and whose they were.
 */
#ifndef RIG_CENSUS_HISTORY_H
#define RIG_CENSUS_HISTORY_H

#include "census-log.h"
#include "owners.h"

/* What a page's counts say of it, the more unusual the higher. "Extra" is what
 * is left of the reference count without the idle value and the mappings. */
enum page_level {
	LEVEL_FREE,		/* idle, of no file */
	LEVEL_TAIL,		/* of a large folio: its head has the counts */
	LEVEL_OWNED,		/* idle, in a file's page cache */
	LEVEL_MAPPED,		/* by one page table entry */
	LEVEL_MAPPED_MORE,
	LEVEL_REF,		/* one extra */
	LEVEL_REFS,		/* 2 to 1023 extra */
	LEVEL_PINNED,		/* FOLL_PIN: 1024 extra or more, or a pin count */
	LEVEL_UNDER,		/* fewer than an idle page has */
	NR_LEVELS,
};
/* One phrase each: "one extra reference". */
extern const char *const page_level_names[NR_LEVELS];

/* Levels from here on are what nothing explains but a reference: off idle. */
#define LEVEL_OFF LEVEL_REF

enum page_level page_level(const struct page_view *v, int32_t idle_ref);

/* Pages that counted the same, in a namespace. */
struct history_count {
	int32_t ref;
	enum page_level level;
	uint64_t pages;		/* in the last frame */
	uint64_t most;		/* at once, */
	double at;		/* first seen then */
};

/* Pages that follow each other and were off idle for a time. */
struct history_spell {
	uint64_t first, n;	/* pages */
	double since, until;	/* first frame with it, first without */
	bool stayed;		/* to the end; or until the namespace was made
				 * anew or disabled at @until */
	enum page_level level;	/* the highest */
	int32_t ref, mapcount;	/* then */
	uint64_t mapping, index;	/* then, of the first page */
};

struct history_ns {
	bool said;
	char *name;		/* printable */
	uint64_t data_pfn, n;	/* of page 0; pages */
	int32_t idle_ref;
	uint64_t frames, torn;	/* torn pages in all frames */
	double gone;		/* since then it is not watched; < 0: it is */
	struct history_count *counts;	/* by ref, then level */
	size_t nr_counts;
	struct history_open *open;	/* spells that go on, one a page */
	size_t nr_open;
	struct history_spell *spells;	/* that have ended */
	size_t nr_spells;
	uint64_t dropped;	/* short ones, for want of room */
};

struct history_mark {
	double t;
	char *text;		/* printable */
};

/* A case, by its marks. */
struct history_case {
	const char *name;	/* a mark's */
	double from, to;
};

struct history {
	/* Set before anything is read; 0 and INFINITY: all. */
	double from, to;	/* seconds */
	uint64_t first, last;	/* pages, both included */
	bool skim;			/* only what namespaces there are, what
					 * they count idle, and times */
	const struct history *before;	/* an earlier reading of the same log,
					 * for the idle counts that were not
					 * known yet; or NULL */

	struct history_ns ns[CENSUS_LOG_NS];
	struct history_mark *marks;
	size_t nr_marks;
	struct history_case *cases;
	size_t nr_cases;
	struct owners owners;
	double end;		/* of the last record, or @to */
	uint64_t frames;
};
#define HISTORY_INIT { .to = INFINITY, .last = UINT64_MAX }
#define _history_ __cleanup(history_free)

/* Callbacks for census_reader_new() that fill @h. */
struct census_log_reader history_reader(struct history *h);
void history_free(struct history *h);

/*
 * All spells of a namespace, ended or not, the most telling first: those that
 * stayed, then by how long. Owned by the caller (free()); within the window.
 */
struct history_spell *history_spells(const struct history *h, unsigned int ns,
				     size_t *n);

/* The case that ran at @t, or NULL. */
const char *history_case_at(const struct history *h, double t);

/* Whose the first page of a spell was then, or last; NULL: nobody's that is
 * known. Valid until the owners are asked again. */
const struct owner *history_owner(struct history *h, unsigned int ns,
				  const struct history_spell *s);
/* The same in words: "case/victim+0x2000", or its address_space where nobody
 * knows a file. Owned by the caller. */
char *history_whose(struct history *h, unsigned int ns,
		    const struct history_spell *s);
/* When it ended: "12.3 s", "still there", or "12.3 s (namespace gone)". Owned
 * by the caller. */
char *history_until(const struct history *h, const struct history_spell *s);
/* The reference that a workload said it held meanwhile: "vmsplice"; or NULL.
 * Owned by the caller. */
char *history_held(struct history *h, unsigned int ns,
		   const struct history_spell *s);

#endif
