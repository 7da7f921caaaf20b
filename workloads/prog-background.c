// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes on beside the steps: one at a time, until all threads stand still. */
#include "prog-internal.h"

static struct {
	bool taken;
	void (*stop)(struct lane *l, void *arg);	/* NULL: not yet there */
	void *arg;
} background;

bool background_begins(void)
{
	bool ours;

	pthread_mutex_lock(&ex->lock);
	ours = !background.taken && !ex->poisoned;
	background.taken |= ours;
	pthread_mutex_unlock(&ex->lock);
	return ours;
}

void background_is(void (*stop)(struct lane *l, void *arg), void *arg)
{
	pthread_mutex_lock(&ex->lock);
	background.taken = stop;
	background.stop = stop;
	background.arg = arg;
	pthread_mutex_unlock(&ex->lock);
}

void background_stop(struct lane *l)
{
	if (!background.stop)
		return;
	/* Nobody else runs. It may wait for what a step has closed. */
	l->patience = 10;
	background.stop(l, background.arg);
	l->patience = 0;
	background_is(NULL, NULL);
}
