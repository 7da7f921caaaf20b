// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle.h"
#include "scan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char *get(struct json_object *o, const char *key)
{
	struct json_object *v;

	return o && json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

static double num(struct json_object *o, const char *key, double fallback)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_double(v) : fallback;
}

/* Distinct FAILs of one boot that are told apart; a guest that makes up more
 * is not worth more. */
#define MAX_FAILS 256
/* Bytes of a guest's text that make a title, or its text. */
#define MAX_TITLE 200
#define MAX_BODY 4000

/* Calls @fn for each line of a .jsonl file that is a JSON object; the guest
 * may have written anything, and a killed rig half a line. */
static int each_object(const char *path,
		       void (*fn)(struct json_object *o, void *arg), void *arg)
{
	_buf_ struct buf b = {};
	int err = read_file(path, &b);
	char *p = b.data, *end = b.data + b.len;

	while (!err && p < end) {
		char *nl = memchr(p, '\n', end - p);
		struct json_object *o;

		if (nl)
			*nl = '\0';
		o = *p == '{' ? json_tokener_parse(p) : NULL;
		if (o)
			fn(o, arg);
		json_object_put(o);
		p = nl ? nl + 1 : end;
	}
	return err;
}

struct loading {
	struct rundata *d;
	int boot;
	/* rig sent NMIs from these bytes of the consoles on; -1: never */
	int64_t *nmi;
	int nr_nmi;
	unsigned int fails, dropped;	/* of this boot */
};

static enum case_status status_of(const char *name)
{
	for (int i = 0; name && i < NR_CASE_STATUS; i++)
		if (strcmp(case_status_names[i], name) == 0)
			return i;
	return CASE_NOT_RUN;
}

static char *dup_of(struct json_object *o, const char *key)
{
	const char *s = get(o, key);

	return s ? xstrdup(s) : NULL;
}

static void take_nmi(struct loading *l, double boot, double offset)
{
	if (!(boot >= 0 && boot < 1e6 && offset >= 0))
		return;
	l->nmi = xrealloc(l->nmi, (boot + 1) * sizeof(*l->nmi));
	while (l->nr_nmi <= boot)
		l->nmi[l->nr_nmi++] = -1;
	l->nmi[(int)boot] = offset;
}

/* Measured by several cases one after the other: the last one has it all. */
static void take_row(struct rundata *d, struct json_object *o)
{
	struct json_object *v;
	struct ref_row row;

	if (!json_object_object_get_ex(o, "row", &v))
		return;
	ref_row_from_json(v, &row);
	for (size_t i = 0; i < d->nr_rows; i++) {
		if (d->rows[i].devdax == row.devdax) {
			d->rows[i] = row;
			return;
		}
	}
	d->rows[d->nr_rows++] = row;
}

static void host_event(struct json_object *o, void *arg)
{
	struct rundata *d = ((struct loading *)arg)->d;
	const char *ev = get(o, "ev");

	if (!ev)
		return;
	if (strcmp(ev, "boot") == 0) {
		d->boots++;
	} else if (strcmp(ev, "nmi") == 0) {
		take_nmi(arg, num(o, "boot", -1), num(o, "offset", 0));
	} else if (strcmp(ev, "end") == 0) {
		d->ended = true;
	} else if (strcmp(ev, "stop") == 0) {
		d->stopped = num(o, "exit", 0);
		free(d->why);
		d->why = dup_of(o, "why");
	} else if (strcmp(ev, "calibrated") == 0) {
		take_row(d, o);
	} else if (strcmp(ev, "blind") == 0 && get(o, "why") && !d->blind) {
		d->blind = printable(get(o, "why"), strlen(get(o, "why")),
				     false);
	} else if (strcmp(ev, "case") == 0 && get(o, "case")) {
		struct cases *c = &d->cases;

		/* Nobody asked for it; what it measured is told apart. */
		if (num(o, "calibrates", 0))
			return;

		c->v = xrealloc(c->v, (c->n + 1) * sizeof(*c->v));
		c->v[c->n++] = (struct rig_case){
			.name = dup_of(o, "case"),
			.workload = dup_of(o, "workload"),
			.fs = dup_of(o, "fs"),
			.size = dup_of(o, "size"),
			.status = status_of(get(o, "status")),
			.seconds = num(o, "seconds", 0),
			.boot = num(o, "boot", -1),
			.text = dup_of(o, "text"),
		};
	} else if (strcmp(ev, "observe") == 0 && get(o, "title")) {
		const char *kind = get(o, "kind"), *text = get(o, "text");

		/* What kept the run from testing at all is no finding. */
		if (!kind || strcmp(kind, "boot") == 0 ||
		    strcmp(kind, "setup") == 0)
			return;
		findings_add(&d->findings, &(struct sighting){
			.kind = kind,
			.oracle = strcmp(kind, "fsck") == 0 ? "fsck" :
				  strcmp(kind, "vm-died") == 0 ||
				  strcmp(kind, "console-flood") == 0 ? "vm" :
				  strcmp(kind, "census") == 0 ||
				  strcmp(kind, "refcount-model") == 0 ?
				  "census" : "watchdog",
			.title = get(o, "title"),
			.key = get(o, "key") ? get(o, "key") : get(o, "title"),
			.case_name = get(o, "case"),
			.text = text ? text : "",
			.text_len = text ? strlen(text) : 0,
			.boot = num(o, "boot", 0),
			.offset = num(o, "offset", 0),
			.time = -1,
		});
	}
}

/* The text of a FAIL without what differs from run to run or from variant to
 * variant: numbers, and the variant's name. */
static char *stable(const char *text, const char *variant)
{
	size_t len = variant ? strlen(variant) : 0;
	struct buf b = {};

	for (const char *p = text; *p;) {
		if (len && strncmp(p, variant, len) == 0 &&
		    (p == text || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[len])) {
			buf_add(&b, "*", 1);
			p += len;
			continue;
		}
		if (isxdigit((unsigned char)*p) &&
		    (p == text || !isalnum((unsigned char)p[-1]))) {
			size_t n = strspn(p, "0123456789abcdefABCDEFx.");
			bool digit = strcspn(p, "0123456789") < n;

			if (digit && !isalpha((unsigned char)p[n])) {
				buf_add(&b, "N", 1);
				p += n;
				continue;
			}
		}
		buf_add(&b, p++, 1);
	}
	buf_add(&b, "", 0);
	return b.data;
}

static const char drop_title[] = "further FAILs of this boot are not told apart";

static void guest_event(struct json_object *o, void *arg)
{
	struct loading *l = arg;
	const char *ev = get(o, "ev"), *st = get(o, "status"),
		   *name = get(o, "case"), *text = get(o, "text");
	_free_ char *workload = NULL, *title = NULL, *key = NULL, *norm = NULL;
	_free_ char *body = NULL;
	const char *colon;

	if (!ev || strcmp(ev, "result") != 0 || !st ||
	    strcmp(st, "FAIL") != 0 || !name || !text)
		return;
	workload = xstrndup(name, strcspn(name, "/"));
	colon = strchr(workload, ':');
	title = xstrfmt("%.*s: %.*s", MAX_TITLE, workload, MAX_TITLE, text);
	if (l->fails++ >= MAX_FAILS) {
		l->dropped++;
		return;
	}
	norm = stable(text, colon ? colon + 1 : NULL);
	/* Not by line: the workload's source changes, the claim does not. */
	key = xstrfmt("%.*s %s", (int)strcspn(workload, ":"), workload, norm);
	body = xstrfmt("%.*s\n%.*s: does not hold: %.*s\n", MAX_TITLE, name,
		       MAX_TITLE, get(o, "where") ? get(o, "where") : "?",
		       MAX_BODY, text);
	findings_add(&l->d->findings, &(struct sighting){
		.kind = "workload-fail",
		.oracle = "workload",
		.title = title,
		.key = key,
		.case_name = name,
		.text = body,
		.text_len = strlen(body),
		.boot = l->boot,
		.time = num(o, "t", -1),
	});
}

static void add_dropped(struct loading *l)
{
	_free_ char *text = xstrfmt("boot-%d/events.jsonl has %u more\n",
				    l->boot, l->dropped);

	if (!l->dropped)
		return;
	findings_add(&l->d->findings, &(struct sighting){
		.kind = "workload-fail",
		.oracle = "workload",
		.title = drop_title,
		.key = drop_title,
		.count = l->dropped,
		.text = text,
		.text_len = strlen(text),
		.boot = l->boot,
		.time = -1,
	});
}

/* Folders of boots, should host.jsonl have lost its line of one. */
static int boot_folders(const char *dir, int least)
{
	for (;; least++) {
		_free_ char *path = xstrfmt("%s/boot-%d", dir, least);

		if (!path_exists(path))
			return least;
	}
}

/* A panic that rig asked for, to see the stacks of a guest that hangs. */
static bool is_ours(const struct loading *l, const struct kreport *r)
{
	return l->boot < l->nr_nmi && l->nmi[l->boot] >= 0 &&
	       r->start >= (size_t)l->nmi[l->boot] &&
	       strcmp(r->kind, "panic") == 0 && strstr(r->title, "NMI");
}

static void load_boot(struct loading *l)
{
	struct rundata *d = l->d;
	_free_ char *con = xstrfmt("%s/boot-%d/console.log", d->dir, l->boot);
	_free_ char *ev = xstrfmt("%s/boot-%d/events.jsonl", d->dir, l->boot);
	_kreports_ struct kreports rep = {};
	_buf_ struct buf b = {};
	int err = read_file(con, &b);

	if (err)
		strv_pushf(&d->lost, "boot-%d/console.log: %s", l->boot,
			   strerror(-err));
	scan_console(b.data ? b.data : "", b.len, 0, &rep);
	for (size_t i = 0; i < rep.n; i++)
		if (!is_ours(l, &rep.v[i]))
			scan_to_findings(&(struct kreports){ &rep.v[i], 1 },
					 l->boot, &d->findings);
	l->fails = l->dropped = 0;
	err = each_object(ev, guest_event, l);
	if (err)
		strv_pushf(&d->lost, "boot-%d/events.jsonl: %s", l->boot,
			   strerror(-err));
	add_dropped(l);
}

int rundata_load(const char *dir, struct rundata *d)
{
	_free_ char *info = xstrfmt("%s/run.json", dir);
	_free_ char *host = xstrfmt("%s/host.jsonl", dir);
	struct loading l = { .d = d };
	int err;

	*d = (struct rundata){ .dir = xstrdup(dir) };
	d->info = json_object_from_file(info);
	if (!d->info || !json_object_is_type(d->info, json_type_object)) {
		json_object_put(d->info);
		d->info = json_object_new_object();
	}
	err = each_object(host, host_event, &l);
	if (err) {
		free(l.nmi);
		return err;
	}
	d->boots = boot_folders(dir, d->boots);
	for (l.boot = 0; l.boot < d->boots; l.boot++)
		load_boot(&l);
	free(l.nmi);
	return 0;
}

void rundata_free(struct rundata *d)
{
	free(d->dir);
	json_object_put(d->info);
	cases_free(&d->cases);
	findings_free(&d->findings);
	strv_free(&d->lost);
	free(d->why);
	free(d->blind);
	*d = (struct rundata){};
}
