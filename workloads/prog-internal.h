/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the executor's own files share; operations need only prog.h. */
#ifndef WORKLOADS_PROG_INTERNAL_H
#define WORKLOADS_PROG_INTERNAL_H

#include "prog.h"

/* --- prog-model.c ---------------------------------------------------------- */

/* As will_read() and its like; @l NULL: a reference's, which outlives the step
 * and is closed by whoever releases it. */
struct span *span_open(struct lane *l, struct ino *ino, uint64_t off,
		       uint64_t len, bool write);
/* The step ended with @err (0, an errno, VOID). */
void span_close(struct span *sp, int err);

/* --- prog-slots.c ------------------------------------------------------------ */

void slots_init(void);
/* As private_lost(), with the lock held. */
void copies_lost(const struct ino *ino, uint64_t off);
/* All that the step used is given back; its spans are closed. */
void step_ends(struct lane *l, int err);
/* Release every reference, of @ino only if it is not NULL. How many there
 * were. By the watching thread, or when no other runs. */
unsigned int release_all(struct lane *l, struct ino *ino);
unsigned int holds_of(struct ino *ino);
/* Before a census: tell the host of all that is held. What nobody knows the
 * pages of is let go. */
void holds_tell(struct lane *l);
/* Close and unmap all slots; names stay. */
void empty_all(struct lane *l);
/* A descriptor to read @ino by, from whichever slot or name; *@own: to be
 * closed. -1: there is none. */
int ino_fd(struct ino *ino, bool *own);

/* --- prog-background.c -------------------------------------------------------- */

/* Stop what goes on, if anything does. No other thread runs. */
void background_stop(struct lane *l);

/* --- prog-wait.c --------------------------------------------------------------- */

/* The step that just ended with @err: did it wait for what it had to? */
void step_waited(struct lane *l, int err);
/* Look at all lanes once; called every few milliseconds. Ends the case when
 * one of them is stuck. */
void watch(struct lane *watcher);
/* struct op's, of the step that has one; or NULL. */
void (*prog_let_faults(const struct prog *p))(void);
/* Undo every obstacle: how many there were. */
unsigned int obstacles_undo(void);

#endif
