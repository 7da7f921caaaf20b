// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page spliced into an AF_ALG cipher, which keeps it in its transmit list
 * until the result is asked for: crypto/af_alg.c af_alg_sendpage() up to 6.4,
 * af_alg_sendmsg() with MSG_SPLICE_PAGES after; put by af_alg_pull_tsgl().
 * FOLL_GET. The cipher is the null one, so that what comes out went in.
 * Kernels of 2026, stable ones among them, copy instead.
 */
#include "workload.h"

#include <linux/if_alg.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SOL_ALG
#define SOL_ALG 279
#endif

struct alg_ref {
	struct ref ref;
	int tfm, op;
};

static struct ref *take(void *p, size_t len)
{
	struct sockaddr_alg sa = {
		.salg_family = AF_ALG,
		.salg_type = "skcipher",
		.salg_name = "ecb(cipher_null)",
	};
	struct iovec iov = { .iov_base = p, .iov_len = len };
	union {
		char buf[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control = {};
	struct msghdr msg = { .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);
	struct alg_ref *r;
	int fds[2], tfm;

	tfm = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (tfm < 0)
		return NULL;
	if (bind(tfm, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return NULL;
	/* The null cipher's key is empty, but has to be set. */
	setsockopt(tfm, SOL_ALG, ALG_SET_KEY, NULL, 0);
	r = calloc(1, sizeof(*r));
	r->tfm = tfm;
	r->op = SAFE(accept4(tfm, NULL, NULL, SOCK_CLOEXEC));
	cm->cmsg_level = SOL_ALG;
	cm->cmsg_type = ALG_SET_OP;
	cm->cmsg_len = CMSG_LEN(sizeof(uint32_t));
	*(uint32_t *)CMSG_DATA(cm) = ALG_OP_ENCRYPT;
	SAFE(sendmsg(r->op, &msg, MSG_MORE));
	SAFE(pipe2(fds, O_CLOEXEC));
	if (vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)len)
		return NULL;
	for (size_t off = 0; off < len;) {
		ssize_t n = splice(fds[0], NULL, r->op, NULL, len - off,
				   SPLICE_F_MORE);

		if (n <= 0)
			return NULL;
		off += n;
	}
	close(fds[0]);
	close(fds[1]);
	/* End of the data. */
	SAFE(send(r->op, NULL, 0, 0));
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct alg_ref *r = (struct alg_ref *)ref;
	char *buf = malloc(ref->len);
	size_t off = 0;
	int ret;

	while (off < ref->len) {
		ssize_t n = SAFE(read(r->op, buf + off, ref->len - off));

		if (!n)
			BROKEN("the cipher gives %zu of %zu bytes", off,
			       ref->len);
		off += n;
	}
	ret = expect && memcmp(buf, expect, ref->len) ? -1 : 0;
	free(buf);
	close(r->op);
	close(r->tfm);
	free(r);
	return ret;
}

REF_KIND(
	af_alg,
	.name = "af-alg",
	.help = "FOLL_GET, in an AF_ALG cipher's input until it is asked for",
	.take = take,
	.drop = drop,
	.may_copy = true,
);
