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
	_strv_ struct strv argv = {};
	int ret;

	progress("build", "installing the modules of %s", b->src->name);
	build_install_args(b, to, &argv);
	ret = build_make(b, &argv);
	if (ret)
		return build_make_failed(b, ret, "installing the modules of");
	ret = path_exists(bin) ? 0 : run_depmod(to, release);
	return ret ? failed(EXIT_RIG_FAILED,
			    "cannot index the modules of %s: %s", b->src->name,
			    strerror(-ret)) : EXIT_CLEAN;
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
	_free_ char *info = NULL;
	_free_ char *info_path = xstrfmt("%s/info", tmp);
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
	info = xstrfmt("%s\n%s\n%s\n%s\n", release, b->src->version,
		       b->src->name, lost ? lost : "");
	if (!err && !ret)
		err = write_file(info_path, info, strlen(info));
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

static char *info_line(char **s)
{
	char *line = strsep(s, "\n");

	return line ? line : "";
}

void build_warn_lost(const struct build *b, const char *lost)
{
	if (lost && *lost)
		warning("%s is configured without: %s", b->src->name, lost);
}

int build_use(const struct build *b, struct kernel *k)
{
	_free_ char *info = xstrfmt("%s/info", b->out);
	_buf_ struct buf text = {};
	const char *lost;
	char *s;
	int err = read_file(info, &text);

	if (err)
		return failed(EXIT_RIG_FAILED,
			      "%s in the cache is damaged: remove it", b->out);
	s = text.data;
	k->release = xstrdup(info_line(&s));
	info_line(&s);
	info_line(&s);
	lost = info_line(&s);
	/* Else it was said before the build. */
	if (!k->build_log)
		build_warn_lost(b, lost);
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
			_free_ char *info = xstrfmt("%s/%s/info", dir,
						    ids[j]->d_name);
			_buf_ struct buf text = {};

			if (ids[j]->d_name[0] != '.' &&
			    read_file(info, &text) == 0) {
				char *s = text.data;
				const char *release = info_line(&s);
				const char *version = info_line(&s);

				kernel_list_add(array, info_line(&s),
						"built from a tree",
						release, version, true);
			}
			free(ids[j]);
		}
		free(ids);
		free(list[i]);
	}
	free(list);
}
