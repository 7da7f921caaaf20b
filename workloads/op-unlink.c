// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/inode.c evict(): the last name, unless somebody has it open or mapped. */
#include "prog.h"

enum { NAME };

static bool gen(struct gen *g, struct step *s)
{
	if (g->name[s->arg[NAME]] < 0)
		return false;
	g->name[s->arg[NAME]] = -1;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	struct ino *ino;
	int err = VOID;

	pthread_mutex_lock(&names_lock);
	ino = use_name(l, s->arg[NAME]);
	if (ino) {
		if (ino_ends(l, ino))
			will_free(l, ino, 0, MAX_FILE);
		err = unlink(name_path(s->arg[NAME])) < 0 ? errno : 0;
	}
	if (!err)
		name_set(l, s->arg[NAME], NULL);
	pthread_mutex_unlock(&names_lock);
	if (err > 0)
		check_error(l, ino, err);
	return err;
}

OP(
	.name = "unlink",
	.help = "remove a file's name, whoever has it open or mapped",
	.groups = "file",
	.weight = 4,
	.args = { { "name", ARG_NAME } },
	.gen = gen,
	.run = run,
	.c = "TRY(unlink(\"$name\"));",
	.c_uses = "+waits",
	.must = "a file that nobody has open or mapped any more keeps its "
		"blocks while something refers to their pages",
);
