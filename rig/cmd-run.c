// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig run` and `rig shell`: their options, and nothing else. */
#include "cli.h"
#include "run.h"

#include <string.h>

enum {
	OPT_MACHINE = 0x100, OPT_ACCEL, OPT_KCONFIG, OPT_CONFIG, OPT_PATCHES,
	OPT_DRY, OPT_JSON, OPT_KEEP, OPT_NO_CENSUS, OPT_CENSUS_HZ, OPT_DIR,
	OPT_QEMU, OPT_APPEND, OPT_REPEAT,
	OPT_ALL, OPT_BOOT_TIMEOUT, OPT_TIMEOUT_MUL,
};

static const struct argp_option kernel_options[] = {
	{ "machine", OPT_MACHINE, "NAME", 0,
	  "QEMU shape (`rig list machines`; nvdimm)", 1 },
	{ "accel", OPT_ACCEL, "WHICH", 0, "auto, kvm, tcg or tcg-mt (auto)", 1 },
	{ "kconfig", OPT_KCONFIG, "NAME[,NAME]", 0,
	  "Add Kconfig fragments (`rig list kconfigs`)", 1 },
	{ "config", OPT_CONFIG, "FILE", 0,
	  "Build with this .config instead of the fragments", 1 },
	{ "patches", OPT_PATCHES, "FILE [FILE...]", 0,
	  "Patches or mboxes to apply to a private copy of the tree, in order",
	  1 },
	{ "append", OPT_APPEND, "TEXT", 0,
	  "Add to the kernel command line", 1 },
	{ "qemu", OPT_QEMU, "PROGRAM", 0,
	  "QEMU to use (qemu-system-x86_64, or $RIG_QEMU)", 1 },
	{ "boot-timeout", OPT_BOOT_TIMEOUT, "SECONDS", 0,
	  "Longest a kernel may take to boot to user space (600)", 1 },
	{ "timeout-mul", OPT_TIMEOUT_MUL, "N", 0,
	  "Multiply every time limit in the guest by N, for a slow or busy "
	  "host (1)", 1 },
	{ "jobs", 'j', "N", 0, "Compile with N jobs (all CPUs)", 1 },
	{ "dry-run", OPT_DRY, NULL, 0,
	  "Print the kernel build's and QEMU's command lines, do nothing", 1 },
	{},
};

static const struct argp_option run_options[] = {
	{ "workload", 'w', "CASE", 0,
	  "Only these cases: WORKLOAD[:VARIANT][/FS[/SIZE]], shell patterns "
	  "allowed; may be repeated", 2 },
	{ "all", OPT_ALL, NULL, 0,
	  "Every workload, variant and size, not the two-minute sample", 2 },
	{ "repeat", OPT_REPEAT, "N", 0, "Run the cases N times over", 2 },
	{ "rundir", OPT_DIR, "DIR", 0,
	  "Run directory (a new one below ~/.local/state/rig/runs)", 2 },
	{ "no-census", OPT_NO_CENSUS, NULL, 0,
	  "Do not read the guest's struct pages", 2 },
	{ "census-hz", OPT_CENSUS_HZ, "N", 0,
	  "Sample them N times a second while cases run; 0: only between cases "
	  "(4)", 2 },
	{ "keep", OPT_KEEP, NULL, 0,
	  "Keep the NVDIMMs' files in the run directory", 2 },
	{ "json", OPT_JSON, NULL, 0, "findings.json on stdout", 2 },
	{},
};

struct parsed {
	struct run_opts *o;
	bool patches;	/* the last option was --patches */
};

static double positive(const char *arg, const char *option,
		       struct argp_state *state)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v > 0 && v <= 1e6))
		argp_error(state, "%s takes a number greater than 0", option);
	return v;
}

static error_t parse_kernel(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;
	struct run_opts *o = p->o;
	bool patches = p->patches;

	p->patches = false;
	switch (key) {
	case OPT_MACHINE:
		o->machine = machine_find(arg);
		if (!o->machine)
			argp_error(state, "no machine '%s'; see `rig list "
				   "machines`", arg);
		return 0;
	case OPT_ACCEL:
		o->accel = arg;
		return 0;
	case OPT_KCONFIG:
		strv_split(&o->kernel.kconfigs, arg, ",");
		return 0;
	case OPT_CONFIG:
		o->kernel.config = arg;
		return 0;
	case OPT_PATCHES:
		strv_push(&o->kernel.patches, arg);
		p->patches = true;
		return 0;
	case OPT_APPEND:
		o->append = arg;
		return 0;
	case OPT_QEMU:
		o->qemu = arg;
		return 0;
	case OPT_BOOT_TIMEOUT:
		o->boot_timeout = positive(arg, "--boot-timeout", state);
		return 0;
	case OPT_TIMEOUT_MUL:
		o->timeout_mul = positive(arg, "--timeout-mul", state);
		return 0;
	case OPT_DRY:
		o->dry_run = true;
		return 0;
	case 'j':
		o->kernel.jobs = atoi(arg);
		if (o->kernel.jobs < 1)
			argp_error(state, "--jobs takes a number from 1 on");
		return 0;
	case ARGP_KEY_ARG:
		/* --patches takes all that follows, once the kernel is known;
		 * before that one word has to be it. */
		if (o->spec && patches) {
			strv_push(&o->kernel.patches, arg);
			p->patches = true;
			return 0;
		}
		if (o->spec)
			argp_error(state, "one kernel at a time: '%s' and '%s'",
				   o->spec, arg);
		o->spec = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which kernel? A source tree, debian:SUITE, "
			   "debian-src:SUITE, a .deb or a bzImage");
		return 0;
	default:
		p->patches = patches;
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;
	struct run_opts *o = p->o;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = p;
		return 0;
	case 'w':
		strv_push(&o->cases, arg);
		break;
	case OPT_ALL:
		o->all = true;
		break;
	case OPT_REPEAT:
		o->repeat = atoi(arg);
		if (o->repeat < 1 || o->repeat > 100000)
			argp_error(state, "--repeat takes a number from 1 to "
				   "100000");
		break;
	case OPT_DIR:
		o->dir = arg;
		break;
	case OPT_NO_CENSUS:
		o->census = false;
		break;
	case OPT_CENSUS_HZ:
		o->census_hz = strcmp(arg, "0") == 0 ? 0 :
			       positive(arg, "--census-hz", state);
		if (o->census_hz > 1000)
			argp_error(state, "--census-hz takes at most 1000");
		break;
	case OPT_KEEP:
		o->keep = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	p->patches = false;
	return 0;
}

static const struct argp kernel_argp = {
	.options = kernel_options,
	.parser = parse_kernel,
};

static void run_opts_free(struct run_opts *o)
{
	strv_free(&o->kernel.kconfigs);
	strv_free(&o->kernel.patches);
	strv_free(&o->cases);
	strv_free(&o->words);
}

static int run_command(const struct argp *argp, int argc, char **argv,
		       bool shell)
{
	const char *qemu = getenv("RIG_QEMU");
	__cleanup(run_opts_free) struct run_opts o = {
		.machine = &machines[0],
		.accel = "auto",
		.qemu = qemu && *qemu ? qemu : "qemu-system-x86_64",
		.repeat = 1,
		.boot_timeout = 600,
		.timeout_mul = 1,
		.census = !shell,
		.census_hz = 4,
		.shell = shell,
	};
	struct parsed p = { .o = &o };

	strv_push(&o.words, "rig");
	for (int i = 0; i < argc; i++)
		strv_push(&o.words, argv[i]);
	if (cli_parse(argp, argc, argv, &p))
		return EXIT_USAGE;
	return run_run(&o);
}

int cmd_run(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &kernel_argp }, { &cli_common }, {},
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

	return run_command(&argp, argc, argv, false);
}

int cmd_shell(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp argp = {
		.options = kernel_options,
		.parser = parse_kernel,
		.args_doc = "KERNEL",
		.doc = "Boot KERNEL, make and mount the machine's namespaces, "
		       "and connect this terminal to a shell there. `exit` "
		       "ends the guest.",
		.children = children,
	};

	return run_command(&argp, argc, argv, true);
}
