// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A child puts a page of the mapping into a pipe, and is gone: its mapping with
 * it, its reference not. The pipe's ends are with us.
 */
#include "emit.h"

#include <sys/uio.h>
#include <sys/wait.h>

enum { REF, MAP, OFF, LEN };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[OFF] = s->arg[OFF] / PAGE * PAGE;
	s->arg[LEN] = (1 + (gen_chance(g, 20) ? gen_below(g, 8) : 0)) * PAGE;
	g->ref[s->arg[REF]] = g->map[s->arg[MAP]].file;
	g->map[s->arg[MAP]].touched = true;
	return true;
}

static void release(struct lane *l, struct hold *h)
{
	ssize_t n = read(h->fds[0], l->buf, h->n);

	if (n > 0)
		ref_check(l, h, l->buf, n);
}

struct told {
	int fd;
	struct iovec iov;
	ssize_t n;
	int err;
};

static int in_child(void *arg)
{
	struct told *t = arg;

	t->n = vmsplice(t->fd, &t->iov, 1, SPLICE_F_NONBLOCK);
	t->err = errno;
	return 0;
}

/* How many bytes the child has put into the pipe; -1 with errno. */
static ssize_t splice_there(struct lane *l, int fd, char *p, uint64_t len)
{
	struct told *t = child_memory(sizeof(*t));
	ssize_t n;
	pid_t pid;
	int err;

	if (!t)
		return -1;
	*t = (struct told){ .fd = fd, .iov = { p, len }, .n = -1,
			    .err = EINTR };
	pid = child_start(l, in_child, t, fd);
	if (pid > 0)
		child_end(pid, false);
	n = t->n;
	err = pid > 0 ? t->err : EAGAIN;
	munmap(t, sizeof(*t));
	errno = err;
	return n;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct hold *h;
	int fds[2], err;
	size_t done;
	ssize_t n;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (len > 15 * PAGE)
		len = 15 * PAGE;
	h = fresh_ref(l, s->arg[REF], "vmsplice of a child", m, off, len);
	if (!h)
		return VOID;
	/* So that it can be told which pages they are. */
	map_copy_out(NULL, m->p + off, len, &done);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err = errno, ref_none(l, h), err;
	n = splice_there(l, fds[1], m->p + off, len);
	if (n <= 0) {
		err = n < 0 ? errno : EAGAIN;
		close(fds[0]);
		close(fds[1]);
		ref_none(l, h);
		return err;
	}
	h->fds[0] = fds[0];
	h->fds[1] = fds[1];
	h->n = n;
	h->len = (off % PAGE + n + PAGE - 1) / PAGE * PAGE;
	h->release = release;
	ref_held(l, h);
	return 0;
}

C_HELPER(
	hold_by_child,
	.name = "hold_by_child",
	.uses = "drop_pipe TRY <sys/uio.h>",
	.text = "/* The child that puts the pages into the pipe is gone then, its mapping too. */\n"
		"static void hold_by_child(struct ref *r, char *p, size_t len)\n"
		"{\n"
		"\tstruct iovec iov = { p, len };\n"
		"\tint status = 1;\n"
		"\n"
		"\tTRY(pipe(r->fd));\n"
		"\tif (!fork())\n"
		"\t\t_exit(vmsplice(r->fd[1], &iov, 1, SPLICE_F_NONBLOCK) < 0);\n"
		"\tTRY(wait(&status));\n"
		"\tr->len = len;\n"
		"\tif (!status)\n"
		"\t\tr->drop = drop_pipe;\n"
		"}\n",
);

OP(
	.name = "fork-hold",
	.help = "a reference on a mapping's pages by a pipe, from a child that is gone",
	.groups = "pin mm",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "hold_by_child(&ref[$ref], map$map + $off, $len);",
	.c_uses = "hold_by_child",
	.must = "whoever would free the page's block waits for the pipe, though "
		"the process that mapped it is gone",
);
