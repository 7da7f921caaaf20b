/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program as a C file of its own: what operations need that say more than a
 * template can (prog.h has the rest). docs/operations.md tells how an
 * operation is written in C.
 */
#ifndef WORKLOADS_EMIT_H
#define WORKLOADS_EMIT_H

#include "prog.h"

/*
 * A piece of C that a reproducer has only when a step needs it. The general
 * ones are in prog-emit-helpers.c; one that serves a single operation stands in
 * that operation's file. It has no header of ours, is static, and is written
 * for somebody who reads it in a mail.
 */
struct c_helper {
	const char *name;	/* of the function, macro or type it defines */
	/* What it needs itself: helpers, and <headers> beyond the usual. */
	const char *uses;
	/* A statement that undoes what other steps may wait for ("thaw();"),
	 * harmless when there is nothing to undo; or NULL. */
	const char *lets_go;
	/* With $thread for "__thread" where there are several threads. */
	const char *text;
};

#define C_HELPER_(id, ...)                                                     \
	static const struct c_helper c_helper_##id = { __VA_ARGS__ };          \
	static const struct c_helper *const c_helper_p_##id                    \
		__attribute__((used, section("c_helpers"))) = &c_helper_##id
/* One or more in a file; @id is a C identifier. */
#define C_HELPER(id, ...) C_HELPER_(id, __VA_ARGS__)

/* The step as @c says, a template as in struct op. */
void emit_c(struct emit *e, const struct step *s, const char *c);

/* What is mapped in a slot, as far as the program tells before it is run. */
struct emit_map {
	bool filled;		/* it may be */
	uint64_t off, len;	/* in its file */
};
const struct emit_map *emit_map_of(const struct emit *e, uint64_t slot);
/* For a step whose mapping is not the one that its arguments make: what is in
 * the slot from here on. */
void emit_map_is(struct emit *e, uint64_t slot, const struct emit_map *m);

#endif
