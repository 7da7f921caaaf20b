/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a run directory to its findings, without booting anything: kernel
 * reports from the consoles, FAILs from the agent's events, and what the host
 * saw from host.jsonl. `rig run` ends with it and `rig scan` redoes it.
 */
#ifndef RIG_ORACLE_H
#define RIG_ORACLE_H

#include "cases.h"
#include "refmodel.h"
#include "finding.h"

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

#endif
