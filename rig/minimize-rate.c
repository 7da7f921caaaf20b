// SPDX-License-Identifier: GPL-2.0-or-later
#include "minimize.h"

#include <math.h>

/* P(X >= @hits) of @runs, each a hit with probability @p in (0, 1). */
static double tail(unsigned int hits, unsigned int runs, double p)
{
	double sum = 0;

	for (unsigned int k = hits; k <= runs; k++)
		sum += exp(lgamma(runs + 1.0) - lgamma(k + 1.0) -
			   lgamma(runs - k + 1.0) + k * log(p) +
			   (runs - k) * log1p(-p));
	return sum;
}

/* The p at which tail() is @want; it grows with p. */
static double tail_is(unsigned int hits, unsigned int runs, double want)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60; i++) {
		double mid = (low + high) / 2;

		if (tail(hits, runs, mid) < want)
			low = mid;
		else
			high = mid;
	}
	return low;
}

void rate_bounds(struct rate r, double *low, double *high)
{
	*low = r.hits ? tail_is(r.hits, r.runs, 0.025) : 0;
	*high = r.hits < r.runs ? tail_is(r.hits + 1, r.runs, 0.975) : 1;
}

unsigned int rate_tries(double rate)
{
	unsigned int n = 1;

	for (double miss = 1 - rate; miss > RATE_MISS && n < RATE_TRIES; n++)
		miss *= 1 - rate;
	return n;
}
