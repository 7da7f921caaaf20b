// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs as text: docs/programs.md has the grammar. */
#include "prog.h"

#include <ctype.h>
#include <stdarg.h>

#define FIRST_LINE "rig-program 1"

extern const struct op *const __start_ops[];
extern const struct op *const __stop_ops[];

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct op *const *)a)->name,
		      (*(const struct op *const *)b)->name);
}

const struct op *const *ops_all(size_t *n)
{
	static const struct op **all;

	*n = __stop_ops - __start_ops;
	if (!all) {
		/* The linker's order is nobody's order. */
		all = calloc(*n + 1, sizeof(*all));
		memcpy(all, __start_ops, *n * sizeof(*all));
		qsort(all, *n, sizeof(*all), by_name);
	}
	return all;
}

const struct op *op_find(const char *name)
{
	size_t n;
	const struct op *const *all = ops_all(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

bool op_is(const struct op *op, const char *word)
{
	size_t len = strlen(word);

	if (strcmp(op->name, word) == 0)
		return true;
	for (const char *p = op->groups; p && *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && strncmp(p, word, n) == 0)
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

unsigned int op_nr_args(const struct op *op)
{
	unsigned int n = 0;

	while (n < MAX_ARGS && op->args[n].name)
		n++;
	return n;
}

/* --- to text ----------------------------------------------------------------- */

static int print_arg(const struct op_arg *a, uint64_t v, char *buf, size_t size)
{
	switch (a->type) {
	case ARG_NAME:
		return snprintf(buf, size, " %s=%c", a->name, (int)('a' + v));
	case ARG_WORD:
		return snprintf(buf, size, " %s=%s", a->name, a->words[v]);
	case ARG_OFF:
	case ARG_LEN:
		return snprintf(buf, size, v < 10 ? " %s=%llu" : " %s=%#llx",
				a->name, (unsigned long long)v);
	default:
		return snprintf(buf, size, " %s=%llu", a->name,
				(unsigned long long)v);
	}
}

const char *step_print(const struct step *s, char *buf, size_t size)
{
	size_t n = s->thread < 0 ? snprintf(buf, size, "* %s", s->op->name) :
		   snprintf(buf, size, "%d %s", s->thread, s->op->name);

	for (unsigned int i = 0; i < op_nr_args(s->op) && n < size; i++)
		n += print_arg(&s->op->args[i], s->arg[i], buf + n, size - n);
	return buf;
}

char *prog_print(const struct prog *p)
{
	char *text = NULL, line[400];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "%s\n", FIRST_LINE);
	if (*p->seed)
		fprintf(f, "seed %s\n", p->seed);
	fprintf(f, "fs %s\nthreads %u\n", p->fs, p->threads);
	if (p->alone)
		fprintf(f, "alone\n");
	for (size_t i = 0; i < p->n; i++)
		fprintf(f, "%s\n", step_print(&p->v[i], line, sizeof(line)));
	fclose(f);
	return text;
}

/* --- from text ----------------------------------------------------------------- */

static char problem[200];

static int bad(unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int bad(unsigned int line, const char *fmt, ...)
{
	int n = snprintf(problem, sizeof(problem), "line %u: ", line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem + n, sizeof(problem) - n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool number(const char *text, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*v = strtoull(text, &end, 0);
	return !*end && !errno;
}

static int parse_value(const struct op_arg *a, const char *text, uint64_t *v,
		       unsigned int line)
{
	switch (a->type) {
	case ARG_NAME:
		*v = *text - 'a';
		if (text[0] && !text[1] && *v < NR_SLOTS)
			return 0;
		return bad(line, "%s=%s: a letter from a to %c", a->name, text,
			   'a' + NR_SLOTS - 1);
	case ARG_WORD:
		for (*v = 0; a->words[*v]; ++*v)
			if (strcmp(a->words[*v], text) == 0)
				return 0;
		return bad(line, "%s=%s: there is no such word here", a->name,
			   text);
	case ARG_FD:
	case ARG_MAP:
	case ARG_REF:
		if (number(text, v) && *v < NR_SLOTS)
			return 0;
		return bad(line, "%s=%s: a slot from 0 to %d", a->name, text,
			   NR_SLOTS - 1);
	case ARG_NUM:
		if (number(text, v) && (!a->max || *v < a->max))
			return 0;
		return bad(line, "%s=%s: a number below %llu", a->name, text,
			   (unsigned long long)a->max);
	default:
		if (number(text, v) && *v <= MAX_FILE)
			return 0;
		return bad(line, "%s=%s: bytes, at most %zu", a->name, text,
			   MAX_FILE);
	}
}

static int parse_arg(struct step *s, char *word, unsigned int line)
{
	char *eq = strchr(word, '=');

	if (!eq)
		return bad(line, "'%s' is not KEY=VALUE", word);
	*eq = '\0';
	for (unsigned int i = 0; i < op_nr_args(s->op); i++)
		if (strcmp(s->op->args[i].name, word) == 0)
			return parse_value(&s->op->args[i], eq + 1, &s->arg[i],
					   line);
	return bad(line, "%s takes no %s", s->op->name, word);
}

/* @word is the first of a line, @save where the others are. */
static int parse_step(struct prog *p, char *word, char **save,
		      unsigned int line)
{
	struct step s = { .thread = -1 };
	const char *name = strtok_r(NULL, " \t", save);
	uint64_t thread;
	int err;

	if (strcmp(word, "*") != 0) {
		if (!number(word, &thread) || thread >= MAX_LANES)
			return bad(line, "'%s' is no thread, 0 to %d or *",
				   word, MAX_LANES - 1);
		s.thread = thread;
		if (thread >= p->threads)
			p->threads = thread + 1;
	}
	s.op = name ? op_find(name) : NULL;
	if (!s.op)
		return bad(line, "there is no operation '%s'",
			   name ? name : "");
	/* Whoever wrote it that way: there is one way to run it. */
	if (s.op->flags & (OP_ALONE | OP_OWNS_FS))
		s.thread = -1;
	p->alone |= (s.op->flags & OP_OWNS_FS) != 0;
	while ((word = strtok_r(NULL, " \t", save))) {
		err = parse_arg(&s, word, line);
		if (err)
			return err;
	}
	if (p->n == MAX_STEPS)
		return bad(line, "more than %d steps", MAX_STEPS);
	s.nr = p->n + 1;
	p->v = realloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = s;
	return 0;
}

static int parse_line(struct prog *p, char *text, unsigned int line)
{
	char *save, *word = strtok_r(text, " \t", &save), *value;
	uint64_t v;

	if (!word)
		return 0;
	if (strcmp(word, "*") == 0 || isdigit((unsigned char)*word))
		return parse_step(p, word, &save, line);
	value = strtok_r(NULL, " \t", &save);
	if (strcmp(word, "alone") == 0 && !value) {
		p->alone = true;
	} else if (strcmp(word, "seed") == 0 && value) {
		snprintf(p->seed, sizeof(p->seed), "%s", value);
	} else if (strcmp(word, "fs") == 0 && value) {
		snprintf(p->fs, sizeof(p->fs), "%s", value);
	} else if (strcmp(word, "threads") == 0 && value) {
		if (!number(value, &v) || !v || v > MAX_LANES)
			return bad(line, "threads %s: 1 to %d", value,
				   MAX_LANES);
		p->threads = v;
		/* Those that have steps already are there all the same. */
		for (size_t i = 0; i < p->n; i++)
			if (p->v[i].thread >= (int)p->threads)
				p->threads = p->v[i].thread + 1;
	} else {
		return bad(line, "'%s' is no step and no header", word);
	}
	return 0;
}

int prog_parse(struct prog *p, const char *text, const char **why)
{
	char *copy = strdup(text), *save = copy, *line;
	unsigned int nr = 0;
	int err = 0;

	*p = (struct prog){ .threads = 1, .fs = "xfs" };
	*why = problem;
	while (!err && (line = strsep(&save, "\n"))) {
		nr++;
		line[strcspn(line, "#\r")] = '\0';
		if (nr > 1)
			err = parse_line(p, line, nr);
		else if (strncmp(line, FIRST_LINE, strlen(FIRST_LINE)) != 0 ||
			 strspn(line + strlen(FIRST_LINE), " \t") !=
				 strlen(line + strlen(FIRST_LINE)))
			err = bad(nr, "not a program: it has to begin with "
				  FIRST_LINE);
	}
	free(copy);
	if (err)
		prog_free(p);
	return err;
}

void prog_free(struct prog *p)
{
	free(p->v);
	*p = (struct prog){};
}
