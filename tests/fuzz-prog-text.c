// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any text is a program or is refused; one that is taken prints as itself, any
 * subset of its steps is one too, and each becomes C whatever the finding says.
 * The first line of the input is the finding, as JSON.
 */
#include "workloads/prog.h"

static void emit(const struct prog *p, const char *finding)
{
	struct json_object *f = json_tokener_parse(finding);
	char *c = prog_emit(p, f);

	/* The comment at the top ends where it has to. */
	if (!strstr(c, " */\n#define _GNU_SOURCE\n") ||
	    strstr(c, "*/") != strstr(c, " */\n#define") + 1)
		abort();
	free(c);
	json_object_put(f);
}

static void again(const char *text)
{
	const char *why;
	struct prog p;
	char *same;

	if (prog_parse(&p, text, &why) < 0)
		abort();
	same = prog_print(&p);
	if (strcmp(same, text) != 0)
		abort();
	free(same);
	prog_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *input = malloc(size + 1), *text;
	const char *why;
	struct prog p;

	memcpy(input, data, size);
	input[size] = '\0';
	text = strchr(input, '\n');
	if (!text || memchr(input, '\0', size)) {
		free(input);
		return 0;
	}
	*text++ = '\0';
	if (prog_parse(&p, text, &why) == 0) {
		char *printed = prog_print(&p);

		again(printed);
		free(printed);
		emit(&p, input);
		/* Half of it: the odd steps, numbered anew. */
		for (size_t i = 0; 2 * i < p.n; i++) {
			p.v[i] = p.v[2 * i];
			p.v[i].nr = i + 1;
		}
		p.n = (p.n + 1) / 2;
		emit(&p, input);
		prog_free(&p);
	} else if (strncmp(why, "line ", 5) != 0) {
		abort();
	}
	free(input);
	return 0;
}
