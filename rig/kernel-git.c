// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel-git.h"
#include "cache.h"
#include "kernel-kinds.h"
#include "kernel-tree.h"
#include "proc.h"
#include "progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/*
 * The user's git configuration, hooks and half-done operations (rig may run
 * below `git bisect run` or `git rebase --exec`) have no part in this. A name
 * without '=' is removed. Fixed names and dates: the same content is the same
 * commit. safe.directory: reading somebody else's tree is what is asked for,
 * and no program that its configuration names is run.
 */
static const char *const git_env[] = {
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE",
	"GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "GIT_CONFIG_PARAMETERS",
	"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	"GIT_AUTHOR_NAME=rig", "GIT_AUTHOR_EMAIL=rig@localhost",
	"GIT_AUTHOR_DATE=2000-01-01T00:00:00Z",
	"GIT_COMMITTER_NAME=rig", "GIT_COMMITTER_EMAIL=rig@localhost",
	"GIT_COMMITTER_DATE=2000-01-01T00:00:00Z",
	"GIT_CONFIG_COUNT=6",
	"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	"GIT_CONFIG_KEY_1=core.hooksPath", "GIT_CONFIG_VALUE_1=/dev/null",
	"GIT_CONFIG_KEY_2=core.fsmonitor", "GIT_CONFIG_VALUE_2=false",
	"GIT_CONFIG_KEY_3=core.autocrlf", "GIT_CONFIG_VALUE_3=false",
	"GIT_CONFIG_KEY_4=gc.auto", "GIT_CONFIG_VALUE_4=0",
	"GIT_CONFIG_KEY_5=core.compression", "GIT_CONFIG_VALUE_5=0",
};

/* Where a git command works. */
struct git {
	const char *dir;	/* its working directory */
	const char *repo;	/* --git-dir, or NULL: found from @dir */
	const char *work;	/* --work-tree, or NULL */
	const char *index;	/* GIT_INDEX_FILE, or NULL */
	const char *borrow;	/* the user's objects, or NULL. Only for what
				 * writes none: git sets the time of an object
				 * that it would write and that is there */
	int in;			/* its stdin, 0: none */
};

/*
 * Run git with the arguments up to NULL. Its exit status or -errno; what it
 * wrote, less the last newline, in @out, and the first line of its complaint,
 * less "error: ", in *@why (owned by the caller; NULL where it had none).
 */
static int git(const struct git *g, struct buf *out, char **why, ...)
{
	_strv_ struct strv argv = {};
	_strv_ struct strv env = {};
	_buf_ struct buf mine = {};
	_buf_ struct buf err = {};
	struct proc_opts opts = { .dir = g->dir, .in = g->in };
	const char *arg, *s;
	va_list ap;
	int ret;

	strv_push(&argv, "git");
	if (g->repo)
		strv_pushf(&argv, "--git-dir=%s", g->repo);
	if (g->work)
		strv_pushf(&argv, "--work-tree=%s", g->work);
	va_start(ap, why);
	while ((arg = va_arg(ap, const char *)))
		strv_push(&argv, arg);
	va_end(ap);
	for (size_t i = 0; i < ARRAY_SIZE(git_env); i++)
		strv_push(&env, git_env[i]);
	if (g->index)
		strv_pushf(&env, "GIT_INDEX_FILE=%s", g->index);
	if (g->borrow)
		strv_pushf(&env, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s",
			   g->borrow);
	opts.env = env.v;
	ret = proc_read(argv.v, &opts, out ? out : &mine, &err, -1);
	if (out && out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	if (!ret || !why)
		return ret;
	free(*why);
	*why = NULL;
	if (ret < 0) {
		*why = xstrdup(ret == -EINTR ? "stopped" :
			       ret == -ENOENT ? "git is missing: apt-get install git" :
						strerror(-ret));
		return ret;
	}
	s = err.data;
	if (starts_with(s, "error: ") || starts_with(s, "fatal: "))
		s += 7;
	*why = printable(s, strcspn(s, "\n"), false);
	return ret;
}

char *git_describe(const char *dir, const char *rev)
{
	struct git g = { .dir = dir };
	_buf_ struct buf out = {};
	_buf_ struct buf changes = {};

	if (git(&g, &out, NULL, "describe", "--always", "--tags",
		rev ? rev : "HEAD", NULL) || !out.len)
		return NULL;
	/* "describe --dirty" would write the user's index. */
	if (!rev && git(&g, &changes, NULL, "status", "--porcelain", "-uno",
			NULL) == 0 && changes.len)
		return xstrfmt("%s-dirty", out.data);
	return take_ptr(out.data);
}

/* The private copy of one user's tree. */
struct copy {
	const char *user;	/* the user's tree: absolute */
	char *top;		/* git/NAME-HASH */
	char *repo, *tree;	/* in it */
	char *borrow;		/* the user's objects; NULL: no git tree */
	char *object;		/* what @tree is to hold: a git tree's name */
};

static void copy_free(struct copy *c)
{
	free(c->top);
	free(c->repo);
	free(c->tree);
	free(c->borrow);
	free(c->object);
}
#define _copy_ __cleanup(copy_free)

static int copy_paths(struct copy *c)
{
	const char *base = strrchr(c->user, '/') + 1;
	char hash[17];

	hash_hex(c->user, strlen(c->user), hash);
	c->top = cache_path("git/%s-%s/", base, hash);
	if (!c->top)
		return EXIT_RIG_FAILED;
	c->top[strlen(c->top) - 1] = '\0';
	c->repo = xstrfmt("%s/repo", c->top);
	/* Named as the user's: it shows in the compiler's messages. */
	c->tree = xstrfmt("%s/%s", c->top,
			  strcmp(base, "repo") == 0 ? "tree" : base);
	return EXIT_CLEAN;
}

static int find_objects(struct copy *c)
{
	struct git user = { .dir = c->user };
	_free_ char *why = NULL;
	_buf_ struct buf out = {};

	if (git(&user, &out, &why, "rev-parse", "--path-format=absolute",
		"--git-path", "objects", NULL))
		return failed(EXIT_RIG_FAILED, "cannot read the git tree %s: %s",
			      c->user, why);
	c->borrow = take_ptr(out.data);
	return EXIT_CLEAN;
}

/* Make the private repository, or bring it out of what a killed rig left. */
static int copy_init(struct copy *c)
{
	_free_ char *head = xstrfmt("%s/HEAD", c->repo);
	struct git g = { .dir = c->tree };
	_free_ char *why = NULL;
	struct dirent **list = NULL;
	int n, err = mkdir_p(c->tree);

	if (err)
		return failed(EXIT_RIG_FAILED, "cannot make %s: %s", c->tree,
			      strerror(-err));
	if (!path_exists(head) &&
	    git(&g, NULL, &why, "init", "-q", "--template=", "--bare", c->repo,
		NULL))
		return failed(EXIT_RIG_FAILED, "cannot make %s: %s", c->repo,
			      why);
	/* We hold the lock, so these locks are nobody's. */
	n = scandir(c->repo, &list, NULL, NULL);
	for (int i = 0; i < n; i++) {
		_free_ char *p = xstrfmt("%s/%s", c->repo, list[i]->d_name);

		if (ends_with(p, ".lock"))
			unlink(p);
		free(list[i]);
	}
	free(list);
	return tree_is_git(c->user) ? find_objects(c) : EXIT_CLEAN;
}

/* The tree object of the user's revision. */
static int revision(struct copy *c, const char *name, const char *rev,
		    char **commit)
{
	struct git user = { .dir = c->user };
	_free_ char *want = xstrfmt("%s^{commit}", rev);
	_free_ char *tree = xstrfmt("%s^{tree}", rev);
	_free_ char *why = NULL;
	_buf_ struct buf a = {};
	_buf_ struct buf b = {};
	int ret;

	if (!*rev || *rev == '-')
		return failed(EXIT_USAGE, "'%s' is no revision of %s", rev,
			      name);
	ret = git(&user, &a, &why, "rev-parse", "--verify", "--quiet", want,
		  NULL);
	if (!ret)
		ret = git(&user, &b, &why, "rev-parse", "--verify", "--quiet",
			  tree, NULL);
	if (ret < 0)
		return failed(EXIT_RIG_FAILED, "%s@%s: %s", name, rev, why);
	if (ret)
		return failed(EXIT_USAGE,
			      "%s has no revision '%s': fetch it, or look at 'git -C %s log --all'",
			      name, rev, name);
	*commit = take_ptr(a.data);
	c->object = take_ptr(b.data);
	return EXIT_CLEAN;
}

/* An index of what HEAD has, with the times of the files that are as HEAD has
 * them: those need not be read again, and are not written anywhere. */
static int start_index(struct copy *c, const char *name, const char *index)
{
	struct git g = { .dir = c->user, .repo = c->repo, .work = c->user,
			 .index = index, .borrow = c->borrow };
	_free_ char *commit = NULL;
	_free_ char *why = NULL;
	int ret = revision(c, name, "HEAD", &commit);

	if (ret)
		return ret;
	if (git(&g, NULL, &why, "read-tree", c->object, NULL))
		ret = failed(EXIT_RIG_FAILED, "cannot read HEAD of %s: %s",
			     name, why);
	/* Its exit status says whether something changed. */
	if (!ret && git(&g, NULL, &why, "update-index", "-q", "--refresh",
			NULL) < 0)
		ret = failed(EXIT_RIG_FAILED, "cannot read %s: %s", name, why);
	free(c->object);
	c->object = NULL;
	return ret;
}

/*
 * The user's files as they are, as a tree object. The index is kept, so that
 * the next time only what changed is read. In a git tree .gitignore is obeyed
 * (what is tracked is tracked); elsewhere everything is a source file.
 */
static int snapshot(struct copy *c, const char *name)
{
	_free_ char *index = xstrfmt("%s/snapshot.index", c->repo);
	struct git g = { .dir = c->user, .repo = c->repo, .work = c->user,
			 .index = index };
	_free_ char *why = NULL;
	_buf_ struct buf out = {};
	int ret = EXIT_CLEAN;

	progress("snapshot", "reading %s", name);
	if (c->borrow && !path_exists(index))
		ret = start_index(c, name, index);
	if (ret)
		return ret;
	/* A size from which a file goes straight into a pack, without deltas:
	 * one file of ours instead of eighty thousand. */
	ret = git(&g, NULL, &why, "-c",
		  c->borrow ? "core.bigFileThreshold=512m" :
			      "core.bigFileThreshold=1",
		  "add", "-A", c->borrow ? "." : "--force",
		  c->borrow ? NULL : ".", NULL);
	if (!ret)
		ret = git(&g, &out, &why, "write-tree", "--missing-ok", NULL);
	if (ret)
		return failed(EXIT_RIG_FAILED, "cannot read all of %s: %s",
			      name, why);
	c->object = take_ptr(out.data);
	return EXIT_CLEAN;
}

/* One patch on its way into the index. */
struct patch {
	const char *file;	/* as the user named it */
	char *subject;		/* of its mail, or NULL */
	char *diff;		/* file that `git apply` reads */
};

/* The files that a diff changes, as it names them. */
static void old_names(const char *diff, struct strv *names)
{
	static const char *const marks[] = { "\n--- ", "\nrename from ",
					     "\ncopy from " };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		for (const char *s = diff; (s = strstr(s, marks[i]));) {
			const char *end;

			s += strlen(marks[i]);
			if (i == 0) {
				/* -p1, as git apply has it. */
				end = s + strcspn(s, "\t\r\n");
				while (s < end && *s++ != '/')
					;
			} else {
				end = s + strcspn(s, "\r\n");
			}
			if (s < end)
				strv_pushf(names, "%.*s", (int)(end - s), s);
		}
	}
}

/* Write @data to a fresh file and open it to be a child's stdin. */
static int as_stdin(const char *path, const void *data, size_t len)
{
	int err = write_file(path, data, len);
	int fd = err ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	return err ? err : fd < 0 ? -errno : fd;
}

/* Copy the objects of the files that @diff changes from the user's repository
 * into ours, for a git that must not know the user's. */
static int import(const struct copy *c, const struct git *g, const char *diff,
		  char **why)
{
	_free_ char *path = xstrfmt("%s/import", c->repo);
	struct git user = { .dir = c->user };
	struct git mine = *g;
	_strv_ struct strv names = {};
	_buf_ struct buf text = {};
	_buf_ struct buf wanted = {};
	_buf_ struct buf pack = {};
	_close_ int list = -1, in = -1;
	int ret;

	buf_add(&text, "\n", 1);
	ret = read_file(diff, &text);
	if (ret)
		return ret;
	old_names(text.data, &names);
	for (size_t i = 0; i < names.n; i++) {
		_free_ char *spec = xstrfmt(":%s", names.v[i]);
		_buf_ struct buf sha = {};

		/* A name that is not in the index is git apply's to tell. */
		if (git(g, &sha, NULL, "rev-parse", "--verify", "--quiet", spec,
			NULL) == 0 &&
		    git(g, NULL, NULL, "cat-file", "-e", sha.data, NULL))
			buf_addf(&wanted, "%s\n", sha.data);
	}
	if (!wanted.len)
		return 0;
	list = as_stdin(path, wanted.data, wanted.len);
	if (list < 0)
		return list;
	user.in = list;
	ret = git(&user, &pack, why, "pack-objects", "-q", "--stdout", NULL);
	if (ret)
		return ret;
	in = as_stdin(path, pack.data, pack.len);
	if (in < 0)
		return in;
	mine.in = in;
	return git(&mine, NULL, why, "unpack-objects", "-q", NULL);
}

static int apply_one(const struct copy *c, const struct git *g,
		     const struct patch *p)
{
	_free_ char *why = NULL;
	int ret = c->borrow ? import(c, g, p->diff, &why) : 0;

	if (ret)
		return failed(EXIT_RIG_FAILED, "%s: cannot read the files it changes: %s",
			      p->file, why ? why : strerror(-ret));
	ret = git(g, NULL, &why, "apply", "--cached", "-p1", p->diff, NULL);
	if (!ret)
		return EXIT_CLEAN;
	if (ret < 0)
		return failed(EXIT_RIG_FAILED, "%s: %s", p->file, why);
	if (p->subject)
		return failed(EXIT_CANNOT_TEST,
			      "%s: \"%s\" does not apply: %s", p->file,
			      p->subject, why);
	return failed(EXIT_CANNOT_TEST, "%s does not apply: %s", p->file, why);
}

/* Mail, as git am tells it: "From " of a mbox, or header lines up to a blank
 * one before anything else. */
static bool is_mail(const char *text)
{
	const char *s = text + strspn(text, "\n");
	int headers = 0;

	if (starts_with(s, "From "))
		return true;
	for (; *s && *s != '\n'; s += strcspn(s, "\n") + 1) {
		size_t len = strcspn(s, ": \t\n");

		if (*s == ' ' || *s == '\t') {
			if (!headers)
				return false;
		} else if (!len || s[len] != ':' ||
			   starts_with(s, "Index:")) {
			return false;
		} else {
			headers++;
		}
		if (!s[strcspn(s, "\n")])
			return false;
	}
	return headers > 1;
}

/* Whether there is a diff in the file: cover letters and replies have none. */
static bool has_diff(const char *path)
{
	_buf_ struct buf b = {};

	buf_add(&b, "\n", 1);
	return read_file(path, &b) == 0 &&
	       (strstr(b.data, "\ndiff --git ") || strstr(b.data, "\n--- "));
}

/* One mail of a mbox, split into message and patch. 1: it has no patch. */
static int apply_mail(const struct copy *c, const struct git *g,
		      const char *file, const char *mail)
{
	_free_ char *msg = xstrfmt("%s.msg", mail);
	_free_ char *diff = xstrfmt("%s.diff", mail);
	_free_ char *why = NULL;
	_free_ char *subject = NULL;
	_close_ int in = open(mail, O_RDONLY | O_CLOEXEC);
	struct patch p = { .file = file, .diff = diff };
	struct git with_in = *g;
	_buf_ struct buf info = {};
	const char *at;

	if (in < 0)
		return failed(EXIT_RIG_FAILED, "cannot read %s: %s", mail,
			      strerror(errno));
	with_in.in = in;
	if (git(&with_in, &info, &why, "mailinfo", msg, diff, NULL))
		return failed(EXIT_CANNOT_TEST, "%s is no mail that git can read: %s",
			      file, why);
	if (!has_diff(diff))
		return 1;
	at = strstr(info.data, "Subject: ");
	if (at)
		subject = printable(at + 9, strcspn(at + 9, "\n"), false);
	p.subject = subject;
	return apply_one(c, g, &p);
}

static int apply_mbox(const struct copy *c, const struct git *g,
		      const char *file, const char *path, const char *tmp)
{
	_free_ char *out_arg = xstrfmt("-o%s", tmp);
	_free_ char *why = NULL;
	struct dirent **list = NULL;
	int n, err, ret = EXIT_CLEAN, applied = 0;

	remove_tree(tmp);
	err = mkdir_p(tmp);
	if (err)
		return failed(EXIT_RIG_FAILED, "cannot make %s: %s", tmp,
			      strerror(-err));
	if (git(g, NULL, &why, "mailsplit", "-b", "--keep-cr", out_arg, "--",
		path, NULL))
		return failed(EXIT_CANNOT_TEST, "%s is no mbox that git can read: %s",
			      file, why);
	n = scandir(tmp, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		_free_ char *mail = xstrfmt("%s/%s", tmp, list[i]->d_name);

		if (!ret && list[i]->d_name[0] != '.') {
			ret = apply_mail(c, g, file, mail);
			applied += ret == 0;
			ret = ret == 1 ? 0 : ret;
		}
		free(list[i]);
	}
	free(list);
	if (!ret && !applied)
		return failed(EXIT_USAGE, "%s has no patch in it", file);
	return ret;
}

static int apply_file(const struct copy *c, const struct git *g,
		      const char *file, const char *tmp)
{
	_free_ char *path = realpath(file, NULL);
	_buf_ struct buf b = {};
	struct patch p = { .file = file, .diff = path };
	int err = path ? read_file(path, &b) : -errno;

	if (err)
		return failed(EXIT_USAGE, "cannot read the patch %s: %s", file,
			      strerror(-err));
	if (is_mail(b.data))
		return apply_mbox(c, g, file, path, tmp);
	if (!has_diff(path))
		return failed(EXIT_USAGE, "%s has no patch in it", file);
	return apply_one(c, g, &p);
}

/* The patches on top of c->object, into a tree object that replaces it. */
static int apply_patches(struct copy *c, const struct strv *patches)
{
	_free_ char *index = xstrfmt("%s/patch.index", c->repo);
	_free_ char *tmp = xstrfmt("%s/mails", c->top);
	struct git g = { .dir = c->tree, .repo = c->repo, .work = c->tree,
			 .index = index };
	struct git reads = g;
	_free_ char *why = NULL;
	_buf_ struct buf out = {};
	int ret = EXIT_CLEAN;

	if (!patches->n)
		return EXIT_CLEAN;
	unlink(index);
	reads.borrow = c->borrow;
	if (git(&reads, NULL, &why, "read-tree", c->object, NULL))
		return failed(EXIT_RIG_FAILED, "cannot read %s of %s: %s",
			      c->object, c->user, why);
	for (size_t i = 0; i < patches->n && !ret; i++)
		ret = apply_file(c, &g, patches->v[i], tmp);
	remove_tree(tmp);
	if (!ret && git(&g, &out, &why, "write-tree", "--missing-ok", NULL))
		ret = failed(EXIT_RIG_FAILED, "cannot write the patched tree: %s",
			     why);
	unlink(index);
	if (ret)
		return ret;
	free(c->object);
	c->object = take_ptr(out.data);
	return EXIT_CLEAN;
}

/* Bring the copy's files to c->object; those that are right are not touched. */
static int checkout(struct source *src)
{
	struct copy *c = src->arg;
	struct git g = { .dir = c->tree, .repo = c->repo, .work = c->tree,
			 .borrow = c->borrow };
	_free_ char *why = NULL;
	int ret;

	progress("checkout", "checking out %s", src->name);
	ret = git(&g, NULL, &why, "read-tree", "--reset", "-u", c->object,
		  NULL);
	return ret ? failed(EXIT_RIG_FAILED, "cannot check out %s: %s",
			    src->name, why) : EXIT_CLEAN;
}

static char *describe(const struct copy *c, const char *commit,
		      const char *fallback, size_t patches)
{
	_free_ char *base = NULL;

	if (tree_is_git(c->user))
		base = git_describe(c->user, commit);
	if (!base)
		base = xstrdup(fallback ? fallback : "unversioned");
	return patches ? xstrfmt("%s + %zu patch file%s", base, patches,
				 patches > 1 ? "s" : "") :
			 take_ptr(base);
}

/* What is asked for as c->object. */
static int copy_object(struct copy *c, const char *name, const char *rev,
		       const struct kernel_opts *o, char **commit)
{
	int ret = copy_init(c);

	if (!ret)
		ret = rev ? revision(c, name, rev, commit) : snapshot(c, name);
	if (!ret)
		ret = apply_patches(c, &o->patches);
	return ret;
}

static void push_commands(const struct copy *c, const struct kernel_opts *o,
			  struct strv *out)
{
	_free_ char *repo = xstrfmt("--git-dir=%s", c->repo);
	_free_ char *work = xstrfmt("--work-tree=%s", c->tree);
	_free_ char *checkout = shell_join((char *[]){
		"git", repo, work, "read-tree", "--reset", "-u", c->object,
		NULL });

	for (size_t i = 0; i < o->patches.n; i++) {
		_free_ char *line = shell_join((char *[]){
			"git", repo, work, "apply", "--cached", "-p1",
			o->patches.v[i], NULL });

		strv_push(out, line);
	}
	strv_push(out, checkout);
}

int kernel_git(const char *path, const char *rev, const struct kernel_opts *o,
	       struct kernel *k)
{
	_free_ char *user = realpath(path, NULL);
	_free_ char *bad = NULL;
	const char *name = k->spec;
	_free_ char *commit = NULL;
	_free_ char *version = NULL;
	_close_ int lock = -1;
	_copy_ struct copy c = { .user = user };
	struct source src = SOURCE_INIT;
	int ret;

	if (!user)
		return failed(EXIT_USAGE, "cannot read %s: %s", path,
			      strerror(errno));
	if (rev && !tree_is_git(user))
		return failed(EXIT_USAGE,
			      "%s is no git tree, so it has no revision '%s'",
			      path, rev);
	if (!tree_is_git(user))
		bad = tree_problem(user, false);
	if (bad)
		return failed(EXIT_USAGE, "%s %s", path, bad);
	ret = copy_paths(&c);
	if (ret)
		return ret;
	lock = cache_lock(c.top, name);
	if (lock < 0)
		return failed(EXIT_RIG_FAILED, "cannot lock %s: %s", c.top,
			      strerror(-lock));
	ret = copy_object(&c, path, rev, o, &commit);
	if (ret)
		return ret;
	version = describe(&c, commit, k->version, o->patches.n);
	free(k->version);
	k->version = NULL;
	push_commands(&c, o, &k->commands);
	src = (struct source){ .dir = c.tree, .name = k->spec, .id = c.object,
			       .version = version, .lock = lock,
			       .prepare = checkout, .arg = &c };
	return source_build(&src, o, k);
}
