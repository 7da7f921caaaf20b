// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent.h"
#include "sys.h"
#include "wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A child's last datagram, its reply, begins with this; results do not. */
#define REPLY_MARK '{'

static const struct command commands[] = {
	{ "modules", cmd_modules },
	{ "setup", cmd_setup },
	{ "disable", cmd_disable },
	{ "enable", cmd_enable },
	{ "where", cmd_where },
	{ "layout", cmd_layout },
	{ "owners", cmd_owners },
	{ "mkfs", cmd_mkfs },
	{ "mount", cmd_mount },
	{ "umount", cmd_umount },
	{ "check", cmd_check },
	{ "run", cmd_run },
	{ "clean", cmd_clean },
	{ "shell", cmd_shell },
};

struct agent {
	int port;
	char *in;		/* bytes of the port not yet a line */
	size_t in_len;

	/* The command that runs, if any. */
	pid_t child;
	int pidfd;
	int results;		/* our end of its socket */
	int id;
	char *case_name;	/* of a "run", else NULL */
	double started, deadline;
	struct json_object *reply;
	unsigned int seen[5];	/* results by status */
	int census;		/* number of the one that waits for "go", or 0 */
	double undead;		/* since when the child has ended but for threads
				 * that the kernel keeps, or 0 */
	bool hung;
};

static double mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* The host is all the agent is for: when the port fails, it ends. */
static void send_json(struct agent *a, struct json_object *o)
{
	size_t len, off = 0;
	const char *text = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN, &len);
	char *line = malloc(len + 1);

	memcpy(line, text, len);
	line[len] = '\n';
	while (off < len + 1) {
		ssize_t n = write(a->port, line + off, len + 1 - off);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			exit(1);
		if (n > 0)
			off += n;
		else
			poll(&(struct pollfd){ a->port, POLLOUT, 0 }, 1, 100);
	}
	free(line);
	json_object_put(o);
}

static struct json_object *event(const char *name)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "ev", name);
	put_num(o, "t", mono());
	return o;
}

/* --- looking at what a child's processes do ------------------------------- */

static void slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < size - 1 &&
	       (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	if (fd >= 0)
		close(fd);
	buf[len] = '\0';
}

/* Calls @fn for every process of @session but kernel threads. */
static void each_of(pid_t session, void (*fn)(pid_t pid, void *arg), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[300], stat[512], *p;
		pid_t pid = atoi(e->d_name), sid = 0;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		slurp(path, stat, sizeof(stat));
		p = strrchr(stat, ')');
		if (p && sscanf(p + 1, " %*c %*d %*d %d", &sid) == 1 &&
		    sid == session)
			fn(pid, arg);
	}
	if (d)
		closedir(d);
}

struct stacks {
	struct agent *a;
	int n;
};

static void send_stacks(pid_t pid, void *arg)
{
	struct stacks *s = arg;
	char dir[64];
	DIR *d;
	struct dirent *e;

	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		struct json_object *o;
		char path[400], text[4096], comm[64], stat[512], *p;

		if (e->d_name[0] == '.' || s->n++ >= 64)
			continue;
		snprintf(path, sizeof(path), "%s/%s/stack", dir, e->d_name);
		slurp(path, text, sizeof(text));
		snprintf(path, sizeof(path), "%s/%s/comm", dir, e->d_name);
		slurp(path, comm, sizeof(comm));
		comm[strcspn(comm, "\n")] = '\0';
		snprintf(path, sizeof(path), "%s/%s/stat", dir, e->d_name);
		slurp(path, stat, sizeof(stat));
		p = strrchr(stat, ')');
		o = event("stack");
		put_num(o, "pid", atoi(e->d_name));
		put_str(o, "comm", comm);
		put_str(o, "state", (char[]){ p && p[1] ? p[2] : '?', 0 });
		put_str(o, "stack", text);
		send_json(s->a, o);
	}
	if (d)
		closedir(d);
}

static void kill_one(pid_t pid, void *arg)
{
	(void)arg;
	kill(pid, SIGKILL);
}

static void count_one(pid_t pid, void *arg)
{
	(void)pid;
	++*(int *)arg;
}

static void reap_strays(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Kill all of a session and wait; how many are left after @seconds. */
static int kill_session(pid_t session, double seconds)
{
	double until = mono() + seconds;
	int left;

	reap_strays();
	/* Every process below us would become our child (we are a subreaper):
	 * without any, none is left, and /proc need not be read to know it. */
	if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) {
		sweep();
		return 0;
	}
	do {
		each_of(session, kill_one, NULL);
		/* Gates and the like hold what would otherwise die. */
		sweep();
		reap_strays();
		left = 0;
		each_of(session, count_one, &left);
		if (left)
			usleep(5000);
	} while (left && mono() < until);
	return left;
}

static void sysrq(char key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, &key, 1) < 0)
		kernel_log("agent: sysrq %c failed", key);
	if (fd >= 0)
		close(fd);
}

/* --- a command from start to reply ---------------------------------------- */

static void reply_error(struct agent *a, int id, const char *text)
{
	struct json_object *o = event("reply");

	put_num(o, "id", id);
	json_object_object_add(o, "ok", json_object_new_boolean(false));
	put_str(o, "error", text);
	send_json(a, o);
}

static void in_child(const struct command *c, struct json_object *req, int fd)
{
	struct json_object *reply = json_object_new_object();
	const char *err, *text;
	size_t len;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	wl_result_fd = fd;
	err = c->fn(req, reply);
	json_object_object_add(reply, "ok", json_object_new_boolean(!err));
	if (err)
		put_str(reply, "error", err);
	text = json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN,
						 &len);
	if (send(fd, text, len, MSG_NOSIGNAL) < 0)
		_exit(1);
	_exit(0);
}

static void start(struct agent *a, struct json_object *req)
{
	const char *name = req_str(req, "cmd");
	const struct command *c = NULL;
	int id = req_num(req, "id", -1), fds[2];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (name && strcmp(commands[i].name, name) == 0)
			c = &commands[i];
	if (!c || a->child) {
		reply_error(a, id, !c ? say("no such command: %s", name) :
					"a command is still running");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		reply_error(a, id, say("socketpair: %s", strerror(errno)));
		return;
	}
	free(a->case_name);
	a->case_name = NULL;
	if (c->fn == cmd_run && req_str(req, "case"))
		a->case_name = strdup(req_str(req, "case"));
	memset(a->seen, 0, sizeof(a->seen));
	a->hung = false;
	a->census = 0;
	a->undead = 0;
	a->id = id;
	a->started = mono();
	a->deadline = a->started + req_num(req, "timeout", 60);
	a->child = fork();
	if (!a->child) {
		close(fds[0]);
		close(a->port);
		in_child(c, req, fds[1]);
	}
	close(fds[1]);
	if (a->child < 0) {
		close(fds[0]);
		a->child = 0;
		reply_error(a, id, say("fork: %s", strerror(errno)));
		return;
	}
	a->results = fds[0];
	a->pidfd = syscall(SYS_pidfd_open, a->child, 0);
}

static const char *const status_names[] = { "PASS", "FAIL", "SKIP", "BROKEN",
					    "INFO" };

/* What a case's processes may send; the rest is the agent's own to say. */
static const char *const case_events[] = { "census", "census-hz", "extents",
					   "hold", "release", "finding" };

static void take_event(struct agent *a, const char *text)
{
	struct json_object *got = json_tokener_parse(text), *o = NULL;
	const char *name = req_str(got, "ev");

	for (size_t i = 0;
	     name && i < sizeof(case_events) / sizeof(*case_events); i++)
		if (strcmp(case_events[i], name) == 0)
			o = event(name);
	if (o && a->case_name) {
		put_str(o, "case", a->case_name);
		json_object_object_foreach(got, k, v)
			if (strcmp(k, "ev") != 0)
				json_object_object_add(o, k,
						       json_object_get(v));
		if (strcmp(name, "census") == 0)
			a->census = req_num(got, "seq", 0);
		/* As bad as a FAIL. */
		if (strcmp(name, "finding") == 0)
			a->seen[1]++;
		send_json(a, o);
	} else {
		json_object_put(o);
	}
	json_object_put(got);
}

/* "STATUS FILE:LINE TEXT" of wl_say(), an event, or a command's reply. */
static void take_result(struct agent *a)
{
	static char msg[1 << 18];
	ssize_t n = recv(a->results, msg, sizeof(msg) - 1, MSG_DONTWAIT);
	struct json_object *o;
	char *where, *text;
	unsigned int st;

	if (n <= 0)
		return;
	msg[n] = '\0';
	if (msg[0] == REPLY_MARK) {
		json_object_put(a->reply);
		a->reply = json_tokener_parse(msg);
		return;
	}
	if (msg[0] == EVENT_MARK) {
		take_event(a, msg + 1);
		return;
	}
	st = msg[0] - '0';
	where = strchr(msg, ' ');
	text = where ? strchr(where + 1, ' ') : NULL;
	if (st >= sizeof(status_names) / sizeof(*status_names) || !text)
		return;
	*text++ = '\0';
	a->seen[st]++;
	o = event("result");
	if (a->case_name)
		put_str(o, "case", a->case_name);
	put_str(o, "status", status_names[st]);
	put_str(o, "where", where + 1);
	put_str(o, "text", text);
	send_json(a, o);
}

/* The worst thing said decides; a case that showed nothing is BROKEN. */
static const char *verdict(struct agent *a, int status)
{
	if (a->hung)
		return "HANG";
	if (a->seen[1])
		return "FAIL";
	if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status)))
		return "CRASH";
	if (a->seen[3])
		return "BROKEN";
	if (a->seen[2])
		return "SKIP";
	return a->seen[0] ? "PASS" : "BROKEN";
}

static void finish(struct agent *a, int status, int stuck)
{
	struct json_object *o = event("reply");
	bool is_run = a->case_name, was_ok;

	while (recv(a->results, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		take_result(a);
	was_ok = a->reply;
	close(a->results);
	if (a->pidfd >= 0)
		close(a->pidfd);
	a->pidfd = a->results = -1;
	put_num(o, "id", a->id);
	put_num(o, "seconds", mono() - a->started);
	if (WIFEXITED(status))
		put_num(o, "exit", WEXITSTATUS(status));
	if (stuck)
		put_num(o, "stuck", stuck);
	if (a->hung)
		json_object_object_add(o, "hung", json_object_new_boolean(1));
	if (is_run) {
		put_str(o, "case", a->case_name);
		put_str(o, "status", verdict(a, status));
		if (WIFSIGNALED(status))
			put_num(o, "signal", WTERMSIG(status));
	}
	if (a->reply) {
		json_object_object_foreach(a->reply, k, v)
			json_object_object_add(o, k, json_object_get(v));
		json_object_put(a->reply);
		a->reply = NULL;
	}
	if (is_run && !was_ok) {
		json_object_object_add(o, "ok", json_object_new_boolean(true));
	} else if (!was_ok) {
		json_object_object_add(o, "ok", json_object_new_boolean(false));
		put_str(o, "error",
			a->hung ? "did not end within its time" :
			WIFSIGNALED(status) ?
				  say("killed by signal %d", WTERMSIG(status)) :
				  "ended without a reply");
	}
	a->child = 0;
	send_json(a, o);
}

/*
 * A process that has called exit_group() stays a zombie that cannot be waited
 * for while a thread of it is in uninterruptible sleep: there is no more to
 * come of it.
 */
static bool is_undead(struct agent *a)
{
	char path[64], stat[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", a->child);
	slurp(path, stat, sizeof(stat));
	p = strrchr(stat, ')');
	if (!p || p[1] != ' ' || p[2] != 'Z')
		a->undead = 0;
	else if (!a->undead)
		a->undead = mono();
	return a->undead && mono() - a->undead > 2;
}

/* The child ended by itself, or its time is up. */
static void child_check(struct agent *a)
{
	int status = 0;
	pid_t got = waitpid(a->child, &status, WNOHANG);
	bool undead = got != a->child && is_undead(a);

	if (got != a->child && mono() < a->deadline && !undead)
		return;
	if (undead) {
		struct stacks s = { a, 0 };

		/* A program's executor tells itself what does not end. */
		a->hung = !a->seen[1];
		each_of(a->child, send_stacks, &s);
	} else if (got != a->child) {
		struct stacks s = { a, 0 };

		a->hung = true;
		each_of(a->child, send_stacks, &s);
		sysrq('w');
		sysrq('l');
	}
	/* The session's id stays taken while any of it lives. */
	int stuck = kill_session(a->child, 3);

	if (got != a->child) {
		got = waitpid(a->child, &status, WNOHANG);
		if (got != a->child)
			status = 0;
	}
	finish(a, status, stuck);
}

static void reply_ok(struct agent *a, struct json_object *req)
{
	struct json_object *o = event("reply");

	put_num(o, "id", req_num(req, "id", -1));
	json_object_object_add(o, "ok", json_object_new_boolean(true));
	send_json(a, o);
}

/* A line of the host's in the kernel log: where a case begins and ends. */
static void mark(struct agent *a, struct json_object *req)
{
	kernel_log("%s", req_str(req, "text") ? req_str(req, "text") : "");
	reply_ok(a, req);
}

/*
 * The host has taken its census: let the process go on that waits for it. By
 * number, both ways: a process that was killed while it waited leaves its
 * answer to be read, or still to be sent, when the next one waits.
 */
static void go(struct agent *a, struct json_object *req)
{
	char msg[16];
	int len = snprintf(msg, sizeof(msg), "%d", a->census);

	if (!a->child || !a->census ||
	    req_num(req, "seq", a->census) != a->census ||
	    send(a->results, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		reply_error(a, req_num(req, "id", -1),
			    "nobody waits for a census");
		return;
	}
	a->census = 0;
	reply_ok(a, req);
}

static void power_off(struct agent *a, struct json_object *req)
{
	reply_ok(a, req);
	reboot(RB_POWER_OFF);
	exit(0);
}

static void handle_line(struct agent *a, const char *line)
{
	struct json_object *req = json_tokener_parse(line);
	const char *cmd = req_str(req, "cmd");

	if (!cmd)
		reply_error(a, -1, "not a command");
	else if (strcmp(cmd, "poweroff") == 0)
		power_off(a, req);
	else if (strcmp(cmd, "mark") == 0)
		mark(a, req);
	else if (strcmp(cmd, "go") == 0)
		go(a, req);
	else
		start(a, req);
	json_object_put(req);
}

static void read_port(struct agent *a)
{
	char *nl;
	ssize_t n;

	a->in = realloc(a->in, a->in_len + 4096);
	n = read(a->port, a->in + a->in_len, 4096);
	if (n <= 0) {
		/* The host is not (or no longer) connected. */
		usleep(20000);
		return;
	}
	a->in_len += n;
	while ((nl = memchr(a->in, '\n', a->in_len))) {
		size_t used = nl + 1 - a->in;

		*nl = '\0';
		handle_line(a, a->in);
		memmove(a->in, nl + 1, a->in_len - used);
		a->in_len -= used;
	}
	if (a->in_len > WIRE_MAX_LINE)
		exit(1);
}

static int open_port(void)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	struct dirent *e;
	int fd = -1;

	while (d && fd < 0 && (e = readdir(d))) {
		char path[400], name[64];

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 e->d_name);
		slurp(path, name, sizeof(name));
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name, WIRE_PORT) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (d)
		closedir(d);
	return fd;
}

/* How slow this guest is: 1 on the 2-core TCG host the limits were set on. */
static double measure_scale(void)
{
	volatile unsigned long x = 1;
	double best = 1e9;

	for (int round = 0; round < 3; round++) {
		double t = mono();

		for (int i = 0; i < 500000; i++)
			x = x * 6364136223846793005ul + 1442695040888963407ul;
		t = mono() - t;
		if (t < best)
			best = t;
	}
	best /= 0.004;
	return best < 0.5 ? 0.5 : best > 20 ? 20 : best;
}

static int serve(void)
{
	struct agent a = { .port = -1, .pidfd = -1, .results = -1 };
	double next_tick = 0, until = mono() + 20;
	struct json_object *o;
	struct utsname u;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	while ((a.port = open_port()) < 0 && mono() < until)
		usleep(10000);
	if (a.port < 0) {
		kernel_log("agent: no virtio port %s", WIRE_PORT);
		return 1;
	}
	uname(&u);
	o = event("hello");
	put_num(o, "version", WIRE_VERSION);
	put_str(o, "release", u.release);
	put_str(o, "kernel", u.version);
	put_num(o, "scale", measure_scale());
	send_json(&a, o);
	for (;;) {
		struct pollfd fds[3] = {
			{ .fd = a.port, .events = POLLIN },
			{ .fd = a.child ? a.pidfd : -1, .events = POLLIN },
			{ .fd = a.child ? a.results : -1, .events = POLLIN },
		};

		poll(fds, 3, 250);
		if (fds[2].revents & POLLIN)
			take_result(&a);
		if (a.child)
			child_check(&a);
		else
			reap_strays();
		if (fds[0].revents)
			read_port(&a);
		if (mono() >= next_tick) {
			next_tick = mono() + WIRE_TICK;
			send_json(&a, event("tick"));
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--describe") == 0) {
		struct json_object *o = describe();

		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		json_object_put(o);
		return 0;
	}
	if (argc != 1)
		return program_main(argc, argv);
	return serve();
}
