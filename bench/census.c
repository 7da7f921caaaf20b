// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast census_pass() is, against what merely reads the same bytes on the
 * same machine, in the same run: memcpy() to a buffer, and a sum over all of
 * them, 32 bytes a load. They take turns, so that what else the machine does
 * hits all of them alike; ratios are of each round, and their median is told.
 * The sum is the hard measure, as it stores nothing.
 */
#include "tests/gmem-fixture.h"

#define ROUNDS 301

enum { MEMCPY, SUM, PASS, UNOWNED, NR_KINDS };
static const char *const names[NR_KINDS] = {
	"memcpy", "wide sum", "census_pass", "census_pass, unowned",
};

typedef uint64_t __attribute__((vector_size(32), may_alias)) wide;

__attribute__((target_clones("avx2", "default")))
static uint64_t wide_sum(const uint8_t *p, size_t len)
{
	const wide *w = (const wide *)p;
	wide a = {}, b = {}, c = {}, d = {};

	for (size_t i = 0; i < len / sizeof(*w); i += 4) {
		a += w[i];
		b += w[i + 1];
		c += w[i + 2];
		d += w[i + 3];
	}
	a += b + c + d;
	return a[0] + a[1] + a[2] + a[3];
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What the compiler must not leave out. */
static volatile uint64_t sink;

static double once(int kind, const struct census_ns *c, uint8_t *buffer)
{
	const struct census_idle idle = { .ref = 1, .unowned = kind == UNOWNED };
	size_t len = c->n * c->layout.size;
	uint64_t found[64];
	double start = now();

	switch (kind) {
	case MEMCPY:
		memcpy(buffer, c->seg[0].p, len);
		sink = buffer[len / 2];
		break;
	case SUM:
		sink = wide_sum(c->seg[0].p, len);
		break;
	default:
		sink = census_pass(c, &idle, found, ARRAY_SIZE(found));
	}
	return now() - start;
}

/* Median of how much of @base's speed @kind has, round by round: what else the
 * machine does drifts slower than that. In percent. */
static double share(double t[NR_KINDS][ROUNDS], int kind, int base)
{
	double r[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		r[i] = 100 * t[base][i] / t[kind][i];
	qsort(r, ROUNDS, sizeof(*r), by_value);
	return r[ROUNDS / 2];
}

static void measure(unsigned int nv_mib)
{
	double of[NR_KINDS][2];
	const struct page_layout l = fx_layout("6.1");
	static double t[NR_KINDS][ROUNDS];
	_census_ns_ struct census_ns c = {};
	_free_ uint8_t *buffer = NULL;
	_fixture_ struct fixture f;
	struct census_where w;
	size_t len;
	char *why;

	fx_new(&f, true, nv_mib, &l);
	w = fx_namespace(&f, 1);
	if (census_attach(&c, &f.m, &f.v, &f.l, &w, &why) || c.nr_seg != 1) {
		error("census_attach: %s", why ? why : "not in one piece");
		exit(EXIT_RIG_FAILED);
	}
	len = c.n * c.layout.size;
	buffer = xcalloc(1, len + 64);
	memset(buffer, 1, len);
	/* The first round touches every page of every mapping. */
	for (int i = -1; i < ROUNDS; i++)
		for (int k = 0; k < NR_KINDS; k++) {
			double d = once(k, &c, buffer);

			if (i >= 0)
				t[k][i] = d;
		}
	for (int k = PASS; k < NR_KINDS; k++)
		for (int base = MEMCPY; base <= SUM; base++)
			of[k][base] = share(t, k, base);
	for (int k = 0; k < NR_KINDS; k++)
		qsort(t[k], ROUNDS, sizeof(**t), by_value);
	printf("namespace of %u MiB: %" PRIu64 " struct pages, %.1f MB, "
	       "medians of %d rounds\n", nv_mib, c.n, len / 1e6, ROUNDS);
	for (int k = 0; k < NR_KINDS; k++) {
		double d = t[k][ROUNDS / 2];

		printf("  %-22s %8.3f ms %7.2f GB/s", names[k], d * 1e3,
		       len / d / 1e9);
		if (k >= PASS)
			printf("  %4.0f %% of memcpy, %3.0f %% of wide sum",
			       of[k][MEMCPY], of[k][SUM]);
		printf("\n");
	}
}

int main(void)
{
	/* One that the largest cache holds, mostly, and one that it does not. */
	measure(1024);
	measure(8192);
	return 0;
}
