/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports: one table of formats in report.c; a row is all there is to one.
 */
#ifndef RIG_REPORT_H
#define RIG_REPORT_H

#include "oracle.h"

struct report_format {
	const char *name;	/* "text" */
	const char *file;	/* its name in the run directory */
	/* The whole report, owned by the caller. */
	char *(*make)(const struct rundata *d);
};

extern const struct report_format report_formats[];
extern const size_t nr_report_formats;

/* Every format into the run directory; 0 or -errno, with *@file the one that
 * could not be written. */
int report_write_all(const struct rundata *d, const char **file);

/* The short form for the end of a run: a table and the verdict, to @out. */
void report_summary(const struct rundata *d, FILE *out);

/* What the run's findings and cases make of its exit code. */
int report_exit(const struct rundata *d);

/* "rig run SPEC ... --workload CASE": reruns one case of this run. */
char *report_rerun(const struct rundata *d, const char *case_name);

#endif
