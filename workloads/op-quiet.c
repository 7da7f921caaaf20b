// SPDX-License-Identifier: GPL-2.0-or-later
/* A quiet point: all threads stand still, all data is compared, and the host
 * looks at every struct page. */
#include "prog-internal.h"

static int run(struct lane *l, const struct step *s)
{
	check_all(l);
	/* The host may take its time. */
	l->patience = 30;
	holds_tell(l);
	wl_census("a quiet point", 0, PAGE);
	return 0;
}

OP(
	.name = "quiet",
	.help = "all stand still: data and struct pages are looked at",
	.groups = "check",
	.weight = 0,
	.on = ON_FS | ON_DEVDAX,
	.flags = OP_ALONE,
	.run = run,
);
