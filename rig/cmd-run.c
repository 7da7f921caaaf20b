// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig run` and `rig shell`: their options, and nothing else. */
#include "cli-run.h"
#include "mix.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_REPEAT = 0x100, OPT_ALL, OPT_MIX, OPT_TIME, OPT_THREADS, OPT_SEED,
	OPT_FS, OPT_WITH, OPT_WITHOUT, OPT_ADD, OPT_DIR,
};

static const struct argp_option run_options[] = {
	{ "workload", 'w', "CASE", 0,
	  "Only these cases: WORKLOAD[:VARIANT][/FS[/SIZE]], shell patterns "
	  "allowed; may be repeated", 1 },
	{ "all", OPT_ALL, NULL, 0,
	  "Every workload, variant and size, not the two-minute sample", 1 },
	{ "repeat", OPT_REPEAT, "N", 0, "Run the cases N times over", 1 },
	{ "mix", OPT_MIX, NULL, 0,
	  "Generated programs in place of workloads, for some time", 2 },
	{ "time", OPT_TIME, "TIME", 0,
	  "How long, from when the guest is up: 90s, 5m, 1h (5m)", 2 },
	{ "threads", OPT_THREADS, "N", 0,
	  "Programs have from 1 to N threads (4)", 2 },
	{ "seed", OPT_SEED, "N", 0,
	  "The same programs again (a random one, which is printed)", 2 },
	{ "fs", OPT_FS, "FS[,FS]", 0,
	  "On these: xfs, ext4, devdax (all that the machine has)", 2 },
	{ "with", OPT_WITH, "OP[,OP]", 0,
	  "Also operations, or groups of them, that have to be asked for "
	  "(`rig list operations`)", 2 },
	{ "without", OPT_WITHOUT, "OP[,OP]", 0,
	  "No such operations", 2 },
	{},
};

struct parsed {
	struct cli_run c;
	struct mix mix;
	bool is_mix;
	const char *of_mix, *of_cases;	/* last option of either kind */
};

static error_t parse_mix(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;
	struct mix *x = &p->mix;

	switch (key) {
	case OPT_TIME:
		p->c.o.seconds = cli_seconds(arg);
		if (p->c.o.seconds < 0)
			argp_error(state, "--time takes 90s, 5m or 1h, not "
				   "'%s'", arg);
		p->of_mix = "--time";
		return 0;
	case OPT_THREADS:
		x->threads = cli_number(arg, "--threads", 1, MAX_THREADS,
					state);
		p->of_mix = "--threads";
		return 0;
	case OPT_SEED:
		x->seed = cli_number(arg, "--seed", 0, INT64_MAX, state);
		p->of_mix = "--seed";
		return 0;
	case OPT_FS:
		strv_split(&x->fs, arg, ",");
		p->of_mix = "--fs";
		return 0;
	case OPT_WITH:
		strv_split(&x->with, arg, ",");
		p->of_mix = "--with";
		return 0;
	case OPT_WITHOUT:
		strv_split(&x->without, arg, ",");
		p->of_mix = "--without";
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What makes no sense together is said, not passed over. */
static void check(const struct parsed *p, struct argp_state *state)
{
	if (p->of_mix && !p->is_mix)
		argp_error(state, "%s goes with --mix", p->of_mix);
	if (p->of_cases && p->is_mix)
		argp_error(state, "--mix runs programs, %s names workloads",
			   p->of_cases);
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;
	struct run_opts *o = &p->c.o;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &p->c;
		return 0;
	case ARGP_KEY_END:
		check(p, state);
		return 0;
	case 'w':
		strv_push(&o->cases, arg);
		p->of_cases = "--workload";
		break;
	case OPT_ALL:
		o->all = true;
		p->of_cases = "--all";
		break;
	case OPT_REPEAT:
		o->repeat = cli_number(arg, "--repeat", 1, 100000, state);
		p->of_cases = "--repeat";
		break;
	case OPT_MIX:
		p->is_mix = true;
		break;
	default:
		if (parse_mix(key, arg, state))
			return ARGP_ERR_UNKNOWN;
		break;
	}
	p->c.patches = false;
	return 0;
}

static void parsed_free(struct parsed *p)
{
	mix_free(&p->mix, &p->c.o);
	cli_run_free(&p->c);
}

int cmd_run(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &cli_kernel }, { &cli_cases }, { &cli_common }, {},
	};
	static const struct argp argp = {
		.options = run_options,
		.parser = parse_run,
		.args_doc = "KERNEL",
		.doc = "Boot KERNEL, run workloads on emulated NVDIMMs, report "
		       "what the kernel did wrong.\v"
		       "KERNEL is a source tree, TREE@REV of a git tree, "
		       "debian:SUITE, debian-src:SUITE, a .deb, or "
		       "BZIMAGE[,MODULES_DIR].\n\n"
		       "Exit code: 0 clean, 1 findings, 125 the kernel cannot "
		       "be tested, 128 rig itself failed, 129 usage, 130 "
		       "interrupted.",
		.children = children,
	};
	__cleanup(parsed_free) struct parsed p = {
		.mix = { .seed = mix_random_seed(), .threads = 4 },
	};

	cli_run_init(&p.c, argc, argv);
	if (cli_parse(&argp, argc, argv, &p))
		return EXIT_USAGE;
	if (p.is_mix && !p.c.o.seconds)
		p.c.o.seconds = 5 * 60;
	if (p.is_mix && mix_begin(&p.mix, &p.c.o))
		return EXIT_USAGE;
	if (p.is_mix)
		note("programs of seed %llu", (unsigned long long)p.mix.seed);
	return run_run(&p.c.o);
}

static const struct argp_option shell_options[] = {
	{ "add", OPT_ADD, "FILE", 0,
	  "Take FILE along, as /root/NAME, with the libraries it needs if it is "
	  "a program; may be repeated", 2 },
	{ "rundir", OPT_DIR, "DIR", 0,
	  "Run directory (a new one below ~/.local/state/rig/runs)", 2 },
	{},
};

static error_t parse_shell(int key, char *arg, struct argp_state *state)
{
	struct cli_run *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = c;
		return 0;
	case OPT_ADD:
		if (access(arg, R_OK) < 0)
			argp_error(state, "--add: cannot read %s: %s", arg,
				   strerror(errno));
		strv_push(&c->o.add, arg);
		break;
	case OPT_DIR:
		c->o.dir = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	c->patches = false;
	return 0;
}

int cmd_shell(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &cli_kernel }, { &cli_common }, {},
	};
	static const struct argp argp = {
		.options = shell_options,
		.parser = parse_shell,
		.args_doc = "KERNEL",
		.doc = "Boot KERNEL, make and mount the machine's namespaces, "
		       "and connect this terminal to a shell there. `exit` "
		       "ends the guest.",
		.children = children,
	};
	_cli_run_ struct cli_run c;

	cli_run_init(&c, argc, argv);
	c.o.census = false;
	c.o.shell = true;
	if (cli_parse(&argp, argc, argv, &c))
		return EXIT_USAGE;
	return run_run(&c.o);
}
