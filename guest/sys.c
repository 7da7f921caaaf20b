// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void kernel_log(const char *fmt, ...)
{
	char msg[900];
	va_list ap;
	int fd, n, m;

	n = snprintf(msg, sizeof(msg), "<5>rig: ");
	va_start(ap, fmt);
	m = vsnprintf(msg + n, sizeof(msg) - n, fmt, ap);
	va_end(ap);
	if (m > (int)sizeof(msg) - n - 2)
		m = sizeof(msg) - n - 2;
	/* kernel/printk/printk.c vprintk_store(): a record without a newline
	 * stays open for continuation and off the console until the next. */
	msg[n + m++] = '\n';
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, msg, n + m) < 0)
		perror("/dev/kmsg");
	close(fd);
}

/* The kernel takes '-' and '_' for the same in a module's name. */
static int same_name(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
			return 0;
	return a[len] == '\0';
}

static int loaded(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	for (char *c = path + 12; *c; c++)
		if (*c == '-')
			*c = '_';
	return access(path, F_OK) == 0;
}

/* "a.b=1 a.c=2" for module a, from /proc/cmdline, as "b=1 c=2". */
static void params(const char *name, char *out, size_t size)
{
	static char cmdline[4096];
	size_t len = strlen(name), used = 0;
	char *save, *tok;
	FILE *f = fopen("/proc/cmdline", "re");

	out[0] = '\0';
	if (!f)
		return;
	if (!fgets(cmdline, sizeof(cmdline), f))
		cmdline[0] = '\0';
	fclose(f);
	for (tok = strtok_r(cmdline, " \n", &save); tok;
	     tok = strtok_r(NULL, " \n", &save)) {
		if (strcspn(tok, ".") != len || !tok[len] ||
		    !same_name(name, tok, len))
			continue;
		used += snprintf(out + used, size - used, "%s ", tok + len + 1);
		if (used >= size)
			break;
	}
}

static int insert(const char *file)
{
	char path[PATH_MAX], name[128], args[512];
	int fd, err = 0;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
	if (loaded(name))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", GUEST_MODULES, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	params(name, args, sizeof(args));
	if (syscall(SYS_finit_module, fd, args, 0) < 0 && errno != EEXIST)
		err = -errno;
	close(fd);
	return err;
}

int load_module(const char *name)
{
	FILE *f = fopen(GUEST_MODULES_DEP, "re");
	char *line = NULL;
	size_t cap = 0;
	int err = -ENOENT;

	if (loaded(name)) {
		if (f)
			fclose(f);
		return 0;
	}
	while (f && getline(&line, &cap, f) > 0) {
		char *save, *tok = strtok_r(line, " \n", &save), *own;

		if (!tok || !same_name(name, tok, strlen(tok)))
			continue;
		own = strtok_r(NULL, " \n", &save);
		err = own ? 0 : -EINVAL;
		while (!err && (tok = strtok_r(NULL, " \n", &save)))
			err = insert(tok);
		if (!err)
			err = insert(own);
		break;
	}
	free(line);
	if (f)
		fclose(f);
	return err;
}
