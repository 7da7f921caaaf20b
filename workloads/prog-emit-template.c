// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of C, and a step's own by its template: docs/operations.md. */
#include "emit-internal.h"

#include <ctype.h>
#include <stdarg.h>

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
	if (arg->align && emit_first_of(s, ARG_MAP, true) >= 0)
		return arg->type == ARG_OFF ? v / arg->align * arg->align :
		       (v + arg->align - 1) / arg->align * arg->align;
	if (last >= 0 && s->op->args[last].type == ARG_MAP &&
	    arg->type == ARG_LEN) {
		const struct emit_map *m = &emit_slot_of(e, s, last)->map;

		if (m->len && off <= m->len && v > m->len - off)
			v = m->len - off;
	}
	return v;
}

static void put_arg(struct emit *e, const struct step *s, unsigned int a,
		    const char *member)
{
	const struct op_arg *arg = &s->op->args[a];

	if (member && emit_is_slot(arg->type))
		put_bytes(e, *member == 'l' ? emit_slot_of(e, s, a)->map.len :
					      emit_slot_of(e, s, a)->map.off);
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
