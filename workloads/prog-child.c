// SPDX-License-Identifier: GPL-2.0-or-later
/* Child processes of a step: they end with it. */
#include "prog.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

pid_t child_start(struct lane *l, int (*fn)(void *arg), void *arg, int keep)
{
	pid_t pid;

	l->settle = 1;
	pid = fork();
	if (pid)
		return pid;
	/* With the thread that made it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What others let go of in the parent is let go of. */
	if (keep > 3)
		close_range(3, keep - 1, 0);
	close_range(keep >= 3 ? keep + 1 : 3, ~0u, 0);
	_exit(fn(arg));
}

int child_pauses(void *arg)
{
	for (;;)
		pause();
}

int child_end(pid_t pid, bool kill_it)
{
	int status = 0;

	if (kill_it)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

void *child_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}
