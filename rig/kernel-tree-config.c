// SPDX-License-Identifier: GPL-2.0-or-later
/* Kconfig's part of a build: see kernel-tree-internal.h. */
#include "kernel-tree-internal.h"
#include "progress.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Objects that one symbol set in .config leads to: 1,206 of 545 on 6.1 with
 * the default fragments. Only for the first build of a folder, which says
 * "about". */
#define OBJECTS_PER_SYMBOL 2.2

int build_load_request(struct build *b)
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

bool request_reads_elsewhere(const char *request)
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
	build_toolchain(&all);
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

/* Whether a line of @config is @line. */
static bool has_line(const char *config, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = config; (p = strstr(p, line)); p += len)
		if ((p == config || p[-1] == '\n') &&
		    (!p[len] || p[len] == '\n'))
			return true;
	return false;
}

bool build_needs_bzimage(const char *config)
{
	static const char *const instrumented[] = {
		"CONFIG_KASAN=y", "CONFIG_KMSAN=y", "CONFIG_KCSAN=y",
		"CONFIG_KCOV=y", "CONFIG_GCOV_PROFILE_ALL=y",
	};

	if (!has_line(config, "CONFIG_PVH=y"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(instrumented); i++)
		if (has_line(config, instrumented[i]))
			return true;
	return false;
}

static bool file_says(const char *path, const char *text)
{
	_buf_ struct buf b = {};

	return text && read_file(path, &b) == 0 && strcmp(b.data, text) == 0;
}

int build_configure(struct build *b)
{
	_free_ char *request = xstrfmt("%s/request", b->dir);
	_free_ char *config = xstrfmt("%s/.config", b->obj);
	_free_ char *saved = xstrfmt("%s/configured", b->dir);
	_free_ char *stamp = config_stamp(b);
	int err;

	if (file_says(saved, stamp))
		return EXIT_CLEAN;
	progress("configure", "configuring %s", b->src->name);
	unlink(saved);
	err = write_file(b->o->config ? config : request, b->request.data,
			 b->request.len);
	if (err)
		return failed(EXIT_RIG_FAILED, "cannot write to %s: %s", b->dir,
			      strerror(-err));
	return build_make_config(b);
}

void build_configured(const struct build *b)
{
	_free_ char *saved = xstrfmt("%s/configured", b->dir);
	_free_ char *stamp = config_stamp(b);

	if (stamp)
		write_file(saved, stamp, strlen(stamp));
}

int build_read_config(struct build *b, char **lost)
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
	b->bzimage = build_needs_bzimage(config.data);
	b->modules = strstr(config.data, "\nCONFIG_MODULES=y\n");
	for (const char *s = config.data; (s = strchr(s, '=')); s++)
		set += s[1] == 'y' || s[1] == 'm';
	b->total = set * OBJECTS_PER_SYMBOL;
	b->estimate = true;
	return EXIT_CLEAN;
}
