// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A QEMU that plays a guest: takes the command line that rig gives QEMU, finds
 * the sockets of console, agent and QMP in it, and speaks the agent's side of
 * guest/wire.h. By itself it boots, does whatever it is asked, passes every
 * case and powers off. What goes wrong is said in the environment:
 *
 *   RIG_FAKE       STEP[; STEP...], a STEP being [BOOT.]POINT[#N]=ACTION[:ARG]
 *   RIG_FAKE_PIDS  file that gets a line with the process' id
 *
 * BOOT is the boot's number (every boot without it), POINT where the script
 * is: "start" (QEMU begins), "boot" (the console's first lines are said),
 * "hello", "nmi" and "devices" (QMP's), or a command's name; #N the command's N-th time in
 * this boot. Steps of one point are taken in their order. ACTIONs:
 *
 *   console:TEXT    a line on the console; in every TEXT, \xNN and \n stand
 *                   for the byte
 *   port:TEXT       the same on the agent's port
 *   stderr:TEXT     a line of QEMU's own
 *   file:PATH       a file's bytes on the console
 *   flood:console, flood:port        66 MiB of lines
 *   long:BYTES      a line of so many bytes on the port
 *   fails:N         N results, each FAIL with a text of its own
 *   stack:FUNC      what the agent sends of a process that sleeps in FUNC
 *   warns:OP,OP     a WARNING on the console if the case's program has steps
 *                   with these in this order
 *   reach:FILE      make FILE: the test waits for it
 *   await:FILE      wait for FILE: the test makes it
 *   fill            write a file beside the run's until the disk is full
 *   touch           store to every page of the NVDIMMs; both wait until rig's
 *                   logs have all that was said so far
 *   noterm          ignore SIGTERM from here on
 *   exit:N, kill:N  end, by exit status or by signal
 *
 * and those that take the place of what would have come by itself:
 *
 *   stop            the guest stands still: no ticks; an NMI makes it panic
 *   dead            the same, and an NMI does nothing either
 *   nothing         no answer this time
 *   deaf            no reply, but ticks
 *   babble          no reply nor ticks, but a line on the console now and then
 *   reply:JSON      this reply, with every ID in it replaced by the request's
 *   fail:TEXT       ok=false and this error
 *   hang, stuck     the command did not end in its time (and cannot be killed)
 *   status:STATUS   of a case; its text is "made up"
 *   unclean         the filesystem's check complains
 */
#include "guest/wire.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 50
#define FLOOD_MIB 66

struct qemu {
	int console, port, qmp;
	const char *kernel, *initrd;
	char run_dir[4096];
	int boot;
	const char *pmem[4];
	size_t pmem_size[4];
	int nr_pmem;

	/* the script, and how often each command came */
	char *script;
	struct {
		char name[32];
		int times;
	} seen[32];
	bool ticks, answers, babbles, panics;
	char line[1 << 16];
	size_t line_len;
	double started;
};

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "qemu-system-x86_64: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

static double mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Bytes written to each socket. */
static off_t said[1024];

/* rig may have stopped listening: it is about to kill us. */
static void put(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			said[fd] += n;
			data += n;
			len -= n;
		}
	}
}

static void __attribute__((format(printf, 2, 3)))
putf(int fd, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("out of memory");
	put(fd, s, n);
	free(s);
}

static void klog(struct qemu *q, const char *text)
{
	putf(q->console, "[%12.6f] %s\r\n", mono() - q->started, text);
}

/* --- the command line ----------------------------------------------------- */

static bool value_of(const char *arg, const char *key, char *out, size_t size)
{
	size_t len = strlen(key);

	for (const char *p = arg; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, key, len) == 0 && p[len] == '=') {
			snprintf(out, size, "%.*s",
				 (int)strcspn(p + len + 1, ","), p + len + 1);
			return true;
		}
	}
	return false;
}

static void take_chardev(struct qemu *q, const char *arg)
{
	char id[32], fd[32];
	int n;

	if (strncmp(arg, "socket,", 7) != 0 ||
	    !value_of(arg, "id", id, sizeof(id)) ||
	    !value_of(arg, "fd", fd, sizeof(fd)))
		die("-chardev %s: not understood", arg);
	n = atoi(fd);
	if (n >= 1024 || fcntl(n, F_GETFD) < 0)
		die("-chardev %s: %s", arg, strerror(errno));
	if (strcmp(id, "console") == 0)
		q->console = n;
	else if (strcmp(id, "agent") == 0)
		q->port = n;
	else if (strcmp(id, "qmp") == 0)
		q->qmp = n;
}

static void take_object(struct qemu *q, const char *arg)
{
	char path[256], size[32], id[32];
	struct stat st;

	if (!value_of(arg, "mem-path", path, sizeof(path)) ||
	    !value_of(arg, "size", size, sizeof(size)))
		die("-object %s: not understood", arg);
	if (stat(path, &st) < 0)
		die("can't open backing store %s: %s", path, strerror(errno));
	if (st.st_size != atoll(size) << 20)
		die("backing store size does not match 'size' of %s", arg);
	/* RAM is nothing that a test looks at. */
	if (value_of(arg, "id", id, sizeof(id)) && strcmp(id, "ram") == 0)
		return;
	if (q->nr_pmem == 4)
		die("too many memory devices");
	q->pmem[q->nr_pmem] = strdup(path);
	q->pmem_size[q->nr_pmem++] = st.st_size;
}

/* QEMU does not look at an initrd, but its kernel does: to the end. */
static void check_initrd(const char *path)
{
	char tail[1024] = "";
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0)
		n = pread(fd, tail, sizeof(tail), st.st_size > 1024 ?
						  st.st_size - 1024 : 0);
	if (n < 0 || !memmem(tail, n, "TRAILER!!!", 10))
		die("could not load initrd '%s'", path);
	close(fd);
}

static void parse(struct qemu *q, int argc, char **argv)
{
	static const char *const flags[] = { "-nodefaults", "-no-user-config",
					     "-no-reboot" };
	static const char *const known[] = {
		"-display", "-sandbox", "-machine", "-accel", "-cpu", "-smp",
		"-m", "-append", "-serial", "-device", "-mon",
	};

	for (int i = 1; i < argc; i++) {
		const char *arg = i + 1 < argc ? argv[i + 1] : NULL;
		bool ok = false;

		for (size_t k = 0; k < 3 && !ok; k++)
			ok = strcmp(argv[i], flags[k]) == 0;
		if (ok)
			continue;
		if (!arg)
			die("%s: requires an argument", argv[i]);
		for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
			ok |= strcmp(argv[i], known[k]) == 0;
		if (strcmp(argv[i], "-kernel") == 0)
			q->kernel = arg;
		else if (strcmp(argv[i], "-initrd") == 0)
			q->initrd = arg;
		else if (strcmp(argv[i], "-chardev") == 0)
			take_chardev(q, arg);
		else if (strcmp(argv[i], "-object") == 0)
			take_object(q, arg);
		else if (!ok)
			die("%s: invalid option", argv[i]);
		i++;
	}
	if (!q->console || !q->port || !q->qmp || !q->kernel || !q->initrd)
		die("something is missing on the command line");
	if (access(q->kernel, R_OK) < 0)
		die("could not load kernel '%s': %s", q->kernel,
		    strerror(errno));
	check_initrd(q->initrd);
}

/* Our stderr is RUNDIR/boot-N/qemu.log. */
static void find_run(struct qemu *q)
{
	ssize_t n = readlink("/proc/self/fd/2", q->run_dir,
			     sizeof(q->run_dir) - 1);
	char *at;

	q->run_dir[n < 0 ? 0 : n] = '\0';
	at = strrchr(q->run_dir, '/');
	if (at)
		*at = '\0';
	at = strrchr(q->run_dir, '/');
	if (!at || sscanf(at, "/boot-%d", &q->boot) != 1)
		die("stderr is not a run's qemu.log");
	*at = '\0';
}

/* "\xNN" and "\n" as the bytes they stand for. */
static size_t unescape(char *s)
{
	char *out = s, *begin = s;
	unsigned int c;

	while (*s) {
		if (s[0] == '\\' && s[1] == 'n') {
			*out++ = '\n';
			s += 2;
		} else if (s[0] == '\\' && s[1] == 'x' &&
			   sscanf(s + 2, "%2x", &c) == 1) {
			*out++ = c;
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	return out - begin;
}

static void say_raw(int fd, const char *arg)
{
	char *text = strdup(arg);

	put(fd, text, unescape(text));
	free(text);
}

static void say(int fd, const char *arg)
{
	say_raw(fd, arg);
	put(fd, "\n", 1);
}

/* --- what the agent says --------------------------------------------------- */

static const char *str(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : "";
}

static int id_of(struct json_object *req)
{
	struct json_object *v;

	return req && json_object_object_get_ex(req, "id", &v) ?
		       json_object_get_int(v) : -1;
}

static void reply(struct qemu *q, struct json_object *req, const char *more)
{
	putf(q->port, "{\"ev\":\"reply\",\"t\":%.3f,\"id\":%d%s}\n",
	     mono() - q->started, id_of(req), more);
}

static void send_result(struct qemu *q, struct json_object *req,
			const char *status, const char *text)
{
	putf(q->port, "{\"ev\":\"result\",\"t\":%.3f,\"case\":\"%s\",\"status\":\"%s\",\"where\":\"fake.c:1\",\"text\":\"%s\"}\n",
	     mono() - q->started, str(req, "case"), status, text);
}

static void reply_status(struct qemu *q, struct json_object *req,
			 const char *status)
{
	char more[128];

	if (strcmp(status, "CRASH") != 0)
		send_result(q, req, status, "made up");
	snprintf(more, sizeof(more),
		 ",\"ok\":true,\"status\":\"%s\",\"seconds\":0.1", status);
	reply(q, req, more);
}

static void reply_hang(struct qemu *q, struct json_object *req, bool stuck)
{
	bool is_run = strcmp(str(req, "cmd"), "run") == 0;
	char more[160];

	snprintf(more, sizeof(more), ",\"hung\":true%s%s",
		 stuck ? ",\"stuck\":1" : "",
		 is_run ? ",\"ok\":true,\"status\":\"HANG\"" :
			  ",\"ok\":false,\"error\":\"did not end within its time\"");
	reply(q, req, more);
}

static void reply_setup(struct qemu *q, struct json_object *req)
{
	struct json_object *list, *out = json_object_new_array();
	char *more = NULL;

	if (!json_object_object_get_ex(req, "namespaces", &list))
		die("setup without namespaces");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_new_object();
		char name[64], dev[64];

		snprintf(name, sizeof(name), "namespace%zu.0", i);
		snprintf(dev, sizeof(dev), "/dev/pmem%zu", i);
		json_object_object_add(o, "name", json_object_new_string(name));
		json_object_object_add(o, "dev", json_object_new_string(dev));
		json_object_array_add(out, o);
	}
	if (asprintf(&more, ",\"ok\":true,\"namespaces\":%s",
		     json_object_to_json_string(out)) < 0)
		die("out of memory");
	reply(q, req, more);
	free(more);
	json_object_put(out);
}

static void do_command(struct qemu *q, struct json_object *req)
{
	static const char *const plain[] = { "modules", "mkfs", "mount", "clean",
					     "umount", "disable", "enable" };
	const char *cmd = str(req, "cmd");

	if (strcmp(cmd, "setup") == 0) {
		reply_setup(q, req);
	} else if (strcmp(cmd, "run") == 0) {
		reply_status(q, req, "PASS");
	} else if (strcmp(cmd, "check") == 0) {
		reply(q, req, ",\"ok\":true,\"exit\":0,\"clean\":true");
	} else if (strcmp(cmd, "mark") == 0) {
		char text[512];

		snprintf(text, sizeof(text), "rig: %s", str(req, "text"));
		klog(q, text);
		reply(q, req, ",\"ok\":true");
	} else if (strcmp(cmd, "poweroff") == 0) {
		reply(q, req, ",\"ok\":true");
		klog(q, "reboot: Power down");
		exit(0);
	} else {
		for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
			if (strcmp(cmd, plain[i]) == 0) {
				reply(q, req, ",\"ok\":true");
				return;
			}
		reply(q, req, ",\"ok\":false,\"error\":\"no such command\"");
	}
}

static void say_hello(struct qemu *q)
{
	putf(q->port, "{\"ev\":\"hello\",\"t\":%.3f,\"version\":%d,\"release\":\"6.1.7-fake\",\"kernel\":\"#1 SMP\",\"scale\":1}\n",
	     mono() - q->started, WIRE_VERSION);
	q->ticks = q->answers = true;
}

/* --- actions --------------------------------------------------------------- */

static void a_console(struct qemu *q, const char *arg, struct json_object *req)
{
	say(q->console, arg);
}

static void a_port(struct qemu *q, const char *arg, struct json_object *req)
{
	say(q->port, arg);
}

static void a_stderr(struct qemu *q, const char *arg, struct json_object *req)
{
	say(STDERR_FILENO, arg);
}

static void a_file(struct qemu *q, const char *arg, struct json_object *req)
{
	char chunk[4096];
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die("%s: %s", arg, strerror(errno));
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		put(q->console, chunk, n);
	close(fd);
}

static void a_flood(struct qemu *q, const char *arg, struct json_object *req)
{
	static char chunk[1 << 20];
	int fd = strcmp(arg, "port") == 0 ? q->port : q->console;

	for (size_t i = 0; i < sizeof(chunk); i += 16)
		memcpy(chunk + i, "flood of words \n", 16);
	for (int i = 0; i < FLOOD_MIB; i++)
		put(fd, chunk, sizeof(chunk));
}

static void a_long(struct qemu *q, const char *arg, struct json_object *req)
{
	size_t len = atoi(arg);
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	text[len] = '\n';
	put(q->port, text, len + 1);
	free(text);
}

static void a_fails(struct qemu *q, const char *arg, struct json_object *req)
{
	for (int i = 0; i < atoi(arg); i++) {
		char word[9] = "";

		/* Letters, as numbers are left out of what is compared. */
		for (int j = 0, v = i; j < 8; j++, v /= 16)
			word[j] = 'g' + v % 16;
		putf(q->port, "{\"ev\":\"result\",\"t\":1,\"case\":\"many/xfs/4k\",\"status\":\"FAIL\",\"where\":\"x.c:1\",\"text\":\"%s\"}\n",
		     word);
	}
}

static void a_stack(struct qemu *q, const char *arg, struct json_object *req)
{
	putf(q->port, "{\"ev\":\"stack\",\"t\":1,\"pid\":77,\"comm\":\"rig-agent\",\"state\":\"D\",\"stack\":\"[<0>] schedule+0x5e/0xd0\\n[<0>] ");
	say_raw(q->port, arg);
	putf(q->port, "+0x1c/0x90\\n[<0>] do_syscall_64+0x3b/0x90\\n\"}\n");
}

/* Whole, once it is there. */
static void a_reach(struct qemu *q, const char *arg, struct json_object *req)
{
	char tmp[4096];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.tmp", arg);
	f = fopen(tmp, "w");
	if (!f)
		die("%s: %s", tmp, strerror(errno));
	fprintf(f, "%d\n", getpid());
	fclose(f);
	rename(tmp, arg);
}

static void a_await(struct qemu *q, const char *arg, struct json_object *req)
{
	while (access(arg, F_OK) < 0)
		usleep(5000);
}

static void await_log(struct qemu *q, const char *name, int fd)
{
	char path[5000];
	struct stat st;

	snprintf(path, sizeof(path), "%s/boot-%d/%s", q->run_dir, q->boot,
		 name);
	while (stat(path, &st) < 0 || st.st_size < said[fd])
		usleep(1000);
}

static void await_logs(struct qemu *q)
{
	await_log(q, "console.log", q->console);
	await_log(q, "events.jsonl", q->port);
}

static void a_fill(struct qemu *q, const char *arg, struct json_object *req)
{
	static char zeros[1 << 16];
	char path[5000];
	size_t size = sizeof(zeros);
	int fd;

	await_logs(q);
	snprintf(path, sizeof(path), "%s/ballast", q->run_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	while (size) {
		if (write(fd, zeros, size) > 0)
			continue;
		if (errno != ENOSPC)
			die("%s: %s", path, strerror(errno));
		size /= 2;
	}
	close(fd);
}

static void a_touch(struct qemu *q, const char *arg, struct json_object *req)
{
	await_logs(q);
	for (int i = 0; i < q->nr_pmem; i++) {
		int fd = open(q->pmem[i], O_RDWR | O_CLOEXEC);
		volatile char *p = mmap(NULL, q->pmem_size[i],
					PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					0);

		if (p == MAP_FAILED)
			die("%s: %s", q->pmem[i], strerror(errno));
		for (size_t at = 0; at < q->pmem_size[i]; at += 4096)
			p[at] = 1;
		close(fd);
	}
}

static void a_warns(struct qemu *q, const char *arg, struct json_object *req)
{
	const char *at = str(req, "program");

	while (*arg) {
		size_t n = strcspn(arg, ",");
		char op[64];

		/* "0 OP KEY=..." */
		snprintf(op, sizeof(op), " %.*s ", (int)n, arg);
		at = strstr(at, op);
		if (!at)
			return;
		at += n;
		arg += n + (arg[n] == ',');
	}
	klog(q, "------------[ cut here ]------------");
	klog(q, "WARNING: CPU: 0 PID: 7 at fs/dax.c:404 dax_made_up+0x1/0x2");
	klog(q, "---[ end trace 0000000000000000 ]---");
}

static void a_noterm(struct qemu *q, const char *arg, struct json_object *req)
{
	signal(SIGTERM, SIG_IGN);
}

static void a_exit(struct qemu *q, const char *arg, struct json_object *req)
{
	exit(atoi(arg));
}

static void a_kill(struct qemu *q, const char *arg, struct json_object *req)
{
	signal(atoi(arg), SIG_DFL);
	raise(atoi(arg));
}

static void a_stop(struct qemu *q, const char *arg, struct json_object *req)
{
	q->ticks = q->answers = false;
}

static void a_dead(struct qemu *q, const char *arg, struct json_object *req)
{
	q->ticks = q->answers = q->panics = false;
}

static void a_deaf(struct qemu *q, const char *arg, struct json_object *req)
{
	q->answers = false;
}

static void a_nothing(struct qemu *q, const char *arg, struct json_object *req)
{
}

static void a_babble(struct qemu *q, const char *arg, struct json_object *req)
{
	q->babbles = true;
}

static void a_reply(struct qemu *q, const char *arg, struct json_object *req)
{
	for (const char *p; (p = strstr(arg, "ID")); arg = p + 2)
		putf(q->port, "%.*s%d", (int)(p - arg), arg, id_of(req));
	putf(q->port, "%s\n", arg);
}

static void a_fail(struct qemu *q, const char *arg, struct json_object *req)
{
	putf(q->port, "{\"ev\":\"reply\",\"t\":1,\"id\":%d,\"ok\":false,\"error\":\"",
	     id_of(req));
	say_raw(q->port, arg);
	put(q->port, "\"}\n", 3);
}

static void a_hang(struct qemu *q, const char *arg, struct json_object *req)
{
	reply_hang(q, req, false);
}

static void a_stuck(struct qemu *q, const char *arg, struct json_object *req)
{
	reply_hang(q, req, true);
}

static void a_status(struct qemu *q, const char *arg, struct json_object *req)
{
	reply_status(q, req, arg);
}

static void a_unclean(struct qemu *q, const char *arg, struct json_object *req)
{
	reply(q, req, ",\"ok\":true,\"exit\":1,\"clean\":false,\"output\":\"bad magic\"");
}

static const struct {
	const char *name;
	void (*fn)(struct qemu *q, const char *arg, struct json_object *req);
	bool instead;	/* of what would come by itself */
} actions[] = {
	{ "console", a_console },  { "port", a_port },
	{ "stderr", a_stderr },	   { "file", a_file },
	{ "flood", a_flood },	   { "long", a_long },
	{ "fails", a_fails },	   { "stack", a_stack },
	{ "warns", a_warns },
	{ "reach", a_reach },	   { "await", a_await },
	{ "fill", a_fill },	   { "touch", a_touch },
	{ "noterm", a_noterm },	   { "exit", a_exit },
	{ "kill", a_kill },	   { "stop", a_stop, true },
	{ "dead", a_dead, true },  { "deaf", a_deaf, true },
	{ "babble", a_babble, true }, { "reply", a_reply, true },
	{ "fail", a_fail, true },  { "hang", a_hang, true },
	{ "stuck", a_stuck, true }, { "status", a_status, true },
	{ "unclean", a_unclean, true }, { "nothing", a_nothing, true },
};

static bool act(struct qemu *q, const char *name, const char *arg,
		struct json_object *req)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(actions[i].name, name) == 0) {
			actions[i].fn(q, arg, req);
			return actions[i].instead;
		}
	die("RIG_FAKE: no action '%s'", name);
}

/* --- the script ------------------------------------------------------------ */

/* How often the point was come to, this time included. */
static int times(struct qemu *q, const char *point)
{
	for (size_t i = 0; i < sizeof(q->seen) / sizeof(*q->seen); i++) {
		if (!q->seen[i].name[0])
			snprintf(q->seen[i].name, sizeof(q->seen[i].name),
				 "%s", point);
		if (strcmp(q->seen[i].name, point) == 0)
			return ++q->seen[i].times;
	}
	die("too many points");
}

/* Take all steps of @point. Whether one of them takes the default's place. */
static bool at_point(struct qemu *q, const char *point,
		     struct json_object *req)
{
	char *copy = strdup(q->script), *save, *step;
	int nth = times(q, point);
	bool instead = false;

	for (step = strtok_r(copy, ";", &save); step;
	     step = strtok_r(NULL, ";", &save)) {
		char *eq, *hash, *action, *arg;

		step += strspn(step, " \t\n");
		if (!*step)
			continue;
		if (isdigit((unsigned char)*step)) {
			if (strtol(step, &step, 10) != q->boot)
				continue;
			step += *step == '.';
		}
		eq = strchr(step, '=');
		if (!eq)
			die("RIG_FAKE: no '=' in '%s'", step);
		*eq = '\0';
		action = eq + 1;
		hash = strchr(step, '#');
		if (hash)
			*hash++ = '\0';
		if (strcmp(step, point) != 0 || (hash && atoi(hash) != nth))
			continue;
		arg = strchr(action, ':');
		if (arg)
			*arg++ = '\0';
		instead |= act(q, action, arg ? arg : "", req);
	}
	free(copy);
	return instead;
}

/* --- the guest's life ------------------------------------------------------ */

static void take_command(struct qemu *q, const char *text)
{
	struct json_object *req = json_tokener_parse(text);

	if (!req)
		die("rig sent no JSON: %s", text);
	if (!at_point(q, str(req, "cmd"), req))
		do_command(q, req);
	json_object_put(req);
}

static void take_port(struct qemu *q)
{
	ssize_t n = read(q->port, q->line + q->line_len,
			 sizeof(q->line) - q->line_len);
	char *nl;

	if (n <= 0) {
		q->port = -1;
		return;
	}
	q->line_len += n;
	while (q->answers &&
	       (nl = memchr(q->line, '\n', q->line_len))) {
		size_t used = nl + 1 - q->line;

		*nl = '\0';
		take_command(q, q->line);
		memmove(q->line, nl + 1, q->line_len - used);
		q->line_len -= used;
	}
}

/* As hw/mem/memory-device.c qmp_memory_device_list() has it. */
static void say_devices(struct qemu *q)
{
	unsigned long long at = 4ull << 30;

	dprintf(q->qmp, "{\"return\":[");
	for (int i = 0; i < q->nr_pmem; i++) {
		dprintf(q->qmp, "%s{\"type\":\"nvdimm\",\"data\":{\"memdev\":"
			"\"/objects/nv%d\",\"addr\":%llu,\"size\":%llu}}",
			i ? "," : "", i, at,
			(unsigned long long)q->pmem_size[i]);
		at += q->pmem_size[i];
	}
	dprintf(q->qmp, "],\"id\":\"rig\"}\r\n");
}

/* unknown_nmi_panic, panic=-1 and -no-reboot. */
static void take_qmp(struct qemu *q)
{
	char text[4096];
	ssize_t n = read(q->qmp, text, sizeof(text) - 1);

	if (n <= 0) {
		q->qmp = -1;
		return;
	}
	text[n] = '\0';
	if (strstr(text, "\"query-memory-devices\"") &&
	    !at_point(q, "devices", NULL))
		say_devices(q);
	if (!strstr(text, "\"inject-nmi\"") || at_point(q, "nmi", NULL) ||
	    !q->panics)
		return;
	klog(q, "Uhhuh. NMI received for unknown reason 30 on CPU 0.");
	klog(q, "Kernel panic - not syncing: NMI: Not continuing");
	klog(q, "CPU: 0 PID: 77 Comm: rig-agent Not tainted 6.1.7-fake #1");
	klog(q, "Call Trace:");
	klog(q, " <TASK>");
	klog(q, " fake_wait_forever+0x12/0x40");
	klog(q, " </TASK>");
	klog(q, "---[ end Kernel panic - not syncing: NMI: Not continuing ]---");
	exit(0);
}

int main(int argc, char **argv)
{
	static struct qemu q = { .panics = true };
	const char *pids = getenv("RIG_FAKE_PIDS");
	FILE *f;

	q.script = getenv("RIG_FAKE") ? getenv("RIG_FAKE") : "";
	q.started = mono();
	signal(SIGPIPE, SIG_IGN);
	/* QEMU goes on when the other ends of its sockets close, and so do we:
	 * it is rig that has to end us. For a rig that does not: */
	alarm(300);
	parse(&q, argc, argv);
	find_run(&q);
	f = pids ? fopen(pids, "a") : NULL;
	if (f) {
		fprintf(f, "%d\n", getpid());
		fclose(f);
	}
	if (!at_point(&q, "start", NULL)) {
		klog(&q, "Linux version 6.1.7-fake (me@host) #1 SMP");
		klog(&q, "Run /init as init process");
		if (!at_point(&q, "boot", NULL) && !at_point(&q, "hello", NULL))
			say_hello(&q);
	}
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = q.answers ? q.port : -1, .events = POLLIN },
			{ .fd = q.qmp, .events = POLLIN },
		};

		poll(fds, 2, TICK_MS);
		if (fds[1].revents)
			take_qmp(&q);
		if (fds[0].revents)
			take_port(&q);
		if (q.babbles)
			klog(&q, "random: crng init is taking its time");
		else if (q.ticks)
			putf(q.port, "{\"ev\":\"tick\",\"t\":%.3f}\n",
			     mono() - q.started);
	}
}
