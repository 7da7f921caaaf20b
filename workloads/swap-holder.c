// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A reference outlives whoever took it: a pipe is duplicated by tee, its file
 * goes to another process by SCM_RIGHTS, the first holder closes all it has.
 * Truncate waits until the last holder is gone, and that one does not read the
 * page but exits: put by free_pipe_info() or the socket's garbage, not by a
 * read. Caught: a put on one of those ways that wakes nobody.
 */
#include "change.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void send_fd(int sk, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	SAFE(sendmsg(sk, &msg, 0));
}

/* Holds what it is sent until it is killed. */
static pid_t start_holder(int *sk)
{
	int pair[2];
	pid_t pid;

	SAFE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = SAFE(fork());
	if (!pid) {
		char control[CMSG_SPACE(sizeof(int))], c;
		struct iovec iov = { .iov_base = &c, .iov_len = 1 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };

		close(pair[0]);
		if (strcmp(wl->variant, "queued") != 0)
			SAFE(recvmsg(pair[1], &msg, 0));
		SAFE(write(pair[1], "k", 1));
		for (;;)
			pause();
	}
	close(pair[1]);
	*sk = pair[0];
	return pid;
}

/* The attempt must not keep a copy of the pipe or of the socket open. */
static int change(void *arg)
{
	struct scene *s = arg;

	s->fd = dup2(s->fd, 3);
	close_range(4, ~0u, 0);
	return scene_change(s);
}

static void run(void)
{
	int first[2], second[2], sk, ret;
	struct attempt a;
	struct scene s;
	struct iovec iov;
	pid_t holder;
	char c;

	scene_make(&s, "truncate");
	scene_map(&s);
	holder = start_holder(&sk);
	SAFE(pipe2(first, O_CLOEXEC));
	SAFE(pipe2(second, O_CLOEXEC));
	iov = (struct iovec){ .iov_base = s.page, .iov_len = PAGE };
	SAFE(vmsplice(first[1], &iov, 1, SPLICE_F_NONBLOCK));
	SAFE(tee(first[0], second[1], PAGE, SPLICE_F_NONBLOCK));
	send_fd(sk, second[0]);
	SAFE(read(sk, &c, 1));
	attempt_start(&a, "truncate", change, &s);
	CHECK(attempt_blocks(&a), "truncate waits for a page in two pipes");
	close(first[0]);
	close(first[1]);
	CHECK(attempt_blocks(&a), "truncate waits for the duplicate");
	close(second[0]);
	close(second[1]);
	CHECK(attempt_blocks(&a),
	      "truncate waits for the pipe that another process holds");
	kill(holder, SIGKILL);
	/* What is queued in a socket lives as long as the socket's peer. */
	if (strcmp(wl->variant, "queued") == 0)
		close(sk);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "truncate ends when the last holder has exited"))
		scene_check_after(&s);
	SAFE(waitpid(holder, NULL, 0));
	attempt_end(&a);
}

WORKLOAD(
	.name = "swap-holder",
	.help = "a reference handed over to another process is still waited for",
	.point = "dma-pinned",
	.on = ON_FS,
	.with = WITH_4K,
	.runtime = 2,
	.variants = (const char *const[]){ "received", "queued", NULL },
	.run = run,
);
