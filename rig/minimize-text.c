// SPDX-License-Identifier: GPL-2.0-or-later
/* A program's text as lines to drop and numbers to lower: docs/programs.md has
 * the grammar; what a step means is the guest's business. */
#include "minimize.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define FIRST_LINE "rig-program 1"

/* --- from text -------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* @line without its comment and the blanks around it. */
static char *bare(const char *line, size_t len)
{
	const char *hash = memchr(line, '#', len);

	if (hash)
		len = hash - line;
	while (len && is_blank(line[len - 1]))
		len--;
	while (len && is_blank(*line))
		line++, len--;
	return xstrndup(line, len);
}

static void add_step(struct ptext *p, int thread, const char *what)
{
	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = (struct ptext_step){ thread, xstrdup(what) };
}

static int take_step(struct ptext *p, const char *line)
{
	size_t n = strcspn(line, " \t");
	const char *what = line + n + strspn(line + n, " \t");
	int thread = -1;

	if (n > 3 || !*what)
		return -EINVAL;
	if (*line != '*')
		thread = atoi(line);
	else if (n != 1)
		return -EINVAL;
	if (*line != '*' && strspn(line, "0123456789") != n)
		return -EINVAL;
	add_step(p, thread, what);
	return 0;
}

static int take_line(struct ptext *p, const char *line)
{
	if (!*line)
		return 0;
	if (*line == '*' || isdigit((unsigned char)*line))
		return take_step(p, line);
	/* What is below is about the whole, wherever it stands. */
	if (strcmp(line, "alone") == 0)
		p->alone = true;
	else if (!starts_with(line, "threads ") &&
		 !starts_with(line, "threads\t"))
		strv_push(&p->head, line);
	return isalpha((unsigned char)*line) ? 0 : -EINVAL;
}

int ptext_parse(const char *text, size_t len, struct ptext *out,
		unsigned int *line)
{
	const char *end = text + len;

	*out = (struct ptext){};
	*line = 0;
	/* What comes behind a NUL would be lost to everybody else. */
	if (memchr(text, '\0', len))
		return -EINVAL;
	while (text < end) {
		const char *nl = memchr(text, '\n', end - text);
		_free_ char *l = bare(text, (nl ? nl : end) - text);

		++*line;
		if (*line == 1 ? strcmp(l, FIRST_LINE) : take_line(out, l))
			return -EINVAL;
		text = nl ? nl + 1 : end;
	}
	return *line ? 0 : -EINVAL;
}

/* --- to text ---------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

size_t ptext_threads(const struct ptext *p, int *of)
{
	_free_ int *all = xcalloc(p->n + 1, sizeof(*all));
	size_t n = 0, distinct = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].thread >= 0)
			all[n++] = p->v[i].thread;
	qsort(all, n, sizeof(*all), by_number);
	for (size_t i = 0; i < n; i++) {
		if (i && all[i] == all[i - 1])
			continue;
		if (of)
			of[distinct] = all[i];
		distinct++;
	}
	return distinct;
}

char *ptext_print(const struct ptext *p)
{
	_free_ int *threads = xcalloc(p->n + 1, sizeof(*threads));
	size_t n = ptext_threads(p, threads);
	struct buf b = {};

	buf_addf(&b, "%s\n", FIRST_LINE);
	for (size_t i = 0; i < p->head.n; i++)
		buf_addf(&b, "%s\n", p->head.v[i]);
	buf_addf(&b, "threads %zu\n", n ? n : 1);
	if (p->alone)
		buf_addf(&b, "alone\n");
	for (size_t i = 0; i < p->n; i++) {
		const int *nr = bsearch(&p->v[i].thread, threads, n,
					sizeof(*threads), by_number);

		if (nr)
			buf_addf(&b, "%zd %s\n", nr - threads, p->v[i].what);
		else
			buf_addf(&b, "* %s\n", p->v[i].what);
	}
	return b.data;
}

void ptext_copy(struct ptext *to, const struct ptext *from)
{
	*to = (struct ptext){ .alone = from->alone };
	for (size_t i = 0; i < from->head.n; i++)
		strv_push(&to->head, from->head.v[i]);
	to->v = xcalloc(from->n, sizeof(*to->v));
	for (; to->n < from->n; to->n++)
		to->v[to->n] = (struct ptext_step){
			from->v[to->n].thread, xstrdup(from->v[to->n].what)
		};
}

void ptext_free(struct ptext *p)
{
	strv_free(&p->head);
	ptext_cut(p, 0, p->n);
	free(p->v);
	*p = (struct ptext){};
}

const char *ptext_header(const struct ptext *p, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < p->head.n; i++) {
		const char *line = p->head.v[i];

		if (strncmp(line, key, n) == 0 && is_blank(line[n]))
			return line + n + strspn(line + n, " \t");
	}
	return NULL;
}

/* --- smaller ----------------------------------------------------------------- */

void ptext_cut(struct ptext *p, size_t from, size_t to)
{
	if (from == to)
		return;
	for (size_t i = from; i < to; i++)
		free(p->v[i].what);
	memmove(p->v + from, p->v + to, (p->n - to) * sizeof(*p->v));
	p->n -= to - from;
}

void ptext_cut_thread(struct ptext *p, int thread)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].thread == thread)
			free(p->v[i].what);
		else
			p->v[n++] = p->v[i];
	}
	p->n = n;
}

/* Where a step of @thread goes among those between two '*': by @rank of the
 * order, else as it stands. */
static int rank(int thread, int from, enum ptext_order order)
{
	if (order == ORDER_TEXT)
		return 0;
	return (thread == from) == (order == ORDER_AFTER);
}

void ptext_merge(struct ptext *p, int from, int into, enum ptext_order order)
{
	struct ptext_step *sorted = xcalloc(p->n + 1, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0, end; i < p->n; i = end) {
		for (end = i; end < p->n && p->v[end].thread >= 0;)
			end++;
		for (int r = 0; r < 2; r++)
			for (size_t j = i; j < end; j++)
				if (rank(p->v[j].thread, from, order) == r)
					sorted[n++] = p->v[j];
		if (end < p->n)
			sorted[n++] = p->v[end++];
	}
	free(p->v);
	p->v = sorted;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].thread == from)
			p->v[i].thread = into;
}

/* --- numbers ----------------------------------------------------------------- */

/* The value of number @nth in @what, where it stands, and how long it is. */
static const char *find_number(const char *what, size_t nth, size_t *len,
			       bool *count)
{
	static const char *const keys[] = { "off", "len", "size", "to", "n" };
	const char *p = what + strcspn(what, " \t");

	while (*p) {
		size_t key, word;

		p += strspn(p, " \t");
		word = strcspn(p, " \t");
		key = strcspn(p, "=");
		for (size_t k = 0; k < ARRAY_SIZE(keys) && key < word; k++) {
			if (key != strlen(keys[k]) ||
			    strncmp(p, keys[k], key) != 0 || nth--)
				continue;
			*len = word - key - 1;
			*count = key == 1;
			return p + key + 1;
		}
		p += word;
	}
	return NULL;
}

/* "to" may be the slot of a file: small numbers are not bytes. */
#define MIN_BYTES 16

bool ptext_number(const struct ptext *p, size_t i, size_t nth, uint64_t *value,
		  bool *count)
{
	size_t len;
	const char *at = find_number(p->v[i].what, nth, &len, count);

	if (!at)
		return false;
	/* What is no number stays as it is: 0 cannot be made smaller. */
	*value = isdigit((unsigned char)*at) ? strtoull(at, NULL, 0) : 0;
	*count |= *value < MIN_BYTES;
	return true;
}

void ptext_set_number(struct ptext *p, size_t i, size_t nth, uint64_t value)
{
	char *what = p->v[i].what;
	bool count;
	size_t len;
	const char *at = find_number(what, nth, &len, &count);

	if (!at)
		return;
	p->v[i].what = xstrfmt(value < 10 || count ? "%.*s%llu%s" :
						     "%.*s%#llx%s",
			       (int)(at - what), what,
			       (unsigned long long)value, at + len);
	free(what);
}
