// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"
#include "program.h"
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <unistd.h>

static const char *info(const struct rundata *d, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(d->info, key, &v) ?
		       json_object_get_string(v) : NULL;
}

static unsigned int count(const struct rundata *d, enum case_status st)
{
	unsigned int n = 0;

	for (size_t i = 0; i < d->cases.n; i++)
		n += d->cases.v[i].status == st;
	return n;
}

int report_exit(const struct rundata *d)
{
	if (d->stopped == EXIT_RIG_FAILED || d->stopped == EXIT_INTERRUPTED)
		return d->stopped;
	/* A kernel that panics before its first case cannot be tested; what a
	 * case has shown stays shown. */
	if (d->findings.n && d->cases.n)
		return EXIT_FINDINGS;
	/* Nothing was found by one who does not see. */
	if (d->blind || !d->ended || !d->cases.n || count(d, CASE_BROKEN) ||
	    count(d, CASE_CRASH))
		return EXIT_CANNOT_TEST;
	return EXIT_CLEAN;
}

char *report_rerun(const struct rundata *d, const char *case_name)
{
	struct json_object *list;
	_strv_ struct strv v = {};

	strv_push(&v, "rig");
	strv_push(&v, "run");
	/* The file may have been edited. */
	if (!json_object_object_get_ex(d->info, "rerun", &list) ||
	    !json_object_is_type(list, json_type_array))
		list = NULL;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *word = json_object_get_string(
			json_object_array_get_idx(list, i));

		strv_push(&v, word ? word : "");
	}
	if (case_name) {
		strv_push(&v, "--workload");
		strv_push(&v, case_name);
	}
	return shell_join(v.v);
}

/* Programs are many: of each kind of list so many are shown. */
#define MAX_SHOWN 8

static bool is_program(const char *case_name)
{
	return starts_with(case_name, PROGRAM ":");
}

static bool in_programs(const struct finding *f)
{
	return f->cases.n && is_program(f->cases.v[0]);
}

/* `rig @verb RUNDIR --finding NR`. */
static char *next_step(const struct rundata *d, const char *verb, size_t nr)
{
	_free_ char *number = xstrfmt("%zu", nr);

	return shell_join((char *[]){ "rig", (char *)verb, d->dir, "--finding",
				      number, NULL });
}

/* What shows finding number @nr again. */
static char *rerun_of(const struct rundata *d, size_t nr)
{
	const struct finding *f = &d->findings.v[nr - 1];

	if (in_programs(f))
		return next_step(d, "replay", nr);
	return report_rerun(d, f->cases.n ? f->cases.v[0] : NULL);
}

/* "a, b, c and 4 more" */
static char *some_cases(const struct finding *f, size_t max)
{
	struct buf b = {};

	buf_add(&b, "", 0);
	for (size_t i = 0; i < f->cases.n && i < max; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", f->cases.v[i]);
	if (f->cases.n > max)
		buf_addf(&b, " and %zu more", f->cases.n - max);
	if (!f->cases.n)
		buf_addf(&b, "outside any case");
	return b.data;
}

static void verdict(const struct rundata *d, struct buf *b)
{
	buf_addf(b, "%zu finding%s in %zu case%s%s", d->findings.n,
		 d->findings.n == 1 ? "" : "s", d->cases.n,
		 d->cases.n == 1 ? "" : "s", d->cases.n ? ":" : "");
	for (int st = CASE_PASS; st < NR_CASE_STATUS; st++)
		if (count(d, st))
			buf_addf(b, " %u %s", count(d, st),
				 case_status_names[st]);
	buf_addf(b, ", %d boot%s%s%s%s\n", d->boots, d->boots == 1 ? "" : "s",
		 d->ended ? "" : "; the run did not come to its end",
		 d->ended ? "" : ": ",
		 d->ended ? "" : d->why ? d->why : "rig was killed");
	for (size_t i = 0; i < d->nr_rows; i++) {
		const struct refmodel *m = ref_row_model(&d->rows[i]);

		buf_addf(b, "refcount model of %s pages, measured: %s%s%s%s\n",
			 d->rows[i].devdax ? "device-dax" : "fsdax",
			 m ? m->name : "none that is known", m ? " (" : "",
			 m ? m->help : "", m ? ")" : "");
	}
	if (d->blind)
		buf_addf(b, "THE CENSUS IS BLIND, leaks may go unseen: %s\n",
			 d->blind);
	for (size_t i = 0; i < d->lost.n; i++)
		buf_addf(b, "cannot be read: %s\n", d->lost.v[i]);
}

/* "seed 7, up to 4 threads, on xfs ext4, without pin": run.json's words for
 * generated programs. NULL: there were none. */
static char *mix_words(const struct rundata *d)
{
	static const char *const lists[] = { "fs", "with", "without" };
	static const char *const words[] = { "on", "with", "without" };
	struct json_object *mix, *v;
	_buf_ struct buf b = {};

	if (!json_object_object_get_ex(d->info, "mix", &mix) ||
	    !json_object_object_get_ex(mix, "seed", &v))
		return NULL;
	buf_addf(&b, "seed %" PRId64, json_object_get_int64(v));
	if (json_object_object_get_ex(mix, "threads", &v))
		buf_addf(&b, ", up to %d thread%s", json_object_get_int(v),
			 json_object_get_int(v) == 1 ? "" : "s");
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		if (!json_object_object_get_ex(mix, lists[k], &v) ||
		    !json_object_is_type(v, json_type_array) ||
		    !json_object_array_length(v))
			continue;
		buf_addf(&b, ", %s", words[k]);
		for (size_t i = 0; i < json_object_array_length(v); i++)
			buf_addf(&b, " %s", json_object_get_string(
					json_object_array_get_idx(v, i)));
	}
	/* The file may have been edited. */
	return printable(b.data, b.len, false);
}

static void head(const struct rundata *d, struct buf *b)
{
	static const struct {
		const char *key, *label;
	} rows[] = {
		{ "spec", "Kernel" }, { "release", "Release" },
		{ "version", "Version" }, { "machine", "Machine" },
		{ "accel", "Accelerator" }, { "when", "When" },
		{ "command", "Command" },
	};
	_free_ char *mix = mix_words(d);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (info(d, rows[i].key))
			buf_addf(b, "%-12s %s\n", rows[i].label,
				 info(d, rows[i].key));
	if (mix)
		buf_addf(b, "%-12s %s\n", "Programs", mix);
	buf_addf(b, "%-12s %s\n", "Directory", d->dir);
}

/* Finding number @nr, whole. */
static void put_finding(const struct rundata *d, size_t nr, struct buf *b)
{
	const struct finding *f = &d->findings.v[nr - 1];
	_free_ char *cases = some_cases(f, in_programs(f) ? MAX_SHOWN : 1000);
	_free_ char *rerun = rerun_of(d, nr);
	_free_ char *minimize = next_step(d, "minimize", nr);

	buf_addf(b, "\n%zu. %s\n", nr, f->title);
	buf_addf(b, "   kind %s, seen %u time%s, fingerprint %s\n", f->kind,
		 f->count, f->count == 1 ? "" : "s", f->fingerprint);
	buf_addf(b, "   raised by: %s\n", cases);
	buf_addf(b, "   rerun: %s\n", rerun);
	if (in_programs(f))
		buf_addf(b, "   cut smaller: %s\n", minimize);
	buf_addf(b, "   log: boot-%d/console.log, byte %zu\n\n", f->boot,
		 f->offset);
	for (const char *p = f->text; *p;) {
		size_t n = strcspn(p, "\n");

		buf_addf(b, "    %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static void put_case(const struct rig_case *c, struct buf *b)
{
	_free_ char *text = c->text ? printable(c->text, strlen(c->text),
						false) : NULL;

	buf_addf(b, "  %-7s %6.2f s  %s%s%s\n", case_status_names[c->status],
		 c->seconds, c->name, text ? ": " : "", text ? text : "");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of all cases that findings were seen in, sorted; the array is the
 * caller's, its strings are not. */
static char **found_in(const struct rundata *d, size_t *n)
{
	char **v;

	*n = 0;
	for (size_t i = 0; i < d->findings.n; i++)
		*n += d->findings.v[i].cases.n;
	v = xcalloc(*n, sizeof(*v));
	*n = 0;
	for (size_t i = 0; i < d->findings.n; i++)
		for (size_t k = 0; k < d->findings.v[i].cases.n; k++)
			v[(*n)++] = d->findings.v[i].cases.v[k];
	qsort(v, *n, sizeof(*v), by_text);
	return v;
}

/* The first case of that name. */
static const struct rig_case *find_case(const struct rundata *d,
					const char *name)
{
	for (size_t i = 0; i < d->cases.n; i++)
		if (strcmp(d->cases.v[i].name, name) == 0)
			return &d->cases.v[i];
	return NULL;
}

/*
 * Programs in a few lines: how many there were, those that found something
 * first, and those that neither passed nor found anything. RUNDIR/programs has
 * them all.
 */
static void put_programs(const struct rundata *d, struct buf *b)
{
	unsigned int by_status[NR_CASE_STATUS] = {}, all = 0, found = 0, odd = 0;
	_free_ char **names = NULL;
	_buf_ struct buf rest = {};
	size_t n;

	names = found_in(d, &n);
	for (size_t i = 0; i < d->cases.n; i++) {
		const struct rig_case *c = &d->cases.v[i];
		bool finds;

		if (!is_program(c->name))
			continue;
		all++;
		by_status[c->status]++;
		finds = bsearch(&c->name, names, n, sizeof(*names), by_text);
		found += finds;
		if (!finds && c->status != CASE_PASS &&
		    c->status != CASE_SKIP && odd++ < MAX_SHOWN)
			put_case(c, &rest);
	}
	if (!all)
		return;
	buf_addf(b, "\nPrograms\n  %u ran:", all);
	for (int st = CASE_PASS; st < NR_CASE_STATUS; st++)
		if (by_status[st])
			buf_addf(b, " %u %s", by_status[st],
				 case_status_names[st]);
	buf_addf(b, "; %u found something\n", found);
	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *f = &d->findings.v[i];
		const struct rig_case *c = in_programs(f) ?
				find_case(d, f->cases.v[0]) : NULL;

		if (!c)
			continue;
		buf_addf(b, "  finding %zu, seen in %zu%s, first in\n  ", i + 1,
			 f->cases.n,
			 f->cases.n < FINDING_CASES ? "" : " or more");
		put_case(c, b);
	}
	if (rest.len)
		buf_addf(b, "  %u did not pass and found nothing\n%s", odd,
			 rest.data);
}

static char *make_text(const struct rundata *d)
{
	struct buf b = {};
	bool any = false;

	head(d, &b);
	buf_addf(&b, "\n");
	verdict(d, &b);
	for (size_t i = 0; i < d->findings.n; i++)
		put_finding(d, i + 1, &b);
	for (size_t i = 0; i < d->nr_rows; i++) {
		buf_addf(&b, "\n_refcount of a %s page, by its state\n",
			 d->rows[i].devdax ? "device-dax" : "fsdax");
		ref_row_print(&d->rows[i], &b);
	}
	if (d->nr_rows)
		buf_addf(&b, "\nWhat the pages counted over time: rig census "
			 "%s\n", d->dir);
	put_programs(d, &b);
	for (size_t i = 0; i < d->cases.n; i++) {
		if (is_program(d->cases.v[i].name))
			continue;
		buf_addf(&b, "%s", any ? "" : "\nCases\n");
		any = true;
		put_case(&d->cases.v[i], &b);
	}
	return b.data;
}

static char *make_json(const struct rundata *d)
{
	struct json_object *o = json_object_new_object();
	struct json_object *cases = json_object_new_array();
	struct json_object *list = findings_to_json(&d->findings);
	struct json_object *lost = json_object_new_array();
	struct json_object *rows = json_object_new_array();
	char *text;

	for (size_t i = 0; i < d->lost.n; i++)
		json_object_array_add(lost,
				      json_object_new_string(d->lost.v[i]));

	for (size_t i = 0; i < d->findings.n; i++) {
		struct json_object *f = json_object_array_get_idx(list, i);
		_free_ char *rerun = rerun_of(d, i + 1);
		_free_ char *minimize = next_step(d, "minimize", i + 1);

		json_object_object_add(f, "rerun",
				       json_object_new_string(rerun));
		if (in_programs(&d->findings.v[i]))
			json_object_object_add(
				f, "minimize",
				json_object_new_string(minimize));
	}
	for (size_t i = 0; i < d->cases.n; i++) {
		const struct rig_case *c = &d->cases.v[i];
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "name",
				       json_object_new_string(c->name));
		json_object_object_add(e, "status", json_object_new_string(
					case_status_names[c->status]));
		json_object_object_add(e, "seconds",
				       json_object_new_double(c->seconds));
		json_object_object_add(e, "boot", json_object_new_int(c->boot));
		if (c->text) {
			_free_ char *t = printable(c->text, strlen(c->text),
						   false);

			json_object_object_add(e, "text",
					       json_object_new_string(t));
		}
		json_object_array_add(cases, e);
	}
	json_object_object_add(o, "version", json_object_new_int(1));
	json_object_object_add(o, "run", json_object_get(d->info));
	json_object_object_add(o, "ended", json_object_new_boolean(d->ended));
	if (d->why)
		json_object_object_add(o, "stopped",
				       json_object_new_string(d->why));
	for (size_t i = 0; i < d->nr_rows; i++)
		json_object_array_add(rows, ref_row_to_json(&d->rows[i]));
	json_object_object_add(o, "calibration", rows);
	if (d->blind)
		json_object_object_add(o, "blind",
				       json_object_new_string(d->blind));
	json_object_object_add(o, "lost", lost);
	json_object_object_add(o, "boots", json_object_new_int(d->boots));
	json_object_object_add(o, "cases", cases);
	json_object_object_add(o, "findings", list);
	text = xstrfmt("%s\n", json_object_to_json_string_ext(
				       o, JSON_C_TO_STRING_PRETTY |
						  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

const struct report_format report_formats[] = {
	{ "json", "findings.json", make_json },
	{ "text", "report.txt", make_text },
};
const size_t nr_report_formats = ARRAY_SIZE(report_formats);

int report_write_all(const struct rundata *d, const char **file)
{
	for (size_t i = 0; i < nr_report_formats; i++) {
		_free_ char *path = xstrfmt("%s/%s", d->dir,
					    report_formats[i].file);
		_free_ char *text = report_formats[i].make(d);
		int err = write_file(path, text, strlen(text));

		if (err) {
			*file = report_formats[i].file;
			return err;
		}
	}
	return 0;
}

/* Cases that were no test of the kernel. */
static void summary_broken(const struct rundata *d, FILE *out)
{
	unsigned int programs = 0;

	for (size_t i = 0; i < d->cases.n; i++) {
		const struct rig_case *c = &d->cases.v[i];

		if ((c->status != CASE_BROKEN && c->status != CASE_CRASH) ||
		    (is_program(c->name) && programs++ >= MAX_SHOWN))
			continue;
		fprintf(out, "%s: %s: %s\n", case_status_names[c->status],
			c->name, c->text ? c->text : "?");
	}
	if (programs > MAX_SHOWN)
		fprintf(out, "and %u programs more\n", programs - MAX_SHOWN);
}

/* What to do with programs that found something. */
static void summary_next(const struct rundata *d, FILE *out)
{
	for (size_t i = 0; i < d->findings.n; i++) {
		_free_ char *replay = NULL, *minimize = NULL;

		if (!in_programs(&d->findings.v[i]))
			continue;
		replay = next_step(d, "replay", i + 1);
		minimize = next_step(d, "minimize", i + 1);
		fprintf(out, "again: %s\nsmaller: %s\n", replay, minimize);
		return;
	}
}

void report_summary(const struct rundata *d, FILE *out)
{
	static const struct {
		const char *name;
		double width;
		int flags;
	} cols[] = {
		{ "#", 2, SCOLS_FL_RIGHT },
		{ "FINDING", 0.5, SCOLS_FL_TRUNC },
		{ "COUNT", 5, SCOLS_FL_RIGHT },
		{ "RAISED BY", 0.4, SCOLS_FL_TRUNC },
	};
	struct libscols_table *t = scols_new_table();
	_buf_ struct buf b = {};

	scols_table_set_stream(t, out);
	/* All of it is printable() already; twice is not legible. */
	scols_table_enable_noencoding(t, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		scols_table_new_column(t, cols[i].name, cols[i].width,
				       isatty(fileno(out)) ? cols[i].flags :
				       cols[i].flags & ~SCOLS_FL_TRUNC);
	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *f = &d->findings.v[i];
		struct libscols_line *l = scols_table_new_line(t, NULL);
		_free_ char *nr = xstrfmt("%zu", i + 1);
		_free_ char *n = xstrfmt("%u", f->count);
		_free_ char *cases = some_cases(f, 2);

		scols_line_set_data(l, 0, nr);
		scols_line_set_data(l, 1, f->title);
		scols_line_set_data(l, 2, n);
		scols_line_set_data(l, 3, cases);
	}
	if (d->findings.n)
		scols_print_table(t);
	scols_unref_table(t);
	verdict(d, &b);
	fprintf(out, "%s%s", d->findings.n ? "\n" : "", b.data);
	summary_broken(d, out);
	summary_next(d, out);
	fprintf(out, "report: %s/report.txt\n", d->dir);
}
