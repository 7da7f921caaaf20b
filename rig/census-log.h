/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-N/census.bin: what the live census saw, run-length compressed, written
 * as it is seen and readable up to its last whole record whatever happened
 * then. docs/census.md has the format.
 *
 * A frame is one pass over a namespace's struct pages. Pages that follow each
 * other and are alike (with an index that stays or counts up) are one run.
 */
#ifndef RIG_CENSUS_LOG_H
#define RIG_CENSUS_LOG_H

#include "census.h"
#include "util.h"

/* Namespaces are numbered below this one; pages of one. */
#define CENSUS_LOG_NS 64
#define CENSUS_LOG_PAGES ((uint64_t)1 << 28)

struct census_run {
	uint64_t first, n;		/* pages */
	struct page_view v;		/* of the first */
	bool counts;			/* the index is one more for each page;
					 * else it is the same for all */
};

/* The runs of one frame, in order, without gaps. */
struct census_runs {
	struct census_run *v;
	size_t n, cap;
};

/* --- writing ------------------------------------------------------------------ */

struct census_ptrs;

struct census_log {
	int fd;
	double start;		/* times are seconds since then (now()) */
	int error;		/* -errno of the first write that failed;
				 * nothing is written after it */
	uint64_t bytes;		/* written */
	struct {
		uint64_t n;		/* pages; 0: not said yet */
		bool framed;		/* @last is its newest frame */
		struct census_runs last;
	} ns[CENSUS_LOG_NS];
	struct census_runs now;		/* the frame that is being made */
	struct census_ptrs *ptrs;
	struct buf body;
};
#define CENSUS_LOG_INIT { .fd = -1 }

/*
 * A new file at @path, which must not be there; it is locked (flock) as long
 * as it is open, so that a reader can tell that there is more to come. 0 or
 * -errno.
 */
int census_log_open(struct census_log *l, const char *path);
/* Fine on one that is not open. */
void census_log_close(struct census_log *l);

/*
 * What follows returns 0 or -errno: l->error, or -EINVAL for an @ns or a
 * namespace beyond the limits above or that was not said.
 *
 * The namespace that frames with this @ns are of; said again when it was made
 * anew. @idle_ref: what an idle page counts.
 */
int census_log_ns(struct census_log *l, unsigned int ns,
		  const struct census_ns *c, int32_t idle_ref);
/* No more frames of @ns until it is said again. */
int census_log_gone(struct census_log *l, unsigned int ns);
/* One frame of the namespace as it is now. */
int census_log_frame(struct census_log *l, unsigned int ns,
		     const struct census_ns *c);
/* A point in time: "begin CASE", "end CASE", "hang", "at NAME". */
int census_log_mark(struct census_log *l, const char *text);
/* An event of the agent's about namespace @ns (extents, hold, release), the
 * JSON as it was received: owners.h makes something of it. */
int census_log_event(struct census_log *l, unsigned int ns, const char *json);

/* --- reading ------------------------------------------------------------------ */

struct census_frame {
	double t;
	unsigned int ns;
	size_t torn;			/* pages */
	bool same;			/* as the namespace's frame before */
	const struct census_run *runs;	/* all its pages */
	size_t nr_runs;
};

struct census_log_ns_info {
	unsigned int ns;
	const char *name;
	uint64_t data_pfn, n;
	int32_t idle_ref;
};

/* Called in the order of the file; pointers are valid during the call. Each
 * may be NULL. Texts are as they were written: show them printable(). */
struct census_log_reader {
	void (*ns)(const struct census_log_ns_info *ns, double t, void *arg);
	void (*gone)(unsigned int ns, double t, void *arg);
	void (*frame)(const struct census_frame *f, void *arg);
	void (*mark)(const char *text, double t, void *arg);
	void (*event)(unsigned int ns, const char *json, double t, void *arg);
	void *arg;
};

struct census_reader;

struct census_reader *census_reader_new(const struct census_log_reader *cb);
void census_reader_free(struct census_reader *r);

/*
 * Read the records of the @len bytes that come next. Returns how many bytes
 * whole records took: less than @len when the last one is torn (the writer
 * died, or is still at it): come again with the rest and what follows it.
 * -EINVAL, with *@why (freed by the caller), for a file that is none of ours or
 * a record that is no record; the reader is then of no more use. Memory is
 * bounded by a small multiple of the file's bytes.
 */
ssize_t census_reader_feed(struct census_reader *r, const void *data,
			   size_t len, char **why);

/*
 * Read what @fd has from where it stands to its end as of now; for a file that
 * grows, come again. Returns the bytes of a torn record at the end (0: none),
 * or -errno: -EINVAL as above, others with *@why NULL.
 */
ssize_t census_reader_fd(struct census_reader *r, int fd, char **why);

/* All of @data, as census_reader_feed(). */
ssize_t census_log_read(const void *data, size_t len,
			const struct census_log_reader *cb, char **why);

#endif
