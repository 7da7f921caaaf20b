// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig replay`: programs once more, from a file or from the run they lie in. */
#include "cli-run.h"
#include "oracle.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { OPT_TIMES = 0x100, OPT_FINDING };

static const struct argp_option options[] = {
	{ "times", OPT_TIMES, "N", 0, "Each program N times over", 2 },
	{ "finding", OPT_FINDING, "N", 0,
	  "Of a run directory: only programs that finding N was seen in", 2 },
	{},
};

struct replay {
	struct cli_run c;
	const char *of;			/* PROGRAM or RUNDIR */
	struct strv rerun;		/* words of the run it was, that options
					 * point to */
	unsigned int times, finding;	/* finding: 0 for all */
	struct strv paths;		/* of the programs */
	struct program *v;
	size_t n;
	bool made;			/* they are the run's cases */
	struct run_source source;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replay *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &p->c;
		return 0;
	case OPT_TIMES:
		p->times = cli_number(arg, "--times", 1, 100000, state);
		break;
	case OPT_FINDING:
		p->finding = cli_number(arg, "--finding", 1, 100000, state);
		break;
	case ARGP_KEY_ARG:
		if (p->of)
			return ARGP_ERR_UNKNOWN;
		p->of = arg;
		break;
	case ARGP_KEY_END:
		if (!p->of)
			argp_error(state, "which program? A file, or a run "
				   "directory");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	p->c.patches = false;
	return 0;
}

static const struct argp_child children[] = {
	{ &cli_kernel }, { &cli_cases }, { &cli_common }, {},
};
static const struct argp argp = {
	.options = options, .parser = parse, .children = children,
	.args_doc = "PROGRAM|RUNDIR [KERNEL]",
	.doc = "Run a program file, or the programs that a run's findings were "
	       "seen in, on KERNEL, or else on the kernel and machine of the "
	       "run that they lie in.\v"
	       "A program is what `rig gen` prints and what a run with --mix "
	       "keeps in RUNDIR/programs. Exit code as of `rig run`.",
};

/* --- which programs ----------------------------------------------------------- */

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The run directory that a program lies in, the caller's; or NULL. */
static char *run_of(const char *path)
{
	_free_ char *abs = realpath(path, NULL);
	_free_ char *host = NULL;
	char *slash = abs ? strrchr(abs, '/') : NULL;

	if (!slash)
		return NULL;
	*slash = '\0';
	if (!ends_with(abs, "/programs"))
		return NULL;
	*strrchr(abs, '/') = '\0';
	host = xstrfmt("%s/host.jsonl", abs);
	return path_exists(host) ? take_ptr(abs) : NULL;
}

/* Programs that finding @f was seen in, those not in p->paths yet. */
static void add_paths(struct replay *p, const char *dir,
		      const struct finding *f)
{
	for (size_t i = 0; i < f->cases.n; i++) {
		_free_ char *path = program_path(dir, f->cases.v[i]);

		if (path && path_exists(path) && !strv_has(&p->paths, path))
			strv_push(&p->paths, path);
	}
}

static int find_paths(struct replay *p, const char *dir)
{
	_rundata_ struct rundata d = {};
	int err = rundata_load(dir, &d);

	if (err)
		return error("%s: cannot read the run's logs: %s", dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	if (p->finding > d.findings.n)
		return error("%s has %zu finding%s, no number %u", dir,
			     d.findings.n, d.findings.n == 1 ? "" : "s",
			     p->finding), EXIT_USAGE;
	for (size_t i = 0; i < d.findings.n; i++)
		if (!p->finding || i + 1 == p->finding)
			add_paths(p, dir, &d.findings.v[i]);
	if (!p->paths.n && p->finding)
		return error("%s: finding %u was not seen in a program", dir,
			     p->finding), EXIT_USAGE;
	if (!p->paths.n)
		return error("%s: no finding was seen in a program", dir),
		       EXIT_USAGE;
	return 0;
}

static int read_programs(struct replay *p)
{
	int err = 0;

	p->v = xcalloc(p->paths.n, sizeof(*p->v));
	for (; !err && p->n < p->paths.n; p->n++)
		err = program_read(p->paths.v[p->n], &p->v[p->n]);
	return err;
}

/* --- on what ------------------------------------------------------------------- */

/* cli_parse(), with the command's name in @argv left as it was: it may be
 * parsed once more. */
static int parse_words(const struct argp *of, int argc, char **argv,
		       void *input)
{
	char *name = argv[0];
	int err = cli_parse(of, argc, argv, input);

	argv[0] = name;
	return err ? EXIT_USAGE : 0;
}

/*
 * What the run in @dir (or NULL) was made on, before any option that says
 * otherwise: its machine, and, unless there is another, its kernel.
 */
static int take_run(struct replay *p, const char *dir, bool kernel)
{
	_free_ char *path = dir ? xstrfmt("%s/run.json", dir) : NULL;
	struct json_object *o = path ? json_object_from_file(path) : NULL, *v;
	_strv_ struct strv argv = {};
	const char *name;

	strv_push(&argv, "replay");
	if (kernel && json_object_object_get_ex(o, "rerun", &v) &&
	    json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			name = json_object_get_string(
				json_object_array_get_idx(v, i));
			strv_push(&argv, name ? name : "");
		}
	if (json_object_object_get_ex(o, "machine", &v) &&
	    (name = json_object_get_string(v)) && machine_find(name))
		p->c.o.machine = machine_find(name);
	json_object_put(o);
	if (!kernel)
		return 0;
	if (argv.n == 1 && dir)
		return error("%s does not say which kernel it was: name one",
			     dir), EXIT_USAGE;
	if (argv.n == 1)
		return error("%s lies in no run directory: on which kernel?",
			     p->of), EXIT_USAGE;
	/* Its words are pointed to from now on. */
	p->rerun = argv;
	argv = (struct strv){};
	return parse_words(&cli_kernel, p->rerun.n, p->rerun.v, &p->c);
}

/* --- the run -------------------------------------------------------------------- */

static int more(struct run *r, void *arg)
{
	struct replay *p = arg;

	if (p->made)
		return -1;
	p->made = true;
	for (unsigned int t = 0; t < p->times; t++)
		for (size_t i = 0; i < p->n; i++) {
			program_wants(&p->v[i], &r->modules, &r->programs);
			if (program_add(&r->cases, r->o->machine, &p->v[i]))
				return error("machine %s has no %s, which %s is for: see `rig list machines`",
					     r->o->machine->name, p->v[i].fs,
					     p->paths.v[i]), EXIT_USAGE;
		}
	return 0;
}

static void replay_free(struct replay *p)
{
	for (size_t i = 0; i < p->n; i++)
		program_free(&p->v[i]);
	free(p->v);
	strv_free(&p->paths);
	strv_free(&p->rerun);
	cli_run_free(&p->c);
}

int cmd_replay(int argc, char **argv)
{
	__cleanup(replay_free) struct replay look = {}, p = { .times = 1 };
	_free_ char *dir = NULL;
	int err;

	/* What the run says comes first, and options may say otherwise; but
	 * only they tell which run. */
	cli_run_init(&look.c, argc, argv);
	cli_run_init(&p.c, argc, argv);
	look.c.any_kernel = p.c.any_kernel = true;
	err = parse_words(&argp, argc, argv, &look);
	if (err)
		return err;
	dir = is_file(look.of) ? run_of(look.of) : cli_rundir(look.of);
	if (!dir && !is_file(look.of))
		return EXIT_USAGE;
	if (is_file(look.of) && look.finding)
		return error("--finding goes with a run directory, and %s is a file",
			     look.of), EXIT_USAGE;
	p.of = look.of;
	err = take_run(&p, dir, !look.c.o.spec);
	if (err)
		return err;
	p.of = NULL;
	err = parse_words(&argp, argc, argv, &p);
	if (!err && is_file(p.of))
		strv_push(&p.paths, p.of);
	else if (!err)
		err = find_paths(&p, dir);
	if (!err)
		err = read_programs(&p);
	if (err)
		return err;
	if (p.n > 1)
		note("%zu programs", p.n);
	p.source = (struct run_source){ .more = more, .arg = &p };
	p.c.o.source = &p.source;
	return run_run(&p.c.o);
}
