// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From one offset of a file to another of the same file, by reference: a page
 * of its mapping goes into a pipe by vmsplice, the pipe into the file by
 * splice, iter_file_splice_write(). The write holds the inode lock while it
 * copies from a page of the same file, whose reference it then drops. Caught:
 * a put that takes the file's locks, a copy from a page that has gone away.
 *
 * "truncate": truncate waits for the page with the inode lock held (only the
 * lock of faults is dropped in xfs_wait_dax_page() and ext4_wait_dax_page()),
 * the splice that would drop the reference waits for the inode lock: neither
 * goes on, on any kernel so far, until one is killed.
 */
#include "change.h"

#include <sys/uio.h>

struct job {
	struct scene *s;
	int fds[2];
	off_t to;
};

static int splice_in(void *arg)
{
	struct job *j = arg;
	loff_t to = j->to;
	ssize_t n = splice(j->fds[0], NULL, j->s->fd, &to, PAGE, 0);

	return n < 0 ? errno : n != (ssize_t)PAGE ? EIO : 0;
}

static void into_pipe(struct job *j)
{
	struct iovec iov = { .iov_base = j->s->page, .iov_len = PAGE };

	SAFE(pipe2(j->fds, O_CLOEXEC));
	if (SAFE(vmsplice(j->fds[1], &iov, 1, SPLICE_F_NONBLOCK)) !=
	    (ssize_t)PAGE)
		BROKEN("vmsplice took less than a page");
}

static void against_truncate(struct scene *s, struct job *j)
{
	struct attempt cut, in;
	bool both;

	attempt_start(&cut, "truncate", scene_change, s);
	if (!attempt_blocks(&cut))
		SKIP("truncate does not wait for the page");
	attempt_start(&in, "splice", splice_in, j);
	/* The pipe is the only one of its kind: splice is to empty it. */
	close(j->fds[0]);
	close(j->fds[1]);
	both = WAIT_FOR(attempt_done(&in) && attempt_done(&cut), 2);
	if (!CHECK(both, "splice of a file's page into the file and a waiting "
			 "truncate of it both end")) {
		INFO("truncate sleeps in %s, splice in %s",
		     strdup(attempt_where(&cut)), strdup(attempt_where(&in)));
		CHECK(attempt_kill(&cut, 5), "SIGKILL ends the truncate");
		CHECK(attempt_wait(&in, 5, NULL), "and then splice ends");
	}
	attempt_end(&in);
	attempt_end(&cut);
	check_units(s->near, "the neighbour", "abc");
}

/* What went to @to is @was, the page as it was, or its own image of it. */
static void check_copy(struct scene *s, const char *was, off_t to)
{
	off_t from = 2 * wl->unit - PAGE;
	static char got[2 * PAGE];

	if (to == from || to >= from + (off_t)PAGE) {
		check_page(s->fd, to, was, to == from ? 'b' : 'c', "splice");
		scene_check_before(s);
		return;
	}
	/* Source and destination overlap by half a page: what is there then
	 * is nobody's promise, but the bytes around it are. */
	SAFE(pread(s->fd, got, 2 * PAGE, from));
	CHECK(memcmp(got, was, PAGE / 2) == 0,
	      "what is before the destination is as it was");
	CHECK(fill_diff(got + PAGE + PAGE / 2, PAGE / 2, 1,
			from + PAGE + PAGE / 2) < 0,
	      "what is behind the destination is as it was");
	check_units(s->near, "the neighbour", "abc");
}

static void run(void)
{
	static char was[PAGE];
	struct scene s;
	struct job j = { .s = &s };
	struct attempt a;
	int ret;

	scene_make(&s, "truncate");
	scene_map(&s);
	memcpy(was, s.page, PAGE);
	into_pipe(&j);
	if (strcmp(wl->variant, "truncate") == 0) {
		j.to = 3 * wl->unit - PAGE;
		against_truncate(&s, &j);
		return;
	}
	j.to = strcmp(wl->variant, "copy") == 0 ? 3 * wl->unit - PAGE :
					    2 * wl->unit - PAGE;
	if (strcmp(wl->variant, "overlap") == 0)
		j.to += PAGE / 2;
	attempt_start(&a, "splice", splice_in, &j);
	if (CHECK(attempt_wait(&a, 5, &ret),
		  "splice of a file's page into the file ends") &&
	    CHECK(ret == 0, "splice succeeds: %s", strerror(ret)))
		check_copy(&s, was, j.to);
	attempt_end(&a);
	close(j.fds[0]);
	close(j.fds[1]);
	attempt_start(&a, "truncate", scene_change, &s);
	CHECK(attempt_wait(&a, 5, &ret) && ret == 0,
	      "truncate waits for nothing afterwards");
	attempt_end(&a);
}

WORKLOAD(
	.name = "self-dma-splice",
	.help = "a file's page spliced into the file: right data, no deadlock",
	.point = "self-dma",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 2,
	.variants = (const char *const[]){ "copy", "same", "overlap",
					   "truncate", NULL },
	.run = run,
);
