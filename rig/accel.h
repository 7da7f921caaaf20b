/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accelerator is worth using. /dev/kvm can exist, open and be thousands
 * of times too slow, or make QEMU abort: what counts is whether QEMU gets
 * through a payload with it, and faster than without.
 */
#ifndef RIG_ACCEL_H
#define RIG_ACCEL_H

#include "util.h"

struct accel {
	const char *name;	/* "kvm", "tcg", or "tcg-mt": a host thread for
				 * each CPU, only when asked for */
	char why[160];		/* one line: what was measured */
	bool cached;		/* the answer is remembered, not measured */
};

/*
 * @want: "auto", "kvm", "tcg" or "tcg-mt". For "auto" a small payload is timed under
 * KVM, with a deadline, and under TCG, and the answer remembered for this boot
 * of the host and this QEMU; @force_probe measures again. 0; -EINVAL for another word; -EIO
 * when the cache cannot be written.
 */
int accel_choose(const char *want, const char *qemu, bool force_probe,
		 struct accel *a);

#endif
