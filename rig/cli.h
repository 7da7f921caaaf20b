/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands: one table in rig.c. Each has its argp and its function, in a file
 * of its own; options that several take are here.
 */
#ifndef RIG_CLI_H
#define RIG_CLI_H

#include "util.h"

#include <argp.h>

struct command {
	const char *name, *help;
	int (*fn)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_minimize(int argc, char **argv);
int cmd_shell(int argc, char **argv);
int cmd_gen(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_census(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_clean(int argc, char **argv);

/* -v and -q, for every command: put &cli_common into argp.children. */
extern const struct argp cli_common;

/*
 * argp_parse() with the name shown as "rig NAME"; a usage error exits 129.
 * Returns 0 or an error of the parser's.
 */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Path of a run directory: @name as it is, or a run's name below the state
 * folder, or the newest when NULL. Owned by the caller; NULL with an error
 * printed. */
char *cli_rundir(const char *name);

#endif
