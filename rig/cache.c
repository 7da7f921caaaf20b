// SPDX-License-Identifier: GPL-2.0-or-later
#include "cache.h"
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* $@env/rig, or ~/@home/rig; a relative path in the variable does not count
 * (XDG Base Directory Specification, "Basics"). */
static char *base_dir(const char *env, const char *home)
{
	const char *dir = getenv(env);
	const char *h = getenv("HOME");

	if (dir && dir[0] == '/')
		return xstrfmt("%s/rig", dir);
	if (h && h[0] == '/')
		return xstrfmt("%s/%s/rig", h, home);
	error("neither HOME nor %s is set: rig has no folder to keep files in",
	      env);
	return NULL;
}

static char *path_below(const char *env, const char *home, const char *fmt,
			va_list ap)
{
	_free_ char *base = base_dir(env, home);
	_free_ char *rel = NULL;
	_free_ char *path = NULL;
	_free_ char *parent = NULL;
	int err;

	if (!base)
		return NULL;
	if (vasprintf(&rel, fmt, ap) < 0)
		rel = xstrdup("");
	path = xstrfmt("%s/%s", base, rel);
	parent = xstrndup(path, strrchr(path, '/') - path);
	err = mkdir_p(parent);
	if (err) {
		error("cannot make %s: %s", parent, strerror(-err));
		return NULL;
	}
	return take_ptr(path);
}

char *cache_path(const char *fmt, ...)
{
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = path_below("XDG_CACHE_HOME", ".cache", fmt, ap);
	va_end(ap);
	return path;
}

char *state_path(const char *fmt, ...)
{
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = path_below("XDG_STATE_HOME", ".local/state", fmt, ap);
	va_end(ap);
	return path;
}

/*
 * The source tree this program was built in, or NULL: rig/rig, build/san/rig
 * and build/san/tests/test-x all lie at most three folders below its top.
 */
static char *source_top(const char *exe)
{
	_free_ char *dir = xstrdup(exe);

	for (int up = 0; up < 4; up++) {
		_free_ char *mark = NULL;
		char *slash = strrchr(dir, '/');

		if (!slash || slash == dir)
			return NULL;
		*slash = '\0';
		mark = xstrfmt("%s/kconfigs/base.config", dir);
		if (up && path_exists(mark))
			return take_ptr(dir);
	}
	return NULL;
}

char *data_path(const char *fmt, ...)
{
	char exe[PATH_MAX] = "";
	_free_ char *rel = NULL;
	_free_ char *top = NULL;
	_free_ char *path = NULL;
	va_list ap;
	char *slash;

	va_start(ap, fmt);
	if (vasprintf(&rel, fmt, ap) < 0)
		rel = xstrdup("");
	va_end(ap);
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		exe[0] = '\0';
	top = source_top(exe);
	if (top) {
		/* What is built lies in build/, what is shipped at the top. */
		path = xstrfmt("%s/build/%s", top, rel);
		if (path_exists(path))
			return take_ptr(path);
		return xstrfmt("%s/%s", top, rel);
	}
	for (int up = 0; up < 2 && (slash = strrchr(exe, '/')); up++)
		*slash = '\0';
	path = xstrfmt("%s/lib/rig/%s", exe, rel);
	if (path_exists(path))
		return take_ptr(path);
	return xstrfmt("%s/lib/rig/%s", RIG_PREFIX, rel);
}

/* `rig clean` may unlink a lock file that somebody waits on: a lock on a file
 * that no longer has the name locks nothing. */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int cache_lock(const char *path, const char *what)
{
	_free_ char *name = xstrfmt("%s.lock", path);
	bool said = false;

	for (;;) {
		_close_ int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		struct pollfd stop = { .fd = interrupt_fd(), .events = POLLIN };

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			if (still_there(fd, name))
				return take_fd(fd);
			continue;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (!said)
			note("waiting for another rig that uses %s", what);
		said = true;
		/* There is no fd that tells when a flock comes free. */
		poll(&stop, 1, 100);
		if (interrupted())
			return -EINTR;
	}
}
