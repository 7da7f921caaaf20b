// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"
#include "progress.h"

#include <errno.h>
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

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (info(d, rows[i].key))
			buf_addf(b, "%-12s %s\n", rows[i].label,
				 info(d, rows[i].key));
	buf_addf(b, "%-12s %s\n", "Directory", d->dir);
}

static char *make_text(const struct rundata *d)
{
	struct buf b = {};

	head(d, &b);
	buf_addf(&b, "\n");
	verdict(d, &b);
	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *f = &d->findings.v[i];
		_free_ char *cases = some_cases(f, 1000);
		_free_ char *rerun = report_rerun(d, f->cases.n ?
						  f->cases.v[0] : NULL);

		buf_addf(&b, "\n%zu. %s\n", i + 1, f->title);
		buf_addf(&b, "   kind %s, seen %u time%s, fingerprint %s\n",
			 f->kind, f->count, f->count == 1 ? "" : "s",
			 f->fingerprint);
		buf_addf(&b, "   raised by: %s\n", cases);
		buf_addf(&b, "   rerun: %s\n", rerun);
		buf_addf(&b, "   log: boot-%d/console.log, byte %zu\n\n",
			 f->boot, f->offset);
		for (const char *p = f->text; *p;) {
			size_t n = strcspn(p, "\n");

			buf_addf(&b, "    %.*s\n", (int)n, p);
			p += n + (p[n] == '\n');
		}
	}
	for (size_t i = 0; i < d->nr_rows; i++) {
		buf_addf(&b, "\n_refcount of a %s page, by its state\n",
			 d->rows[i].devdax ? "device-dax" : "fsdax");
		ref_row_print(&d->rows[i], &b);
	}
	if (d->nr_rows)
		buf_addf(&b, "\nWhat the pages counted over time: rig census "
			 "%s\n", d->dir);
	buf_addf(&b, "\nCases\n");
	for (size_t i = 0; i < d->cases.n; i++) {
		const struct rig_case *c = &d->cases.v[i];
		_free_ char *text = c->text ? printable(c->text,
							strlen(c->text),
							false) : NULL;

		buf_addf(&b, "  %-7s %6.2f s  %s%s%s\n",
			 case_status_names[c->status], c->seconds, c->name,
			 text ? ": " : "", text ? text : "");
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
		const struct finding *f = &d->findings.v[i];
		_free_ char *rerun = report_rerun(d, f->cases.n ?
						  f->cases.v[0] : NULL);

		json_object_object_add(json_object_array_get_idx(list, i),
				       "rerun", json_object_new_string(rerun));
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
	for (size_t i = 0; i < d->cases.n; i++)
		if (d->cases.v[i].status == CASE_BROKEN ||
		    d->cases.v[i].status == CASE_CRASH)
			fprintf(out, "%s: %s: %s\n",
				case_status_names[d->cases.v[i].status],
				d->cases.v[i].name,
				d->cases.v[i].text ? d->cases.v[i].text : "?");
	fprintf(out, "report: %s/report.txt\n", d->dir);
}
