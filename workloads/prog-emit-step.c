// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A step as C: its template, and what goes around it because of what other
 * steps may have left in its slots.
 */
#include "emit-internal.h"

#include <ctype.h>
#include <stdarg.h>

bool emit_is_slot(enum arg_type t)
{
	return t == ARG_FD || t == ARG_MAP || t == ARG_REF;
}

void emit_line(struct emit *e, const char *fmt, ...)
{
	va_list ap;

	for (unsigned int i = 0; i < e->indent; i++)
		fputc('\t', e->out);
	va_start(ap, fmt);
	vfprintf(e->out, fmt, ap);
	va_end(ap);
	fputc('\n', e->out);
}

char emit_letter(const struct step *s)
{
	return LETTERS[(s->nr - 1) % strlen(LETTERS)];
}

/* --- slots ------------------------------------------------------------------ */

static struct emit_slot *slot_of(struct emit *e, const struct step *s,
				 unsigned int arg)
{
	return &e->slots[s->op->args[arg].type][s->arg[arg]];
}

/* The value of the argument named @name, or @none. */
static uint64_t arg_of(const struct step *s, const char *name, uint64_t none)
{
	for (unsigned int a = 0; a < op_nr_args(s->op); a++)
		if (strcmp(s->op->args[a].name, name) == 0)
			return s->arg[a];
	return none;
}

static int first_of(const struct step *s, enum arg_type t, bool fresh)
{
	for (unsigned int a = 0; a < op_nr_args(s->op); a++)
		if (s->op->args[a].type == t && s->op->args[a].fresh == fresh)
			return a;
	return -1;
}

void emit_slots_init(struct emit *e)
{
	for (size_t i = 0; i < e->p->n; i++) {
		const struct step *s = &e->p->v[i];

		for (unsigned int a = 0; a < op_nr_args(s->op); a++) {
			struct emit_slot *slot;

			if (!s->op->args[a].fresh ||
			    !emit_is_slot(s->op->args[a].type))
				continue;
			slot = slot_of(e, s, a);
			/* Another thread's step may use it before. */
			if (!slot->fills++)
				slot->map = (struct emit_map){
					true, arg_of(s, "off", 0),
					arg_of(s, "len", 0) };
		}
	}
	for (size_t i = 0; i < e->p->n; i++) {
		const struct step *s = &e->p->v[i];

		if (first_of(s, ARG_NAME, false) >= 0 &&
		    first_of(s, ARG_FD, true) < 0)
			e->names_go = true;
		/* Threads meet it at any time. */
		if (e->nr_lanes > 1 && s->op->c_uses &&
		    strstr(s->op->c_uses, "+obstacle"))
			e->obstacle = true;
	}
	e->starts = calloc(e->p->n + 1, sizeof(*e->starts));
}

const struct emit_map *emit_map_of(const struct emit *e, uint64_t slot)
{
	return &e->slots[ARG_MAP][slot].map;
}

void emit_map_is(struct emit *e, uint64_t slot, const struct emit_map *m)
{
	e->slots[ARG_MAP][slot].map = *m;
	e->slots[ARG_MAP][slot].filled = m->filled;
}

/* With threads, a slot is in doubt as soon as any step fills it. */
static bool may_be_filled(const struct emit *e, const struct emit_slot *slot)
{
	return e->nr_lanes > 1 ? slot->fills > 0 : slot->filled;
}

/* A slot that it needs is empty, whatever happens. */
static bool is_void(struct emit *e, const struct step *s)
{
	for (unsigned int a = 0; a < op_nr_args(s->op); a++)
		if (emit_is_slot(s->op->args[a].type) &&
		    !s->op->args[a].fresh &&
		    !may_be_filled(e, slot_of(e, s, a)))
			return true;
	return false;
}

static bool any_ref(const struct emit *e)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (may_be_filled(e, &e->slots[ARG_REF][i]))
			return true;
	return false;
}

/* Where in a file the step's data begins, and what it fills, is mapped at or
 * refers to from here on. */
static void walk(struct emit *e, const struct step *s)
{
	static const enum arg_type types[] = { ARG_FD, ARG_MAP, ARG_REF };
	int map = first_of(s, ARG_MAP, false), ref = first_of(s, ARG_REF, false);
	uint64_t off = arg_of(s, "off", 0), len = arg_of(s, "len", 0);

	if (map >= 0)
		off += slot_of(e, s, map)->map.off;
	else if (ref >= 0)
		off += slot_of(e, s, ref)->map.off;
	e->starts[s->nr] = off;
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		int a = first_of(s, types[t], false);

		if (a >= 0 && e->empties[types[t]])
			slot_of(e, s, a)->filled = false;
	}
	for (unsigned int a = 0; a < op_nr_args(s->op); a++) {
		if (!s->op->args[a].fresh ||
		    !emit_is_slot(s->op->args[a].type))
			continue;
		slot_of(e, s, a)->filled = true;
		slot_of(e, s, a)->map = (struct emit_map){ true, off, len };
	}
}

/* --- templates ----------------------------------------------------------------- */

static void put_bytes(struct emit *e, uint64_t v)
{
	fprintf(e->out, v < 10 ? "%llu" : "%#llx", (unsigned long long)v);
}

/* A position or an amount as the executor takes it: within its mapping; in
 * whole units where it is mapped. */
static uint64_t taken(struct emit *e, const struct step *s, unsigned int a)
{
	const struct op_arg *arg = &s->op->args[a];
	uint64_t v = s->arg[a], off = 0;
	int last = -1;

	for (unsigned int i = 0; i < a; i++) {
		if (emit_is_slot(s->op->args[i].type))
			last = i;
		else if (s->op->args[i].type == ARG_OFF)
			off = s->arg[i];
	}
	if (arg->align && first_of(s, ARG_MAP, true) >= 0)
		return arg->type == ARG_OFF ? v / arg->align * arg->align :
		       (v + arg->align - 1) / arg->align * arg->align;
	if (last >= 0 && s->op->args[last].type == ARG_MAP &&
	    arg->type == ARG_LEN) {
		const struct emit_map *m = &slot_of(e, s, last)->map;

		if (off <= m->len && v > m->len - off)
			v = m->len - off;
	}
	return v;
}

static void put_arg(struct emit *e, const struct step *s, unsigned int a,
		    const char *member)
{
	const struct op_arg *arg = &s->op->args[a];

	if (member && emit_is_slot(arg->type))
		put_bytes(e, *member == 'l' ? slot_of(e, s, a)->map.len :
					      slot_of(e, s, a)->map.off);
	else if (arg->type == ARG_OFF || arg->type == ARG_LEN)
		put_bytes(e, taken(e, s, a));
	else if (arg->type == ARG_NAME)
		fputc('a' + s->arg[a], e->out);
	else if (arg->type == ARG_WORD)
		fputs(arg->words[s->arg[a]], e->out);
	else
		fprintf(e->out, "%llu", (unsigned long long)s->arg[a]);
}

/* What stands for the word behind a dollar; how much of @p it was. */
static size_t put_word(struct emit *e, const struct step *s, const char *p)
{
	size_t len = 0;
	const char *member = NULL;

	if (*p == '$') {
		fputc('$', e->out);
		return 1;
	}
	while (isalnum((unsigned char)p[len]) || p[len] == '_')
		len++;
	if (len == strlen("letter") && strncmp(p, "letter", len) == 0) {
		fputc(emit_letter(s), e->out);
		return len;
	}
	if (strncmp(p + len, ".len", 4) == 0 || strncmp(p + len, ".off", 4) == 0)
		member = p + len + 1;
	for (unsigned int a = 0; a < op_nr_args(s->op); a++) {
		const char *name = s->op->args[a].name;

		if (strlen(name) != len || strncmp(name, p, len) != 0)
			continue;
		put_arg(e, s, a, member);
		return len + (member ? 4 : 0);
	}
	/* No compiler takes it: who wrote the template is told. */
	fprintf(e->out, "$%.*s", (int)len, p);
	return len;
}

/* "map0 + 0" is no way to write it. */
static void cut_nothing(char *line)
{
	char *p = line;

	while ((p = strstr(p, " + 0"))) {
		if (isalnum((unsigned char)p[4]))
			p += 4;
		else
			memmove(p, p + 4, strlen(p + 4) + 1);
	}
}

#define COLUMNS 80
#define TAB 8

/* Where to break @line so that it is at most @room long: behind a comma if
 * there is one, and not in a string. */
static size_t break_at(const char *line, size_t room)
{
	size_t at = 0;
	bool quoted = false;

	for (size_t i = 0; line[i] && i < room; i++) {
		if (line[i] == '"')
			quoted = !quoted;
		else if (line[i] == ' ' && i && !quoted && line[i - 1] == ',')
			at = i;
	}
	return at;
}

void emit_text(struct emit *e, const char *line)
{
	size_t room = COLUMNS - TAB * e->indent, at;

	for (unsigned int i = 0; i < e->indent; i++)
		fputc('\t', e->out);
	/* Said by nobody: it is everywhere. */
	if (strstr(line, "TRY("))
		emit_uses(e, "TRY");
	at = strlen(line) > room ? break_at(line, room) : 0;
	if (!at) {
		fprintf(e->out, "%s\n", line);
		return;
	}
	fprintf(e->out, "%.*s\n", (int)at, line);
	e->indent += 2;
	emit_text(e, line + at + 1);
	e->indent -= 2;
}

void emit_c(struct emit *e, const struct step *s, const char *c)
{
	FILE *out = e->out;

	while (*c) {
		char *line = NULL;
		size_t size;

		e->out = open_memstream(&line, &size);
		while (*c && *c != '\n') {
			if (*c == '$')
				c += 1 + put_word(e, s, c + 1);
			else
				fputc(*c++, e->out);
		}
		fclose(e->out);
		e->out = out;
		cut_nothing(line);
		emit_text(e, line);
		free(line);
		c += *c == '\n';
	}
}

/* --- around it -------------------------------------------------------------------- */

/* What to ask first where a slot that it fills may be taken, into @line. */
static bool guard_of(struct emit *e, const struct step *s, char *line,
		     size_t size)
{
	for (unsigned int a = 0; a < op_nr_args(s->op); a++) {
		const struct emit_slot *slot;
		int nr = s->arg[a];

		if (!s->op->args[a].fresh ||
		    !emit_is_slot(s->op->args[a].type))
			continue;
		slot = slot_of(e, s, a);
		if (e->nr_lanes > 1 ? slot->fills < 2 : !slot->filled)
			continue;
		if (s->op->args[a].type == ARG_FD)
			snprintf(line, size, "if (fd%d < 0)", nr);
		else if (s->op->args[a].type == ARG_MAP)
			snprintf(line, size, "if (!map%d || map%d == MAP_FAILED)",
				 nr, nr);
		else
			snprintf(line, size, "if (!ref[%d].drop)", nr);
		return true;
	}
	return false;
}

/* With threads nobody knows who comes first: what was emptied says so. */
static void emit_emptied(struct emit *e, const struct step *s)
{
	int fd = first_of(s, ARG_FD, false), map = first_of(s, ARG_MAP, false);

	if (e->nr_lanes < 2)
		return;
	if (e->empties[ARG_FD] && fd >= 0)
		emit_line(e, "fd%d = -1;", (int)s->arg[fd]);
	if (e->empties[ARG_MAP] && map >= 0)
		emit_line(e, "map%d = NULL;", (int)s->arg[map]);
}

/* The step's own lines, into memory, so that what it uses is known. */
static char *own_lines(struct emit *e, const struct step *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = e->out;

	memset(e->empties, 0, sizeof(e->empties));
	e->waits = op_is(s->op, "layout");
	e->now_obstacle = e->now_free = false;
	e->out = open_memstream(&text, &size);
	if (s->op->c_uses)
		emit_uses(e, s->op->c_uses);
	if (s->op->emit)
		s->op->emit(e, s);
	else if (s->op->c)
		emit_c(e, s, s->op->c);
	emit_emptied(e, s);
	fclose(e->out);
	e->out = out;
	return text;
}

static bool is_how(const char *how, const char *what)
{
	return how && strcmp(how, what) == 0;
}

/* One that spins while something is held is told by its CPU time; what never
 * comes back, by a watchdog. */
static void begin_waiting(struct emit *e, const struct step *s, const char *how,
			  bool held)
{
	bool spins = is_how(how, "spin");

	if (is_how(how, "stuck") || (spins && !held)) {
		emit_uses(e, "watchdog");
		emit_line(e, "watchdog(\"%s %s\");", s->op->name, spins ?
			  "burns CPU time and does not come back" :
			  "does not return, though nothing is held,");
	}
	if (spins && held) {
		emit_uses(e, "must_have_slept");
		emit_line(e, "double cpu = cpu_time();\n");
	}
	if (held) {
		emit_uses(e, any_ref(e) ? "let_go_after drop" : "let_go_after");
		emit_line(e, "let_go_after(%d);", spins ? 3000 : 300);
	}
}

static void end_waiting(struct emit *e, const struct step *s, const char *how,
			bool held)
{
	bool spins = is_how(how, "spin");

	if (held && is_how(how, "early")) {
		emit_uses(e, "must_have_waited");
		emit_line(e, "must_have_waited(\"%s\");", s->op->name);
	} else if (held) {
		emit_line(e, "let_go_done();");
	}
	if (spins && held)
		emit_line(e, "must_have_slept(\"%s\", cpu);", s->op->name);
	if (is_how(how, "stuck") || (spins && !held))
		emit_line(e, "watchdog_off();");
}

void emit_step(struct emit *e, const struct step *s)
{
	const char *how = emit_how_waits(e, s->nr);
	char *text, line[400], guard[80];
	bool held, guarded, braces;

	if (strcmp(s->op->name, "quiet") == 0) {
		emit_looks(e);
		emit_check(e, s->nr);
		return;
	}
	if (is_void(e, s))
		return;
	held = any_ref(e) || e->obstacle;
	guarded = guard_of(e, s, guard, sizeof(guard));
	e->indent += guarded;
	text = own_lines(e, s);
	e->indent -= guarded;
	/* The last use of a file's blocks matters where names go away. */
	if (e->empties[ARG_FD] || e->empties[ARG_MAP])
		e->waits = e->waits && e->names_go;
	held = held && (e->waits || e->obstacle || how) && !e->now_free;
	/* One statement speaks for itself. */
	if (strchr(text, ';') != strrchr(text, ';'))
		emit_line(e, "/* %s */", step_print(s, line, sizeof(line)));
	braces = guarded && (held || how ||
			     strchr(text, '\n') != strrchr(text, '\n'));
	if (guarded)
		emit_line(e, "%s%s", guard, braces ? " {" : "");
	e->indent += guarded;
	begin_waiting(e, s, how, held);
	fputs(text, e->out);
	end_waiting(e, s, how, held);
	free(text);
	e->indent -= guarded;
	if (braces)
		emit_line(e, "}");
	walk(e, s);
	if (e->nr_lanes == 1)
		e->obstacle = (e->obstacle || e->now_obstacle) && !e->now_free;
	emit_check(e, s->nr);
}

void emit_looks(struct emit *e)
{
	bool devdax = strcmp(e->p->fs, "devdax") == 0;

	for (int i = 0; i < NR_SLOTS; i++)
		if (may_be_filled(e, &e->slots[ARG_FD][i]) && !devdax) {
			emit_uses(e, "look_at");
			emit_line(e, "look_at(fd%d);", i);
		}
	for (int i = 0; i < NR_SLOTS; i++)
		if (may_be_filled(e, &e->slots[ARG_MAP][i])) {
			emit_uses(e, "touch");
			emit_line(e, "touch(map%d, %#llx);", i,
				  (unsigned long long)emit_map_of(e, i)->len);
		}
}

void emit_end(struct emit *e)
{
	for (unsigned int i = 0; i < e->nr_used && e->obstacle; i++)
		if (e->used[i]->lets_go)
			emit_line(e, "%s", e->used[i]->lets_go);
	for (int i = 0; i < NR_SLOTS; i++)
		if (may_be_filled(e, &e->slots[ARG_REF][i])) {
			emit_uses(e, "drop");
			emit_line(e, "drop(&ref[%d]);", i);
		}
	emit_check(e, e->p->n + 1);
	if (!e->f.has_detail) {
		emit_line(e, "/* Whoever compares data reads all of it. */");
		emit_looks(e);
	}
	/* A process of its own ends by ending. */
	for (int i = 0; i < NR_SLOTS && !e->rounds; i++)
		if (may_be_filled(e, &e->slots[ARG_MAP][i]))
			emit_line(e, "munmap(map%d, %#llx);", i,
				  (unsigned long long)emit_map_of(e, i)->len);
	for (int i = 0; i < NR_SLOTS && !e->rounds; i++)
		if (may_be_filled(e, &e->slots[ARG_FD][i]))
			emit_line(e, "close(fd%d);", i);
}
