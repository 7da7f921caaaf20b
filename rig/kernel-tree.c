// SPDX-License-Identifier: GPL-2.0-or-later
/* One build from its request to a finished kernel: see kernel-tree.h. */
#include "kernel-tree-internal.h"
#include "cache.h"
#include "kernel-git.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void build_free(struct build *b)
{
	kconfig_free(&b->kc);
	buf_free(&b->request);
	strv_free(&b->env);
	strv_free(&b->base);
	free(b->dir);
	free(b->obj);
	free(b->out);
	free(b->log);
	cleanup_fd(&b->lock);
	cleanup_fd(&b->log_fd);
}
#define _build_ __cleanup(build_free)

static char *option_path(const char *name)
{
	char *real = realpath(name, NULL);

	return real ? real : xstrdup(name);
}

/* build/NAME-HASH: a function of the source folder and of what was named, not
 * of what is in them. */
static char *build_dir(const struct build *b)
{
	const char *base = strrchr(b->src->dir, '/') + 1;
	_buf_ struct buf key = {};
	char hash[17], *dir;

	buf_addf(&key, "%s\n", b->src->dir);
	if (b->o->config) {
		_free_ char *p = option_path(b->o->config);

		buf_addf(&key, "config %s\n", p);
	}
	for (size_t i = 0; i < b->kc.names.n; i++) {
		const char *name = b->kc.names.v[i];
		_free_ char *p = strchr(name, '/') || ends_with(name, ".config") ?
					 option_path(name) : xstrdup(name);

		buf_addf(&key, "fragment %s\n", p);
	}
	hash_hex(key.data, key.len, hash);
	/* The slash at the end has the folder made. */
	dir = cache_path("build/%s-%s/", base, hash);
	if (dir)
		dir[strlen(dir) - 1] = '\0';
	return dir;
}

/* What the finished kernel's folder is called: see kernel-tree.h. */
static int make_id(struct build *b)
{
	_buf_ struct buf all = {};
	bool certain = true;
	char hash[17];
	int err = 0;

	if (b->src->id)
		buf_addf(&all, "id %s\n", b->src->id);
	else if (path_exists(b->src->dir))
		err = tree_fingerprint(b->src->dir, hash, &certain);
	if (err)
		return failed(EXIT_RIG_FAILED, "cannot read all of %s: %s",
			      b->src->name, strerror(-err));
	if (!b->src->id)
		buf_addf(&all, "tree %s\n", hash);
	if (!certain || request_reads_elsewhere(b->request.data))
		buf_addf(&all, "once %d %.9f\n", getpid(), now());
	buf_addf(&all, "%s\n", b->o->config ? "olddefconfig" : "allnoconfig");
	build_toolchain(&all);
	buf_add(&all, b->request.data, b->request.len);
	hash_hex(all.data, all.len, hash);
	b->out = xstrfmt("%s/kernels/%s", b->dir, hash);
	return EXIT_CLEAN;
}

static int open_log(struct build *b)
{
	const char *dir = b->o->log_dir ? b->o->log_dir : b->dir;

	b->log = xstrfmt("%s/build.log", dir);
	b->log_fd = open(b->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
			 O_CLOEXEC, 0666);
	return b->log_fd >= 0 ? EXIT_CLEAN :
				failed(EXIT_RIG_FAILED, "cannot write %s: %s",
				       b->log, strerror(errno));
}

static int build_now(struct build *b, struct kernel *k)
{
	_free_ char *lost = NULL;
	_free_ char *bad = NULL;
	int ret = build_check_tools();

	if (!ret)
		ret = open_log(b);
	if (!ret && b->src->prepare)
		ret = b->src->prepare(b->src);
	if (ret)
		return ret;
	k->build_log = xstrdup(b->log);
	bad = tree_problem(b->src->dir, false);
	if (bad)
		return failed(EXIT_CANNOT_TEST, "%s %s", b->src->name, bad);
	ret = build_configure(b);
	if (!ret)
		ret = build_read_config(b, &lost);
	if (ret)
		return ret;
	build_warn_lost(b, lost);
	build_load_progress(b);
	progress("build", "building %s", b->src->name);
	ret = build_make_targets(b);
	build_configured(b);
	build_save_progress(b, ret == EXIT_CLEAN);
	return ret ? ret : build_keep(b, lost);
}

int source_build(struct source *src, const struct kernel_opts *o,
		 struct kernel *k)
{
	_build_ struct build b = { .src = src, .o = o, .lock = -1,
				   .log_fd = -1 };
	int ret = build_load_request(&b);
	int err;

	if (ret)
		return ret;
	b.dir = build_dir(&b);
	if (!b.dir)
		return EXIT_RIG_FAILED;
	b.obj = xstrfmt("%s/obj", b.dir);
	err = mkdir_p(b.obj);
	if (err)
		return failed(EXIT_RIG_FAILED, "cannot make %s: %s", b.obj,
			      strerror(-err));
	/* Until .config is there, what was asked for stands for it. */
	b.bzimage = build_needs_bzimage(b.request.data);
	b.modules = strstr(b.request.data, "CONFIG_MODULES=y");
	build_make_args(&b);
	build_commands(&b, &k->commands);
	k->tree = xstrdup(src->dir);
	if (!k->version)
		k->version = xstrdup(src->version);
	if (o->dry_run) {
		ret = make_id(&b);
		k->image = ret ? NULL :
			   xstrfmt("%s/%s", b.out,
				   b.bzimage ? "bzImage" : "vmlinux");
		return ret;
	}
	b.lock = cache_lock(b.dir, src->name);
	if (b.lock < 0)
		return failed(EXIT_RIG_FAILED, "cannot lock %s: %s", b.dir,
			      strerror(-b.lock));
	/* Before anything is read from it: a change from here on is seen at
	 * the next run. */
	ret = make_id(&b);
	if (!ret && !path_exists(b.out))
		ret = build_now(&b, k);
	if (ret)
		return ret;
	build_forget_old(&b);
	return build_use(&b, k);
}

int kernel_tree(const char *path, const struct kernel_opts *o,
		struct kernel *k)
{
	_free_ char *dir = realpath(path, NULL);
	_free_ char *version = NULL;
	_free_ char *bad = NULL;
	struct source src = SOURCE_INIT;

	if (!dir && !o->dry_run)
		return failed(EXIT_USAGE, "cannot read %s: %s", path,
			      strerror(errno));
	if (!dir)
		dir = xstrdup(path);
	bad = path_exists(dir) ? tree_problem(dir, tree_is_git(dir)) : NULL;
	if (bad)
		return failed(EXIT_USAGE, "%s %s", path, bad);
	if (tree_is_git(dir))
		version = git_describe(dir, NULL);
	if (!version)
		version = tree_version(dir);
	src.dir = dir;
	src.name = k->spec;
	src.version = version ? version : "unknown";
	return source_build(&src, o, k);
}
