// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the executor costs: generated programs run by it, and their system calls
 * and accesses made one after the other by a loop that knows no model, in turn,
 * each in a process of its own on fresh files. Both are timed from the first
 * step to the last; what the executor does at quiet points and at the end is
 * more than the program's own calls, and not counted.
 *
 * Operations that the loop below knows, of one thread: others may wait.
 */
#include "prog.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROGRAMS 100
#define ROUNDS 5

/* --- the bare loop --------------------------------------------------------------- */

struct bare {
	int fd[NR_SLOTS];
	char *map[NR_SLOTS];
	size_t len[NR_SLOTS];
	char *buf;
};

static sigjmp_buf jump;

static void on_fault(int sig)
{
	siglongjmp(jump, sig);
}

static void bare_open(struct bare *b, const uint64_t *arg)
{
	static const int flags[] = { O_RDWR | O_CREAT, O_RDWR, O_RDONLY,
				     O_RDWR | O_CREAT | O_TRUNC,
				     O_RDWR | O_CREAT | O_DIRECT,
				     O_RDWR | O_CREAT | O_DSYNC };

	if (b->fd[arg[0]] < 0)
		b->fd[arg[0]] = open(name_path(arg[1]),
				     flags[arg[2]] | O_CLOEXEC, 0600);
}

static void bare_close(struct bare *b, const uint64_t *arg)
{
	if (b->fd[arg[0]] >= 0)
		close(b->fd[arg[0]]);
	b->fd[arg[0]] = -1;
}

static void bare_pwrite(struct bare *b, const uint64_t *arg)
{
	if (b->fd[arg[0]] >= 0 && arg[1] + arg[2] <= MAX_FILE &&
	    pwrite(b->fd[arg[0]], b->buf, arg[2], arg[1]) < 0)
		b->buf[0]++;
}

static void bare_pread(struct bare *b, const uint64_t *arg)
{
	if (b->fd[arg[0]] >= 0 &&
	    pread(b->fd[arg[0]], b->buf, arg[2], arg[1]) < 0)
		b->buf[0]++;
}

static void bare_truncate(struct bare *b, const uint64_t *arg)
{
	if (b->fd[arg[0]] >= 0 && ftruncate(b->fd[arg[0]], arg[1]) < 0)
		b->buf[0]++;
}

static void bare_mmap(struct bare *b, const uint64_t *arg)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE,
				     MAP_SHARED_VALIDATE | 0x80000,
				     MAP_SHARED | MAP_POPULATE };
	char *p = map_address(arg[0]) + arg[2] % PMD;

	if (b->map[arg[0]] || b->fd[arg[1]] < 0)
		return;
	p = mmap(p, arg[3], arg[5] ? PROT_READ : PROT_READ | PROT_WRITE,
		 flags[arg[4]] | MAP_FIXED, b->fd[arg[1]], arg[2]);
	if (p == MAP_FAILED)
		return;
	b->map[arg[0]] = p;
	b->len[arg[0]] = arg[3];
}

static void bare_munmap(struct bare *b, const uint64_t *arg)
{
	if (b->map[arg[0]])
		munmap(b->map[arg[0]], b->len[arg[0]]);
	b->map[arg[0]] = NULL;
}

static void bare_access(struct bare *b, const uint64_t *arg, bool store)
{
	size_t len = b->len[arg[0]];
	volatile size_t n = arg[2];

	if (!b->map[arg[0]] || arg[1] >= len)
		return;
	if (n > len - arg[1])
		n = len - arg[1];
	if (sigsetjmp(jump, 0))
		return;
	if (store)
		memcpy(b->map[arg[0]] + arg[1], b->buf, n);
	else
		memcpy(b->buf, b->map[arg[0]] + arg[1], n);
}

static void bare_load(struct bare *b, const uint64_t *arg)
{
	bare_access(b, arg, false);
}

static void bare_store(struct bare *b, const uint64_t *arg)
{
	bare_access(b, arg, true);
}

static const struct {
	const char *op;
	void (*run)(struct bare *b, const uint64_t *arg);
} bare_ops[] = {
	{ "open", bare_open },	     { "close", bare_close },
	{ "pwrite", bare_pwrite },   { "pread", bare_pread },
	{ "truncate", bare_truncate }, { "mmap", bare_mmap },
	{ "munmap", bare_munmap },   { "load", bare_load },
	{ "store", bare_store },
};
#define NR_BARE (sizeof(bare_ops) / sizeof(*bare_ops))

static double bare_execute(const struct prog *p)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	void (*run[MAX_STEPS])(struct bare *, const uint64_t *) = {};
	struct bare b = { .buf = buffer(MAX_IO) };
	double start;

	for (int i = 0; i < NR_SLOTS; i++)
		b.fd[i] = -1;
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < NR_BARE; k++)
			if (strcmp(p->v[i].op->name, bare_ops[k].op) == 0)
				run[i] = bare_ops[k].run;
	/* Data comes from memory that is there, as the executor's does. */
	memset(b.buf, 1, KiB(256));
	SAFE(sigaction(SIGBUS, &sa, NULL));
	SAFE(sigaction(SIGSEGV, &sa, NULL));
	start = wl_now();
	for (size_t i = 0; i < p->n; i++)
		if (run[i])
			run[i](&b, p->v[i].arg);
	return wl_now() - start;
}

/* --- measuring ---------------------------------------------------------------------- */

/* In a process and a folder of its own; @whole is more by what that takes. */
static double timed(const struct prog *p, double (*execute)(const struct prog *),
		    double *seconds, double *whole)
{
	double start = wl_now();
	int status;
	pid_t pid;

	SAFE(mkdir("bench", 0700));
	*seconds = 0;
	pid = SAFE(fork());
	if (!pid) {
		SAFE(chdir("bench"));
		*seconds = execute(p);
		_exit(0);
	}
	SAFE(waitpid(pid, &status, 0));
	if (status || !*seconds)
		BROKEN("a program ended with %#x", status);
	*whole += wl_now() - start;
	run_program((const char *const[]){ "rm", "-rf", "bench", NULL });
	return *seconds;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Only what the bare loop knows, too. */
static char **unknown_ops(void)
{
	size_t n, at = 0;
	const struct op *const *all = ops_all(&n);
	char **words = calloc(n + 1, sizeof(*words));

	for (size_t i = 0; i < n; i++) {
		bool known = strcmp(all[i]->name, "quiet") == 0;

		for (size_t k = 0; k < NR_BARE; k++)
			known |= strcmp(all[i]->name, bare_ops[k].op) == 0;
		if (!known)
			words[at++] = (char *)all[i]->name;
	}
	return words;
}

/* What one of the two took for each program, in seconds. */
struct side {
	double (*execute)(const struct prog *p);
	double best[PROGRAMS];	/* ... in the best of its rounds: what else the
				 * machine does only ever adds to it */
	double round;		/* all of this round */
	double whole;		/* all rounds, from fork to exit */
};

static void once(struct side *s, const struct prog *progs, unsigned int i,
		 double *seconds)
{
	double took = timed(&progs[i], s->execute, seconds, &s->whole);

	if (!s->best[i] || took < s->best[i])
		s->best[i] = took;
	s->round += took;
}

static double sum(const double *v, size_t n)
{
	double sum = 0;

	while (n)
		sum += v[--n];
	return sum;
}

static void run(void)
{
	static struct side bare = { bare_execute }, executor = { prog_execute };
	double *seconds = buffer_shared(sizeof(*seconds)), ratio[ROUNDS], b, e;
	static struct prog progs[PROGRAMS];
	size_t steps = 0;

	for (unsigned int i = 0; i < PROGRAMS; i++) {
		struct gen_opts o = { .seed = 1, .index = i, .fs = wl->fs,
				      .threads = 1, .without = unknown_ops() };

		gen_program(&o, &progs[i]);
		steps += progs[i].n;
	}
	for (unsigned int r = 0; r < ROUNDS; r++) {
		bare.round = executor.round = 0;
		for (unsigned int i = 0; i < PROGRAMS; i++) {
			/* Whoever comes second meets what the filesystem still
			 * does about the files that the first one left. */
			bool second = (i + r) % 2;

			once(second ? &executor : &bare, progs, i, seconds);
			once(second ? &bare : &executor, progs, i, seconds);
		}
		ratio[r] = executor.round / bare.round;
	}
	qsort(ratio, ROUNDS, sizeof(*ratio), by_value);
	b = sum(bare.best, PROGRAMS);
	e = sum(executor.best, PROGRAMS);
	INFO("executor: %d programs, %zu steps: %.1f us a step by a bare loop, %.1f us by the executor; ratio %.2f (each program's best of %d rounds; of whole rounds %.2f to %.2f)",
	     PROGRAMS, steps, b / steps * 1e6, e / steps * 1e6, e / b, ROUNDS,
	     ratio[0], ratio[ROUNDS - 1]);
	INFO("a program's process from fork to exit: %.1f ms, with what is looked at when its steps have ended; %.1f ms of the bare loop",
	     executor.whole / ROUNDS / PROGRAMS * 1e3,
	     bare.whole / ROUNDS / PROGRAMS * 1e3);
	PASS("measured");
}

WORKLOAD(
	.name = "bench-program",
	.help = "what the executor of generated programs costs",
	.point = "bench",
	.on = ON_FS,
	.flags = WL_BY_NAME,
	.runtime = 30,
	.run = run,
);
