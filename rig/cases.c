// SPDX-License-Identifier: GPL-2.0-or-later
#include "cases.h"
#include "cache.h"
#include "proc.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

const char *const case_status_names[NR_CASE_STATUS] = {
	[CASE_NOT_RUN] = "NOT RUN", [CASE_PASS] = "PASS", [CASE_FAIL] = "FAIL",
	[CASE_SKIP] = "SKIP", [CASE_BROKEN] = "BROKEN", [CASE_CRASH] = "CRASH",
	[CASE_HANG] = "HANG", [CASE_PANIC] = "PANIC",
};

static void case_free(struct rig_case *c)
{
	free(c->name);
	free(c->workload);
	free(c->variant);
	free(c->fs);
	free(c->size);
	free(c->program);
	free(c->text);
}

void cases_free(struct cases *c)
{
	for (size_t i = 0; i < c->n; i++)
		case_free(&c->v[i]);
	free(c->v);
	*c = (struct cases){};
}

/* A case to be run before @before; @add's strings go over. */
static void insert(struct cases *c, size_t before, const struct rig_case *add)
{
	if (c->n == c->cap) {
		c->cap = 2 * c->cap + 16;
		c->v = xrealloc(c->v, c->cap * sizeof(*c->v));
	}
	memmove(c->v + before + 1, c->v + before,
		(c->n - before) * sizeof(*c->v));
	c->v[before] = *add;
	c->n++;
}

void cases_add(struct cases *c, const struct rig_case *add)
{
	insert(c, c->n, add);
}

void cases_cut(struct cases *c, size_t keep)
{
	size_t left = keep;

	for (size_t i = keep; i < c->n; i++)
		if (c->v[i].again)
			c->v[left++] = c->v[i];
		else
			case_free(&c->v[i]);
	if (keep < c->n)
		c->n = left;
}

struct json_object *agent_describe(void)
{
	_free_ char *agent = data_path("rig-agent");
	_buf_ struct buf out = {}, err = {};
	_free_ char *said = NULL;
	struct json_object *o, *list;
	int ret = proc_read((char *[]){ agent, "--describe", NULL }, NULL, &out,
			    &err, 10);

	o = ret == 0 ? json_tokener_parse(out.data) : NULL;
	if (json_object_is_type(o, json_type_object) &&
	    json_object_object_get_ex(o, "workloads", &list) &&
	    json_object_is_type(list, json_type_array))
		return o;
	json_object_put(o);
	/* Mostly the dynamic linker's word about a library. */
	if (ret > 0 && err.len)
		said = printable(err.data, strcspn(err.data, "\n"), false);
	error("%s --describe: %s; run make", agent,
	      ret < 0 ? strerror(-ret) : said ? said : "not what was expected");
	return NULL;
}

static const char *str_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

static bool true_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_get_boolean(v);
}

static struct json_object *array_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
			       json_object_is_type(v, json_type_array) ? v :
									 NULL;
}

static bool array_has(struct json_object *a, const char *s)
{
	for (size_t i = 0; a && i < json_object_array_length(a); i++)
		if (strcmp(json_object_get_string(
				   json_object_array_get_idx(a, i)), s) == 0)
			return true;
	return false;
}

/* "pin*", "pin-x", "pin-x:v", "pin-x/xfs", "pin-x:v/ext4/2m"; a part that is
 * left out at the end stands for all. */
static bool matches(const char *pattern, const char *name)
{
	_free_ char *part = xstrdup(name);
	size_t len = strlen(part);

	for (;;) {
		if (fnmatch(pattern, part, 0) == 0)
			return true;
		while (len && part[len] != '/' && part[len] != ':')
			len--;
		if (!len)
			break;
		part[len] = '\0';
	}
	/* WORKLOAD/FS of a workload with variants. */
	part[0] = '\0';
	if (strchr(name, ':') && strchr(pattern, '/') && !strchr(pattern, ':')) {
		_free_ char *bare = xstrfmt("%.*s%s",
					    (int)strcspn(name, ":"), name,
					    strchr(name, '/'));

		return matches(pattern, bare);
	}
	return false;
}

/* What cases_make() was asked for, and how far it is. */
struct choice {
	const struct strv *patterns;
	bool *used;		/* patterns that named something */
	bool all;
	size_t offered;
	struct cases *out;
};

/* One case, if it is asked for; @sampled: the default run has it. */
static void offer(struct choice *ch, struct json_object *w, int ns,
		  const char *variant, const char *fs, const char *size,
		  bool sampled)
{
	_free_ char *name = xstrfmt("%s%s%s/%s/%s", str_of(w, "name"),
				    variant ? ":" : "", variant ? variant : "",
				    fs, size);
	bool by_name = true_of(w, "by_name"), wanted;
	struct cases *out = ch->out;
	struct json_object *v;

	ch->offered += !by_name;
	wanted = !ch->patterns->n && !by_name && (ch->all || sampled);
	for (size_t i = 0; i < ch->patterns->n; i++) {
		/* A wild card is not a name. */
		bool wild = strpbrk(ch->patterns->v[i], "*?[");

		if (!matches(ch->patterns->v[i], name))
			continue;
		ch->used[i] = true;
		wanted |= !wild || !by_name;
	}
	if (!wanted)
		return;
	cases_add(out, &(struct rig_case){
		.name = take_ptr(name),
		.workload = xstrdup(str_of(w, "name")),
		.variant = variant ? xstrdup(variant) : NULL,
		.fs = xstrdup(fs),
		.size = xstrdup(size),
		.ns = ns,
		.runtime = json_object_object_get_ex(w, "runtime", &v) ?
				   json_object_get_double(v) : 1,
		.owns_fs = true_of(w, "owns_fs"),
		.boot = -1,
	});
}

/* Workloads that take this long give the sample one case a filesystem. */
#define LONG_RUNTIME 3

/*
 * Whether the sample has variant @v of @nv at size @s of @ns, on the
 * machine's filesystem number @nth. It takes what differs most: first variant
 * and size, and the second variant at the last size; of the long ones the
 * former on one filesystem and the latter on the next.
 */
static bool sampled(struct json_object *w, size_t v, size_t nv, size_t s,
		    size_t ns, unsigned int nth)
{
	bool first = v == 0 && s == 0;
	bool second = v == (nv > 1) && s == ns - 1;
	struct json_object *t;

	if (!json_object_object_get_ex(w, "runtime", &t) ||
	    json_object_get_int(t) < LONG_RUNTIME)
		return first || second;
	return nth % 2 ? second : first;
}

static void offer_all(struct choice *ch, struct json_object *w, int ns,
		      const char *fs, unsigned int nth)
{
	struct json_object *sizes = array_of(w, "with");
	struct json_object *vars = array_of(w, "variants");
	size_t nv = vars ? json_object_array_length(vars) : 0;
	size_t nsize = json_object_array_length(sizes);

	if (!array_has(array_of(w, "on"), fs))
		return;
	for (size_t v = 0; v < (nv ? nv : 1); v++)
		for (size_t s = 0; s < nsize; s++)
			offer(ch, w, ns,
			      nv ? json_object_get_string(
					   json_object_array_get_idx(vars, v)) :
				   NULL,
			      fs,
			      json_object_get_string(
				      json_object_array_get_idx(sizes, s)),
			      sampled(w, v, nv, s, nsize, nth));
}

int cases_make(struct json_object *describe, const struct machine *m,
	       const struct strv *patterns, bool all, struct cases *out,
	       size_t *offered)
{
	_free_ bool *used = xcalloc(patterns->n, sizeof(*used));
	struct choice ch = { patterns, used, all, 0, out };
	struct json_object *list = array_of(describe, "workloads");
	unsigned int nth = 0;

	for (int ns = 0; m->ns[ns].mode; ns++) {
		_strv_ struct strv fs = {};

		strv_split(&fs, m->ns[ns].fs, " ");
		for (size_t f = 0; f < fs.n; f++, nth++)
			for (size_t i = 0; i < json_object_array_length(list);
			     i++)
				offer_all(&ch,
					  json_object_array_get_idx(list, i),
					  ns, fs.v[f], nth);
	}
	if (offered)
		*offered = ch.offered;
	for (size_t i = 0; i < patterns->n; i++)
		if (!used[i])
			return error("no case '%s' on machine %s; see `rig list "
				     "workloads`", patterns->v[i], m->name),
			       EXIT_USAGE;
	if (!out->n)
		return error("machine %s has no case to run", m->name),
		       EXIT_USAGE;
	return 0;
}

/* Whether the first @n of the list have one that calibrates this mode. */
static bool is_calibrated(const struct machine *m, const struct cases *c,
			  size_t n, const char *mode)
{
	for (size_t i = 0; i < n; i++)
		if (c->v[i].calibrates &&
		    strcmp(m->ns[c->v[i].ns].mode, mode) == 0)
			return true;
	return false;
}

void cases_calibrate(struct json_object *describe, const struct machine *m,
		     struct cases *c, size_t from)
{
	static char calibrate[] = CALIBRATE;
	static char *words[] = { calibrate, NULL };
	struct choice ch = { &(struct strv){ words, 1 },
			     (bool[]){ false }, false, 0, &(struct cases){} };
	struct json_object *list = array_of(describe, "workloads");
	/* Modes seen so far: fsdax, devdax. */
	bool done[2] = { is_calibrated(m, c, from, "fsdax"),
			 is_calibrated(m, c, from, "devdax") };

	for (size_t at = from; at < c->n; at++) {
		bool *mode = &done[strcmp(m->ns[c->v[at].ns].mode,
					  "devdax") == 0];

		/* One row for each. */
		if (*mode)
			continue;
		*mode = true;
		/* On what the case runs on: the kernel may lack others. */
		for (size_t i = 0; i < json_object_array_length(list); i++)
			offer_all(&ch, json_object_array_get_idx(list, i),
				  c->v[at].ns, c->v[at].fs, 0);
		for (size_t i = 0; i < ch.out->n; i++) {
			ch.out->v[i].calibrates = true;
			insert(c, at++, &ch.out->v[i]);
		}
		ch.out->n = 0;
	}
	free(ch.out->v);
}

static char *dup(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void cases_again(struct cases *c, const char *name)
{
	const struct rig_case *old = NULL;

	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->v[i].name, name) != 0)
			continue;
		if (c->v[i].again)
			return;
		old = &c->v[i];
	}
	if (!old)
		return;
	cases_add(c, &(struct rig_case){
		.name = dup(old->name), .workload = dup(old->workload),
		.variant = dup(old->variant), .fs = dup(old->fs),
		.size = dup(old->size), .ns = old->ns,
		.runtime = old->runtime, .owns_fs = old->owns_fs,
		.remounts = old->remounts,
		.program = dup(old->program), .alone = true,
		.again = true, .boot = -1,
	});
}

void cases_not_again(struct cases *c, size_t from, const char *fs)
{
	size_t left = from;

	for (size_t i = from; i < c->n; i++)
		if (c->v[i].again && strcmp(c->v[i].fs, fs) == 0)
			case_free(&c->v[i]);
		else
			c->v[left++] = c->v[i];
	if (from < c->n)
		c->n = left;
}

void cases_wants(struct json_object *describe, const struct cases *c,
		 struct strv *modules, struct strv *programs)
{
	struct json_object *list = array_of(describe, "workloads");
	static const char *const keys[] = { "modules", "programs" };
	struct strv *const into[] = { modules, programs };

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *w = json_object_array_get_idx(list, i);
		bool wanted = false;

		for (size_t j = 0; j < c->n; j++)
			wanted |= strcmp(c->v[j].workload,
					 str_of(w, "name")) == 0;
		for (size_t k = 0; wanted && k < ARRAY_SIZE(keys); k++) {
			struct json_object *a = array_of(w, keys[k]);

			for (size_t j = 0; a && j < json_object_array_length(a);
			     j++) {
				const char *s = json_object_get_string(
					json_object_array_get_idx(a, j));

				if (!strv_has(into[k], s))
					strv_push(into[k], s);
			}
		}
	}
}
