// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page spliced on from a pipe into a stream socket, where it is a fragment
 * of an skb until the peer reads: net/unix/af_unix.c unix_stream_sendpage() up
 * to 6.4, skb_splice_from_iter() by MSG_SPLICE_PAGES after. FOLL_GET taken by
 * vmsplice; put by skb_release_data().
 */
#include "workload.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct unix_ref {
	struct ref ref;
	int sk[2];
};

static struct ref *take(void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };
	struct unix_ref *r = calloc(1, sizeof(*r));
	int fds[2], size = 4 * len + KiB(64);

	SAFE(pipe2(fds, O_CLOEXEC));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->sk) < 0)
		return NULL;
	setsockopt(r->sk[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)len)
		return NULL;
	for (size_t off = 0; off < len;) {
		ssize_t n = splice(fds[0], NULL, r->sk[0], NULL, len - off, 0);

		if (n <= 0)
			return NULL;
		off += n;
	}
	close(fds[0]);
	close(fds[1]);
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct unix_ref *r = (struct unix_ref *)ref;
	const char *want = expect;
	int ret = 0;

	for (size_t off = 0; off < ref->len;) {
		char buf[4096];
		ssize_t n = SAFE(recv(r->sk[1], buf, sizeof(buf), 0));

		if (!n)
			BROKEN("the socket ends after %zu bytes", off);
		if (want && memcmp(buf, want + off, n) != 0)
			ret = -1;
		off += n;
	}
	close(r->sk[0]);
	close(r->sk[1]);
	free(r);
	return ret;
}

REF_KIND(
	unix_splice,
	.name = "unix-splice",
	.help = "FOLL_GET, a fragment in a unix socket until the peer reads",
	.take = take,
	.drop = drop,
	.may_copy = true,
);
