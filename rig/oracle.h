/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a run directory to its findings, without booting anything: kernel
 * reports from the consoles, FAILs and programs' findings from the agent's
 * events, and what the host saw from host.jsonl. `rig run` ends with it and
 * `rig scan` redoes it; while a run goes on, the same functions tell what a
 * case has raised.
 */
#ifndef RIG_ORACLE_H
#define RIG_ORACLE_H

#include "cases.h"
#include "refmodel.h"
#include "finding.h"
#include "scan.h"

#include <json-c/json.h>

struct rundata {
	char *dir;
	struct json_object *info;	/* run.json; an empty object if lost */
	/* What a refcount means here, as it was measured. */
	struct ref_row rows[2];
	size_t nr_rows;
	char *blind;		/* why the census saw nothing, or NULL */
	struct cases cases;		/* as host.jsonl tells */
	struct findings findings;
	int boots;
	bool ended;			/* the run came to its end */
	int stopped;			/* else the exit code it stopped with;
					 * 0: rig was killed */
	char *why;			/* it stopped, or NULL */
	struct strv lost;		/* logs that cannot be read, and why */
};
#define _rundata_ __cleanup(rundata_free)

/* 0, or -errno: -ENOENT when @dir is no run directory. */
int rundata_load(const char *dir, struct rundata *d);
void rundata_free(struct rundata *d);

/* --- one line, or one report, at a time ------------------------------------ */

/* Findings of one boot's guest that are told apart; one that makes up more is
 * not worth more. */
#define ORACLE_MAX 256

struct oracle_boot {
	int nr;			/* the boot's number */
	unsigned int fresh;	/* findings that were new */
	unsigned int dropped;	/* sightings of those beyond ORACLE_MAX */
};

/*
 * An event of the agent's into @fs, where it tells of a finding: a FAIL, or a
 * `finding` event of kind "data" or "waiting". The guest is not trusted: what
 * is not as it should be is passed over. Whether it was one.
 */
bool oracle_guest(struct oracle_boot *b, struct json_object *ev,
		  struct findings *fs);
/* A line of host.jsonl into @fs, where it is an `observe`. Whether it was. */
bool oracle_host(struct json_object *line, struct findings *fs);
/* Kernel reports into @fs, but the panic of an NMI that rig sent at byte @nmi
 * of the console (-1: it sent none). */
void oracle_console(const struct kreports *r, int boot, int64_t nmi,
		    struct findings *fs);

#endif
