// SPDX-License-Identifier: GPL-2.0-or-later
#define XXH_INLINE_ALL
#include "util.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

int verbosity = 1;

void cleanup_free(void *pp)
{
	free(*(void **)pp);
}

void cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* The last error's first line. */
static char *last;

static void vsay(const char *prefix, const char *fmt, va_list ap)
{
	progress_clear();
	fprintf(stderr, "rig: %s", prefix);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

#define SAY(prefix)                                                            \
	do {                                                                   \
		va_list ap;                                                    \
		va_start(ap, fmt);                                             \
		vsay(prefix, fmt, ap);                                         \
		va_end(ap);                                                    \
	} while (0)

int error(const char *fmt, ...)
{
	va_list ap;

	SAY("error: ");
	va_start(ap, fmt);
	free(last);
	if (vasprintf(&last, fmt, ap) < 0)
		last = NULL;
	va_end(ap);
	if (last)
		last[strcspn(last, "\n")] = '\0';
	return -1;
}

const char *error_last(void)
{
	return last;
}

void warning(const char *fmt, ...)
{
	SAY("warning: ");
}

void note(const char *fmt, ...)
{
	if (verbosity >= 1)
		SAY("");
}

void detail(const char *fmt, ...)
{
	if (verbosity >= 2)
		SAY("");
}

static void *check_mem(void *p)
{
	if (!p) {
		error("out of memory");
		exit(EXIT_RIG_FAILED);
	}
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return check_mem(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return check_mem(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return check_mem(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return check_mem(strndup(s, n));
}

static char *xvstrfmt(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	return check_mem(s);
}

char *xstrfmt(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvstrfmt(fmt, ap);
	va_end(ap);
	return s;
}

bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a >= b && strcmp(s + a - b, suffix) == 0;
}

void strv_push(struct strv *s, const char *str)
{
	s->v = xrealloc(s->v, (s->n + 2) * sizeof(*s->v));
	s->v[s->n++] = xstrdup(str);
	s->v[s->n] = NULL;
}

void strv_pushf(struct strv *s, const char *fmt, ...)
{
	_free_ char *str = NULL;
	va_list ap;

	va_start(ap, fmt);
	str = xvstrfmt(fmt, ap);
	va_end(ap);
	strv_push(s, str);
}

void strv_split(struct strv *s, const char *str, const char *delims)
{
	_free_ char *copy = xstrdup(str);
	char *save, *tok;

	for (tok = strtok_r(copy, delims, &save); tok;
	     tok = strtok_r(NULL, delims, &save))
		strv_push(s, tok);
}

bool strv_has(const struct strv *s, const char *str)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], str) == 0)
			return true;
	return false;
}

void strv_free(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv){};
}

char *shell_join(char *const *v)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789@%_+=:,./-";
	struct buf b = {};

	for (; *v; v++) {
		if (b.len)
			buf_add(&b, " ", 1);
		if (**v && (*v)[strspn(*v, safe)] == '\0') {
			buf_add(&b, *v, strlen(*v));
			continue;
		}
		buf_add(&b, "'", 1);
		for (const char *c = *v; *c; c++)
			if (*c == '\'')
				buf_add(&b, "'\\''", 4);
			else
				buf_add(&b, c, 1);
		buf_add(&b, "'", 1);
	}
	buf_add(&b, "", 0);
	return b.data;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = (b->len + len + 1) * 3 / 2 + 64;
		b->data = xrealloc(b->data, b->cap);
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	_free_ char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	s = xvstrfmt(fmt, ap);
	va_end(ap);
	buf_add(b, s, strlen(s));
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}

int mkdir_p(const char *path)
{
	_free_ char *p = xstrdup(path);

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, 0777) < 0 && errno != EEXIST)
			return -errno;
		if (!c)
			return 0;
		*s = c;
	}
}

int read_fd(int fd, struct buf *out)
{
	char chunk[65536];
	ssize_t n;

	buf_add(out, "", 0);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf_add(out, chunk, n);
	}
	return 0;
}

int read_file(const char *path, struct buf *out)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_fd(fd, out);
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int write_file(const char *path, const void *data, size_t len)
{
	_free_ char *tmp = xstrfmt("%s.%d.tmp", path, getpid());
	_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0666);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, data, len);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

bool path_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int remove_tree(const char *root)
{
	if (nftw(root, remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 &&
	    errno != ENOENT)
		return -errno;
	return 0;
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Length of the UTF-8 sequence at @s, or 0: no overlong forms, no surrogates,
 * nothing beyond U+10FFFF, and none of the C1 controls. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t cp;

	if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
		return 0;
	cp = s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < 0xa0 || (n == 3 && cp < 0x800) || (n == 4 && cp < 0x10000) ||
	    (cp >= 0xd800 && cp < 0xe000) || cp > 0x10ffff)
		return 0;
	return n;
}

char *printable(const char *s, size_t len, bool multi)
{
	const unsigned char *p = (const unsigned char *)s;
	struct buf b = {};

	buf_add(&b, "", 0);
	for (size_t i = 0; i < len;) {
		size_t n = 1;

		if ((p[i] >= 0x20 && p[i] < 0x7f) || p[i] == '\t' ||
		    (multi && p[i] == '\n') ||
		    (p[i] >= 0x80 && (n = utf8_len(p + i, len - i)))) {
			buf_add(&b, p + i, n);
			i += n;
		} else {
			buf_addf(&b, "\\x%02x", p[i++]);
		}
	}
	return b.data;
}

void hash_hex(const void *data, size_t len, char hex[17])
{
	snprintf(hex, 17, "%016llx",
		 (unsigned long long)XXH64(data, len, 0));
}
