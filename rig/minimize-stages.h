/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Minimising, stage after stage. Each is called once, in the order they stand
 * here, on what the ones before it have left; each goes on where an earlier
 * call of the whole was stopped, by the journal. They return 0 or an enum
 * rig_exit, with what is wrong printed.
 */
#ifndef RIG_MINIMIZE_STAGES_H
#define RIG_MINIMIZE_STAGES_H

#include "cli-run.h"
#include "minimize.h"
#include "oracle.h"
#include "program.h"

/* Programs of a finding that are tried, the shortest first. */
#define MAX_PROGRAMS 8

enum shown { C_NONE, C_NO_COMPILER, C_BROKEN, C_CANNOT_TELL, C_NO_GUEST,
	     C_TRIED };

struct minimize {
	/* as asked */
	const char *rundir;
	unsigned int nr, jobs, tries;
	double max_time;
	bool json;
	const char *accel, *qemu, *timeout_mul;
	/* what for */
	char *dir, *out;
	struct rundata d;
	const struct finding *f;
	struct cli_run run;
	struct strv words;		/* that name kernel and machine */
	/* with what */
	struct program v[MAX_PROGRAMS];
	size_t n;
	struct program all;		/* what any of them needs */
	const struct program *from;
	struct journal journal;
	struct vms *vms;
	struct runner vm_runner, runner;
	struct judge judge;
	struct search search;
	struct ptext best;
	size_t steps;			/* it had at first */
	bool fresh;			/* a run was made, not remembered */
	double started;
	/* what came of it */
	struct rate original, minimal, shown;
	enum shown c;
	bool out_of_time;
};

/* The folder, the journal, and who runs candidates. */
int minimize_begin(struct minimize *m);
/* The first program that still shows it: m->from, m->best. EXIT_FINDINGS when
 * none does. */
int minimize_reproduce(struct minimize *m);
/* m->best is the smallest, or the smallest until the time was up. */
int minimize_search(struct minimize *m);
/* How often it shows it; minimal.prog. */
int minimize_measure(struct minimize *m);
/* reproducer.c, and whether it shows it. */
int minimize_c(struct minimize *m);
/* " of 12 rounds", of runs that have so many; "" of one. The caller's. */
char *minimize_rounds(struct rate r);
void minimize_free(struct minimize *m);

#endif
