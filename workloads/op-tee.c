// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pipe's references once more, in another pipe: fs/splice.c link_pipe() and
 * pipe_buf_get(). Either may be let go first.
 */
#include "emit.h"
#include "prog-io.h"

enum { REF, FROM };

static bool gen(struct gen *g, struct step *s)
{
	g->ref[s->arg[REF]] = g->ref[s->arg[FROM]];
	return true;
}

static void release(struct lane *l, struct hold *h)
{
	ssize_t n = read(h->fds[0], l->buf, h->n);

	if (n > 0)
		ref_check(l, h, l->buf, n);
}

static int duplicate(struct lane *l, uint64_t slot, const struct hold *from)
{
	uint64_t in_page = (uintptr_t)from->p % PAGE;
	struct map like = { .p = (char *)from->p - in_page, .ino = from->ino,
			    .off = from->off };
	int fds[2], err;
	struct hold *h;
	ssize_t n;

	h = fresh_ref(l, slot, "tee", &like, in_page, from->n);
	if (!h)
		return VOID;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err = errno, ref_none(l, h), err;
	n = tee(from->fds[0], fds[1], from->n, SPLICE_F_NONBLOCK);
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
	h->len = (in_page + n + PAGE - 1) / PAGE * PAGE;
	h->release = release;
	ref_held_as(l, h, from);
	return 0;
}

static int run(struct lane *l, const struct step *s)
{
	struct hold *from = take_ref(l, s->arg[FROM]);
	int err;

	if (!from)
		return VOID;
	err = hold_is_pipe(from) ? duplicate(l, s->arg[REF], from) : EINVAL;
	ref_keep(from);
	return err;
}

C_HELPER(
	hold_tee,
	.name = "hold_tee",
	.uses = "drop_pipe",
	.text = "/* The same pages once more, in another pipe. */\n"
		"static void hold_tee(struct ref *r, struct ref *from)\n"
		"{\n"
		"\tif (from->drop != drop_pipe)\n"
		"\t\treturn;\n"
		"\tTRY(pipe(r->fd));\n"
		"\tTRY(tee(from->fd[0], r->fd[1], from->len, SPLICE_F_NONBLOCK));\n"
		"\tr->len = from->len;\n"
		"\tif (ret > 0)\n"
		"\t\tr->drop = drop_pipe;\n"
		"}\n",
);

OP(
	.name = "tee",
	.help = "another reference on the pages that a pipe holds",
	.groups = "pin",
	.weight = 3,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "ref", ARG_REF, .fresh = true }, { "from", ARG_REF } },
	.gen = gen,
	.run = run,
	.c = "hold_tee(&ref[$ref], &ref[$from]);",
	.c_uses = "hold_tee",
	.must = "each pipe has references of its own",
);
