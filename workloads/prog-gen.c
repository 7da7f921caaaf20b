// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs from seeds. The same seed, index and options give the same text on
 * every machine: integers only, and nothing is asked of the one that it is on.
 *
 * Biased towards what hurts: few small files, block and 2 MiB boundaries, the
 * end of the file, layout changes while references are held. Nothing is known
 * here of any bug: operations are drawn by weight, and may be, whatever came
 * before.
 */
#include "prog.h"

/* Slots that are drawn: few, so that steps meet. */
static const unsigned int pool[] = {
	[ARG_FD] = 4, [ARG_NAME] = 4, [ARG_MAP] = 5, [ARG_REF] = 3,
};

/* --- chance -------------------------------------------------------------------- */

/* splitmix64: its constants are Steele, Lea and Flood's (2014). */
static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t gen_u64(struct gen *g)
{
	return mix(g->state += 0x9e3779b97f4a7c15ull);
}

unsigned int gen_below(struct gen *g, unsigned int n)
{
	return n ? gen_u64(g) % n : 0;
}

bool gen_chance(struct gen *g, unsigned int percent)
{
	return gen_below(g, 100) < percent;
}

uint64_t gen_len(struct gen *g)
{
	static const uint64_t odd[] = { 1, 7, 8, 511, 512, 513, 2048, 4095,
					4097, 5000, 12289 };
	unsigned int c = gen_below(g, 100);

	if (c < 55)
		return (1 + gen_below(g, 4)) * PAGE;
	if (c < 70)
		return odd[gen_below(g, sizeof(odd) / sizeof(*odd))];
	if (c < 88)
		return (1 + gen_below(g, 16)) * PAGE;
	if (c < 96)
		return PMD;
	return PMD + (1 + gen_below(g, 4)) * PAGE;
}

uint64_t gen_off(struct gen *g, uint64_t size)
{
	unsigned int c = gen_below(g, 100);
	uint64_t off = 0;

	if (c < 25)
		off = 0;
	else if (c < 65)
		off = gen_below(g, size / PAGE + 2) * PAGE;
	else if (c < 75)
		off = size;
	else if (c < 82)
		off = size / PAGE * PAGE;
	else if (c < 87)
		off = gen_below(g, size / PMD + 2) * PMD;
	else if (c < 90)
		off = PMD - PAGE;
	else
		off = gen_below(g, size + 1);
	if (c >= 96 && off)
		off--;
	return off < MAX_FILE ? off : MAX_FILE - PAGE;
}

/* --- files ----------------------------------------------------------------------- */

int gen_file_of_name(struct gen *g, unsigned int name)
{
	if (g->name[name] >= 0)
		return g->name[name];
	for (int i = 0; i < 64; i++) {
		if (g->file[i].used)
			continue;
		g->file[i] = (struct gen_file){ .used = true };
		if (g->on == ON_DEVDAX)
			g->file[i].size = MAX_FILE;
		return g->name[name] = i;
	}
	return g->name[name] = 63;
}

struct gen_file *gen_file_of_fd(struct gen *g, uint64_t fd)
{
	static struct gen_file none;

	if (g->fd[fd] < 0) {
		none = (struct gen_file){};
		return &none;
	}
	return &g->file[g->fd[fd]];
}

/* --- arguments ---------------------------------------------------------------------- */

static bool is_empty(const struct gen *g, enum arg_type type, unsigned int slot)
{
	switch (type) {
	case ARG_FD:
		return g->fd[slot] < 0;
	case ARG_MAP:
		return g->map[slot].file < 0;
	default:
		return g->ref[slot] < 0;
	}
}

static bool pick_slot(struct gen *g, const struct op_arg *a, uint64_t *v)
{
	unsigned int n = pool[a->type], at = gen_below(g, n);

	for (unsigned int i = 0; i < n; i++) {
		*v = (at + i) % n;
		if (is_empty(g, a->type, *v) == a->fresh)
			return true;
	}
	return false;
}

/* The size of what the slot argument before @i is about. */
static uint64_t extent_of(struct gen *g, const struct step *s, unsigned int i)
{
	while (i--) {
		const struct op_arg *a = &s->op->args[i];

		if (a->type == ARG_MAP && !a->fresh)
			return g->map[s->arg[i]].len;
		if (a->type == ARG_FD && !a->fresh)
			return gen_file_of_fd(g, s->arg[i])->size;
	}
	return PMD;
}

static bool in_map(const struct step *s, unsigned int i)
{
	while (i--)
		if (s->op->args[i].type == ARG_MAP && !s->op->args[i].fresh)
			return true;
		else if (s->op->args[i].type == ARG_FD)
			return false;
	return false;
}

static uint64_t align(uint64_t v, const struct op_arg *a)
{
	return a->align ? (v + a->align - 1) / a->align * a->align : v;
}

static bool make_arg(struct gen *g, struct step *s, unsigned int i)
{
	const struct op_arg *a = &s->op->args[i];
	uint64_t *v = &s->arg[i], extent;
	unsigned int n = 0;

	switch (a->type) {
	case ARG_FD:
	case ARG_MAP:
	case ARG_REF:
		return pick_slot(g, a, v);
	case ARG_NAME:
		*v = gen_below(g, pool[ARG_NAME]);
		return true;
	case ARG_WORD:
		while (a->words[n])
			n++;
		*v = gen_below(g, n);
		return true;
	case ARG_NUM:
		*v = gen_below(g, a->max ? a->max : 16);
		return true;
	case ARG_OFF:
		extent = extent_of(g, s, i);
		*v = gen_off(g, extent);
		/* Behind a mapping there is nothing to act on. */
		if (in_map(s, i) && *v >= extent)
			*v = extent ? (extent - 1) / PAGE * PAGE : 0;
		*v = a->align ? *v / a->align * a->align : *v;
		return true;
	case ARG_LEN:
		*v = align(gen_len(g), a);
		/* Data of megabytes is slow, and seldom shows more than pages
		 * do; extents of them do. */
		if (*v > KiB(64) && op_is(s->op, "io") && gen_chance(g, 95))
			*v = align((1 + gen_below(g, 16)) * PAGE, a);
		if (in_map(s, i) && gen_chance(g, 60))
			*v = align(8 << gen_below(g, 10), a);
		return true;
	}
	return false;
}

/* --- steps ------------------------------------------------------------------------ */

static bool has_word(char **words, const struct op *op)
{
	for (; words && *words; words++)
		if (op_is(op, *words))
			return true;
	return false;
}

static bool is_enabled(const struct gen *g, const struct op *op)
{
	unsigned int on = op->on ? op->on : ON_FS;

	if (!op->weight || !(on & g->on) || has_word(g->o->without, op))
		return false;
	if (op->flags & OP_OWNS_FS && !g->out->alone)
		return false;
	return !(op->flags & OP_ASKED) || has_word(g->o->with, op);
}

static bool any_ref(const struct gen *g)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (g->ref[i] >= 0)
			return true;
	return false;
}

static unsigned int weight_of(const struct gen *g, const struct op *op)
{
	unsigned int w = op->weight;

	/* References across layout changes; what was asked for by name. */
	if (any_ref(g) && op_is(op, "layout"))
		w *= 3;
	if (op->flags & (OP_ASKED | OP_OWNS_FS))
		w *= 3;
	return w;
}

static const struct op *draw_op(struct gen *g)
{
	size_t n;
	const struct op *const *all = ops_all(&n);
	unsigned int sum = 0, at;

	for (size_t i = 0; i < n; i++)
		sum += is_enabled(g, all[i]) ? weight_of(g, all[i]) : 0;
	at = gen_below(g, sum);
	for (size_t i = 0; i < n; i++) {
		unsigned int w = is_enabled(g, all[i]) ? weight_of(g, all[i]) :
							 0;

		if (at < w)
			return all[i];
		at -= w;
	}
	return NULL;
}

static bool make_step(struct gen *g, const struct op *op, struct step *s)
{
	*s = (struct step){ .op = op, .thread = -1 };
	for (unsigned int i = 0; i < op_nr_args(op); i++)
		if (!make_arg(g, s, i))
			return false;
	return !op->gen || op->gen(g, s);
}

static void add(struct prog *p, const struct step *s, int thread)
{
	p->v = realloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n] = *s;
	p->v[p->n].nr = p->n + 1;
	p->v[p->n].thread = s->op->flags & (OP_ALONE | OP_OWNS_FS) ? -1 :
								    thread;
	p->n++;
}

static void add_quiet(struct gen *g)
{
	struct step s = { .op = op_find("quiet") };

	add(g->out, &s, -1);
}

/* One that can be made now, for @thread. */
static void add_step(struct gen *g, int thread)
{
	/* A hook that refuses has changed nothing. */
	for (int tries = 0; tries < 100; tries++) {
		const struct op *op = draw_op(g);
		struct step s;

		if (op && make_step(g, op, &s)) {
			add(g->out, &s, thread);
			return;
		}
	}
}

/* --- programs ------------------------------------------------------------------------ */

const char *gen_unknown(const struct gen_opts *o)
{
	char **lists[] = { o->with, o->without };
	size_t n;
	const struct op *const *all = ops_all(&n);

	for (int k = 0; k < 2; k++)
		for (char **w = lists[k]; w && *w; w++) {
			bool known = false;

			for (size_t i = 0; i < n; i++)
				known |= op_is(all[i], *w);
			if (!known)
				return *w;
		}
	return NULL;
}

static void gen_init(struct gen *g, const struct gen_opts *o, struct prog *out)
{
	*g = (struct gen){ .o = o, .out = out };
	g->state = mix(mix(o->seed) + o->index + 1);
	g->on = strcmp(o->fs, "xfs") == 0 ? ON_XFS :
		strcmp(o->fs, "ext4") == 0 ? ON_EXT4 : ON_DEVDAX;
	for (int i = 0; i < NR_SLOTS; i++)
		g->fd[i] = g->name[i] = g->map[i].file = g->ref[i] = -1;
	if (g->on == ON_DEVDAX)
		gen_file_of_name(g, 0);
}

/* Whether something was asked for that wants a filesystem of its own. */
static bool asks_for_fs(const struct gen_opts *o)
{
	size_t n;
	const struct op *const *all = ops_all(&n);

	for (size_t i = 0; i < n; i++)
		if (all[i]->flags & OP_ASKED && all[i]->flags & OP_OWNS_FS &&
		    has_word(o->with, all[i]))
			return true;
	return false;
}

void gen_program(const struct gen_opts *o, struct prog *out)
{
	unsigned int steps, setup;
	struct gen g;

	*out = (struct prog){ .threads = 1 };
	snprintf(out->seed, sizeof(out->seed), "%llu.%u",
		 (unsigned long long)o->seed, o->index);
	snprintf(out->fs, sizeof(out->fs), "%s", o->fs);
	gen_init(&g, o, out);
	out->alone = gen_chance(&g, asks_for_fs(o) ? 60 : 8);
	if (o->threads > 1 && gen_chance(&g, 50))
		out->threads = 2 + gen_below(&g, o->threads - 1);
	if (out->threads > MAX_LANES)
		out->threads = MAX_LANES;
	steps = 10 + gen_below(&g, 30 * out->threads);
	/* One thread prepares what all go on with. */
	setup = out->threads > 1 ? 4 + gen_below(&g, 6) : 0;
	for (unsigned int i = 0; i < steps; i++) {
		if (i == setup && setup)
			add_quiet(&g);
		add_step(&g, i < setup ? 0 : gen_below(&g, out->threads));
		if (gen_chance(&g, 7))
			add_quiet(&g);
	}
	/* It was only a chance. */
	if (out->alone) {
		out->alone = false;
		for (size_t i = 0; i < out->n; i++)
			out->alone |= (out->v[i].op->flags & OP_OWNS_FS) != 0;
	}
}
