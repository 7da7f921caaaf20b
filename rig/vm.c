// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm.h"
#include "machine.h"
#include "guest/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ticks may be this late, in seconds: a busy host starves both CPUs of the
 * guest; a hung one never ticks again. */
#define TICK_LIMIT 30.0
/* What a guest may say of its own speed; the agent says 0.5 to 20. */
#define SCALE_MAX 100.0

void vm_args(const struct vm_config *c, int console, int port, int qmp,
	     struct strv *argv)
{
	strv_push(argv, c->qemu);
	strv_push(argv, "-nodefaults");
	strv_push(argv, "-no-user-config");
	strv_push(argv, "-display");
	strv_push(argv, "none");
	strv_push(argv, "-no-reboot");
	strv_push(argv, "-sandbox");
	strv_push(argv, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
			"resourcecontrol=deny");
	machine_args(c->machine, c->accel, c->ram, c->backing, argv);
	strv_push(argv, "-kernel");
	strv_push(argv, c->kernel);
	strv_push(argv, "-initrd");
	strv_push(argv, c->initrd);
	strv_push(argv, "-append");
	strv_push(argv, c->append);
	strv_push(argv, "-chardev");
	strv_pushf(argv, "socket,id=console,fd=%d", console);
	strv_push(argv, "-serial");
	strv_push(argv, "chardev:console");
	strv_push(argv, "-device");
	strv_push(argv, "virtio-serial-pci,id=vser");
	strv_push(argv, "-chardev");
	strv_pushf(argv, "socket,id=agent,fd=%d", port);
	strv_push(argv, "-device");
	strv_push(argv, "virtserialport,chardev=agent,name=" WIRE_PORT);
	strv_push(argv, "-chardev");
	strv_pushf(argv, "socket,id=qmp,fd=%d", qmp);
	strv_push(argv, "-mon");
	strv_push(argv, "chardev=qmp,mode=control");
}

static int open_log(const char *dir, const char *name)
{
	_free_ char *path = xstrfmt("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : fd;
}

static int make_pair(int *ours, int *theirs)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*ours = fds[0];
	*theirs = fds[1];
	return 0;
}

int vm_start(struct vm *vm, const struct vm_config *c)
{
	_close_ int log = -1, theirs_console = -1, theirs_port = -1,
		    theirs_qmp = -1;
	_strv_ struct strv argv = {};
	struct proc_opts o = {};
	int keep[16], n = 0, err;

	log = open_log(c->dir, "qemu.log");
	vm->console_log = open_log(c->dir, "console.log");
	vm->events_log = open_log(c->dir, "events.jsonl");
	if (log < 0 || vm->console_log < 0 || vm->events_log < 0)
		return log < 0 ? log : vm->console_log < 0 ?
				 vm->console_log : vm->events_log;
	err = make_pair(&vm->console_fd, &theirs_console);
	if (!err)
		err = make_pair(&vm->port_fd, &theirs_port);
	if (!err)
		err = make_pair(&vm->qmp_fd, &theirs_qmp);
	if (err)
		return err;
	fcntl(vm->console_fd, F_SETFL, O_NONBLOCK);
	vm_args(c, theirs_console, theirs_port, theirs_qmp, &argv);
	keep[n++] = theirs_console;
	keep[n++] = theirs_port;
	keep[n++] = theirs_qmp;
	for (const int *k = c->keep_fds; k && *k >= 0 && n < 15; k++)
		keep[n++] = *k;
	keep[n] = -1;
	o = (struct proc_opts){ .out = log, .err = log, .keep = keep };
	vm->started = vm->last_console = vm->last_tick = now();
	vm->state = VM_RUNS;
	err = proc_spawn(&vm->qemu, argv.v, &o);
	if (err)
		vm->state = VM_EXITED;
	return err;
}

static int give_up(struct vm *vm, enum vm_state st, int err)
{
	vm->state = st;
	vm->log_error = -err;
	return st == VM_FLOODS ? -EFBIG : -EIO;
}

/* Whatever is there now, on one of the sockets: logged, then kept. */
static int take(struct vm *vm, int *fd, int log, struct buf *into)
{
	char chunk[65536];
	ssize_t n = recv(*fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	int err;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	err = write_all(log, chunk, n);
	if (err)
		return give_up(vm, VM_NO_DISK, err);
	buf_add(into, chunk, n);
	return n;
}

static int take_console(struct vm *vm)
{
	size_t from = vm->console.len;
	int n = take(vm, &vm->console_fd, vm->console_log, &vm->console);

	if (n <= 0)
		return n;
	vm->last_console = now();
	if (vm->on_console)
		vm->on_console(vm->console.data + from, n, vm->arg);
	if (vm->console.len > VM_CONSOLE_MAX) {
		vm->flooded = "the guest floods its console";
		return give_up(vm, VM_FLOODS, 0);
	}
	return 0;
}

static const char *str_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

/* One event; a reply to @id is handed out instead. */
static void take_line(struct vm *vm, const char *text, int id,
		      struct json_object **reply)
{
	/* A flood of anything else is not worth a parser. */
	struct json_object *o = text[0] == '{' ? json_tokener_parse(text) : NULL;
	struct json_object *v;
	const char *ev = o ? str_of(o, "ev") : NULL;

	if (!ev) {
		/* A torn line: the guest is data, not a partner in crime. */
	} else if (strcmp(ev, "tick") == 0) {
		vm->last_tick = now();
	} else if (strcmp(ev, "hello") == 0 && !vm->hello) {
		vm->last_tick = now();
		vm->hello = json_object_get(o);
		vm->scale = json_object_object_get_ex(o, "scale", &v) ?
				    json_object_get_double(v) : 1;
		/* Not a number is not greater than zero either. */
		if (!(vm->scale > 0))
			vm->scale = 1;
		if (vm->scale > SCALE_MAX)
			vm->scale = SCALE_MAX;
	} else if (strcmp(ev, "reply") == 0) {
		vm->last_tick = now();
		if (reply && !*reply && json_object_object_get_ex(o, "id", &v) &&
		    json_object_get_int(v) == id)
			*reply = json_object_get(o);
	} else if (vm->on_event) {
		vm->on_event(o, vm->arg);
	}
	json_object_put(o);
}

static int take_port(struct vm *vm, int id, struct json_object **reply)
{
	int n = take(vm, &vm->port_fd, vm->events_log, &vm->line);
	size_t used = 0;
	char *nl;

	if (n <= 0)
		return n;
	vm->events_len += n;
	while ((nl = memchr(vm->line.data + used, '\n',
			    vm->line.len - used))) {
		*nl = '\0';
		if (!vm->line_dropped)
			take_line(vm, vm->line.data + used, id, reply);
		vm->line_dropped = false;
		used = nl + 1 - vm->line.data;
	}
	memmove(vm->line.data, vm->line.data + used, vm->line.len - used);
	vm->line.len -= used;
	/* Longer than any line can be: drop all of it, the raw log has it. */
	if (vm->line.len > WIRE_MAX_LINE) {
		vm->line.len = 0;
		vm->line_dropped = true;
	}
	if (vm->events_len > VM_CONSOLE_MAX) {
		vm->flooded = "the guest floods the agent's port";
		return give_up(vm, VM_FLOODS, 0);
	}
	return 0;
}

static int type(struct vm *vm, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(vm->console_fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			poll(&(struct pollfd){ vm->console_fd, POLLOUT, 0 }, 1,
			     50);
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

static int take_input(struct vm *vm)
{
	char chunk[512];
	ssize_t n = read(vm->input_fd, chunk, sizeof(chunk));

	if (n > 0)
		return type(vm, chunk, n);
	vm->input_fd = -1;
	return type(vm, "\004", 1);
}

/*
 * Wait at most until @until and take what came. 0, or what ends the VM for
 * us; -EPIPE only once everything that QEMU had sent was taken.
 */
static int pump(struct vm *vm, double until, int id, struct json_object **reply)
{
	int n, err;
	double left = until - now();
	struct pollfd fds[5] = {
		{ .fd = vm->console_fd, .events = POLLIN },
		{ .fd = vm->port_fd, .events = POLLIN },
		{ .fd = vm->qemu.pid ? vm->qemu.pidfd : -1, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
		{ .fd = vm->input_fd, .events = POLLIN },
	};

	if (vm->state == VM_FLOODS)
		return -EFBIG;
	if (vm->state == VM_NO_DISK)
		return -EIO;
	n = poll(fds, 5, left <= 0 ? 0 : left > 0.2 ? 200 : left * 1000 + 1);
	if (n < 0 && errno != EINTR)
		return -errno;
	if (n <= 0)
		return interrupted() ? -EINTR : 0;
	if (fds[0].revents && (err = take_console(vm)) < 0)
		return err;
	if (fds[1].revents && (err = take_port(vm, id, reply)) < 0)
		return err;
	if (fds[4].revents && (err = take_input(vm)) < 0)
		return -EPIPE;
	if (interrupted())
		return -EINTR;
	if (fds[2].revents && !fds[0].revents && !fds[1].revents) {
		vm->exit_status = proc_wait(&vm->qemu, 5);
		vm->state = VM_EXITED;
	}
	if (vm->state == VM_EXITED && !(reply && *reply))
		return -EPIPE;
	return 0;
}

int vm_pump(struct vm *vm, double seconds)
{
	double end = now() + seconds;
	int err;

	do
		err = pump(vm, end, -1, NULL);
	while (!err && now() < end);
	return err;
}

int vm_wait_hello(struct vm *vm, double silence, double total)
{
	double end = vm->started + total;

	while (!vm->hello) {
		double quiet = vm->last_console + silence;
		int err = pump(vm, quiet < end ? quiet : end, -1, NULL);

		if (err)
			return err;
		quiet = vm->last_console + silence;
		if (!vm->hello && (now() >= end || now() >= quiet))
			return -ETIMEDOUT;
	}
	return 0;
}

/* @req with an id of its own, as the line to be sent; @req is put. */
static int make_line(struct vm *vm, struct json_object *req, struct buf *line)
{
	int id = ++vm->next_id;

	json_object_object_add(req, "id", json_object_new_int(id));
	buf_addf(line, "%s\n", json_object_to_json_string_ext(
				       req, JSON_C_TO_STRING_PLAIN));
	json_object_put(req);
	return id;
}

int vm_send(struct vm *vm, struct json_object *req)
{
	_buf_ struct buf line = {};
	size_t off = 0;

	make_line(vm, req, &line);
	for (int i = 0; vm->port_fd >= 0 && i < 10; i++) {
		struct pollfd p = { .fd = vm->port_fd, .events = POLLOUT };
		ssize_t n = send(vm->port_fd, line.data + off, line.len - off,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			off += n;
		if (off == line.len)
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -EPIPE;
		poll(&p, 1, 100);
	}
	return vm->port_fd < 0 ? -EPIPE : -EAGAIN;
}

int vm_request(struct vm *vm, struct json_object *req, double timeout,
	       struct json_object **reply)
{
	double end = now() + timeout;
	_buf_ struct buf line = {};
	int id = make_line(vm, req, &line), err;

	*reply = NULL;
	if (vm->port_fd < 0)
		return -EPIPE;
	for (size_t off = 0; off < line.len;) {
		ssize_t n = send(vm->port_fd, line.data + off, line.len - off,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			off += n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			break;	/* pump() finds out how QEMU ended */
		err = pump(vm, now() + 0.05, id, reply);
		if (err)
			return err;
		if (now() > end)
			return -ETIMEDOUT;
	}
	while (!*reply) {
		double limit = TICK_LIMIT * (vm->patience > 0 ? vm->patience : 1);
		double dead = vm->last_tick + limit;

		err = pump(vm, end < dead ? end : dead, id, reply);
		if (err)
			return err;
		dead = vm->last_tick + limit;
		if (!*reply && (now() >= end || now() >= dead))
			return -ETIMEDOUT;
	}
	return 0;
}

ssize_t vm_wait_console(struct vm *vm, const char *text, size_t from,
			double seconds)
{
	double until = now() + seconds;
	size_t len = strlen(text);

	for (;;) {
		char *at = vm->console.len >= from + len ?
				   memmem(vm->console.data + from,
					  vm->console.len - from, text, len) :
				   NULL;

		if (at)
			return at - vm->console.data;
		if (now() >= until || pump(vm, until, -1, NULL))
			return -1;
	}
}

int vm_wait_exit(struct vm *vm, double seconds)
{
	double until = now() + seconds;

	while (vm->state == VM_RUNS) {
		int err = pump(vm, until, -1, NULL);

		if (err == -EPIPE)
			return 0;
		if (err)
			return err;
		if (now() >= until)
			return -ETIMEDOUT;
	}
	return 0;
}

/* One line to QEMU's monitor, after the handshake that it wants first. */
static bool qmp_say(struct vm *vm, const char *command)
{
	_free_ char *text = xstrfmt("%s{\"execute\":\"%s\",\"id\":\"rig\"}\n",
				    vm->qmp_ready ? "" :
				    "{\"execute\":\"qmp_capabilities\"}\n",
				    command);

	if (vm->qmp_fd < 0)
		return false;
	if (send(vm->qmp_fd, text, strlen(text),
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		close(take_fd(vm->qmp_fd));
		return false;
	}
	vm->qmp_ready = true;
	return true;
}

void vm_nmi(struct vm *vm)
{
	qmp_say(vm, "inject-nmi");
}

/* The answer to qmp_say() among the greeting and events, or NULL. */
static struct json_object *qmp_answer(char *text)
{
	char *save, *line = strtok_r(text, "\r\n", &save);

	for (; line; line = strtok_r(NULL, "\r\n", &save)) {
		struct json_object *o = json_tokener_parse(line), *v;

		if (json_object_object_get_ex(o, "id", &v) &&
		    json_object_object_get_ex(o, "return", &v)) {
			v = json_object_get(v);
			json_object_put(o);
			return v;
		}
		json_object_put(o);
	}
	return NULL;
}

struct json_object *vm_qmp(struct vm *vm, const char *command, double seconds)
{
	double end = now() + seconds;
	_buf_ struct buf all = {};

	if (!qmp_say(vm, command))
		return NULL;
	for (double left = seconds; left > 0; left = end - now()) {
		struct pollfd p = { .fd = vm->qmp_fd, .events = POLLIN };
		char chunk[4096];
		ssize_t n;

		if (poll(&p, 1, left * 1000 + 1) <= 0)
			continue;
		n = recv(vm->qmp_fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n <= 0)
			return NULL;
		buf_add(&all, chunk, n);
		if (chunk[n - 1] == '\n') {
			_free_ char *copy = xstrdup(all.data);
			struct json_object *o = qmp_answer(copy);

			if (o)
				return o;
		}
	}
	return NULL;
}

/* Anything left to take, the end included, that there is still room for. */
static bool readable(const struct vm *vm, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && vm->state != VM_NO_DISK && vm->state != VM_FLOODS &&
	       poll(&p, 1, 0) > 0;
}

void vm_stop(struct vm *vm)
{
	if (vm->qemu.pid) {
		proc_kill(&vm->qemu);
		if (vm->state == VM_RUNS)
			vm->state = VM_EXITED;
	}
	/* The sockets still hold what QEMU wrote last. */
	while (readable(vm, vm->console_fd) && take_console(vm) == 0)
		;
	while (readable(vm, vm->port_fd) && take_port(vm, -1, NULL) == 0)
		;
	cleanup_fd(&vm->console_fd);
	cleanup_fd(&vm->port_fd);
	cleanup_fd(&vm->qmp_fd);
	cleanup_fd(&vm->console_log);
	cleanup_fd(&vm->events_log);
	vm->console_fd = vm->port_fd = vm->qmp_fd = -1;
	vm->console_log = vm->events_log = -1;
}

void vm_free(struct vm *vm)
{
	vm_stop(vm);
	buf_free(&vm->console);
	buf_free(&vm->line);
	json_object_put(vm->hello);
	vm->hello = NULL;
}

const char *vm_strerror(const struct vm *vm, int err)
{
	switch (-err) {
	case EPIPE:
		return vm->exit_status > 128 ? "QEMU was killed" :
					       "QEMU ended";
	case ETIMEDOUT:
		return "no sign of life";
	case EINTR:
		return "interrupted";
	case EFBIG:
		return vm->flooded;
	case EIO:
		return strerror(vm->log_error);
	default:
		return strerror(-err);
	}
}
