// SPDX-License-Identifier: GPL-2.0-or-later
/* fs/splice.c iter_to_pipe(): FOLL_GET, until the pipe has been read. */
#include "prog.h"

#include <sys/uio.h>

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

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	struct iovec iov;
	struct hold *h;
	ssize_t n;
	int fds[2], err;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	if (len > 15 * PAGE)
		len = 15 * PAGE;
	h = fresh_ref(l, s->arg[REF], "vmsplice", m, off, len);
	if (!h)
		return VOID;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err = errno, ref_none(l, h), err;
	iov = (struct iovec){ m->p + off, len };
	n = vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK);
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

OP(
	.name = "vmsplice",
	.help = "a reference (FOLL_GET) on a mapping's pages, held by a pipe",
	.groups = "pin",
	.weight = 8,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF, .fresh = true }, { "map", ARG_MAP },
		  { "off", ARG_OFF, .align = 4096 },
		  { "len", ARG_LEN, .align = 4096 } },
	.gen = gen,
	.run = run,
	.c = "hold(&ref[$ref], map$map + $off, $len);",
	.c_uses = "hold",
	.must = "while the pipe refers to a page its block stays the file's, "
		"and whoever would free it waits",
);
