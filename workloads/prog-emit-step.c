// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A step as C: what goes around its own lines because of what other steps may
 * have left in its slots.
 */
#include "emit-internal.h"

bool emit_is_slot(enum arg_type t)
{
	return t == ARG_FD || t == ARG_MAP || t == ARG_REF;
}

/* --- slots ------------------------------------------------------------------ */

struct emit_slot *emit_slot_of(struct emit *e, const struct step *s,
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

int emit_first_of(const struct step *s, enum arg_type t, bool fresh)
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
			slot = emit_slot_of(e, s, a);
			/* Another thread's step may use it before. */
			if (!slot->fills++)
				slot->first = i;
			if (!slot->map.len)
				slot->map = (struct emit_map){
					true, arg_of(s, "off", 0),
					arg_of(s, "len", 0) };
		}
	}
	for (size_t i = 0; i < e->p->n; i++) {
		const struct step *s = &e->p->v[i];

		if (emit_first_of(s, ARG_NAME, false) >= 0 &&
		    emit_first_of(s, ARG_FD, true) < 0)
			e->names_go = true;
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
	e->map_said = slot;
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
		    !may_be_filled(e, emit_slot_of(e, s, a)))
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
	int map = emit_first_of(s, ARG_MAP, false);
	int ref = emit_first_of(s, ARG_REF, false);
	uint64_t off = arg_of(s, "off", 0), len = arg_of(s, "len", 0);

	if (map >= 0)
		off += emit_slot_of(e, s, map)->map.off;
	else if (ref >= 0)
		off += emit_slot_of(e, s, ref)->map.off;
	e->starts[s->nr] = off;
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		int a = emit_first_of(s, types[t], false);

		if (a >= 0 && e->empties[types[t]])
			emit_slot_of(e, s, a)->filled = false;
	}
	for (unsigned int a = 0; a < op_nr_args(s->op); a++) {
		if (!s->op->args[a].fresh ||
		    !emit_is_slot(s->op->args[a].type))
			continue;
		emit_slot_of(e, s, a)->filled = true;
		/* The step may know better than its arguments tell. */
		if (s->op->args[a].type != ARG_MAP ||
		    e->map_said != (int)s->arg[a])
			emit_slot_of(e, s, a)->map =
				(struct emit_map){ true, off, len };
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
		slot = emit_slot_of(e, s, a);
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
	int fd = emit_first_of(s, ARG_FD, false), map = emit_first_of(s, ARG_MAP, false);

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
	e->now_obstacle = e->now_free = e->now_held = e->now_open = false;
	e->map_said = -1;
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

static bool never_ends(const char *how, bool held)
{
	return is_how(how, "stuck") || is_how(how, "lost") ||
	       (is_how(how, "spin") && !held);
}

/* One that spins while something is held is told by its CPU time; what never
 * comes back, by a watchdog. */
static void begin_waiting(struct emit *e, const char *name, const char *how,
			  bool held)
{
	bool spins = is_how(how, "spin");

	if (never_ends(how, held)) {
		emit_uses(e, "watchdog");
		emit_line(e, "watchdog(\"%s %s\");", name, spins ?
			  "burns CPU time and does not come back" :
			  "does not return, though nothing is held,");
	}
	if (spins && held) {
		emit_uses(e, "must_have_slept");
		emit_line(e, "double cpu = cpu_time();\n");
	}
	if (!held)
		return;
	/* With threads, whoever joins them lets go. */
	if (e->nr_lanes == 1) {
		emit_uses(e, any_ref(e) ? "let_go_after drop" : "let_go_after");
		emit_line(e, "let_go_after(%d);", spins ? 3000 : 300);
	} else if (is_how(how, "early")) {
		emit_uses(e, "is_held");
		emit_line(e, "int held = is_held();\n");
	}
}

static void end_waiting(struct emit *e, const char *name, const char *how,
			bool held)
{
	if (held && e->nr_lanes == 1)
		emit_line(e, "let_go_done();");
	if (held && is_how(how, "early")) {
		emit_uses(e, "must_have_waited");
		if (e->nr_lanes > 1)
			emit_line(e, "if (held)");
		emit_line(e, "%smust_have_waited(\"%s\");",
			  e->nr_lanes > 1 ? "\t" : "", name);
	}
	if (is_how(how, "spin") && held)
		emit_line(e, "must_have_slept(\"%s\", cpu);", name);
	if (never_ends(how, held))
		emit_line(e, "watchdog_off();");
}

void emit_step(struct emit *e, const struct step *s)
{
	const char *how = emit_how_waits(e, s->nr);
	char *text, line[400], guard[80];
	bool held, guarded, braces;

	if (strcmp(s->op->name, "quiet") == 0) {
		/* A check looks by itself. */
		if (e->f.step != (int)s->nr)
			emit_looks(e);
		emit_check(e, s->nr);
		return;
	}
	if (is_void(e, s))
		return;
	held = any_ref(e) || e->obstacle || e->gate;
	guarded = guard_of(e, s, guard, sizeof(guard));
	e->indent += guarded;
	text = own_lines(e, s);
	e->indent -= guarded;
	/* The last use of a file's blocks matters where names go away. */
	if (e->empties[ARG_FD] || e->empties[ARG_MAP])
		e->waits = e->waits && e->names_go;
	/* What is in flight ends when the gate is open. */
	if (e->gate && e->empties[ARG_REF])
		e->waits = true;
	held = held && (e->waits || e->obstacle || how) && !e->now_free;
	/* One statement speaks for itself. */
	if (strchr(text, ';') != strrchr(text, ';'))
		emit_line(e, "/* %s */", step_print(s, line, sizeof(line)));
	braces = guarded && ((held && e->nr_lanes == 1) || how ||
			     strchr(text, '\n') != strrchr(text, '\n'));
	if (guarded)
		emit_line(e, "%s%s", guard, braces ? " {" : "");
	e->indent += guarded;
	begin_waiting(e, s->op->name, how, held);
	fputs(text, e->out);
	end_waiting(e, s->op->name, how, held);
	free(text);
	e->indent -= guarded;
	if (braces)
		emit_line(e, "}");
	walk(e, s);
	if (e->nr_lanes == 1) {
		e->obstacle = (e->obstacle || e->now_obstacle) && !e->now_free;
		e->gate = (e->gate || e->now_held) && !e->now_open;
	}
	emit_check(e, s->nr);
}

bool emit_any_obstacle(struct emit *e)
{
	for (size_t i = 0; i < e->p->n; i++) {
		free(own_lines(e, &e->p->v[i]));
		e->obstacle |= e->now_obstacle;
		e->gate |= e->now_held;
	}
	return e->obstacle || e->gate || any_ref(e);
}

/* The open file that was opened first, of those opened by step @from or later;
 * or -1. */
static int next_fd(const struct emit *e, size_t from)
{
	const struct emit_slot *fds = e->slots[ARG_FD];
	int next = -1;

	for (int i = 0; i < NR_SLOTS; i++)
		if (may_be_filled(e, &fds[i]) && fds[i].first >= from &&
		    (next < 0 || fds[i].first < fds[next].first))
			next = i;
	return next;
}

void emit_looks(struct emit *e)
{
	bool devdax = strcmp(e->p->fs, "devdax") == 0;

	/* In the order that check_all() has: as files were made. */
	for (int i = next_fd(e, 0); i >= 0 && !devdax;
	     i = next_fd(e, e->slots[ARG_FD][i].first + 1)) {
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
	const char *how = emit_how_waits(e, e->p->n + 1);

	begin_waiting(e, "the end", how, false);
	for (unsigned int i = 0; i < e->nr_used && (e->obstacle || e->gate); i++)
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
	end_waiting(e, "the end", how, false);
}
