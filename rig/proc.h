/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes and waiting. Every child gets its own process group, no
 * standard input, default signals, and dies when rig dies (PR_SET_PDEATHSIG),
 * however rig dies.
 *
 * SIGINT, SIGTERM and SIGHUP are blocked in rig and arrive on one signalfd:
 * every wait in the program is a ppoll() that has it among its fds.
 */
#ifndef RIG_PROC_H
#define RIG_PROC_H

#include "util.h"

/* Once, before any thread or child is made; again forgets a stop. 0 or
 * -errno. */
int signals_init(void);
/*
 * Whether the user asked to stop. From then on no child is started and every
 * wait ends with -EINTR, whether it had begun or not; a second request ends
 * the program where it stands (exit 130).
 */
int interrupted(void);
/* From here on the first request does: only output is left to be written. */
void interrupt_ends(void);
/* Readable when a stop was asked for; -1 before signals_init(). */
int interrupt_fd(void);

struct proc {
	pid_t pid;	/* 0 when there is none */
	int pidfd;	/* -1 when there is none; readable when it has ended */
};
#define PROC_INIT { .pidfd = -1 }
#define _proc_ __cleanup(proc_kill)

struct proc_opts {
	const char *dir;	/* working directory, or NULL for rig's */
	char *const *env;	/* "NAME=value" added to rig's, or NULL */
	int in, out, err;	/* fds for 0, 1, 2; 0 means /dev/null for in,
				 * rig's own for out and err */
	const int *keep;	/* fds kept open over exec, ended by -1 */
	int death_signal;	/* sent when rig dies; 0 means SIGKILL */
};

/*
 * Start @argv (looked up in PATH). Returns 0, or -errno, -ENOENT among them
 * when there is no such program: an exec that fails is seen here. -EINTR after
 * the user asked to stop.
 */
int proc_spawn(struct proc *p, char *const *argv, const struct proc_opts *o);

/*
 * Wait until it ends, for at most @timeout seconds (negative: no limit).
 * Returns its exit status (128 + signal when it was killed), -ETIMEDOUT, or
 * -EINTR when the user asked to stop. In the latter two it still runs.
 */
int proc_wait(struct proc *p, double timeout);

/* SIGTERM to the group, a grace time in seconds, then SIGKILL; reaped. */
void proc_stop(struct proc *p, double grace);
/* SIGKILL to the group; reaped. Fine on one that has ended or never was. */
void proc_kill(struct proc *p);

/*
 * Run @argv to its end; stdout and stderr go to @out_fd (or are dropped when
 * it is -1). Returns as proc_wait(), and has ended it in any case.
 */
int proc_run(char *const *argv, const struct proc_opts *o, int out_fd,
	     double timeout);

/*
 * Run @argv and gather stdout into @out, at most 64 MiB; its stderr is
 * gathered into @err where that is not NULL, else dropped. As proc_run().
 */
int proc_read(char *const *argv, const struct proc_opts *o, struct buf *out,
	      struct buf *err, double timeout);

/*
 * Run @argv with stdout and stderr in one pipe: every byte goes to @log_fd
 * first, then each whole line (without its newline) to @line. As proc_run();
 * -errno when the log cannot be written, with the child stopped.
 */
int proc_lines(char *const *argv, const struct proc_opts *o, int log_fd,
	       void (*line)(const char *text, void *arg), void *arg,
	       double timeout);

/* Path of a program in PATH, owned by the caller, or NULL. /usr/sbin and
 * /sbin count even when PATH lacks them (mkfs of an ordinary user). */
char *find_program(const char *name);

#endif
