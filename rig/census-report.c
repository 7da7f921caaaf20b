// SPDX-License-Identifier: GPL-2.0-or-later
#include "census-report.h"

#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Spells that are looked at for their owners: each is a search. */
#define MAX_NAMED ((size_t)2000)

/* --- as tables ------------------------------------------------------------ */

static struct libscols_table *table(FILE *out, const char *const *heads,
				    const char *right)
{
	struct libscols_table *t = scols_new_table();

	scols_table_set_stream(t, out);
	/* All of it is printable() already; twice is not legible. */
	scols_table_enable_noencoding(t, 1);
	for (int i = 0; heads[i]; i++)
		scols_table_new_column(t, heads[i], 0.1,
				       strchr(right, '0' + i) ?
					       SCOLS_FL_RIGHT : 0);
	return t;
}

static void cell(struct libscols_line *l, int i, const char *fmt, ...)
	__printf(3, 4);
static void cell(struct libscols_line *l, int i, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	scols_line_refer_data(l, i, text);
}

static void print_counts(const struct history_ns *ns, FILE *out)
{
	static const char *const heads[] = { "COUNT", "PAGES", "MOST", "AT",
					     "WHAT", NULL };
	struct libscols_table *t = table(out, heads, "0123");

	for (size_t i = 0; i < ns->nr_counts; i++) {
		const struct history_count *c = &ns->counts[i];
		struct libscols_line *l;

		if (!c->most)
			continue;
		l = scols_table_new_line(t, NULL);
		cell(l, 0, "%d", c->ref);
		cell(l, 1, "%llu", (unsigned long long)c->pages);
		cell(l, 2, "%llu", (unsigned long long)c->most);
		cell(l, 3, "%.1f s", c->at);
		cell(l, 4, "%s", page_level_names[c->level]);
	}
	scols_print_table(t);
	scols_unref_table(t);
}

static void print_spells(struct history *h, unsigned int nr,
			 const struct history_spell *s, size_t n, FILE *out)
{
	static const char *const heads[] = { "OFFSET", "PAGES", "COUNT",
					     "FROM", "UNTIL", "WHOSE",
					     "HELD BY", "CASE", NULL };
	struct libscols_table *t = table(out, heads, "12");

	for (size_t i = 0; i < n; i++) {
		_free_ char *whose = history_whose(h, nr, &s[i]);
		_free_ char *held = history_held(h, nr, &s[i]);
		_free_ char *end = history_until(h, &s[i]);
		const char *in = history_case_at(h, s[i].since);
		struct libscols_line *l = scols_table_new_line(t, NULL);

		cell(l, 0, "+0x%llx", (unsigned long long)s[i].first * 4096);
		cell(l, 1, "%llu", (unsigned long long)s[i].n);
		cell(l, 2, "%d", s[i].ref);
		cell(l, 3, "%.1f s", s[i].since);
		cell(l, 4, "%s", end);
		cell(l, 5, "%s", whose);
		cell(l, 6, "%s", held ? held : "");
		cell(l, 7, "%s", in ? in : "");
	}
	scols_print_table(t);
	scols_unref_table(t);
}

/* A file's pages that were off idle. */
struct busy {
	char *file, *case_name;
	unsigned int spells;
	uint64_t pages;			/* sum over its spells */
	int32_t most;			/* the highest count */
	double seconds;			/* of all its pages */
};

static int by_seconds(const void *a, const void *b)
{
	const struct busy *x = a, *y = b;

	return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 :
	       x->most != y->most ? (x->most < y->most ? 1 : -1) :
				    strcmp(x->file, y->file);
}

static struct busy *busy_files(struct history *h, unsigned int nr,
			       const struct history_spell *s, size_t n,
			       size_t *nr_files)
{
	struct busy *v = NULL;

	*nr_files = 0;
	for (size_t i = 0; i < n && i < MAX_NAMED; i++) {
		const struct owner *w = history_owner(h, nr, &s[i]);
		const char *file = w ? w->file : "no file that is known";
		const char *in = w && w->case_name ? w->case_name : "";
		struct busy *b = NULL;

		for (size_t k = 0; k < *nr_files && !b; k++)
			if (strcmp(v[k].file, file) == 0 &&
			    strcmp(v[k].case_name, in) == 0)
				b = &v[k];
		if (!b) {
			v = xrealloc(v, (*nr_files + 1) * sizeof(*v));
			b = &v[(*nr_files)++];
			*b = (struct busy){ .file = xstrdup(file),
					    .case_name = xstrdup(in),
					    .most = s[i].ref };
		}
		b->spells++;
		b->pages += s[i].n;
		b->most = s[i].ref > b->most ? s[i].ref : b->most;
		b->seconds += s[i].n * (s[i].until - s[i].since);
	}
	if (*nr_files)
		qsort(v, *nr_files, sizeof(*v), by_seconds);
	return v;
}

static void free_busy(struct busy *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].file);
		free(v[i].case_name);
	}
	free(v);
}

static void print_busy(const struct busy *v, size_t n, FILE *out)
{
	static const char *const heads[] = { "FILE", "TIMES", "PAGES",
					     "HIGHEST", "PAGE-SECONDS", "CASE",
					     NULL };
	struct libscols_table *t = table(out, heads, "1234");

	for (size_t i = 0; i < n; i++) {
		struct libscols_line *l = scols_table_new_line(t, NULL);

		cell(l, 0, "%s", v[i].file);
		cell(l, 1, "%u", v[i].spells);
		cell(l, 2, "%llu", (unsigned long long)v[i].pages);
		cell(l, 3, "%d", v[i].most);
		cell(l, 4, "%.1f", v[i].seconds);
		cell(l, 5, "%s", v[i].case_name);
	}
	scols_print_table(t);
	scols_unref_table(t);
}

static void more(size_t n, size_t top, FILE *out)
{
	if (n > top)
		fprintf(out, "and %zu more; --top and --json show them\n",
			n - top);
}

void census_report_ns(struct history *h, unsigned int nr, size_t top,
		     FILE *out)
{
	const struct history_ns *ns = &h->ns[nr];
	size_t n, files;
	_free_ struct history_spell *s = history_spells(h, nr, &n);
	struct busy *busy = busy_files(h, nr, s, n, &files);

	fprintf(out, "%s: %llu pages, %.0f MiB; an idle page counts %d; "
		"%llu frames to %.1f s", ns->name, (unsigned long long)ns->n,
		ns->n * 4096 / 1048576.0, ns->idle_ref,
		(unsigned long long)ns->frames, h->end);
	if (ns->torn)
		fprintf(out, "; %llu pages changed while they were read",
			(unsigned long long)ns->torn);
	fprintf(out, "\n\n");
	print_counts(ns, out);
	if (!n) {
		fprintf(out, "\nNo page was off idle.\n");
	} else {
		fprintf(out, "\nOff idle, beside what is mapped:\n\n");
		print_spells(h, nr, s, n < top ? n : top, out);
		more(n, top, out);
		fprintf(out, "\nBusiest files:\n\n");
		print_busy(busy, files < top ? files : top, out);
		more(files, top, out);
	}
	if (ns->dropped)
		fprintf(out, "%llu short spells off idle were too many to "
			"keep\n", (unsigned long long)ns->dropped);
	free_busy(busy, files);
}

void census_report_text(struct history *h, const char *path, size_t top,
		       FILE *out)
{
	fprintf(out, "%s\n", path);
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		if (h->ns[i].said && h->ns[i].frames) {
			fprintf(out, "\n");
			census_report_ns(h, i, top, out);
		}
}

/* --- as JSON -------------------------------------------------------------- */

static void add(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}
#define STR(s) ((s) ? json_object_new_string(s) : NULL)
#define INT(n) json_object_new_int64(n)
/* To the microsecond, as the log has it. */
static struct json_object *secs(double t)
{
	_free_ char *text = xstrfmt("%.6f", t);

	return json_object_new_double_s(t, text);
}

static struct json_object *json_spell(struct history *h, unsigned int nr,
				      const struct history_spell *s)
{
	struct json_object *o = json_object_new_object();
	const struct owner *w = history_owner(h, nr, s);
	_free_ char *held = NULL;
	const char *in = history_case_at(h, s->since);

	add(o, "page", INT(s->first));
	add(o, "offset", INT(s->first * 4096));
	add(o, "pages", INT(s->n));
	add(o, "count", INT(s->ref));
	add(o, "mapcount", INT(s->mapcount));
	add(o, "what", STR(page_level_names[s->level]));
	add(o, "from", secs(s->since));
	add(o, "until", secs(s->until));
	add(o, "stayed", json_object_new_boolean(s->stayed));
	add(o, "mapping", json_object_new_uint64(s->mapping));
	add(o, "index", json_object_new_uint64(s->index));
	add(o, "case", STR(in));
	if (w) {
		add(o, "file", STR(w->file));
		add(o, "file_offset", INT(w->off));
		add(o, "inode", INT(w->ino));
		add(o, "had_it_then", json_object_new_boolean(w->is_now));
	}
	held = history_held(h, nr, s);
	if (held)
		add(o, "held", STR(held));
	return o;
}

static struct json_object *json_ns(struct history *h, unsigned int nr)
{
	const struct history_ns *ns = &h->ns[nr];
	struct json_object *o = json_object_new_object();
	struct json_object *counts = json_object_new_array();
	struct json_object *spells = json_object_new_array();
	struct json_object *files = json_object_new_array();
	size_t n, nr_files;
	_free_ struct history_spell *s = history_spells(h, nr, &n);
	struct busy *busy = busy_files(h, nr, s, n, &nr_files);

	add(o, "name", STR(ns->name));
	add(o, "pages", INT(ns->n));
	add(o, "pfn", INT(ns->data_pfn));
	add(o, "idle", INT(ns->idle_ref));
	add(o, "frames", INT(ns->frames));
	add(o, "torn", INT(ns->torn));
	for (size_t i = 0; i < ns->nr_counts; i++) {
		struct json_object *c = json_object_new_object();

		add(c, "count", INT(ns->counts[i].ref));
		add(c, "what", STR(page_level_names[ns->counts[i].level]));
		add(c, "pages", INT(ns->counts[i].pages));
		add(c, "most", INT(ns->counts[i].most));
		add(c, "at", secs(ns->counts[i].at));
		json_object_array_add(counts, c);
	}
	for (size_t i = 0; i < n && i < MAX_NAMED; i++)
		json_object_array_add(spells, json_spell(h, nr, &s[i]));
	for (size_t i = 0; i < nr_files; i++) {
		struct json_object *f = json_object_new_object();

		add(f, "file", STR(busy[i].file));
		add(f, "case", STR(busy[i].case_name));
		add(f, "times", INT(busy[i].spells));
		add(f, "pages", INT(busy[i].pages));
		add(f, "highest", INT(busy[i].most));
		add(f, "page_seconds", secs(busy[i].seconds));
		json_object_array_add(files, f);
	}
	free_busy(busy, nr_files);
	add(o, "counts", counts);
	add(o, "off_idle", spells);
	add(o, "off_idle_in_all", INT(n + ns->dropped));
	add(o, "files", files);
	return o;
}

void census_report_json(struct history *h, const char *dir, int boot)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *marks = json_object_new_array();
	_free_ char *name = printable(dir, strlen(dir), false);

	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		if (h->ns[i].said && h->ns[i].frames)
			json_object_array_add(list, json_ns(h, i));
	for (size_t i = 0; i < h->nr_marks; i++) {
		struct json_object *m = json_object_new_object();

		add(m, "t", secs(h->marks[i].t));
		add(m, "text", STR(h->marks[i].text));
		json_object_array_add(marks, m);
	}
	add(o, "version", INT(1));
	add(o, "run", STR(name));
	add(o, "boot", INT(boot));
	add(o, "seconds", secs(h->end));
	add(o, "namespaces", list);
	add(o, "marks", marks);
	puts(json_object_to_json_string_ext(o,
			JSON_C_TO_STRING_PRETTY |
			JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
