// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel/futex/core.c get_futex_key(): a shared futex takes a reference on its
 * page (by a fault for writing, where it may), and is known by page->mapping
 * and index. The word keeps its value.
 */
#include "emit.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

enum { MAP, OFF, HOW };
enum { WAIT, WAKE, WAKE_OP };
static const char *const hows[] = { "wait", "wake", "wake-op", NULL };

static long futex(void *p, int op, uint32_t val, const void *timeout)
{
	return syscall(SYS_futex, p, op, val, timeout, p,
		       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0));
}

static int run(struct lane *l, const struct step *s)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF] / 4 * 4, len = 4;
	struct span *sp;
	uint32_t word;
	size_t done;
	long ret;

	if (!m || !map_cut(m, off, &len))
		return VOID;
	sp = m->prot & PROT_WRITE ? map_will_store(l, m, off, 4) :
				    map_will_load(l, m, off, 4);
	if (s->arg[HOW] != WAIT)
		ret = futex(m->p + off, s->arg[HOW] == WAKE ? FUTEX_WAKE :
			    FUTEX_WAKE_OP, 1, (void *)1);
	else if (map_copy_out(&word, m->p + off, 4, &done))
		ret = -1, errno = EFAULT;
	else
		ret = futex(m->p + off, FUTEX_WAIT, word, &ms);
	if (m->prot & PROT_WRITE)
		map_faulted(l, sp, off, 4, false);
	/* Nobody wakes it, and others may have stored. */
	return ret >= 0 || errno == ETIMEDOUT || errno == EAGAIN ? 0 : errno;
}

C_HELPER(
	futex,
	.name = "futex",
	.uses = "<sys/syscall.h> <linux/futex.h> <time.h>",
	.text = "static long futex(char *p, int op, unsigned int val)\n"
		"{\n"
		"\tstruct timespec ms = { .tv_nsec = 1000000 };\n"
		"\n"
		"\treturn syscall(SYS_futex, p, op, val, op == FUTEX_WAIT ? &ms : NULL, p,\n"
		"\t\t       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0));\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[WAIT] = "load(map$map + $off, 4);\n"
			 "TRY(futex(map$map + $off, FUTEX_WAIT, *(unsigned int *)seen));",
		[WAKE] = "TRY(futex(map$map + $off, FUTEX_WAKE, 1));",
		[WAKE_OP] = "TRY(futex(map$map + $off, FUTEX_WAKE_OP, 1));",
	};

	emit_uses(e, s->arg[HOW] == WAIT ? "TRY load futex" : "TRY futex");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "futex",
	.help = "a shared futex on a word of a mapping",
	.groups = "mm",
	.weight = 2,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF, .align = 4 },
		  { "how", ARG_WORD, hows } },
	.run = run,
	.emit = emit,
	.must = "the page's reference is gone when the call returns",
);
