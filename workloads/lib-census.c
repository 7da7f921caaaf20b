// SPDX-License-Identifier: GPL-2.0-or-later
/* A case has the host look at struct pages, and waits for it. */
#include "workload.h"
#include "log.h"
#include "guest/agent.h"

#include <poll.h>
#include <sys/socket.h>

/* Seconds that the host may take, scaled. */
#define LIMIT 20

bool wl_has_census(void)
{
	return wl->census;
}

/* Whether the answer to census @seq came in time. Answers to earlier ones,
 * whose processes did not live to read them, are dropped. */
static bool wait_for_go(int seq)
{
	double until = wl_now() + LIMIT * wl->scale, left;

	while ((left = until - wl_now()) > 0) {
		struct pollfd pfd = { .fd = wl_result_fd, .events = POLLIN };
		char msg[16];
		ssize_t n;

		if (poll(&pfd, 1, left * 1000 + 1) <= 0)
			continue;
		n = recv(wl_result_fd, msg, sizeof(msg) - 1, MSG_DONTWAIT);
		/* The agent has gone. */
		if (n == 0)
			return false;
		msg[n > 0 ? n : 0] = '\0';
		if (atoi(msg) == seq)
			return true;
	}
	return false;
}

void wl_census(const char *at, off_t dev_off, size_t len)
{
	struct json_object *o;
	bool went;
	int seq;

	if (!wl->census)
		return;
	/* One socket for all processes: only one may wait at it. */
	log_lock(&log_shared->census);
	seq = ++log_shared->census_seq;
	o = json_object_new_object();
	put_str(o, "ev", "census");
	put_num(o, "seq", seq);
	put_str(o, "at", at);
	put_num(o, "off", dev_off);
	put_num(o, "len", len);
	log_send(o);
	went = wait_for_go(seq);
	pthread_mutex_unlock(&log_shared->census);
	if (!went)
		BROKEN("nobody took the census \"%s\"", at);
}

void wl_census_hz(double hz)
{
	struct json_object *o;

	if (!wl->census)
		return;
	o = json_object_new_object();
	put_str(o, "ev", "census-hz");
	put_num(o, "hz", hz);
	log_send(o);
}

void wl_census_file(const char *at, int fd, off_t off, size_t len)
{
	if (!wl->census)
		return;
	if (strcmp(wl->fs, "devdax") != 0) {
		off_t first = block_of(fd, off, NULL);

		if (first < 0 || block_of(fd, off + len - 1, NULL) !=
					 first + (off_t)len - 1)
			BROKEN("census of a hole, or of several extents");
		off = first;
	}
	wl_census(at, off, len);
}
