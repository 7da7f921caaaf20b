// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel-debian.h"
#include "cache.h"
#include "kernel-deb.h"
#include "kernel-kinds.h"
#include "kernel-tree.h"
#include "proc.h"
#include "progress.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_MIRROR "http://deb.debian.org/debian"
#define KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"
#define FLAVOUR "-cloud-amd64"

/* Package lists are this old at most, in seconds, before apt asks again. */
#define LISTS_MAX_AGE (24 * 3600)

/* Offered by `rig list kernels`; any suite of the mirror can be named. */
static const char *const known_suites[] = { "bookworm", "trixie", "forky",
					    "sid" };

struct suite {
	const char *name;
	char *dir;	/* of the private apt */
	char *answer;	/* file: what the metapackage led to */
	struct strv env;
	int lock;
};

static void suite_free(struct suite *s)
{
	free(s->dir);
	free(s->answer);
	strv_free(&s->env);
	cleanup_fd(&s->lock);
}
#define _suite_ __cleanup(suite_free)

static const char *mirror(void)
{
	const char *m = getenv("RIG_DEBIAN_MIRROR");

	return m && *m ? m : DEFAULT_MIRROR;
}

static bool is_suite_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n && !s[n] && n < 64 && s[0] != '-';
}

/* Only absolute paths and /dev/null: whatever apt's own defaults are, it finds
 * nothing of the system's but its methods and the keyring. */
static int write_conf(const struct suite *s)
{
	static const char *const dirs[] = { "lists/partial", "archives/partial",
					    "empty" };
	_buf_ struct buf b = {};
	_free_ char *conf = xstrfmt("%s/apt.conf", s->dir);
	_free_ char *status = xstrfmt("%s/status", s->dir);
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !err; i++) {
		_free_ char *p = xstrfmt("%s/%s", s->dir, dirs[i]);

		err = mkdir_p(p);
	}
	buf_addf(&b, "Dir \"%s\";\n"
		     "Dir::Etc \"%s\";\n"
		     "Dir::State \"%s\";\n"
		     "Dir::Cache \"%s\";\n"
		     "Dir::Log \"%s\";\n",
		 s->dir, s->dir, s->dir, s->dir, s->dir);
	buf_addf(&b, "Dir::State::lists \"lists\";\n"
		     "Dir::State::status \"%s\";\n"
		     "Dir::Cache::archives \"archives\";\n"
		     "Dir::Cache::srcpkgcache \"\";\n"
		     "Dir::Etc::sourcelist \"sources.list\";\n"
		     "Dir::Etc::sourceparts \"empty\";\n"
		     "Dir::Etc::main \"/dev/null\";\n"
		     "Dir::Etc::parts \"empty\";\n"
		     "Dir::Etc::preferences \"/dev/null\";\n"
		     "Dir::Etc::preferencesparts \"empty\";\n"
		     "Dir::Etc::netrc \"/dev/null\";\n"
		     "Dir::Etc::netrcparts \"empty\";\n"
		     "Dir::Etc::trusted \"/dev/null\";\n"
		     "Dir::Etc::trustedparts \"empty\";\n",
		 status);
	/* Sandbox user root means none: it is not dropped to when we are not
	 * root, and _apt could not write to root's cache when we are. */
	buf_addf(&b, "APT::Architecture \"amd64\";\n"
		     "APT::Architectures { \"amd64\"; };\n"
		     "APT::Sandbox::User \"root\";\n"
		     "APT::Update::Error-Mode \"any\";\n"
		     "Acquire::Languages \"none\";\n"
		     "Acquire::GzipIndexes \"true\";\n"
		     "Acquire::Retries \"2\";\n");
	if (!err)
		err = write_file(conf, b.data, b.len);
	return err ? err : write_file(status, "", 0);
}

/* The sources of @s as one text; what the answer was made from. */
static char *sources(const struct suite *s, bool security)
{
	static const char form[] = "deb [signed-by=" KEYRING "] %s%s %s%s main\n";
	_free_ char *main = xstrfmt(form, mirror(), "", s->name, "");
	_free_ char *sec = xstrfmt(form, mirror(), "-security", s->name,
				   "-security");

	return xstrfmt("%s%s", main, security ? sec : "");
}

static int suite_open(struct suite *s, const char *name, const char *package)
{
	_free_ char *conf = NULL;

	*s = (struct suite){ .name = name, .lock = -1 };
	if (!is_suite_name(name))
		return failed(EXIT_USAGE,
			      "'%s' is no Debian suite: name one like debian:bookworm",
			      name);
	s->dir = cache_path("apt/%s/", name);
	if (!s->dir)
		return EXIT_RIG_FAILED;
	s->dir[strlen(s->dir) - 1] = '\0';
	s->answer = xstrfmt("%s/%s", s->dir, package);
	strv_pushf(&s->env, "APT_CONFIG=%s/apt.conf", s->dir);
	strv_push(&s->env, "LC_ALL=C");
	return EXIT_CLEAN;
}

static int suite_lock(struct suite *s)
{
	_free_ char *what = xstrfmt("the package lists of %s", s->name);

	s->lock = cache_lock(s->dir, what);
	return s->lock >= 0 ? EXIT_CLEAN :
			      failed(EXIT_RIG_FAILED, "cannot lock %s: %s",
				     s->dir, strerror(-s->lock));
}

/* What apt said on the way. */
struct apt_run {
	const char *label;
	struct strv errors;	/* without their "E: " */
};

/* "dlstatus:ITEM:PERCENT:TEXT" is APT::Status-Fd's. */
static void apt_line(const char *text, void *arg)
{
	struct apt_run *r = arg;
	const char *at = strchr(text, ':');

	if (starts_with(text, "E: ")) {
		strv_push(&r->errors, text + 3);
	} else if (starts_with(text, "dlstatus:") &&
		   (at = strchr(at + 1, ':'))) {
		progress("fetch", "%s: %.0f %%", r->label,
			 strtod(at + 1, NULL));
	}
}

/* Run apt-get; its exit status or -errno, and what it complained about. */
static int apt_get(const struct suite *s, char *const *argv, const char *dir,
		   struct apt_run *r)
{
	struct proc_opts opts = { .dir = dir, .env = s->env.v };
	_free_ char *log = xstrfmt("%s/apt.log", s->dir);
	_close_ int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			      0666);

	if (fd < 0)
		return -errno;
	progress("fetch", "%s", r->label);
	return proc_lines(argv, &opts, fd, apt_line, r, -1);
}

enum debian_remedy debian_remedy(const struct strv *errors, const char *suite)
{
	_free_ char *security = xstrfmt(" %s-security ", suite);
	enum debian_remedy found = REMEDY_NONE;

	for (size_t i = 0; i < errors->n; i++) {
		const char *e = errors->v[i];

		if (strstr(e, " is expired"))
			return REMEDY_IGNORE_EXPIRY;
		if (!strstr(e, "does not have a Release file"))
			continue;
		if (!strstr(e, security))
			return REMEDY_NO_SUITE;
		found = REMEDY_NO_SECURITY;
	}
	return found;
}

static int apt_failed(const struct suite *s, const struct apt_run *r, int ret,
		      const char *doing)
{
	if (ret == -EINTR)
		return failed(EXIT_RIG_FAILED, "stopped while %s", doing);
	if (ret == -ENOENT)
		return failed(EXIT_RIG_FAILED,
			      "apt-get is missing: debian:SUITE works on Debian and its relatives; name a tree or an image");
	if (ret < 0)
		return failed(EXIT_RIG_FAILED, "%s: %s", doing, strerror(-ret));
	return failed(EXIT_RIG_FAILED, "%s: %s (all of it: %s/apt.log)", doing,
		      r->errors.n ? r->errors.v[0] : "apt-get failed", s->dir);
}

/* Bring the lists up to date. 0, or an exit code with the error printed; 1
 * (nothing printed) when they could not be fetched, with the reason. */
static int refresh(const struct suite *s, char **reason)
{
	_free_ char *list = xstrfmt("%s/sources.list", s->dir);
	_free_ char *label = xstrfmt("package lists of %s", s->name);
	_free_ char *doing = xstrfmt("fetching the %s", label);
	bool security = true, expired = false;

	for (int try = 0; try < 4; try++) {
		char *argv[] = { "apt-get", "-q", "-o", "APT::Status-Fd=1",
				 "update", expired ? "-o" : NULL,
				 "Acquire::Check-Valid-Until=false", NULL };
		_free_ char *text = sources(s, security);
		struct apt_run r = { .label = label };
		int err = write_file(list, text, strlen(text));
		int ret = err ? err : apt_get(s, argv, NULL, &r);

		if (!ret) {
			strv_free(&r.errors);
			if (expired)
				warning("debian:%s: the mirror's Release file is past its Valid-Until date; taken all the same",
					s->name);
			return 0;
		}
		switch (ret < 0 ? REMEDY_NONE :
				  debian_remedy(&r.errors, s->name)) {
		case REMEDY_IGNORE_EXPIRY:
			ret = expired ? 1 : 0;
			expired = true;
			break;
		case REMEDY_NO_SECURITY:
			ret = security ? 0 : 1;
			security = false;
			break;
		case REMEDY_NO_SUITE:
			ret = failed(EXIT_USAGE,
				     "there is no suite '%s' at %s", s->name,
				     mirror());
			remove_tree(s->dir);
			break;
		case REMEDY_NONE:
			if (ret > 0 && r.errors.n) {
				*reason = xstrdup(r.errors.v[0]);
				ret = 1;
			} else {
				ret = apt_failed(s, &r, ret, doing);
			}
		}
		strv_free(&r.errors);
		if (ret)
			return ret;
	}
	*reason = xstrdup("apt-get update keeps failing");
	return 1;
}

/* One dependency, "NAME (>= 1.0)", as NAME or NAME=VERSION; NULL for an
 * alternative ("a | b"): no part of one kernel is one. */
static char *dependency(const char *s, size_t len)
{
	_free_ char *dep = xstrndup(s, len);
	size_t name = strcspn(dep, " (");
	const char *eq = strstr(dep, "(= ");

	if (strchr(dep, '|') || !name)
		return NULL;
	if (eq)
		return xstrfmt("%.*s=%.*s", (int)name, dep,
			       (int)strcspn(eq + 3, ")"), eq + 3);
	return xstrndup(dep, name);
}

static bool is_part(const char *dep, const char *flavour)
{
	_free_ char *name = xstrndup(dep, strcspn(dep, "="));
	const char *p = name;

	if (!flavour)
		return starts_with(name, "linux-source-") &&
		       isdigit((unsigned char)name[13]);
	if (!starts_with(name, "linux-") || !ends_with(name, flavour))
		return false;
	while ((p = strchr(p + 1, '-')))
		if (isdigit((unsigned char)p[1]))
			return true;
	return false;
}

void debian_kernel_depends(const char *depends, const char *flavour,
			   struct strv *out)
{
	while (*depends) {
		size_t len = strcspn(depends, ",");
		_free_ char *dep = dependency(depends, len);

		if (dep && is_part(dep, flavour) && !strv_has(out, dep))
			strv_push(out, dep);
		depends += len;
		depends += strspn(depends, ", \n");
	}
}

/* A control field of an `apt-cache show` record, "" where it has none. */
static char *show_field(const char *record, const char *name)
{
	_free_ char *key = xstrfmt("\n%s: ", name);
	const char *at = strstr(record, key);

	if (!at)
		return xstrdup("");
	at += strlen(key);
	return xstrndup(at, strcspn(at, "\n"));
}

/* The record of @package (NAME or NAME=VERSION), after a newline. */
static int apt_show(const struct suite *s, const char *package,
		    struct buf *record)
{
	char *argv[] = { "apt-cache", "show", "--no-all-versions",
			 (char *)package, NULL };
	struct proc_opts opts = { .env = s->env.v };
	_buf_ struct buf out = {};
	int ret = proc_read(argv, &opts, &out, NULL, 300);

	if (ret)
		return ret < 0 ? ret : -ENOENT;
	buf_addf(record, "\n%s", out.data);
	return 0;
}

/*
 * Follow the metapackage's Depends to all packages of the kernel, as lines of
 * "NAME VERSION", the one that names the release first. Which of them hold
 * the image and the modules differs between suites and shows when they are
 * unpacked.
 */
static int resolve(const struct suite *s, const char *package,
		   const char *flavour, struct buf *answer)
{
	_strv_ struct strv todo = {};

	strv_push(&todo, package);
	for (size_t i = 0; i < todo.n; i++) {
		_buf_ struct buf record = {};
		_free_ char *version = NULL;
		_free_ char *name = NULL;
		int err = apt_show(s, todo.v[i], &record);

		if (err == -ENOENT && i == 0)
			return failed(EXIT_USAGE,
				      "debian:%s has no package %s", s->name,
				      package);
		if (err)
			return failed(EXIT_RIG_FAILED,
				      "apt-cache show %s: %s", todo.v[i],
				      err == -ENOENT ?
					      "the mirror's lists have none" :
					      strerror(-err));
		name = show_field(record.data, "Package");
		version = show_field(record.data, "Version");
		if (i)
			buf_addf(answer, "%s %s\n", name, version);
		if (i == 0 || flavour) {
			_free_ char *dep = show_field(record.data, "Depends");

			debian_kernel_depends(dep, flavour, &todo);
		}
	}
	return answer->len ? EXIT_CLEAN :
			     failed(EXIT_RIG_FAILED,
				    "debian:%s: %s depends on no kernel",
				    s->name, package);
}

/* The answer file: the sources it was made from, then resolve()'s lines. */
static int load_answer(const struct suite *s, struct strv *packages,
		       bool *fresh)
{
	_free_ char *want = sources(s, true);
	_buf_ struct buf b = {};
	struct stat st;
	size_t head = strlen(want);
	double age;

	*fresh = false;
	if (stat(s->answer, &st) < 0 || read_file(s->answer, &b))
		return -ENOENT;
	if (b.len <= head || strncmp(b.data, want, head) != 0)
		return -ENOENT;
	strv_split(packages, b.data + head, "\n");
	for (size_t i = 0; i < packages->n; i++) {
		if (!strchr(packages->v[i], ' ')) {
			strv_free(packages);
			return -ENOENT;
		}
	}
	age = difftime(time(NULL), st.st_mtime);
	*fresh = age >= 0 && age < LISTS_MAX_AGE;
	return packages->n ? 0 : -ENOENT;
}

static int make_answer(const struct suite *s, const char *package,
		       const char *flavour, struct strv *packages)
{
	_free_ char *head = sources(s, true);
	_free_ char *cache = xstrfmt("%s/pkgcache.bin", s->dir);
	_buf_ struct buf lines = {};
	_buf_ struct buf all = {};
	int ret;

	progress("fetch", "looking for the newest kernel of %s", s->name);
	ret = resolve(s, package, flavour, &lines);
	/* 45 MB that the next update makes anew. */
	unlink(cache);
	if (ret)
		return ret;
	buf_addf(&all, "%s%s", head, lines.data);
	ret = write_file(s->answer, all.data, all.len);
	if (ret)
		return failed(EXIT_RIG_FAILED, "cannot write %s: %s",
			      s->answer, strerror(-ret));
	strv_free(packages);
	strv_split(packages, lines.data, "\n");
	return EXIT_CLEAN;
}

/* "NAME VERSION" of the answer's first line as a folder's name. */
static char *unpack_dir(const char *kind, const char *line)
{
	_free_ char *name = xstrdup(line);
	char *blank = strchr(name, ' ');

	if (blank)
		*blank = '_';
	return cache_path("%s/%s", kind, name);
}

/*
 * The packages that the suite's newest kernel is made of, from the answer file
 * while it is young, else from the mirror; when that cannot be reached, the
 * old answer will do if @kind/... is already unpacked.
 */
static int suite_packages(struct suite *s, const char *package,
			  const char *flavour, const char *kind,
			  struct strv *packages)
{
	_free_ char *reason = NULL;
	_free_ char *dir = NULL;
	bool fresh;
	int ret;

	if (load_answer(s, packages, &fresh) == 0 && fresh)
		return EXIT_CLEAN;
	if (!path_exists(KEYRING))
		return failed(EXIT_RIG_FAILED,
			      KEYRING " is missing: apt-get install debian-archive-keyring");
	ret = write_conf(s);
	if (ret)
		return failed(EXIT_RIG_FAILED, "cannot write to %s: %s",
			      s->dir, strerror(-ret));
	ret = refresh(s, &reason);
	if (ret == 0)
		return make_answer(s, package, flavour, packages);
	if (ret != 1)
		return ret;
	if (packages->n) {
		dir = unpack_dir(kind, packages->v[0]);
		if (dir && path_exists(dir)) {
			note("debian:%s: the mirror cannot be asked (%s); taking the newest one cached, %s",
			     s->name, reason, packages->v[0]);
			return EXIT_CLEAN;
		}
	}
	return failed(EXIT_RIG_FAILED,
		      "cannot fetch the package lists of %s: %s", s->name,
		      reason);
}

/* Download each "NAME VERSION" into @tmp, verified by apt. */
static int download(const struct suite *s, const struct strv *packages,
		    const char *tmp)
{
	_free_ char *label = xstrdup(packages->v[0]);
	_free_ char *doing = NULL;
	_strv_ struct strv argv = {};
	struct apt_run r = {};
	int ret;

	strv_split(&argv, "apt-get -q -o APT::Status-Fd=1 download", " ");
	for (size_t i = 0; i < packages->n; i++)
		strv_pushf(&argv, "%.*s=%s",
			   (int)strcspn(packages->v[i], " "), packages->v[i],
			   strchr(packages->v[i], ' ') + 1);
	*strchr(label, ' ') = '\0';
	doing = xstrfmt("fetching %s", label);
	r.label = label;
	ret = apt_get(s, argv.v, tmp, &r);
	ret = ret ? apt_failed(s, &r, ret, doing) : EXIT_CLEAN;
	strv_free(&r.errors);
	return ret;
}

/* Call @unpack for each .deb in @from. */
static int unpack_all(const char *from, const char *to,
		      int (*unpack)(const char *deb, const char *dir))
{
	struct dirent **list = NULL;
	int n = scandir(from, &list, NULL, alphasort);
	int ret = EXIT_CLEAN;

	for (int i = 0; i < n; i++) {
		_free_ char *deb = xstrfmt("%s/%s", from, list[i]->d_name);
		int err = 0;

		if (!ret && ends_with(deb, ".deb"))
			err = unpack(deb, to);
		if (err)
			ret = failed(EXIT_RIG_FAILED, "cannot unpack %s: %s",
				     list[i]->d_name, strerror(-err));
		free(list[i]);
	}
	free(list);
	return ret;
}

/* Fetch and unpack into @dir, which appears whole or not at all. */
static int fetch(const struct suite *s, const struct strv *packages,
		 const char *dir, const char *what,
		 int (*unpack)(const char *deb, const char *dir), bool finish)
{
	_free_ char *debs = xstrfmt("%s/fetch", s->dir);
	_free_ char *tmp = xstrfmt("%s.new", dir);
	int err, ret;

	remove_tree(debs);
	remove_tree(tmp);
	err = mkdir_p(debs);
	if (!err)
		err = mkdir_p(tmp);
	ret = err ? failed(EXIT_RIG_FAILED, "cannot make %s: %s", tmp,
			   strerror(-err)) :
		    download(s, packages, debs);
	if (!ret) {
		progress("unpack", "unpacking %s", what);
		ret = unpack_all(debs, tmp, unpack);
	}
	if (!ret && finish)
		ret = deb_finish(tmp, what);
	if (!ret && rename(tmp, dir) < 0)
		ret = failed(EXIT_RIG_FAILED, "cannot make %s: %s", dir,
			     strerror(errno));
	remove_tree(debs);
	if (ret)
		remove_tree(tmp);
	return ret;
}

/* The commands that fetch() and suite_packages() come down to. */
static void fetch_commands(const struct suite *s, const char *package,
			   const struct strv *packages, const char *kind,
			   struct strv *out)
{
	_buf_ struct buf names = {};
	const char *conf = s->env.v[0];

	for (size_t i = 0; i < packages->n; i++)
		buf_addf(&names, " %.*s=%s",
			 (int)strcspn(packages->v[i], " "), packages->v[i],
			 strchr(packages->v[i], ' ') + 1);
	strv_pushf(out, "%s apt-get update", conf);
	if (!packages->n)
		strv_pushf(out, "%s apt-cache depends --recurse %s", conf,
			   package);
	strv_pushf(out, "%s apt-get download%s", conf,
		   names.len ? names.data : " PACKAGES");
	for (size_t i = 0; i < packages->n; i++)
		strv_pushf(out, "dpkg-deb -x %.*s_*.deb %s",
			   (int)strcspn(packages->v[i], " "), packages->v[i],
			   kind);
}

static const char *answer_version(const struct strv *packages)
{
	return packages->n ? strchr(packages->v[0], ' ') + 1 : "unknown";
}

int kernel_debian(const char *suite, const struct kernel_opts *o,
		  struct kernel *k)
{
	static const char meta[] = "linux-image" FLAVOUR;
	_suite_ struct suite s = { .lock = -1 };
	_strv_ struct strv packages = {};
	_free_ char *dir = NULL;
	bool fresh;
	int ret;

	if (o->patches.n || o->kconfigs.n || o->config)
		return failed(EXIT_USAGE,
			      "debian:%s is built already: patches and kconfigs need a source tree, as debian-src:%s is",
			      suite, suite);
	ret = suite_open(&s, suite, meta);
	if (ret)
		return ret;
	if (o->dry_run) {
		load_answer(&s, &packages, &fresh);
		dir = packages.n ? unpack_dir("deb", packages.v[0]) :
				   cache_path("deb/%s_VERSION", meta);
		if (!dir)
			return EXIT_RIG_FAILED;
		fetch_commands(&s, meta, &packages, dir, &k->commands);
		k->image = xstrfmt("%s/vmlinuz", dir);
		k->version = xstrdup(answer_version(&packages));
		return EXIT_CLEAN;
	}
	ret = suite_lock(&s);
	if (!ret)
		ret = suite_packages(&s, meta, FLAVOUR, "deb", &packages);
	if (ret)
		return ret;
	dir = unpack_dir("deb", packages.v[0]);
	if (!dir)
		return EXIT_RIG_FAILED;
	fetch_commands(&s, meta, &packages, dir, &k->commands);
	if (!path_exists(dir))
		ret = fetch(&s, &packages, dir, packages.v[0],
			    deb_unpack_kernel, true);
	if (ret)
		return ret;
	k->version = xstrdup(answer_version(&packages));
	return deb_kernel(dir, k) == 0 ? EXIT_CLEAN :
		failed(EXIT_RIG_FAILED, "%s in the cache is damaged: remove it",
		       dir);
}

int kernel_debian_src(const char *suite, const struct kernel_opts *o,
		      struct kernel *k)
{
	_suite_ struct suite s = { .lock = -1 };
	_strv_ struct strv packages = {};
	_free_ char *dir = NULL;
	bool fresh;
	int ret;

	ret = suite_open(&s, suite, "linux-source");
	if (ret)
		return ret;
	if (!o->dry_run) {
		ret = suite_lock(&s);
		if (!ret)
			ret = suite_packages(&s, "linux-source", NULL, "src",
					     &packages);
		if (ret)
			return ret;
	} else {
		load_answer(&s, &packages, &fresh);
	}
	dir = packages.n ? unpack_dir("src", packages.v[0]) :
			   cache_path("src/linux-source_VERSION");
	if (!dir)
		return EXIT_RIG_FAILED;
	fetch_commands(&s, "linux-source", &packages, dir, &k->commands);
	k->version = xstrdup(answer_version(&packages));
	if (!o->dry_run && !path_exists(dir))
		ret = fetch(&s, &packages, dir, packages.v[0],
			    deb_unpack_source, false);
	if (ret)
		return ret;
	cleanup_fd(&s.lock);
	if (o->patches.n)
		return kernel_git(dir, NULL, o, k);
	return kernel_tree(dir, o, k);
}

void kernel_debian_list(struct json_object *array)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_suites); i++) {
		static const struct {
			const char *spec, *package, *dir, *help;
		} kinds[] = {
			{ "debian", "linux-image" FLAVOUR, "deb",
			  "newest packaged cloud kernel" },
			{ "debian-src", "linux-source", "src",
			  "newest packaged source, built" },
		};

		for (size_t j = 0; j < ARRAY_SIZE(kinds); j++) {
			_suite_ struct suite s = { .lock = -1 };
			_strv_ struct strv packages = {};
			_free_ char *spec = xstrfmt("%s:%s", kinds[j].spec,
						    known_suites[i]);
			_free_ char *dir = NULL;
			bool fresh;

			if (suite_open(&s, known_suites[i], kinds[j].package))
				return;
			load_answer(&s, &packages, &fresh);
			if (packages.n)
				dir = unpack_dir(kinds[j].dir, packages.v[0]);
			kernel_list_add(array, spec, kinds[j].help, NULL,
					packages.n ? answer_version(&packages) :
						     NULL,
					dir && path_exists(dir));
		}
	}
}
