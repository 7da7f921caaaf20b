// SPDX-License-Identifier: GPL-2.0-or-later
#include "kconfig.h"
#include "cache.h"
#include "kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <json-c/json.h>
#include <string.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_fragment(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".config");
}

/* Names of the shipped fragments, sorted. */
static void shipped(struct strv *names)
{
	_free_ char *dir = data_path("kconfigs");
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_fragment, by_name);

	for (int i = 0; i < n; i++) {
		char *s = list[i]->d_name;

		strv_pushf(names, "%.*s", (int)(strlen(s) - 7), s);
		free(list[i]);
	}
	free(list);
}

static bool is_path(const char *name)
{
	return strchr(name, '/') || ends_with(name, ".config");
}

static char *fragment_path(const char *name)
{
	return is_path(name) ? xstrdup(name) :
			       data_path("kconfigs/%s.config", name);
}

/* First comment line that is no SPDX tag, and the "default:" line. */
static void read_header(const char *text, char **help, bool *is_default)
{
	*help = NULL;
	*is_default = false;
	while (*text == '#') {
		size_t len = strcspn(text, "\n");
		const char *s = text + 1;

		while (*s == ' ')
			s++;
		if (strncmp(s, "default: yes", 12) == 0)
			*is_default = true;
		else if (!*help && !starts_with(s, "SPDX"))
			*help = xstrndup(s, text + len - s);
		text += len + (text[len] == '\n');
	}
}

static void want_set(struct kconfig *kc, const char *symbol, size_t len,
		     const char *value, const char *fragment)
{
	struct kconfig_want *w = NULL;

	for (size_t i = 0; i < kc->n; i++)
		if (strncmp(kc->v[i].symbol, symbol, len) == 0 &&
		    kc->v[i].symbol[len] == '\0')
			w = &kc->v[i];
	if (!w) {
		kc->v = xrealloc(kc->v, (kc->n + 1) * sizeof(*kc->v));
		w = &kc->v[kc->n++];
		*w = (struct kconfig_want){ .symbol = xstrndup(symbol, len) };
	}
	free(w->value);
	free(w->fragment);
	w->value = xstrdup(value);
	w->fragment = xstrdup(fragment);
}

static size_t symbol_len(const char *s)
{
	size_t n = 7;

	if (!starts_with(s, "CONFIG_"))
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n > 7 ? n : 0;
}

/* One line of a fragment; false when it is neither comment nor setting. */
static bool parse_line(struct kconfig *kc, char *s, const char *fragment)
{
	size_t end = strlen(s), len;
	const char *unset = starts_with(s, "# CONFIG_") ? s + 2 : NULL;

	while (end && isspace((unsigned char)s[end - 1]))
		s[--end] = '\0';
	if (unset && (len = symbol_len(unset)) &&
	    strcmp(unset + len, " is not set") == 0) {
		want_set(kc, unset, len, "n", fragment);
		return true;
	}
	if (!*s || *s == '#')
		return true;
	len = symbol_len(s);
	if (!len || s[len] != '=' || !s[len + 1])
		return false;
	want_set(kc, s, len, s + len + 1, fragment);
	return true;
}

static int load_one(struct kconfig *kc, const char *name, const char *text)
{
	_free_ char *copy = xstrdup(text);
	char *s = copy;

	for (int nr = 1; s; nr++) {
		char *line = strsep(&s, "\n");

		if (parse_line(kc, line, name))
			continue;
		error("%s:%d: '%s' is no CONFIG_X=value line", name, nr, line);
		return EXIT_USAGE;
	}
	strv_push(&kc->names, name);
	return EXIT_CLEAN;
}

static int no_such_fragment(const char *name, const char *path, int err)
{
	_strv_ struct strv have = {};
	_buf_ struct buf list = {};

	if (is_path(name) || err != -ENOENT) {
		error("cannot read kconfig fragment %s: %s", path,
		      strerror(-err));
		return EXIT_USAGE;
	}
	shipped(&have);
	for (size_t i = 0; i < have.n; i++)
		buf_addf(&list, " %s", have.v[i]);
	error("no kconfig fragment '%s'; there are:%s, or name a file by its path",
	      name, list.data ? list.data : "");
	return EXIT_USAGE;
}

int kconfig_load(struct kconfig *kc, bool defaults, const struct strv *extra)
{
	_strv_ struct strv names = {};

	shipped(&names);
	for (size_t i = 0; defaults && i < names.n; i++) {
		_free_ char *path = fragment_path(names.v[i]);
		_free_ char *help = NULL;
		_buf_ struct buf b = {};
		bool is_default;
		int err = read_file(path, &b);

		if (err)
			return no_such_fragment(names.v[i], path, err);
		read_header(b.data, &help, &is_default);
		err = is_default ? load_one(kc, names.v[i], b.data) : 0;
		if (err)
			return err;
	}
	for (size_t i = 0; i < extra->n; i++) {
		_free_ char *path = fragment_path(extra->v[i]);
		_buf_ struct buf b = {};
		int err;

		if (strv_has(&kc->names, extra->v[i]))
			continue;
		err = read_file(path, &b);
		if (err)
			return no_such_fragment(extra->v[i], path, err);
		err = load_one(kc, extra->v[i], b.data);
		if (err)
			return err;
	}
	return EXIT_CLEAN;
}

void kconfig_free(struct kconfig *kc)
{
	for (size_t i = 0; i < kc->n; i++) {
		free(kc->v[i].symbol);
		free(kc->v[i].value);
		free(kc->v[i].fragment);
	}
	free(kc->v);
	strv_free(&kc->names);
	*kc = (struct kconfig){};
}

char *kconfig_text(const struct kconfig *kc)
{
	struct buf b = {};

	buf_add(&b, "", 0);
	for (size_t i = 0; i < kc->n; i++)
		buf_addf(&b, "%s=%s\n", kc->v[i].symbol, kc->v[i].value);
	return b.data;
}

/* @value's place in @config, whose first byte is a newline, or NULL. */
static const char *config_value(const char *config, const char *symbol)
{
	_free_ char *key = xstrfmt("\n%s=", symbol);
	const char *at = strstr(config, key);

	return at ? at + strlen(key) : NULL;
}

static bool granted(const struct kconfig_want *w, const char *value)
{
	size_t len = strlen(w->value);

	if (strcmp(w->value, "n") == 0 || !value)
		return strcmp(w->value, "n") == 0 && !value;
	if (strcmp(w->value, "m") == 0 && *value == 'y')
		return true;
	return strncmp(value, w->value, len) == 0 &&
	       (value[len] == '\n' || value[len] == '\0');
}

/* Whether some Kconfig text defines @symbol ("CONFIG_" is not written there).*/
static bool defines(const char *text, const char *symbol)
{
	static const char *const forms[] = { "\nconfig %s\n",
					     "\nmenuconfig %s\n" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		char key[160];

		snprintf(key, sizeof(key), forms[i], symbol + 7);
		if (strstr(text, key))
			return true;
	}
	return false;
}

/* Mark in @known those of the symbols that a Kconfig file of @tree defines. */
static void find_defined(const char *tree, const struct strv *symbols,
			 bool *known)
{
	char *roots[] = { (char *)tree, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT,
			    NULL);
	FTSENT *e;

	while (fts && (e = fts_read(fts))) {
		_buf_ struct buf b = {};

		if (e->fts_info == FTS_D && e->fts_level > 0 &&
		    (e->fts_name[0] == '.' ||
		     strcmp(e->fts_name, "Documentation") == 0))
			fts_set(fts, e, FTS_SKIP);
		if (e->fts_info == FTS_D ||
		    !starts_with(e->fts_name, "Kconfig"))
			continue;
		buf_add(&b, "\n", 1);
		if (read_file(e->fts_path, &b))
			continue;
		for (size_t i = 0; i < symbols->n; i++)
			known[i] |= defines(b.data, symbols->v[i]);
	}
	if (fts)
		fts_close(fts);
}

char *kconfig_lost(const struct kconfig *kc, const char *config,
		   const char *tree, int *err)
{
	_buf_ struct buf b = {};
	_buf_ struct buf line = {};
	_strv_ struct strv lost = {};
	_free_ bool *known = NULL;

	buf_add(&b, "\n", 1);
	*err = read_file(config, &b);
	if (*err)
		return NULL;
	for (size_t i = 0; i < kc->n; i++)
		if (!granted(&kc->v[i], config_value(b.data, kc->v[i].symbol)))
			strv_push(&lost, kc->v[i].symbol);
	if (!lost.n)
		return NULL;
	known = xcalloc(lost.n, sizeof(*known));
	find_defined(tree, &lost, known);
	for (size_t i = 0, j = 0; i < kc->n && j < lost.n; i++) {
		const struct kconfig_want *w = &kc->v[i];
		const char *value = config_value(b.data, w->symbol);

		if (strcmp(w->symbol, lost.v[j]) != 0)
			continue;
		buf_addf(&line, "%s%s=%s (%s: ", line.len ? ", " : "",
			 w->symbol, w->value, w->fragment);
		if (value)
			buf_addf(&line, "it is %.*s)",
				 (int)strcspn(value, "\n"), value);
		else if (known[j])
			buf_addf(&line, "its dependencies are not met)");
		else
			buf_addf(&line, "this tree has no such symbol)");
		j++;
	}
	return take_ptr(line.data);
}

struct json_object *kconfig_list(void)
{
	struct json_object *list = json_object_new_array();
	_strv_ struct strv names = {};

	shipped(&names);
	for (size_t i = 0; i < names.n; i++) {
		struct json_object *o = json_object_new_object();
		_free_ char *path = fragment_path(names.v[i]);
		_free_ char *help = NULL;
		_buf_ struct buf b = {};
		bool is_default = false;

		if (!read_file(path, &b))
			read_header(b.data, &help, &is_default);
		json_object_object_add(o, "name",
				       json_object_new_string(names.v[i]));
		json_object_object_add(o, "default",
				       json_object_new_boolean(is_default));
		json_object_object_add(o, "help",
				       json_object_new_string(help ? help :
								     ""));
		json_object_object_add(o, "path", json_object_new_string(path));
		json_object_array_add(list, o);
	}
	return list;
}
