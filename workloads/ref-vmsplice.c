// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/splice.c iter_to_pipe() and iov_iter_get_pages: FOLL_GET, and the pipe
 * keeps the page until its buffer has been read. */
#include "workload.h"

#include <sys/uio.h>

struct pipe_ref {
	struct ref ref;
	int fds[2];
};

static struct ref *take(void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };
	struct pipe_ref *r = calloc(1, sizeof(*r));
	ssize_t n;

	SAFE(pipe2(r->fds, O_CLOEXEC));
	n = vmsplice(r->fds[1], &iov, 1, SPLICE_F_NONBLOCK);
	if (n == (ssize_t)len)
		return &r->ref;
	if (n >= 0)
		errno = ENOBUFS;
	return NULL;
}

static int drop(struct ref *ref, const void *expect)
{
	struct pipe_ref *r = (struct pipe_ref *)ref;
	const char *want = expect;
	size_t off = 0;
	int ret = 0;

	while (off < ref->len) {
		char buf[4096];
		ssize_t n = SAFE(read(r->fds[0], buf, sizeof(buf)));

		if (want && memcmp(buf, want + off, n) != 0)
			ret = -1;
		off += n;
	}
	close(r->fds[0]);
	close(r->fds[1]);
	free(r);
	return ret;
}

REF_KIND(
	vmsplice,
	.name = "vmsplice",
	.help = "FOLL_GET, held by a pipe buffer until it is read",
	.take = take,
	.drop = drop,
);
