// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel-deb.h"
#include "cache.h"
#include "kernel-image.h"
#include "kernel-kinds.h"
#include "proc.h"
#include "progress.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An archive, possibly one that is a member of another. */
struct reader {
	struct archive *a;
	struct archive *outer;	/* its current member is what @a reads */
	bool stopped;
	char chunk[1 << 16];
};

static ssize_t read_member(struct archive *a, void *arg, const void **data)
{
	struct reader *r = arg;
	ssize_t n;

	if (interrupted()) {
		r->stopped = true;
		archive_set_error(a, EINTR, "stopped");
		return -1;
	}
	n = archive_read_data(r->outer, r->chunk, sizeof(r->chunk));
	*data = r->chunk;
	if (n < 0)
		archive_set_error(a, EBADMSG, "damaged member");
	return n;
}

static void reader_close(struct reader *r)
{
	if (r->a)
		archive_read_free(r->a);
	r->a = NULL;
}

/* A tar of any compression inside the current member of @outer. */
static int open_member(struct reader *r, struct archive *outer)
{
	*r = (struct reader){ .a = archive_read_new(), .outer = outer };
	if (!r->a)
		return -ENOMEM;
	archive_read_support_filter_all(r->a);
	archive_read_support_format_tar(r->a);
	return archive_read_open(r->a, r, NULL, read_member, NULL) ?
		       -EBADMSG : 0;
}

static int open_deb(struct reader *r, const char *path)
{
	*r = (struct reader){ .a = archive_read_new() };
	if (!r->a)
		return -ENOMEM;
	if (access(path, R_OK) < 0)
		return -errno;
	archive_read_support_format_ar(r->a);
	return archive_read_open_filename(r->a, path, 1 << 16) ? -EBADMSG : 0;
}

/* Forward to the member whose name begins with @name, at a '/' or in whole. */
static int find_member(struct archive *a, const char *name)
{
	struct archive_entry *e;
	int ret;

	while ((ret = archive_read_next_header(a, &e)) == ARCHIVE_OK ||
	       ret == ARCHIVE_WARN)
		if (starts_with(archive_entry_pathname(e), name))
			return 0;
	return -EBADMSG;
}

typedef int (*entry_fn)(struct archive *a, struct archive_entry *e, void *arg);

/* Call @fn for each entry of an open tar until it returns non-zero. */
static int each_entry(struct reader *r, entry_fn fn, void *arg)
{
	struct archive_entry *e;
	int ret;

	for (;;) {
		ret = archive_read_next_header(r->a, &e);
		if (ret == ARCHIVE_EOF)
			return 0;
		if (r->stopped)
			return -EINTR;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return -EBADMSG;
		ret = fn(r->a, e, arg);
		if (r->stopped)
			return -EINTR;
		if (ret)
			return ret;
	}
}

/* Call @fn for each file in the tar @member ("control.tar", "data.tar"). */
static int each_file(const char *path, const char *member, entry_fn fn,
		     void *arg)
{
	__cleanup(reader_close) struct reader deb = {};
	__cleanup(reader_close) struct reader tar = {};
	int err = open_deb(&deb, path);

	if (!err)
		err = find_member(deb.a, member);
	if (!err)
		err = open_member(&tar, deb.a);
	return err ? err : each_entry(&tar, fn, arg);
}

static const char *entry_name(struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);

	if (!name)
		return "";
	while (starts_with(name, "./") || *name == '/')
		name += *name == '/' ? 1 : 2;
	return name;
}

/* -errno for what libarchive said last, -EBADMSG where it said nothing. */
static int archive_err(struct archive *a)
{
	int err = archive_errno(a);

	return err > 0 && err < 4096 ? -err : -EBADMSG;
}

/* The value of a control field, without its continuation lines. */
static char *field(const char *control, const char *name)
{
	_free_ char *key = xstrfmt("\n%s: ", name);
	const char *at = strstr(control, key);

	if (!at)
		return xstrdup("");
	at += strlen(key);
	return xstrndup(at, strcspn(at, "\n"));
}

static int read_control(struct archive *a, struct archive_entry *e, void *arg)
{
	struct deb *d = arg;
	_buf_ struct buf b = {};
	char chunk[4096];
	ssize_t n;

	if (strcmp(entry_name(e), "control") != 0)
		return 0;
	buf_add(&b, "\n", 1);
	while ((n = archive_read_data(a, chunk, sizeof(chunk))) > 0 &&
	       b.len < 1 << 20)
		buf_add(&b, chunk, n);
	if (n < 0)
		return -EBADMSG;
	d->package = field(b.data, "Package");
	d->version = field(b.data, "Version");
	d->depends = field(b.data, "Depends");
	return 1;
}

/* These names become file names. */
static bool sane_name(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/');
}

int deb_read(const char *path, struct deb *d)
{
	int ret;

	*d = (struct deb){};
	ret = each_file(path, "control.tar", read_control, d);
	if (ret < 0)
		return ret;
	return d->package && sane_name(d->package) && sane_name(d->version) ?
		       0 : -EBADMSG;
}

void deb_free(struct deb *d)
{
	free(d->package);
	free(d->version);
	free(d->depends);
	*d = (struct deb){};
}

static bool has_dotdot(const char *path)
{
	return strstr(path, "/../") || starts_with(path, "../") ||
	       ends_with(path, "/..") || strcmp(path, "..") == 0;
}

/* Where the package's @name goes below DIR, or NULL: it is not wanted. */
static char *kernel_file(const char *name)
{
	const char *rel, *slash;

	if (has_dotdot(name))
		return NULL;
	if (starts_with(name, "boot/vmlinuz-"))
		return xstrdup("vmlinuz");
	if (starts_with(name, "boot/config-"))
		return xstrdup("config");
	if (starts_with(name, "usr/"))
		name += 4;
	if (!starts_with(name, "lib/modules/"))
		return NULL;
	rel = name + strlen("lib/modules/");
	slash = strchr(rel, '/');
	if (!slash || slash == rel || !slash[1])
		return NULL;
	if (strcmp(slash, "/vmlinuz") == 0 || strcmp(slash, "/config") == 0)
		return xstrdup(slash + 1);
	return xstrdup(name);
}

struct unpack {
	const char *dir;
	char *made;	/* last folder that was made */
	unsigned int files;
};

static int unpack_kernel_file(struct archive *a, struct archive_entry *e,
			      void *arg)
{
	struct unpack *u = arg;
	_free_ char *rel = kernel_file(entry_name(e));
	_free_ char *path = NULL;
	_free_ char *parent = NULL;
	_close_ int fd = -1;
	int err;

	if (!rel || archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e))
		return 0;
	path = xstrfmt("%s/%s", u->dir, rel);
	parent = xstrndup(path, strrchr(path, '/') - path);
	if (!u->made || strcmp(u->made, parent) != 0) {
		err = mkdir_p(parent);
		if (err)
			return err;
		free(u->made);
		u->made = take_ptr(parent);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  0644);
	if (fd < 0)
		return -errno;
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK)
		return archive_err(a);
	u->files++;
	return 0;
}

int deb_unpack_kernel(const char *path, const char *dir)
{
	struct unpack u = { .dir = dir };
	int err = each_file(path, "data.tar", unpack_kernel_file, &u);

	free(u.made);
	return err;
}

struct unpack_tree {
	const char *dir;
	struct archive *disk;
	unsigned int files;
	bool found;
};

static int unpack_tree_entry(struct archive *a, struct archive_entry *e,
			     void *arg)
{
	struct unpack_tree *u = arg;
	const char *name = entry_name(e);
	const char *rest = strchr(name, '/');
	_free_ char *path = NULL;

	if (!rest || !rest[1] || archive_entry_hardlink(e))
		return 0;
	path = xstrfmt("%s%s", u->dir, rest);
	archive_entry_set_pathname(e, path);
	if (++u->files % 512 == 0)
		progress("unpack", "unpacking the kernel source: %u files",
			 u->files);
	if (archive_read_extract2(a, e, u->disk) < ARCHIVE_WARN)
		return archive_err(a);
	return 0;
}

static int unpack_tarball(struct archive *a, struct archive_entry *e,
			  void *arg)
{
	__cleanup(reader_close) struct reader tar = {};
	struct unpack_tree *u = arg;
	const char *name = entry_name(e);
	int err;

	if (!starts_with(name, "usr/src/linux-source-") ||
	    !strstr(name, ".tar."))
		return 0;
	u->found = true;
	err = open_member(&tar, a);
	if (!err)
		err = each_entry(&tar, unpack_tree_entry, u);
	return err ? err : 1;
}

int deb_unpack_source(const char *path, const char *dir)
{
	struct unpack_tree u = { .dir = dir };
	int ret;

	u.disk = archive_write_disk_new();
	if (!u.disk)
		return -ENOMEM;
	archive_write_disk_set_options(u.disk,
				       ARCHIVE_EXTRACT_TIME |
				       ARCHIVE_EXTRACT_PERM |
				       ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	ret = each_file(path, "data.tar", unpack_tarball, &u);
	archive_write_free(u.disk);
	if (ret < 0)
		return ret;
	return u.found ? 0 : -ENOENT;
}

/* The one release in DIR/lib/modules, or NULL: it has no modules. */
static char *modules_release(const char *dir)
{
	_free_ char *path = xstrfmt("%s/lib/modules", dir);
	struct dirent **list = NULL;
	int n = scandir(path, &list, NULL, alphasort);
	char *release = NULL;

	for (int i = 0; i < n; i++) {
		if (!release && list[i]->d_name[0] != '.')
			release = xstrdup(list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return release;
}

/* Whether the unpacked kernel's own config says that it has no modules. */
static bool needs_no_modules(const char *dir)
{
	_free_ char *path = xstrfmt("%s/config", dir);
	_buf_ struct buf b = {};

	return read_file(path, &b) == 0 && !strstr(b.data, "\nCONFIG_MODULES=y");
}

int deb_finish(const char *dir, const char *what)
{
	_free_ char *image = xstrfmt("%s/vmlinuz", dir);
	_free_ char *release = modules_release(dir);
	_image_info_ struct kernel_image_info info = {};
	_free_ char *bad = NULL;
	int err;

	if (!path_exists(image))
		return failed(EXIT_USAGE, "%s has no kernel image in it", what);
	bad = kernel_image_probe(image, &info);
	if (bad)
		return failed(EXIT_CANNOT_TEST, "the kernel in %s %s", what,
			      bad);
	if (!release)
		return needs_no_modules(dir) ? EXIT_CLEAN :
			failed(EXIT_USAGE,
			       "%s has no modules, and there is no linux-modules package of %s beside it",
			       what, info.release);
	if (strcmp(release, info.release) != 0)
		return failed(EXIT_USAGE,
			      "the kernel in %s is %s, but its modules are for %s",
			      what, info.release, release);
	progress("unpack", "indexing the modules of %s", release);
	err = run_depmod(dir, release);
	if (err == -ENOENT)
		return failed(EXIT_RIG_FAILED,
			      "depmod is missing: apt-get install kmod");
	if (err)
		return failed(EXIT_RIG_FAILED,
			      "cannot index the modules of %s: %s", what,
			      strerror(-err));
	return EXIT_CLEAN;
}

int deb_kernel(const char *dir, struct kernel *k)
{
	_image_info_ struct kernel_image_info info = {};
	_free_ char *config = xstrfmt("%s/config", dir);
	_free_ char *image = xstrfmt("%s/vmlinuz", dir);
	_free_ char *bad = kernel_image_probe(image, &info);
	_free_ char *release = modules_release(dir);

	if (bad)
		return -EBADMSG;
	k->image = take_ptr(image);
	k->release = xstrdup(info.release);
	if (release)
		k->modules = xstrfmt("%s/lib/modules/%s", dir, release);
	if (path_exists(config))
		k->config = take_ptr(config);
	return 0;
}

/*
 * The modules package of a split kernel: in the same folder, named for the
 * release, and of the very same version. NULL when there is none.
 */
static char *modules_deb(const char *path, const char *release,
			 const char *version)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = slash ? xstrndup(path, slash - path + 1) :
				   xstrdup("./");
	_free_ char *prefix = xstrfmt("linux-modules-%s_", release);
	struct dirent **list = NULL;
	int n = scandir(dir, &list, NULL, alphasort);
	char *found = NULL;

	for (int i = 0; i < n; i++) {
		_free_ char *p = xstrfmt("%s%s", dir, list[i]->d_name);
		_deb_ struct deb d = {};

		if (!found && starts_with(list[i]->d_name, prefix) &&
		    ends_with(p, ".deb") && deb_read(p, &d) == 0 &&
		    strcmp(d.version, version) == 0)
			found = take_ptr(p);
		free(list[i]);
	}
	free(list);
	return found;
}

static int unpack_failed(const char *path, int err)
{
	if (err == -EINTR)
		return failed(EXIT_RIG_FAILED, "stopped while unpacking %s",
			      path);
	if (err == -EBADMSG)
		return failed(EXIT_USAGE,
			      "%s is a damaged Debian package; fetch it again",
			      path);
	return failed(EXIT_RIG_FAILED, "cannot unpack %s: %s", path,
		      strerror(-err));
}

static int no_image(const char *path, const struct deb *d)
{
	const char *at = strstr(d->depends, "linux-binary-");

	if (at)
		return failed(EXIT_USAGE,
			      "%s has no kernel image in it: name the package %.*s",
			      path, (int)strcspn(at, " ,"), at);
	return failed(EXIT_USAGE,
		      "%s has no kernel image in it: name a linux-image (or linux-binary) package",
		      path);
}

static int unpack_user_deb(const char *path, const struct deb *d,
			   const char *tmp)
{
	_free_ char *image = xstrfmt("%s/vmlinuz", tmp);
	_free_ char *release = NULL;
	_free_ char *sibling = NULL;
	_image_info_ struct kernel_image_info info = {};
	_free_ char *bad = NULL;
	int err = mkdir_p(tmp);

	progress("unpack", "unpacking %s", path);
	if (!err)
		err = deb_unpack_kernel(path, tmp);
	if (err)
		return unpack_failed(path, err);
	if (!path_exists(image))
		return no_image(path, d);
	bad = kernel_image_probe(image, &info);
	release = modules_release(tmp);
	if (!bad && !release)
		sibling = modules_deb(path, info.release, d->version);
	if (sibling) {
		err = deb_unpack_kernel(sibling, tmp);
		if (err)
			return unpack_failed(sibling, err);
	}
	return deb_finish(tmp, path);
}

int kernel_deb(const char *path, const struct kernel_opts *o, struct kernel *k)
{
	_free_ char *real = realpath(path, NULL);
	_deb_ struct deb d = {};
	_free_ char *id = NULL;
	_free_ char *dir = NULL;
	_free_ char *tmp = NULL;
	_free_ char *line = NULL;
	_close_ int lock = -1;
	struct stat st;
	char hash[17];
	int ret;

	if (!real || stat(real, &st) < 0)
		return failed(EXIT_USAGE, "cannot read %s: %s", path,
			      strerror(errno));
	if (o->patches.n || o->kconfigs.n || o->config)
		return failed(EXIT_USAGE,
			      "%s is built already: patches and kconfigs need a source tree",
			      path);
	ret = deb_read(real, &d);
	if (ret)
		return failed(EXIT_USAGE, "%s is no Debian package%s%s", path,
			      ret == -EBADMSG ? "" : ": ",
			      ret == -EBADMSG ? ", or a damaged one" :
						strerror(-ret));
	/* A package of the user's own may be rebuilt with the same version. */
	id = xstrfmt("%s %lld %lld.%09ld", real, (long long)st.st_size,
		     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	hash_hex(id, strlen(id), hash);
	dir = cache_path("deb/%s_%s-%s", d.package, d.version, hash);
	if (!dir)
		return EXIT_RIG_FAILED;
	k->version = xstrdup(d.version);
	strv_push(&k->commands, (line = shell_join(
		(char *[]){ "dpkg-deb", "-x", real, dir, NULL })));
	if (o->dry_run) {
		k->image = xstrfmt("%s/vmlinuz", dir);
		return EXIT_CLEAN;
	}
	lock = cache_lock(dir, path);
	if (lock < 0)
		return failed(EXIT_RIG_FAILED, "cannot lock %s: %s", dir,
			      strerror(-lock));
	if (!path_exists(dir)) {
		tmp = xstrfmt("%s.new", dir);
		remove_tree(tmp);
		ret = unpack_user_deb(path, &d, tmp);
		if (!ret && rename(tmp, dir) < 0)
			ret = failed(EXIT_RIG_FAILED, "cannot make %s: %s", dir,
				     strerror(errno));
		if (ret) {
			remove_tree(tmp);
			return ret;
		}
	}
	ret = deb_kernel(dir, k);
	return ret ? failed(EXIT_RIG_FAILED,
			    "%s in the cache is damaged: remove it", dir) :
		     EXIT_CLEAN;
}
