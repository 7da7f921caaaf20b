// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As vmsplice, but the pipe it went into is drained: the reference left is the
 * one that tee(2) took, fs/splice.c link_pipe() and pipe_buf_get().
 */
#include "workload.h"

#include <sys/uio.h>

struct tee_ref {
	struct ref ref;
	int fds[2];
};

/* Read @len bytes from @fd; -1 when they are not @want's (may be NULL). */
static int drain(int fd, const char *want, size_t len)
{
	char buf[4096];
	int ret = 0;

	for (size_t off = 0; off < len;) {
		size_t left = len - off;
		ssize_t n = SAFE(read(fd, buf,
				      left < sizeof(buf) ? left : sizeof(buf)));

		if (!n)
			BROKEN("the pipe ends after %zu of %zu bytes", off,
			       len);
		if (want && memcmp(buf, want + off, n) != 0)
			ret = -1;
		off += n;
	}
	return ret;
}

static struct ref *take(void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };
	struct tee_ref *r = calloc(1, sizeof(*r));
	int first[2];

	SAFE(pipe2(first, O_CLOEXEC));
	SAFE(pipe2(r->fds, O_CLOEXEC));
	if (vmsplice(first[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)len)
		return NULL;
	if (SAFE(tee(first[0], r->fds[1], len, SPLICE_F_NONBLOCK)) !=
	    (ssize_t)len)
		BROKEN("tee duplicates less than the pipe holds");
	drain(first[0], NULL, len);
	close(first[0]);
	close(first[1]);
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct tee_ref *r = (struct tee_ref *)ref;
	int ret = drain(r->fds[0], expect, ref->len);

	close(r->fds[0]);
	close(r->fds[1]);
	free(r);
	return ret;
}

REF_KIND(
	vmsplice_tee,
	.name = "vmsplice-tee",
	.help = "FOLL_GET duplicated by tee, the first pipe drained",
	.take = take,
	.drop = drop,
);
