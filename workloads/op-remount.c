// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unmounting evicts every inode: up to 6.14 whatever refers to their pages,
 * from 6.15 on it waits in dax_break_layout_final(). Who refers to a page that
 * was not waited for still has to be waited for when its block is freed.
 */
#include "prog-mount.h"

static bool gen(struct gen *g, struct step *s)
{
	for (int i = 0; i < NR_SLOTS; i++)
		g->fd[i] = g->map[i].file = -1;
	g->frozen = g->gate_closed = false;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	int err = fs_away(l);

	return err ? err : fs_back(l, false);
}

C_HELPER(
	umount_here,
	.name = "umount_here",
	.uses = "leave_folder <sys/mount.h>",
	.text = "static void umount_here(void)\n"
		"{\n"
		"\tleave_folder();\n"
		"\tTRY(umount(mnt));\n"
		"}\n",
);

C_HELPER(
	mount_again,
	.name = "mount_again",
	.uses = "enter_folder umount_here",
	.text = "static void mount_again(void)\n"
		"{\n"
		"\tTRY(mount(dev, mnt, fstype, 0, \"dax=always\"));\n"
		"\tenter_folder();\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	emit_uses(e, "mount_again +waits");
	emit_away(e);
	emit_c(e, s, "umount_here();\nmount_again();");
}

OP(
	.name = "remount",
	.help = "close all files, unmount, mount again; references stay",
	.groups = "admin",
	.weight = 2,
	.flags = OP_OWNS_FS,
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "every file is as it was; a reference that the unmount does not "
		"wait for is waited for when its block is freed",
);
