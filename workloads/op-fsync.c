// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/dax.c dax_writeback_mapping_range(): entries are cleaned, and a store
 * faults again afterwards. */
#include "prog.h"

enum { FD, HOW };
enum { ALL, DATA };
static const char *const hows[] = { "all", "data", NULL };

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]);

	if (!f)
		return VOID;
	if ((s->arg[HOW] == DATA ? fdatasync(f->fd) : fsync(f->fd)) == 0)
		return 0;
	check_error(l, f->ino, errno);
	return errno;
}

static void emit(struct emit *e, const struct step *s)
{
	emit_c(e, s, s->arg[HOW] == DATA ? "TRY(fdatasync(fd$fd));" :
					   "TRY(fsync(fd$fd));");
}

OP(
	.name = "fsync",
	.help = "fsync(2) or fdatasync(2)",
	.groups = "io",
	.weight = 3,
	.args = { { "fd", ARG_FD }, { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
	.must = "what is dirty is written back, and no data changes",
);
