/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-N/census.bin: what the live census saw, run-length compressed, written
 * as it is seen and readable up to its last whole record whatever happened
 * then. docs/census.md has the format.
 *
 * A frame is one pass over a namespace's struct pages. Pages that follow each
 * other and are alike (with an index that counts up) are one run.
 */
#ifndef RIG_CENSUS_LOG_H
#define RIG_CENSUS_LOG_H

#include "census.h"
#include "util.h"

/* --- writing ------------------------------------------------------------------ */

struct census_log {
	int fd;
	double start;		/* times are seconds since then (now()) */
	int error;		/* -errno of the first write that failed */
	uint64_t bytes;		/* written */
};

/* A new file at @path, which must not be there. 0 or -errno. */
int census_log_open(struct census_log *l, const char *path);
void census_log_close(struct census_log *l);
/* The namespace that frames with this @ns (a small number) are of; said again
 * when it was made anew. @idle_ref: what an idle page counts. */
int census_log_ns(struct census_log *l, unsigned int ns,
		  const struct census_ns *c, int32_t idle_ref);
/* One frame of the namespace as it is now. */
int census_log_frame(struct census_log *l, unsigned int ns,
		     const struct census_ns *c);
/* A point in time: "begin CASE", "end CASE", "hang", "at NAME". */
int census_log_mark(struct census_log *l, const char *text);

/* --- reading ------------------------------------------------------------------ */

struct census_run {
	uint64_t first, n;		/* pages */
	struct page_view v;		/* of the first; index counts up */
};

struct census_frame {
	double t;
	unsigned int ns;
	size_t torn;			/* pages */
	const struct census_run *runs;
	size_t nr_runs;
};

struct census_log_ns_info {
	unsigned int ns;
	const char *name;
	uint64_t data_pfn, n;
	int32_t idle_ref;
};

/* Called in the order of the file; pointers are valid during the call. */
struct census_log_reader {
	void (*ns)(const struct census_log_ns_info *ns, double t, void *arg);
	void (*frame)(const struct census_frame *f, void *arg);
	void (*mark)(const char *text, double t, void *arg);
	void *arg;
};

/*
 * Read the records of @data. Returns how many bytes whole records took: less
 * than @len when the last one is torn (the writer died, or is still at it:
 * go on from there). -EINVAL, with *@why (freed by the caller), for a file that
 * is none of ours or a record that is no record.
 */
ssize_t census_log_read(const void *data, size_t len,
			const struct census_log_reader *r, char **why);

#endif
