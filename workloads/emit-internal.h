/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the emitter share; operations need only emit.h. */
#ifndef WORKLOADS_EMIT_INTERNAL_H
#define WORKLOADS_EMIT_INTERNAL_H

#include "emit.h"

/* A slot of any type, as far as the program tells before it is run. */
struct emit_slot {
	bool filled;		/* it may be; else it is empty for sure */
	unsigned int fills;	/* steps of the whole program that fill it */
	size_t first;		/* ... and the first of them */
	struct emit_map map;	/* of a reference: the pages it is on */
};

/* What of a finding matters here; docs/findings.md. */
struct emit_finding {
	const char *kind, *title, *text, *kernel;
	int hits, runs;		/* of so many; 0: not known */
	const char *view, *what, *file;
	int fd, map;		/* slots, or -1 */
	int step;		/* that noticed; program's length + 1: the end */
	/* Steps whose data it is; 0: zeroes, -1: none. @last: whose doing it is
	 * that @want is wanted. */
	int want, got, last;
	uint64_t off, len, want_off;
	int error;
	int64_t count;		/* bytes that a read has to give; -1: not known */
	bool has_detail, has_want;
};

struct emit {
	const struct prog *p;
	struct emit_finding f;
	bool lanes[MAX_LANES];	/* threads that have steps */
	unsigned int nr_lanes;
	bool lets_go;		/* who joins the threads does */
	bool rounds;		/* tried again and again, each in a child */
	FILE *out;		/* the lines go there */
	unsigned int indent;
	/* Indexed by ARG_FD, ARG_MAP, ARG_REF. */
	struct emit_slot slots[ARG_REF + 1][NR_SLOTS];
	bool obstacle;		/* whatever modifies may wait */
	bool gate;		/* what waits for references may, or drops one */
	bool names_go;		/* files may have to be freed by a close */
	/* Said by the step that is being written. */
	bool empties[ARG_REF + 1], waits, now_obstacle, now_free;
	bool now_held, now_open;
	int map_said;		/* slot of emit_map_is(), or -1 */
	uint64_t *starts;	/* where in its file a step's data begins */
	const struct c_helper *used[100];
	unsigned int nr_used;
	char *headers[60];
	unsigned int nr_headers;
};

/* --- prog-emit.c: the file ------------------------------------------------- */

/* The letters and digits that stand for data, in order of steps. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* --- prog-emit-step.c: a step ------------------------------------------------ */

/* Count what fills slots; before the first step. */
void emit_slots_init(struct emit *e);
/* Whether threads may be held up by what others do. */
bool emit_any_obstacle(struct emit *e);
bool emit_is_slot(enum arg_type t);
/* The slot that argument number @arg of the step names. */
struct emit_slot *emit_slot_of(struct emit *e, const struct step *s,
			       unsigned int arg);
/* The number of the first argument that is a slot of this type, or -1. */
int emit_first_of(const struct step *s, enum arg_type t, bool fresh);
/* The step and what goes around it. */
void emit_step(struct emit *e, const struct step *s);
/* Reads of all that is open and mapped. */
void emit_looks(struct emit *e);
/* Let go of what is held, and unmap and close what is left. */
void emit_end(struct emit *e);

/* --- prog-emit-template.c -------------------------------------------------------- */

/* A line of C, broken where it is too long. */
void emit_text(struct emit *e, const char *line);

/* --- prog-emit-finding.c, prog-emit-check.c: what shows it ------------------------ */

void emit_finding_init(struct emit *e, struct json_object *finding);
/* The comment at the top. */
void emit_head(struct emit *e);
/* What is looked at when step @nr has been done. */
void emit_check(struct emit *e, unsigned int nr);
/* The finding is of data that no step of the program wrote. */
bool emit_wants_old_data(const struct emit *e);
/* The finding is about how the step waits: "early", "stuck", "spin", "lost", or
 * NULL. */
const char *emit_how_waits(const struct emit *e, unsigned int nr);

/* --- prog-emit-uses.c ------------------------------------------------------------- */

bool emit_is_used(const struct emit *e, const char *helper);
/* Headers, slots and those helper functions, of the ones used by now, that
 * @body calls. */
void emit_helpers(struct emit *e, FILE *out, const char *body);

#endif
