// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig gen`: programs of a seed, to be looked at, edited and replayed. */
#include "cli-run.h"
#include "mix.h"
#include "program.h"

#include <errno.h>
#include <string.h>

/* Programs in one call: a batch of the run's would do, this is for scripts. */
#define MAX_COUNT 10000

struct gen {
	struct program_request q;
	struct strv with, without;
	bool seeded;
	const char *dir;	/* a file each there; NULL: all to stdout */
};

enum { OPT_SEED = 0x100, OPT_COUNT, OPT_FIRST, OPT_FS, OPT_THREADS, OPT_WITH,
       OPT_WITHOUT };

static const struct argp_option options[] = {
	{ "seed", OPT_SEED, "N", 0, "Made from this (a random one)", 1 },
	{ "count", OPT_COUNT, "N", 0, "So many (1)", 1 },
	{ "first", OPT_FIRST, "N", 0, "Index of the first (0)", 1 },
	{ "fs", OPT_FS, "FS", 0, "For xfs, ext4 or devdax (xfs)", 1 },
	{ "threads", OPT_THREADS, "N", 0, "From 1 to N threads (4)", 1 },
	{ "with", OPT_WITH, "OP[,OP]", 0,
	  "Also operations, or groups of them, that have to be asked for", 1 },
	{ "without", OPT_WITHOUT, "OP[,OP]", 0, "No such operations", 1 },
	{ "output", 'o', "DIR", 0, "Into DIR/SEED.INDEX.prog, not to stdout",
	  1 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct gen *g = state->input;

	switch (key) {
	case OPT_SEED:
		g->q.seed = cli_number(arg, "--seed", 0, INT64_MAX, state);
		g->seeded = true;
		return 0;
	case OPT_COUNT:
		g->q.count = cli_number(arg, "--count", 1, MAX_COUNT, state);
		return 0;
	case OPT_FIRST:
		g->q.first = cli_number(arg, "--first", 0, UINT32_MAX, state);
		return 0;
	case OPT_FS:
		if (strcmp(arg, "xfs") != 0 && strcmp(arg, "ext4") != 0 &&
		    strcmp(arg, "devdax") != 0)
			argp_error(state, "--fs takes xfs, ext4 or devdax, not "
				   "'%s'", arg);
		g->q.fs = arg;
		return 0;
	case OPT_THREADS:
		g->q.threads = cli_number(arg, "--threads", 1, MAX_THREADS,
					  state);
		return 0;
	case OPT_WITH:
		strv_split(&g->with, arg, ",");
		return 0;
	case OPT_WITHOUT:
		strv_split(&g->without, arg, ",");
		return 0;
	case 'o':
		g->dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int put(const struct gen *g, const struct program *p, bool first)
{
	_free_ char *path = NULL;
	int err;

	if (!g->dir) {
		printf("%s%s", first ? "" : "\n", p->text);
		return 0;
	}
	path = xstrfmt("%s/%s.prog", g->dir, p->name);
	err = write_file(path, p->text, strlen(p->text));
	return err ? (error("%s: cannot write: %s", path, strerror(-err)),
		      EXIT_RIG_FAILED) : 0;
}

static void gen_free(struct gen *g)
{
	strv_free(&g->with);
	strv_free(&g->without);
}

int cmd_gen(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.doc = "Print generated programs, as `rig run --mix` runs them "
		       "and `rig replay` takes them. The same seed gives the "
		       "same programs everywhere.",
	};
	__cleanup(gen_free) struct gen g = {
		.q = { .count = 1, .fs = "xfs", .threads = 4 },
	};
	struct program *v;
	int err;

	g.q.with = &g.with;
	g.q.without = &g.without;
	if (cli_parse(&argp, argc, argv, &g))
		return EXIT_USAGE;
	if (!g.seeded)
		g.q.seed = mix_random_seed();
	err = g.dir ? mkdir_p(g.dir) : 0;
	if (err)
		return error("cannot make %s: %s", g.dir, strerror(-err)),
		       EXIT_RIG_FAILED;
	err = program_generate(&g.q, &v);
	if (err)
		return err;
	for (unsigned int i = 0; i < g.q.count; i++) {
		err = err ?: put(&g, &v[i], !i);
		program_free(&v[i]);
	}
	free(v);
	return err;
}
