// SPDX-License-Identifier: GPL-2.0-or-later
#include "program.h"
#include "cache.h"
#include "proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seconds that the agent may take to make or check programs. */
#define AGENT_LIMIT 60
/* Bytes of a name; SEED.INDEX has 40 at most. */
#define MAX_NAME 60

void program_free(struct program *p)
{
	free(p->name);
	free(p->text);
	free(p->fs);
	strv_free(&p->modules);
	strv_free(&p->programs);
	*p = (struct program){};
}

/* --- the text --------------------------------------------------------------- */

/* The value of header line @key, the caller's, or NULL. Steps begin with a
 * thread or '*', so no step is taken for one. */
static char *header(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *v = p + len;

		if (strncmp(p, key, len) != 0 || (*v != ' ' && *v != '\t'))
			continue;
		v += strspn(v, " \t");
		return xstrndup(v, strcspn(v, " \t\r\n#"));
	}
	return NULL;
}

/* @s as a name for files and cases. */
static char *fit_name(const char *s)
{
	char *name = xstrndup(s, MAX_NAME);

	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	if (*name == '.')
		*name = '_';
	return name;
}

static char *name_of(const char *text, const char *what)
{
	_free_ char *seed = header(text, "seed"), *base = NULL;
	const char *slash = strrchr(what, '/');

	if (seed && *seed)
		return fit_name(seed);
	base = xstrdup(slash ? slash + 1 : what);
	if (ends_with(base, ".prog"))
		base[strlen(base) - 5] = '\0';
	return fit_name(*base ? base : "program");
}

/* --- the agent's word -------------------------------------------------------- */

static bool take_words(struct json_object *o, const char *key,
		       struct strv *out)
{
	struct json_object *list, *w;

	if (!json_object_object_get_ex(o, key, &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		w = json_object_array_get_idx(list, i);
		if (!json_object_is_type(w, json_type_string))
			return false;
		strv_push(out, json_object_get_string(w));
	}
	return true;
}

/* A line of the agent's. @what as program_check()'s. */
static bool take_line(const char *line, const char *what, struct program *p)
{
	struct json_object *o = json_tokener_parse(line), *text, *alone;
	bool ok;

	ok = json_object_object_get_ex(o, "program", &text) &&
	     json_object_is_type(text, json_type_string) &&
	     json_object_object_get_ex(o, "alone", &alone) &&
	     json_object_is_type(alone, json_type_boolean) &&
	     take_words(o, "modules", &p->modules) &&
	     take_words(o, "programs", &p->programs);
	if (ok) {
		p->text = xstrdup(json_object_get_string(text));
		p->alone = json_object_get_boolean(alone);
		p->fs = header(p->text, "fs");
		p->name = name_of(p->text, what);
	}
	json_object_put(o);
	return ok && p->fs && *p->fs;
}

/*
 * `rig-agent @how @arg` with @in on its stdin. 0, EXIT_USAGE with what it said
 * in *@said, or EXIT_RIG_FAILED, printed.
 */
static int ask_agent(const char *how, const char *arg, const char *in,
		     struct buf *out, char **said)
{
	_free_ char *agent = data_path("rig-agent");
	_close_ int fd = memfd_create("rig-program", MFD_CLOEXEC);
	struct proc_opts o = { .in = fd };
	_buf_ struct buf err = {};
	int ret;

	if (!agent)
		return EXIT_RIG_FAILED;
	ret = fd < 0 ? -errno : write_all(fd, in, strlen(in));
	if (!ret && lseek(fd, 0, SEEK_SET) < 0)
		ret = -errno;
	if (!ret)
		ret = proc_read((char *[]){ agent, (char *)how, (char *)arg,
					    NULL }, &o, out, &err, AGENT_LIMIT);
	if (!ret)
		return 0;
	*said = printable(err.data ? err.data : "",
			  err.data ? strcspn(err.data, "\n") : 0, false);
	if (ret == EXIT_USAGE)
		return EXIT_USAGE;
	if (ret == -EINTR)
		return EXIT_INTERRUPTED;
	error("%s %s: %s; run make", agent, how, ret < 0 ? strerror(-ret) :
	      **said ? *said : "failed");
	return EXIT_RIG_FAILED;
}

static struct json_object *words(const struct strv *v)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; v && i < v->n; i++)
		json_object_array_add(a, json_object_new_string(v->v[i]));
	return a;
}

static char *request(const struct program_request *q)
{
	struct json_object *o = json_object_new_object();
	char *text;

	json_object_object_add(o, "seed", json_object_new_int64(q->seed));
	json_object_object_add(o, "first", json_object_new_int64(q->first));
	json_object_object_add(o, "count", json_object_new_int64(q->count));
	json_object_object_add(o, "fs", json_object_new_string(q->fs));
	json_object_object_add(o, "threads",
			       json_object_new_int64(q->threads));
	json_object_object_add(o, "with", words(q->with));
	json_object_object_add(o, "without", words(q->without));
	text = xstrdup(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return text;
}

int program_generate(const struct program_request *q, struct program **out)
{
	_free_ char *req = request(q), *said = NULL;
	struct program *v = xcalloc(q->count, sizeof(*v));
	_buf_ struct buf lines = {};
	char *save, *line;
	unsigned int n = 0;
	int err = ask_agent("--generate", req, "", &lines, &said);

	if (err == EXIT_USAGE)
		error("%s", said);
	line = err ? NULL : strtok_r(lines.data, "\n", &save);
	for (; line && n < q->count; line = strtok_r(NULL, "\n", &save))
		if (!take_line(line, "", &v[n++]))
			err = EXIT_RIG_FAILED;
	if (err == EXIT_RIG_FAILED || (!err && n < q->count)) {
		if (n)
			error("rig-agent --generate: not what was expected; run make");
		err = EXIT_RIG_FAILED;
	}
	for (unsigned int i = 0; err && i < q->count; i++)
		program_free(&v[i]);
	if (err)
		free(v);
	else
		*out = v;
	return err;
}

int program_check(const char *text, const char *what, struct program *out)
{
	_free_ char *said = NULL;
	_buf_ struct buf line = {};
	int err;

	*out = (struct program){};
	if (strlen(text) > PROGRAM_MAX)
		return error("%s: longer than %zu KiB", what,
			     PROGRAM_MAX >> 10), EXIT_USAGE;
	err = ask_agent("--check-program", NULL, text, &line, &said);
	if (err == EXIT_USAGE)
		error("%s: %s", what, *said ? said : "no program");
	if (err || take_line(line.data, what, out))
		return err;
	program_free(out);
	return error("rig-agent --check-program: not what was expected; run make"),
	       EXIT_RIG_FAILED;
}

int program_read(const char *path, struct program *out)
{
	_buf_ struct buf b = {};
	int err = read_file(path, &b);

	if (err)
		return error("%s: %s", path, strerror(-err)), EXIT_USAGE;
	if (memchr(b.data, '\0', b.len))
		return error("%s: no program, it has bytes of zero", path),
		       EXIT_USAGE;
	return program_check(b.data, path, out);
}

/* --- cases -------------------------------------------------------------------- */

/* In seconds, as a workload's: the executor gives up by itself on what hangs,
 * before the agent does. */
#define RUNTIME 5

void program_add_on(struct cases *c, int ns, const struct program *p)
{
	cases_add(c, &(struct rig_case){
		.name = xstrfmt(PROGRAM ":%s/%s", p->name, p->fs),
		.workload = xstrdup(PROGRAM),
		.variant = xstrdup(p->name),
		.fs = xstrdup(p->fs),
		.ns = ns,
		.runtime = RUNTIME,
		.owns_fs = p->alone,
		.program = xstrdup(p->text),
		.boot = -1,
	});
}

int program_add(struct cases *c, const struct machine *m,
		const struct program *p)
{
	for (int ns = 0; m->ns[ns].mode; ns++) {
		_strv_ struct strv fs = {};

		strv_split(&fs, m->ns[ns].fs, " ");
		if (strv_has(&fs, p->fs)) {
			program_add_on(c, ns, p);
			return 0;
		}
	}
	return -ENOENT;
}

static void add_words(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (!strv_has(to, from->v[i]))
			strv_push(to, from->v[i]);
}

void program_wants(const struct program *p, struct strv *modules,
		   struct strv *programs)
{
	add_words(modules, &p->modules);
	add_words(programs, &p->programs);
}

static bool is_asked(struct json_object *op)
{
	struct json_object *v;

	return json_object_object_get_ex(op, "asked", &v) &&
	       json_object_get_boolean(v);
}

static struct json_object *operations(struct json_object *describe)
{
	struct json_object *list;

	return json_object_object_get_ex(describe, "operations", &list) &&
			       json_object_is_type(list, json_type_array) ?
		       list : NULL;
}

/* Whether a step of @text is of the operation @name: "0 NAME KEY=VALUE...". */
static bool has_step(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *op = p + strcspn(p, " \t\n");

		op += strspn(op, " \t");
		if ((isdigit((unsigned char)*p) || *p == '*') &&
		    strncmp(op, name, len) == 0 && strchr(" \t\r\n", op[len]))
			return true;
	}
	return false;
}

void program_relax(struct rig_case *c, struct json_object *describe)
{
	struct json_object *list = operations(describe), *name;

	if (!c->program || !c->owns_fs || !list)
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *op = json_object_array_get_idx(list, i);

		if (is_asked(op) &&
		    json_object_object_get_ex(op, "name", &name) &&
		    has_step(c->program, json_object_get_string(name)))
			return;
	}
	c->owns_fs = false;
	c->remounts = true;
}

/* Whether a word of @list is the operation's name or one of its groups. */
static bool is_named(struct json_object *op, const struct strv *groups,
		     const struct strv *list)
{
	struct json_object *name;

	if (json_object_object_get_ex(op, "name", &name) &&
	    strv_has(list, json_object_get_string(name)))
		return true;
	for (size_t i = 0; i < groups->n; i++)
		if (strv_has(list, groups->v[i]))
			return true;
	return false;
}

void program_all_want(struct json_object *describe, const struct strv *with,
		      const struct strv *without, struct strv *modules,
		      struct strv *programs)
{
	struct json_object *list = operations(describe);

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *op = json_object_array_get_idx(list, i);
		__cleanup(program_free) struct program w = {};
		_strv_ struct strv groups = {};

		take_words(op, "groups", &groups);
		if (is_named(op, &groups, without) ||
		    (is_asked(op) && !is_named(op, &groups, with)))
			continue;
		take_words(op, "modules", &w.modules);
		take_words(op, "programs", &w.programs);
		program_wants(&w, modules, programs);
	}
}

/* --- files ---------------------------------------------------------------------- */

int program_save(const char *dir, const struct rig_case *c)
{
	_free_ char *folder = xstrfmt("%s/programs", dir);
	_free_ char *path = xstrfmt("%s/%s.prog", folder, c->variant);
	size_t len = strlen(c->program);
	_buf_ struct buf there = {};
	_close_ int fd = -1;

	if (read_file(path, &there) == 0 && there.len == len &&
	    memcmp(there.data, c->program, len) == 0)
		return 0;
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return -errno;
	/* Not synced: a rig that is killed loses nothing by that, and a disk
	 * that has to write thousands of these has no time for anything else. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : write_all(fd, c->program, len);
}

char *program_path(const char *dir, const char *name)
{
	_free_ char *part = NULL, *fit = NULL;

	if (!starts_with(name, PROGRAM ":"))
		return NULL;
	name += strlen(PROGRAM ":");
	part = xstrndup(name, strcspn(name, "/"));
	fit = fit_name(part);
	/* What a guest made up is no path. */
	if (!*part || strcmp(part, fit) != 0)
		return NULL;
	return xstrfmt("%s/programs/%s.prog", dir, part);
}
