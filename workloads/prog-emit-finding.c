// SPDX-License-Identifier: GPL-2.0-or-later
/* What a reproducer says of its finding, and the check that shows it. */
#include "emit-internal.h"

#include <ctype.h>
#include <json-c/json.h>

static const char *str_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_is_type(v, json_type_string) ?
	       json_object_get_string(v) : NULL;
}

static int64_t num_of(struct json_object *o, const char *key, int64_t none)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
	       json_object_get_int64(v) : none;
}

/* What a view's name is made of. */
#define VIEW_CHARS LETTERS " ()_-./"

/* A slot, or -1 for what is none. */
static int slot_in(struct json_object *o, const char *key)
{
	int64_t v = num_of(o, key, -1);

	return v >= 0 && v < NR_SLOTS ? (int)v : -1;
}

static int step_in(const struct emit *e, struct json_object *o, const char *key)
{
	int64_t v = num_of(o, key, -1);

	return v >= 0 && v <= (int64_t)e->p->n + 1 ? (int)v : -1;
}

void emit_finding_init(struct emit *e, struct json_object *finding)
{
	struct emit_finding *f = &e->f;
	struct json_object *d;

	*f = (struct emit_finding){ .fd = -1, .map = -1, .step = -1,
				    .want = -1, .got = -1, .last = -1 };
	if (!finding)
		return;
	f->kind = str_of(finding, "kind");
	f->title = str_of(finding, "title");
	f->text = str_of(finding, "text");
	f->kernel = str_of(finding, "kernel");
	f->hits = num_of(finding, "hits", 0);
	f->runs = num_of(finding, "runs", 0);
	if (!json_object_object_get_ex(finding, "detail", &d) ||
	    !json_object_is_type(d, json_type_object))
		return;
	f->has_detail = true;
	f->view = str_of(d, "view");
	/* It becomes a string of C: what a guest says cannot become more. */
	if (f->view && f->view[strspn(f->view, VIEW_CHARS)])
		f->view = NULL;
	f->what = str_of(d, "what");
	f->file = str_of(d, "file");
	if (!f->file || !islower((unsigned char)*f->file) || f->file[1])
		f->file = NULL;
	f->fd = slot_in(d, "fd");
	f->map = slot_in(d, "map");
	f->step = step_in(e, d, "step");
	/* What hangs at the end has no step. */
	if (f->what && f->step <= 0)
		f->step = e->p->n + 1;
	f->has_want = json_object_object_get_ex(d, "want_step", NULL);
	f->want = step_in(e, d, "want_step");
	f->got = step_in(e, d, "got_step");
	f->last = step_in(e, d, "last_step");
	if (f->last < 0)
		f->last = f->want;
	f->off = num_of(d, "off", 0);
	f->len = num_of(d, "len", 0);
	f->want_off = num_of(d, "want_off", f->off);
	f->error = num_of(d, "error", 0);
	f->count = num_of(d, "count", -1);
}

/* --- the comment at the top ---------------------------------------------------- */

/* Text of others' into a comment: it cannot end it, nor be taken for more. */
static void put_safe(struct emit *e, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];
		bool ends = c == '/' && i && p[i - 1] == '*';
		bool begins = c == '*' && i && p[i - 1] == '/';

		if (ends || begins)
			fputc(' ', e->out);
		fputc(c == '\t' ? ' ' : c < ' ' || c > 126 ? '?' : c, e->out);
	}
}

/* Wrapped at 76 columns, each line behind @lead. */
static void put_wrapped(struct emit *e, const char *lead, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n"), room = 76 - strlen(lead);
		size_t cut = n;

		if (n > room) {
			for (cut = room; cut && text[cut] != ' '; cut--)
				;
			cut = cut ? cut : strcspn(text, " \n");
		}
		fprintf(e->out, " *%s", n ? lead : "");
		put_safe(e, text, cut);
		fputc('\n', e->out);
		text += cut;
		text += *text == ' ' || *text == '\n';
	}
}

#define MAX_TEXT_LINES 40
#define MAX_TEXT_COLUMNS 110

/* Lines of a kernel's as they are, so that they can be searched for; an
 * oracle's wrapped. */
static void put_report(struct emit *e, const char *text)
{
	const char *title = e->f.title ? e->f.title : "";
	unsigned int lines = 0, blank = 0;

	for (const char *p = text; *p && lines < MAX_TEXT_LINES; lines++) {
		size_t n = strcspn(p, "\n");
		char line[MAX_TEXT_COLUMNS * 4];

		snprintf(line, sizeof(line), "%.*s", (int)n, p);
		p += n + (p[n] == '\n');
		blank = *line ? blank : blank + 1;
		if (!*line || strcmp(line, title) == 0)
			continue;
		for (; blank; blank--)
			fprintf(e->out, " *\n");
		if (e->f.has_detail) {
			put_wrapped(e, "   ", line);
			continue;
		}
		line[MAX_TEXT_COLUMNS] = '\0';
		fprintf(e->out, " *   ");
		put_safe(e, line, strlen(line));
		fputc('\n', e->out);
	}
	fprintf(e->out, " *\n");
}

/* Each once; where they are built in nothing is lost. */
static void put_modules(struct emit *e)
{
	char line[300] = "";

	for (size_t i = 0; i < e->p->n; i++) {
		const char *m = e->p->v[i].op->modules;

		if (m && !strstr(line, m) &&
		    strlen(line) + strlen(m) + 2 < sizeof(line))
			strcat(strcat(line, " "), m);
	}
	if (*line)
		fprintf(e->out, " *   modprobe -a%s\n", line);
}

static void put_setup(struct emit *e)
{
	static const struct {
		const char *fs, *lines;
	} setups[] = {
		{ "xfs", "mkfs.xfs -f -m reflink=1 -d su=2m,sw=1 /dev/pmem0\n"
			 "mount -o dax=always /dev/pmem0 /mnt\n" },
		{ "ext4", "mkfs.ext4 -F -b 4096 -E stride=512,stripe_width=512 /dev/pmem0\n"
			  "mount -o dax=always /dev/pmem0 /mnt\n" },
		{ "devdax", "ndctl create-namespace -f -e namespace0.0 -m devdax\n" },
	};
	const char *dir = "/mnt";

	for (size_t i = 0; i < sizeof(setups) / sizeof(*setups); i++)
		if (strcmp(setups[i].fs, e->p->fs) == 0)
			put_wrapped(e, "   ", setups[i].lines);
	if (strcmp(e->p->fs, "devdax") == 0)
		dir = "/dev/dax0.0";
	put_modules(e);
	fprintf(e->out, " *   cc -O1 -o reproducer reproducer.c\n"
			" *   ./reproducer %s\n%s *\n", dir,
		e->f.has_detail ? "" : " *   dmesg\n");
	if (e->f.kind && strcmp(e->f.kind, "census") == 0)
		put_wrapped(e, " ", "The kernel does not say so: the struct pages "
				    "of the device do, when all of it is "
				    "over.\n\n");
	if (e->f.kind && strcmp(e->f.kind, "fsck") == 0)
		put_wrapped(e, " ", "Then unmount it: xfs_repair -n, or "
				    "e2fsck -fn, says what is wrong.\n\n");
	if (e->p->alone)
		put_wrapped(e, " ", "It unmounts what it runs on: DIR has to be "
				    "the mount point of a filesystem that "
				    "nothing else uses.\n\n");
}

/* The operation that noticed, and the one whose doing should be there; or, when
 * they are not known, those that take references, share or free blocks; or else
 * the last one. */
static bool matters(const struct emit *e, const struct step *s, bool any)
{
	if (e->f.has_detail)
		return (int)s->nr == e->f.step || (int)s->nr == e->f.last;
	return any ? s->nr == e->p->n :
		     op_is(s->op, "layout") || op_is(s->op, "pin") ||
		     op_is(s->op, "reflink");
}

static unsigned int put_musts_of(struct emit *e, bool any)
{
	unsigned int n = 0;

	for (size_t i = 0; i < e->p->n; i++) {
		const struct op *op = e->p->v[i].op;
		bool again = false;
		char text[600];

		for (size_t k = 0; k < i; k++)
			again |= e->p->v[k].op == op &&
				 matters(e, &e->p->v[k], any);
		if (again || !op->must || !matters(e, &e->p->v[i], any))
			continue;
		if (!n++)
			put_wrapped(e, " ", "What a right kernel does:\n");
		snprintf(text, sizeof(text), "- %s: %s", op->name, op->must);
		put_wrapped(e, " ", text);
	}
	return n;
}

static void put_musts(struct emit *e)
{
	if (put_musts_of(e, false) || put_musts_of(e, true))
		fprintf(e->out, " *\n");
}

static void put_how_often(struct emit *e)
{
	const struct emit_finding *f = &e->f;
	char text[300] = "", where[200] = "";

	if (f->kernel)
		snprintf(where, sizeof(where), " on Linux %s", f->kernel);
	if (f->runs > 0)
		snprintf(text, sizeof(text), "Seen%s in %d of %d runs.\n\n",
			 where, f->hits, f->runs);
	else if (f->kernel)
		snprintf(text, sizeof(text), "Seen%s.\n\n", where);
	put_wrapped(e, " ", text);
	if (e->rounds)
		put_wrapped(e, " ", "It does not show every time: there are 200 "
				    "rounds, or as many as the second argument "
				    "says.\n\n");
}

void emit_head(struct emit *e)
{
	const struct emit_finding *f = &e->f;

	fprintf(e->out, "// SPDX-License-Identifier: GPL-2.0-or-later\n/*\n");
	put_wrapped(e, " ", f->title ? f->title : "A program of operations");
	fprintf(e->out, " *\n");
	put_how_often(e);
	put_setup(e);
	put_musts(e);
	if (f->text) {
		put_wrapped(e, " ", "As it was reported:\n\n");
		put_report(e, f->text);
	}
	put_wrapped(e, " ", *e->p->seed ? "From the generated program" :
					  "From the program");
	fprintf(e->out, " *\n");
	for (size_t i = 0; i < e->p->n; i++) {
		char line[400];

		fprintf(e->out, " *   %s\n",
			step_print(&e->p->v[i], line, sizeof(line)));
	}
	fprintf(e->out, " */\n");
}
