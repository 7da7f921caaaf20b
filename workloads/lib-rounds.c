// SPDX-License-Identifier: GPL-2.0-or-later
/* Rounds of what other workloads do once, beside a background load. */
#include "workload.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

static int round_fd;

static int cut(void *arg)
{
	return ftruncate(round_fd, 0) < 0 ? errno : 0;
}

/* Whether one went wrong: said as FAIL; what goes well is not worth a line. */
static bool wrong(bool bad, unsigned int n, const char *what)
{
	if (bad)
		FAIL("round %u: %s", n, what);
	return bad;
}

static bool shared_write(const char *want, size_t len, unsigned int n)
{
	char *other = buffer(len);
	bool ok = true;
	int fd;

	fd = SAFE(open("clone", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (ioctl(fd, FICLONE, round_fd) == 0) {
		memcpy(other, want, len);
		fill(other, PAGE, 1000 + n, 0);
		if (SAFE(pwrite(fd, other, PAGE, 0)) != (ssize_t)PAGE)
			BROKEN("short write");
		ok = !wrong(wrong_data(fd, NULL, other, len), n,
			    "the clone holds wrong data") &&
		     !wrong(wrong_data(round_fd, NULL, want, len), n,
			    "a write to the clone changed the file");
	}
	SAFE(close(fd));
	SAFE(unlink("clone"));
	munmap(other, len);
	return ok;
}

bool busy_round(unsigned int n)
{
	size_t len = 2 * wl->unit;
	char *want = buffer(len), *p;
	struct attempt a;
	int fds[2], ret = 0;
	bool ok = true;

	round_fd = dax_file("foreground", len, n);
	fill(want, len, n, 0);
	p = dax_map(round_fd, 0, len, PROT_READ | PROT_WRITE);
	ok &= !wrong(wrong_data(round_fd, p, want, len), n,
		     "the new file holds wrong data");
	fill(want + wl->unit, wl->unit, n + 1, 0);
	memcpy(p + wl->unit, want + wl->unit, wl->unit);
	SAFE(pipe2(fds, O_CLOEXEC));
	pipe_hold(fds, p + wl->unit, PAGE);
	ok &= !wrong(wrong_data(round_fd, p, want, len), n,
		     "stores are not in the file");
	if (n % 2)
		SAFE(madvise(p, len, MADV_DONTNEED));
	attempt_start(&a, "ftruncate", cut, NULL);
	ok &= !wrong(!attempt_blocks(&a), n,
		     "truncate does not wait for the reference");
	ok &= !wrong(!pipe_drop(fds, want + wl->unit, PAGE), n,
		     "the reference reads wrong data");
	if (!wrong(!attempt_wait(&a, 20, &ret), n, "truncate does not end"))
		ok &= !wrong(ret, n, "truncate fails");
	else
		ok = false;
	attempt_end(&a);
	SAFE(munmap(p, len));
	SAFE(ftruncate(round_fd, len));
	memset(want, 0, len);
	fill(want, PAGE, n + 2, 0);
	if (SAFE(pwrite(round_fd, want, PAGE, 0)) != (ssize_t)PAGE)
		BROKEN("short write");
	ok &= !wrong(wrong_data(round_fd, NULL, want, len), n,
		     "what has grown is not zero");
	ok &= shared_write(want, len, n);
	SAFE(unlink("foreground"));
	SAFE(close(round_fd));
	SAFE(close(fds[0]));
	SAFE(close(fds[1]));
	munmap(want, len);
	return ok;
}
