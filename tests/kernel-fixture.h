/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tests share: a scratch folder that is cache and home, a fake
 * kernel tree whose Makefile takes what rig passes to the real one and builds
 * in milliseconds, and kernel_get() with its stderr caught.
 */
#ifndef TESTS_KERNEL_FIXTURE_H
#define TESTS_KERNEL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "rig/cache.h"
#include "rig/kernel.h"
#include "rig/proc.h"
#include "rig/util.h"

static char *scratch;	/* of this test */

static inline int setup(void **state)
{
	char dir[] = "/tmp/rig-test-XXXXXX";
	_free_ char *cache = NULL;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	scratch = xstrdup(dir);
	cache = xstrfmt("%s/cache", scratch);
	setenv("XDG_CACHE_HOME", cache, 1);
	setenv("HOME", scratch, 1);
	/* One cache for all tests of a run would hide what is rebuilt. */
	unsetenv("CCACHE_DIR");
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	remove_tree(scratch);
	free(scratch);
	scratch = NULL;
	return 0;
}

static inline char *__printf(1, 2) in_scratch(const char *fmt, ...)
{
	_free_ char *rel = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&rel, fmt, ap) >= 0);
	va_end(ap);
	return xstrfmt("%s/%s", scratch, rel);
}

/* Write a file below the scratch folder, with the folders above it. */
static inline void put(const char *rel, const char *text)
{
	_free_ char *path = in_scratch("%s", rel);
	_free_ char *dir = xstrndup(path, strrchr(path, '/') - path);

	assert_int_equal(mkdir_p(dir), 0);
	assert_int_equal(write_file(path, text, strlen(text)), 0);
}

/* As put(), with times that lie back, as those of a tree that nobody is
 * editing do; a fresh file could change again within one clock tick. */
static inline void put_settled(const char *rel, const char *text)
{
	put(rel, text);
	usleep(80000);
}

static inline char *slurp(const char *path)
{
	_buf_ struct buf b = {};

	return read_file(path, &b) ? NULL : take_ptr(b.data);
}

#define sh(...) sh_(__LINE__, __VA_ARGS__)
static inline void __printf(2, 3) sh_(int line, const char *fmt, ...)
{
	_free_ char *cmd = NULL;
	_free_ char *all = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) >= 0);
	va_end(ap);
	all = xstrfmt("cd %s && { %s; } >sh.out 2>&1 </dev/null", scratch, cmd);
	if (system(all))
		fail_msg("line %d: '%s' failed", line, cmd);
}

/* Takes ARCH=, O=, CC=, KCONFIG_ALLCONFIG= as the kernel's does. It drops
 * CONFIG_DROPPED*, so that there is something to fall away. */
static const char fake_makefile[] =
	"# SPDX-License-Identifier: GPL-2.0-or-later\n"
	"VERSION = 6\n"
	"PATCHLEVEL = 1\n"
	"SUBLEVEL = 7\n"
	"EXTRAVERSION = -fake\n"
	"objs := $(O)/one.o $(O)/two.o $(O)/dax.o\n"
	"allnoconfig:\n"
	"\t@echo allnoconfig >> $(O)/calls\n"
	"\t@grep -v DROPPED $(KCONFIG_ALLCONFIG) > $(O)/.config\n"
	"olddefconfig:\n"
	"\t@echo olddefconfig >> $(O)/calls\n"
	"conf:\n"
	"\t@mkdir -p $(O)/include/config $(O)/arch/x86/boot\n"
	"\t@echo 6.1.7-fake > $(O)/include/config/kernel.release\n"
	"\t@printf 'deps_config := \\\\\\n\\tKconfig \\\\\\n\\n'"
	" > $(O)/include/config/auto.conf.cmd\n"
	"$(O)/%.o: %.c\n"
	"\t@echo '  CC      $*.o'\n"
	"\t@$(CC) -c -o $@ $(CURDIR)/$<\n"
	"vmlinux: conf $(objs)\n"
	"\t@cat $(objs) > $(O)/vmlinux\n"
	"bzImage: vmlinux\n"
	"\t@cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage\n"
	"modules: vmlinux\n"
	"modules_install:\n"
	"\t@mkdir -p $(INSTALL_MOD_PATH)/lib/modules/6.1.7-fake/kernel\n"
	"\t@touch $(INSTALL_MOD_PATH)/lib/modules/6.1.7-fake/modules.order"
	" $(INSTALL_MOD_PATH)/lib/modules/6.1.7-fake/modules.builtin\n";

static inline void make_tree(const char *name)
{
	static const char *const files[][2] = {
		{ "Makefile", fake_makefile },
		{ "Kconfig", "config DROPPED_BY_DEPS\n\tbool\n" },
		{ "arch/x86/Kconfig", "config X86\n" },
		{ "one.c", "int one(void)\n{\n\treturn 1;\n}\n" },
		{ "two.c", "int two(void)\n{\n\treturn 2;\n}\n" },
		{ "dax.c", "int dax(void)\n{\n\treturn 3;\n}\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_free_ char *rel = xstrfmt("%s/%s", name, files[i][0]);

		put(rel, files[i][1]);
	}
	usleep(80000);
}

/* kernel_get() with what it prints in *@said (owned by the caller). */
static inline int get(const char *spec, const struct kernel_opts *o,
		      struct kernel *k, char **said)
{
	static const struct kernel_opts none;
	_free_ char *path = in_scratch("stderr");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int old = dup(STDERR_FILENO), ret;

	assert_true(fd >= 0 && old >= 0);
	dup2(fd, STDERR_FILENO);
	ret = kernel_get(spec, o ? o : &none, k);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	close(fd);
	*said = slurp(path);
	return ret;
}

/* kernel_get() fails with @want, and says @text in one line of its own. */
static inline void refuse(const char *spec, const struct kernel_opts *o,
			  int want, const char *text)
{
	_kernel_ struct kernel k = KERNEL_INIT;
	_free_ char *said = NULL;
	int ret = get(spec, o, &k, &said);
	const char *at = strstr(said, "rig: error: ");

	if (ret != want || !at || !strstr(at, text))
		fail_msg("%s: exit %d, not %d, or '%s' not in: %s", spec, ret,
			 want, text, said);
	assert_null(strstr(at + 1, "rig: error: "));
}

static inline void accept(const char *spec, const struct kernel_opts *o,
			  struct kernel *k, const char *says)
{
	_free_ char *said = NULL;
	int ret = get(spec, o, k, &said);

	if (ret != EXIT_CLEAN)
		fail_msg("%s: exit %d: %s", spec, ret, said);
	if (says && !strstr(said, says))
		fail_msg("%s: '%s' not in: %s", spec, says, said);
}

/* How often @word begins a line of the file. */
static inline int count_lines(const char *path, const char *word)
{
	_free_ char *text = slurp(path);
	int n = 0;

	for (char *s = text; s && *s; s = strchr(s, '\n') + 1) {
		n += starts_with(s, word);
		if (!strchr(s, '\n'))
			break;
	}
	return n;
}

/* One line for each file below @dir: type, mode, size, times, content. */
static inline char *listing(const char *dir)
{
	_free_ char *path = in_scratch("listing");

	sh("cd %s; find . -printf '%%p %%M %%s %%T@ %%C@ %%l\\n' | sort > %s;"
	   " find . -type f -print0 | sort -z | xargs -0 sha1sum >> %s",
	   dir, path, path);
	return slurp(path);
}

/* Nothing below @dir is different from what listing() said. */
static inline void untouched(const char *dir, const char *before)
{
	_free_ char *after = listing(dir);
	_free_ char *diff = NULL;

	if (strcmp(before, after) == 0)
		return;
	put("before", before);
	put("after", after);
	sh("diff before after > differences; true");
	diff = in_scratch("differences");
	fail_msg("%s was touched: %s", dir, slurp(diff));
}

#endif
