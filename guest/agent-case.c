// SPDX-License-Identifier: GPL-2.0-or-later
/* A case: one workload, in one variant, on one filesystem, at one size. */
#include "agent.h"
#include "sys.h"
#include "workloads/log.h"
#include "workloads/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct workload *const __start_workloads[];
extern const struct workload *const __stop_workloads[];
extern const struct ref_kind *const __start_ref_kinds[];
extern const struct ref_kind *const __stop_ref_kinds[];

const struct workload *workload_find(const char *name)
{
	for (const struct workload *const *w = __start_workloads;
	     w < __stop_workloads; w++)
		if (strcmp((*w)->name, name) == 0)
			return *w;
	return NULL;
}

static void put_words(struct json_object *o, const char *key, const char *words)
{
	struct json_object *list = json_object_new_array();
	char *copy = strdup(words ? words : ""), *save, *tok;

	for (tok = strtok_r(copy, " ", &save); tok;
	     tok = strtok_r(NULL, " ", &save))
		json_object_array_add(list, json_object_new_string(tok));
	free(copy);
	json_object_object_add(o, key, list);
}

static struct json_object *describe_one(const struct workload *w)
{
	struct json_object *o = json_object_new_object();
	struct json_object *variants = json_object_new_array();
	unsigned int with = w->with ? w->with : WITH_4K;
	char on[64], sizes[32];

	snprintf(on, sizeof(on), "%s %s %s", w->on & ON_XFS ? "xfs" : "",
		 w->on & ON_EXT4 ? "ext4" : "",
		 w->on & ON_DEVDAX ? "devdax" : "");
	snprintf(sizes, sizeof(sizes), "%s %s", with & WITH_4K ? "4k" : "",
		 with & WITH_2M ? "2m" : "");
	put_str(o, "name", w->name);
	put_str(o, "help", w->help);
	put_str(o, "point", w->point);
	put_words(o, "on", on);
	put_words(o, "with", sizes);
	put_words(o, "modules", w->modules);
	put_words(o, "programs", w->programs);
	put_str(o, "guards", w->guards);
	put_num(o, "runtime", w->runtime ? w->runtime : 1);
	json_object_object_add(o, "owns_fs", json_object_new_boolean(
						     w->flags & WL_OWNS_FS));
	json_object_object_add(o, "by_name", json_object_new_boolean(
						     w->flags & WL_BY_NAME));
	for (const char *const *v = w->variants; v && *v; v++)
		json_object_array_add(variants, json_object_new_string(*v));
	json_object_object_add(o, "variants", variants);
	return o;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct workload *const *)a)->name,
		      (*(const struct workload *const *)b)->name);
}

struct json_object *describe(void)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *refs = json_object_new_array();
	size_t n = __stop_workloads - __start_workloads;
	const struct workload **all = calloc(n, sizeof(*all));

	/* The linker's order is nobody's order. */
	memcpy(all, __start_workloads, n * sizeof(*all));
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, describe_one(all[i]));
	free(all);
	for (const struct ref_kind *const *k = __start_ref_kinds;
	     k < __stop_ref_kinds; k++) {
		struct json_object *r = json_object_new_object();

		put_str(r, "name", (*k)->name);
		put_str(r, "help", (*k)->help);
		json_object_array_add(refs, r);
	}
	json_object_object_add(o, "workloads", list);
	json_object_object_add(o, "refs", refs);
	json_object_object_add(o, "operations", describe_operations());
	return o;
}

static char *words_of(struct json_object *req, const char *key)
{
	const char *s = req_str(req, key);

	return s ? strdup(s) : NULL;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	/* What cannot go is in the way of who comes next, who says so. */
	remove(path);
	return 0;
}

/* By hand: starting rm(1) takes longer than most programs do. */
static void remove_case_dir(const char *dir)
{
	nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/*
 * The workload so many times over but once, each in a process and a folder of
 * its own on the same filesystem: what is rare is met more often than by as
 * many cases. Returns what is wrong, or NULL.
 */
static const char *run_rounds(struct wl_case *c, unsigned int rounds)
{
	for (unsigned int i = 1; i < rounds; i++, c->seed++) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			return say("fork: %s", strerror(errno));
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			c->workload->run();
			_exit(0);
		}
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		/* It crashed: so do we. */
		if (WIFSIGNALED(status)) {
			signal(WTERMSIG(status), SIG_DFL);
			raise(WTERMSIG(status));
		}
		if (!c->mnt)
			continue;
		if (chdir("/") < 0)
			return say("cannot leave %s: %s", c->dir,
				   strerror(errno));
		remove_case_dir(c->dir);
		if (mkdir(c->dir, 0755) < 0 || chdir(c->dir) < 0)
			return say("cannot make %s anew: %s", c->dir,
				   strerror(errno));
	}
	return NULL;
}

const char *cmd_run(struct json_object *req, struct json_object *reply)
{
	static struct wl_case c;
	const char *name = req_str(req, "workload"), *size, *err;

	c.workload = name ? workload_find(name) : NULL;
	if (!c.workload)
		return say("no such workload: %s", name);
	size = req_str(req, "size");
	c.name = words_of(req, "case");
	c.variant = words_of(req, "variant");
	c.fs = words_of(req, "fs");
	c.mnt = words_of(req, "mnt");
	c.dev = words_of(req, "dev");
	c.ns = words_of(req, "ns");
	c.unit = size && strcmp(size, "2m") == 0 ? PMD : PAGE;
	c.scale = req_num(req, "scale", 1);
	c.seed = req_num(req, "seed", 1);
	c.census = req_is(req, "census");
	c.program = words_of(req, "program");
	c.dir = "/";
	/* A WARN_ONCE that an earlier case set off speaks up again. */
	write_small("/sys/kernel/debug/clear_warn_once", "1");
	if (c.mnt) {
		c.dir = say("%s/case", c.mnt);
		remove_case_dir(c.dir);
		if (mkdir(c.dir, 0755) < 0)
			return say("cannot make %s: %s", c.dir,
				   strerror(errno));
	}
	if (chdir(c.dir) < 0)
		return say("cannot enter %s: %s", c.dir, strerror(errno));
	wl = &c;
	log_start();
	err = run_rounds(&c, req_num(req, "rounds", 1));
	if (err)
		return err;
	c.workload->run();
	_exit(0);
}

/* What the case left on the filesystem goes while the case is still the one
 * that runs: what the kernel says of it is said of this case. */
const char *cmd_clean(struct json_object *req, struct json_object *reply)
{
	const char *mnt = req_str(req, "dir");

	if (!mnt)
		return "clean: no folder";
	remove_case_dir(say("%s/case", mnt));
	return NULL;
}

const char *cmd_shell(struct json_object *req, struct json_object *reply)
{
	const char *script = req_str(req, "script"), *tty = req_str(req, "tty");
	const char *argv[] = { "sh", script ? "-c" : "-l", script, NULL };
	char out[512];
	int fd = open(tty ? tty : "/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return say("cannot open %s: %s", tty, strerror(errno));
	/* mount, ls and the rest, by name. */
	run_capture((const char *const[]){ "busybox", "--install", "-s",
					   "/bin", NULL }, out, sizeof(out));
	/* in_child() made a session of ours: take the terminal for it. */
	ioctl(fd, TIOCSCTTY, 1);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (req_str(req, "dir") && chdir(req_str(req, "dir")) < 0)
		return say("cannot enter %s: %s", req_str(req, "dir"),
			   strerror(errno));
	execvp("busybox", (char *const *)argv);
	return say("cannot start a shell: %s", strerror(errno));
}
