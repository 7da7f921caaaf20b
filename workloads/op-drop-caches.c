// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc/sys/vm/drop_caches: inodes that nobody has open or mapped are evicted,
 * and their DAX entries with them, whatever refers to the pages.
 */
#include "emit.h"

enum { WHAT };
static const char *const whats[] = { "pages", "inodes", "both", NULL };

static int run(struct lane *l, const struct step *s)
{
	char text[2] = { '1' + s->arg[WHAT] };

	/* It has to look at all there is. */
	l->settle = 0.5;
	return write_small("/proc/sys/vm/drop_caches", text) < 0 ? errno : 0;
}

C_HELPER(
	drop_caches,
	.name = "drop_caches",
	.uses = "TRY",
	.text = "static void drop_caches(const char *what)\n"
		"{\n"
		"\tint fd = open(\"/proc/sys/vm/drop_caches\", O_WRONLY);\n"
		"\n"
		"\tTRY(write(fd, what, 1));\n"
		"\tclose(fd);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = { "drop_caches(\"1\");",
					 "drop_caches(\"2\");",
					 "drop_caches(\"3\");" };

	emit_uses(e, "drop_caches +waits");
	emit_c(e, s, c[s->arg[WHAT]]);
}

OP(
	.name = "drop-caches",
	.help = "/proc/sys/vm/drop_caches: pages, inodes or both",
	.groups = "admin mm",
	.weight = 2,
	.args = { { "what", ARG_WORD, whats } },
	.run = run,
	.emit = emit,
	.must = "an inode that is evicted and read again has its data, and a "
		"reference on one of its pages is still waited for",
);
