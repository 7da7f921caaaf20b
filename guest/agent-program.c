// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host asks the agent's own binary about programs, on the host: the
 * operations and what can be made of them are known here and nowhere else.
 */
#include "agent.h"
#include "workloads/prog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rig's exit code for a request that cannot be meant. */
#define EXIT_USAGE 129
/* Bytes of stdin that are taken: a program and a finding. */
#define MAX_INPUT MiB(8)

/* --- words ------------------------------------------------------------------ */

static bool has_word(struct json_object *list, const char *word)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(
				   json_object_array_get_idx(list, i)),
			   word) == 0)
			return true;
	return false;
}

/* Each blank-separated word once. */
static void add_words(struct json_object *list, const char *words)
{
	char *copy = strdup(words ? words : ""), *save, *word;

	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		if (!has_word(list, word))
			json_object_array_add(list,
					      json_object_new_string(word));
	free(copy);
}

static struct json_object *words_of(const char *words)
{
	struct json_object *list = json_object_new_array();

	add_words(list, words);
	return list;
}

/* --- --describe --------------------------------------------------------------- */

static const char *const type_names[] = {
	[ARG_FD] = "fd",   [ARG_NAME] = "name", [ARG_MAP] = "map",
	[ARG_REF] = "ref", [ARG_OFF] = "off",	[ARG_LEN] = "len",
	[ARG_NUM] = "num", [ARG_WORD] = "word",
};

static struct json_object *describe_args(const struct op *op)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < op_nr_args(op); i++) {
		const struct op_arg *a = &op->args[i];
		struct json_object *o = json_object_new_object();
		struct json_object *words = json_object_new_array();

		put_str(o, "name", a->name);
		put_str(o, "type", type_names[a->type]);
		for (const char *const *w = a->words; w && *w; w++)
			json_object_array_add(words,
					      json_object_new_string(*w));
		json_object_object_add(o, "words", words);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *describe_op(const struct op *op)
{
	struct json_object *o = json_object_new_object();
	unsigned int on = op->on ? op->on : ON_FS;
	char where[32];

	snprintf(where, sizeof(where), "%s %s %s", on & ON_XFS ? "xfs" : "",
		 on & ON_EXT4 ? "ext4" : "", on & ON_DEVDAX ? "devdax" : "");
	put_str(o, "name", op->name);
	put_str(o, "help", op->help);
	json_object_object_add(o, "groups", words_of(op->groups));
	put_num(o, "weight", op->weight);
	json_object_object_add(o, "on", words_of(where));
	json_object_object_add(o, "asked", json_object_new_boolean(
						   op->flags & OP_ASKED));
	json_object_object_add(o, "alone", json_object_new_boolean(
						   op->flags & OP_OWNS_FS));
	json_object_object_add(o, "modules", words_of(op->modules));
	json_object_object_add(o, "programs", words_of(op->programs));
	json_object_object_add(o, "args", describe_args(op));
	return o;
}

struct json_object *describe_operations(void)
{
	struct json_object *list = json_object_new_array();
	size_t n;
	const struct op *const *all = ops_all(&n);

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, describe_op(all[i]));
	return list;
}

/* --- programs, in and out ------------------------------------------------------- */

static void put_program(const struct prog *p, int index)
{
	struct json_object *o = json_object_new_object();
	struct json_object *modules = json_object_new_array();
	struct json_object *programs = json_object_new_array();
	char *text = prog_print(p);

	for (size_t i = 0; i < p->n; i++) {
		add_words(modules, p->v[i].op->modules);
		add_words(programs, p->v[i].op->programs);
	}
	put_num(o, "index", index);
	put_str(o, "program", text);
	json_object_object_add(o, "alone", json_object_new_boolean(p->alone));
	json_object_object_add(o, "modules", modules);
	json_object_object_add(o, "programs", programs);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	free(text);
}

/* stdin to its end, the caller's; NULL when it is more than anybody means. */
static char *read_stdin(void)
{
	char *text = NULL;
	size_t len = 0, n;

	do {
		text = realloc(text, len + 65536 + 1);
		n = fread(text + len, 1, 65536, stdin);
		len += n;
	} while (n && len < MAX_INPUT);
	text[len] = '\0';
	if (len < MAX_INPUT && strlen(text) == len)
		return text;
	free(text);
	return NULL;
}

static int refuse(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return EXIT_USAGE;
}

static int check_program(void)
{
	char *text = read_stdin();
	struct prog p;
	const char *why;

	int err = -EINVAL;

	why = "not a text, or too long";
	if (text)
		err = prog_parse(&p, text, &why);
	free(text);
	if (err)
		return refuse(why);
	put_program(&p, 0);
	prog_free(&p);
	return 0;
}

/* --- --generate ------------------------------------------------------------------- */

static uint64_t number(struct json_object *o, const char *key, uint64_t none)
{
	struct json_object *v;
	int64_t n;

	if (!json_object_object_get_ex(o, key, &v))
		return none;
	n = json_object_get_int64(v);
	return n < 0 ? (uint64_t)n : json_object_get_uint64(v);
}

/* NULL-terminated; the strings are @o's. */
static char **strings(struct json_object *o, const char *key)
{
	struct json_object *list;
	size_t n = 0;
	char **v;

	if (json_object_object_get_ex(o, key, &list) &&
	    json_object_is_type(list, json_type_array))
		n = json_object_array_length(list);
	v = calloc(n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = (char *)json_object_get_string(
			json_object_array_get_idx(list, i)) ?: "";
	return v;
}

static const char *fs_of(struct json_object *req)
{
	static const char *const known[] = { "xfs", "ext4", "devdax" };
	const char *fs = req_str(req, "fs");

	for (size_t i = 0; fs && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i], fs) == 0)
			return known[i];
	return NULL;
}

static int generate_all(struct gen_opts *o, uint64_t first, uint64_t count)
{
	const char *unknown = gen_unknown(o);

	if (unknown) {
		fprintf(stderr, "'%s' names no operation and no group\n",
			unknown);
		return EXIT_USAGE;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct prog p;

		o->index = first + i;
		gen_program(o, &p);
		put_program(&p, o->index);
		prog_free(&p);
	}
	return 0;
}

static int generate(const char *request)
{
	struct json_object *req = json_tokener_parse(request);
	struct gen_opts o = {
		.seed = number(req, "seed", 0),
		.fs = fs_of(req),
		.threads = number(req, "threads", 1),
		.with = strings(req, "with"),
		.without = strings(req, "without"),
	};
	int ret;

	if (!json_object_is_type(req, json_type_object))
		ret = refuse("--generate: not a JSON object");
	else if (!o.fs)
		ret = refuse("--generate: fs is xfs, ext4 or devdax");
	else
		ret = generate_all(&o, number(req, "first", 0),
				   number(req, "count", 1));
	free(o.with);
	free(o.without);
	json_object_put(req);
	return ret;
}

/* --- --reproducer ------------------------------------------------------------------- */

static int reproducer(void)
{
	char *text = read_stdin(), *c;
	struct json_object *req = text ? json_tokener_parse(text) : NULL;
	struct json_object *finding = NULL;
	const char *program = req_str(req, "program"), *why;
	struct prog p;
	int ret = 0;

	json_object_object_get_ex(req, "finding", &finding);
	if (!program) {
		ret = refuse("--reproducer: no program on stdin");
	} else if (prog_parse(&p, program, &why) < 0) {
		ret = refuse(why);
	} else {
		c = prog_emit(&p, finding);
		fputs(c, stdout);
		free(c);
		prog_free(&p);
	}
	json_object_put(req);
	free(text);
	return ret;
}

int program_main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--generate") == 0)
		return generate(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--check-program") == 0)
		return check_program();
	if (argc == 2 && strcmp(argv[1], "--reproducer") == 0)
		return reproducer();
	return refuse("usage: rig-agent [--describe | --generate JSON | "
		      "--check-program | --reproducer]");
}
