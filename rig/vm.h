/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtual machine: QEMU as a child, its console and the agent's port on
 * socket pairs that only the two of them hold. Every byte the guest says is
 * written to the boot's folder before anybody looks at it:
 *   console.log   the serial console, raw
 *   events.jsonl  what the agent sent, raw
 *   qemu.log      QEMU's own stderr
 *
 * The VM is pumped by whoever waits: there is no thread.
 */
#ifndef RIG_VM_H
#define RIG_VM_H

#include "proc.h"

#include <json-c/json.h>

/* A console, or what the agent sends, beyond this many bytes is not kept: a
 * guest that floods is stopped. */
#define VM_CONSOLE_MAX ((size_t)64 << 20)

struct vm_config {
	const char *qemu;	/* program */
	const char *kernel, *initrd, *append;
	const char *accel;	/* "kvm", "tcg" */
	const struct machine *machine;
	const char *ram;	/* path of its RAM */
	char *const *backing;	/* a path for each pmem device */
	const int *keep_fds;	/* fds the paths refer to, ended by -1 */
	const char *dir;	/* the boot's folder, made by the caller */
};

enum vm_state {
	VM_RUNS,
	VM_EXITED,	/* QEMU has ended; exit_status says how */
	VM_FLOODS,	/* console or port over VM_CONSOLE_MAX: see flooded */
	VM_NO_DISK,	/* a log could not be written; log_error says why */
};

struct vm {
	enum vm_state state;
	struct proc qemu;
	int console_fd, port_fd, qmp_fd; /* sockets to QEMU, -1 once closed */
	int console_log, events_log;	/* files */
	struct buf console;		/* all of it so far */
	struct buf line;		/* the port's bytes not yet a line */
	bool line_dropped;		/* until the line's end: it is too long */
	size_t events_len;		/* bytes the port said so far */
	const char *flooded;		/* VM_FLOODS in words */
	int input_fd;	/* typed into the console while waiting (a shell's
			 * terminal), or -1; its end is Ctrl-D */
	bool qmp_ready;			/* capabilities are negotiated */
	int exit_status;
	int log_error;			/* errno of VM_NO_DISK */
	double started, last_console, last_tick;
	double scale;			/* of the agent's hello; 0 before it */
	double patience;		/* multiplies the limit of ticks; the
					 * caller's, 0 is 1 */
	int next_id;
	struct json_object *hello;
	/* Called for each event but ticks and replies; borrowed. */
	void (*on_event)(struct json_object *ev, void *arg);
	/* Called with what the console said, after it was logged. */
	void (*on_console)(const char *data, size_t len, void *arg);
	void *arg;
};
#define VM_INIT                                                                \
	{                                                                      \
		.qemu = PROC_INIT, .console_fd = -1, .port_fd = -1,            \
		.qmp_fd = -1, .console_log = -1, .events_log = -1,             \
		.input_fd = -1                                                 \
	}
#define _vm_ __cleanup(vm_free)

/* QEMU's whole command line for @c; for --dry-run and the report, too. The
 * sockets stand as fd numbers. */
void vm_args(const struct vm_config *c, int console, int port, int qmp,
	     struct strv *argv);

/* Start it. 0, or -errno; -ENOENT: no such QEMU. */
int vm_start(struct vm *vm, const struct vm_config *c);

/*
 * Wait for the agent's hello. 0; -EPIPE when QEMU ended first; -ETIMEDOUT when
 * neither console nor agent said anything for @silence seconds, or there was
 * no hello for @total seconds; -EINTR; -EFBIG for a flood; -EIO when a log
 * cannot be written (vm->log_error).
 */
int vm_wait_hello(struct vm *vm, double silence, double total);

/*
 * Send a command (@req gets its id and is put here) and wait for its reply,
 * which the caller puts. The agent ends commands by their own "timeout"; the
 * host waits @grace seconds longer. Returns 0 with *@reply set, or as
 * vm_wait_hello(); -ETIMEDOUT: the agent does not answer, or does not tick.
 */
int vm_request(struct vm *vm, struct json_object *req, double timeout,
	       struct json_object **reply);

/* Send a command whose reply nobody waits for; @req is put. Fine in on_event.
 * 0, -EPIPE, or -EAGAIN when the guest does not take it. */
int vm_send(struct vm *vm, struct json_object *req);

/*
 * Ask QEMU itself, by QMP: @command without arguments. What it returns, owned
 * by the caller, or NULL when it does not answer within @seconds.
 */
struct json_object *vm_qmp(struct vm *vm, const char *command, double seconds);

/* Pump for @seconds. 0, or as vm_wait_hello() but -ETIMEDOUT. */
int vm_pump(struct vm *vm, double seconds);

/* Pump for at most @seconds, or until the console holds @text at or after
 * byte @from: its offset, or -1. */
ssize_t vm_wait_console(struct vm *vm, const char *text, size_t from,
			double seconds);

/* Wait for QEMU to end by itself; what is left of the console is gathered.
 * 0 or -ETIMEDOUT. */
int vm_wait_exit(struct vm *vm, double seconds);

/* A non-maskable interrupt, by QMP: a guest that hangs panics with the stacks
 * of all CPUs (unknown_nmi_panic on its command line). */
void vm_nmi(struct vm *vm);

/* Kill QEMU if it still runs, gather what it had said, close the logs. Fine
 * on one that never started. */
void vm_stop(struct vm *vm);
void vm_free(struct vm *vm);

/* One word for what vm_*() returned. */
const char *vm_strerror(const struct vm *vm, int err);

#endif
