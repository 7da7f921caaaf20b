// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the agent's answer on where members are: the input is
 * the JSON itself, or, when its first byte is no '{', figures for the members
 * that the agent is asked for.
 */
#include <errno.h>

#include "gmem-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct json_object *figures(const uint8_t *data, size_t size)
{
	struct json_object *list = page_layout_wants();
	struct json_object *json = json_object_new_object(), *t;
	size_t n = json_object_array_length(list);

	for (size_t i = 0; i + 1 < size && i / 2 < n; i += 2) {
		_free_ char *s = xstrdup(json_object_get_string(
			json_object_array_get_idx(list, i / 2)));
		char *member = strchr(s, '.');
		int val = data[i] | (data[i + 1] & 3) << 8;

		*member++ = '\0';
		if (data[i + 1] & 4)
			continue;
		if (!json_object_object_get_ex(json, s, &t)) {
			t = json_object_new_object();
			json_object_object_add(json, s, t);
		}
		json_object_object_add(t, member, json_object_new_int(val));
	}
	json_object_put(list);
	return json;
}

/* What the census relies on, for any layout that it is given. */
static void must_be_sound(const struct page_layout *l)
{
	const int inner[] = { l->flags, l->pgmap, l->mapping, l->index,
			      l->compound_head };
	const int tail[] = { l->large_mapcount, l->entire_mapcount,
			     l->pincount };

	must(l->size >= 56 && l->size <= 256 && l->size % 8 == 0);
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		must(inner[i] >= 0 && inner[i] % 8 == 0 &&
		     inner[i] + 8 <= l->size);
	must(l->refcount >= 0 && l->refcount + 4 <= l->size);
	must(l->mapcount >= 0 && l->mapcount + 4 <= l->size);
	for (size_t i = 0; i < ARRAY_SIZE(tail); i++)
		must(tail[i] == -1 || (tail[i] >= l->size && tail[i] % 4 == 0 &&
				       tail[i] + 4 <= 2 * l->size));
	must(l->order == -1 || (l->order >= l->size && l->order < 2 * l->size));
	must(l->pg_head >= -1 && l->pg_head < 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const releases[] = { NULL, "6.1.0", "6.12.0", "x" };
	_free_ char *text = xstrndup((const char *)data, size), *why = NULL;
	struct vmcoreinfo v = {
		.page_size = 64, .page_refcount = size & 127, .page_flags = -1,
		.page_mapping = 24, .page_mapcount = 48, .pg_head = 6,
		.page_compound_head = 8,
	};
	struct json_object *json;
	struct page_layout l;
	int err;

	if (size && data[0] != '{')
		json = figures(data + 1, size - 1);
	else
		json = json_tokener_parse(text);
	err = page_layout_get(json, size & 1 ? &v : NULL,
			      releases[size / 2 & 3], &l, &why);
	must(err == 0 || err == -EINVAL);
	if (err)
		must(why != NULL);
	else
		must_be_sound(&l);
	json_object_put(json);
	return 0;
}
