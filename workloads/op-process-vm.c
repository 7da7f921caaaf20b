// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mm/process_vm_access.c: the remote side is pinned (FOLL_PIN) while the local
 * one is copied to or from, which may fault. The mapping is either side, the
 * other process a child or ourselves. A short count tells what was copied, but
 * not what may have been begun: then nobody knows.
 */
#include "emit.h"

#include <sys/uio.h>

enum { MAP, OFF, LEN, HOW, WHO };
enum { READ, WRITE, INTO, FROM };
static const char *const hows[] = { "read", "write", "into", "from", NULL };
enum { SELF, CHILD };
static const char *const whos[] = { "self", "child", NULL };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_map *m = &g->map[s->arg[MAP]];

	if (!m->writable && (s->arg[HOW] == WRITE || s->arg[HOW] == INTO))
		s->arg[HOW] = s->arg[HOW] == WRITE ? READ : FROM;
	s->arg[WHO] = gen_chance(g, 25) ? CHILD : SELF;
	m->touched = true;
	return true;
}

/* What the mapping holds, by either call. */
static int get(struct lane *l, struct map *m, uint64_t off, uint64_t len,
	       bool remote, pid_t pid)
{
	struct iovec map = { m->p + off, len }, buf = { l->buf, len };
	struct span *sp = map_will_load(l, m, off, len);
	ssize_t n;

	if (remote) {
		n = process_vm_readv(pid, &buf, 1, &map, 1, 0);
	} else {
		n = process_vm_writev(pid, &map, 1, &buf, 1, 0);
		/* It is the child's buffer that has it. */
		if (n > 0 && pid != getpid())
			n = process_vm_readv(pid, &buf, 1, &buf, 1, 0);
	}
	if (n < 0)
		return errno;
	map_loaded(l, sp, off, l->buf, n, NULL);
	return (uint64_t)n == len ? 0 : EFAULT;
}

/* The step's data into it. A child has it in its buffer, too. */
static int put(struct lane *l, struct map *m, uint64_t off, uint64_t len,
	       bool remote, pid_t pid)
{
	struct iovec map = { m->p + off, len }, buf = { l->buf, len };
	/* A private mapping of the child's is not ours. */
	bool other = remote && pid != getpid() && m->private;
	struct span *sp = other ? NULL : map_will_store(l, m, off, len);
	ssize_t n;
	int err;

	n = remote ? process_vm_writev(pid, &buf, 1, &map, 1, 0) :
		     process_vm_readv(pid, &map, 1, &buf, 1, 0);
	err = n < 0 ? errno : (uint64_t)n < len ? EFAULT : 0;
	if (sp && err)
		map_unknown(l, sp, off, len);
	else if (sp)
		map_stored(l, sp, off, l->buf, len, false);
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[MAP]);
	uint64_t off = s->arg[OFF], len = s->arg[LEN];
	bool puts = s->arg[HOW] == WRITE || s->arg[HOW] == INTO;
	bool remote = s->arg[HOW] == READ || s->arg[HOW] == WRITE;
	pid_t pid = getpid();
	int err;

	if (!m || !map_cut(m, off, &len) || (puts && !(m->prot & PROT_WRITE)))
		return VOID;
	if (puts)
		data_fill(l->buf, m->ino, s->nr, m->off + off, len);
	if (s->arg[WHO] == CHILD)
		pid = child_start(l, child_pauses, NULL, -1);
	if (pid < 0)
		return errno;
	err = puts ? put(l, m, off, len, remote, pid) :
		     get(l, m, off, len, remote, pid);
	if (s->arg[WHO] == CHILD)
		child_end(pid, true);
	return err;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[READ] = "SAW(process_vm_readv(PID, &(struct iovec){ seen, $len }, 1,\n"
			 "\t\t     &(struct iovec){ map$map + $off, $len }, 1, 0));",
		[WRITE] = "fill(seen, '$letter', $len);\n"
			  "TRY(process_vm_writev(PID, &(struct iovec){ seen, $len }, 1,\n"
			  "\t\t      &(struct iovec){ map$map + $off, $len }, 1, 0));",
		[INTO] = "fill(seen, '$letter', $len);\n"
			 "TRY(process_vm_readv(getpid(), &(struct iovec){ map$map + $off, $len }, 1,\n"
			 "\t\t     &(struct iovec){ seen, $len }, 1, 0));",
		[FROM] = "SAW(process_vm_writev(getpid(), &(struct iovec){ map$map + $off, $len }, 1,\n"
			 "\t\t      &(struct iovec){ seen, $len }, 1, 0));",
	};
	bool child = s->arg[WHO] == CHILD && s->arg[HOW] < INTO;
	const char *in = c[s->arg[HOW]];
	char text[400];
	size_t n = 0;

	/* Whose mapping it is. */
	for (; *in && n < sizeof(text) - 16; in++) {
		if (strncmp(in, "PID", 3) != 0) {
			text[n++] = *in;
			continue;
		}
		n += sprintf(text + n, child ? "child" : "getpid()");
		in += 2;
	}
	text[n] = '\0';
	emit_uses(e, "<sys/uio.h> SAW fill");
	if (child) {
		emit_uses(e, "child_pauses");
		emit_line(e, "child = child_pauses();");
	}
	emit_c(e, s, text);
	if (child)
		emit_line(e, "child_ends(child);");
}

OP(
	.name = "process-vm",
	.help = "process_vm_readv(2) and process_vm_writev(2), a mapping as either side",
	.groups = "mm io",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "map", ARG_MAP }, { "off", ARG_OFF }, { "len", ARG_LEN },
		  { "how", ARG_WORD, hows }, { "who", ARG_WORD, whos } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "the pins are gone when the call returns",
);
