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
				    .want = -1, .got = -1 };
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
	f->has_want = json_object_object_get_ex(d, "want_step", NULL);
	f->want = step_in(e, d, "want_step");
	f->got = step_in(e, d, "got_step");
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

/* The report's own lines: as they are, so that they can be searched for. */
static void put_report(struct emit *e, const char *text)
{
	unsigned int lines = 0;

	for (const char *p = text; *p && lines < MAX_TEXT_LINES; lines++) {
		size_t n = strcspn(p, "\n");

		fprintf(e->out, n ? " *   " : " *");
		put_safe(e, p, n < 110 ? n : 110);
		fputc('\n', e->out);
		p += n + (p[n] == '\n');
	}
	fprintf(e->out, " *\n");
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

/* The operation that noticed; or, when that is not known, those that take
 * references, share or free blocks; or else the last one. */
static bool matters(const struct emit *e, const struct step *s, bool any)
{
	if (e->f.step > 0 && e->f.step <= (int)e->p->n)
		return (int)s->nr == e->f.step;
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

/* --- checks ---------------------------------------------------------------------- */

const char *emit_how_waits(const struct emit *e, unsigned int nr)
{
	const struct emit_finding *f = &e->f;

	if (!f->what || f->step != (int)nr)
		return NULL;
	return strcmp(f->what, "early") == 0 || strcmp(f->what, "spin") == 0 ||
	       strcmp(f->what, "stuck") == 0 ? f->what : NULL;
}

/* The step @nr, or NULL for the end. */
static const struct step *step_at(const struct emit *e, int nr)
{
	return nr > 0 && nr <= (int)e->p->n ? &e->p->v[nr - 1] : NULL;
}

/* Everything is read anew, and not what the step itself has read. */
static bool looks_anew(const struct emit *e)
{
	const struct step *s = step_at(e, e->f.step);

	return !s || strcmp(s->op->name, "quiet") == 0;
}

static bool is_view(const struct emit *e, const char *what)
{
	return e->f.view && strcmp(e->f.view, what) == 0;
}

/* "a", for messages. */
static const char *file_name(const struct emit *e)
{
	return e->f.file ? e->f.file : "the file";
}

/*
 * The @len bytes from f->off on into `seen`; how they are written in C there,
 * into @got. false: nothing of the file is left to look at it by.
 */
static bool emit_look(struct emit *e, uint64_t len, char *got, size_t size)
{
	const struct emit_finding *f = &e->f;
	uint64_t from = f->off, start = 0;

	snprintf(got, size, "seen");
	if (f->view && strstr(f->view, "mapping") && f->map >= 0 &&
	    looks_anew(e)) {
		from -= emit_map_of(e, f->map)->off;
		emit_uses(e, "load");
		emit_line(e, "load(map%d + %#llx, %#llx);", f->map,
			  (unsigned long long)from, (unsigned long long)len);
		return true;
	}
	if (looks_anew(e) && !is_view(e, "a reference")) {
		if (f->fd >= 0 || f->file)
			emit_uses(e, "get");
		if (f->fd >= 0)
			emit_line(e, "get(fd%d, %#llx, %#llx);", f->fd,
				  (unsigned long long)f->off,
				  (unsigned long long)len);
		else if (f->file)
			emit_line(e, "get(open(\"%s\", O_RDONLY), %#llx, %#llx);",
				  f->file, (unsigned long long)f->off,
				  (unsigned long long)len);
		return f->fd >= 0 || f->file;
	}
	if (step_at(e, f->step))
		start = e->starts[f->step];
	for (int i = NR_SLOTS - 1; i >= 0 && looks_anew(e); i--) {
		const struct emit_slot *ref = &e->slots[ARG_REF][i];

		if (ref->fills && ref->map.off <= f->off)
			start = ref->map.off;
	}
	if (start < f->off)
		snprintf(got, size, "seen + %#llx",
			 (unsigned long long)(f->off - start));
	return start <= f->off;
}

/* Between which '*' steps a step is. */
static unsigned int phase_of(const struct emit *e, int nr)
{
	unsigned int phase = 0;

	for (int i = 0; i < nr && i < (int)e->p->n; i++)
		phase += e->p->v[i].thread < 0;
	return phase;
}

/* As far as its template tells. */
static bool may_write(const struct op *op)
{
	for (unsigned int a = 0; a < op_nr_args(op); a++)
		if (op->args[a].fresh)
			return false;
	return op->c ? strstr(op->c, "$letter") != NULL : op->emit != NULL;
}

/*
 * The letters that may be there. Where threads race, whoever writes from the
 * wanted step's phase on may have come last in this round.
 */
static void letters_of(const struct emit *e, char *may, size_t size)
{
	const struct emit_finding *f = &e->f;
	const struct step *want = step_at(e, f->want);
	size_t n = 0;

	may[n++] = want ? emit_letter(want) : '.';
	may[n] = '\0';
	for (size_t i = 0; i < e->p->n && want && e->nr_lanes > 1; i++) {
		const struct step *s = &e->p->v[i];

		if ((int)s->nr != f->got && may_write(s->op) &&
		    !strchr(may, emit_letter(s)) &&
		    phase_of(e, s->nr) >= phase_of(e, f->want) &&
		    n + 1 < size) {
			may[n++] = emit_letter(s);
			may[n] = '\0';
		}
	}
}

static void emit_data_check(struct emit *e)
{
	const struct emit_finding *f = &e->f;
	const struct step *want = step_at(e, f->want);
	uint64_t len = f->len < KiB(64) ? f->len : KiB(64);
	char got[40], may[sizeof(LETTERS)], why[120], line[600];

	if (!emit_look(e, len, got, sizeof(got)))
		return;
	if (want && f->want == f->got) {
		uint64_t at = f->want_off - e->starts[f->want];

		emit_uses(e, "check_places");
		snprintf(line, sizeof(line), "check_places(\"%s\", %#llx, %s, %#llx, '%c', %#llx, \"%s\");",
			 file_name(e), (unsigned long long)f->off, got,
			 (unsigned long long)len, emit_letter(want),
			 (unsigned long long)at, f->view);
		emit_text(e, line);
		return;
	}
	letters_of(e, may, sizeof(may));
	if (want)
		snprintf(why, sizeof(why), "'%c' was put there by %s",
			 emit_letter(want), want->op->name);
	else
		snprintf(why, sizeof(why), "zeroes have to be there");
	emit_uses(e, "check");
	snprintf(line, sizeof(line), "check(\"%s\", %#llx, %s, %#llx, \"%s\", \"%s\", \"%s\");",
		 file_name(e), (unsigned long long)f->off, got,
		 (unsigned long long)len, may, f->view, why);
	emit_text(e, line);
}

static void emit_bug_if(struct emit *e, const char *when, const char *text)
{
	emit_uses(e, "bug");
	emit_line(e, "if (%s)", when);
	emit_line(e, "\tbug = printf(\"BUG: %s\\n\");", text);
}

/* SIGBUS where the file has data, by the step itself or a look at the page. */
static void emit_sigbus_check(struct emit *e)
{
	const struct emit_finding *f = &e->f;
	char text[100];

	if (looks_anew(e)) {
		if (f->map < 0)
			return;
		emit_uses(e, "load");
		emit_line(e, "load(map%d + %#llx, 1);", f->map,
			  (unsigned long long)(f->off -
					       emit_map_of(e, f->map)->off));
	}
	emit_uses(e, "SURVIVE");
	snprintf(text, sizeof(text), "SIGBUS at %s+%#llx, which is in the file",
		 file_name(e), (unsigned long long)f->off);
	emit_bug_if(e, "fault == SIGBUS", text);
}

void emit_check(struct emit *e, unsigned int nr)
{
	const struct emit_finding *f = &e->f;
	const struct step *s = step_at(e, f->step);
	const char *op = s ? s->op->name : "it";
	char when[80], text[160];

	if (!f->view || f->step != (int)nr)
		return;
	fputc('\n', e->out);
	if (f->has_want && f->len) {
		emit_data_check(e);
	} else if (is_view(e, "SIGBUS")) {
		emit_sigbus_check(e);
	} else if (is_view(e, "size") && f->fd >= 0) {
		emit_uses(e, "check_size");
		emit_line(e, "check_size(\"%s\", fd%d, %#llx);", file_name(e),
			  f->fd, (unsigned long long)f->len);
	} else if (is_view(e, "error") && s) {
		emit_uses(e, "TRY");
		snprintf(when, sizeof(when), "ret == -1 && errno == %s",
			 strerrorname_np(f->error) ?: "EIO");
		snprintf(text, sizeof(text), "%s fails: %s", op,
			 strerror(f->error));
		emit_bug_if(e, when, text);
	} else if (is_view(e, "count") && s && f->count >= 0) {
		emit_uses(e, "seen");
		snprintf(when, sizeof(when), "nr_seen != %#llx",
			 (unsigned long long)f->count);
		snprintf(text, sizeof(text), "%s gives not %#llx bytes", op,
			 (unsigned long long)f->count);
		emit_bug_if(e, when, text);
	}
}
