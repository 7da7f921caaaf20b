// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever changes the filesystem waits for the thaw: by op-thaw.c, or by the
 * watch when somebody waits for long.
 */
#include "emit.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

static void thaw(void)
{
	int fd = open(wl->mnt, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ioctl(fd, FITHAW, 0);
		close(fd);
	}
}

static bool gen(struct gen *g, struct step *s)
{
	if (g->frozen)
		return false;
	return g->frozen = true;
}

static int run(struct lane *l, const struct step *s)
{
	int fd = open(wl->mnt, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	/* Grace periods make it sleep in any case. */
	l->settle = 0.5;
	if (ioctl(fd, FIFREEZE, 0) < 0)
		err = errno;
	else
		obstacle_set("freeze", thaw);
	close(fd);
	return err;
}

C_HELPER(
	thaw,
	.name = "thaw",
	.uses = "TRY <sys/ioctl.h> <linux/fs.h>",
	.lets_go = "thaw();",
	.text = "static int frozen = -1;\n"
		"\n"
		"static void thaw(void)\n"
		"{\n"
		"\tint fd = __atomic_exchange_n(&frozen, -1, __ATOMIC_ACQ_REL);\n"
		"\n"
		"\tif (fd < 0)\n"
		"\t\treturn;\n"
		"\tTRY(ioctl(fd, FITHAW, 0));\n"
		"\tclose(fd);\n"
		"}\n",
);

C_HELPER(
	freeze,
	.name = "freeze",
	.uses = "thaw",
	.text = "static void freeze(void)\n"
		"{\n"
		"\tint fd = open(\".\", O_RDONLY);\n"
		"\n"
		"\tTRY(ioctl(fd, FIFREEZE, 0));\n"
		"\tif (ret == -1)\n"
		"\t\tclose(fd);\n"
		"\telse\n"
		"\t\tfrozen = fd;\n"
		"}\n",
);

OP(
	.name = "freeze",
	.help = "FIFREEZE: until it is thawed, changes wait",
	.groups = "admin freeze",
	.weight = 1,
	.let_faults = thaw,
	.gen = gen,
	.run = run,
	.c = "freeze();",
	.c_uses = "freeze +waits +obstacle",
	.must = "freezing waits for changes under way, and what comes later for "
		"the thaw; loads and references are as they were",
);
