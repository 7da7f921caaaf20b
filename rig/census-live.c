// SPDX-License-Identifier: GPL-2.0-or-later
#include "census-live.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

struct census_live {
	struct census_log log;
	bool threaded;
	pthread_t thread;
	/* All below, and the log. It is given up between two namespaces. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	double interval;	/* seconds from one pass to the next; 0: none */
	unsigned int changes;	/* of the interval */
	bool stop;
	uint64_t frames;
	double spent;		/* seconds */
	const struct census_ns *ns[CENSUS_LOG_NS];
};

/* One namespace's frame, if it is still the one that was set. */
static void sample(struct census_live *l, unsigned int i)
{
	double start = now();

	if (!l->ns[i] || l->log.error)
		return;
	if (!census_is_current(l->ns[i])) {
		census_log_gone(&l->log, i);
		l->ns[i] = NULL;
		return;
	}
	census_log_frame(&l->log, i, l->ns[i]);
	l->frames++;
	l->spent += now() - start;
}

static void sample_all(struct census_live *l)
{
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++) {
		pthread_mutex_lock(&l->lock);
		sample(l, i);
		pthread_mutex_unlock(&l->lock);
	}
}

/*
 * Until the next pass is due, which is by the interval after @last (as now()),
 * or after @spent seconds from now if that is more. Returns when it was due;
 * 0: it is time to stop.
 */
static double wait_for_next(struct census_live *l, double last, double spent)
{
	double next = 0, end = now();
	unsigned int changes;
	int err = 0;

	pthread_mutex_lock(&l->lock);
	changes = l->changes - 1;
	while (!l->stop && !l->log.error && err != ETIMEDOUT) {
		struct timespec ts;

		if (changes != l->changes) {
			changes = l->changes;
			next = last + l->interval;
			/* Behind: none are made up for, and a pass that is
			 * longer than the interval leaves the guest as much
			 * time as it took. */
			if (next < end)
				next = end + (spent < l->interval ?
					      l->interval : spent);
		}
		if (!l->interval) {
			pthread_cond_wait(&l->wake, &l->lock);
			end = now();
			continue;
		}
		ts.tv_sec = next;
		ts.tv_nsec = (next - (time_t)next) * 1e9;
		err = pthread_cond_timedwait(&l->wake, &l->lock, &ts);
	}
	if (l->stop || l->log.error)
		next = 0;
	pthread_mutex_unlock(&l->lock);
	return next;
}

static void *run(void *arg)
{
	struct census_live *l = arg;
	double next = now();

	while (next > 0) {
		double start = now();

		sample_all(l);
		next = wait_for_next(l, next, now() - start);
	}
	return NULL;
}

static int start_thread(struct census_live *l)
{
	sigset_t all, old;
	int err;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	l->threaded = !err;
	return -err;
}

struct census_live *census_live_new(const char *path, double hz)
{
	struct census_live *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;
	int err = census_log_open(&l->log, path);

	if (err) {
		free(l);
		errno = -err;
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	/* now()'s clock. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attr);
	pthread_condattr_destroy(&attr);
	err = census_live_hz(l, hz);
	if (err) {
		census_live_free(l);
		errno = -err;
		return NULL;
	}
	return l;
}

int census_live_hz(struct census_live *l, double hz)
{
	pthread_mutex_lock(&l->lock);
	l->interval = hz > 0 ? 1 / hz : 0;
	l->changes++;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	return hz > 0 && !l->threaded ? start_thread(l) : 0;
}

void census_live_watch(struct census_live *l, unsigned int ns,
		       const struct census_ns *c, int32_t idle_ref)
{
	if (ns >= CENSUS_LOG_NS)
		return;
	pthread_mutex_lock(&l->lock);
	if (l->ns[ns])
		census_log_gone(&l->log, ns);
	l->ns[ns] = NULL;
	if (c && census_log_ns(&l->log, ns, c, idle_ref) == 0)
		l->ns[ns] = c;
	pthread_mutex_unlock(&l->lock);
}

void census_live_mark(struct census_live *l, const char *text)
{
	pthread_mutex_lock(&l->lock);
	census_log_mark(&l->log, text);
	pthread_mutex_unlock(&l->lock);
}

void census_live_event(struct census_live *l, unsigned int ns,
		       const char *json)
{
	pthread_mutex_lock(&l->lock);
	census_log_event(&l->log, ns, json);
	pthread_mutex_unlock(&l->lock);
}

void census_live_frame(struct census_live *l)
{
	sample_all(l);
}

void census_live_cost(struct census_live *l, uint64_t *frames,
		      double *seconds)
{
	pthread_mutex_lock(&l->lock);
	*frames = l->frames;
	*seconds = l->spent;
	pthread_mutex_unlock(&l->lock);
}

int census_live_free(struct census_live *l)
{
	int err;

	if (!l)
		return 0;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	if (l->threaded)
		pthread_join(l->thread, NULL);
	err = l->log.error;
	census_log_close(&l->log);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->wake);
	free(l);
	return err;
}
