// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig clean`: the cache, and runs that nobody wants any more. Only what rig
 * made is removed, never a path that somebody named. */
#include "cache.h"
#include "cli.h"
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OPT_CACHE = 0x100, OPT_RUNS, OPT_DRY };

struct clean {
	bool cache, dry;
	int days;	/* runs older than this; -1: none */
};

static const struct argp_option options[] = {
	{ "cache", OPT_CACHE, NULL, 0,
	  "Everything in the cache: packages, build trees, images", 1 },
	{ "runs", OPT_RUNS, "DAYS", 0,
	  "Runs that are older than DAYS days (0: all)", 1 },
	{ "dry-run", OPT_DRY, NULL, 0, "Only say what would go", 1 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct clean *c = state->input;
	char *end;

	switch (key) {
	case OPT_CACHE:
		c->cache = true;
		return 0;
	case OPT_RUNS:
		c->days = strtol(arg, &end, 10);
		if (end == arg || *end || c->days < 0)
			argp_error(state, "--runs takes a number of days");
		return 0;
	case OPT_DRY:
		c->dry = true;
		return 0;
	case ARGP_KEY_END:
		if (!c->cache && c->days < 0)
			argp_error(state, "clean what? --cache, --runs DAYS");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Entries of a folder of ours that are older than @days, or all for < 0. */
static int clean_dir(const char *dir, int days, bool dry)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), ret = 0;

	for (int i = 0; i < n; i++) {
		_free_ char *path = xstrfmt("%s/%s", dir, list[i]->d_name);
		struct stat st;
		int err;

		if (strcmp(list[i]->d_name, ".") != 0 &&
		    strcmp(list[i]->d_name, "..") != 0 &&
		    lstat(path, &st) == 0 &&
		    (days < 0 || time(NULL) - st.st_mtime >= days * 86400L)) {
			printf("%s %s\n", dry ? "would remove" : "removed",
			       path);
			err = dry ? 0 : remove_tree(path);
			if (err)
				ret = error("cannot remove %s: %s", path,
					    strerror(-err));
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return ret;
}

int cmd_clean(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.doc = "Remove what rig keeps. Run it while no other rig "
		       "runs.",
	};
	struct clean c = { .days = -1 };
	_free_ char *cache = NULL, *runs = NULL;
	int err = 0;

	if (cli_parse(&argp, argc, argv, &c))
		return EXIT_USAGE;
	cache = cache_path("x");
	runs = state_path("runs");
	if (!cache || !runs)
		return EXIT_RIG_FAILED;
	*strrchr(cache, '/') = '\0';
	if (c.cache)
		err |= clean_dir(cache, -1, c.dry);
	if (c.days >= 0)
		err |= clean_dir(runs, c.days, c.dry);
	return err ? EXIT_RIG_FAILED : EXIT_CLEAN;
}
