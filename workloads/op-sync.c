// SPDX-License-Identifier: GPL-2.0-or-later
#include "emit.h"

enum { HOW };
enum { FS, ALL };
static const char *const hows[] = { "fs", "all", NULL };

static int run(struct lane *l, const struct step *s)
{
	int fd, err = 0;

	if (s->arg[HOW] == ALL) {
		sync();
		return 0;
	}
	fd = open(".", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (syncfs(fd) < 0)
		err = errno;
	close(fd);
	if (err)
		check_error(l, NULL, err);
	return err;
}

C_HELPER(
	sync_fs,
	.name = "sync_fs",
	.uses = "TRY",
	.text = "static void sync_fs(void)\n"
		"{\n"
		"\tint fd = open(\".\", O_RDONLY);\n"
		"\n"
		"\tTRY(syncfs(fd));\n"
		"\tclose(fd);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	if (s->arg[HOW] == ALL) {
		emit_c(e, s, "sync();");
		return;
	}
	emit_uses(e, "sync_fs");
	emit_c(e, s, "sync_fs();");
}

OP(
	.name = "sync",
	.help = "syncfs(2), or sync(2) of everything",
	.groups = "io admin",
	.weight = 2,
	.args = { { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
	.must = "what is dirty is written back, and no data changes",
);
