// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig list`: what there is to choose from, as a table or as JSON. */
#include "cases.h"
#include "cli.h"
#include "kernel.h"
#include "machine.h"

#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <unistd.h>

/* An array's strings, blank separated: "xfs ext4". */
static char *words(struct json_object *v)
{
	struct buf b = {};

	buf_add(&b, "", 0);
	if (json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++)
			buf_addf(&b, "%s%s", i ? " " : "",
				 json_object_get_string(
					 json_object_array_get_idx(v, i)));
	} else if (json_object_is_type(v, json_type_boolean)) {
		buf_addf(&b, "%s", json_object_get_boolean(v) ? "yes" : "");
	} else if (v) {
		buf_addf(&b, "%s", json_object_get_string(v));
	}
	return b.data;
}

/* What the agent says under @key. */
static struct json_object *described(const char *key)
{
	struct json_object *d = agent_describe(), *list = NULL;

	if (d && json_object_object_get_ex(d, key, &list))
		json_object_get(list);
	json_object_put(d);
	return list;
}

static struct json_object *workload_list(void)
{
	return described("workloads");
}

static struct json_object *operation_list(void)
{
	return described("operations");
}

static struct json_object *machine_list(void)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < nr_machines; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name", json_object_new_string(
							  machines[i].name));
		json_object_object_add(o, "help", json_object_new_string(
							  machines[i].help));
		json_object_array_add(a, o);
	}
	return a;
}

/* What can be listed, and which members make the table's columns. */
static const struct listing {
	const char *name;
	struct json_object *(*make)(void);
	const char *columns[8];
} listings[] = {
	{ "workloads", workload_list,
	  { "name", "on", "with", "point", "variants", "help", NULL } },
	{ "operations", operation_list,
	  { "name", "groups", "on", "asked", "help", NULL } },
	{ "machines", machine_list, { "name", "help", NULL } },
	{ "kernels", kernel_list, { "spec", "version", "cached", "help",
				    NULL } },
	{ "kconfigs", kconfig_list, { "name", "default", "help", NULL } },
};

struct parsed {
	const struct listing *what;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;

	switch (key) {
	case 'J':
		p->json = true;
		return 0;
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < ARRAY_SIZE(listings); i++)
			if (strcmp(listings[i].name, arg) == 0)
				p->what = &listings[i];
		if (!p->what)
			argp_error(state, "cannot list '%s'", arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "list what?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_table(const struct listing *l, struct json_object *list)
{
	struct libscols_table *t = scols_new_table();

	for (const char *const *c = l->columns; *c; c++) {
		_free_ char *head = xstrdup(*c);

		for (char *p = head; *p; p++)
			*p -= *p >= 'a' && *p <= 'z' ? 32 : 0;
		scols_table_new_column(t, head, 0.1, c[1] ? 0 :
				       isatty(STDOUT_FILENO) ? SCOLS_FL_WRAP :
							       0);
	}
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i), *v;
		struct libscols_line *line = scols_table_new_line(t, NULL);

		for (int c = 0; l->columns[c]; c++) {
			_free_ char *text = NULL;

			v = NULL;
			json_object_object_get_ex(o, l->columns[c], &v);
			text = words(v);
			scols_line_set_data(line, c, text);
		}
	}
	scols_print_table(t);
	scols_unref_table(t);
}

int cmd_list(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp_option options[] = {
		{ "json", 'J', NULL, 0, "A JSON array on stdout", 1 },
		{},
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "workloads|operations|machines|kernels|kconfigs",
		.doc = "List what a run can be made of.",
	};
	struct parsed p = {};
	struct json_object *list;

	if (cli_parse(&argp, argc, argv, &p))
		return EXIT_USAGE;
	list = p.what->make();
	if (!list)
		return EXIT_RIG_FAILED;
	if (p.json)
		puts(json_object_to_json_string_ext(
			list, JSON_C_TO_STRING_PRETTY |
				      JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print_table(p.what, list);
	json_object_put(list);
	return EXIT_CLEAN;
}
