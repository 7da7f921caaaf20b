// SPDX-License-Identifier: GPL-2.0-or-later
#include "minimize-stages.h"
#include "progress.h"

#include <errno.h>
#include <string.h>

/* Runs of each program of the finding until the next one is looked at, as long
 * as there is a next one; and until it is given up. */
#define QUICK_RUNS 4
#define FIRST_RUNS 30
/* Programs whose rate is measured, to choose the one that shows it most. */
#define MAX_KNOWN 4
/* Tries that are worth a word on how long it takes. */
#define MANY_TRIES 20
/* Runs of what is left in the end, and of the C program. */
#define LAST_RUNS 20
#define C_RUNS 5

/* --- how it is going ------------------------------------------------------------ */

static void say_progress(const struct minimize *m)
{
	const struct rate *all = &m->journal.all;
	double t = now() - m->started;

	if (!m->from || !m->search.passes)
		progress("reproduce", "finding %u: %u of %u runs show it",
			 m->nr, all->hits, all->runs);
	else
		progress("minimize", "[%u:%02u] %zu of %zu steps left, %u runs, %u tr%s each (hits %u of %u)",
			 (unsigned int)t / 60, (unsigned int)t % 60, m->best.n,
			 m->steps, all->runs, m->judge.tries,
			 m->judge.tries == 1 ? "y" : "ies",
			 m->search.rate.hits, m->search.rate.runs);
}

static int start_run(void *arg, const char *text, unsigned int rounds,
		     const char *hash)
{
	struct minimize *m = arg;

	say_progress(m);
	return m->vm_runner.start(m->vm_runner.arg, text, rounds, hash);
}

static int wait_run(void *arg, struct outcome *out)
{
	struct minimize *m = arg;
	int err;

	m->fresh = true;
	err = m->vm_runner.wait(m->vm_runner.arg, out);
	if (!err)
		say_progress(m);
	return err;
}

/* What ended a stage early, said; an enum rig_exit. */
static int give_up(struct minimize *m, int err)
{
	_free_ char *best = xstrfmt("%s/best.prog", m->out);

	progress_clear();
	if (err == -EINTR)
		note("interrupted; the same command goes on from here%s%s",
		     path_exists(best) ? "; the shortest program so far: " : "",
		     path_exists(best) ? best : "");
	if (err == -EINTR)
		return EXIT_INTERRUPTED;
	if (err == -ECHILD)
		return vms_exit(m->vms);
	error("%s: %s; the same command goes on from here when that is mended",
	      m->out, strerror(-err));
	return EXIT_RIG_FAILED;
}

/* --- before it -------------------------------------------------------------------- */

int minimize_begin(struct minimize *m)
{
	struct json_object *o = json_object_new_object();
	_free_ char *path = NULL, *what = NULL;
	int err;

	m->out = xstrfmt("%s/minimize-%u", m->dir, m->nr);
	path = xstrfmt("%s/journal.jsonl", m->out);
	json_object_object_add(o, "finding",
			       json_object_new_string(m->f->fingerprint));
	what = xstrdup(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	err = mkdir_p(m->out);
	if (!err)
		err = journal_open(&m->journal, path, what);
	if (err == -EBUSY)
		return error("%s: another rig is at it", path), EXIT_RIG_FAILED;
	if (err == -EEXIST || err == -EINVAL)
		return error("%s is %s; move it away to begin anew", path,
			     err == -EEXIST ? "another finding's" :
					      "no journal"), EXIT_RIG_FAILED;
	if (err)
		return error("%s: %s", path, strerror(-err)), EXIT_RIG_FAILED;
	if (!m->jobs)
		m->jobs = vms_jobs(&m->run.o);
	m->vms = vms_new(&(struct vms_opts){
		.run = &m->run.o, .of = &m->all, .dir = m->out,
		.fingerprint = m->f->fingerprint, .jobs = m->jobs,
		.check = strcmp(m->f->oracle, "fsck") == 0,
		.until = m->max_time ? m->started + m->max_time : 0,
		.close = m->journal.fd,
	});
	m->vm_runner = vms_runner(m->vms);
	m->runner = (struct runner){ m->vm_runner.jobs, start_run, wait_run, m };
	m->judge = (struct judge){ .journal = &m->journal,
				   .runner = &m->runner, .tries = m->tries,
				   .fixed = m->tries, .rounds = 1,
				   .max_rounds = m->all.alone ? 1 : 36 };
	return 0;
}

/* --- the work ----------------------------------------------------------------------- */

/* Whether program @i shows it within @most runs, and then how often. 1, 0 or
 * -errno. */
static int look_at(struct minimize *m, size_t i, unsigned int most,
		   struct rate *r)
{
	const char *text = m->v[i].text;
	_free_ char *plain = NULL;
	_ptext_ struct ptext p = {};
	unsigned int line;
	int ret;

	if (ptext_parse(text, strlen(text), &p, &line))
		return 0;
	plain = ptext_print(&p);
	ret = judge_shows(&m->judge, plain, most);
	return ret == 1 ? judge_rate(&m->judge, plain, RATE_FIRST, r) ?: 1 :
			  ret;
}

static void choose(struct minimize *m, size_t i, struct rate r)
{
	unsigned int line;

	ptext_free(&m->best);
	ptext_parse(m->v[i].text, strlen(m->v[i].text), &m->best, &line);
	m->from = &m->v[i];
	m->steps = m->best.n;
	m->original = r;
}

static bool more_often(struct rate r, struct rate than)
{
	return r.hits * than.runs > than.hits * r.runs;
}

/* The shortest that nearly always shows it, or the one of a few that does so
 * most often: a flaky one takes ten times the runs. 1: chosen, 0, -errno. */
static int choose_sure(struct minimize *m)
{
	unsigned int known = 0;
	struct rate r;

	for (size_t i = 0; i < m->n && known < MAX_KNOWN; i++) {
		int ret = look_at(m, i, QUICK_RUNS, &r);

		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		known++;
		if (!m->from || more_often(r, m->original))
			choose(m, i, r);
		if (r.hits * 8 >= r.runs * 7)
			break;
	}
	return m->from != NULL;
}

/* Of the programs, or of the one that is known to show it, the first that does
 * in half of all runs of so many rounds. 1, 0 or -errno. */
static int try_rounds(struct minimize *m, unsigned int rounds)
{
	const struct program *only = m->original.runs ? m->from : NULL;
	struct rate r;

	m->judge.rounds = rounds;
	for (size_t i = 0; i < m->n; i++) {
		int ret = !only || only == &m->v[i] ?
				  look_at(m, i, QUICK_RUNS, &r) : 0;

		if (ret < 0)
			return ret;
		if (!ret || r.hits * 2 < r.runs)
			continue;
		choose(m, i, r);
		return 1;
	}
	return 0;
}

/*
 * What shows in less than half of all runs is run several times over in one:
 * that costs much less than as many runs, and on a filesystem that was used
 * before more goes wrong. 1: so it is, or there is no need to; 0, -errno.
 */
static int choose_rounds(struct minimize *m)
{
	static const unsigned int rounds[] = { 4, 12, 36 };
	int ret = 0;

	/* Programs that take their filesystem away have no other round. */
	if (m->all.alone ||
	    (m->from && m->original.hits * 2 >= m->original.runs))
		return m->from != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rounds) && !ret; i++)
		ret = try_rounds(m, rounds[i]);
	if (ret)
		return ret;
	/* They do not help. */
	m->judge.rounds = m->judge.max_rounds = 1;
	return m->from != NULL;
}

int minimize_reproduce(struct minimize *m)
{
	unsigned int most = m->tries > FIRST_RUNS ? m->tries : FIRST_RUNS;
	int ret = choose_sure(m);
	double low, high;
	struct rate r;

	if (ret >= 0)
		ret = choose_rounds(m);
	for (size_t i = 0; i < m->n && ret == 0; i++) {
		ret = look_at(m, i, most, &r);
		if (ret == 1)
			choose(m, i, r);
	}
	if (ret == -ETIMEDOUT)
		m->out_of_time = true;
	else if (ret < 0)
		return give_up(m, ret);
	if (m->from)
		return 0;
	progress_clear();
	if (m->journal.all.hits)
		return error("finding %u showed in %u of %u runs, but the time was up before it was known how often; the same command goes on",
			     m->nr, m->journal.all.hits, m->journal.all.runs),
		       EXIT_FINDINGS;
	rate_bounds(m->journal.all, &low, &high);
	error("finding %u did not show in %u run%s of %zu program%s%s: it does in less than %.0f %% (95 %% confidence)",
	      m->nr, m->journal.all.runs, m->journal.all.runs == 1 ? "" : "s",
	      m->n, m->n == 1 ? "" : "s",
	      m->out_of_time ? " until the time was up" : "", high * 100);
	return EXIT_FINDINGS;
}

char *minimize_rounds(struct rate r)
{
	return r.rounds > 1 ? xstrfmt(" of %u rounds", r.rounds) : xstrdup("");
}

static int save(const struct minimize *m, const char *name)
{
	_free_ char *path = xstrfmt("%s/%s", m->out, name);
	_free_ char *text = ptext_print(&m->best);

	return write_file(path, text, strlen(text));
}

static int is_better(void *arg, const struct ptext *p)
{
	struct minimize *m = arg;

	/* While it goes through what an earlier call has done, that one's
	 * best is the better one. */
	return m->fresh ? save(m, "best.prog") : 0;
}

int minimize_search(struct minimize *m)
{
	_free_ char *rounds = minimize_rounds(m->original);
	int err = 0;

	note("%s: %zu steps, shows finding %u in %u of %u runs%s",
	     m->from->name, m->steps, m->nr, m->original.hits,
	     m->original.runs, rounds);
	judge_by(&m->judge, m->original, false);
	if (m->judge.tries >= MANY_TRIES)
		note("that a candidate does not takes %u runs, %.0f s: --max-time ends it earlier",
		     m->judge.tries, m->judge.tries * m->journal.seconds /
				     m->journal.all.runs / m->jobs);
	m->search = (struct search){ .judge = &m->judge, .better = is_better,
				     .arg = m };
	if (!m->out_of_time)
		err = search_run(&m->search, &m->best);
	if (err == -ETIMEDOUT)
		m->out_of_time = true;
	else if (err)
		return give_up(m, err);
	err = save(m, "best.prog");
	return err ? give_up(m, err) : 0;
}

int minimize_measure(struct minimize *m)
{
	_free_ char *text = ptext_print(&m->best);
	int err;

	vms_until(m->vms, 0);
	err = judge_rate(&m->judge, text, LAST_RUNS, &m->minimal);
	if (!err)
		err = save(m, "minimal.prog");
	/* The C program's guest has the host for itself. */
	if (!err) {
		progress("minimize", "ending the VMs");
		vms_free(take_ptr(m->vms));
	}
	return err ? give_up(m, err) : 0;
}

/* --- as C ------------------------------------------------------------------------------ */

/* What `rig-agent --reproducer` wants to know of the finding: as the minimal
 * program showed it last. */
static struct json_object *c_finding(const struct minimize *m)
{
	_free_ char *text = ptext_print(&m->best), *path = NULL;
	struct json_object *o, *release;
	char hash[17];

	judge_hash(&m->judge, text, hash);
	path = xstrfmt("%s/hits/%s.json", m->out, hash);
	o = json_object_from_file(path);
	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		o = json_object_new_object();
		json_object_object_add(o, "kind",
				       json_object_new_string(m->f->kind));
		json_object_object_add(o, "title",
				       json_object_new_string(m->f->title));
	}
	json_object_object_add(o, "runs", json_object_new_int(m->minimal.runs *
					       m->minimal.rounds));
	json_object_object_add(o, "hits", json_object_new_int(m->minimal.hits));
	if (json_object_object_get_ex(m->d.info, "release", &release))
		json_object_object_add(o, "kernel", json_object_get(release));
	return o;
}

static int make_c(struct minimize *m, const char *source, const char *program)
{
	_free_ char *text = ptext_print(&m->best), *why = NULL;
	_free_ char *log = xstrfmt("%s/reproducer.cc.log", m->out);
	struct json_object *finding = c_finding(m);
	int err = c_make(source, text, finding, &why);

	json_object_put(finding);
	if (err == -EINTR)
		return give_up(m, err);
	if (err)
		return error("%s: cannot be made: %s", source,
			     why ? why : strerror(-err)), EXIT_RIG_FAILED;
	err = c_compile(source, program, log);
	if (err == -EINTR)
		return give_up(m, err);
	m->c = err == -ENOENT ? C_NO_COMPILER : err ? C_BROKEN : C_TRIED;
	return 0;
}

/* Its runs are in the journal too, by the hash of the C text. */
static int try_c(struct minimize *m, const char *source, const char *program)
{
	bool kernel = strcmp(m->f->oracle, "kernel") == 0, hit[C_RUNS];
	_free_ char *log = xstrfmt("%s/reproducer.log", m->out);
	struct c_shown c = { .fingerprint = kernel ? m->f->fingerprint : NULL,
			     .fs = m->from->fs, .program = program,
			     .log = log, .dir = m->out };
	_buf_ struct buf text = {};
	double began = now();
	const bool *known;
	char hash[17];
	size_t n;
	int ret = read_file(source, &text);

	if (ret)
		return give_up(m, ret);
	hash_hex(text.data, text.len, hash);
	known = journal_get(&m->journal, hash, &n);
	if (!n) {
		progress("reproducer", "running reproducer.c in a guest");
		strv_push(&c.rig, "--quiet");
		for (size_t i = 1; i < m->words.n; i++)
			strv_push(&c.rig, m->words.v[i]);
		ret = c_try(&c, C_RUNS, hit);
		strv_free(&c.rig);
		began = (now() - began) / C_RUNS;
		for (int i = 0; i < ret; i++) {
			int err = journal_add(&m->journal, hash, hit[i], began);

			if (err)
				return give_up(m, err);
		}
		known = journal_get(&m->journal, hash, &n);
	}
	if (ret < 0)
		return give_up(m, ret);
	if (!n)
		m->c = C_NO_GUEST;
	for (size_t i = 0; i < n; i++) {
		m->shown.runs++;
		m->shown.hits += known[i];
	}
	return 0;
}

int minimize_c(struct minimize *m)
{
	_free_ char *source = xstrfmt("%s/reproducer.c", m->out);
	_free_ char *program = xstrfmt("%s/reproducer", m->out);
	const char *o = m->f->oracle;
	int err = make_c(m, source, program);

	if (err || m->c != C_TRIED)
		return err;
	/* Leaks, hangs and what a filesystem's check says: only rig tells. */
	if (strcmp(o, "kernel") != 0 && strcmp(o, "data") != 0 &&
	    strcmp(o, "waiting") != 0) {
		m->c = C_CANNOT_TELL;
		return 0;
	}
	return try_c(m, source, program);
}

void minimize_free(struct minimize *m)
{
	vms_free(m->vms);
	judge_free(&m->judge);
	journal_close(&m->journal);
	ptext_free(&m->best);
	for (size_t i = 0; i < m->n; i++)
		program_free(&m->v[i]);
	program_free(&m->all);
	cli_run_free(&m->run);
	strv_free(&m->words);
	rundata_free(&m->d);
	free(m->dir);
	free(m->out);
}
