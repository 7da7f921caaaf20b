// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	switch (key) {
	case 'q':
		verbosity = 0;
		return 0;
	case 'v':
		verbosity++;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
	{ "quiet", 'q', NULL, 0, "Only errors and results", 100 },
	{ "verbose", 'v', NULL, 0, "Say more", 100 },
	{},
};

const struct argp cli_common = {
	.options = common_options,
	.parser = parse_common,
};

int cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	_free_ char *name = xstrfmt("rig %s", argv[0]);

	argv[0] = name;
	return argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input);
}

char *cli_rundir(const char *name)
{
	_free_ char *runs = NULL, *best = NULL, *dir = NULL;
	struct dirent **list;
	int n;

	if (name && (strchr(name, '/') || path_exists(name))) {
		_free_ char *host = xstrfmt("%s/host.jsonl", name);
		char *abs = realpath(name, NULL);

		if (abs && path_exists(host))
			return abs;
		free(abs);
		error("%s is no run directory: it has no host.jsonl", name);
		return NULL;
	}
	runs = state_path("runs");
	if (!runs)
		return NULL;
	if (name) {
		dir = xstrfmt("%s/%s", runs, name);
		if (path_exists(dir))
			return take_ptr(dir);
		error("no run '%s' in %s", name, runs);
		return NULL;
	}
	n = scandir(runs, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		_free_ char *host = xstrfmt("%s/%s/host.jsonl", runs,
					    list[i]->d_name);

		if (list[i]->d_name[0] != '.' && path_exists(host)) {
			free(best);
			best = xstrfmt("%s/%s", runs, list[i]->d_name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	if (!best)
		error("no run in %s yet; `rig run KERNEL` makes one", runs);
	return take_ptr(best);
}
