/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings: what a run says is wrong with the kernel. Every oracle (console
 * scanner, workload results, a program's data and waits, watchdog, filesystem
 * check, VM exit) adds to one list, and every output (table, report,
 * findings.json) is made from it.
 *
 * Two sightings are one finding when their fingerprints agree. A fingerprint
 * is made of the kind, a key that leaves out whatever differs between two
 * sightings of one bug (addresses, pids, times, line numbers, CPU), and the
 * site (FILE:LINE) where there is one. The family is the fingerprint without
 * the site: what stays the same from one kernel to another when only lines
 * have moved.
 */
#ifndef RIG_FINDING_H
#define RIG_FINDING_H

#include "util.h"

struct finding {
	char *kind;		/* "WARNING", "KASAN", "workload-fail", "hang" */
	char *oracle;		/* "kernel", "workload", "data", "waiting",
				 * "watchdog", "fsck", "census", "vm" */
	char *title;		/* one line, printable: "WARNING in
				 * dax_disassociate_entry (fs/dax.c:398)" */
	char fingerprint[17];
	char family[17];	/* compare over kernels by this one */
	char *key;		/* what the fingerprint is made of */
	unsigned int count;	/* sightings */
	struct strv cases;	/* cases running when seen, each once, in order
				 * of first sighting, the first FINDING_CASES of
				 * them; empty: outside any case */
	char *text;		/* first sighting, as it stood, printable */
	char *detail;		/* the same for programs, as JSON; or NULL */
	int boot;		/* where the first sighting is: boot number, */
	size_t offset;		/* byte offset in its console.log, */
	double time;		/* guest seconds since boot, < 0 unknown */
};

/* Names of cases that are kept of one finding. */
#define FINDING_CASES 1000

struct findings {
	struct finding *v;
	size_t n;
};
#define _findings_ __cleanup(findings_free)

/* One sighting, all strings borrowed. @key and @site are what the fingerprint
 * is made of beside @kind; @title and @text are made printable here. */
struct sighting {
	const char *kind, *oracle, *title, *key;
	const char *site;	/* FILE:LINE, or NULL */
	unsigned int count;	/* sightings in one; 0 is 1 */
	const char *case_name;	/* NULL: outside any case */
	const char *text;
	size_t text_len;
	const char *detail;	/* JSON, or NULL */
	int boot;
	size_t offset;
	double time;
};

/* Add a sighting: a new finding, or one more of an old one. The finding is
 * valid until the next call. */
struct finding *findings_add(struct findings *fs, const struct sighting *s);
struct finding *findings_find(struct findings *fs, const char *fingerprint);
/* The finding that @s would be one more sighting of, or NULL. */
struct finding *findings_known(struct findings *fs, const struct sighting *s);
void findings_free(struct findings *fs);

/* findings.json's array, as a new json-c object that the caller puts; and
 * back: 0, or -EINVAL when @array is not what findings_to_json() makes. */
struct json_object;
struct json_object *findings_to_json(const struct findings *fs);
int findings_from_json(struct findings *fs, struct json_object *array);

#endif
