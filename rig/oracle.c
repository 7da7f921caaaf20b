// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle.h"

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

/* Bytes of a guest's text that make a title, a key, or its text; and of what a
 * reproducer is made from. */
#define MAX_TITLE 200
#define MAX_BODY 4000
#define MAX_DETAIL 16384

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
	struct oracle_boot guest;
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

bool oracle_host(struct json_object *o, struct findings *fs)
{
	const char *ev = get(o, "ev"), *title = get(o, "title"),
		   *kind = get(o, "kind"), *text = get(o, "text");

	/* What kept the run from testing at all is no finding. */
	if (!ev || strcmp(ev, "observe") != 0 || !title || !kind ||
	    strcmp(kind, "boot") == 0 || strcmp(kind, "setup") == 0)
		return false;
	findings_add(fs, &(struct sighting){
		.kind = kind,
		.oracle = strcmp(kind, "fsck") == 0 ? "fsck" :
			  strcmp(kind, "vm-died") == 0 ||
			  strcmp(kind, "console-flood") == 0 ? "vm" :
			  strcmp(kind, "census") == 0 ||
			  strcmp(kind, "refcount-model") == 0 ?
			  "census" : "watchdog",
		.title = title,
		.key = get(o, "key") ? get(o, "key") : title,
		.case_name = get(o, "case"),
		.text = text ? text : "",
		.text_len = text ? strlen(text) : 0,
		.boot = num(o, "boot", 0),
		.offset = num(o, "offset", 0),
		.time = -1,
	});
	return true;
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
		cases_add(c, &(struct rig_case){
			.name = dup_of(o, "case"),
			.workload = dup_of(o, "workload"),
			.fs = dup_of(o, "fs"),
			.size = dup_of(o, "size"),
			.status = status_of(get(o, "status")),
			.seconds = num(o, "seconds", 0),
			.boot = num(o, "boot", -1),
			.text = dup_of(o, "text"),
		});
	} else {
		oracle_host(o, &d->findings);
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

/* As many different ones as are told apart. */
static void add_bounded(struct oracle_boot *b, struct findings *fs,
			const struct sighting *s)
{
	bool fresh = !findings_known(fs, s);

	if (fresh && b->fresh >= ORACLE_MAX) {
		b->dropped++;
		return;
	}
	b->fresh += fresh;
	findings_add(fs, s);
}

/* A result event with status FAIL. */
static void take_fail(struct oracle_boot *b, struct json_object *o,
		      const char *name, struct findings *fs)
{
	_free_ char *workload = xstrndup(name, strcspn(name, "/"));
	const char *text = get(o, "text"), *where = get(o, "where"),
		   *colon = strchr(workload, ':');
	_free_ char *title = xstrfmt("%.*s: %.*s", MAX_TITLE, workload,
				     MAX_TITLE, text);
	_free_ char *norm = stable(text, colon ? colon + 1 : NULL);
	/* Not by line: the workload's source changes, the claim does not. */
	_free_ char *key = xstrfmt("%.*s %s", (int)strcspn(workload, ":"),
				   workload, norm);
	_free_ char *body = xstrfmt("%.*s\n%.*s: does not hold: %.*s\n",
				    MAX_TITLE, name, MAX_TITLE,
				    where ? where : "?", MAX_BODY, text);

	add_bounded(b, fs, &(struct sighting){
		.kind = "workload-fail",
		.oracle = "workload",
		.title = title,
		.key = key,
		.case_name = name,
		.text = body,
		.text_len = strlen(body),
		.boot = b->nr,
		.time = num(o, "t", -1),
	});
}

static const char *str(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
			       json_object_is_type(v, json_type_string) ?
		       json_object_get_string(v) : NULL;
}

/* What a program's executor found. Kinds that are the host's to give are not
 * taken from a guest. */
static bool take_finding(struct oracle_boot *b, struct json_object *o,
			 struct findings *fs)
{
	const char *kind = str(o, "kind"), *title = str(o, "title"),
		   *key = str(o, "key"), *text = str(o, "text"),
		   *name = str(o, "case"), *oracle;
	_free_ char *title_cut = NULL, *key_cut = NULL, *body = NULL;
	struct json_object *v;
	const char *detail;

	if (!kind || !title || !key || !name)
		return false;
	oracle = strcmp(kind, "data") == 0 ? "data" :
		 strcmp(kind, "waiting") == 0 ? "waiting" : NULL;
	if (!oracle)
		return false;
	title_cut = xstrndup(title, MAX_TITLE);
	key_cut = xstrndup(key, MAX_TITLE);
	body = xstrfmt("%.*s\n%.*s\n", MAX_TITLE, name, MAX_BODY,
		       text ? text : "");
	detail = json_object_object_get_ex(o, "detail", &v) &&
				 json_object_is_type(v, json_type_object) ?
			 json_object_to_json_string_ext(
				 v, JSON_C_TO_STRING_PLAIN) : NULL;
	add_bounded(b, fs, &(struct sighting){
		.kind = oracle,
		.oracle = oracle,
		.title = title_cut,
		.key = key_cut,
		.case_name = name,
		.text = body,
		.text_len = strlen(body),
		.detail = detail && strlen(detail) <= MAX_DETAIL ? detail :
								    NULL,
		.boot = b->nr,
		.time = num(o, "t", -1),
	});
	return true;
}

bool oracle_guest(struct oracle_boot *b, struct json_object *o,
		  struct findings *fs)
{
	const char *ev = get(o, "ev"), *st = get(o, "status"),
		   *name = get(o, "case");

	if (ev && strcmp(ev, "finding") == 0)
		return take_finding(b, o, fs);
	if (!ev || strcmp(ev, "result") != 0 || !st ||
	    strcmp(st, "FAIL") != 0 || !name || !get(o, "text"))
		return false;
	take_fail(b, o, name, fs);
	return true;
}

static void guest_event(struct json_object *o, void *arg)
{
	struct loading *l = arg;

	oracle_guest(&l->guest, o, &l->d->findings);
}

static void add_dropped(struct loading *l)
{
	_free_ char *text = xstrfmt("boot-%d/events.jsonl has %u more\n",
				    l->boot, l->guest.dropped);

	if (!l->guest.dropped)
		return;
	findings_add(&l->d->findings, &(struct sighting){
		.kind = "workload-fail",
		.oracle = "workload",
		.title = drop_title,
		.key = drop_title,
		.count = l->guest.dropped,
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
static bool is_ours(const struct kreport *r, int64_t nmi)
{
	return nmi >= 0 && r->start >= (size_t)nmi &&
	       strcmp(r->kind, "panic") == 0 && strstr(r->title, "NMI");
}

void oracle_console(const struct kreports *r, int boot, int64_t nmi,
		    struct findings *fs)
{
	for (size_t i = 0; i < r->n; i++)
		if (!is_ours(&r->v[i], nmi))
			scan_to_findings(&(struct kreports){ &r->v[i], 1 },
					 boot, fs);
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
	oracle_console(&rep, l->boot, l->boot < l->nr_nmi ? l->nmi[l->boot] : -1,
		       &d->findings);
	l->guest = (struct oracle_boot){ .nr = l->boot };
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
