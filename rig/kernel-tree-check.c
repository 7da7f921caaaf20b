// SPDX-License-Identifier: GPL-2.0-or-later
/* What a source tree is: see kernel-tree.h. */
#include "kernel-tree-internal.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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

char *tree_version(const char *dir)
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

/* Changed less than a clock tick before @begin, or after it? */
static bool is_fresh(const struct stat *st, const struct timespec *begin)
{
	return difftime(st->st_ctim.tv_sec, begin->tv_sec) +
		       (st->st_ctim.tv_nsec - begin->tv_nsec) / 1e9 > -0.05;
}

/* All that says whether @e is what it was into @rec; see tree_fingerprint()
 * for *@certain. */
static void add_entry(const char *root, const FTSENT *e,
		      const struct timespec *begin, struct buf *rec,
		      bool *certain)
{
	const struct stat *st = e->fts_statp;

	buf_addf(rec, "%s %o ", e->fts_path + strlen(root), st->st_mode);
	/* Git makes and removes files at the top (.git/index.lock is not one);
	 * a folder's times say nothing its files do not. */
	if (e->fts_info == FTS_D)
		return;
	buf_addf(rec, "%lld %llu %lld.%09ld %lld.%09ld ",
		 (long long)st->st_size, (unsigned long long)st->st_ino,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		 (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	if (e->fts_info == FTS_SL && add_link(root, e, rec))
		*certain = false;
	if (is_fresh(st, begin))
		*certain = false;
}

static void close_fts(FTS **fts)
{
	if (*fts)
		fts_close(*fts);
}

int tree_fingerprint(const char *dir, char hex[17], bool *certain)
{
	_free_ char *root = realpath(dir, NULL);
	char *roots[] = { root, NULL };
	FTS *fts __cleanup(close_fts) =
		root ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	_buf_ struct buf rec = {};
	unsigned long long sum = 0;
	struct timespec begin;
	FTSENT *e;

	if (!fts)
		return -errno;
	*certain = true;
	clock_gettime(CLOCK_REALTIME, &begin);
	while (errno = 0, (e = fts_read(fts))) {
		char one[17];

		if (e->fts_info == FTS_DP)
			continue;
		if (strcmp(e->fts_name, ".git") == 0) {
			fts_set(fts, e, FTS_SKIP);
			continue;
		}
		if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR ||
		    e->fts_info == FTS_NS)
			return e->fts_errno ? -e->fts_errno : -EIO;
		rec.len = 0;
		add_entry(root, e, &begin, &rec, certain);
		/* A sum: readdir's order does not matter. */
		hash_hex(rec.data, rec.len, one);
		sum += strtoull(one, NULL, 16);
	}
	if (errno)
		return -errno;
	snprintf(hex, 17, "%016llx", sum);
	return 0;
}
