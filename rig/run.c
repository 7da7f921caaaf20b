// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"
#include "cache.h"
#include "image.h"
#include "oracle.h"
#include "proc.h"
#include "program.h"
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void run_free(struct run *r)
{
	cleanup_fd(&r->log);
	kernel_free(&r->kernel);
	json_object_put(r->describe);
	cases_free(&r->cases);
	strv_free(&r->modules);
	strv_free(&r->programs);
	strv_free(&r->missing);
	findings_free(&r->last);
	free(r->known);
	json_object_put(r->info);
	if (r->own_image)
		unlink(r->image);
	free(r->image);
	free(r->blind);
	free(r->dir);
}

char *run_make_dir(const char *want)
{
	time_t t = time(NULL);
	char stamp[32];
	struct tm tm;

	if (want) {
		_free_ char *mark = xstrfmt("%s/host.jsonl", want);
		_free_ char *abs = NULL;

		if (path_exists(mark)) {
			error("%s holds a run already: name another folder",
			      want);
			return NULL;
		}
		if (mkdir_p(want) < 0 || !(abs = realpath(want, NULL))) {
			error("cannot make the run directory %s: %s", want,
			      strerror(errno));
			return NULL;
		}
		return take_ptr(abs);
	}
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S",
		 localtime_r(&t, &tm));
	/* Two rigs may start in one second. */
	for (int i = 0; i < 1000; i++) {
		_free_ char *dir = i ? state_path("runs/%s.%d", stamp, i) :
				       state_path("runs/%s", stamp);

		if (!dir)
			return NULL;
		if (mkdir(dir, 0777) == 0)
			return take_ptr(dir);
		if (errno != EEXIST) {
			error("cannot make the run directory %s: %s", dir,
			      strerror(errno));
			return NULL;
		}
	}
	error("cannot find a name for the run directory");
	return NULL;
}

static void info_str(struct run *r, const char *key, const char *value)
{
	_free_ char *text = NULL;

	if (!value)
		return;
	/* A file's name may be any bytes, JSON may not. */
	text = printable(value, strlen(value), false);
	json_object_object_add(r->info, key, json_object_new_string(text));
}

static struct json_object *strings(const struct strv *v)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < v->n; i++) {
		_free_ char *text = printable(v->v[i], strlen(v->v[i]), false);

		json_object_array_add(a, json_object_new_string(text));
	}
	return a;
}

/* What has to be said again to run a case of this run anew. */
static struct json_object *rerun_words(const struct run_opts *o)
{
	_strv_ struct strv v = {};

	strv_push(&v, o->spec);
	if (strcmp(o->machine->name, machines[0].name) != 0) {
		strv_push(&v, "--machine");
		strv_push(&v, o->machine->name);
	}
	for (size_t i = 0; i < o->kernel.kconfigs.n; i++) {
		strv_push(&v, "--kconfig");
		strv_push(&v, o->kernel.kconfigs.v[i]);
	}
	if (o->kernel.config) {
		strv_push(&v, "--config");
		strv_push(&v, o->kernel.config);
	}
	if (o->append) {
		strv_push(&v, "--append");
		strv_push(&v, o->append);
	}
	for (size_t i = 0; i < o->kernel.patches.n; i++) {
		strv_push(&v, "--patches");
		strv_push(&v, o->kernel.patches.v[i]);
	}
	return strings(&v);
}

static int save_info(struct run *r)
{
	_free_ char *path = xstrfmt("%s/run.json", r->dir);
	const char *text = json_object_to_json_string_ext(
		r->info, JSON_C_TO_STRING_PRETTY |
				 JSON_C_TO_STRING_NOSLASHESCAPE);
	int err = write_file(path, text, strlen(text));

	if (err)
		return error("%s: cannot write: %s", path, strerror(-err)),
		       EXIT_RIG_FAILED;
	return 0;
}

/* --- the stages ------------------------------------------------------------- */

/* What is needed at the end is looked for before a kernel is built. */
static int check_host(const struct run *r)
{
	static const struct {
		const char *program, *package;
	} needs[] = {
		{ "mkfs.xfs", "xfsprogs" }, { "mkfs.ext4", "e2fsprogs" },
		{ "xfs_repair", "xfsprogs" }, { "e2fsck", "e2fsprogs" },
		{ "rm", "coreutils" },
	};
	_free_ char *qemu = find_program(r->o->qemu);

	if (r->o->dry_run)
		return 0;
	if (!qemu)
		return error("there is no QEMU '%s' here: apt-get install qemu-system-x86, or see `rig doctor`",
			     r->o->qemu), EXIT_RIG_FAILED;
	/* Without these there is no filesystem to test, or to check. */
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		_free_ char *path = find_program(needs[i].program);

		if (!path)
			return error("there is no %s here: apt-get install %s, or see `rig doctor`",
				     needs[i].program, needs[i].package),
			       EXIT_RIG_FAILED;
	}
	return 0;
}

/* The agent's workloads, as often as they were asked for. */
static int choose_cases(struct run *r)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < r->o->repeat; i++)
		err = cases_make(r->describe, r->o->machine, &r->o->cases,
				 r->o->all, &r->cases, &r->offered);
	r->chosen = r->cases.n;
	if (!err && r->o->census)
		cases_calibrate(r->describe, r->o->machine, &r->cases, 0);
	return err;
}

int run_more(struct run *r)
{
	const struct run_source *s = r->o->source;
	int err;

	/* Half of what was made at once may be left. */
	if (r->until && now() >= r->until)
		cases_cut(&r->cases, r->next);
	if (r->next < r->cases.n)
		return 1;
	if (!s || (r->until && now() >= r->until))
		return 0;
	err = s->more(r, s->arg);
	if (err)
		return err < 0 ? 0 : err;
	for (size_t i = r->next; i < r->cases.n; i++)
		program_relax(&r->cases.v[i], r->describe);
	if (r->o->census)
		cases_calibrate(r->describe, r->o->machine, &r->cases, r->next);
	return 1;
}

static int stage_config(struct run *r)
{
	int err = 0;

	r->describe = agent_describe();
	if (!r->describe)
		return EXIT_RIG_FAILED;
	if (r->o->source) {
		err = run_more(r);
		err = err == 1 ? 0 : err;
	} else if (!r->o->shell) {
		err = choose_cases(r);
	}
	if (err)
		return err;
	err = check_host(r);
	if (err)
		return err;
	err = accel_choose(r->o->accel, r->o->qemu, false, &r->accel);
	if (err == -EINVAL)
		return error("--accel takes auto, kvm, tcg or tcg-mt, not '%s'",
			     r->o->accel), EXIT_USAGE;
	if (err)
		return error("cannot write the probe for KVM into the cache"),
		       EXIT_RIG_FAILED;
	detail("acceleration: %s (%s)", r->accel.name, r->accel.why);
	return 0;
}

static int stage_dir(struct run *r)
{
	_free_ char *log = NULL, *command = shell_join(r->o->words.v);
	char when[64];
	time_t t = time(NULL);
	struct tm tm;

	if (r->o->dry_run)
		return 0;
	r->dir = run_make_dir(r->o->dir);
	if (!r->dir)
		return EXIT_RIG_FAILED;
	log = xstrfmt("%s/host.jsonl", r->dir);
	/* The last word on whose folder it is, should two rigs be given one. */
	r->log = open(log, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
		      0666);
	if (r->log < 0) {
		error(errno == EEXIST ? "%s: another rig has just begun a run there: %s" :
					"cannot write %s: %s",
		      log, strerror(errno));
		/* Nothing there is ours. */
		free(take_ptr(r->dir));
		return EXIT_RIG_FAILED;
	}
	/* So that others can tell whether the run goes on. */
	flock(r->log, LOCK_EX | LOCK_NB);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z",
		 localtime_r(&t, &tm));
	r->info = json_object_new_object();
	info_str(r, "when", when);
	info_str(r, "command", command);
	info_str(r, "spec", r->o->spec);
	info_str(r, "machine", r->o->machine->name);
	info_str(r, "accel", r->accel.name);
	info_str(r, "accel_why", r->accel.why);
	json_object_object_add(r->info, "rerun", rerun_words(r->o));
	if (r->o->mix)
		json_object_object_add(r->info, "mix",
				       json_object_get(r->o->mix));
	if (!r->o->source) {
		json_object_object_add(r->info, "cases_chosen",
				       json_object_new_int64(r->chosen));
		json_object_object_add(r->info, "cases_offered",
				       json_object_new_int64(r->offered));
	}
	return save_info(r);
}

static int stage_kernel(struct run *r)
{
	struct kernel_opts ko = r->o->kernel;
	int err;

	ko.log_dir = r->dir;
	ko.dry_run = r->o->dry_run;
	err = kernel_get(r->o->spec, &ko, &r->kernel);
	if (err || r->o->dry_run)
		return err;
	info_str(r, "release", r->kernel.release);
	info_str(r, "version", r->kernel.version);
	info_str(r, "image", r->kernel.image);
	info_str(r, "vmlinux", r->kernel.vmlinux);
	info_str(r, "modules", r->kernel.modules);
	info_str(r, "config", r->kernel.config);
	info_str(r, "tree", r->kernel.tree);
	json_object_object_add(r->info, "kernel_commands",
			       strings(&r->kernel.commands));
	return save_info(r);
}

/* The user's own files: an image of this run's own. */
static int add_files(struct run *r)
{
	_free_ char *base = take_ptr(r->image);

	r->own_image = true;
	r->image = xstrfmt("%s/initramfs.cpio", r->dir);
	return image_add(base, &r->o->add, r->image);
}

static int stage_image(struct run *r)
{
	__cleanup(image_spec_free) struct image_spec spec = {};
	_free_ char *command = NULL;
	int err;

	spec.modules = r->kernel.modules;
	guest_wants(r, &spec.want_modules, &spec.programs);
	if (r->o->dry_run) {
		r->image = xstrdup("initramfs.cpio");
		return 0;
	}
	progress("image", "packing the guest's image");
	err = image_get(&spec, &r->image);
	if (!err && r->o->add.n)
		err = add_files(r);
	if (err)
		return err;
	for (size_t i = 0; i < spec.missing.n; i++) {
		const char *p = spec.missing.v[i];

		warning("%s is not on this host: cases that want it SKIP", p);
	}
	command = guest_command(r);
	info_str(r, "qemu", command);
	return save_info(r);
}

static int stage_dry(struct run *r)
{
	_free_ char *qemu = NULL;

	if (!r->o->dry_run)
		return 0;
	qemu = guest_command(r);
	strv_push(&r->kernel.commands, qemu);
	if (r->o->json) {
		struct json_object *a = strings(&r->kernel.commands);

		puts(json_object_to_json_string_ext(
			a, JSON_C_TO_STRING_PRETTY |
				   JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(a);
		return 0;
	}
	for (size_t i = 0; i < r->kernel.commands.n; i++)
		puts(r->kernel.commands.v[i]);
	return 0;
}

static int stage_work(struct run *r)
{
	int err;

	if (r->o->dry_run)
		return 0;
	err = r->o->shell ? guest_shell(r) : guest_work(r);
	progress_clear();
	if (!err)
		run_log(r, json_tokener_parse("{\"ev\":\"end\"}"));
	return r->log_failed ? EXIT_RIG_FAILED : err;
}

/* Why the run does not come to its end: `rig show` exits as the run did. */
static void log_stop(struct run *r, int code)
{
	struct json_object *o;

	if (r->log < 0 || r->log_failed)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "ev", json_object_new_string("stop"));
	json_object_object_add(o, "exit", json_object_new_int(code));
	if (code == EXIT_INTERRUPTED) {
		json_object_object_add(o, "why",
				       json_object_new_string("interrupted"));
	} else if (error_last()) {
		_free_ char *why = printable(error_last(),
					     strlen(error_last()), false);

		json_object_object_add(o, "why", json_object_new_string(why));
	}
	/* Its reason was said: no word of a second one. */
	r->log_failed = true;
	run_log(r, o);
}

/* Nothing was asked for that could be run: no run, no folder of one. */
static void drop_dir(struct run *r)
{
	static const char *const files[] = { "host.jsonl", "run.json" };

	for (size_t i = 0; r->dir && i < ARRAY_SIZE(files); i++) {
		_free_ char *path = xstrfmt("%s/%s", r->dir, files[i]);

		unlink(path);
	}
	/* Not if there is anything of the user's in it. */
	if (r->dir)
		rmdir(r->dir);
	free(take_ptr(r->dir));
}

/* What was gathered is reported however the work ended. */
static int stage_report(struct run *r, int worked)
{
	_rundata_ struct rundata d = {};
	_free_ char *text = NULL;
	const char *file;
	int err;

	if (r->o->dry_run || !r->dir || r->o->shell)
		return worked;
	err = rundata_load(r->dir, &d);
	if (err)
		return error("%s: cannot read the run's logs: %s", r->dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	if (!d.boots)
		return worked;
	err = report_write_all(&d, &file);
	/* A disk that was full before is not news. */
	if (err && worked != EXIT_RIG_FAILED)
		error("%s/%s: cannot write: %s; free some space, then `rig scan %s`",
		      r->dir, file, strerror(-err), r->dir);
	if (interrupted() && !worked)
		worked = EXIT_INTERRUPTED;
	/* All is on the disk: nobody has to wait for a reader of ours. */
	interrupt_ends();
	if (r->o->json) {
		text = report_formats[0].make(&d);
		fputs(text, stdout);
	} else if (!r->o->silent) {
		report_summary(&d, stdout);
	}
	fflush(stdout);
	if (err)
		return EXIT_RIG_FAILED;
	return worked == EXIT_RIG_FAILED || worked == EXIT_INTERRUPTED ?
		       worked : report_exit(&d);
}

static const struct {
	const char *name;
	int (*fn)(struct run *r);
} stages[] = {
	{ "config", stage_config }, { "dir", stage_dir },
	{ "kernel", stage_kernel }, { "image", stage_image },
	{ "dry-run", stage_dry },   { "work", stage_work },
};

int run_run(struct run_opts *o)
{
	__cleanup(run_free) struct run r = { .o = o, .log = -1,
					     .started = now(),
					     .rows[1].devdax = true };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(stages); i++) {
		err = stages[i].fn(&r);
		if (interrupted())
			err = EXIT_INTERRUPTED;
		if (err)
			detail("stage %s ended with %d", stages[i].name, err);
	}
	progress_clear();
	if (err == EXIT_USAGE)
		drop_dir(&r);
	else if (err)
		log_stop(&r, err);
	if (err == EXIT_INTERRUPTED && r.dir)
		note("interrupted; what was gathered is in %s", r.dir);
	else if (err == EXIT_INTERRUPTED)
		note("interrupted; nothing was gathered yet");
	return stage_report(&r, err);
}
