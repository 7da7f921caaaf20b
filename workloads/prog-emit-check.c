// SPDX-License-Identifier: GPL-2.0-or-later
/* The check at the end of a reproducer, or in its middle: what the finding's
 * step has seen, looked at again. */
#include "emit-internal.h"

const char *emit_how_waits(const struct emit *e, unsigned int nr)
{
	const struct emit_finding *f = &e->f;

	if (!f->what || f->step != (int)nr)
		return NULL;
	return strcmp(f->what, "early") == 0 || strcmp(f->what, "spin") == 0 ||
	       strcmp(f->what, "stuck") == 0 || strcmp(f->what, "lost") == 0 ?
		       f->what : NULL;
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

bool emit_wants_old_data(const struct emit *e)
{
	return e->f.has_want && e->f.got < 0;
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

static void emit_the_check(struct emit *e)
{
	const struct emit_finding *f = &e->f;
	const struct step *s = step_at(e, f->step);
	const char *op = s ? s->op->name : "it";
	char when[80], text[160];

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

void emit_check(struct emit *e, unsigned int nr)
{
	const struct emit_finding *f = &e->f;

	if (f->step != (int)nr)
		return;
	if (f->what && strcmp(f->what, "longterm") == 0)
		emit_bug_if(e, "ret != -1",
			    "pages of a file can be pinned for long");
	if (!f->view)
		return;
	fputc('\n', e->out);
	emit_the_check(e);
	fputc('\n', e->out);
}
