/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console scanner: raw bytes of a kernel console in, kernel reports out.
 *
 * It takes what real consoles hold: reports of several CPUs interleaved (kept
 * apart by the printk caller "[  T123]" / "[   C1]" where the kernel prints
 * one, by CPU/PID lines and state otherwise), torn and truncated lines, other
 * writers' text in the middle of a line, NUL and non-UTF-8 bytes, CR LF, a log
 * that ends in the middle of a report, megabytes of flood. It never fails:
 * whatever the bytes, it returns the reports it can tell.
 *
 * What is a report, its title, what goes into the key and which stack frames
 * are skipped for a title is data: one table, in patterns.c.
 */
#ifndef RIG_SCAN_H
#define RIG_SCAN_H

#include "util.h"

/* Console lines the agent writes (through /dev/kmsg) around each case:
 * "rig: begin CASE" and "rig: end CASE". CASE has no white space. */
#define SCAN_MARK_BEGIN "rig: begin "
#define SCAN_MARK_END "rig: end "

struct kreport {
	const char *kind;	/* of the pattern: "WARNING", "BUG", "oops",
				 * "KASAN", "hung-task", "bad-page", ... */
	char *title;		/* "WARNING in dax_insert_entry (fs/dax.c:380)" */
	char *key;		/* function or the like: stable over builds,
				 * boots and line numbers */
	char *site;		/* FILE:LINE of a WARN or BUG, else NULL: keeps
				 * two WARNs of one function apart */
	char *case_name;	/* the case whose markers are around the report's
				 * first line; NULL outside */
	double time;		/* guest seconds of its first line, or -1 */
	size_t start, end;	/* byte range in the console, first line's start
				 * to last line's end; other reports' and
				 * unrelated lines may lie between */
	char *text;		/* the report's own lines only, '\n'-joined, as
				 * they stood */
	size_t text_len;
	bool fatal;		/* the kernel cannot be trusted after it: oops,
				 * BUG, panic, lockup: the VM is to be booted
				 * anew */
	bool truncated;		/* its end was not seen */
	unsigned int count;	/* 1; more where a flood of the same report was
				 * folded into this one, see SCAN_KEEP */
};

/* So many reports of one kind, key, site and case are kept each on its own;
 * further ones only count, so that a flood does not eat the host's memory. */
#define SCAN_KEEP 64

struct kreports {
	struct kreport *v;
	size_t n;
};
#define _kreports_ __cleanup(kreports_free)

/*
 * All reports that begin at or after byte @from of the console @data. Bytes
 * before @from are still read for the markers, so that the case is known.
 * Reports come in the order of their first byte.
 */
void scan_console(const char *data, size_t len, size_t from,
		  struct kreports *out);
void kreports_free(struct kreports *r);

struct findings;
/* Reports as sightings (oracle "kernel"); @boot is the boot's number. */
void scan_to_findings(const struct kreports *r, int boot, struct findings *fs);

#endif
