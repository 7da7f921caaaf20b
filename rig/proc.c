// SPDX-License-Identifier: GPL-2.0-or-later
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* timeout(1) and some shells send a signal to the process and to its group:
 * what comes this soon after the first stop, in seconds, is the same one. */
#define SAME_STOP 0.5

/* Signals are a property of the process, so this is one per process. */
static struct {
	int fd;
	int count;
	double first;
} stop = { .fd = -1 };

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };

/* But those that nohup(1) or the shell took from us. */
static sigset_t stop_set(void)
{
	struct sigaction old;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		if (sigaction(stop_signals[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaddset(&set, stop_signals[i]);
	return set;
}

int signals_init(void)
{
	sigset_t set = stop_set();

	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	/* A reader that went away, a file that may grow no more, is an error
	 * code to us. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	cleanup_fd(&stop.fd);
	stop.count = 0;
	stop.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return stop.fd < 0 ? -errno : 0;
}

/* Children die with us, and the NVDIMMs' files have no name. */
static void end_at_once(int sig)
{
	static const char text[] = "rig: stopped at once\n";

	(void)sig;
	if (now() - stop.first < SAME_STOP)
		return;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_INTERRUPTED);
}

static void next_stop_ends(void)
{
	struct sigaction sa = { .sa_handler = end_at_once,
				.sa_flags = SA_RESTART };
	sigset_t set = stop_set();

	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		if (sigismember(&set, stop_signals[i]))
			sigaction(stop_signals[i], &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int interrupted(void)
{
	struct signalfd_siginfo si;

	if (stop.fd < 0 || stop.count ||
	    read(stop.fd, &si, sizeof(si)) != sizeof(si))
		return stop.count;
	stop.count = 1;
	stop.first = now();
	next_stop_ends();
	return 1;
}

void interrupt_ends(void)
{
	if (stop.fd >= 0 && !interrupted())
		next_stop_ends();
}

int interrupt_fd(void)
{
	return stop.fd;
}

static bool in_path(const char *dir, size_t len, const char *name, char **out)
{
	_free_ char *p = xstrfmt("%.*s/%s", (int)len, dir, name);

	if (access(p, X_OK) < 0)
		return false;
	*out = take_ptr(p);
	return true;
}

char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	char *out = NULL;

	if (strchr(name, '/'))
		return access(name, X_OK) < 0 ? NULL : xstrdup(name);
	for (const char *p = path; p && *p;) {
		size_t len = strcspn(p, ":");

		if (len && in_path(p, len, name, &out))
			return out;
		p += len + (p[len] == ':');
	}
	if (in_path("/usr/sbin", 9, name, &out) ||
	    in_path("/sbin", 5, name, &out))
		return out;
	return NULL;
}

/* Runs in the child; only what is safe between fork and exec. */
static void child_exec(const char *path, char *const *argv,
		       const struct proc_opts *o, int report, pid_t parent)
{
	sigset_t none;
	int nul = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, o->death_signal ? o->death_signal : SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (o->dir && chdir(o->dir) < 0)
		goto fail;
	if (dup2(o->in ? o->in : nul, 0) < 0)
		goto fail;
	if (o->out && dup2(o->out < 0 ? nul : o->out, 1) < 0)
		goto fail;
	if (o->err && dup2(o->err < 0 ? nul : o->err, 2) < 0)
		goto fail;
	for (const int *k = o->keep; k && *k >= 0; k++)
		fcntl(*k, F_SETFD, 0);
	for (char *const *e = o->env; e && *e; e++)
		putenv(*e);
	execv(path, argv);
fail:
	nul = errno;
	(void)!write(report, &nul, sizeof(nul));
	_exit(127);
}

int proc_spawn(struct proc *p, char *const *argv, const struct proc_opts *o)
{
	static const struct proc_opts none;
	_free_ char *path = find_program(argv[0]);
	_close_ int rd = -1, wr = -1;
	pid_t parent = getpid();
	int fds[2], err = 0;

	*p = (struct proc)PROC_INIT;
	if (interrupted())
		return -EINTR;
	if (!path)
		return -ENOENT;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rd = fds[0];
	wr = fds[1];
	/* What stdio holds must not be written twice. */
	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0) {
		p->pid = 0;
		return -errno;
	}
	if (!p->pid)
		child_exec(path, argv, o ? o : &none, wr, parent);
	close(take_fd(wr));
	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		err = errno;
	else if (read(rd, &err, sizeof(err)) != sizeof(err))
		err = 0;
	if (err)
		proc_kill(p);
	return -err;
}

static int reap(struct proc *p)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (p->pidfd >= 0)
		close(p->pidfd);
	*p = (struct proc)PROC_INIT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static int poll_ms(double until)
{
	double left;

	if (until < 0)
		return -1;
	left = until - now();
	return left <= 0 ? 0 : left > 1e6 ? 1000000000 : left * 1000 + 1;
}

int proc_wait(struct proc *p, double timeout)
{
	double until = timeout < 0 ? -1 : now() + timeout;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = p->pidfd, .events = POLLIN },
			{ .fd = interrupt_fd(), .events = POLLIN },
		};
		int n = poll(fds, 2, poll_ms(until));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return reap(p);
		if (interrupted())
			return -EINTR;
		if (n == 0)
			return -ETIMEDOUT;
	}
}

void proc_kill(struct proc *p)
{
	if (!p->pid)
		return;
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
	reap(p);
}

void proc_stop(struct proc *p, double grace)
{
	struct pollfd fd = { .fd = p->pidfd, .events = POLLIN };
	double until = now() + grace;

	if (!p->pid)
		return;
	kill(-p->pid, SIGTERM);
	while (poll(&fd, 1, poll_ms(until)) < 0 && errno == EINTR)
		;
	proc_kill(p);
}

int proc_run(char *const *argv, const struct proc_opts *o, int out_fd,
	     double timeout)
{
	struct proc_opts mine = o ? *o : (struct proc_opts){};
	_proc_ struct proc p = PROC_INIT;
	int ret;

	mine.out = mine.err = out_fd;
	ret = proc_spawn(&p, argv, &mine);
	if (!ret)
		ret = proc_wait(&p, timeout);
	if (p.pid)
		proc_stop(&p, 3);
	return ret;
}

/* One end of a pipe that is drained into a sink until it closes. */
struct drain {
	int fd;
	int (*sink)(void *arg, const char *data, size_t len);
	void *arg;
};

static int drain_once(struct drain *d)
{
	char chunk[65536];
	ssize_t n = read(d->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0) {
		close(d->fd);
		d->fd = -1;
		return 0;
	}
	return d->sink(d->arg, chunk, n);
}

/*
 * Drain until the child has ended and its pipes are empty: grandchildren that
 * keep a pipe open do not keep us.
 */
static int drain_all(struct proc *p, struct drain *d, int nr, double timeout)
{
	double until = timeout < 0 ? -1 : now() + timeout;
	bool ended = false;

	for (;;) {
		struct pollfd fds[4] = {
			{ .fd = ended ? -1 : p->pidfd, .events = POLLIN },
			{ .fd = interrupt_fd(), .events = POLLIN },
		};
		int n, err, ready = 0;

		for (int i = 0; i < nr; i++)
			fds[2 + i] = (struct pollfd){ .fd = d[i].fd,
						      .events = POLLIN };
		n = poll(fds, 2 + nr, ended ? 0 : poll_ms(until));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		for (int i = 0; i < nr; i++) {
			if (d[i].fd < 0 || !fds[2 + i].revents)
				continue;
			ready++;
			err = drain_once(&d[i]);
			if (err)
				return err;
		}
		if (ended && !ready)
			return reap(p);
		if (fds[0].revents)
			ended = true;
		if (interrupted())
			return -EINTR;
		if (n == 0 && !ended)
			return -ETIMEDOUT;
	}
}

static int sink_buf(void *arg, const char *data, size_t len)
{
	struct buf *b = arg;

	if (b->len + len > 64u << 20)
		return -EFBIG;
	buf_add(b, data, len);
	return 0;
}

int proc_read(char *const *argv, const struct proc_opts *o, struct buf *out,
	      struct buf *err, double timeout)
{
	struct proc_opts mine = o ? *o : (struct proc_opts){};
	_proc_ struct proc p = PROC_INIT;
	_close_ int out_rd = -1, out_wr = -1, err_rd = -1, err_wr = -1;
	struct drain d[2];
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	out_rd = fds[0];
	out_wr = fds[1];
	if (err) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		err_rd = fds[0];
		err_wr = fds[1];
	}
	mine.out = out_wr;
	mine.err = err ? err_wr : -1;
	ret = proc_spawn(&p, argv, &mine);
	if (ret)
		return ret;
	close(take_fd(out_wr));
	if (err)
		close(take_fd(err_wr));
	d[0] = (struct drain){ take_fd(out_rd), sink_buf, out };
	d[1] = (struct drain){ take_fd(err_rd), sink_buf, err };
	buf_add(out, "", 0);
	if (err)
		buf_add(err, "", 0);
	ret = drain_all(&p, d, err ? 2 : 1, timeout);
	cleanup_fd(&d[0].fd);
	cleanup_fd(&d[1].fd);
	if (p.pid)
		proc_stop(&p, 3);
	return ret;
}

struct line_sink {
	int log_fd;
	struct buf part;
	void (*line)(const char *text, void *arg);
	void *arg;
};

static int sink_lines(void *arg, const char *data, size_t len)
{
	struct line_sink *s = arg;
	int err = write_all(s->log_fd, data, len);
	char *nl;

	if (err)
		return err;
	buf_add(&s->part, data, len);
	while ((nl = memchr(s->part.data, '\n', s->part.len))) {
		size_t used = nl + 1 - s->part.data;

		*nl = '\0';
		s->line(s->part.data, s->arg);
		memmove(s->part.data, nl + 1, s->part.len - used);
		s->part.len -= used;
	}
	return 0;
}

int proc_lines(char *const *argv, const struct proc_opts *o, int log_fd,
	       void (*line)(const char *text, void *arg), void *arg,
	       double timeout)
{
	struct proc_opts mine = o ? *o : (struct proc_opts){};
	struct line_sink sink = { .log_fd = log_fd, .line = line, .arg = arg };
	_proc_ struct proc p = PROC_INIT;
	_close_ int rd = -1, wr = -1;
	struct drain d;
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rd = fds[0];
	wr = fds[1];
	mine.out = mine.err = wr;
	ret = proc_spawn(&p, argv, &mine);
	if (ret)
		return ret;
	close(take_fd(wr));
	d = (struct drain){ take_fd(rd), sink_lines, &sink };
	ret = drain_all(&p, &d, 1, timeout);
	if (sink.part.len) {
		/* Lines before it were moved out from under the NUL. */
		sink.part.data[sink.part.len] = '\0';
		line(sink.part.data, arg);
	}
	buf_free(&sink.part);
	cleanup_fd(&d.fd);
	if (p.pid)
		proc_stop(&p, 3);
	return ret;
}
