// SPDX-License-Identifier: GPL-2.0-or-later
/* What a file has to hold, byte for byte, and looking whether it does. */
#include "workload.h"
#include "log.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/uio.h>

void *buffer(size_t len)
{
	return SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void *buffer_shared(size_t len)
{
	return SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/* First byte that differs, or -1. memcmp() does the work where all is well. */
static ssize_t first_diff(const unsigned char *got, const unsigned char *want,
			  size_t len)
{
	for (size_t off = 0; off < len; off += PAGE) {
		size_t n = len - off < PAGE ? len - off : PAGE;

		if (memcmp(got + off, want + off, n) == 0)
			continue;
		for (size_t i = off; i < off + n; i++)
			if (got[i] != want[i])
				return i;
	}
	return -1;
}

const char *wrong_data(int fd, const void *p, const void *want, size_t len)
{
	static unsigned char got[KiB(64)];
	static char text[160];
	ssize_t bad;

	for (size_t off = 0; fd >= 0 && off < len; off += sizeof(got)) {
		size_t n = len - off < sizeof(got) ? len - off : sizeof(got);
		const unsigned char *w = (const unsigned char *)want + off;
		ssize_t r = SAFE(pread(fd, got, n, off));

		if (r != (ssize_t)n) {
			snprintf(text, sizeof(text),
				 "read(2) of %zu bytes at %#zx gives %zd", n,
				 off, r);
			return text;
		}
		bad = first_diff(got, w, n);
		if (bad < 0)
			continue;
		snprintf(text, sizeof(text),
			 "read(2) at %#zx gives %#x, not %#x", off + bad,
			 got[bad], w[bad]);
		return text;
	}
	if (!p)
		return NULL;
	bad = first_diff(p, want, len);
	if (bad < 0)
		return NULL;
	snprintf(text, sizeof(text), "the mapping at %#zx holds %#x, not %#x",
		 bad, ((const unsigned char *)p)[bad],
		 ((const unsigned char *)want)[bad]);
	return text;
}

static __thread sigjmp_buf access_jmp;
static __thread volatile sig_atomic_t access_armed;

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (access_armed)
		siglongjmp(access_jmp, sig);
	/* Not ours: the default action, when it is raised again on return. */
	signal(sig, SIG_DFL);
}

int try_access(volatile void *p, bool store)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_NODEFER };
	volatile char *c = p;
	int sig;

	SAFE(sigaction(SIGBUS, &sa, NULL));
	SAFE(sigaction(SIGSEGV, &sa, NULL));
	sig = sigsetjmp(access_jmp, 1);
	if (!sig) {
		access_armed = 1;
		if (store)
			*c = *c;
		else
			(void)*c;
	}
	access_armed = 0;
	return sig;
}

/* A signal is what gets out of a fault that the kernel retries for ever. */
bool try_copy(void *to, const void *from, size_t len, double seconds)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_NODEFER };
	double limit = seconds * wl->scale;
	struct itimerval it = {
		.it_value = { .tv_sec = limit,
			      .tv_usec = (limit - (long)limit) * 1e6 },
	};
	int sig;

	SAFE(sigaction(SIGALRM, &sa, NULL));
	sig = sigsetjmp(access_jmp, 1);
	if (!sig) {
		access_armed = 1;
		setitimer(ITIMER_REAL, &it, NULL);
		memcpy(to, from, len);
	}
	access_armed = 0;
	it.it_value = (struct timeval){};
	setitimer(ITIMER_REAL, &it, NULL);
	return !sig;
}

void pipe_hold(int fds[2], void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };

	if (SAFE(vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK)) != (ssize_t)len)
		BROKEN("vmsplice took less than %zu bytes", len);
	log_pipe_hold(fds[1], p, len);
}

bool pipe_drop(int fds[2], const void *want, size_t len)
{
	const char *w = want;
	char buf[PAGE];
	bool same = true;

	while (len) {
		ssize_t n = SAFE(read(fds[0], buf,
				      len < sizeof(buf) ? len : sizeof(buf)));

		if (!n)
			BROKEN("the pipe ends early");
		if (w && memcmp(buf, w, n) != 0)
			same = false;
		w = w ? w + n : NULL;
		len -= n;
	}
	log_pipe_drop(fds[0]);
	return same;
}
