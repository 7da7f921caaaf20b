// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli-run.h"

#include <errno.h>
#include <string.h>

enum {
	OPT_MACHINE = 0x1000, OPT_ACCEL, OPT_KCONFIG, OPT_CONFIG, OPT_PATCHES,
	OPT_DRY, OPT_JSON, OPT_KEEP, OPT_NO_CENSUS, OPT_CENSUS_HZ, OPT_DIR,
	OPT_QEMU, OPT_APPEND, OPT_BOOT_TIMEOUT, OPT_TIMEOUT_MUL,
};

void cli_run_init(struct cli_run *c, int argc, char **argv)
{
	const char *qemu = getenv("RIG_QEMU");

	*c = (struct cli_run){ .o = {
		.machine = &machines[0],
		.accel = "auto",
		.qemu = qemu && *qemu ? qemu : "qemu-system-x86_64",
		.repeat = 1,
		.boot_timeout = 600,
		.timeout_mul = 1,
		.census = true,
		.census_hz = 4,
	} };
	strv_push(&c->o.words, "rig");
	for (int i = 0; i < argc; i++)
		strv_push(&c->o.words, argv[i]);
}

void cli_run_free(struct cli_run *c)
{
	strv_free(&c->o.kernel.kconfigs);
	strv_free(&c->o.kernel.patches);
	strv_free(&c->o.cases);
	strv_free(&c->o.add);
	strv_free(&c->o.words);
}

double cli_positive(const char *arg, const char *option,
		    struct argp_state *state)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v > 0 && v <= 1e6))
		argp_error(state, "%s takes a number greater than 0", option);
	return v;
}

uint64_t cli_number(const char *arg, const char *option, uint64_t min,
		    uint64_t max, struct argp_state *state)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(arg, &end, 10);
	/* strtoull() takes a sign. */
	if (*arg < '0' || *arg > '9' || *end || errno || v < min || v > max)
		argp_error(state, "%s takes a number from %llu to %llu", option,
			   (unsigned long long)min, (unsigned long long)max);
	return v;
}

double cli_seconds(const char *arg)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	char *end;
	double v;

	/* Neither blanks nor signs, nor "inf" or hex digits. */
	if (strspn(arg, "0123456789.") != strcspn(arg, "smh"))
		return -1;
	v = strtod(arg, &end);
	if (end == arg)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].unit) == 0) {
			v *= units[i].seconds;
			return v > 0 && v <= 366 * 86400.0 ? v : -1;
		}
	return -1;
}

/* --- the kernel and its machine -------------------------------------------- */

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

static error_t parse_kernel(int key, char *arg, struct argp_state *state)
{
	struct cli_run *p = state->input;
	struct run_opts *o = &p->o;
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
		o->boot_timeout = cli_positive(arg, "--boot-timeout", state);
		return 0;
	case OPT_TIMEOUT_MUL:
		o->timeout_mul = cli_positive(arg, "--timeout-mul", state);
		return 0;
	case OPT_DRY:
		o->dry_run = true;
		return 0;
	case 'j':
		o->kernel.jobs = cli_number(arg, "--jobs", 1, 10000, state);
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
		if (p->any_kernel)
			return 0;
		argp_error(state, "which kernel? A source tree, debian:SUITE, "
			   "debian-src:SUITE, a .deb or a bzImage");
		return 0;
	default:
		p->patches = patches;
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_kernel = {
	.options = kernel_options,
	.parser = parse_kernel,
};

/* --- the run --------------------------------------------------------------- */

static const struct argp_option cases_options[] = {
	{ "rundir", OPT_DIR, "DIR", 0,
	  "Run directory (a new one below ~/.local/state/rig/runs)", 3 },
	{ "no-census", OPT_NO_CENSUS, NULL, 0,
	  "Do not read the guest's struct pages", 3 },
	{ "census-hz", OPT_CENSUS_HZ, "N", 0,
	  "Sample them N times a second while cases run; 0: only between cases "
	  "(4)", 3 },
	{ "keep", OPT_KEEP, NULL, 0,
	  "Keep the NVDIMMs' files in the run directory", 3 },
	{ "json", OPT_JSON, NULL, 0, "findings.json on stdout", 3 },
	{},
};

static error_t parse_cases(int key, char *arg, struct argp_state *state)
{
	struct cli_run *p = state->input;
	struct run_opts *o = &p->o;

	switch (key) {
	case OPT_DIR:
		o->dir = arg;
		break;
	case OPT_NO_CENSUS:
		o->census = false;
		break;
	case OPT_CENSUS_HZ:
		o->census_hz = strcmp(arg, "0") == 0 ? 0 :
			       cli_positive(arg, "--census-hz", state);
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

const struct argp cli_cases = {
	.options = cases_options,
	.parser = parse_cases,
};
