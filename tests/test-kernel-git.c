// SPDX-License-Identifier: GPL-2.0-or-later
/* Revisions and patches: the right content is built, nothing of the user's is
 * touched, and files that stay the same keep their times. */
#include "tests/kernel-fixture.h"

#define GIT "git -c user.name=t -c user.email=t@t -c commit.gpgsign=false"

/* A git tree of two commits: v1 (three) and v2 (dax.c returns 4). */
static char *git_tree(void)
{
	make_tree("linux");
	put("linux/.gitignore", "*.o\nignored.c\n");
	sh("cd linux && git init -q -b main . && " GIT " add -A &&"
	   " " GIT " commit -q -m one && git tag v1 &&"
	   " sed -i s/3/4/ dax.c && " GIT " commit -q -a -m two && git tag v2");
	return in_scratch("linux");
}

/* The private copy's @file, as text; its mtime in *@mtime. */
static char *copied(const char *file, struct timespec *mtime)
{
	_free_ char *out = in_scratch("found");
	_free_ char *path = NULL;
	struct stat st;

	sh("ls -d cache/rig/git/*/linux/%s > %s", file, out);
	path = slurp(out);
	path[strcspn(path, "\n")] = '\0';
	{
		_free_ char *abs = in_scratch("%s", path);

		assert_int_equal(stat(abs, &st), 0);
		if (mtime)
			*mtime = st.st_mtim;
		return slurp(abs);
	}
}

static void has(const char *file, const char *text)
{
	_free_ char *is = copied(file, NULL);

	if (!is || !strstr(is, text))
		fail_msg("'%s' not in %s: %s", text, file, is);
}

static char *at(const char *dir, const char *rev)
{
	return xstrfmt("%s@%s", dir, rev);
}

static void revision_is_built_from_a_private_copy(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *v1 = at(dir, "v1");
	_free_ char *v2 = at(dir, "v2");
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;
	_kernel_ struct kernel c = KERNEL_INIT;
	_free_ char *before = NULL;

	put("linux/dax.c", "not C, and not committed\n");
	before = listing(dir);
	accept(v1, NULL, &a, NULL);
	has("dax.c", "return 3;");
	assert_string_equal(a.version, "v1");
	assert_string_equal(a.release, "6.1.7-fake");
	assert_int_equal(count_lines(a.build_log, "  CC "), 3);
	/* One file differs: one object is built. */
	accept(v2, NULL, &b, NULL);
	has("dax.c", "return 4;");
	assert_int_equal(count_lines(b.build_log, "  CC "), 1);
	/* Back again: it is still there, and nothing is checked out. */
	accept(v1, NULL, &c, NULL);
	assert_null(c.build_log);
	assert_string_equal(a.image, c.image);
	has("dax.c", "return 4;");
	untouched(dir, before);
}

static void git_tree_as_it_is_stays_so(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *before = NULL;
	_kernel_ struct kernel clean = KERNEL_INIT;
	_kernel_ struct kernel dirty = KERNEL_INIT;

	/* Times that the index does not know: it asks to be refreshed. */
	sh("touch linux/one.c; sleep 0.1");
	before = listing(dir);
	accept(dir, NULL, &clean, NULL);
	assert_string_equal(clean.version, "v2");
	untouched(dir, before);
	put_settled("linux/dax.c", "int dax;\n");
	accept(dir, NULL, &dirty, NULL);
	assert_string_equal(dirty.version, "v2-dirty");
}

static void unknown_revision_is_named(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *bad = at(dir, "v9.9");
	_free_ char *option = at(dir, "--all");
	_free_ char *empty = at(dir, "");
	_free_ char *plain = NULL;

	refuse(bad, NULL, EXIT_USAGE, "has no revision 'v9.9'");
	refuse(option, NULL, EXIT_USAGE, "is no revision");
	refuse(empty, NULL, EXIT_USAGE, "is no revision");
	make_tree("plain");
	plain = in_scratch("plain@v1");
	refuse(plain, NULL, EXIT_USAGE, "is no git tree");
}

static void tree_configured_in_place_has_a_way_out(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *head = at(dir, "HEAD");
	_kernel_ struct kernel k = KERNEL_INIT;

	put("linux/.config", "# Linux/x86 6.1.7 Kernel Configuration\n");
	refuse(dir, NULL, EXIT_USAGE, "@HEAD to build a private copy");
	accept(head, NULL, &k, NULL);
}

static void revision_that_is_no_tree_is_told(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *spec = at(dir, "empty");

	sh("cd linux && " GIT " rm -q -r arch && " GIT " commit -q -m none &&"
	   " git tag empty");
	refuse(spec, NULL, EXIT_CANNOT_TEST, "it has no arch/x86");
}

/* What git itself sets for its children, and a hostile configuration. */
static void git_environment_has_no_part(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *v1 = at(dir, "v1");
	_free_ char *mark = in_scratch("ran");
	_free_ char *elsewhere = in_scratch("elsewhere");
	_kernel_ struct kernel k = KERNEL_INIT;
	_kernel_ struct kernel as_is = KERNEL_INIT;

	put("hook", "#!/bin/sh\ntouch ran-hook\n");
	sh("chmod +x hook; cd linux; git config core.fsmonitor"
	   " 'touch %s; false'; cp ../hook .git/hooks/post-checkout;"
	   " cp ../hook .git/hooks/post-index-change", mark);
	setenv("GIT_DIR", elsewhere, 1);
	setenv("GIT_INDEX_FILE", elsewhere, 1);
	accept(v1, NULL, &k, NULL);
	unsetenv("GIT_DIR");
	unsetenv("GIT_INDEX_FILE");
	accept(dir, NULL, &as_is, NULL);
	assert_string_equal(as_is.version, "v2");
	assert_false(path_exists(mark));
}

static const char plain_patch[] =
	"--- a/two.c\n+++ b/two.c\n@@ -1,4 +1,4 @@\n"
	" int two(void)\n {\n-\treturn 2;\n+\treturn 22;\n }\n";

static const char bad_patch[] =
	"--- a/two.c\n+++ b/two.c\n@@ -1,4 +1,4 @@\n"
	" int two(void)\n {\n-\treturn 99;\n+\treturn 22;\n }\n";

#define MAIL(subject, body)                                              \
	"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n" \
	"From: A Developer <a@example.org>\n"                             \
	"Date: Tue, 1 Sep 2026 10:00:00 +0000\n"                          \
	"Subject: " subject "\n\n" body

static const char cover[] =
	MAIL("[PATCH 0/2] dax: a series", "It does this and that.\n\n"
	     " dax.c | 2 +-\n\n> diff --git a/x b/x\n--\n2.39\n\n");

static const char first_mail[] =
	MAIL("[PATCH 1/2] dax: return more",
	     "Because.\n---\n dax.c | 2 +-\n\n"
	     "diff --git a/dax.c b/dax.c\n--- a/dax.c\n+++ b/dax.c\n"
	     "@@ -1,4 +1,4 @@\n int dax(void)\n {\n"
	     "-\treturn 4;\n+\treturn 5;\n }\n-- \n2.39\n\n");

static const char second_mail[] =
	MAIL("[PATCH 2/2] dax: return even\n more",
	     "---\ndiff --git a/dax.c b/dax.c\n--- a/dax.c\n+++ b/dax.c\n"
	     "@@ -1,4 +1,4 @@\n int dax(void)\n {\n"
	     "-\treturn 5;\n+\treturn 6;\n }\n"
	     "diff --git a/new.c b/new.c\nnew file mode 100644\n"
	     "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int new;\n-- \n2.39\n");

static void add_patch(struct kernel_opts *o, const char *name,
		      const char *text)
{
	_free_ char *path = in_scratch("%s", name);

	put(name, text);
	strv_push(&o->patches, path);
}

static void patches_apply_in_order(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *v2 = at(dir, "v2");
	_free_ char *mbox = xstrfmt("%s%s%s", cover, first_mail, second_mail);
	_free_ char *before = NULL;
	struct kernel_opts o = {};
	_kernel_ struct kernel k = KERNEL_INIT;

	/* The user has the outcome already, on a branch: git would set the
	 * times of those objects. */
	sh("cd linux && git checkout -q -b side && sed -i s/4/5/ dax.c && " GIT
	   " commit -qam a && sed -i s/5/6/ dax.c && sed -i s/2/22/ two.c &&"
	   " echo 'int new;' > new.c && git add new.c && " GIT
	   " commit -qam b && git checkout -q main");
	before = listing(dir);
	add_patch(&o, "series.mbox", mbox);
	add_patch(&o, "plain.diff", plain_patch);
	accept(v2, &o, &k, NULL);
	has("dax.c", "return 6;");
	has("two.c", "return 22;");
	has("new.c", "int new;");
	assert_string_equal(k.version, "v2 + 2 patch files");
	untouched(dir, before);
	strv_free(&o.patches);
}

static void renames_apply(void **state)
{
	static const char patch[] =
		"diff --git a/two.c b/zwei.c\nsimilarity index 100%\n"
		"rename from two.c\nrename to zwei.c\n"
		"diff --git a/one.c b/eins.c\nsimilarity index 100%\n"
		"copy from one.c\ncopy to eins.c\n";
	_free_ char *dir = git_tree();
	struct kernel_opts o = { .dry_run = true };
	_kernel_ struct kernel k = KERNEL_INIT;

	add_patch(&o, "rename.diff", patch);
	accept(dir, &o, &k, NULL);
	strv_free(&o.patches);
}

static void failing_patch_is_named_with_its_reason(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *mbox = xstrfmt("%s%s", first_mail, first_mail);
	struct kernel_opts o = {};

	add_patch(&o, "series.mbox", mbox);
	refuse(dir, &o, EXIT_CANNOT_TEST,
	       "series.mbox: \"dax: return more\" does not apply: patch failed: dax.c:1");
	strv_free(&o.patches);
	add_patch(&o, "ok.diff", plain_patch);
	add_patch(&o, "bad.diff", bad_patch);
	refuse(dir, &o, EXIT_CANNOT_TEST,
	       "bad.diff does not apply: patch failed: two.c:1");
	strv_free(&o.patches);
	strv_push(&o.patches, "/nonexistent.patch");
	refuse(dir, &o, EXIT_USAGE,
	       "cannot read the patch /nonexistent.patch: No such file");
	strv_free(&o.patches);
	add_patch(&o, "cover.mbox", cover);
	refuse(dir, &o, EXIT_USAGE, "cover.mbox has no patch in it");
	strv_free(&o.patches);
	add_patch(&o, "text", "just words\n");
	refuse(dir, &o, EXIT_USAGE, "text has no patch in it");
	strv_free(&o.patches);
	/* The copy is as good as before. */
	add_patch(&o, "ok.diff", plain_patch);
	{
		_kernel_ struct kernel k = KERNEL_INIT;

		accept(dir, &o, &k, NULL);
		has("two.c", "return 22;");
	}
	strv_free(&o.patches);
}

static void folded_subject_is_one_line(void **state)
{
	_free_ char *dir = git_tree();
	struct kernel_opts o = {};

	add_patch(&o, "two.patch", second_mail);
	refuse(dir, &o, EXIT_CANNOT_TEST,
	       "\"dax: return even more\" does not apply");
	strv_free(&o.patches);
}

/* Without a revision it is the tree as it stands that is patched. */
static void uncommitted_work_is_part_of_it(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *before = NULL;
	struct kernel_opts o = {};
	_kernel_ struct kernel k = KERNEL_INIT;
	_kernel_ struct kernel again = KERNEL_INIT;

	put("linux/one.c", "int one(void)\n{\n\treturn 111;\n}\n");
	put("linux/untracked.c", "int u;\n");
	put("linux/ignored.c", "int i;\n");
	before = listing(dir);
	add_patch(&o, "plain.diff", plain_patch);
	accept(dir, &o, &k, NULL);
	has("one.c", "return 111;");
	has("two.c", "return 22;");
	has("untracked.c", "int u;");
	sh("! ls cache/rig/git/*/linux/ignored.c");
	untouched(dir, before);
	/* The next change is picked up through the kept index. */
	put_settled("linux/one.c", "int one(void)\n{\n\treturn 112;\n}\n");
	sh("rm linux/untracked.c");
	accept(dir, &o, &again, NULL);
	has("one.c", "return 112;");
	sh("! ls cache/rig/git/*/linux/untracked.c");
	assert_int_equal(count_lines(again.build_log, "  CC "), 1);
	strv_free(&o.patches);
}

static void plain_folder_can_be_patched(void **state)
{
	_free_ char *dir = in_scratch("linux");
	_free_ char *before = NULL;
	struct kernel_opts o = {};
	_kernel_ struct kernel k = KERNEL_INIT;

	make_tree("linux");
	/* Without git, what .gitignore names is source as well. */
	put("linux/.gitignore", "one.c\n");
	before = listing(dir);
	add_patch(&o, "plain.diff", plain_patch);
	accept(dir, &o, &k, NULL);
	has("two.c", "return 22;");
	has("one.c", "return 1;");
	assert_string_equal(k.version, "unversioned + 1 patch file");
	untouched(dir, before);
	strv_free(&o.patches);
}

static void same_patches_again_touch_nothing(void **state)
{
	_free_ char *dir = git_tree();
	struct kernel_opts o = {};
	struct timespec one, dax, one2, dax2;
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;
	_kernel_ struct kernel c = KERNEL_INIT;

	add_patch(&o, "one.patch", first_mail);
	accept(dir, &o, &a, NULL);
	free(copied("one.c", &one));
	free(copied("dax.c", &dax));
	accept(dir, &o, &b, NULL);
	assert_null(b.build_log);
	assert_string_equal(a.image, b.image);
	/* One more patch: files that it leaves alone keep their times. */
	add_patch(&o, "plain.diff", plain_patch);
	accept(dir, &o, &c, NULL);
	free(copied("one.c", &one2));
	free(copied("dax.c", &dax2));
	assert_memory_equal(&one, &one2, sizeof(one));
	assert_memory_equal(&dax, &dax2, sizeof(dax));
	assert_int_equal(count_lines(c.build_log, "  CC "), 1);
	strv_free(&o.patches);
}

static void damaged_copy_is_mended(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *v1 = at(dir, "v1");
	_free_ char *v2 = at(dir, "v2");
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;

	accept(v1, NULL, &a, NULL);
	/* What a rig that was killed in the middle leaves behind. */
	sh("cd cache/rig/git/*/repo && touch index.lock && cd ../linux &&"
	   " echo broken > one.c && rm two.c");
	accept(v2, NULL, &b, NULL);
	has("one.c", "return 1;");
	has("two.c", "return 2;");
}

static void bare_repository_and_worktree_will_do(void **state)
{
	_free_ char *dir = git_tree();
	_free_ char *bare = NULL;
	_free_ char *work = in_scratch("linked@v1");
	_kernel_ struct kernel a = KERNEL_INIT;
	_kernel_ struct kernel b = KERNEL_INIT;

	sh("git clone -q --bare linux bare/linux; cd linux;"
	   " git worktree add -q ../linked v2");
	bare = in_scratch("bare/linux@v1");
	accept(bare, NULL, &a, NULL);
	has("dax.c", "return 3;");
	accept(work, NULL, &b, NULL);
	assert_string_equal(b.version, "v1");
	(void)dir;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(revision_is_built_from_a_private_copy),
		test(git_tree_as_it_is_stays_so),
		test(renames_apply),
		test(unknown_revision_is_named),
		test(tree_configured_in_place_has_a_way_out),
		test(revision_that_is_no_tree_is_told),
		test(git_environment_has_no_part),
		test(patches_apply_in_order),
		test(failing_patch_is_named_with_its_reason),
		test(folded_subject_is_one_line),
		test(uncommitted_work_is_part_of_it),
		test(plain_folder_can_be_patched),
		test(same_patches_again_touch_nothing),
		test(damaged_copy_is_mended),
		test(bare_repository_and_worktree_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
