/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: one process that serves the host's commands, each in a child of
 * its own, so that the agent goes on answering whatever the kernel does to the
 * child. docs/protocol.md lists the commands and events.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct workload;

/* Where a case's processes send their results: a SOCK_SEQPACKET end. The
 * agent's answer to a census comes back by it. */
extern int wl_result_fd;
/* A datagram that begins so has an event of a case's processes, as JSON. */
#define EVENT_MARK '!'

/* --- commands ------------------------------------------------------------ */

/*
 * A command runs in a child with @req; it adds what it has to tell to @reply.
 * NULL when it went well, else one line that says what failed, on what: it
 * becomes the reply's "error". The string is not freed.
 */
typedef const char *(*command_fn)(struct json_object *req,
				  struct json_object *reply);

struct command {
	const char *name;
	command_fn fn;
};

const char *cmd_modules(struct json_object *req, struct json_object *reply);
const char *cmd_setup(struct json_object *req, struct json_object *reply);
const char *cmd_disable(struct json_object *req, struct json_object *reply);
const char *cmd_enable(struct json_object *req, struct json_object *reply);
const char *cmd_where(struct json_object *req, struct json_object *reply);
const char *cmd_layout(struct json_object *req, struct json_object *reply);
const char *cmd_owners(struct json_object *req, struct json_object *reply);
const char *cmd_mkfs(struct json_object *req, struct json_object *reply);
const char *cmd_mount(struct json_object *req, struct json_object *reply);
const char *cmd_umount(struct json_object *req, struct json_object *reply);
const char *cmd_check(struct json_object *req, struct json_object *reply);
const char *cmd_clean(struct json_object *req, struct json_object *reply);
const char *cmd_shell(struct json_object *req, struct json_object *reply);
/* Does not return a reply: ends the process, its results being the reply. */
const char *cmd_run(struct json_object *req, struct json_object *reply);

/* --- helpers ------------------------------------------------------------- */

const char *req_str(struct json_object *req, const char *key);
double req_num(struct json_object *req, const char *key, double fallback);
void put_str(struct json_object *o, const char *key, const char *value);
void put_num(struct json_object *o, const char *key, double value);

bool req_is(struct json_object *req, const char *key);
/* [@a, @b, @c], owned by the caller. */
struct json_object *extent(long long a, long long b, long long c);

/* btf_layout() of the kernel that runs: "btf", or "why" there is none. */
void put_btf(struct json_object *members, struct json_object *reply);

/* printf into a string of the process, which ends soon. */
const char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Run a program to its end; what it printed goes to @out, at most @size - 1
 * bytes and NUL-terminated, the rest is dropped. Exit status, 128 + signal, or
 * -1 when it could not be started.
 */
int run_capture(const char *const *argv, char *out, size_t size);

/* Undo what a case left: open and remove its gates, detach loop devices. */
void sweep(void);

const struct workload *workload_find(const char *name);
/* What `agent --describe` prints: the host's only list of workloads. */
struct json_object *describe(void);
/* The operations in it: the host's only list of them. */
struct json_object *describe_operations(void);
/* The options about programs, which the host asks on the host: exit code. */
int program_main(int argc, char **argv);

#endif
