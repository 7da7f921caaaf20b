// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * process_vm_readv() and process_vm_writev() pin the remote pages (FOLL_PIN,
 * on every kernel since 5.6), drop the mmap lock, and then copy to or from
 * local memory: mm/process_vm_access.c process_vm_rw_single_vec(). The local
 * side is a hole that userfaultfd watches, so the copy, and with it the pins,
 * wait for as long as we like.
 */
#include "workload.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct pvm_ref {
	struct ref ref;
	pthread_t thread;
	int uffd;
	char *local;
	void *remote;
	size_t len;
	bool writes;
	ssize_t ret;
};

static void *copier(void *arg)
{
	struct pvm_ref *r = arg;
	struct iovec local = { .iov_base = r->local, .iov_len = r->len };
	struct iovec remote = { .iov_base = r->remote, .iov_len = r->len };

	r->ret = r->writes ? process_vm_writev(getpid(), &local, 1, &remote,
					       1, 0) :
			     process_vm_readv(getpid(), &local, 1, &remote,
					      1, 0);
	if (r->ret < 0)
		r->ret = -errno;
	return NULL;
}

static struct ref *take(void *p, size_t len, bool writes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pvm_ref *r;
	struct pollfd pfd;
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	r = calloc(1, sizeof(*r));
	*r = (struct pvm_ref){ .uffd = fd, .remote = p, .len = len,
			       .writes = writes };
	SAFE(ioctl(fd, UFFDIO_API, &api));
	r->local = SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	SAFE(madvise(r->local, len, MADV_DONTFORK));
	reg.range.start = (uintptr_t)r->local;
	reg.range.len = len;
	SAFE(ioctl(fd, UFFDIO_REGISTER, &reg));
	errno = pthread_create(&r->thread, NULL, copier, r);
	if (errno)
		return NULL;
	/* The copy has met the hole: the pages are pinned by now. */
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (SAFE(poll(&pfd, 1, 20000 * wl->scale)) != 1)
		BROKEN("process_vm_%sv() meets no hole",
		       writes ? "write" : "read");
	return &r->ref;
}

static int drop(struct ref *ref, const void *expect)
{
	struct pvm_ref *r = (struct pvm_ref *)ref;
	void *src = SAFE(mmap(NULL, r->len, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct uffdio_copy c = {
		.dst = (uintptr_t)r->local,
		.src = (uintptr_t)src,
		.len = r->len,
	};
	int ret = 0;

	fill(src, r->len, 0, 0);
	SAFE(ioctl(r->uffd, UFFDIO_COPY, &c));
	pthread_join(r->thread, NULL);
	if (r->ret != (ssize_t)r->len)
		BROKEN("process_vm_%sv(): %s", r->writes ? "write" : "read",
		       r->ret < 0 ? strerror(-r->ret) : "short");
	if (!r->writes && expect && memcmp(r->local, expect, r->len) != 0)
		ret = -1;
	munmap(src, r->len);
	munmap(r->local, r->len);
	close(r->uffd);
	free(r);
	return ret;
}

static struct ref *take_read(void *p, size_t len)
{
	return take(p, len, false);
}

static struct ref *take_write(void *p, size_t len)
{
	return take(p, len, true);
}

REF_KIND(
	process_vm_read,
	.name = "process-vm-read",
	.help = "FOLL_PIN by process_vm_readv, its copy waiting for a fault",
	.take = take_read,
	.drop = drop,
);

REF_KIND(
	process_vm_write,
	.name = "process-vm-write",
	.help = "FOLL_PIN by process_vm_writev, its copy waiting for a fault; "
		"writes fill()'s pattern of seed 0 when dropped",
	.take = take_write,
	.drop = drop,
	.writes = true,
);
