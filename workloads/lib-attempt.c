// SPDX-License-Identifier: GPL-2.0-or-later
/* Something that may block, in a process of its own: see workload.h. */
#include "workload.h"

#include <signal.h>
#include <sys/wait.h>

/* Asleep for this long without a break is blocked: it is many times what a
 * lock or a journal commit takes on a filesystem that does nothing else. */
#define SETTLE 0.08
/* Nothing that is tried here has this many seconds of work to do. */
#define SPIN 3

struct attempt_shared {
	volatile int started;
	volatile int done;
	volatile int ret;
};

void attempt_start(struct attempt *a, const char *what, int (*fn)(void *arg),
		   void *arg)
{
	a->what = what;
	a->sh = SAFE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	a->pid = SAFE(fork());
	if (a->pid)
		return;
	a->sh->started = 1;
	a->sh->ret = fn(arg);
	__sync_synchronize();
	a->sh->done = 1;
	_exit(0);
}

bool attempt_done(struct attempt *a)
{
	return a->sh->done;
}

/* State letter and CPU ticks used so far, from /proc/PID/stat. */
static char state_of(pid_t pid, unsigned long *ticks)
{
	unsigned long ut = 0, st = 0;
	char path[64], buf[512], *p, c = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(path, buf, sizeof(buf)) < 0)
		return '?';
	p = strrchr(buf, ')');
	if (p)
		sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		       &c, &ut, &st);
	*ticks = ut + st;
	return c;
}

double attempt_cpu(struct attempt *a)
{
	unsigned long ticks = 0;

	state_of(a->pid, &ticks);
	return (double)ticks / sysconf(_SC_CLK_TCK);
}

bool attempt_blocks(struct attempt *a)
{
	double since = 0, give_up = wl_now() + 20 * wl->scale;
	unsigned long ticks, last = 0;

	while (wl_now() < give_up) {
		char st;

		if (a->sh->done)
			return false;
		st = state_of(a->pid, &ticks);
		if (st == 'Z' || st == 'X')
			return false;
		if (!a->sh->started || (st != 'S' && st != 'D') ||
		    ticks != last)
			since = 0;
		else if (!since)
			since = wl_now();
		else if (wl_now() - since > SETTLE * wl->scale)
			return !a->sh->done;
		last = ticks;
		if (attempt_cpu(a) > SPIN * wl->scale)
			break;
		usleep(2000);
	}
	/* Neither asleep nor done: it is busy, which is not blocked. */
	INFO("%s neither returns nor sleeps: %.1f s of CPU time so far",
	     a->what, attempt_cpu(a));
	return false;
}

static bool gone(pid_t pid)
{
	siginfo_t si = {};

	return waitid(P_PID, pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       si.si_pid == pid;
}

bool attempt_wait(struct attempt *a, double seconds, int *ret)
{
	WAIT_FOR(a->sh->done || gone(a->pid), seconds);
	if (!a->sh->done)
		return false;
	if (ret)
		*ret = a->sh->ret;
	return true;
}

bool attempt_kill(struct attempt *a, double seconds)
{
	kill(a->pid, SIGKILL);
	return WAIT_FOR(gone(a->pid), seconds);
}

const char *attempt_where(struct attempt *a)
{
	/* Frames that any sleep has: the next one tells. */
	static const char *const generic[] = {
		"__schedule", "schedule", "schedule_timeout", "io_schedule",
		"schedule_preempt_disabled", "__wait_var_event",
		"rwsem_down_write_slowpath", "rwsem_down_read_slowpath",
		"__mutex_lock", "down_write", "down_read", "mutex_lock",
		"wait_for_completion", "context_switch",
	};
	static char where[64];
	char path[64], buf[4096], *save, *line;

	snprintf(path, sizeof(path), "/proc/%d/stack", a->pid);
	strcpy(where, "?");
	if (read_small(path, buf, sizeof(buf)) < 0)
		return where;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char fn[64];
		size_t i;

		if (sscanf(line, "[<%*[^]]] %63[^+ ]", fn) != 1)
			continue;
		strcpy(where, fn);
		for (i = 0; i < sizeof(generic) / sizeof(*generic); i++)
			if (strncmp(fn, generic[i], strcspn(fn, ".")) == 0 &&
			    strlen(generic[i]) == strcspn(fn, "."))
				break;
		if (i == sizeof(generic) / sizeof(*generic))
			break;
	}
	return where;
}

void attempt_end(struct attempt *a)
{
	if (!a->pid)
		return;
	kill(a->pid, SIGKILL);
	/* One that cannot be killed is left to the agent, which tells. */
	if (WAIT_FOR(gone(a->pid), 5))
		waitpid(a->pid, NULL, 0);
	munmap(a->sh, PAGE);
	a->pid = 0;
}
