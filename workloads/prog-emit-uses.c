// SPDX-License-Identifier: GPL-2.0-or-later
/* Which helpers and headers a reproducer needs, and writing them down. */
#include "emit-internal.h"

#include <ctype.h>

extern const struct c_helper *const __start_c_helpers[];
extern const struct c_helper *const __stop_c_helpers[];

static const struct c_helper *helper_find(const char *name)
{
	for (const struct c_helper *const *h = __start_c_helpers;
	     h < __stop_c_helpers; h++)
		if (strcmp((*h)->name, name) == 0)
			return *h;
	return NULL;
}

static void use_header(struct emit *e, const char *name)
{
	for (unsigned int i = 0; i < e->nr_headers; i++)
		if (strcmp(e->headers[i], name) == 0)
			return;
	if (e->nr_headers < sizeof(e->headers) / sizeof(*e->headers))
		e->headers[e->nr_headers++] = strdup(name);
}

/* Behind all that it needs. */
static void use_helper(struct emit *e, const char *name)
{
	const struct c_helper *h;

	/* One that is not there is a name that no compiler knows either. */
	h = helper_find(name);
	if (!h)
		return;
	for (unsigned int i = 0; i < e->nr_used; i++)
		if (e->used[i] == h)
			return;
	if (h->uses)
		emit_uses(e, h->uses);
	if (e->nr_used < sizeof(e->used) / sizeof(*e->used))
		e->used[e->nr_used++] = h;
}

static bool use_mark(struct emit *e, const char *word)
{
	if (strcmp(word, "-fd") == 0)
		e->empties[ARG_FD] = true;
	else if (strcmp(word, "-map") == 0)
		e->empties[ARG_MAP] = true;
	else if (strcmp(word, "-ref") == 0)
		e->empties[ARG_REF] = true;
	else if (strcmp(word, "+waits") == 0)
		e->waits = true;
	else if (strcmp(word, "+obstacle") == 0)
		e->now_obstacle = true;
	else if (strcmp(word, "-obstacle") == 0)
		e->now_free = true;
	else if (strcmp(word, "+gate") == 0)
		e->now_held = true;
	else if (strcmp(word, "-gate") == 0)
		e->now_open = true;
	else
		return false;
	return true;
}

void emit_uses(struct emit *e, const char *words)
{
	char *copy = strdup(words), *save, *word;

	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (use_mark(e, word))
			continue;
		if (*word == '<')
			use_header(e, word);
		else
			use_helper(e, word);
	}
	free(copy);
}

/* --- writing ---------------------------------------------------------------- */

/* As large as what any step reads at once, or is looked at. */
static uint64_t largest(const struct emit *e)
{
	uint64_t size = PAGE;

	for (size_t i = 0; i < e->p->n; i++) {
		const struct step *s = &e->p->v[i];

		for (unsigned int a = 0; a < op_nr_args(s->op); a++)
			if (s->op->args[a].type == ARG_LEN && s->arg[a] > size)
				size = s->arg[a];
	}
	if (e->f.len > size)
		size = e->f.len < MAX_IO ? e->f.len : MAX_IO;
	return (size + PAGE - 1) / PAGE * PAGE;
}

bool emit_is_used(const struct emit *e, const char *name)
{
	for (unsigned int i = 0; i < e->nr_used; i++)
		if (strcmp(e->used[i]->name, name) == 0)
			return true;
	return false;
}

static unsigned int nr_refs(const struct emit *e)
{
	unsigned int n = 1;

	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (e->slots[ARG_REF][i].fills)
			n = i + 1;
	return n;
}

/* What a call may be waiting for is undone. */
static void put_letgo(const struct emit *e, FILE *out)
{
	for (unsigned int i = 0; i < e->nr_used; i++)
		if (e->used[i]->lets_go)
			fprintf(out, "\t%s\n", e->used[i]->lets_go);
	for (unsigned int i = 0; i < NR_SLOTS && emit_is_used(e, "drop"); i++)
		if (e->slots[ARG_REF][i].fills)
			fprintf(out, "\tdrop(&ref[%u]);\n", i);
}

/* Whether anything is held, as an expression. */
static void put_held(const struct emit *e, FILE *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (e->slots[ARG_REF][i].fills)
			fprintf(out, "%sref[%u].drop", n++ ? " || " : "", i);
	fputs(n == 1 ? " != NULL" : n ? "" : "0", out);
}

static bool begins(const char *p, const char *word)
{
	return strncmp(p, word, strlen(word)) == 0;
}

/* A helper's text, and the words in it that depend on the program. */
static void put_text(const struct emit *e, const char *p, FILE *out)
{
	for (; *p; p++) {
		if (begins(p, "$thread")) {
			fputs(e->nr_lanes > 1 ? "__thread " : "", out);
			p += strlen("$thread") - 1;
			p += p[1] == ' ';
		} else if (begins(p, "$largest")) {
			fprintf(out, "%#llx", (unsigned long long)largest(e));
			p += strlen("$largest") - 1;
		} else if (begins(p, "$refs")) {
			fprintf(out, "%u", nr_refs(e));
			p += strlen("$refs") - 1;
		} else if (begins(p, "$letgo")) {
			put_letgo(e, out);
			p += strlen("$letgo") - 1;
		} else if (begins(p, "$held")) {
			put_held(e, out);
			p += strlen("$held") - 1;
		} else {
			fputc(*p, out);
		}
	}
}

static void put_headers(struct emit *e, FILE *out)
{
	static const char *const usual[] = {
		"<err.h>", "<errno.h>", "<fcntl.h>", "<signal.h>", "<stdio.h>",
		"<stdlib.h>", "<string.h>", "<sys/mman.h>", "<sys/stat.h>",
		"<sys/wait.h>", "<unistd.h>" };

	fprintf(out, "#define _GNU_SOURCE\n");
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		fprintf(out, "#include %s\n", usual[i]);
	for (unsigned int i = 0; i < e->nr_headers; i++) {
		bool again = false;

		for (size_t k = 0; k < sizeof(usual) / sizeof(*usual); k++)
			again |= strcmp(usual[k], e->headers[i]) == 0;
		if (!again)
			fprintf(out, "#include %s\n", e->headers[i]);
	}
	fputc('\n', out);
}

static void put_slots(struct emit *e, FILE *out)
{
	unsigned int fds = 0, maps = 0;

	for (int i = 0; i < NR_SLOTS; i++) {
		if (!e->slots[ARG_FD][i].fills)
			continue;
		fprintf(out, "%sfd%d = -1", fds++ ? ", " : "static int ", i);
	}
	fputs(fds ? ";\n" : "", out);
	for (int i = 0; i < NR_SLOTS; i++) {
		if (!e->slots[ARG_MAP][i].fills)
			continue;
		fprintf(out, "%smap%d", maps++ ? ", *" : "static char *", i);
	}
	fputs(maps ? ";\n" : "", out);
	fputs(fds || maps ? "\n" : "", out);
}

/* What lets go of all comes behind what it lets go by. */
static bool is_last(const struct c_helper *h)
{
	return strcmp(h->name, "let_go_all") == 0 ||
	       strcmp(h->name, "let_go_after") == 0 ||
	       strcmp(h->name, "join_all") == 0;
}

static char *rendered(const struct emit *e, const struct c_helper *h)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	put_text(e, h->text, out);
	fclose(out);
	return text;
}

/* In their order, as text, into @names and @texts: how many. */
static unsigned int in_order(const struct emit *e, const char **names,
			     char **texts)
{
	/* fill() has two shapes; both stand where the first is needed. */
	bool places = emit_is_used(e, "fill_places");
	const struct c_helper *fill = helper_find("fill"),
			      *fill_places = helper_find("fill_places");
	unsigned int n = 0;

	for (int last = 0; last < 2; last++)
		for (unsigned int i = 0; i < e->nr_used; i++) {
			const struct c_helper *h = e->used[i];

			if (is_last(h) != last ||
			    (h == fill_places && emit_is_used(e, "fill")))
				continue;
			if (h == fill && places)
				h = fill_places;
			names[n] = h->name;
			texts[n++] = rendered(e, h);
		}
	return n;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool names_it(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len)
		if ((p == text || !is_word_char(p[-1])) &&
		    !is_word_char(p[len]))
			return true;
	return false;
}

/* Said to be used, as by one of the ways to write a step, but not called by
 * @body nor by a helper that is. One under another name than it defines is. */
static bool is_called(const char *const *names, char *const *texts,
		      unsigned int i, unsigned int n, const char *body)
{
	bool called = !names_it(texts[i], names[i]) || names_it(body, names[i]);

	for (unsigned int k = i + 1; k < n && !called; k++)
		called = texts[k] && names_it(texts[k], names[i]);
	return called;
}

void emit_helpers(struct emit *e, FILE *out, const char *body)
{
	enum { MAX = sizeof(e->used) / sizeof(*e->used) };
	const char *names[MAX];
	char *texts[MAX];
	unsigned int n = in_order(e, names, texts);

	for (unsigned int i = n; i--;) {
		if (is_called(names, texts, i, n, body))
			continue;
		free(texts[i]);
		texts[i] = NULL;
	}
	put_headers(e, out);
	put_slots(e, out);
	for (unsigned int i = 0; i < n; i++) {
		if (texts[i])
			fprintf(out, "%s\n", texts[i]);
		free(texts[i]);
	}
}
