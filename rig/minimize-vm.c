// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Candidates run in VMs. Each VM has a worker: a fork of this process that does
 * a run of its own, whose cases it gets one by one from here. Both sides write
 * one JSON object a line: {"hash", "text", "rounds"} down, {"hash", "hit", "seconds",
 * "finding"} up.
 *
 * A worker dies with us, and its QEMU with it. Workers are in process groups of
 * their own: Ctrl-C is ours to hear.
 */
#include "minimize.h"
#include "proc.h"
#include "program.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_JOBS 4
/* Seconds that a round of many takes, as a workload's runtime. */
#define ROUND_RUNTIME 0.5

struct worker {
	struct proc proc;
	int fd;			/* -1: there is none */
	struct buf said;	/* not yet a line */
	bool busy;
};

struct vms {
	struct vms_opts o;
	struct worker w[MAX_JOBS];
	int exit;
};

static int send_line(int fd, struct json_object *o)
{
	_buf_ struct buf line = {};
	int err;

	buf_addf(&line, "%s\n", json_object_to_json_string_ext(
					o, JSON_C_TO_STRING_PLAIN));
	err = write_all(fd, line.data, line.len);
	json_object_put(o);
	return err;
}

static void put_str(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_object_object_add(o, key, json_object_new_string(value));
}

static const char *get_str(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

/* --- in the worker ------------------------------------------------------------ */

struct worker_run {
	const struct vms_opts *o;
	int fd;
	struct buf heard;
	char *now;		/* hash of the candidate that runs */
};

/* The next line from above; the caller's. NULL: there will be none. */
static struct json_object *hear(struct worker_run *w)
{
	struct json_object *o;
	char *nl;

	while (!w->heard.len ||
	       !(nl = memchr(w->heard.data, '\n', w->heard.len))) {
		struct pollfd p[] = { { w->fd, POLLIN, 0 },
				      { interrupt_fd(), POLLIN, 0 } };
		char chunk[65536];
		ssize_t n;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return NULL;
		if (interrupted())
			return NULL;
		if (!p[0].revents)
			continue;
		n = read(w->fd, chunk, sizeof(chunk));
		if (n <= 0)
			return NULL;
		buf_add(&w->heard, chunk, n);
	}
	*nl++ = '\0';
	o = json_tokener_parse(w->heard.data);
	w->heard.len -= nl - w->heard.data;
	memmove(w->heard.data, nl, w->heard.len + 1);
	return o;
}

/* What is no program any more is for the guest to refuse: a miss. */
static int add_case(struct run *r, const struct worker_run *w, const char *text)
{
	_ptext_ struct ptext p = {};
	unsigned int line;
	const char *fs;

	if (ptext_parse(text, strlen(text), &p, &line))
		return -EINVAL;
	fs = ptext_header(&p, "fs");
	/* Its name is its hash: vm-N/programs has every candidate by it. */
	return program_add(&r->cases, r->o->machine, &(struct program){
		.name = w->now, .text = (char *)text,
		.fs = (char *)(fs ? fs : "xfs"),
		.alone = p.alone || w->o->of->alone,
	});
}

static int more(struct run *r, void *arg)
{
	struct worker_run *w = arg;
	struct json_object *o = hear(w), *v;
	struct rig_case *c;
	int err, rounds;

	if (!o)
		return -1;
	free(w->now);
	w->now = xstrdup(get_str(o, "hash"));
	err = add_case(r, w, get_str(o, "text"));
	rounds = json_object_object_get_ex(o, "rounds", &v) ?
			 json_object_get_int(v) : 1;
	json_object_put(o);
	if (!r->modules.n && !r->programs.n)
		program_wants(w->o->of, &r->modules, &r->programs);
	if (err)
		return error("machine %s has no filesystem for the program",
			     r->o->machine->name), EXIT_USAGE;
	/* What the one before it left on the filesystem is not its own. */
	c = &r->cases.v[r->cases.n - 1];
	c->alone = true;
	c->unchecked = !w->o->check;
	c->rounds = rounds;
	c->runtime += rounds * ROUND_RUNTIME;
	return 0;
}

static struct json_object *finding_json(const struct finding *f)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "kind", f->kind);
	put_str(o, "key", f->key);
	put_str(o, "title", f->title);
	put_str(o, "text", f->text);
	if (f->detail)
		json_object_object_add(o, "detail",
				       json_tokener_parse(f->detail));
	return o;
}

static void done(struct run *r, const struct rig_case *c, void *arg)
{
	struct worker_run *w = arg;
	const struct finding *f = findings_find(&r->last, w->o->fingerprint);
	struct json_object *o;

	if (!c->variant || strcmp(c->variant, w->now) != 0)
		return;
	o = json_object_new_object();
	put_str(o, "hash", w->now);
	json_object_object_add(o, "hit", json_object_new_boolean(f != NULL));
	json_object_object_add(o, "seconds", json_object_new_double(c->seconds));
	put_str(o, "status", case_status_names[c->status]);
	if (f)
		json_object_object_add(o, "finding", finding_json(f));
	send_line(w->fd, o);
}

/* vm-0, vm-1 ...: those of earlier calls stay. The caller's. */
static char *free_dir(const char *dir)
{
	for (int i = 0;; i++) {
		char *path = xstrfmt("%s/vm-%d", dir, i);

		if (mkdir(path, 0777) == 0 || errno != EEXIST)
			return path;
		free(path);
	}
}

static _Noreturn void worker_main(const struct vms_opts *vo, const char *dir,
				  int fd)
{
	struct worker_run w = { .o = vo, .fd = fd };
	struct run_source source = { .more = more, .done = done, .arg = &w };
	struct run_opts o = *vo->run;
	int code;

	o.source = &source;
	o.dir = dir;
	o.silent = true;
	o.json = false;
	/* Our parent tells how things are going. */
	verbosity = 0;
	code = run_run(&o);
	free(w.now);
	buf_free(&w.heard);
	fflush(NULL);
	_exit(code);
}

/* --- above it ------------------------------------------------------------------ */

static int pidfd_of(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

static int worker_start(struct vms *v, struct worker *w)
{
	_free_ char *dir = free_dir(v->o.dir);
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fflush(NULL);
	w->proc.pid = fork();
	if (w->proc.pid < 0) {
		w->proc.pid = 0;
		close(pair[0]);
		close(pair[1]);
		return -errno;
	}
	if (!w->proc.pid) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_RIG_FAILED);
		setpgid(0, 0);
		/* Another worker's end would not be seen as long as somebody
		 * holds its socket, nor the journal be free for the next. */
		for (size_t i = 0; i < ARRAY_SIZE(v->w); i++)
			cleanup_fd(&v->w[i].fd);
		close(v->o.close);
		close(pair[0]);
		dup2(null, STDIN_FILENO);
		if (signals_init())
			_exit(EXIT_RIG_FAILED);
		worker_main(&v->o, dir, pair[1]);
	}
	setpgid(w->proc.pid, w->proc.pid);
	w->proc.pidfd = pidfd_of(w->proc.pid);
	close(pair[1]);
	w->fd = pair[0];
	return 0;
}

/* Asked to end its VM and its logs in order. */
static void worker_ask(struct worker *w)
{
	cleanup_fd(&w->fd);
	if (w->proc.pid)
		kill(w->proc.pid, SIGTERM);
}

/* It gets @grace seconds for that, whatever we were asked meanwhile. */
static void worker_stop(struct worker *w, double grace)
{
	struct pollfd p = { w->proc.pidfd, POLLIN, 0 };

	cleanup_fd(&w->fd);
	if (w->proc.pid)
		poll(&p, 1, grace * 1000);
	proc_kill(&w->proc);
	buf_free(&w->said);
	w->busy = false;
}

/* The worker hung up: it says with its exit code what came between. */
static int worker_ended(struct vms *v, struct worker *w)
{
	int status = proc_wait(&w->proc, 30);

	if (status == -EINTR)
		return -EINTR;
	worker_stop(w, 0);
	v->exit = status == EXIT_CANNOT_TEST || status == EXIT_USAGE ||
		  status == EXIT_INTERRUPTED ? status : EXIT_RIG_FAILED;
	if (status > 128 && status != EXIT_USAGE && status != EXIT_INTERRUPTED)
		error("a process that drives a VM was killed by signal %d; call it again to go on",
		      status - 128);
	else if (status == 0 || status == 1)
		error("a process that drives a VM has ended too early (exit %d); its logs: %s",
		      status, v->o.dir);
	return -ECHILD;
}

static int start(void *arg, const char *text, unsigned int rounds,
		 const char *hash)
{
	struct json_object *o = json_object_new_object();
	struct vms *v = arg;
	struct worker *w = NULL;
	int err;

	for (size_t i = 0; i < v->o.jobs && (!w || w->fd < 0); i++)
		if (!v->w[i].busy && (!w || v->w[i].fd >= 0))
			w = &v->w[i];
	put_str(o, "hash", hash);
	put_str(o, "text", text);
	json_object_object_add(o, "rounds", json_object_new_int(rounds));
	if (!w || (w->fd < 0 && (err = worker_start(v, w)))) {
		json_object_put(o);
		return w ? err : -EBUSY;
	}
	w->busy = true;
	/* That it cannot take it is seen when it is waited for. */
	send_line(w->fd, o);
	return 0;
}

/* What a hit was has to be known when the journal knows of the hit. */
static int save_hit(struct vms *v, struct json_object *line,
		    const struct outcome *out)
{
	_free_ char *dir = xstrfmt("%s/hits", v->o.dir);
	_free_ char *path = xstrfmt("%s/%s.json", dir, out->hash);
	struct json_object *f;
	const char *text;
	int err;

	if (!json_object_object_get_ex(line, "finding", &f))
		return -EPROTO;
	text = json_object_to_json_string_ext(f, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	err = mkdir_p(dir);
	return err ? err : write_file(path, text, strlen(text));
}

/* 1: there is an outcome in it. */
static int take_line(struct vms *v, struct worker *w, struct outcome *out)
{
	char *nl = w->said.len ? memchr(w->said.data, '\n', w->said.len) : NULL;
	struct json_object *o, *x;
	int err = 0;

	if (!nl)
		return 0;
	*nl++ = '\0';
	o = json_tokener_parse(w->said.data);
	w->said.len -= nl - w->said.data;
	memmove(w->said.data, nl, w->said.len + 1);
	*out = (struct outcome){};
	snprintf(out->hash, sizeof(out->hash), "%s", get_str(o, "hash"));
	out->hit = json_object_object_get_ex(o, "hit", &x) &&
		   json_object_get_boolean(x);
	out->seconds = json_object_object_get_ex(o, "seconds", &x) ?
			       json_object_get_double(x) : 0;
	w->busy = false;
	if (out->hit)
		err = save_hit(v, o, out);
	json_object_put(o);
	return err ? err : 1;
}

static int take(struct vms *v, struct worker *w, struct outcome *out)
{
	char chunk[65536];
	ssize_t n = read(w->fd, chunk, sizeof(chunk));

	if (n <= 0)
		return worker_ended(v, w);
	buf_add(&w->said, chunk, n);
	return take_line(v, w, out);
}

static int wait_any(void *arg, struct outcome *out)
{
	struct vms *v = arg;
	int ret = 0;

	while (!ret) {
		struct pollfd p[MAX_JOBS + 1] = {};
		double left = v->o.until ? v->o.until - now() : 3600;

		if (interrupted())
			return -EINTR;
		if (left <= 0)
			return -ETIMEDOUT;
		for (size_t i = 0; i < MAX_JOBS; i++)
			p[i] = (struct pollfd){ v->w[i].fd, POLLIN, 0 };
		p[MAX_JOBS] = (struct pollfd){ interrupt_fd(), POLLIN, 0 };
		if (poll(p, ARRAY_SIZE(p), (left < 3600 ? left : 3600) * 1000 +
						   1) < 0 && errno != EINTR)
			return -errno;
		for (size_t i = 0; i < MAX_JOBS && !ret; i++)
			if (p[i].revents)
				ret = take(v, &v->w[i], out);
	}
	return ret < 0 ? ret : 0;
}

struct runner vms_runner(struct vms *v)
{
	return (struct runner){ v->o.jobs, start, wait_any, v };
}

int vms_exit(const struct vms *v)
{
	return v->exit;
}

void vms_until(struct vms *v, double until)
{
	v->o.until = until;
}

struct vms *vms_new(const struct vms_opts *o)
{
	struct vms *v = xcalloc(1, sizeof(*v));

	v->o = *o;
	if (v->o.jobs > MAX_JOBS)
		v->o.jobs = MAX_JOBS;
	for (size_t i = 0; i < MAX_JOBS; i++) {
		v->w[i].fd = -1;
		v->w[i].proc = (struct proc)PROC_INIT;
	}
	return v;
}

void vms_free(struct vms *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < MAX_JOBS; i++)
		worker_ask(&v->w[i]);
	for (size_t i = 0; i < MAX_JOBS; i++)
		worker_stop(&v->w[i], 10);
	free(v);
}

/* --- how many ------------------------------------------------------------------ */

/* What /proc/meminfo says could be used, in MiB. */
static unsigned long mib_available(void)
{
	_buf_ struct buf b = {};
	unsigned long kib = 0;
	const char *p;

	if (read_file("/proc/meminfo", &b) == 0 &&
	    (p = strstr(b.data, "MemAvailable:")))
		sscanf(p, "MemAvailable: %lu", &kib);
	return kib >> 10;
}

unsigned int vms_jobs(const struct run_opts *o)
{
	const struct machine *m = o->machine;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long need = m->mem_mib + 256, fit;

	/* The NVDIMMs are files, but what is written to them is in memory. */
	for (size_t i = 0; i < ARRAY_SIZE(m->pmem); i++)
		need += m->pmem[i].mib;
	fit = mib_available() / need;
	if (cpus > MAX_JOBS)
		cpus = MAX_JOBS;
	if (cpus > (long)fit)
		cpus = fit;
	return cpus < 1 ? 1 : cpus;
}
