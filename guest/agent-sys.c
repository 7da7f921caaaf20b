// SPDX-License-Identifier: GPL-2.0-or-later
/* Small helpers of the agent, and what has to be undone after a case. */
#include "agent.h"
#include "sys.h"
#include "wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *req_str(struct json_object *req, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(req, key, &v) ?
		       json_object_get_string(v) : NULL;
}

double req_num(struct json_object *req, const char *key, double fallback)
{
	struct json_object *v;

	return json_object_object_get_ex(req, key, &v) ?
		       json_object_get_double(v) : fallback;
}

bool req_is(struct json_object *req, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(req, key, &v) &&
	       json_object_get_boolean(v);
}

struct json_object *extent(long long a, long long b, long long c)
{
	struct json_object *o = json_object_new_array();

	json_object_array_add(o, json_object_new_int64(a));
	json_object_array_add(o, json_object_new_int64(b));
	json_object_array_add(o, json_object_new_int64(c));
	return o;
}

void put_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key,
			       value ? json_object_new_string(value) : NULL);
}

void put_num(struct json_object *o, const char *key, double value)
{
	json_object_object_add(o, key,
			       value == (long)value ?
				       json_object_new_int64(value) :
				       json_object_new_double(value));
}

const char *say(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s ? s : "out of memory";
}

int run_capture(const char *const *argv, char *out, size_t size)
{
	char rest[4096];
	size_t len = 0;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	for (;;) {
		bool keep = len < size - 1;
		ssize_t n = keep ? read(fds[0], out + len, size - 1 - len) :
				   read(fds[0], rest, sizeof(rest));

		if (n <= 0)
			break;
		if (keep)
			len += n;
	}
	close(fds[0]);
	out[len] = '\0';
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

/* Errors of the library go nowhere: what is left over shows by itself. */
static void quiet(int level, const char *file, int line, int err,
		  const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
}

static void dm_simple(int type, const char *name)
{
	struct dm_task *t = dm_task_create(type);

	if (t && dm_task_set_name(t, name))
		dm_task_run(t);
	if (t)
		dm_task_destroy(t);
}

/* Open every gate, then remove those that nobody uses any more. */
static void sweep_gates(void)
{
	struct dm_task *t;
	struct dm_names *names;

	if (access("/dev/mapper/control", F_OK) < 0)
		return;
	dm_log_with_errno_init(quiet);
	dm_udev_set_sync_support(0);
	t = dm_task_create(DM_DEVICE_LIST);
	if (t && dm_task_run(t) && (names = dm_task_get_names(t)) &&
	    names->dev)
		for (;; names = (void *)((char *)names + names->next)) {
			if (strncmp(names->name, "rig-", 4) == 0) {
				dm_simple(DM_DEVICE_RESUME, names->name);
				dm_simple(DM_DEVICE_REMOVE, names->name);
			}
			if (!names->next)
				break;
		}
	if (t)
		dm_task_destroy(t);
	dm_task_update_nodes();
	dm_lib_release();
}

static void sweep_loops(void)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[300];
		int fd;

		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file",
			 e->d_name);
		if (strncmp(e->d_name, "loop", 4) != 0 ||
		    access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		ioctl(fd, LOOP_CLR_FD, 0);
		close(fd);
	}
	if (d)
		closedir(d);
}

/* A case that froze a filesystem and died of something else. */
static void sweep_freezes(void)
{
	DIR *d = opendir(GUEST_MNT);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd;

		if (e->d_name[0] == '.')
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ioctl(fd, FITHAW, 0);
		close(fd);
	}
	if (d)
		closedir(d);
}

void sweep(void)
{
	sweep_freezes();
	sweep_gates();
	sweep_loops();
}

const char *cmd_modules(struct json_object *req, struct json_object *reply)
{
	struct json_object *list, *failed = json_object_new_array();

	if (!json_object_object_get_ex(req, "load", &list))
		return "modules: nothing to load";
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(
			json_object_array_get_idx(list, i));
		int err = load_module(name);

		/* -ENOENT: built in, or this kernel has none: whoever wants
		 * what it does finds out. */
		if (err && err != -ENOENT)
			json_object_array_add(
				failed, json_object_new_string(say(
						"%s: %s", name, strerror(-err))));
	}
	json_object_object_add(reply, "failed", failed);
	return NULL;
}
