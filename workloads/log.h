/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of who has which block and who holds what, for the census to name
 * what it finds: events that go the way of results. The helpers of workload.h
 * write it; workloads need not.
 *
 * It must not disturb what a workload tests: it maps nothing, keeps nothing
 * open and syncs nothing. Where a page of a mapping is, it asks of pagemap and
 * not of FIEMAP, which waits for the inode's lock
 * (fs/xfs/xfs_iops.c xfs_vn_fiemap(), fs/ext4/extents.c ext4_fiemap()), and so
 * for a truncate that waits for the very reference that is being told of.
 */
#ifndef WORKLOADS_LOG_H
#define WORKLOADS_LOG_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What all processes of a case share of it. */
struct log_shared {
	pthread_mutex_t census;	/* of the one that waits for the host */
	int census_seq;
	pthread_mutex_t lock;	/* of what follows, never held over a wait */
	int hold_id;
	struct told {
		ino_t ino;
		uint64_t off, dev, len;
	} told[128];
	unsigned int told_next;
	ino_t seen[64];		/* files that were told of, or had nothing */
	unsigned int seen_next;
	struct piped {
		ino_t pipe;
		int id;		/* 0: free */
	} piped[64];
};
extern struct log_shared *log_shared;

/* Before the case's first fork. */
void log_start(void);
/* One event, but for "t" and "case", which the agent adds; @o is put. */
void log_send(struct json_object *o);
/* Robust: whoever had it may have been killed. */
void log_lock(pthread_mutex_t *m);

/* A file as it was made, by FIEMAP, once; nothing may hold its lock. */
void log_file(int fd);
/* It was mapped at [@p, @p + @len) from @off on; tells of it if log_file()
 * did not. */
void log_map(int fd, off_t off, const void *p, size_t len);
/* [@p, @p + @len) was just faulted in, in steps of @step. */
void log_touched(const void *p, size_t len, size_t step);

/* A reference was taken on the pages there. Its number for log_release(), or 0
 * when they are not the device's. */
int log_hold(const char *kind, const void *p, size_t len);
void log_release(int id);
/* The same in two, for those who hold much and are looked at seldom: the byte
 * of the device whose page is mapped at @p now, -1 when it is another page, -2
 * when there is none; and @n such pages. */
int64_t log_page(int pagemap, const void *p);
int log_hold_pages(const char *kind, const int64_t *dev, size_t n);
/* The same for a pipe, first in, first out, from whichever process. */
void log_pipe_hold(int fd, const void *p, size_t len);
void log_pipe_drop(int fd);

#endif
