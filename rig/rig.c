// SPDX-License-Identifier: GPL-2.0-or-later
/* rig: boots a kernel against emulated NVDIMMs and reports what it does wrong. */
#include "cli.h"
#include "proc.h"

#include <string.h>

#ifndef RIG_VERSION
#define RIG_VERSION "0.1"
#endif

static const struct command commands[] = {
	{ "run", "boot a kernel, run workloads, report what it did wrong",
	  cmd_run },
	{ "minimize", "a finding of generated programs to the shortest one, and to C",
	  cmd_minimize },
	{ "shell", "an interactive guest with the namespaces mounted",
	  cmd_shell },
	{ "gen", "programs of a seed, as `rig run --mix` runs them", cmd_gen },
	{ "replay", "run programs once more, by file or by finding",
	  cmd_replay },
	{ "list", "workloads, operations, machines, kernels or kconfigs", cmd_list },
	{ "show", "the report of a run", cmd_show },
	{ "scan", "findings and reports of a run, made anew from its logs",
	  cmd_scan },
	{ "census", "what struct pages counted, as a table or a picture",
	  cmd_census },
	{ "doctor", "what this host has, lacks and how to get it",
	  cmd_doctor },
	{ "clean", "remove what rig keeps in its cache, or old runs",
	  cmd_clean },
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: rig COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name,
			commands[i].help);
	fprintf(out, "\n`rig COMMAND --help` tells the rest.\n\n"
		"Exit codes: 0 clean, 1 findings, 125 the kernel cannot be "
		"tested,\n128 rig itself failed, 129 usage, 130 interrupted. "
		"Fit for `git bisect run`.\n");
}

int main(int argc, char **argv)
{
	int err = signals_init();

	if (err)
		return error("cannot set up signals: %s", strerror(-err)),
		       EXIT_RIG_FAILED;
	argp_err_exit_status = EXIT_USAGE;
	if (argc < 2)
		return usage(stderr), EXIT_USAGE;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return usage(stdout), EXIT_CLEAN;
	if (strcmp(argv[1], "--version") == 0)
		return printf("rig %s\n", RIG_VERSION), EXIT_CLEAN;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[1]) == 0) {
			int ret = commands[i].fn(argc - 1, argv + 1);

			if (fflush(stdout) || ferror(stdout))
				return error("cannot write to stdout"),
				       EXIT_RIG_FAILED;
			return ret;
		}
	error("no command '%s'; `rig --help` lists them", argv[1]);
	return EXIT_USAGE;
}
