// SPDX-License-Identifier: GPL-2.0-or-later
#include "workload.h"
#include "guest/agent.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

const struct wl_case *wl;
/* Results go to the agent one datagram each, from whichever process. */
int wl_result_fd = -1;

static void send_result(enum wl_status st, const char *file, int line,
			const char *fmt, va_list ap)
{
	char msg[2048];
	int n = snprintf(msg, sizeof(msg), "%d %s:%d ", st, file, line);
	int m = vsnprintf(msg + n, sizeof(msg) - n, fmt, ap);

	if (m > (int)sizeof(msg) - n - 1)
		m = sizeof(msg) - n - 1;
	while (send(wl_result_fd, msg, n + m, MSG_NOSIGNAL) < 0 &&
	       errno == EINTR)
		;
}

void wl_say(enum wl_status st, const char *file, int line, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	send_result(st, file, line, fmt, ap);
	va_end(ap);
	errno = saved;
}

void wl_end(enum wl_status st, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_result(st, file, line, fmt, ap);
	va_end(ap);
	gates_let_go();
	/* _exit: what the case holds is let go by the kernel, and no handler
	 * of a library runs in a half-built state. */
	_exit(0);
}

double wl_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

ssize_t read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	if (fd < 0)
		return -1;
	/* procfs hands out a page or a line at a time. */
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	if (n < 0 && !len)
		return -1;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int write_small(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	if (n < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	close(fd);
	return 0;
}

int run_program(const char *const *argv)
{
	char out[1500];
	int ret = run_capture(argv, out, sizeof(out));

	if (ret)
		INFO("%s: exit %d: %s", argv[0], ret, out);
	return ret;
}
