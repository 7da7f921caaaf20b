// SPDX-License-Identifier: GPL-2.0-or-later
/* Finished kernels: see kernel-tree-internal.h. */
#include "kernel-tree-internal.h"
#include "cache.h"
#include "kernel-image.h"
#include "progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Finished kernels that nobody has asked for this long go, in seconds. */
#define KERNEL_MAX_AGE (7 * 24 * 3600)

/* What kernels/ID/info says of a finished kernel: a line each. */
struct info {
	struct buf text;	/* what the others point into */
	const char *release, *version, *name;
	const char *lost;	/* see kconfig_lost(); "" for none */
};

static int info_read(const char *dir, struct info *i)
{
	const char **const lines[] = { &i->release, &i->version, &i->name,
				       &i->lost };
	_free_ char *path = xstrfmt("%s/info", dir);
	int err = read_file(path, &i->text);
	char *s = i->text.data;

	for (size_t k = 0; k < ARRAY_SIZE(lines) && !err; k++) {
		const char *line = strsep(&s, "\n");

		*lines[k] = line ? line : "";
	}
	return err;
}

static int info_write(const char *dir, const struct info *i)
{
	_free_ char *path = xstrfmt("%s/info", dir);
	_free_ char *text = xstrfmt("%s\n%s\n%s\n%s\n", i->release,
				    i->version, i->name, i->lost);

	return write_file(path, text, strlen(text));
}

static void info_free(struct info *i)
{
	buf_free(&i->text);
}
#define _info_ __cleanup(info_free)

static int copy_file(const char *from, const char *to)
{
	_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_close_ int out = -1;
	char chunk[1 << 16];
	ssize_t n;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0)
		return -errno;
	/* In the kernel, and shared blocks where the filesystem can. */
	while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
		;
	if (n == 0)
		return 0;
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
	    errno != EOPNOTSUPP)
		return -errno;
	while ((n = read(in, chunk, sizeof(chunk))) > 0) {
		int err = write_all(out, chunk, n);

		if (err)
			return err;
	}
	return n < 0 ? -errno : 0;
}

static char *kernel_release(const struct build *b)
{
	_free_ char *path = xstrfmt("%s/include/config/kernel.release", b->obj);
	_buf_ struct buf text = {};

	if (read_file(path, &text))
		return NULL;
	return xstrndup(text.data, strcspn(text.data, "\n"));
}

static int install_modules(struct build *b, const char *to,
			   const char *release)
{
	_free_ char *dir = xstrfmt("%s/lib/modules/%s", to, release);
	_free_ char *bin = xstrfmt("%s/modules.dep.bin", dir);
	int err, ret;

	progress("build", "installing the modules of %s", b->src->name);
	ret = build_make_install(b, to);
	if (ret)
		return ret;
	err = path_exists(bin) ? 0 : run_depmod(to, release);
	return err ? failed(EXIT_RIG_FAILED,
			    "cannot index the modules of %s: %s", b->src->name,
			    strerror(-err)) : EXIT_CLEAN;
}

int build_keep(struct build *b, const char *lost)
{
	const struct {
		const char *from, *to;
		bool want;
	} files[] = {
		{ "vmlinux", "vmlinux", true },
		{ "arch/x86/boot/bzImage", "bzImage", b->bzimage },
		{ ".config", "config", true },
	};
	_free_ char *tmp = xstrfmt("%s.new", b->out);
	_free_ char *release = kernel_release(b);
	const struct info info = {
		.release = release, .version = b->src->version,
		.name = b->src->name, .lost = lost ? lost : "",
	};
	int err, ret = EXIT_CLEAN;

	if (!release)
		return failed(EXIT_CANNOT_TEST,
			      "%s was built, but says no release; make's output: %s",
			      b->src->name, b->log);
	remove_tree(tmp);
	err = mkdir_p(tmp);
	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		_free_ char *from = xstrfmt("%s/%s", b->obj, files[i].from);
		_free_ char *to = xstrfmt("%s/%s", tmp, files[i].to);

		if (files[i].want)
			err = copy_file(from, to);
	}
	if (!err && b->modules)
		ret = install_modules(b, tmp, release);
	if (!err && !ret)
		err = info_write(tmp, &info);
	if (!err && !ret && rename(tmp, b->out) < 0)
		err = -errno;
	if (err)
		ret = failed(EXIT_RIG_FAILED, "cannot keep the kernel in %s: %s",
			     b->out, strerror(-err));
	if (ret)
		remove_tree(tmp);
	return ret;
}

void build_forget_old(const struct build *b)
{
	_free_ char *dir = xstrfmt("%s/kernels", b->dir);
	struct dirent **list = NULL;
	int n = scandir(dir, &list, NULL, NULL);

	for (int i = 0; i < n; i++) {
		_free_ char *p = xstrfmt("%s/%s", dir, list[i]->d_name);
		struct stat st;

		if (list[i]->d_name[0] != '.' && strcmp(p, b->out) != 0 &&
		    stat(p, &st) == 0 &&
		    difftime(time(NULL), st.st_mtime) > KERNEL_MAX_AGE)
			remove_tree(p);
		free(list[i]);
	}
	free(list);
}

void build_warn_lost(const struct build *b, const char *lost)
{
	if (lost && *lost)
		warning("%s is configured without: %s", b->src->name, lost);
}

int build_use(const struct build *b, struct kernel *k)
{
	_info_ struct info info = {};

	if (info_read(b->out, &info))
		return failed(EXIT_RIG_FAILED,
			      "%s in the cache is damaged: remove it", b->out);
	k->release = xstrdup(info.release);
	/* Else it was said before the build. */
	if (!k->build_log)
		build_warn_lost(b, info.lost);
	k->vmlinux = xstrfmt("%s/vmlinux", b->out);
	k->image = xstrfmt("%s/bzImage", b->out);
	if (!path_exists(k->image)) {
		free(k->image);
		k->image = xstrdup(k->vmlinux);
	}
	k->modules = xstrfmt("%s/lib/modules/%s", b->out, k->release);
	if (!path_exists(k->modules)) {
		free(k->modules);
		k->modules = NULL;
	}
	k->config = xstrfmt("%s/config", b->out);
	/* Its age is the time since its last use. */
	utimensat(AT_FDCWD, b->out, NULL, 0);
	return EXIT_CLEAN;
}

void kernel_tree_list(struct json_object *array)
{
	_free_ char *root = cache_path("build/");
	struct dirent **list = NULL;
	int n = root ? scandir(root, &list, NULL, alphasort) : 0;

	for (int i = 0; i < n; i++) {
		_free_ char *dir = xstrfmt("%s%s/kernels", root,
					   list[i]->d_name);
		struct dirent **ids = NULL;
		int m = list[i]->d_name[0] == '.' ? 0 :
			scandir(dir, &ids, NULL, alphasort);

		for (int j = 0; j < m; j++) {
			_free_ char *id = xstrfmt("%s/%s", dir, ids[j]->d_name);
			_info_ struct info info = {};

			if (ids[j]->d_name[0] != '.' && !info_read(id, &info))
				kernel_list_add(array, info.name,
						"built from a tree",
						info.release, info.version,
						true);
			free(ids[j]);
		}
		free(ids);
		free(list[i]);
	}
	free(list);
}
