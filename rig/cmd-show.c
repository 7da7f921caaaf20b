// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig show` and `rig scan`: a run directory's findings, without booting. */
#include "cli.h"
#include "report.h"

#include <errno.h>
#include <string.h>

struct shown {
	const char *rundir;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'J', NULL, 0, "findings.json on stdout", 1 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct shown *s = state->input;

	switch (key) {
	case 'J':
		s->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (s->rundir)
			argp_error(state, "one run at a time");
		s->rundir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common }, {} };

static char *report_as(const struct rundata *d, const char *format)
{
	for (size_t i = 0; i < nr_report_formats; i++)
		if (strcmp(report_formats[i].name, format) == 0)
			return report_formats[i].make(d);
	return NULL;
}

static int show(const struct argp *argp, int argc, char **argv, bool write)
{
	_rundata_ struct rundata d = {};
	_free_ char *dir = NULL, *text = NULL;
	struct shown s = {};
	const char *file;
	int err;

	if (cli_parse(argp, argc, argv, &s))
		return EXIT_USAGE;
	dir = cli_rundir(s.rundir);
	if (!dir)
		return EXIT_USAGE;
	err = rundata_load(dir, &d);
	if (err)
		return error("%s: cannot read the run's logs: %s", dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	err = write ? report_write_all(&d, &file) : 0;
	if (err)
		return error("cannot write %s/%s: %s", dir, file,
			     strerror(-err)), EXIT_RIG_FAILED;
	if (write && !s.json) {
		report_summary(&d, stdout);
		return report_exit(&d);
	}
	text = report_as(&d, s.json ? "json" : "text");
	fputs(text, stdout);
	return report_exit(&d);
}

int cmd_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "[RUNDIR]",
		.doc = "Print the report of a run, the newest by default. "
		       "Exits as the run did: 0 clean, 1 findings, 125.",
	};

	return show(&argp, argc, argv, false);
}

int cmd_scan(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "[RUNDIR]",
		.doc = "Make findings.json and report.txt of a run anew from "
		       "its raw logs, and print the findings.",
	};

	return show(&argp, argc, argv, true);
}
