// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/memory.c access_process_vm(): a word of a child's mapping, by FOLL_GET and
 * FOLL_FORCE, as a debugger does.
 */
#include "emit.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

enum { MAP, OFF, HOW };
enum { PEEK, POKE };
static const char *const hows[] = { "peek", "poke", NULL };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[OFF] = s->arg[OFF] / 8 * 8;
	if (!g->map[s->arg[MAP]].writable)
		s->arg[HOW] = PEEK;
	return true;
}

static int peek(pid_t pid, char *p, long *word)
{
	errno = 0;
	*word = ptrace(PTRACE_PEEKDATA, pid, p, NULL);
	return errno;
}

static int look(struct lane *l, struct map *m, uint64_t off, pid_t pid)
{
	struct span *sp = map_will_load(l, m, off, 8);
	long word;
	int err = peek(pid, m->p + off, &word);

	if (!err)
		map_loaded(l, sp, off, &word, 8, NULL);
	return err;
}

/* By a private mapping it is the child's own, whatever it may be used for. */
static int change(struct lane *l, struct map *m, uint64_t off, pid_t pid)
{
	struct span *sp = m->private ? map_will_load(l, m, off, 8) :
				       map_will_store(l, m, off, 8);
	long word, got;
	int err;

	memcpy(&word, l->buf, 8);
	err = ptrace(PTRACE_POKEDATA, pid, m->p + off, word) < 0 ? errno : 0;
	if (m->private && !err && !peek(pid, m->p + off, &got))
		check_bytes(l, sp, m->off + off, &got, l->buf, 8,
			   "a private mapping of a child");
	else if (!m->private && !err)
		map_stored(l, sp, off, l->buf, 8, false);
	else if (!m->private)
		map_unknown(l, sp, off, 8);
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / 8 * 8, len = 8;
	int err, status;
	pid_t pid;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	data_fill(l->buf, m->ino, s->nr, m->off + off, 8);
	pid = child_start(l, child_pauses, NULL, -1);
	if (pid < 0)
		return errno;
	err = ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 ? errno : 0;
	if (!err && (waitpid(pid, &status, __WALL) != pid ||
		     !WIFSTOPPED(status)))
		err = ESRCH;
	if (!err)
		err = s->arg[HOW] == PEEK ? look(l, m, off, pid) :
					    change(l, m, off, pid);
	child_end(pid, true);
	return err;
}

C_HELPER(
	child_pauses,
	.name = "child_pauses",
	.uses = "TRY",
	.text = "static $thread pid_t child;\n"
		"\n"
		"/* A child with the same mappings, to be looked at. */\n"
		"static pid_t child_pauses(void)\n"
		"{\n"
		"\tpid_t pid = fork();\n"
		"\n"
		"\twhile (!pid)\n"
		"\t\tpause();\n"
		"\treturn pid;\n"
		"}\n"
		"\n"
		"static void child_ends(pid_t pid)\n"
		"{\n"
		"\tkill(pid, SIGKILL);\n"
		"\tTRY(waitpid(pid, NULL, __WALL));\n"
		"}\n",
);

C_HELPER(
	child_traced,
	.name = "child_traced",
	.uses = "child_pauses <sys/ptrace.h>",
	.text = "static pid_t child_traced(void)\n"
		"{\n"
		"\tpid_t pid = child_pauses();\n"
		"\n"
		"\tTRY(ptrace(PTRACE_ATTACH, pid, NULL, NULL));\n"
		"\tTRY(waitpid(pid, NULL, __WALL));\n"
		"\treturn pid;\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[PEEK] = "child = child_traced();\n"
			 "*(long *)seen = ptrace(PTRACE_PEEKDATA, child, map$map + $off, NULL);\n"
			 "nr_seen = 8;\n"
			 "child_ends(child);",
		[POKE] = "fill(seen, '$letter', 8);\n"
			 "child = child_traced();\n"
			 "TRY(ptrace(PTRACE_POKEDATA, child, map$map + $off, *(long *)seen));\n"
			 "child_ends(child);",
	};

	emit_uses(e, s->arg[HOW] == PEEK ? "child_traced seen" :
					   "child_traced seen fill");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "ptrace",
	.help = "read or write a word of a child's mapping as a debugger does",
	.groups = "mm",
	.weight = 2,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 8 },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "a word that is poked into a shared mapping is the file's",
);
