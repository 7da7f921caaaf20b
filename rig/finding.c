// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "finding.h"

/* NULs keep "a" + "bc" and "ab" + "c" apart. */
static void make_hash(const char *kind, const char *key, const char *site,
		      char hex[17])
{
	_buf_ struct buf b = {};

	buf_add(&b, kind, strlen(kind) + 1);
	buf_add(&b, key, strlen(key) + 1);
	if (site && *site)
		buf_add(&b, site, strlen(site) + 1);
	hash_hex(b.data, b.len, hex);
}

struct finding *findings_find(struct findings *fs, const char *fingerprint)
{
	for (size_t i = 0; i < fs->n; i++)
		if (!strcmp(fs->v[i].fingerprint, fingerprint))
			return &fs->v[i];
	return NULL;
}

static struct finding *findings_new(struct findings *fs)
{
	struct finding *f;

	fs->v = xrealloc(fs->v, (fs->n + 1) * sizeof(*fs->v));
	f = &fs->v[fs->n++];
	memset(f, 0, sizeof(*f));
	return f;
}

/* The name may be one that the guest made up. */
static void add_case(struct finding *f, const char *name)
{
	_free_ char *shown = NULL;

	if (!name || f->cases.n >= FINDING_CASES)
		return;
	shown = printable(name, strlen(name), false);
	if (!strv_has(&f->cases, shown))
		strv_push(&f->cases, shown);
}

struct finding *findings_known(struct findings *fs, const struct sighting *s)
{
	char fp[17];

	make_hash(s->kind, s->key, s->site, fp);
	return findings_find(fs, fp);
}

struct finding *findings_add(struct findings *fs, const struct sighting *s)
{
	unsigned int count = s->count ? s->count : 1;
	struct finding *f;
	char fp[17];

	make_hash(s->kind, s->key, s->site, fp);
	f = findings_find(fs, fp);
	if (!f) {
		f = findings_new(fs);
		memcpy(f->fingerprint, fp, sizeof(fp));
		make_hash(s->kind, s->key, NULL, f->family);
		f->kind = xstrdup(s->kind);
		f->oracle = xstrdup(s->oracle);
		f->title = printable(s->title, strlen(s->title), false);
		f->key = printable(s->key, strlen(s->key), false);
		f->text = printable(s->text ? s->text : "", s->text_len, true);
		f->detail = s->detail ? xstrdup(s->detail) : NULL;
		f->boot = s->boot;
		f->offset = s->offset;
		f->time = s->time;
	}
	f->count += count < UINT_MAX - f->count ? count : UINT_MAX - f->count;
	add_case(f, s->case_name);
	return f;
}

void findings_free(struct findings *fs)
{
	for (size_t i = 0; i < fs->n; i++) {
		free(fs->v[i].kind);
		free(fs->v[i].oracle);
		free(fs->v[i].title);
		free(fs->v[i].key);
		free(fs->v[i].text);
		free(fs->v[i].detail);
		strv_free(&fs->v[i].cases);
	}
	free(fs->v);
	*fs = (struct findings){};
}

struct json_object *findings_to_json(const struct findings *fs)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < fs->n; i++) {
		const struct finding *f = &fs->v[i];
		struct json_object *o = json_object_new_object();
		struct json_object *cases = json_object_new_array();

		for (size_t j = 0; j < f->cases.n; j++)
			json_object_array_add(cases,
				json_object_new_string(f->cases.v[j]));
		json_object_object_add(o, "kind",
				       json_object_new_string(f->kind));
		json_object_object_add(o, "oracle",
				       json_object_new_string(f->oracle));
		json_object_object_add(o, "title",
				       json_object_new_string(f->title));
		json_object_object_add(o, "fingerprint",
				       json_object_new_string(f->fingerprint));
		json_object_object_add(o, "family",
				       json_object_new_string(f->family));
		json_object_object_add(o, "key",
				       json_object_new_string(f->key));
		json_object_object_add(o, "count",
				       json_object_new_int64(f->count));
		json_object_object_add(o, "cases", cases);
		json_object_object_add(o, "boot",
				       json_object_new_int(f->boot));
		json_object_object_add(o, "offset",
				       json_object_new_uint64(f->offset));
		/* JSON has no NaN, and null is how it says unknown. */
		json_object_object_add(o, "time", f->time < 0 ? NULL :
				       json_object_new_double(f->time));
		json_object_object_add(o, "text",
				       json_object_new_string(f->text));
		if (f->detail)
			json_object_object_add(o, "detail",
					       json_tokener_parse(f->detail));
		json_object_array_add(array, o);
	}
	return array;
}

static const char *get_string(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static bool get_int(struct json_object *o, const char *name, int64_t max,
		    int64_t *out)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v) ||
	    !json_object_is_type(v, json_type_int))
		return false;
	*out = json_object_get_int64(v);
	return *out >= 0 && *out <= max;
}

static bool get_hex(struct json_object *o, const char *name, char hex[17])
{
	const char *s = get_string(o, name);

	if (!s || strlen(s) != 16 || strspn(s, "0123456789abcdef") != 16)
		return false;
	memcpy(hex, s, 17);
	return true;
}

static bool get_time(struct json_object *o, double *time)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, "time", &v))
		return false;
	*time = -1;
	if (!v)
		return true;
	if (!json_object_is_type(v, json_type_double) &&
	    !json_object_is_type(v, json_type_int))
		return false;
	*time = json_object_get_double(v);
	return *time >= 0;
}

static bool get_cases(struct json_object *o, struct strv *cases)
{
	struct json_object *v, *s;

	if (!json_object_object_get_ex(o, "cases", &v) ||
	    !json_object_is_type(v, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		s = json_object_array_get_idx(v, i);
		if (!json_object_is_type(s, json_type_string))
			return false;
		strv_push(cases, json_object_get_string(s));
	}
	return true;
}

static bool finding_from_json(struct json_object *o, struct findings *fs)
{
	const char *kind, *oracle, *title, *text, *key;
	struct json_object *detail = NULL;
	_strv_ struct strv cases = {};
	int64_t count, boot, offset;
	struct finding head = {}, *f;

	if (!json_object_is_type(o, json_type_object) ||
	    !(kind = get_string(o, "kind")) ||
	    !(oracle = get_string(o, "oracle")) ||
	    !(title = get_string(o, "title")) ||
	    !(text = get_string(o, "text")) ||
	    !get_hex(o, "fingerprint", head.fingerprint) ||
	    !get_hex(o, "family", head.family) ||
	    !get_int(o, "count", UINT_MAX, &count) || !count ||
	    !get_int(o, "boot", INT_MAX, &boot) ||
	    !get_int(o, "offset", INT64_MAX, &offset) ||
	    !get_time(o, &head.time) || !get_cases(o, &cases) ||
	    findings_find(fs, head.fingerprint))
		return false;
	f = findings_new(fs);
	*f = head;
	f->kind = xstrdup(kind);
	f->oracle = xstrdup(oracle);
	/* Not in those of an older rig. */
	key = get_string(o, "key") ?: "";
	f->key = printable(key, strlen(key), false);
	if (json_object_object_get_ex(o, "detail", &detail) && detail)
		f->detail = xstrdup(json_object_to_json_string_ext(
			detail, JSON_C_TO_STRING_PLAIN));
	/* The file may have been edited: what it says is shown, too. */
	f->title = printable(title, strlen(title), false);
	f->text = printable(text, strlen(text), true);
	f->count = count;
	f->boot = boot;
	f->offset = offset;
	f->cases = cases;
	cases = (struct strv){};
	return true;
}

int findings_from_json(struct findings *fs, struct json_object *array)
{
	_findings_ struct findings got = {};

	if (!json_object_is_type(array, json_type_array))
		return -EINVAL;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (!finding_from_json(json_object_array_get_idx(array, i),
				       &got))
			return -EINVAL;
	findings_free(fs);
	*fs = got;
	got = (struct findings){};
	return 0;
}
