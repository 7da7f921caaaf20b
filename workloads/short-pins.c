// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * References that last microseconds, but come again and again from two
 * processes, do not starve what waits for the page to be idle, nor make it
 * spin. Each time it wakes it holds the lock that faults need, zaps the
 * mapping and looks again, so that only references under way are left.
 * Caught: a wait that lets faults in and asks for more than it can get. One
 * that starves may be lucky: it has to meet a reference, and most do.
 *
 * From 6.15 on it does starve: see break-refault.c. Each pin maps the page
 * again, the count never is 0, and nothing wakes it. With O_DIRECT it sleeps
 * on from 6.0 to 6.4 as well: see dma-pinned.c.
 */
#include "change.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PINNERS 2

struct tally {
	volatile long pins;	/* references taken and dropped again */
	volatile long refused;
};

static bool pin_once(const char *how, char *page, char *buf, int pipe_fds[2],
		     int dev)
{
	struct iovec here = { .iov_base = buf, .iov_len = PAGE };
	struct iovec there = { .iov_base = page, .iov_len = PAGE };

	if (*how == 'p')
		return process_vm_readv(getpid(), &here, 1, &there, 1, 0) ==
		       (ssize_t)PAGE;
	if (*how == 'o')
		return pwrite(dev, page, PAGE, 0) == (ssize_t)PAGE;
	return vmsplice(pipe_fds[1], &there, 1, 0) == (ssize_t)PAGE &&
	       read(pipe_fds[0], buf, PAGE) == (ssize_t)PAGE;
}

static void pinner(struct scene *s, struct tally *t, struct gate *g)
{
	char *map = dax_map(s->fd, 0, 3 * wl->unit, PROT_READ);
	char *buf = SAFE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fds[2], dev = -1;

	SAFE(pipe2(fds, O_CLOEXEC));
	if (g)
		dev = SAFE(open(gate_path(g), O_WRONLY | O_DIRECT));
	for (;;) {
		/* Beyond the end of the file there is nothing to pin. */
		if (pin_once(wl->variant, map + wl->unit, buf, fds, dev))
			__sync_fetch_and_add(&t->pins, 1);
		else
			__sync_fetch_and_add(&t->refused, 1);
	}
}

static void run(void)
{
	struct gate *g = *wl->variant == 'o' ? gate_new(MiB(1)) : NULL;
	struct tally *t = SAFE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	const char *change = strrchr(wl->variant, '-') + 1;
	pid_t pids[PINNERS];
	struct attempt a;
	struct scene s;
	double start, took;
	long pins;
	bool ended;
	int ret = 0;

	scene_make(&s, change);
	scene_map(&s);
	scene_unmap(&s);
	for (int i = 0; i < PINNERS; i++) {
		pids[i] = SAFE(fork());
		if (!pids[i])
			pinner(&s, t, g);
	}
	if (!WAIT_FOR(t->pins > 20, 10)) {
		if (t->refused)
			SKIP("%s takes no reference on this kernel",
			     wl->variant);
		BROKEN("the pinners take no references");
	}
	pins = t->pins;
	start = wl_now();
	attempt_start(&a, change, scene_change, &s);
	ended = CHECK(attempt_wait(&a, 6, &ret),
		      "%s ends though short references come again and again",
		      change);
	took = wl_now() - start;
	INFO("%s took %.3f s and %.2f s of CPU time, %ld references meanwhile",
	     change, took, attempt_cpu(&a), t->pins - pins);
	CHECK(attempt_cpu(&a) < 3 * wl->scale, "%s does not spin", change);
	for (int i = 0; i < PINNERS; i++) {
		kill(pids[i], SIGKILL);
		SAFE(waitpid(pids[i], NULL, 0));
	}
	if (!ended)
		ended = CHECK(attempt_wait(&a, 5, &ret),
			      "%s ends when the references end", change);
	if (ended && CHECK(ret == 0, "%s succeeds: %s", change, strerror(ret)))
		scene_check_after(&s);
	attempt_end(&a);
	if (g)
		gate_free(g);
}

WORKLOAD(
	.name = "short-pins",
	.help = "a stream of short references does not starve truncate",
	.point = "break-layouts",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 4,
	.modules = "dm-mod brd",
	.variants = (const char *const[]){
		"process-vm-truncate", "process-vm-punch",
		"vmsplice-truncate", "vmsplice-punch", "odirect-truncate",
		"odirect-punch", NULL },
	.run = run,
);
