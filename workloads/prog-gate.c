// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate of a program: a device over RAM (lib-gate.c), made when it is first
 * used, that keeps direct I/O in flight while it is closed.
 *
 * Invariants: what was submitted to a closed gate moves no byte before
 * gate_let_through(), by which time it is either taken by who opens it, or not
 * held yet; and a gate does not close before all that went to it when it was
 * open is over. So no data moves at a quiet point, and no step is told to wait
 * for what has ended by itself.
 */
#include "prog-io.h"

#include <stdlib.h>
#include <time.h>

#define AREAS (NR_SLOTS + MAX_LANES)

/* Of all here and of libdevmapper. Never held over what waits for a file, as
 * the watching thread takes it; ex->lock may be taken inside. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_over = PTHREAD_COND_INITIALIZER;
static struct gate *gate;
static struct gate_fds fds = { -1, -1 };
static int lacking;		/* errno: there is none here */
/* What comes through when the watching thread opens it. */
static char let_through[KiB(64)];
static bool closed;
static unsigned int under_way;

/* All of the disk's pages: none has to be had while I/O goes on. */
static bool fill_disk(void)
{
	char *p = aligned_alloc(PAGE, KiB(64));
	bool ok = p;

	if (p)
		memset(p, 0, KiB(64));
	for (int i = 0; ok && i < AREAS; i++)
		ok = pwrite(fds.disk, p, KiB(64), i * KiB(64)) ==
		     (ssize_t)KiB(64);
	free(p);
	return ok;
}

static int make(void)
{
	if (gate || lacking)
		return lacking;
	/* That thread must not fault: see prog-run.c have_memory(). */
	memset(let_through, 0, sizeof(let_through));
	fds.disk = open(GATE_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	gate = fds.disk < 0 ? NULL : gate_try(GATE_DISK, AREAS * KiB(64));
	if (gate)
		fds.gate = open(gate_path(gate),
				O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fds.gate < 0 || !fill_disk())
		lacking = ENODEV;
	return lacking;
}

int io_begin(struct gate_fds *to)
{
	int err;

	pthread_mutex_lock(&lock);
	err = make();
	under_way += !err;
	*to = fds;
	pthread_mutex_unlock(&lock);
	return err;
}

void io_over(void)
{
	pthread_mutex_lock(&lock);
	under_way--;
	pthread_cond_broadcast(&one_over);
	pthread_mutex_unlock(&lock);
}

/*
 * By whoever has found that a step waits: its own lane, as data that has come
 * through is looked at. It does not tell of a step.
 */
static void undo(void)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct lane l = { .nr = -1, .buf = let_through };

	pthread_mutex_lock(&one_at_a_time);
	gate_let_through(&l);
	pthread_mutex_unlock(&one_at_a_time);
}

/* What was let through a moment ago is being reaped. Less than what the one who
 * watches calls blocked. */
static void wait_for_others(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 30 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (under_way && !closed &&
	       !pthread_cond_timedwait(&one_over, &lock, &until))
		;
}

int gate_shut(void)
{
	int err;

	pthread_mutex_lock(&lock);
	err = make();
	if (!err)
		wait_for_others();
	err = err ?: closed ? EALREADY : under_way ? EBUSY : 0;
	if (!err && !gate_set(gate, true))
		err = EIO;
	if (!err) {
		closed = true;
		obstacle_set("a closed gate", undo);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

void gate_let_through(struct lane *l)
{
	struct hold *h[NR_SLOTS];
	unsigned int n;

	pthread_mutex_lock(&lock);
	/* First: nobody is to wait for them from now on. */
	n = take_refs(io_is_flying, h);
	if (closed && gate_set(gate, false)) {
		closed = false;
		obstacle_set("a closed gate", NULL);
	}
	pthread_mutex_unlock(&lock);
	while (n)
		ref_release(l, h[--n]);
}

bool gate_keeps(struct lane *l, struct hold *h)
{
	bool keeps;

	/* What waits for locks, before. */
	ref_pages(h);
	pthread_mutex_lock(&lock);
	keeps = closed;
	if (keeps)
		ref_held(l, h);
	pthread_mutex_unlock(&lock);
	return keeps;
}
