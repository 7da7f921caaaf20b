// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `rig minimize`: one finding of a run, to the shortest program that shows it
 * and a C file. Stage after stage, each goes on where it was when all of them
 * were stopped: what they need is in the journal.
 */
#include "minimize-stages.h"
#include "progress.h"

#include <errno.h>
#include <string.h>

enum {
	OPT_FINDING = 0x100, OPT_MAX_TIME, OPT_TRIES, OPT_JSON, OPT_ACCEL,
	OPT_QEMU, OPT_TIMEOUT_MUL,
};

static const struct argp_option options[] = {
	{ "finding", OPT_FINDING, "N", 0, "Which, as `rig show` numbers them",
	  1 },
	{ "jobs", 'j', "N", 0,
	  "VMs at a time (one a CPU, as far as memory goes, 4 at the most)",
	  1 },
	{ "max-time", OPT_MAX_TIME, "TIME", 0,
	  "Take what is the shortest by then: 90s, 5m, 1h", 1 },
	{ "tries", OPT_TRIES, "N", 0,
	  "A candidate that N runs do not show it in does not (as the rate "
	  "asks for)", 1 },
	{ "json", OPT_JSON, NULL, 0, "The result as JSON on stdout", 1 },
	{ "accel", OPT_ACCEL, "WHICH", 0, "auto, kvm, tcg or tcg-mt (auto)", 2 },
	{ "qemu", OPT_QEMU, "PROGRAM", 0,
	  "QEMU to use (qemu-system-x86_64, or $RIG_QEMU)", 2 },
	{ "timeout-mul", OPT_TIMEOUT_MUL, "N", 0,
	  "Multiply every time limit in the guest by N, for a slow or busy "
	  "host (1)", 2 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct minimize *m = state->input;

	switch (key) {
	case OPT_FINDING:
		m->nr = cli_number(arg, "--finding", 1, 100000, state);
		return 0;
	case 'j':
		m->jobs = cli_number(arg, "--jobs", 1, 4, state);
		return 0;
	case OPT_MAX_TIME:
		m->max_time = cli_seconds(arg);
		if (m->max_time < 0)
			argp_error(state, "--max-time takes 90s, 5m or 1h, not "
				   "'%s'", arg);
		return 0;
	case OPT_TRIES:
		m->tries = cli_number(arg, "--tries", 1, 100000, state);
		return 0;
	case OPT_JSON:
		m->json = true;
		return 0;
	case OPT_ACCEL:
		m->accel = arg;
		return 0;
	case OPT_QEMU:
		m->qemu = arg;
		return 0;
	case OPT_TIMEOUT_MUL:
		cli_positive(arg, "--timeout-mul", state);
		m->timeout_mul = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (m->rundir)
			argp_error(state, "one run at a time");
		m->rundir = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "of which run directory?");
		return 0;
	case ARGP_KEY_END:
		if (!m->nr)
			argp_error(state, "which finding? --finding N, as `rig "
				   "show` numbers them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- what for --------------------------------------------------------------------- */

static int load_run(struct minimize *m)
{
	int err;

	m->dir = cli_rundir(m->rundir);
	if (!m->dir)
		return EXIT_USAGE;
	err = rundata_load(m->dir, &m->d);
	if (err)
		return error("%s: cannot read the run's logs: %s", m->dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	if (m->nr > m->d.findings.n)
		return error("%s has %zu finding%s, no number %u", m->dir,
			     m->d.findings.n, m->d.findings.n == 1 ? "" : "s",
			     m->nr), EXIT_USAGE;
	m->f = &m->d.findings.v[m->nr - 1];
	return 0;
}

/* Kernel and machine as that run's words name them. */
static int load_words(struct minimize *m)
{
	struct json_object *list;
	struct strv *w = &m->words;
	_free_ char **argv = NULL;

	strv_push(w, "minimize");
	if (json_object_object_get_ex(m->d.info, "rerun", &list) &&
	    json_object_is_type(list, json_type_array))
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			const char *s = json_object_get_string(
				json_object_array_get_idx(list, i));

			strv_push(w, s ? s : "");
		}
	if (w->n == 1)
		return error("%s/run.json does not say which kernel it was",
			     m->dir), EXIT_USAGE;
	if (m->accel)
		strv_pushf(w, "--accel=%s", m->accel);
	if (m->qemu)
		strv_pushf(w, "--qemu=%s", m->qemu);
	if (m->timeout_mul)
		strv_pushf(w, "--timeout-mul=%s", m->timeout_mul);
	cli_run_init(&m->run, w->n, w->v);
	/* The parser puts a name of its own in place of the first one. */
	argv = xcalloc(w->n + 1, sizeof(*argv));
	memcpy(argv, w->v, w->n * sizeof(*argv));
	if (cli_parse(&cli_kernel, w->n, argv, &m->run))
		return EXIT_USAGE;
	/* Only if that run could see. */
	m->run.o.census = m->d.nr_rows > 0;
	return 0;
}

struct candidate {
	char *path;
	size_t steps, len;
};

static int shortest_first(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;

	if (a->steps != b->steps)
		return a->steps < b->steps ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return strcmp(a->path, b->path);
}

/* Programs that the finding was seen in and that the run has kept. */
static struct candidate *find_programs(const struct minimize *m, size_t *n)
{
	struct candidate *v = xcalloc(m->f->cases.n + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < m->f->cases.n; i++) {
		_free_ char *path = program_path(m->dir, m->f->cases.v[i]);
		_ptext_ struct ptext p = {};
		_buf_ struct buf b = {};
		unsigned int line;

		if (!path || read_file(path, &b) || !b.len ||
		    ptext_parse(b.data, b.len, &p, &line))
			continue;
		v[(*n)++] = (struct candidate){ take_ptr(path), p.n, b.len };
	}
	qsort(v, *n, sizeof(*v), shortest_first);
	return v;
}

static int load_programs(struct minimize *m)
{
	size_t n;
	struct candidate *v = find_programs(m, &n);
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		if (!err && m->n < MAX_PROGRAMS) {
			struct program *p = &m->v[m->n++];

			err = program_read(v[i].path, p);
			program_wants(p, &m->all.modules, &m->all.programs);
			m->all.alone |= p->alone;
		}
		free(v[i].path);
	}
	free(v);
	if (!n)
		return error("%s: no program that finding %u was seen in is kept there",
			     m->dir, m->nr), EXIT_USAGE;
	return err;
}

/* --- what is told ------------------------------------------------------------------------ */

static char *shown_text(const struct minimize *m)
{
	static const char *const texts[] = {
		[C_NONE] = "not made",
		[C_NO_COMPILER] = "there is no C compiler here to try it",
		[C_BROKEN] = "does not compile: reproducer.cc.log",
		[C_CANNOT_TELL] = "not tried: only rig can tell whether it shows such a finding",
		[C_NO_GUEST] = "its guest did not run it: reproducer.log",
	};

	if (m->c != C_TRIED)
		return xstrdup(texts[m->c]);
	return xstrfmt("shows it in %u of %u runs in `rig shell`",
		       m->shown.hits, m->shown.runs);
}

static struct json_object *rate_json(struct rate r)
{
	struct json_object *o = json_object_new_object();
	double low, high;

	rate_bounds(r, &low, &high);
	json_object_object_add(o, "runs", json_object_new_int(r.runs));
	json_object_object_add(o, "hits", json_object_new_int(r.hits));
	json_object_object_add(o, "rounds",
			       json_object_new_int(r.rounds ? r.rounds : 1));
	json_object_object_add(o, "low", json_object_new_double(low));
	json_object_object_add(o, "high", json_object_new_double(high));
	return o;
}

static struct json_object *str(const char *s)
{
	return json_object_new_string(s);
}

static void tell_json(const struct minimize *m)
{
	struct json_object *o = json_object_new_object(),
			   *c = json_object_new_object();
	_free_ char *text = ptext_print(&m->best), *shown = shown_text(m);

	json_object_object_add(o, "version", json_object_new_int(1));
	json_object_object_add(o, "finding", json_object_new_int(m->nr));
	json_object_object_add(o, "fingerprint", str(m->f->fingerprint));
	json_object_object_add(o, "title", str(m->f->title));
	json_object_object_add(o, "from", str(m->from->name));
	json_object_object_add(o, "steps_before",
			       json_object_new_int64(m->steps));
	json_object_object_add(o, "steps", json_object_new_int64(m->best.n));
	json_object_object_add(o, "threads", json_object_new_int64(
					ptext_threads(&m->best, NULL)));
	json_object_object_add(o, "complete",
			       json_object_new_boolean(!m->out_of_time));
	json_object_object_add(o, "rate_before", rate_json(m->original));
	json_object_object_add(o, "rate", rate_json(m->minimal));
	json_object_object_add(o, "runs",
			       json_object_new_int(m->journal.all.runs));
	json_object_object_add(o, "directory", str(m->out));
	json_object_object_add(o, "program", str(text));
	json_object_object_add(c, "file", str("reproducer.c"));
	json_object_object_add(c, "text", str(shown));
	if (m->c == C_TRIED)
		json_object_object_add(c, "rate", rate_json(m->shown));
	json_object_object_add(o, "reproducer", c);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void tell_rate(const char *what, size_t steps, struct rate r)
{
	_free_ char *rounds = minimize_rounds(r);
	double low, high;

	rate_bounds(r, &low, &high);
	printf("%s: %zu step%s, shows it in %u of %u runs%s: %.0f to %.0f %% (95 %%, Clopper-Pearson)\n",
	       what, steps, steps == 1 ? "" : "s", r.hits, r.runs,
	       rounds, low * 100, high * 100);
}

static void tell(const struct minimize *m)
{
	_free_ char *text = ptext_print(&m->best), *shown = shown_text(m);

	printf("finding %u: %s\n", m->nr, m->f->title);
	tell_rate(m->from->name, m->steps, m->original);
	tell_rate(m->out_of_time ? "shortest when the time was up" : "minimal",
		  m->best.n, m->minimal);
	printf("\n%s\n%u runs in all\nprogram: %s/minimal.prog\n"
	       "reproducer: %s/reproducer.c: %s\n", text, m->journal.all.runs,
	       m->out, m->out, shown);
	if (m->out_of_time)
		printf("The same command goes on from there.\n");
}

/* --- the command -------------------------------------------------------------------------- */

int cmd_minimize(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "RUNDIR",
		.doc = "From a finding of generated programs to the shortest "
		       "program that shows it, how often it does, and a C "
		       "file.\vRUNDIR/minimize-N has it all, and the journal "
		       "by which the same command goes on after it was "
		       "stopped.\n\n"
		       "Exit code: 0 minimised, 1 the finding does not show "
		       "any more, 125, 128, 129, 130 as of `rig run`.",
	};
	static int (*const stages[])(struct minimize *m) = {
		load_run, load_words, load_programs, minimize_begin,
		minimize_reproduce, minimize_search, minimize_measure,
		minimize_c,
	};
	__cleanup(minimize_free) struct minimize m = {
		.journal = JOURNAL_INIT, .started = now(),
	};
	int err = 0;

	if (cli_parse(&argp, argc, argv, &m))
		return EXIT_USAGE;
	for (size_t i = 0; !err && i < ARRAY_SIZE(stages); i++)
		err = stages[i](&m);
	progress_clear();
	if (err)
		return err;
	if (m.json)
		tell_json(&m);
	else
		tell(&m);
	return EXIT_CLEAN;
}
