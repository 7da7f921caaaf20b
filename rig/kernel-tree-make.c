// SPDX-License-Identifier: GPL-2.0-or-later
/* Running make: see kernel-tree-internal.h. */
#include "kernel-tree-internal.h"
#include "cache.h"
#include "proc.h"
#include "progress.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int build_check_tools(void)
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

void build_toolchain(struct buf *out)
{
	add_program("gcc", out);
	add_program("as", out);
	add_program("ld", out);
}

void build_make_args(struct build *b)
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

static void config_args(const struct build *b, struct strv *argv)
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

void build_commands(const struct build *b, struct strv *out)
{
	void (*const args[])(const struct build *, struct strv *) = {
		config_args, target_args
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

/* Make's exit status or -errno. */
static int run(struct build *b, const struct strv *argv)
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

/* The error line: what make's output says of it. An enum rig_exit. */
static int run_failed(const struct build *b, int ret, const char *doing)
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

/* One make with the arguments @argv. An enum rig_exit. */
static int make(struct build *b, const struct strv *argv, const char *doing)
{
	int ret = run(b, argv);

	return ret ? run_failed(b, ret, doing) : EXIT_CLEAN;
}

int build_make_config(struct build *b)
{
	_strv_ struct strv argv = {};

	config_args(b, &argv);
	return make(b, &argv, "configuring");
}

int build_make_targets(struct build *b)
{
	_strv_ struct strv argv = {};

	target_args(b, &argv);
	return make(b, &argv, "building");
}

int build_make_install(struct build *b, const char *to)
{
	_strv_ struct strv argv = {};

	install_args(b, to, &argv);
	return make(b, &argv, "installing the modules of");
}

/*
 * build/.../objects: "full N" after a build that ended well, from nothing, of
 * N objects; "partial N" when N were made of a build that was stopped.
 */
void build_load_progress(struct build *b)
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

void build_save_progress(const struct build *b, bool whole)
{
	_free_ char *path = xstrfmt("%s/objects", b->dir);
	_free_ char *text = xstrfmt("%s %u\n", whole ? "full" : "partial",
				    b->done);

	if (!b->rebuild)
		write_file(path, text, strlen(text));
}
