// SPDX-License-Identifier: GPL-2.0-or-later
/* Of op-freeze.c. */
#include "prog.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

static bool gen(struct gen *g, struct step *s)
{
	if (!g->frozen)
		return false;
	g->frozen = false;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	int fd = open(wl->mnt, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	/* First: once it is thawed, another thread may freeze it again. */
	obstacle_set("freeze", NULL);
	if (ioctl(fd, FITHAW, 0) < 0)
		err = errno;
	close(fd);
	return err;
}

OP(
	.name = "thaw",
	.help = "FITHAW, of a frozen filesystem",
	.groups = "admin freeze",
	.weight = 12,
	.gen = gen,
	.run = run,
	.c = "thaw();",
	.c_uses = "thaw -obstacle",
	.must = "a thaw wakes all who wait for it",
);
