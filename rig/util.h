/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every host module uses: scope-bound cleanup, messages, strings,
 * string vectors and whole files.
 *
 * Lower layers return -errno and print nothing. The layer that knows the
 * user's noun prints one line with error() and hands on the exit code.
 * Running out of memory ends the program (exit 128): no caller can do better.
 */
#ifndef RIG_UTIL_H
#define RIG_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* Exit codes, chosen so that `git bisect run` can use them as they are. */
enum rig_exit {
	EXIT_CLEAN = 0,
	EXIT_FINDINGS = 1,
	EXIT_CANNOT_TEST = 125,
	EXIT_RIG_FAILED = 128,
	EXIT_USAGE = 129,
	EXIT_INTERRUPTED = 130,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define __cleanup(fn) __attribute__((cleanup(fn)))
#define __printf(f, a) __attribute__((format(printf, f, a)))

void cleanup_free(void *pp);
void cleanup_fd(int *fd);
void cleanup_file(FILE **f);

/* Freed, closed, fclosed when the scope ends; -1 and NULL are left alone. */
#define _free_ __cleanup(cleanup_free)
#define _close_ __cleanup(cleanup_fd)
#define _fclose_ __cleanup(cleanup_file)

/* Take the value out of a scope-bound variable, so that it outlives it. */
#define take_ptr(p) ({ __typeof__(p) __v = (p); (p) = NULL; __v; })
#define take_fd(fd) ({ int __v = (fd); (fd) = -1; __v; })

/* -q and -v: 0 says only errors and results, 1 is normal, 2 says more. */
extern int verbosity;

/*
 * One line on stderr, "rig: error: ..." and the like; a progress line that is
 * on the terminal is cleared first. error() returns -1 so that a caller can
 * `return error(...)`.
 */
int error(const char *fmt, ...) __printf(1, 2);
/* The first line of the last error() so far, or NULL: the run directory keeps
 * it. Valid until the next one. */
const char *error_last(void);
void warning(const char *fmt, ...) __printf(1, 2);
void note(const char *fmt, ...) __printf(1, 2);		/* verbosity >= 1 */
void detail(const char *fmt, ...) __printf(1, 2);	/* verbosity >= 2 */

/* Allocation that does not fail; results are freed by the caller. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xstrfmt(const char *fmt, ...) __printf(1, 2);

bool starts_with(const char *s, const char *prefix);
bool ends_with(const char *s, const char *suffix);

/* A growing, NULL-terminated vector of owned strings: argv and lists. */
struct strv {
	char **v;
	size_t n;
};
#define _strv_ __cleanup(strv_free)

void strv_push(struct strv *s, const char *str);
void strv_pushf(struct strv *s, const char *fmt, ...) __printf(2, 3);
void strv_split(struct strv *s, const char *str, const char *delims);
bool strv_has(const struct strv *s, const char *str);
void strv_free(struct strv *s);
/* @v joined by blanks, each word quoted for a shell where it needs to be. */
char *shell_join(char *const *v);

/* A growing byte buffer; @data is always NUL-terminated once non-NULL. */
struct buf {
	char *data;
	size_t len, cap;
};
#define _buf_ __cleanup(buf_free)

void buf_add(struct buf *b, const void *data, size_t len);
void buf_addf(struct buf *b, const char *fmt, ...) __printf(2, 3);
void buf_free(struct buf *b);

/* Files. All return 0 or -errno. */
int mkdir_p(const char *path);
int read_file(const char *path, struct buf *out);
int read_fd(int fd, struct buf *out);	/* to its end */
/* Written beside @path, synced and renamed over it: never seen half. */
int write_file(const char *path, const void *data, size_t len);
int write_all(int fd, const void *data, size_t len);
bool path_exists(const char *path);
/*
 * Remove a tree that rig itself made. @root must be an absolute path below
 * the cache or state folder, or a run directory of ours; callers pass nothing
 * that a user named. Does not follow links and does not cross devices.
 */
int remove_tree(const char *root);

/* Monotonic seconds. */
double now(void);

/* The text with control bytes, and bytes that are no UTF-8, as \xNN: guest
 * output is data wherever it is shown. Tabs and newlines stay when @multi. */
char *printable(const char *s, size_t len, bool multi);

/* xxh64 of @len bytes as 16 hex digits into @hex (17 bytes with the NUL). */
void hash_hex(const void *data, size_t len, char hex[17]);

#endif
