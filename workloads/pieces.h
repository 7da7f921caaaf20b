/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A buffer as pieces of odd sizes, as readv(2) and writev(2) take them. */
#ifndef WORKLOADS_PIECES_H
#define WORKLOADS_PIECES_H

#include <stddef.h>
#include <sys/uio.h>

#define NR_PIECES 5

/* How many they are. */
static inline int pieces(struct iovec v[NR_PIECES], char *buf, size_t len)
{
	static const size_t sizes[NR_PIECES] = { 1, 4095, 513, 4097, -1 };
	int n = 0;

	for (; n < NR_PIECES && len; n++) {
		size_t size = sizes[n] < len ? sizes[n] : len;

		v[n] = (struct iovec){ buf, size };
		buf += size;
		len -= size;
	}
	return n;
}

#endif
