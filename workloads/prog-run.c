// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program runs: a thread for each of its threads, and this one to watch them.
 * Between two '*' steps threads run freely; such a step is run by the first
 * one, with all others standing still.
 */
#include "prog-internal.h"
#include "log.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

/* Bytes that most steps' data fits into. */
#define USUAL_IO KiB(256)

struct exec *ex;

/* The steps from @from to before @to are to be run by whom they belong to. */
static struct phase {
	pthread_mutex_t lock;
	pthread_cond_t begins, ended;
	unsigned int nr;
	size_t from, to;
	unsigned int running;
	bool last;		/* and then the end */
	unsigned int *beat;	/* who watches is not held up */
	double began, over;	/* its first step, and its last one */
	double apart;		/* seconds that '*' steps took */
} phase;

void (*prog_let_faults(const struct prog *p))(void)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].op->let_faults)
			return p->v[i].op->let_faults;
	return NULL;
}

static void run_step(struct lane *l, const struct step *s)
{
	double start = s->thread < 0 ? wl_now() : 0;
	int err;

	l->step = s;
	l->patience = l->settle = 0;
	l->steps_begun++;
	l->in_step = true;
	if (s->thread < 0)
		background_stop(l);
	err = s->op->run(l, s);
	step_waited(l, err);
	step_ends(l, err);
	l->in_step = false;
	l->step = NULL;
	if (err == VOID)
		__atomic_add_fetch(&ex->nr_void, 1, __ATOMIC_RELAXED);
	else if (err)
		__atomic_add_fetch(&ex->nr_failed, 1, __ATOMIC_RELAXED);
	if (s->thread < 0)
		phase.apart += wl_now() - start;
}

/* All that is held is let go, all is compared once more, and closed. */
static void run_end(struct lane *l)
{
	l->step = NULL;
	l->steps_begun++;
	l->in_step = true;
	obstacles_undo();
	background_stop(l);
	release_all(l, NULL);
	step_ends(l, 0);
	check_all(l);
	step_ends(l, 0);
	empty_all(l);
	l->in_step = false;
}

/* Faults one by one are slow. */
static void populate(char *p, size_t len)
{
	char *from = p + -(uintptr_t)p % PAGE;

	if (madvise(from, (p + len - from) / PAGE * PAGE,
		    MADV_POPULATE_WRITE) < 0)
		explicit_bzero(p, len);
}

/* What most steps need of the stack. */
static void have_stack(void)
{
	char stack[KiB(32)];

	populate(stack, sizeof(stack));
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;
	unsigned int seen = 0;

	l->tid = syscall(SYS_gettid);
	have_stack();
	for (;;) {
		size_t from, to;
		bool last;

		pthread_mutex_lock(&phase.lock);
		while (phase.nr == seen)
			pthread_cond_wait(&phase.begins, &phase.lock);
		seen = phase.nr;
		from = phase.from;
		to = phase.to;
		last = phase.last;
		if (!phase.began)
			phase.began = wl_now();
		pthread_mutex_unlock(&phase.lock);
		for (size_t i = from; i < to; i++) {
			const struct step *s = &ex->prog->v[i];

			if (s->thread == l->nr || (s->thread < 0 && !l->nr))
				run_step(l, s);
		}
		if (last && !l->nr)
			run_end(l);
		pthread_mutex_lock(&phase.lock);
		if (--phase.running == 0) {
			phase.over = wl_now();
			pthread_cond_signal(&phase.ended);
		}
		pthread_mutex_unlock(&phase.lock);
	}
	return NULL;
}

/* Run one, and watch until it is over. */
static void run_phase(struct lane *watcher, size_t from, size_t to, bool last)
{
	pthread_mutex_lock(&phase.lock);
	phase.from = from;
	phase.to = to;
	phase.last = last;
	phase.running = ex->prog->threads;
	phase.began = 0;
	phase.nr++;
	pthread_cond_broadcast(&phase.begins);
	while (phase.running) {
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += 10 * 1000 * 1000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&phase.ended, &phase.lock, &ts)) {
			pthread_mutex_unlock(&phase.lock);
			++*phase.beat;
			watch(watcher);
			pthread_mutex_lock(&phase.lock);
		}
	}
	pthread_mutex_unlock(&phase.lock);
}

/* Where a phase that begins at @from ends: '*' steps are one each, unless there
 * is nobody that has to stand still. */
static size_t phase_end(const struct prog *p, size_t from)
{
	size_t to = from;

	if (p->threads == 1)
		return p->n;
	if (to < p->n && p->v[to].thread < 0)
		return to + 1;
	while (to < p->n && p->v[to].thread >= 0)
		to++;
	return to;
}

/* The device is one file that is always there, and holds what it did. */
static void make_device(struct lane *l)
{
	struct ino *ino = ino_new(l);
	int fd = SAFE(open(wl->dev, O_RDWR | O_CLOEXEC));
	char *p = SAFE(mmap(map_address(0), MAX_FILE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0));

	memset(p, 0, MAX_FILE);
	SAFE(munmap(p, MAX_FILE));
	close(fd);
	ino->size = MAX_FILE;
	name_set(l, 0, ino);
	step_ends(l, 0);
}

/*
 * For a step's data. Faults one by one are most of what large ones would cost:
 * what few steps reach is of 2 MiB pages where the kernel has them.
 */
static char *data_buffer(void)
{
	char *p = buffer(MAX_IO + 2 * PMD);

	p += -(uintptr_t)p % PMD + PMD;
	madvise(p, MAX_IO, MADV_HUGEPAGE);
	p -= USUAL_IO;
	madvise(p, USUAL_IO, MADV_NOHUGEPAGE);
	populate(p, USUAL_IO);
	return p;
}

static void start_lanes(unsigned int n)
{
	pthread_condattr_t attr;
	pthread_attr_t small;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&phase.ended, &attr);
	pthread_cond_init(&phase.begins, NULL);
	pthread_mutex_init(&phase.lock, NULL);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, KiB(256));
	for (unsigned int i = 0; i < n; i++) {
		struct lane *l = &ex->lanes[i];

		l->nr = i;
		l->buf = data_buffer();
		errno = pthread_create(&l->thread, &small, lane_main, l);
		if (errno)
			BROKEN("cannot start a thread: %s", strerror(errno));
	}
}

/*
 * A fault that waits has the lock of the process' mappings, and what it waits
 * for may be for the watching thread to let go: that must not need this lock,
 * for memory that it allocates or touches first, nor wait for a thread that
 * does while it allocates. What is needed is there before; not more, as each
 * page of it is a fault in each program.
 */
static void have_memory(void)
{
	extern char __executable_start[], etext[];
	char stack[KiB(128)], *heap, *code = __executable_start;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, MiB(32));
	mallopt(M_TRIM_THRESHOLD, MiB(256));
	mallopt(M_TOP_PAD, MiB(1));
	heap = malloc(MiB(1));
	populate(heap, MiB(1));
	populate(stack, sizeof(stack));
	free(heap);
	madvise(code, (size_t)(etext - code), MADV_POPULATE_READ);
	/* All that there is where all faults wait. */
	if (prog_let_faults(ex->prog))
		mlockall(MCL_CURRENT);
}

/*
 * For all that, the watching thread may come to need the lock: a fork makes
 * each page one to be copied, and the kernel itself writes to a thread's stack
 * and its restartable sequence. A process with mappings of its own helps when
 * @beat stands still.
 */
static void start_helper(void (*let_faults)(void), const unsigned int *beat)
{
	unsigned int seen = *beat, still = 0;
	pid_t parent = getpid();

	if (SAFE(fork()))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Nobody has to wait for it before he can unmount. */
	if (chdir("/") < 0)
		_exit(1);
	while (getppid() == parent) {
		usleep(100000);
		still = *(const volatile unsigned int *)beat == seen ?
			still + 1 : 0;
		seen = *(const volatile unsigned int *)beat;
		if (still > 20 * wl->scale) {
			let_faults();
			still = 0;
		}
	}
	_exit(0);
}

double prog_execute(const struct prog *prog)
{
	static union {
		struct exec exec;
		char pages[(sizeof(struct exec) + PAGE - 1) / PAGE * PAGE];
	} all __attribute__((aligned(4096)));
	struct lane *watcher = &all.exec.lanes[MAX_LANES];
	double seconds = 0;

	ex = &all.exec;
	populate(all.pages, sizeof(all.pages));
	ex->prog = prog;
	ex->nonce = wl->seed % 255 + 1;
	pthread_mutex_init(&ex->lock, NULL);
	slots_init();
	watcher->nr = -1;
	phase.beat = buffer_shared(sizeof(*phase.beat));
	if (prog_let_faults(prog))
		start_helper(prog_let_faults(prog), phase.beat);
	have_memory();
	watcher->buf = data_buffer();
	if (!wl->mnt)
		make_device(watcher);
	start_lanes(prog->threads);
	for (size_t from = 0, to; from < prog->n; from = to) {
		to = phase_end(prog, from);
		run_phase(watcher, from, to, false);
		seconds += phase.over - phase.began;
	}
	seconds -= phase.apart;
	run_phase(watcher, prog->n, prog->n, true);
	return seconds;
}

void prog_run(const char *text)
{
	static struct prog prog;
	const char *why;

	if (prog_parse(&prog, text, &why) < 0)
		BROKEN("the program: %s", why);
	prog_execute(&prog);
	PASS("%zu steps: %u found nothing to act on, %u failed, %u waited for a reference",
	     prog.n, ex->nr_void, ex->nr_failed, ex->nr_waited);
	_exit(0);
}
