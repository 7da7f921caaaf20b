// SPDX-License-Identifier: GPL-2.0-or-later
#include "mix.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* --- turns -------------------------------------------------------------------- */

void mix_turns_free(struct mix_turn *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].fs);
	free(v);
}

int mix_turns(const struct machine *m, const struct strv *fs,
	      struct mix_turn **out, size_t *n, const char **missing)
{
	_strv_ struct strv all = {};
	struct mix_turn *v = NULL;
	size_t nr = 0;

	for (int ns = 0; m->ns[ns].mode; ns++) {
		_strv_ struct strv has = {};

		strv_split(&has, m->ns[ns].fs, " ");
		for (size_t i = 0; i < has.n; i++) {
			strv_push(&all, has.v[i]);
			if (fs->n && !strv_has(fs, has.v[i]))
				continue;
			v = xrealloc(v, (nr + 1) * sizeof(*v));
			v[nr++] = (struct mix_turn){ ns, xstrdup(has.v[i]) };
		}
	}
	for (size_t i = 0; i < fs->n; i++) {
		if (strv_has(&all, fs->v[i]))
			continue;
		*missing = fs->v[i];
		mix_turns_free(v, nr);
		return -ENOENT;
	}
	*out = v;
	*n = nr;
	return 0;
}

/* --- batches ------------------------------------------------------------------- */

/* Those that need a filesystem each go last: the others share one. */
static void add_batch(struct run *r, const struct mix_turn *t,
		      const struct program *v, size_t n)
{
	for (int alone = 0; alone < 2; alone++)
		for (size_t i = 0; i < n; i++)
			if (v[i].alone == alone)
				program_add_on(&r->cases, t->ns, &v[i]);
}

static int more(struct run *r, void *arg)
{
	struct mix *x = arg;
	const struct mix_turn *t = &x->turns[x->next / PROGRAMS_PER_FS %
					     x->nr_turns];
	struct program *v = NULL;
	int err;

	if (!x->next)
		program_all_want(r->describe, &x->with, &x->without,
				 &r->modules, &r->programs);
	err = program_generate(&(struct program_request){
		.seed = x->seed, .first = x->next, .count = PROGRAMS_PER_FS,
		.fs = t->fs, .threads = x->threads,
		.with = &x->with, .without = &x->without,
	}, &v);
	if (err)
		return err;
	add_batch(r, t, v, PROGRAMS_PER_FS);
	x->next += PROGRAMS_PER_FS;
	for (size_t i = 0; i < PROGRAMS_PER_FS; i++)
		program_free(&v[i]);
	free(v);
	return 0;
}

/* --- a run of them --------------------------------------------------------------- */

uint64_t mix_random_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = time(NULL);
	return seed % 1000000;
}

static void put_words(struct json_object *o, const char *key,
		      const struct strv *v)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < v->n; i++) {
		_free_ char *text = printable(v->v[i], strlen(v->v[i]), false);

		json_object_array_add(a, json_object_new_string(text));
	}
	json_object_object_add(o, key, a);
}

int mix_begin(struct mix *x, struct run_opts *o)
{
	const char *missing;
	struct json_object *j;
	_strv_ struct strv fs = {};

	if (mix_turns(o->machine, &x->fs, &x->turns, &x->nr_turns, &missing))
		return error("machine %s has no %s; see `rig list machines`",
			     o->machine->name, missing), EXIT_USAGE;
	j = o->mix = json_object_new_object();
	json_object_object_add(j, "seed", json_object_new_int64(x->seed));
	json_object_object_add(j, "seconds",
			       json_object_new_double(o->seconds));
	json_object_object_add(j, "threads", json_object_new_int(x->threads));
	for (size_t i = 0; i < x->nr_turns; i++)
		strv_push(&fs, x->turns[i].fs);
	put_words(j, "fs", &fs);
	put_words(j, "with", &x->with);
	put_words(j, "without", &x->without);
	x->source = (struct run_source){ .more = more, .arg = x };
	o->source = &x->source;
	return 0;
}

void mix_free(struct mix *x, struct run_opts *o)
{
	mix_turns_free(x->turns, x->nr_turns);
	strv_free(&x->fs);
	strv_free(&x->with);
	strv_free(&x->without);
	json_object_put(o->mix);
	o->mix = NULL;
}
