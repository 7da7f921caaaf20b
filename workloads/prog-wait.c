// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting: a step that frees blocks has to wait for the references on them, and
 * for nothing else. One that sleeps is given what it waits for, reference by
 * reference, and then has to go on; one that burns a CPU does not wait.
 */
#include "prog-internal.h"
#include "guest/agent.h"

/* Asleep for this long without a break is blocked, in scaled seconds: many
 * times what a lock or a journal commit takes here. */
#define SETTLE 0.06
/* What was freed goes on within this. */
#define LIMIT 5.0
/* CPU seconds in the kernel that no step has use for. */
#define SPIN 2.0

/* --- what must wait ------------------------------------------------------------- */

static bool is_in(const struct hold *h, const struct ino *ino, uint64_t off,
		  uint64_t end)
{
	return h->used && h->held && h->ino == ino && h->off < end &&
	       off < h->off + h->len;
}

void will_free(struct lane *l, struct ino *ino, uint64_t off, uint64_t len)
{
	uint64_t end = len < MAX_FILE - off ? off + len : MAX_FILE;

	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < NR_SLOTS; i++) {
		const struct hold *h = &ex->holds[i];

		/* A shared block stays with the other file. */
		if (is_in(h, ino, off, end) && !h->releasing && !h->detached &&
		    !h->loose && h->nr_dev && !ino->shared &&
		    l->nr_must < NR_SLOTS)
			l->must[l->nr_must++] = h->id;
	}
	pthread_mutex_unlock(&ex->lock);
}

static void tell_early(struct lane *l, const struct hold *h)
{
	const char *op = l->step->op->name;
	struct json_object *d = json_object_new_object();
	char key[120], title[200], line[400], text[800];

	snprintf(key, sizeof(key), "%s early %s", wl->fs, op);
	snprintf(title, sizeof(title), "%s on %s returns while a reference is held on a page that it frees (%s)",
		 op, wl->fs, h->kind);
	snprintf(text, sizeof(text), "%s\nstep %u: %s\nthe reference is on file %u from %#llx on, %#llx bytes; the device's page at %#llx\n",
		 title, l->step->nr, step_print(l->step, line, sizeof(line)),
		 h->ino->id, (unsigned long long)h->off,
		 (unsigned long long)h->len, (unsigned long long)h->dev[0]);
	put_str(d, "what", "early");
	put_str(d, "kind", h->kind);
	put_num(d, "step", l->step->nr);
	finding("waiting", key, title, text, d);
}

/* Another step changed the file meanwhile: where extents are shared its blocks
 * may have moved before the reference's page was looked for. */
static bool may_have_moved(const struct lane *l, const struct hold *h)
{
	for (const struct span *sp = ex->spans; sp && h->ino->shared;
	     sp = sp->next)
		if (sp->lane == l && sp->ino == h->ino && sp->clash)
			return true;
	return false;
}

void step_waited(struct lane *l, int err)
{
	bool told = false;

	if (!l->nr_must)
		return;
	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < NR_SLOTS && !err; i++) {
		struct hold *h = &ex->holds[i];

		for (unsigned int k = 0; k < l->nr_must; k++) {
			/* Detached meanwhile: what was freed is another page. */
			if (!h->used || h->id != l->must[k] || h->releasing ||
			    h->detached || may_have_moved(l, h))
				continue;
			if (!told)
				tell_early(l, h);
			told = h->detached = true;
		}
	}
	l->nr_must = 0;
	pthread_mutex_unlock(&ex->lock);
}

/* --- obstacles -------------------------------------------------------------------- */

static struct obstacle {
	const char *what;
	void (*undo)(void);
} obstacles[8];

void obstacle_set(const char *what, void (*undo)(void))
{
	struct obstacle *free_one = NULL;

	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < 8; i++) {
		if (!obstacles[i].undo)
			free_one = &obstacles[i];
		else if (strcmp(obstacles[i].what, what) == 0)
			obstacles[i].undo = NULL;
	}
	if (undo && free_one)
		*free_one = (struct obstacle){ what, undo };
	pthread_mutex_unlock(&ex->lock);
}

unsigned int obstacles_undo(void)
{
	unsigned int n = 0;

	for (int i = 0; i < 8; i++) {
		void (*undo)(void);

		pthread_mutex_lock(&ex->lock);
		undo = obstacles[i].undo;
		obstacles[i].undo = NULL;
		pthread_mutex_unlock(&ex->lock);
		if (undo) {
			undo();
			n++;
		}
	}
	return n;
}

/* --- watching ------------------------------------------------------------------------ */

struct watched {
	uint64_t begun;
	double began;		/* the step */
	double since;		/* ... or when it was freed */
	double asleep;		/* since then, or 0 */
	unsigned long ticks, sys_begun;
	bool spun;
	enum { ITS_FILES, ALL, NOTHING_LEFT } next;
};
static struct watched watched[MAX_LANES];

/* State letter; CPU ticks used so far, and those of them in the kernel. */
static char state_of(pid_t tid, unsigned long *ticks, unsigned long *sys)
{
	unsigned long ut = 0, st = 0;
	char path[64], buf[512], *p, c = '?';

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (read_small(path, buf, sizeof(buf)) < 0)
		return '?';
	p = strrchr(buf, ')');
	if (p)
		sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		       &c, &ut, &st);
	*ticks = ut + st;
	*sys = st;
	return c;
}

/* Where it is in the kernel: the first function that tells more than that it
 * sleeps. */
static void where_is(pid_t tid, char *fn, size_t size, char *stack,
		     size_t stack_size)
{
	static const char *const dull[] = {
		"__schedule", "schedule", "schedule_timeout", "io_schedule",
		"schedule_preempt_disabled", "rwsem_down_write_slowpath",
		"rwsem_down_read_slowpath", "down_write", "down_read",
		"wait_for_completion", "__wait_for_common", "__mutex_lock",
		"mutex_lock", "__wait_var_event", "preempt_schedule_common",
		"__cond_resched", "down_write_killable", "msleep",
		"___down_common", "percpu_rwsem_wait", "__percpu_down_read",
	};
	char path[64], name[64], *save, *line, *copy;

	snprintf(fn, size, "?");
	snprintf(path, sizeof(path), "/proc/self/task/%d/stack", tid);
	if (read_small(path, stack, stack_size) < 0)
		*stack = '\0';
	copy = strdup(stack);
	for (line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t i;

		if (sscanf(line, "[<%*[^]]] %63[^+ ]", name) != 1)
			continue;
		snprintf(fn, size, "%s", name);
		for (i = 0; i < sizeof(dull) / sizeof(*dull); i++)
			if (strncmp(name, dull[i], strcspn(name, ".")) == 0 &&
			    strlen(dull[i]) == strcspn(name, "."))
				break;
		if (i == sizeof(dull) / sizeof(*dull))
			break;
	}
	free(copy);
}

/* It waits for a lock: whoever has that is the one to look at. */
static bool wants_lock(const char *stack)
{
	return strstr(stack, "rwsem_down_") || strstr(stack, "mutex_lock") ||
	       strstr(stack, "percpu_rwsem_wait");
}

/* It waits for a page, with locks that others wait for: some kernels leave the
 * functions out of stacks that tell of a lock. */
static bool wants_page(const char *stack)
{
	return strstr(stack, "break_layout") || strstr(stack, "break_dax_layout") ||
	       strstr(stack, "wait_dax_page");
}

static struct lane *culprit(struct lane *l)
{
	struct lane *it = NULL, *o;
	char fn[64], stack[4096];

	for (unsigned int i = 0; i < ex->prog->threads; i++) {
		o = &ex->lanes[i];
		if (!o->in_step || !o->step || (o != l && !watched[i].asleep))
			continue;
		where_is(o->tid, fn, sizeof(fn), stack, sizeof(stack));
		if (wants_page(stack))
			return o;
		if (!wants_lock(stack) && (!it || o == l))
			it = o;
	}
	return it ?: l;
}

/* The step of another thread that has begun to let go of a reference, and does
 * not come back either; or NULL. */
static const struct step *releaser(const struct lane *l)
{
	for (unsigned int i = 0; i < ex->prog->threads; i++) {
		const struct step *s = ex->lanes[i].step;

		if (&ex->lanes[i] == l || !ex->lanes[i].in_step || !s)
			continue;
		for (unsigned int a = 0; a < op_nr_args(s->op); a++)
			if (s->op->args[a].type == ARG_REF &&
			    !s->op->args[a].fresh &&
			    ex->holds[s->arg[a]].releasing)
				return s;
	}
	return NULL;
}

static void tell_stuck(struct lane *l, const char *what, const char *words)
{
	const struct step *s = l->step, *by = releaser(l);
	struct json_object *d = json_object_new_object();
	char fn[64], stack[4096], key[160], title[200], line[400], with[400];
	char *text;

	where_is(l->tid, fn, sizeof(fn), stack, sizeof(stack));
	snprintf(key, sizeof(key), "%s %s %s %s%s%s", wl->fs, what,
		 s ? s->op->name : "the end",
		 strcmp(what, "stuck") == 0 ? fn : "", by ? " against " : "",
		 by ? by->op->name : "");
	snprintf(title, sizeof(title), "%s on %s %s%s%s%s%s",
		 s ? s->op->name : "the end", wl->fs, words,
		 by ? " but what is on its way: " : "", by ? by->op->name : "",
		 *fn == '?' ? "" : ": it is in ", *fn == '?' ? "" : fn);
	if (asprintf(&text, "%s\n%s\n%s%s%s\n", title,
		     s ? step_print(s, line, sizeof(line)) : "",
		     by ? step_print(by, with, sizeof(with)) : "",
		     by ? "\n" : "", stack) < 0)
		return;
	put_str(d, "what", what);
	put_num(d, "step", s ? s->nr : 0);
	finding("waiting", key, title, text, d);
	free(text);
}

static unsigned int give_all(struct lane *watcher)
{
	unsigned int n = obstacles_undo();

	return n + release_all(watcher, NULL);
}

/* Let go of what it may wait for: whether there was anything. */
static bool give(struct lane *watcher, struct lane *l, struct watched *w)
{
	unsigned int n = 0;

	/* Letting go may itself need the lock that a fault has which waits. */
	if (prog_let_faults(ex->prog))
		n = obstacles_undo();
	if (n)
		return true;
	if (w->next == ITS_FILES) {
		for (unsigned int i = 0; i < l->nr_inos; i++)
			n += release_all(watcher, l->inos[i]);
		w->next = ALL;
	}
	if (!n && w->next == ALL) {
		n = give_all(watcher);
		w->next = NOTHING_LEFT;
	}
	return n;
}

/* Whether another thread's step may take as long as it does. */
static bool is_any_patient(const struct lane *l, double now)
{
	for (unsigned int i = 0; i < ex->prog->threads; i++) {
		const struct lane *o = &ex->lanes[i];

		if (o != l && o->in_step && o->patience &&
		    watched[i].begun == o->steps_begun &&
		    now - watched[i].began < o->patience * wl->scale)
			return true;
	}
	return false;
}

static void watch_one(struct lane *watcher, struct lane *l, struct watched *w,
		      double now)
{
	double settle = SETTLE * wl->scale, limit = LIMIT * wl->scale;
	double hz = sysconf(_SC_CLK_TCK);
	unsigned long ticks = 0, sys = 0;
	char state;

	if (!l->in_step || w->begun != l->steps_begun) {
		*w = (struct watched){ .begun = l->steps_begun, .began = now,
				       .since = now };
		return;
	}
	if (now - w->since < settle / 2)
		return;
	if (l->patience * wl->scale > limit)
		limit = l->patience * wl->scale;
	if (l->settle)
		settle = l->settle * wl->scale;
	state = state_of(l->tid, &ticks, &sys);
	if (!w->sys_begun)
		w->sys_begun = sys + 1;
	if ((state != 'S' && state != 'D') || ticks != w->ticks)
		w->asleep = 0;
	else if (!w->asleep)
		w->asleep = now;
	w->ticks = ticks;
	if (!w->spun && sys + 1 - w->sys_begun > SPIN * wl->scale * hz) {
		w->spun = true;
		tell_stuck(l, "spin", "burns CPU time and does not come back");
		give(watcher, l, w);
		w->since = wl_now();
	}
	if (w->asleep && now - w->asleep > settle && !l->patience &&
	    w->next != NOTHING_LEFT) {
		ex->nr_waited += w->next == ITS_FILES;
		if (give(watcher, l, w))
			w->since = wl_now();
		w->asleep = 0;
		return;
	}
	/* One that runs is slow, or spins: that is told by what it burns. */
	if (now - w->since < (w->asleep ? limit : 6 * limit))
		return;
	/* It may wait for what was taken since, or for a thread that has a lock
	 * and takes its time. */
	if (give_all(watcher) || is_any_patient(l, now)) {
		w->since = wl_now();
		return;
	}
	if (!w->spun)
		tell_stuck(culprit(l), "stuck", "does not return though nothing is held");
	BROKEN("step %u of thread %d does not end", l->step ? l->step->nr : 0,
	       l->nr);
}

void watch(struct lane *watcher)
{
	double now = wl_now();

	for (unsigned int i = 0; i < ex->prog->threads; i++)
		watch_one(watcher, &ex->lanes[i], &watched[i], now);
}
