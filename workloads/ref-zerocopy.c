// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSG_ZEROCOPY over loopback TCP: net/core/datagram.c zerocopy_fill_skb_from_
 * iter() takes FOLL_GET. What is delivered locally is copied on its way in
 * (skb_orphan_frags_rx()), so what holds the reference is the send queue: the
 * peer's window is full of ordinary data before the page is sent. The
 * completion on the error queue says that the reference is gone.
 */
#include "workload.h"

#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

struct tcp_ref {
	struct ref ref;
	int tx, rx;
	size_t before;	/* bytes of ordinary data ahead of the page's */
};

static int unsent(int fd)
{
	int n = 0;

	SAFE(ioctl(fd, SIOCOUTQNSD, &n));
	return n;
}

static int lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (!ret)
		ret = ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return ret;
}

static struct ref *take(void *p, size_t len)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t sl = sizeof(sin);
	struct tcp_ref *r;
	int one = 1, small = KiB(32), big = MiB(1), lfd, was = -1;
	static char plain[KiB(16)];

	if (lo_up() < 0)
		return NULL;
	lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (lfd < 0)
		return NULL;
	r = calloc(1, sizeof(*r));
	/* The window offered is bound by the buffer at the time of listen. */
	setsockopt(lfd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	SAFE(bind(lfd, (struct sockaddr *)&sin, sizeof(sin)));
	SAFE(listen(lfd, 1));
	SAFE(getsockname(lfd, (struct sockaddr *)&sin, &sl));
	r->tx = SAFE(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	setsockopt(r->tx, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	setsockopt(r->tx, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (setsockopt(r->tx, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	SAFE(connect(r->tx, (struct sockaddr *)&sin, sizeof(sin)));
	r->rx = SAFE(accept4(lfd, NULL, NULL, SOCK_CLOEXEC));
	close(lfd);
	while (unsent(r->tx) < (int)sizeof(plain) && r->before < KiB(512)) {
		r->before += SAFE(send(r->tx, plain, sizeof(plain), 0));
		/* What the peer has room for goes off in a softirq. */
		usleep(100);
	}
	if (!WAIT_FOR(was == unsent(r->tx) || (was = unsent(r->tx), false), 2))
		BROKEN("the peer's window does not fill up");
	if (send(r->tx, p, len, MSG_ZEROCOPY) != (ssize_t)len)
		return NULL;
	if (unsent(r->tx) < (int)len)
		BROKEN("the page went off at once: the window was not full");
	return &r->ref;
}

static bool completed(int fd)
{
	char control[256];
	struct msghdr msg = { .msg_control = control,
			      .msg_controllen = sizeof(control) };

	return recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0;
}

static int drop(struct ref *ref, const void *expect)
{
	struct tcp_ref *r = (struct tcp_ref *)ref;
	size_t total = r->before + ref->len;
	const char *want = expect;
	int ret = 0;

	for (size_t off = 0; off < total;) {
		char buf[4096];
		size_t left = off < r->before ? r->before - off : total - off;
		ssize_t n = SAFE(recv(r->rx, buf,
				      left < sizeof(buf) ? left : sizeof(buf),
				      0));

		if (!n)
			BROKEN("the connection ends after %zu bytes", off);
		if (want && off >= r->before &&
		    memcmp(buf, want + (off - r->before), n) != 0)
			ret = -1;
		off += n;
	}
	if (!WAIT_FOR(completed(r->tx), 5))
		BROKEN("no zero-copy completion");
	close(r->tx);
	close(r->rx);
	free(r);
	return ret;
}

REF_KIND(
	zerocopy,
	.name = "zerocopy",
	.help = "FOLL_GET, MSG_ZEROCOPY in a TCP send queue until the peer reads",
	.take = take,
	.drop = drop,
	.may_copy = true,
);
