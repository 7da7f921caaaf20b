// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel-tree.h"
#include "cache.h"
#include "kconfig.h"
#include "kernel-git.h"
#include "kernel-image.h"
#include "kernel-kinds.h"
#include "proc.h"
#include "progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Objects that one symbol set in .config leads to: 1,206 of 545 on 6.1 with
 * the default fragments. Only for the first build of a folder, which says
 * "about". */
#define OBJECTS_PER_SYMBOL 2.2

/* Finished kernels that nobody has asked for this long go, in seconds. */
#define KERNEL_MAX_AGE (7 * 24 * 3600)

/* What a kernel build needs, and Debian's package of it. */
static const struct {
	const char *program, *package;
} tools[] = {
	{ "make", "make" },	{ "gcc", "gcc" }, { "ld", "binutils" },
	{ "flex", "flex" },	{ "bison", "bison" }, { "bc", "bc" },
};

/* Variables of the user's shell that would change what is built, or that make
 * itself hands down; a name without '=' is removed. */
static const char *const make_env[] = {
	"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "KBUILD_OUTPUT",
	"KBUILD_EXTMOD", "ARCH", "SUBARCH", "CROSS_COMPILE", "LLVM", "LLVM_IAS",
	"KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "KCFLAGS", "KAFLAGS",
	"KCPPFLAGS", "INSTALL_MOD_PATH", "LC_ALL=C",
	/* A script that is imported would leave __pycache__ in the tree. */
	"PYTHONDONTWRITEBYTECODE=1",
};

struct build {
	struct source *src;
	const struct kernel_opts *o;
	struct kconfig kc;	/* what is checked after configuring */
	struct buf request;	/* what Kconfig gets */
	struct strv env, base;	/* of make; its arguments without the targets */
	char *dir, *obj, *id, *out, *log;
	int lock, log_fd;
	bool bzimage;		/* vmlinux has no PVH entry */
	bool modules;
	/* progress */
	unsigned int done, total;
	bool estimate, rebuild;
};

static void build_free(struct build *b)
{
	kconfig_free(&b->kc);
	buf_free(&b->request);
	strv_free(&b->env);
	strv_free(&b->base);
	free(b->dir);
	free(b->obj);
	free(b->id);
	free(b->out);
	free(b->log);
	cleanup_fd(&b->lock);
	cleanup_fd(&b->log_fd);
}
#define _build_ __cleanup(build_free)

/* "NAME = value" in a Makefile's first lines, "" when it is set to nothing,
 * NULL when it is not set. */
static char *make_var(const char *makefile, const char *name)
{
	_free_ char *key = xstrfmt("\n%s =", name);
	const char *at = strstr(makefile, key);

	if (!at)
		return NULL;
	at += strlen(key);
	at += strspn(at, " \t");
	return xstrndup(at, strcspn(at, " \t\n"));
}

static char *tree_version(const char *dir)
{
	_free_ char *path = xstrfmt("%s/Makefile", dir);
	_buf_ struct buf b = {};
	_free_ char *major = NULL;
	_free_ char *minor = NULL;
	_free_ char *sub = NULL;
	_free_ char *extra = NULL;

	buf_add(&b, "\n", 1);
	if (read_file(path, &b))
		return NULL;
	major = make_var(b.data, "VERSION");
	minor = make_var(b.data, "PATCHLEVEL");
	sub = make_var(b.data, "SUBLEVEL");
	extra = make_var(b.data, "EXTRAVERSION");
	if (!major || !minor || !*major || !*minor)
		return NULL;
	return xstrfmt("%s.%s%s%s%s", major, minor, sub && *sub ? "." : "",
		       sub ? sub : "", extra ? extra : "");
}

/* "arm64" from "# Linux/arm64 6.1.0 Kernel Configuration". */
static char *config_arch(const char *path)
{
	_buf_ struct buf b = {};
	const char *at;

	if (read_file(path, &b))
		return NULL;
	at = strstr(b.data, "# Linux/");
	return at ? xstrndup(at + 8, strcspn(at + 8, " \n")) : NULL;
}

char *tree_problem(const char *dir, bool git)
{
	/* The root Makefile's outputmakefile rule refuses these. */
	static const char *const marks[] = { ".config", "include/config",
					     "arch/x86/include/generated" };
	_free_ char *version = tree_version(dir);
	_free_ char *kconfig = xstrfmt("%s/Kconfig", dir);
	_free_ char *x86 = xstrfmt("%s/arch/x86", dir);
	_free_ char *config = xstrfmt("%s/.config", dir);
	_free_ char *arch = NULL;

	if (!version || !path_exists(kconfig))
		return xstrdup("is no kernel source tree: its top has no Kconfig, or no Makefile with VERSION and PATCHLEVEL");
	if (!path_exists(x86))
		return xstrdup("is a tree for another architecture: it has no arch/x86, and rig boots x86-64 kernels");
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		_free_ char *p = xstrfmt("%s/%s", dir, marks[i]);

		if (!path_exists(p))
			continue;
		arch = config_arch(config);
		return xstrfmt("was configured in place%s%s, and make O= refuses such a tree: run 'make -C %s mrproper' (it deletes the .config there)%s%s%s",
			       arch ? " for " : "", arch ? arch : "", dir,
			       git ? ", or name " : "", git ? dir : "",
			       git ? "@HEAD to build a private copy" : "");
	}
	return NULL;
}

bool tree_is_git(const char *dir)
{
	_free_ char *dot = xstrfmt("%s/.git", dir);
	_free_ char *head = xstrfmt("%s/HEAD", dir);
	_free_ char *objects = xstrfmt("%s/objects", dir);

	return path_exists(dot) || (path_exists(head) && path_exists(objects));
}

/* A link's content is where it leads to. 1 when that is a folder outside of
 * @root, whose files are not looked at. */
static int add_link(const char *root, const FTSENT *e, struct buf *rec)
{
	_free_ char *real = realpath(e->fts_accpath, NULL);
	size_t len = strlen(root);
	struct stat st;

	if (!real || stat(real, &st) < 0)
		return 0;
	if (strncmp(real, root, len) == 0 &&
	    (real[len] == '/' || real[len] == '\0'))
		return 0;
	if (!S_ISREG(st.st_mode))
		return 1;
	buf_addf(rec, "%s %lld %lld.%ld", real, (long long)st.st_size,
		 (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return 0;
}

int tree_fingerprint(const char *dir, char hex[17], bool *certain)
{
	_free_ char *root = realpath(dir, NULL);
	char *roots[] = { root, NULL };
	FTS *fts = root ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) :
			  NULL;
	_buf_ struct buf rec = {};
	unsigned long long sum = 0;
	struct timespec begin;
	size_t skip;
	FTSENT *e;

	if (!fts)
		return -errno;
	skip = strlen(root);
	*certain = true;
	clock_gettime(CLOCK_REALTIME, &begin);
	while (errno = 0, (e = fts_read(fts))) {
		const struct stat *st = e->fts_statp;
		char one[17];

		if (e->fts_info == FTS_DP)
			continue;
		if (strcmp(e->fts_name, ".git") == 0) {
			fts_set(fts, e, FTS_SKIP);
			continue;
		}
		if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR ||
		    e->fts_info == FTS_NS)
			break;
		rec.len = 0;
		buf_addf(&rec, "%s %o ", e->fts_path + skip, st->st_mode);
		/* Git makes and removes files at the top (.git/index.lock is
		 * not one); a folder's times say nothing its files do not. */
		if (e->fts_info != FTS_D)
			buf_addf(&rec, "%lld %llu %lld.%09ld %lld.%09ld ",
				 (long long)st->st_size,
				 (unsigned long long)st->st_ino,
				 (long long)st->st_mtim.tv_sec,
				 st->st_mtim.tv_nsec,
				 (long long)st->st_ctim.tv_sec,
				 st->st_ctim.tv_nsec);
		if (e->fts_info == FTS_SL && add_link(root, e, &rec))
			*certain = false;
		if (e->fts_info != FTS_D &&
		    difftime(st->st_ctim.tv_sec, begin.tv_sec) +
				    (st->st_ctim.tv_nsec - begin.tv_nsec) /
					    1e9 > -0.05)
			*certain = false;
		/* A sum: readdir's order does not matter. */
		hash_hex(rec.data, rec.len, one);
		sum += strtoull(one, NULL, 16);
	}
	if (errno) {
		int err = -errno;

		fts_close(fts);
		return err;
	}
	fts_close(fts);
	snprintf(hex, 17, "%016llx", sum);
	return 0;
}

static bool is_error_line(const char *s)
{
	static const char *const marks[] = {
		": error: ", ": fatal error: ", ": undefined reference to ",
		": multiple definition of ", ": Error: ",
		"No space left on device", ": not found",
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(s, marks[i]))
			return true;
	return starts_with(s, "ERROR: modpost:") ||
	       (starts_with(s, "ld: ") && !strstr(s, "warning: "));
}

static void push_once(struct strv *out, const char *s, const char *prefix)
{
	_free_ char *shown = NULL;
	size_t len = strlen(prefix);

	if (strncmp(s, prefix, len) == 0 && s[len] == '/')
		s += len + 1;
	shown = printable(s, strlen(s), false);
	if (!strv_has(out, shown))
		strv_push(out, shown);
}

void build_errors(const char *log, const char *prefix, size_t max,
		  struct strv *out)
{
	_buf_ struct buf b = {};
	char *s, *save, *last = NULL, *rule = NULL, *star = NULL;

	if (read_file(log, &b))
		return;
	for (s = strtok_r(b.data, "\n", &save); s && out->n < max;
	     s = strtok_r(NULL, "\n", &save)) {
		char *at = strstr(s, "*** ");

		if (is_error_line(s))
			push_once(out, s, prefix);
		else if (at && strncmp(at, "*** [", 5) != 0 && !rule)
			rule = at[4] ? at + 4 : NULL;
		else if (at && !star)
			star = at + 4;
		last = s;
	}
	/* Not the compiler's: make's own words, or whatever came last. */
	s = rule ? rule : star ? star : last;
	if (!out->n && s)
		push_once(out, s, prefix);
}

static int check_tools(void)
{
	_buf_ struct buf names = {};
	_buf_ struct buf packages = {};

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		_free_ char *p = find_program(tools[i].program);

		if (p)
			continue;
		buf_addf(&names, "%s%s", names.len ? ", " : "",
			 tools[i].program);
		buf_addf(&packages, " %s", tools[i].package);
	}
	if (!names.len)
		return EXIT_CLEAN;
	return failed(EXIT_RIG_FAILED,
		      "building a kernel needs %s: apt-get install%s",
		      names.data, packages.data);
}

/* Size and times of the program that @name is, through all links. */
static void add_program(const char *name, struct buf *out)
{
	_free_ char *path = find_program(name);
	struct stat st;

	if (path && stat(path, &st) == 0)
		buf_addf(out, "%s %lld %lld.%ld\n", name,
			 (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec);
}

static void add_toolchain(struct buf *out)
{
	add_program("gcc", out);
	add_program("as", out);
	add_program("ld", out);
}

static char *option_path(const char *name)
{
	char *real = realpath(name, NULL);

	return real ? real : xstrdup(name);
}

/* The fragments, or the user's .config with the fragments that were asked for
 * by name behind it. */
static int load_request(struct build *b)
{
	const struct kernel_opts *o = b->o;
	_free_ char *text = NULL;
	int ret = kconfig_load(&b->kc, !o->config, &o->kconfigs);

	if (ret)
		return ret;
	if (o->config) {
		ret = read_file(o->config, &b->request);
		if (ret)
			return failed(EXIT_USAGE, "cannot read %s: %s",
				      o->config, strerror(-ret));
		if (!strstr(b->request.data, "CONFIG_"))
			return failed(EXIT_USAGE,
				      "%s is no kernel .config: it sets no CONFIG_ symbol",
				      o->config);
		buf_add(&b->request, "\n", 1);
	}
	text = kconfig_text(&b->kc);
	buf_add(&b->request, text, strlen(text));
	return EXIT_CLEAN;
}

/* build/NAME-HASH: a function of the source folder and of what was named, not
 * of what is in them. */
static char *build_dir(const struct build *b)
{
	const char *base = strrchr(b->src->dir, '/') + 1;
	_buf_ struct buf key = {};
	char hash[17];

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
	return cache_path("build/%s-%s/", base, hash);
}

/* Files that these symbols name are read by the build, but lie elsewhere. */
static bool reads_elsewhere(const char *request)
{
	static const char *const symbols[] = {
		"\nCONFIG_INITRAMFS_SOURCE=\"", "\nCONFIG_EXTRA_FIRMWARE=\"",
		"\nCONFIG_SYSTEM_TRUSTED_KEYS=\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		const char *at = strstr(request, symbols[i]);

		if (at && at[strlen(symbols[i])] != '"')
			return true;
	}
	return false;
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
	if (!certain || reads_elsewhere(b->request.data))
		buf_addf(&all, "once %d %.9f\n", getpid(), now());
	buf_addf(&all, "%s\n", b->o->config ? "olddefconfig" : "allnoconfig");
	add_toolchain(&all);
	buf_add(&all, b->request.data, b->request.len);
	hash_hex(all.data, all.len, hash);
	b->id = xstrdup(hash);
	b->out = xstrfmt("%s/kernels/%s", b->dir, hash);
	return EXIT_CLEAN;
}

static void make_args(struct build *b)
{
	_free_ char *ccache = find_program("ccache");
	int jobs = b->o->jobs;

	if (jobs <= 0)
		jobs = sysconf(_SC_NPROCESSORS_ONLN);
	strv_push(&b->base, "make");
	strv_pushf(&b->base, "-j%d", jobs > 0 ? jobs : 1);
	strv_push(&b->base, "-C");
	strv_push(&b->base, b->src->dir);
	strv_pushf(&b->base, "O=%s", b->obj);
	strv_push(&b->base, "ARCH=x86_64");
	/* Set, so that no "+" is put behind the release and git not asked. */
	strv_push(&b->base, "LOCALVERSION=");
	for (size_t i = 0; i < ARRAY_SIZE(make_env); i++)
		strv_push(&b->env, make_env[i]);
	if (!ccache)
		return;
	strv_push(&b->base, "CC=ccache gcc");
	if (!getenv("CCACHE_DIR")) {
		_free_ char *dir = cache_path("ccache");

		if (dir)
			strv_pushf(&b->env, "CCACHE_DIR=%s", dir);
	}
	/* So that two build folders share what they compile. */
	strv_push(&b->env, "CCACHE_BASEDIR=/");
	strv_push(&b->env, "CCACHE_NOHASHDIR=1");
}

/* Arguments of one make, owned by the caller. */
static void make_line(const struct build *b, struct strv *argv,
		      const char *const *more)
{
	for (size_t i = 0; i < b->base.n; i++)
		strv_push(argv, b->base.v[i]);
	for (; *more; more++)
		strv_push(argv, *more);
}

static void configure_args(const struct build *b, struct strv *argv)
{
	_free_ char *all = xstrfmt("KCONFIG_ALLCONFIG=%s/request", b->dir);
	const char *frag[] = { all, "allnoconfig", NULL };
	const char *user[] = { "olddefconfig", NULL };

	make_line(b, argv, b->o->config ? user : frag);
}

static void target_args(const struct build *b, struct strv *argv)
{
	const char *targets[] = { b->bzimage ? "bzImage" : "vmlinux",
				  b->modules ? "modules" : NULL, NULL };

	make_line(b, argv, targets);
}

static void install_args(const struct build *b, const char *to,
			 struct strv *argv)
{
	_free_ char *path = xstrfmt("INSTALL_MOD_PATH=%s", to);
	const char *more[] = { path, "INSTALL_MOD_STRIP=1", "modules_install",
			       NULL };

	make_line(b, argv, more);
}

/* The same as shell lines, for --dry-run and run.json. */
static void push_commands(const struct build *b, struct strv *out)
{
	void (*const args[])(const struct build *, struct strv *) = {
		configure_args, target_args
	};
	_buf_ struct buf env = {};

	for (size_t i = 0; i < b->env.n; i++)
		if (starts_with(b->env.v[i], "CCACHE_"))
			buf_addf(&env, "%s ", b->env.v[i]);
	if (b->o->config) {
		_free_ char *to = xstrfmt("%s/.config", b->obj);
		_free_ char *line = shell_join((char *[]){
			"cp", (char *)b->o->config, to, NULL });

		strv_push(out, line);
	}
	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		_strv_ struct strv argv = {};
		_free_ char *line = NULL;

		args[i](b, &argv);
		line = shell_join(argv.v);
		strv_pushf(out, "%s%s", env.data ? env.data : "", line);
	}
}

static void build_line(const char *text, void *arg)
{
	struct build *b = arg;

	if (!starts_with(text, "  CC ") && !starts_with(text, "  AS "))
		return;
	b->done++;
	/* An estimate may be passed, and must not look like an end. */
	if (b->rebuild)
		progress("build", "building %s: %u objects rebuilt",
			 b->src->name, b->done);
	else if (b->estimate && b->done < b->total)
		progress("build", "building %s: %u of about %u objects",
			 b->src->name, b->done, b->total);
	else if (b->done <= b->total)
		progress("build", "building %s: %u of %u objects",
			 b->src->name, b->done, b->total);
	else
		progress("build", "building %s: %u objects", b->src->name,
			 b->done);
}

/* Run one make into the log. Its exit status or -errno. */
static int run_make(struct build *b, const struct strv *argv)
{
	_free_ char *line = shell_join(argv->v);
	/* What make leaves running keeps the locks until it has ended. */
	const int keep[] = { b->lock, b->src->lock, -1 };
	struct proc_opts opts = { .env = b->env.v, .keep = keep,
				  .death_signal = 15 };
	int err;

	detail("%s", line);
	err = write_all(b->log_fd, line, strlen(line));
	if (!err)
		err = write_all(b->log_fd, "\n", 1);
	return err ? err : proc_lines(argv->v, &opts, b->log_fd, build_line, b,
				      -1);
}

/* The error line of a make that failed. */
static int make_failed(const struct build *b, int ret, const char *doing)
{
	_strv_ struct strv errors = {};
	_buf_ struct buf text = {};

	if (ret == -EINTR)
		return failed(EXIT_RIG_FAILED,
			      "stopped while %s %s; what was built is kept, make's output is in %s",
			      doing, b->src->name, b->log);
	if (ret < 0)
		return failed(EXIT_RIG_FAILED, "cannot run make for %s: %s",
			      b->src->name, strerror(-ret));
	build_errors(b->log, b->src->dir, 5, &errors);
	for (size_t i = 0; i < errors.n; i++) {
		if (strstr(errors.v[i], "No space left on device"))
			return failed(EXIT_RIG_FAILED,
				      "the disk is full while %s %s in %s: make room, or set XDG_CACHE_HOME to another disk",
				      doing, b->src->name, b->dir);
		buf_addf(&text, "%s%s", i ? "\n  " : "", errors.v[i]);
	}
	return failed(EXIT_CANNOT_TEST, "%s %s failed: %s\n  all of make's output: %s",
		      doing, b->src->name, text.len ? text.data : "no output",
		      b->log);
}

/*
 * A stamp of what a configuration was made from: the request, the compiler,
 * every Kconfig file that was read, and the .config itself. NULL when there is
 * none. auto.conf.cmd lists those files (scripts/kconfig/confdata.c,
 * conf_write_autoconf_cmd()).
 */
static char *config_stamp(const struct build *b)
{
	_free_ char *deps_path = xstrfmt("%s/include/config/auto.conf.cmd",
					 b->obj);
	_free_ char *config = xstrfmt("%s/.config", b->obj);
	_buf_ struct buf deps = {};
	_buf_ struct buf all = {};
	char hash[17], *s, *save;

	if (read_file(deps_path, &deps) || read_file(config, &all) ||
	    !starts_with(deps.data, "deps_config :="))
		return NULL;
	buf_add(&all, b->request.data, b->request.len);
	add_toolchain(&all);
	for (s = strtok_r(deps.data, "\n", &save); s && s[strlen(s) - 1] == '\\';
	     s = strtok_r(NULL, "\n", &save)) {
		_free_ char *path = NULL;
		struct stat st;

		if (*s != '\t')
			continue;
		s++;
		s[strcspn(s, " ")] = '\0';
		path = *s == '/' ? xstrdup(s) :
				   xstrfmt("%s/%s", b->src->dir, s);
		if (stat(path, &st) < 0)
			return NULL;
		buf_addf(&all, "%s %lld %lld.%ld\n", path,
			 (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec);
	}
	hash_hex(all.data, all.len, hash);
	return xstrdup(hash);
}

static bool file_says(const char *path, const char *text)
{
	_buf_ struct buf b = {};

	return text && read_file(path, &b) == 0 && strcmp(b.data, text) == 0;
}

static int configure(struct build *b)
{
	_free_ char *request = xstrfmt("%s/request", b->dir);
	_free_ char *config = xstrfmt("%s/.config", b->obj);
	_free_ char *saved = xstrfmt("%s/configured", b->dir);
	_free_ char *stamp = config_stamp(b);
	_strv_ struct strv argv = {};
	int ret;

	if (file_says(saved, stamp))
		return EXIT_CLEAN;
	progress("configure", "configuring %s", b->src->name);
	unlink(saved);
	ret = write_file(b->o->config ? config : request, b->request.data,
			 b->request.len);
	if (ret)
		return failed(EXIT_RIG_FAILED, "cannot write to %s: %s", b->dir,
			      strerror(-ret));
	configure_args(b, &argv);
	ret = run_make(b, &argv);
	return ret ? make_failed(b, ret, "configuring") : EXIT_CLEAN;
}

/* Written when make has read the configuration, however it ended. */
static void save_stamp(const struct build *b)
{
	_free_ char *saved = xstrfmt("%s/configured", b->dir);
	_free_ char *stamp = config_stamp(b);

	if (stamp)
		write_file(saved, stamp, strlen(stamp));
}

/* What the finished .config decides. */
static int read_config(struct build *b, char **lost)
{
	_free_ char *path = xstrfmt("%s/.config", b->obj);
	_buf_ struct buf config = {};
	unsigned int set = 0;
	int err;

	buf_add(&config, "\n", 1);
	err = read_file(path, &config);
	if (err)
		return failed(EXIT_CANNOT_TEST,
			      "configuring %s left no .config; make's output: %s",
			      b->src->name, b->log);
	*lost = kconfig_lost(&b->kc, path, b->src->dir, &err);
	b->bzimage = !strstr(config.data, "\nCONFIG_PVH=y\n");
	b->modules = strstr(config.data, "\nCONFIG_MODULES=y\n");
	for (const char *s = config.data; (s = strchr(s, '=')); s++)
		set += s[1] == 'y' || s[1] == 'm';
	b->total = set * OBJECTS_PER_SYMBOL;
	b->estimate = true;
	return EXIT_CLEAN;
}

/*
 * build/.../objects: "full N" after a build that ended well, from nothing, of
 * N objects; "partial N" when N were made of a build that was stopped.
 */
static void load_progress(struct build *b)
{
	_free_ char *path = xstrfmt("%s/objects", b->dir);
	_buf_ struct buf text = {};
	unsigned int n;

	if (read_file(path, &text))
		return;
	if (sscanf(text.data, "full %u", &n) == 1)
		b->rebuild = true;
	else if (sscanf(text.data, "partial %u", &n) == 1)
		b->done = n;
}

static void save_progress(const struct build *b, bool whole)
{
	_free_ char *path = xstrfmt("%s/objects", b->dir);
	_free_ char *text = xstrfmt("%s %u\n", whole ? "full" : "partial",
				    b->done);

	if (!b->rebuild)
		write_file(path, text, strlen(text));
}

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
	install_args(b, to, &argv);
	ret = run_make(b, &argv);
	if (ret)
		return make_failed(b, ret, "installing the modules of");
	ret = path_exists(bin) ? 0 : run_depmod(to, release);
	return ret ? failed(EXIT_RIG_FAILED,
			    "cannot index the modules of %s: %s", b->src->name,
			    strerror(-ret)) : EXIT_CLEAN;
}

/* The finished kernel into its folder, which appears whole or not at all. */
static int keep_kernel(struct build *b, const char *lost)
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

/* Remove finished kernels of this folder that nobody used for long. */
static void forget_old(const struct build *b)
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

static void warn_lost(const struct build *b, const char *lost)
{
	if (lost && *lost)
		warning("%s is configured without: %s", b->src->name, lost);
}

/* Fill @k from the finished kernel. */
static int use_kernel(const struct build *b, struct kernel *k)
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
		warn_lost(b, lost);
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
	_strv_ struct strv argv = {};
	int ret = check_tools();

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
	ret = configure(b);
	if (!ret)
		ret = read_config(b, &lost);
	if (ret)
		return ret;
	warn_lost(b, lost);
	load_progress(b);
	progress("build", "building %s", b->src->name);
	target_args(b, &argv);
	ret = run_make(b, &argv);
	save_stamp(b);
	save_progress(b, ret == 0);
	if (ret)
		return make_failed(b, ret, "building");
	return keep_kernel(b, lost);
}

int source_build(struct source *src, const struct kernel_opts *o,
		 struct kernel *k)
{
	_build_ struct build b = { .src = src, .o = o, .lock = -1,
				   .log_fd = -1 };
	int ret = load_request(&b);
	int err;

	if (ret)
		return ret;
	b.dir = build_dir(&b);
	if (!b.dir)
		return EXIT_RIG_FAILED;
	b.dir[strlen(b.dir) - 1] = '\0';
	b.obj = xstrfmt("%s/obj", b.dir);
	err = mkdir_p(b.obj);
	if (err)
		return failed(EXIT_RIG_FAILED, "cannot make %s: %s", b.obj,
			      strerror(-err));
	/* Until .config is there, what was asked for stands for it. */
	b.bzimage = !strstr(b.request.data, "CONFIG_PVH=y");
	b.modules = strstr(b.request.data, "CONFIG_MODULES=y");
	make_args(&b);
	push_commands(&b, &k->commands);
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
	forget_old(&b);
	return use_kernel(&b, k);
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
