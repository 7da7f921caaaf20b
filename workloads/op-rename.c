// SPDX-License-Identifier: GPL-2.0-or-later
/* Over another file, it is the end of that one: as by unlink. */
#include "prog.h"

enum { NAME, AS, HOW };
enum { REPLACE, NOREPLACE, EXCHANGE };
static const char *const hows[] = { "replace", "noreplace", "exchange", NULL };
static const unsigned int flags[] = {
	[NOREPLACE] = RENAME_NOREPLACE,
	[EXCHANGE] = RENAME_EXCHANGE,
};

static bool gen(struct gen *g, struct step *s)
{
	int *from = &g->name[s->arg[NAME]], *as = &g->name[s->arg[AS]];
	int file = *from;

	if (from == as || file < 0)
		return false;
	if (*as >= 0 && gen_chance(g, 75))
		s->arg[HOW] = REPLACE;
	if (s->arg[HOW] == NOREPLACE && *as >= 0)
		return true;
	if (s->arg[HOW] == EXCHANGE && *as < 0)
		return false;
	*from = s->arg[HOW] == EXCHANGE ? *as : -1;
	*as = file;
	return true;
}

static int move(struct lane *l, const struct step *s, struct ino *from)
{
	struct ino *over = use_name(l, s->arg[AS]);
	unsigned int how = s->arg[HOW];

	if (how == REPLACE && over && ino_ends(l, over))
		will_free(l, over, 0, MAX_FILE);
	if (renameat2(AT_FDCWD, name_path(s->arg[NAME]), AT_FDCWD,
		      name_path(s->arg[AS]), flags[how]) < 0)
		return errno;
	name_set(l, s->arg[AS], from);
	name_set(l, s->arg[NAME], how == EXCHANGE ? over : NULL);
	return 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct ino *from;
	int err = VOID;

	if (s->arg[NAME] == s->arg[AS])
		return VOID;
	pthread_mutex_lock(&names_lock);
	from = use_name(l, s->arg[NAME]);
	if (from)
		err = move(l, s, from);
	pthread_mutex_unlock(&names_lock);
	if (err > 0)
		check_error(l, from, err);
	return err;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[REPLACE] = "TRY(rename(\"$name\", \"$as\"));",
		[NOREPLACE] = "TRY(renameat2(AT_FDCWD, \"$name\", AT_FDCWD, \"$as\", RENAME_NOREPLACE));",
		[EXCHANGE] = "TRY(renameat2(AT_FDCWD, \"$name\", AT_FDCWD, \"$as\", RENAME_EXCHANGE));",
	};

	if (s->arg[HOW] == REPLACE)
		emit_uses(e, "+waits");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "rename",
	.help = "give a file another name, that of another file too",
	.groups = "file",
	.weight = 3,
	.args = { { "name", ARG_NAME }, { "as", ARG_NAME },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "a file that is replaced, and that nobody has open or mapped, "
		"keeps its blocks while something refers to their pages",
);
