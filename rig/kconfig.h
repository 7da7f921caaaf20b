/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kconfig fragments: files of CONFIG_X=value lines that are merged into one
 * request, and the check afterwards of what became of each line.
 *
 * A fragment's first comment line is its help; the comment "default: yes" puts
 * it into every configuration that rig makes.
 */
#ifndef RIG_KCONFIG_H
#define RIG_KCONFIG_H

#include "util.h"

struct kconfig_want {
	char *symbol;	/* "CONFIG_FS_DAX" */
	char *value;	/* "y", "m", "n", "20", "\"text\"" */
	char *fragment;	/* which asks for it */
};

struct kconfig {
	struct kconfig_want *v;	/* each symbol once; the last fragment wins */
	size_t n;
	struct strv names;	/* fragments in the order they were merged */
};
#define _kconfig_ __cleanup(kconfig_free)

/*
 * Load the default fragments where @defaults, then those of @extra: names of
 * shipped fragments, or paths (with a '/' or ending in .config). Prints its
 * error line and returns EXIT_USAGE for a fragment that is none.
 */
int kconfig_load(struct kconfig *kc, bool defaults, const struct strv *extra);
void kconfig_free(struct kconfig *kc);

/* The merged request, as KCONFIG_ALLCONFIG takes it; owned by the caller. */
char *kconfig_text(const struct kconfig *kc);

/*
 * What @config (a whole .config) does not have as it was asked for, as one
 * line: each symbol, its fragment, and whether the Kconfig files of @tree know
 * it at all. NULL when nothing fell away; owned by the caller. -errno in *@err
 * when @config cannot be read.
 */
char *kconfig_lost(const struct kconfig *kc, const char *config,
		   const char *tree, int *err);

#endif
