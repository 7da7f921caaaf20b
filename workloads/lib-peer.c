// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another process that does what it is told, call by call: a second mapper, a
 * mapper that exits, a holder of references. See workload.h.
 */
#include "workload.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct call {
	int (*fn)(void *arg);
	void *arg;
};

static void serve(int fd)
{
	struct call c;

	while (read(fd, &c, sizeof(c)) == sizeof(c)) {
		int ret = c.fn(c.arg);

		if (write(fd, &ret, sizeof(ret)) != sizeof(ret))
			break;
	}
	_exit(0);
}

void peer_start(struct peer *p)
{
	int fds[2];

	SAFE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	p->pid = SAFE(fork());
	if (!p->pid) {
		close(fds[0]);
		serve(fds[1]);
	}
	close(fds[1]);
	p->fd = fds[0];
}

void peer_send(struct peer *p, int (*fn)(void *arg), void *arg)
{
	struct call c = { fn, arg };

	if (write(p->fd, &c, sizeof(c)) != sizeof(c))
		BROKEN("the other process is gone");
}

bool peer_reply(struct peer *p, double seconds, int *ret)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	int val, n;

	do
		n = poll(&pfd, 1, seconds * wl->scale * 1000);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	if (read(p->fd, &val, sizeof(val)) != sizeof(val))
		BROKEN("the other process died in its call");
	if (ret)
		*ret = val;
	return true;
}

int peer_call(struct peer *p, int (*fn)(void *arg), void *arg)
{
	int ret;

	peer_send(p, fn, arg);
	if (!peer_reply(p, 20, &ret))
		BROKEN("the other process does not come back from its call");
	return ret;
}

int peer_end(struct peer *p)
{
	siginfo_t si = {};
	int status = -1;

	/* Not close(): peers started later have a copy of it. */
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	if (!WAIT_FOR(waitid(P_PID, p->pid, &si, WEXITED | WNOHANG | WNOWAIT) <
				      0 || si.si_pid == p->pid, 20)) {
		kill(p->pid, SIGKILL);
		return -1;
	}
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	return status;
}
