/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scanner's parts, for rig/scan*.c and nobody else; scan.h is what others
 * see. From the bottom up, each part knows only those before it:
 *
 *   scan-line.c	a line: time stamp, printk caller, body; which part of
 *			a report it is by its form
 *   scan-rows.c	the tables of patterns.h: which row a line takes, the
 *			values in it
 *   scan-report.c	one report while its lines come: what is its own, what
 *			a line says about it, where it ends
 *   scan-result.c	a finished report: title, key, count of a flood
 *   scan-open.c	the reports that are open: whose a line is
 *   scan.c		the pass over the console
 *
 * With CONFIG_PRINTK_CALLER every caller has at most one open report. Without
 * it several may be open at once; since every report prints its parts in one
 * order, a line goes to the report that waits for just that part.
 *
 * No work depends on more than a bounded number of bytes of a line or on more
 * than MAX_OPEN reports, so time is linear in the console's length. Nothing
 * here fails.
 */
#ifndef RIG_SCAN_INTERNAL_H
#define RIG_SCAN_INTERNAL_H

#include "patterns.h"
#include "scan.h"

/* --- scan-line.c ---------------------------------------------------------- */

#define CUT_HERE "------------[ cut here ]------------"

/* The parts of a report in the order in which the kernel prints them. */
enum part {
	PART_NONE,
	PART_CUT,
	PART_HEAD,		/* WARNING:, kernel BUG at, ... */
	PART_MODULES,
	PART_CPU,
	PART_TAINT,
	PART_HARDWARE,
	PART_WORKQUEUE,
	PART_RIP,
	PART_CODE,
	PART_RSP,
	PART_RAX,
	PART_RDX,
	PART_RBP,
	PART_R10,
	PART_R13,
	PART_FS,
	PART_CS,
	PART_CR2,
	PART_DR0,
	PART_DR3,
	PART_PKRU,
	PART_TRACE,
	PART_STACK_BEGIN,
	PART_FRAME,
	PART_STACK_END,
	PART_END,
};

/* All pointers are into the console; nothing is NUL-terminated. */
struct line {
	uint64_t no;		/* lines are counted from 1 */
	const char *raw;	/* from the time stamp on, without CR and LF */
	size_t len, off;	/* @off: of @raw in the console */
	const char *body;	/* after time stamp and caller */
	size_t blen;
	double time;		/* -1 where there is none */
	uint64_t caller;	/* 0 where there is none */
};

/* Do this console's kernel lines carry time stamps? */
bool console_is_stamped(const char *data, size_t len);

/*
 * Fill in what follows @raw, @len and @off, which move where another writer
 * began the line. False when no part of it is the kernel's.
 */
bool line_parse(struct line *l, bool stamped);

bool line_starts(const struct line *l, const char *lead);
bool line_is_rule(const struct line *l);	/* "=====", "-----" is none */
enum part line_part(const struct line *l);
bool is_register(enum part part);

/* The function of a stack frame, cut off at @size; "" where the unwinder was
 * not sure of it. Only for PART_FRAME. */
void line_frame_func(const struct line *l, char *out, size_t size);
/* The kernel function of a "RIP: 0010:func+0x1/0x2" line, cut off at @size;
 * "" for user mode. Only for PART_RIP. */
void line_rip_func(const struct line *l, char *out, size_t size);
/* The CPU and task that a head or "CPU:" line names; false where it names
 * none. */
bool line_owner(const struct line *l, int *cpu, int *pid);

/* The function's name at @p, cut off at @size. @p may be @out. */
void take_func(const char *p, size_t len, char *out, size_t size);

/* --- scan-rows.c ---------------------------------------------------------- */

/* The expressions of a row. */
enum row_re { ROW_RE, ROW_AUX, ROW_MORE, ROW_LAST, ROW_END, NR_ROW_RES };

/* A row's named groups, "" where not set; @func as take_func() leaves it. Cut
 * off at their sizes: they are words and lines, not text. */
struct row_values {
	char func[128], at[192], msg[256];
};

/* Before anything else of this part; cheap after the first time. */
void rows_init(void);

/* The first row whose line this is, or NULL. */
const struct pattern *row_find(const struct line *l);
/* The same for a row that begins in the middle of the line: &pattern_cut or a
 * PATTERN_FLOAT one. @l then begins there. */
const struct pattern *row_find_inside(struct line *l);

bool row_has(const struct pattern *row, enum row_re re);
/* Does @row have this expression, and does it match @l? @v may be NULL. */
bool row_match(const struct pattern *row, enum row_re re, const struct line *l,
	       struct row_values *v);

/* The row of panic_causes[] for a panic's line, or NULL. */
const struct panic_cause *panic_cause_of(const struct line *l);
/* Is @func one that never tells where a bug is? */
bool is_generic(const char *func);

/* --- scan-report.c -------------------------------------------------------- */

enum { MAX_ROWS = 8 };		/* rows remembered for one report */

struct rep {
	const struct pattern *row;	/* &pattern_cut: a bare "[ cut here ]" */
	const struct pattern *block;	/* row that ended the head, if any */
	const struct pattern *rows[MAX_ROWS];
	int nr_rows;
	enum pattern_shape shape;
	enum part part;			/* the furthest one seen */

	struct row_values val;		/* of its rows */
	char rip[128], frame[128];	/* first function of each */
	int cpu, pid;			/* -1 unknown */
	bool rip_first;			/* RIP came before any frame */

	bool cut, fatal, ignored, panic, last_seen, aux_done;
	bool done;			/* whole: nothing of it is missing */
	bool over;			/* and only lines of @more may follow */
	bool marked;			/* has <TASK> and </TASK> */
	bool in_stack;
	int strays, heads, lines;

	char *case_name;
	double time, last_time;
	size_t start, end;
	uint64_t last_line;
	struct buf text;
};

/* A report that begins at @l, or at the @rule above it where that is not NULL.
 * Neither is taken in yet but the rule. */
struct rep *rep_new(const struct line *l, const struct line *rule,
		    const char *case_name);
void rep_free(struct rep *r);

/* @l takes @row and is @r's: its values. Before rep_feed(), which may end the
 * report. */
void rep_take_row(struct rep *r, const struct pattern *row,
		  const struct line *l);
/* @l is @r's. True when the report ends with it, or ended before it. */
bool rep_feed(struct rep *r, const struct line *l, enum part part);

/* A line of @r's caller that is no part and no row: is it @r's? */
bool rep_wants(struct rep *r, const struct line *l);
/* It is not. True when that shows that the report is over; @alone: no other
 * one is open. */
bool rep_pass(struct rep *r, bool alone);

bool rep_has_row(const struct rep *r, const struct pattern *row);
bool rep_is_text(const struct rep *r);		/* so far; see PATTERN_TEXT */
bool rep_is_recent(const struct rep *r, const struct line *l);
/* Does @l follow the stack of @r by the expressions of its rows? */
bool rep_is_more(const struct rep *r, const struct line *l);
/* Is a line of @row a part of @r's head, and no report of its own? */
bool rep_can_join(const struct rep *r, const struct pattern *row,
		  const struct line *l);
/*
 * How well a part goes on where the report stands; 0: not at all. Parts come
 * in order; user registers, modules and further stacks follow a stack.
 */
int rep_fit(const struct rep *r, enum part part);

/* --- scan-result.c -------------------------------------------------------- */

struct results {
	struct kreports *out;
	size_t from;			/* earlier reports are dropped */
	struct counter *counters;
};

void results_init(struct results *res, struct kreports *out, size_t from);
void results_add(struct results *res, struct rep *r);	/* frees @r */
void results_end(struct results *res);

/* --- scan-open.c ---------------------------------------------------------- */

enum {
	MAX_OPEN = 16,		/* reports open at once */
	MAX_CLOSED = 8,		/* closed ones that a panic may still join */
};

/* A caller's place in an open report: a stall's has one for each CPU. */
struct slot {
	uint64_t caller;
	struct rep *rep;
	uint64_t used;		/* the line it got last */
};

struct open_reps {
	struct slot slots[MAX_OPEN];	/* oldest first */
	int nr_slots;
	struct rep *closed[MAX_CLOSED];	/* oldest first */
	int nr_closed;
	struct results res;
};

/* Slots are valid until a report is opened, fed or closed. */

/* A new report, see rep_new(). */
struct slot *open_new(struct open_reps *o, const struct line *l,
		      const struct line *rule, const char *case_name);
/* The open report that got a line of this caller last, or NULL. */
struct slot *open_latest(struct open_reps *o, uint64_t caller);
/*
 * Whose line is @l, NULL: nobody's, where it is @part of a report; where it
 * takes @row, which is of a head; where it is a panic, which may only say how
 * an earlier report ended; where it begins another CPU's answer to a stall?
 */
struct slot *open_for_part(struct open_reps *o, const struct line *l,
			   enum part part);
struct slot *open_for_row(struct open_reps *o, const struct pattern *row,
			  const struct line *l);
struct slot *open_for_panic(struct open_reps *o, const struct line *l);
struct slot *open_for_answer(struct open_reps *o, const struct line *l);

/* rep_feed(), and close it when it ended. */
void open_feed(struct open_reps *o, struct slot *t, const struct line *l,
	       enum part part);

void open_close(struct open_reps *o, struct rep *r);
/* Those that got no line for too long before @l. */
void open_close_stale(struct open_reps *o, const struct line *l);
void open_close_all(struct open_reps *o);
/* Close all, also for panics. */
void open_end(struct open_reps *o);

#endif
