/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the console scanner looks for, as data. Adding a kernel report is one
 * row of patterns[] in patterns.c; docs/findings.md says how.
 */
#ifndef RIG_PATTERNS_H
#define RIG_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

/* How far a report reaches after its first line. */
enum pattern_shape {
	PATTERN_LINE,	/* the line; a stack or lines of @more may follow */
	PATTERN_STACK,	/* up to the end of its stack */
	PATTERN_WARN,	/* up to "---[ end trace" */
	PATTERN_DIE,	/* the same, then the registers once more, and the
			 * panic that it may end in */
	PATTERN_UNTIL,	/* every line up to @end, or up to the end of the
			 * stack that follows @last */
	PATTERN_PANIC,	/* up to the end of the console */
};

enum {
	/* Free text that stands before or inside a WARN or BUG block and says
	 * more than the block does: it joins the block. */
	PATTERN_TEXT = 1 << 0,
	/* The line that says what a "[ cut here ]" block is: joins it. */
	PATTERN_BLOCK = 1 << 1,
	/* The kernel cannot be trusted after it. */
	PATTERN_FATAL = 1 << 2,
	/* The function is the one the CPU was in (RIP), even when a stack came
	 * first: lockups and stalls. */
	PATTERN_RIP = 1 << 3,
	/* No finding, and no part of one. */
	PATTERN_IGNORE = 1 << 4,
	/* Also looked for in the middle of a line, where lines carry no time
	 * stamp and another writer left his line open. */
	PATTERN_FLOAT = 1 << 5,
};

/*
 * One kind of line that begins, or belongs to the head of, a report. A line
 * takes the first row that matches; a report takes the first row, in table
 * order, that any of its lines took: the telling rows stand first.
 *
 * @re is matched at the start of the line, after time stamp and caller. Its
 * named groups, and those of @aux (searched for in the report's later lines),
 * are the values of the templates:
 *	func	a function; where it is generic (generic_functions[]), and
 *		where there is none, it comes from RIP or the stack
 *	at	FILE:LINE
 *	msg	free text
 * A template's {...} is left out when one of its values is empty. In keys
 * numbers read as N.
 */
struct pattern {
	const char *kind;
	const char *lead;	/* what the line begins with: the prefilter */
	const char *re;		/* NULL: @lead is all */
	const char *title;	/* NULL only with PATTERN_IGNORE */
	const char *key;
	enum pattern_shape shape;
	unsigned int flags;
	const char *aux;	/* see above, or NULL */
	const char *more;	/* lines of its own that follow its stack */
	const char *last;	/* PATTERN_UNTIL only, see there */
	const char *end;	/* the line that ends it, whatever the shape */
};

extern const struct pattern patterns[];
extern const size_t nr_patterns;
/* The row of a "[ cut here ]" block whose own line is missing. */
extern const struct pattern pattern_cut;

/*
 * Panics that only say how an earlier report ended. Such a panic joins the
 * latest report of @kind (NULL: any), or only one after which the kernel died
 * by itself; where there is none it is a report of its own.
 */
struct panic_cause {
	const char *text;	/* found anywhere in the panic's message */
	const char *kind;
	bool fatal;
	int pid;		/* only when this task was the one; 0: any */
};

extern const struct panic_cause panic_causes[];
extern const size_t nr_panic_causes;

/* Functions that never tell where a bug is; a final '*' takes any ending. */
extern const char *const generic_functions[];
extern const size_t nr_generic_functions;

#endif
