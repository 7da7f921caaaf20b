/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the commands that boot a kernel: which kernel on which machine,
 * and what becomes of the run. Each is an argp child; the input of both is a
 * struct cli_run.
 */
#ifndef RIG_CLI_RUN_H
#define RIG_CLI_RUN_H

#include "cli.h"
#include "run.h"

struct cli_run {
	struct run_opts o;
	bool any_kernel;	/* KERNEL may be left out */
	bool patches;		/* the last option was --patches: arguments
				 * that follow are more of them. Another
				 * option's parser clears it. */
};
#define _cli_run_ __cleanup(cli_run_free)

/* As no option at all says; o.words are the command's. */
void cli_run_init(struct cli_run *c, int argc, char **argv);
void cli_run_free(struct cli_run *c);

/* --machine, --kconfig ... and the argument KERNEL. */
extern const struct argp cli_kernel;
/* --rundir, --no-census ... of commands that run cases. */
extern const struct argp cli_cases;

/* A number greater than 0, or a usage error that names @option. */
double cli_positive(const char *arg, const char *option,
		    struct argp_state *state);
/* A whole number of @min to @max; the same. */
uint64_t cli_number(const char *arg, const char *option, uint64_t min,
		    uint64_t max, struct argp_state *state);
/* "90s", "5m", "1h", or "90" as seconds; -1 when @arg is none of that, or
 * nothing, or more than a year. */
double cli_seconds(const char *arg);

#endif
