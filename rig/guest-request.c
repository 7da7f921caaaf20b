// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What goes over the wire: requests to the agent, the events it sends, and
 * the lines of host.jsonl that tell what the host made of them.
 */
#include "guest.h"
#include "guest/wire.h"

#include <string.h>

/* No console output for this long while booting is a kernel that hangs; a
 * slow one goes on printing, for at most --boot-timeout. */
#define BOOT_SILENCE 90.0
/* The host waits so much longer than the agent. */
#define GRACE 20.0
/* Bytes of a text of the guest's that are shown. */
#define MAX_TEXT 400

struct json_object *guest_msg(const char *key, const char *value)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, key, json_object_new_string(value));
	return o;
}

void guest_put(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_object_object_add(o, key, json_object_new_string(value));
}

void guest_put_int(struct json_object *o, const char *key, int value)
{
	json_object_object_add(o, key, json_object_new_int(value));
}

const char *guest_get(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

int guest_get_int(struct json_object *o, const char *key, int fallback)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int(v) :
						       fallback;
}

bool guest_is_true(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_get_boolean(v);
}

char *guest_text(struct json_object *o, const char *key)
{
	const char *text = guest_get(o, key);

	return text ? printable(text, strnlen(text, MAX_TEXT), false) : NULL;
}

/* --- host.jsonl ----------------------------------------------------------- */

int run_log(struct run *r, struct json_object *o)
{
	_buf_ struct buf line = {};
	int err;

	json_object_object_add(o, "t",
			       json_object_new_double(now() - r->started));
	buf_addf(&line, "%s\n", json_object_to_json_string_ext(
					o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	err = write_all(r->log, line.data, line.len);
	if (err && !r->log_failed)
		error("%s/host.jsonl: %s", r->dir, strerror(-err));
	r->log_failed |= err != 0;
	return err;
}

void boot_observe(struct boot *b, const char *kind, const char *title,
		  const char *key, const char *text)
{
	struct json_object *o = guest_msg("ev", "observe");

	guest_put_int(o, "boot", b->r->boots - 1);
	guest_put(o, "kind", kind);
	guest_put(o, "title", title);
	guest_put(o, "key", key);
	guest_put(o, "case", b->now ? b->now->name : NULL);
	guest_put(o, "text", text);
	json_object_object_add(o, "offset",
			       json_object_new_int64(b->vm.console.len));
	oracle_host(o, &b->r->last);
	run_log(b->r, o);
	boot_census_moment(b, kind);
}

/* --- limits --------------------------------------------------------------- */

double boot_scaled(const struct boot *b, double seconds)
{
	return seconds * b->r->o->timeout_mul *
	       (b->vm.scale > 1 ? b->vm.scale : 1);
}

double boot_total(const struct run *r)
{
	return r->o->boot_timeout * r->o->timeout_mul;
}

double boot_silence(const struct run *r)
{
	double all = boot_total(r), limit = BOOT_SILENCE * r->o->timeout_mul;

	return all < limit ? all : limit;
}

/* --- requests ------------------------------------------------------------- */

int boot_ask(struct boot *b, struct json_object *req, double limit, char **why,
	     struct json_object **out)
{
	struct json_object *reply = NULL;
	int err;

	limit = boot_scaled(b, limit);
	json_object_object_add(req, "timeout", json_object_new_double(limit));
	buf_free(&b->stacks);
	b->hung = false;
	err = vm_request(&b->vm, req, limit + boot_scaled(b, GRACE), &reply);
	if (!err && !guest_is_true(reply, "ok")) {
		if (why)
			*why = guest_text(reply, "error") ?: xstrdup("?");
		b->hung = guest_is_true(reply, "hung");
		err = 1;
	}
	if (out && !err)
		*out = json_object_get(reply);
	json_object_put(reply);
	return err;
}

struct json_object *boot_ns(struct boot *b, int i)
{
	struct json_object *list;

	/* set_up() saw that it is there. */
	json_object_object_get_ex(b->ns, "namespaces", &list);
	return json_object_array_get_idx(list, i);
}

struct json_object *boot_fs_request(struct boot *b, const char *cmd,
				    const struct rig_case *c)
{
	struct json_object *o = guest_msg("cmd", cmd);
	_free_ char *dir = xstrfmt("%s/%d", GUEST_MNT, c->ns);

	guest_put(o, "fs", c->fs);
	guest_put(o, "dev", guest_get(boot_ns(b, c->ns), "dev"));
	guest_put(o, "ns", guest_get(boot_ns(b, c->ns), "name"));
	guest_put(o, "dir", dir);
	return o;
}

void boot_mark(struct boot *b, const char *what, const char *name)
{
	_free_ char *text = xstrfmt("%s %s", what, name);
	struct json_object *o = guest_msg("cmd", "mark");

	guest_put(o, "text", text);
	/* The agent takes its requests in their order: nobody has to wait for
	 * its word on this one. */
	vm_send(&b->vm, o);
	boot_census_mark(b, what, name);
}

/* --- events --------------------------------------------------------------- */

void boot_on_event(struct json_object *ev, void *arg)
{
	struct boot *b = arg;
	const char *name = guest_get(ev, "ev"), *st = guest_get(ev, "status");

	if (strcmp(name, "stack") == 0) {
		_free_ char *comm = guest_text(ev, "comm"),
			    *state = guest_text(ev, "state");
		const char *raw = guest_get(ev, "stack");
		_free_ char *stack = printable(raw ? raw : "",
					       raw ? strlen(raw) : 0, true);

		if (b->stacks.len < MAX_STACKS)
			buf_addf(&b->stacks, "%s (%s)\n%s", comm ? comm : "?",
				 state ? state : "?", stack);
	} else if (strcmp(name, "result") == 0 && st && !b->first_fail &&
		   (strcmp(st, "FAIL") == 0 || strcmp(st, "SKIP") == 0 ||
		    strcmp(st, "BROKEN") == 0)) {
		b->first_fail = guest_text(ev, "text") ?: xstrdup("");
	}
	if (oracle_guest(&b->oracle, ev, &b->r->last) && !b->first_fail)
		b->first_fail = guest_text(ev, "title") ?: xstrdup("");
	boot_census_event(b, ev);
}
