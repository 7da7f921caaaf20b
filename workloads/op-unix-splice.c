// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page that is a fragment of an skb in a unix socket until the peer reads:
 * by vmsplice and splice, see ref-unix.c. A kernel that copies instead is found
 * out by ordinary memory, once.
 */
#include "emit.h"
#include "prog-io.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum { REF, MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
	s->arg[LEN] = (1 + (gen_chance(g, 20) ? gen_below(g, 4) : 0)) * PAGE;
	g->ref[s->arg[REF]] = g->map[s->arg[MAP]].file;
	g->map[s->arg[MAP]].touched = true;
	return true;
}

/* Bytes that are in the socket now, from @p on, or -errno. */
static ssize_t send_pages(int sk, void *p, size_t len)
{
	struct iovec iov = { p, len };
	size_t sent = 0;
	ssize_t n;
	int fds[2], err = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	n = vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (n < 0)
		err = errno;
	while (n > 0 && sent < (size_t)n) {
		ssize_t m = splice(fds[0], NULL, sk, NULL, n - sent,
				   SPLICE_F_NONBLOCK);

		if (m <= 0) {
			err = m < 0 ? errno : EAGAIN;
			break;
		}
		sent += m;
	}
	close(fds[0]);
	close(fds[1]);
	return sent ? (ssize_t)sent : -(err ?: EAGAIN);
}

static ssize_t receive(int sk, char *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len &&
	       (n = recv(sk, buf + got, len - got, MSG_DONTWAIT)) > 0)
		got += n;
	return got;
}

static int pair(int sk[2])
{
	int size = KiB(256);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sk) < 0)
		return errno;
	setsockopt(sk[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* Whether a store after the take is seen by who reads. */
static bool refers(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), got = 0;
	bool ret = false;
	int sk[2];

	if (p == MAP_FAILED)
		return false;
	*p = 1;
	if (!pair(sk)) {
		if (send_pages(sk[0], p, PAGE) == (ssize_t)PAGE) {
			*p = 2;
			ret = receive(sk[1], &got, 1) == 1 && got == 2;
		}
		close(sk[0]);
		close(sk[1]);
	}
	munmap(p, PAGE);
	return ret;
}

static bool copies(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int known;	/* 1: it refers, 2: it copies */
	int it;

	pthread_mutex_lock(&lock);
	if (!known)
		known = refers() ? 1 : 2;
	it = known;
	pthread_mutex_unlock(&lock);
	return it == 2;
}

static void release(struct lane *l, struct hold *h)
{
	ssize_t n = receive(h->fds[1], l->buf, h->n);

	if (n > 0)
		ref_check(l, h, l->buf, n);
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct hold *h;
	int sk[2], err;
	ssize_t n;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (copies())
		return EOPNOTSUPP;
	if (len > 15 * PAGE - off % PAGE)
		len = 15 * PAGE - off % PAGE;
	h = fresh_ref(l, s->arg[REF], "unix-splice", m, off, len);
	if (!h)
		return VOID;
	err = pair(sk);
	if (err)
		return ref_none(l, h), err;
	n = send_pages(sk[0], m->p + off, len);
	if (n <= 0) {
		close(sk[0]);
		close(sk[1]);
		ref_none(l, h);
		return -n;
	}
	h->fds[0] = sk[0];
	h->fds[1] = sk[1];
	h->n = n;
	h->len = (off % PAGE + n + PAGE - 1) / PAGE * PAGE;
	h->release = release;
	ref_held(l, h);
	return 0;
}

C_HELPER(
	hold_unix,
	.name = "hold_unix",
	.uses = "ref SAW <sys/socket.h> <sys/uio.h>",
	.text = "static void drop_unix(struct ref *r)\n"
		"{\n"
		"\tSAW(recv(r->fd[1], seen, sizeof(seen), MSG_DONTWAIT));\n"
		"\tclose(r->fd[0]);\n"
		"\tclose(r->fd[1]);\n"
		"}\n"
		"\n"
		"/* The pages are in a socket until they are read from it. */\n"
		"static void hold_unix(struct ref *r, char *p, size_t len)\n"
		"{\n"
		"\tstruct iovec iov = { p, len };\n"
		"\tint fds[2];\n"
		"\n"
		"\tTRY(pipe(fds));\n"
		"\tTRY(socketpair(AF_UNIX, SOCK_STREAM, 0, r->fd));\n"
		"\tTRY(vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK));\n"
		"\tTRY(splice(fds[0], NULL, r->fd[0], NULL, len, SPLICE_F_NONBLOCK));\n"
		"\tif (ret > 0)\n"
		"\t\tr->drop = drop_unix;\n"
		"\tclose(fds[0]);\n"
		"\tclose(fds[1]);\n"
		"}\n",
);

OP(
	.name = "unix-splice",
	.help = "a reference (FOLL_GET) that a fragment in a unix socket holds",
	.groups = "pin",
	.weight = 2,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "hold_unix(&ref[$ref], map$map + $off, $len);",
	.c_uses = "hold_unix",
	.must = "while the socket refers to a page its block stays the file's, "
		"and whoever would free it waits",
);
