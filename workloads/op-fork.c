// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A child has the mapping, too: mm/memory.c copy_page_range(), and of a process
 * that ends or becomes another program exit_mmap(). What it stores to a shared
 * mapping is the file's; to a private one its own, and nobody else's.
 */
#include "emit.h"

#include <signal.h>
#include <sys/wait.h>

enum { MAP, OFF, LEN, HOW };
enum { EXIT, LOAD, STORE, EXEC };
static const char *const hows[] = { "exit", "load", "store", "exec", NULL };

#define MOST KiB(64)

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];

	if (s->arg[HOW] == STORE && !m->writable)
		s->arg[HOW] = LOAD;
	return true;
}

/* What the child does, and tells of it: shared memory. */
struct told {
	unsigned int how;
	char *p;
	const char *from;
	uint64_t len;
	bool private;
	int sig;
	size_t done;
	char got[];
};

static int in_child(void *arg)
{
	static char *const argv[] = { "rig-agent", "-", NULL };
	struct told *t = arg;
	size_t done;
	int null;

	switch (t->how) {
	case LOAD:
		t->sig = map_copy_out(t->got, t->p, t->len, &t->done);
		break;
	case STORE:
		t->sig = map_copy_in(t->p, t->from, t->len, &t->done);
		if (t->private)
			map_copy_out(t->got, t->p, t->done, &done);
		break;
	case EXEC:
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		/* Its usage message, and the end. */
		execv("/proc/self/exe", argv);
		break;
	}
	return 0;
}

static void stored(struct lane *l, struct map *m, struct span *sp, uint64_t off,
		   const struct told *t, bool whole)
{
	if (!m->private && whole)
		map_stored(l, sp, off, l->buf, t->done, t->sig);
	else if (!m->private)
		map_unknown(l, sp, off, t->len);
	else if (whole)
		check_bytes(l, sp, m->off + off, t->got, l->buf, t->done,
			   "a private mapping of a child");
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	unsigned int how = s->arg[HOW];
	struct span *sp = NULL;
	struct told *t;
	pid_t pid;
	int sig;

	if (!m || !map_cut(m, off, &len) ||
	    (how == STORE && !(m->prot & PROT_WRITE)))
		return VOID;
	if (len > MOST)
		len = MOST;
	t = child_memory(sizeof(*t) + MOST);
	if (!t)
		return ENOMEM;
	*t = (struct told){ .how = how, .p = m->p + off, .from = l->buf,
			    .len = len, .private = m->private };
	if (how == STORE)
		data_fill(l->buf, m->ino, s->nr, m->off + off, len);
	if (how == STORE && !m->private)
		sp = map_will_store(l, m, off, len);
	else if (how == LOAD || how == STORE)
		sp = map_will_load(l, m, off, len);
	pid = child_start(l, in_child, t, -1);
	if (pid < 0) {
		if (sp)
			model_nothing(sp);
		munmap(t, sizeof(*t) + MOST);
		return EAGAIN;
	}
	/* A killed one has not told of all that it did. */
	sig = WTERMSIG(child_end(pid, false));
	if (how == LOAD)
		map_loaded(l, sp, off, t->got, t->done, NULL);
	else if (how == STORE)
		stored(l, m, sp, off, t, !sig);
	if (sp && !sig && t->sig == SIGBUS)
		check_sigbus(l, sp, m->off + off + t->done);
	sig = sig ?: t->sig;
	munmap(t, sizeof(*t) + MOST);
	return sig ? EFAULT : 0;
}

C_HELPER(
	load_by_child,
	.name = "load_by_child",
	.uses = "TRY load",
	.text = "/* What a child loads comes back by a pipe, which 64 KiB fit in. */\n"
		"static void load_by_child(const char *p, size_t len)\n"
		"{\n"
		"\tint fd[2];\n"
		"\n"
		"\tTRY(pipe(fd));\n"
		"\tif (!fork()) {\n"
		"\t\tload(p, len < 65536 ? len : 65536);\n"
		"\t\t_exit(write(fd[1], seen, nr_seen) < 0);\n"
		"\t}\n"
		"\tTRY(wait(NULL));\n"
		"\tclose(fd[1]);\n"
		"\tnr_seen = read(fd[0], seen, sizeof(seen));\n"
		"\tclose(fd[0]);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[EXIT] = "if (!fork())\n"
			 "\t_exit(0);\n"
			 "TRY(wait(NULL));",
		[LOAD] = "load_by_child(map$map + $off, $len);",
		[STORE] = "if (!fork()) {\n"
			  "\tstore(map$map + $off, '$letter', $len);\n"
			  "\t_exit(0);\n"
			  "}\n"
			  "TRY(wait(NULL));",
		[EXEC] = "if (!fork()) {\n"
			 "\texecl(\"/bin/true\", \"true\", NULL);\n"
			 "\t_exit(1);\n"
			 "}\n"
			 "TRY(wait(NULL));",
	};

	emit_uses(e, s->arg[HOW] == LOAD ? "load_by_child" :
		     s->arg[HOW] == STORE ? "TRY store" : "TRY");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "fork",
	.help = "a child that has the mapping: it exits, loads, stores or execs",
	.groups = "mm",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "the child loads what the file holds, and its stores are the "
		"file's by a shared mapping, nobody's by a private one",
);
