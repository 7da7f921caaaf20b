// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What steps name by slots: open files, mappings, references, names. A slot
 * that a step uses stays as it is until the step ends; one that is emptied
 * meanwhile is empty for the next. A mapping's address belongs to its slot, so
 * that nothing else ever comes to be where a late access still goes.
 */
#include "prog-internal.h"
#include "guest/sys.h"
#include "log.h"

#include <signal.h>

/* Far from where mmap() puts things by itself. */
#define MAP_BASE 0x200000000000ull
#define MAP_STRIDE MiB(64)

pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static int pagemap = -1;

void slots_init(void)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		ex->files[i].fd = -1;
		pthread_mutex_init(&ex->files[i].position, NULL);
	}
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* --- files, as the model knows them ------------------------------------------- */

/* With the lock held. */
static void get_ino(struct ino *ino)
{
	ino->uses++;
}

static void put_ino(struct ino *ino)
{
	if (--ino->uses)
		return;
	content_free(&ino->holds);
	free(ino->last);
	ino->last = NULL;
}

static void lane_ino(struct lane *l, struct ino *ino)
{
	if (l->nr_inos == sizeof(l->inos) / sizeof(*l->inos))
		return;
	get_ino(ino);
	l->inos[l->nr_inos++] = ino;
}

struct ino *ino_new(struct lane *l)
{
	struct ino *ino = NULL;

	pthread_mutex_lock(&ex->lock);
	/* An id is never used again: data of a file that is gone is told from
	 * that of one that is there. */
	for (unsigned int i = 1; i < 64 && !ino; i++)
		if (!ex->inos[i].id)
			ino = &ex->inos[i];
	if (ino) {
		ino->id = ino - ex->inos;
		ino->last = calloc(MAX_FILE / PAGE, sizeof(*ino->last));
		ino->flow = 1ull << ino->id;
		lane_ino(l, ino);
	}
	pthread_mutex_unlock(&ex->lock);
	return ino;
}

const char *name_path(uint64_t slot)
{
	static const char *const paths[NR_SLOTS] = { "a", "b", "c", "d", "e",
						     "f", "g", "h" };

	return paths[slot];
}

struct ino *use_name(struct lane *l, uint64_t slot)
{
	struct ino *ino;

	pthread_mutex_lock(&ex->lock);
	ino = ex->names[slot];
	if (ino)
		lane_ino(l, ino);
	pthread_mutex_unlock(&ex->lock);
	return ino;
}

void name_set(struct lane *l, uint64_t slot, struct ino *ino)
{
	struct ino *old;

	pthread_mutex_lock(&ex->lock);
	old = ex->names[slot];
	ex->names[slot] = ino;
	if (ino) {
		get_ino(ino);
		ino->names++;
	}
	if (old) {
		/* It may be this step that ends it. */
		lane_ino(l, old);
		old->names--;
		put_ino(old);
	}
	pthread_mutex_unlock(&ex->lock);
}

/* --- open files ------------------------------------------------------------------ */

static struct file *get_file(struct lane *l, struct file *f)
{
	f->users++;
	l->files[l->nr_files++] = f;
	if (f->ino)
		lane_ino(l, f->ino);
	return f;
}

static bool full(const struct lane *l)
{
	return l->nr_files == sizeof(l->files) / sizeof(*l->files) ||
	       l->nr_maps == sizeof(l->maps) / sizeof(*l->maps);
}

struct file *use_fd(struct lane *l, uint64_t slot)
{
	struct file *f = &ex->files[slot];

	pthread_mutex_lock(&ex->lock);
	f = f->fd >= 0 && !f->closing && !full(l) ? get_file(l, f) : NULL;
	pthread_mutex_unlock(&ex->lock);
	return f;
}

struct file *fresh_fd(struct lane *l, uint64_t slot)
{
	struct file *f = &ex->files[slot];

	pthread_mutex_lock(&ex->lock);
	f = f->fd < 0 && !f->users && !full(l) ? get_file(l, f) : NULL;
	pthread_mutex_unlock(&ex->lock);
	return f;
}

struct file *last_fd(struct lane *l, uint64_t slot)
{
	struct file *f = &ex->files[slot];

	pthread_mutex_lock(&ex->lock);
	f = f->fd >= 0 && !f->users && !full(l) ? get_file(l, f) : NULL;
	if (f)
		f->closing = true;
	pthread_mutex_unlock(&ex->lock);
	return f;
}

void fill_fd(struct lane *l, struct file *f, int fd, struct ino *ino)
{
	pthread_mutex_lock(&ex->lock);
	f->ino = ino;
	get_ino(ino);
	f->direct = f->append = f->readonly = false;
	__atomic_store_n(&f->fd, fd, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ex->lock);
}

void empty_fd(struct lane *l, struct file *f)
{
	pthread_mutex_lock(&ex->lock);
	f->fd = -1;
	f->closing = false;
	put_ino(f->ino);
	f->ino = NULL;
	pthread_mutex_unlock(&ex->lock);
}

int ino_fd(struct ino *ino, bool *own)
{
	*own = false;
	for (int i = 0; i < NR_SLOTS; i++)
		if (ex->files[i].fd >= 0 && ex->files[i].ino == ino)
			return ex->files[i].fd;
	for (int i = 0; i < NR_SLOTS; i++) {
		if (ex->names[i] != ino)
			continue;
		*own = true;
		return open(name_path(i), O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

/* --- mappings -------------------------------------------------------------------- */

void *map_address(uint64_t slot)
{
	return (void *)(MAP_BASE + slot * MAP_STRIDE);
}

static void clear_map(struct map *m)
{
	free(m->own);
	content_free(&m->copy);
	put_ino(m->ino);
	*m = (struct map){};
}

static struct map *get_map(struct lane *l, struct map *m)
{
	m->users++;
	l->maps[l->nr_maps++] = m;
	if (m->ino)
		lane_ino(l, m->ino);
	return m;
}

struct map *use_map(struct lane *l, uint64_t slot)
{
	struct map *m = &ex->maps[slot];

	pthread_mutex_lock(&ex->lock);
	m = m->p && !m->gone && !full(l) ? get_map(l, m) : NULL;
	pthread_mutex_unlock(&ex->lock);
	return m;
}

struct map *fresh_map(struct lane *l, uint64_t slot)
{
	struct map *m = &ex->maps[slot];

	pthread_mutex_lock(&ex->lock);
	m = !m->p && !m->users && !full(l) ? get_map(l, m) : NULL;
	pthread_mutex_unlock(&ex->lock);
	return m;
}

struct map *change_map(struct lane *l, uint64_t slot)
{
	struct map *m = use_map(l, slot);

	if (!m)
		return NULL;
	pthread_mutex_lock(&ex->lock);
	if (!m->changer)
		m->changer = l;
	else
		m = NULL;
	pthread_mutex_unlock(&ex->lock);
	return m;
}

static void take_copies(struct map *m, const struct map *from)
{
	for (size_t i = 0; from->own && i < m->len / PAGE; i++)
		m->own[i] = from->mixed ? 2 : from->own[i];
	content_copy(&m->copy, 0, &from->copy, 0, m->len);
}

void fill_map(struct lane *l, struct map *m, const struct map *with)
{
	unsigned int users;

	pthread_mutex_lock(&ex->lock);
	users = m->users;
	*m = (struct map){ .p = with->p, .len = with->len, .off = with->off,
			   .ino = with->ino, .prot = with->prot,
			   .private = with->private, .sync = with->sync,
			   .locked = with->locked, .users = users };
	get_ino(m->ino);
	if (m->private) {
		m->own = calloc(MAX_FILE / PAGE, 1);
		take_copies(m, with);
	}
	pthread_mutex_unlock(&ex->lock);
}

void empty_map(struct lane *l, struct map *m)
{
	pthread_mutex_lock(&ex->lock);
	m->gone = true;
	if (!m->users)
		clear_map(m);
	pthread_mutex_unlock(&ex->lock);
}

void copies_lost(const struct ino *ino, uint64_t off)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		struct map *m = &ex->maps[i];

		if (!m->p || m->ino != ino || !m->own)
			continue;
		for (size_t page = 0; page < m->len / PAGE; page++)
			if (m->off + (page + 1) * PAGE > off && m->own[page])
				m->own[page] = 2;
	}
}

void private_lost(struct ino *ino, uint64_t off)
{
	pthread_mutex_lock(&ex->lock);
	copies_lost(ino, off);
	pthread_mutex_unlock(&ex->lock);
}

/* --- accesses that may fault ------------------------------------------------------- */

static __thread sigjmp_buf jump;
static __thread volatile sig_atomic_t armed;

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (armed)
		siglongjmp(jump, sig);
	/* memory_failure() tells whoever maps the page. */
	if (ex->poisoned && sig == SIGBUS)
		return;
	/* Not ours: the default action, when it is raised again on return. */
	kernel_log("signal %d at %p, by no access of a step", sig, si->si_addr);
	signal(sig, SIG_DFL);
}

static void arm(void)
{
	static bool done;
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_NODEFER };

	if (!__atomic_exchange_n(&done, true, __ATOMIC_ACQ_REL)) {
		sigaction(SIGBUS, &sa, NULL);
		sigaction(SIGSEGV, &sa, NULL);
	}
	armed = 1;
}

/* A page at a time, so that what was done before a signal is known. */
static int copy(char *to, const char *from, size_t len, size_t *done,
		const char *faults)
{
	volatile size_t at = 0;
	int sig;

	arm();
	/* The mask is not saved: SA_NODEFER left it as it was. */
	sig = sigsetjmp(jump, 0);
	while (!sig && at < len) {
		size_t n = PAGE - (uintptr_t)(faults + at) % PAGE;

		n = n < len - at ? n : len - at;
		if (to && from)
			memcpy(to + at, from + at, n);
		else if (to)
			__atomic_fetch_or(to + at, 0, __ATOMIC_RELAXED);
		else
			(void)*(volatile const char *)(from + at);
		at += n;
	}
	armed = 0;
	*done = at;
	return sig;
}

int run_guarded(void (*fn)(void *arg), void *arg)
{
	int sig;

	arm();
	sig = sigsetjmp(jump, 0);
	if (!sig)
		fn(arg);
	armed = 0;
	return sig;
}

int map_copy_in(char *to, const void *from, size_t len, size_t *done)
{
	return copy(to, from, len, done, to);
}

int map_copy_out(void *to, const char *from, size_t len, size_t *done)
{
	return copy(to, from, len, done, from);
}

bool ino_ends(struct lane *l, struct ino *ino)
{
	unsigned int kept = 1;
	bool ends;

	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < NR_SLOTS; i++)
		kept += ex->holds[i].used && ex->holds[i].ino == ino;
	for (unsigned int i = 0; i < l->nr_inos; i++)
		kept += l->inos[i] == ino;
	ends = ino->uses <= kept;
	pthread_mutex_unlock(&ex->lock);
	return ends;
}

/* --- references --------------------------------------------------------------------- */

struct hold *fresh_ref(struct lane *l, uint64_t slot, const char *kind,
		       struct map *m, uint64_t off, uint64_t len)
{
	struct hold *h = &ex->holds[slot];
	uint64_t first = off / PAGE * PAGE;

	pthread_mutex_lock(&ex->lock);
	if (h->used) {
		pthread_mutex_unlock(&ex->lock);
		return NULL;
	}
	*h = (struct hold){
		.used = true, .id = ++ex->hold_ids, .kind = kind,
		.ino = m->ino, .map = m, .copies = m->copies,
		.off = m->off + first,
		.len = (off + len + PAGE - 1) / PAGE * PAGE - first,
		.p = m->p + off, .fds = { -1, -1, -1, -1 },
		.changes = m->ino->changes,
		/* Another thread may make a page the mapping's own, and give
		 * it back, all in the meantime. */
		.doubt = m->private && ex->prog->threads > 1,
	};
	h->detached = h->doubt;
	get_ino(h->ino);
	pthread_mutex_unlock(&ex->lock);
	return h;
}

/*
 * Of all its pages or none: a reference some of whose pages cannot be told is
 * not waited for. What is mapped there now may already be another page than was
 * taken, if another thread changed the file: then the model has seen a change
 * since fresh_ref(), or one is under way.
 */
void ref_pages(struct hold *h)
{
	const char *p = (const char *)((uintptr_t)h->p / PAGE * PAGE);

	for (uint64_t at = 0; at < h->len; at += PAGE) {
		int64_t dev = log_page(pagemap, p + at);

		if (dev == -2 || h->nr_dev == sizeof(h->dev) / sizeof(*h->dev))
			h->doubt = h->detached = true;
		else if (dev < 0)
			h->detached = true;
		else
			h->dev[h->nr_dev++] = dev;
	}
	h->looked = true;
}

void ref_held(struct lane *l, struct hold *h)
{
	if (!h->looked)
		ref_pages(h);
	pthread_mutex_lock(&ex->lock);
	h->doubt |= h->changes != h->ino->changes;
	for (struct span *o = ex->spans; o; o = o->next)
		h->doubt |= o->ino == h->ino && o->write && o->lane &&
			    o->lane != l;
	/* A private mapping's page may have come or gone as a copy since. */
	h->doubt |= h->map && (h->map->copiers || h->map->copies != h->copies);
	h->map = NULL;
	h->detached |= h->doubt;
	h->held = true;
	pthread_mutex_unlock(&ex->lock);
}

void ref_held_as(struct lane *l, struct hold *h, const struct hold *as)
{
	pthread_mutex_lock(&ex->lock);
	memcpy(h->dev, as->dev, sizeof(h->dev));
	h->nr_dev = as->nr_dev;
	h->detached = as->detached;
	h->doubt = as->doubt;
	h->changes = as->changes;
	/* Part of them: which ones were left out is not known. */
	if (h->off != as->off || h->len != as->len)
		h->detached = h->doubt = true;
	h->held = true;
	pthread_mutex_unlock(&ex->lock);
}

void ref_none(struct lane *l, struct hold *h)
{
	pthread_mutex_lock(&ex->lock);
	put_ino(h->ino);
	*h = (struct hold){};
	pthread_mutex_unlock(&ex->lock);
}

static bool take(struct hold *h)
{
	if (!h->used || !h->held || h->releasing)
		return false;
	return h->releasing = true;
}

struct hold *take_ref(struct lane *l, uint64_t slot)
{
	struct hold *h = &ex->holds[slot];

	pthread_mutex_lock(&ex->lock);
	h = take(h) ? h : NULL;
	pthread_mutex_unlock(&ex->lock);
	return h;
}

void ref_keep(struct hold *h)
{
	pthread_mutex_lock(&ex->lock);
	h->releasing = false;
	pthread_mutex_unlock(&ex->lock);
}

unsigned int take_refs(bool (*which)(const struct hold *h),
		       struct hold *out[NR_SLOTS])
{
	unsigned int n = 0;

	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < NR_SLOTS; i++)
		if (ex->holds[i].held && which(&ex->holds[i]) &&
		    take(&ex->holds[i]))
			out[n++] = &ex->holds[i];
	pthread_mutex_unlock(&ex->lock);
	return n;
}

void ref_release(struct lane *l, struct hold *h)
{
	h->release(l, h);
	if (h->span)
		span_close(h->span, 0);
	for (int i = 0; i < 4; i++)
		if (h->fds[i] >= 0)
			close(h->fds[i]);
	log_release(h->log);
	ref_none(l, h);
}

void ref_check(struct lane *l, struct hold *h, const void *got, size_t len)
{
	uint64_t off = h->off + (uintptr_t)h->p % PAGE;
	struct span *sp = will_read(l, h->ino, off, len);

	/* The page may have left the file since: its data may be older. */
	if (h->detached || h->ino->changes != h->changes || !h->nr_dev)
		sp->clash = true;
	check_data(l, sp, off, got, len, "a reference");
	if (l->nr < 0)
		span_close(sp, 0);
}

unsigned int holds_of(struct ino *ino)
{
	unsigned int n = 0;

	pthread_mutex_lock(&ex->lock);
	for (int i = 0; i < NR_SLOTS; i++)
		n += ex->holds[i].used && ex->holds[i].held &&
		     (!ino || ex->holds[i].ino == ino);
	pthread_mutex_unlock(&ex->lock);
	return n;
}

unsigned int release_all(struct lane *l, struct ino *ino)
{
	unsigned int n = 0;

	for (int i = 0; i < NR_SLOTS; i++) {
		struct hold *h = &ex->holds[i];
		bool ours;

		pthread_mutex_lock(&ex->lock);
		ours = (!ino || h->ino == ino) && take(h);
		pthread_mutex_unlock(&ex->lock);
		if (!ours)
			continue;
		ref_release(l, h);
		n++;
	}
	return n;
}

static bool in_doubt(const struct hold *h)
{
	return h->doubt;
}

void holds_tell(struct lane *l)
{
	struct hold *which[NR_SLOTS];
	unsigned int n = take_refs(in_doubt, which);

	while (n)
		ref_release(l, which[--n]);
	for (int i = 0; i < NR_SLOTS; i++) {
		struct hold *h = &ex->holds[i];

		if (h->used && h->held && h->nr_dev && !h->log)
			h->log = log_hold_pages(h->kind, h->dev, h->nr_dev);
	}
}

/* --- the end of a step, and of all ---------------------------------------------------- */

static struct span *span_of(const struct lane *l)
{
	struct span *sp;

	pthread_mutex_lock(&ex->lock);
	for (sp = ex->spans; sp && sp->lane != l; sp = sp->next)
		;
	pthread_mutex_unlock(&ex->lock);
	return sp;
}

void step_ends(struct lane *l, int err)
{
	struct span *sp;

	while ((sp = span_of(l)))
		span_close(sp, err);
	pthread_mutex_lock(&ex->lock);
	for (unsigned int i = 0; i < l->nr_files; i++) {
		struct file *f = l->files[i];

		f->users--;
		f->closing = false;
	}
	for (unsigned int i = 0; i < l->nr_maps; i++) {
		struct map *m = l->maps[i];

		if (m->changer == l)
			m->changer = NULL;
		if (!--m->users && m->gone)
			clear_map(m);
	}
	for (unsigned int i = 0; i < l->nr_inos; i++)
		put_ino(l->inos[i]);
	l->nr_files = l->nr_maps = l->nr_inos = 0;
	pthread_mutex_unlock(&ex->lock);
}

void empty_all(struct lane *l)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		struct map *m = &ex->maps[i];

		if (m->p && !m->gone) {
			munmap(m->p, m->len);
			empty_map(l, m);
		}
	}
	for (int i = 0; i < NR_SLOTS; i++) {
		struct file *f = &ex->files[i];

		if (f->fd >= 0) {
			close(f->fd);
			empty_fd(l, f);
		}
	}
}
