// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSG_ZEROCOPY over loopback TCP: FOLL_GET, held by the send queue, as the
 * peer's window is full of ordinary data (see ref-zerocopy.c). When TCP sends is
 * its own business, so that nobody is told that he has to wait for it.
 */
#include "emit.h"
#include "prog-io.h"

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

enum { REF, MAP, OFF, LEN };

/* Ordinary data that is ahead in the queue, and to go before the page does. */
#define AHEAD ((int)KiB(64))
#define AT_MOST KiB(768)

static bool gen(struct gen *g, struct step *s)
{
	s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
	s->arg[LEN] = (1 + (gen_chance(g, 20) ? gen_below(g, 4) : 0)) * PAGE;
	g->ref[s->arg[REF]] = g->map[s->arg[MAP]].file;
	g->map[s->arg[MAP]].touched = true;
	return true;
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

static int connected(int lfd, int sk[2])
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, small = KiB(32), big = MiB(2);
	socklen_t sl = sizeof(sin);

	/* The window offered is bound by the buffer at the time of listen. */
	setsockopt(lfd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(lfd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    listen(lfd, 1) < 0 ||
	    getsockname(lfd, (struct sockaddr *)&sin, &sl) < 0)
		return errno;
	setsockopt(sk[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	setsockopt(sk[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (setsockopt(sk[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0)
		return EOPNOTSUPP;
	if (connect(sk[0], (struct sockaddr *)&sin, sizeof(sin)) < 0)
		return errno;
	sk[1] = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	return sk[1] < 0 ? errno : 0;
}

static int pair(int sk[2])
{
	int lfd, err;

	lo_up();
	lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sk[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sk[1] = -1;
	err = lfd < 0 || sk[0] < 0 ? errno : connected(lfd, sk);
	if (lfd >= 0)
		close(lfd);
	return err;
}

static int unsent(int fd)
{
	int n = 0;

	ioctl(fd, SIOCOUTQNSD, &n);
	return n;
}

/* Fill the window and AHEAD bytes more; how many bytes that were, or 0. What
 * the peer has room for goes off in a softirq. */
static size_t fill_window(int fd)
{
	double until = wl_now() + 2 * wl->scale;
	static const char plain[KiB(16)];
	size_t sent = 0;
	int was = -1;

	while (unsent(fd) < AHEAD && sent < AT_MOST) {
		ssize_t n = send(fd, plain, sizeof(plain), MSG_DONTWAIT);

		if (n <= 0)
			break;
		sent += n;
		usleep(100);
	}
	while (was != unsent(fd) && wl_now() < until) {
		was = unsent(fd);
		usleep(5000);
	}
	return unsent(fd) < AHEAD ? 0 : sent;
}

/* What is ahead is read and forgotten, then the pages' bytes into @buf: how
 * many came, within @seconds. */
static size_t drain(int fd, size_t ahead, char *buf, size_t len,
		    double seconds)
{
	double until = wl_now() + seconds, left = seconds;
	size_t got = 0;

	while (got < ahead + len && left > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		size_t want = got < ahead ? ahead - got : ahead + len - got;
		ssize_t n;

		poll(&pfd, 1, left * 1000 + 1);
		left = until - wl_now();
		if (got < ahead && want > KiB(64))
			want = KiB(64);
		n = recv(fd, got < ahead ? buf : buf + (got - ahead), want,
			 MSG_DONTWAIT);
		if (!n)
			break;
		if (n > 0)
			got += n;
	}
	return got > ahead ? got - ahead : 0;
}

static void close_pair(const int sk[2])
{
	for (int i = 0; i < 2; i++)
		if (sk[i] >= 0)
			close(sk[i]);
}

static void release(struct lane *l, struct hold *h)
{
	size_t len = h->n & 0xffffffff;
	size_t n = drain(h->fds[1], h->n >> 32, l->buf, len, 2 * wl->scale);

	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (n)
		ref_check(l, h, l->buf, n);
	/* What did not come is thrown away, whoever has the socket, too. */
	connect(h->fds[0], &none, sizeof(none));
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN], ahead = 0;
	struct hold *h;
	int sk[2], err;
	ssize_t n = -1;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (len > 15 * PAGE - off % PAGE)
		len = 15 * PAGE - off % PAGE;
	h = fresh_ref(l, s->arg[REF], "zerocopy", m, off, len);
	if (!h)
		return VOID;
	l->patience = 5;
	err = pair(sk);
	if (!err)
		ahead = fill_window(sk[0]);
	l->patience = 0;
	if (!err && !ahead)
		err = EAGAIN;
	if (!err) {
		n = send(sk[0], m->p + off, len, MSG_ZEROCOPY | MSG_DONTWAIT);
		err = n > 0 ? 0 : n < 0 ? errno : EAGAIN;
	}
	/* It went off at once: the window was not full after all. */
	if (!err && unsent(sk[0]) < n)
		err = EAGAIN;
	if (err) {
		close_pair(sk);
		ref_none(l, h);
		return err;
	}
	h->fds[0] = sk[0];
	h->fds[1] = sk[1];
	h->n = ahead << 32 | n;
	h->len = (off % PAGE + n + PAGE - 1) / PAGE * PAGE;
	h->loose = true;
	h->release = release;
	ref_held(l, h);
	return 0;
}

C_HELPER(
	hold_zerocopy,
	.name = "hold_zerocopy",
	.uses = "ref SAW <net/if.h> <netinet/in.h> <sys/ioctl.h> <sys/socket.h>",
	.text = "static void drop_tcp(struct ref *r)\n"
		"{\n"
		"\tfor (size_t at = 0; at < r->n; at += nr_seen) {\n"
		"\t\tsize_t left = r->n - at;\n"
		"\n"
		"\t\tSAW(recv(r->fd[1], seen, left < sizeof(seen) ? left :\n"
		"\t\t\t sizeof(seen), 0));\n"
		"\t\tif (nr_seen <= 0)\n"
		"\t\t\tbreak;\n"
		"\t}\n"
		"\tSAW(recv(r->fd[1], seen, sizeof(seen), 0));\n"
		"\tclose(r->fd[0]);\n"
		"\tclose(r->fd[1]);\n"
		"}\n"
		"\n"
		"/* The pages are in the queue of a TCP socket, behind what fills the window of a\n"
		" * peer that does not read. */\n"
		"static void hold_zerocopy(struct ref *r, char *p, size_t len)\n"
		"{\n"
		"\tstruct sockaddr_in sin = { .sin_family = AF_INET,\n"
		"\t\t.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };\n"
		"\tstruct ifreq lo = { .ifr_name = \"lo\", .ifr_flags = IFF_UP };\n"
		"\tint one = 1, small = 32768, big = 2 << 20;\n"
		"\tint fd = socket(AF_INET, SOCK_STREAM, 0);\n"
		"\tsocklen_t n = sizeof(sin);\n"
		"\tstatic char plain[256 << 10];\n"
		"\n"
		"\tioctl(fd, SIOCSIFFLAGS, &lo);\n"
		"\tsetsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));\n"
		"\tTRY(bind(fd, (struct sockaddr *)&sin, n));\n"
		"\tTRY(listen(fd, 1));\n"
		"\tTRY(getsockname(fd, (struct sockaddr *)&sin, &n));\n"
		"\tTRY(r->fd[0] = socket(AF_INET, SOCK_STREAM, 0));\n"
		"\tsetsockopt(r->fd[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));\n"
		"\tTRY(setsockopt(r->fd[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));\n"
		"\tTRY(connect(r->fd[0], (struct sockaddr *)&sin, n));\n"
		"\tTRY(r->fd[1] = accept(fd, NULL, NULL));\n"
		"\tclose(fd);\n"
		"\tTRY(send(r->fd[0], plain, sizeof(plain), MSG_DONTWAIT));\n"
		"\tr->n = ret > 0 ? ret : 0;\n"
		"\tusleep(20000);\t/* what the window has room for goes off */\n"
		"\tTRY(send(r->fd[0], p, len, MSG_ZEROCOPY | MSG_DONTWAIT));\n"
		"\tif (ret > 0)\n"
		"\t\tr->drop = drop_tcp;\n"
		"}\n",
);

OP(
	.name = "zerocopy",
	.help = "a reference (FOLL_GET) that a TCP send queue holds",
	.groups = "pin",
	.weight = 1,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "hold_zerocopy(&ref[$ref], map$map + $off, $len);",
	.c_uses = "hold_zerocopy",
	.must = "a page whose last reference goes is idle again",
);
