/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Progress: one line that is rewritten on a terminal, plain lines in a pipe,
 * nothing with -q. Always on stderr, so that stdout stays parseable.
 */
#ifndef RIG_PROGRESS_H
#define RIG_PROGRESS_H

/*
 * Show what is going on. On a terminal each call replaces the line; in a pipe
 * a line is printed when @stage differs from the last call's, and then at
 * most every ten seconds.
 */
void progress(const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Take the line off the terminal, before something else is printed. */
void progress_clear(void);

/* Columns of the terminal on stderr or stdout, 80 where there is none. */
int term_columns(void);

#endif
