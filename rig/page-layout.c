// SPDX-License-Identifier: GPL-2.0-or-later
#include "page-layout.h"
#include "util.h"
#include "vmcoreinfo.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* --- what BTF tells ------------------------------------------------------ */

/*
 * The members of any kernel that have to do with the layout. Several rows may
 * give one figure: names moved between struct page and struct folio, and the
 * first row that the kernel has counts.
 */
static const struct want {
	const char *type, *member;
	size_t figure;		/* offset in struct page_layout */
	bool in_tail;		/* of struct page, but for the page after the
				 * head: struct folio counts on from there */
} wants[] = {
#define WANT(type, member, figure) \
	{ #type, #member, offsetof(struct page_layout, figure), false }
#define WANT_TAIL(member, figure) \
	{ "page", #member, offsetof(struct page_layout, figure), true }
	WANT(page, size, size),
	WANT(page, flags, flags),
	WANT(page, pgmap, pgmap),
	WANT(folio, pgmap, pgmap),		/* 6.15 */
	WANT(page, mapping, mapping),
	WANT(page, index, index),
	WANT(page, __folio_index, index),	/* 6.16 */
	WANT(folio, index, index),
	WANT(page, _mapcount, mapcount),
	WANT(page, _refcount, refcount),
	WANT(page, compound_head, compound_head),
	WANT(page, compound_info, compound_head), /* 7.2 */
	WANT(folio, _large_mapcount, large_mapcount),
	WANT(folio, _entire_mapcount, entire_mapcount),
	WANT_TAIL(compound_mapcount, entire_mapcount), /* up to 6.1 */
	WANT(folio, _pincount, pincount),
	WANT_TAIL(compound_pincount, pincount),
	WANT(folio, _folio_order, order),	/* up to 6.5 */
	WANT_TAIL(compound_order, order),
	WANT(folio, _flags_1, order),
	WANT(pageflags, PG_head, pg_head),
	WANT(address_space, host, mapping_host),
	WANT(inode, i_ino, inode_ino),
	WANT(inode, i_data, inode_data),
};

struct json_object *page_layout_wants(void)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		_free_ char *s = xstrfmt("%s.%s", wants[i].type,
					 wants[i].member);

		json_object_array_add(list, json_object_new_string(s));
	}
	return list;
}

static int *figure_of(struct page_layout *l, size_t offset)
{
	return (int *)((char *)l + offset);
}

/* The guest's figure, or -1; a figure that cannot be is as good as none. */
static int btf_figure(struct json_object *json, const struct want *w)
{
	struct json_object *type, *v;
	int64_t n;

	if (!json_object_object_get_ex(json, w->type, &type) ||
	    !json_object_object_get_ex(type, w->member, &v) ||
	    !json_object_is_type(v, json_type_int))
		return -1;
	n = json_object_get_int64(v);
	return n < 0 || n > 65536 ? -1 : n;
}

static void from_btf(struct json_object *json, struct page_layout *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		const struct want *w = &wants[i];
		int n = btf_figure(json, w), *figure = figure_of(l, w->figure);

		if (n < 0 || *figure >= 0)
			continue;
		*figure = w->in_tail ? n + l->size : n;
		if (w->figure == offsetof(struct page_layout, order))
			l->order_in_flags = strcmp(w->member, "_flags_1") == 0;
	}
}

/* --- what VMCOREINFO tells ----------------------------------------------- */

static const struct {
	const char *name;
	size_t from, to;
} notes[] = {
#define NOTE(from, to) { #to, offsetof(struct vmcoreinfo, from), \
			 offsetof(struct page_layout, to) }
	NOTE(page_size, size),
	NOTE(page_flags, flags),
	NOTE(page_refcount, refcount),
	NOTE(page_mapping, mapping),
	NOTE(page_mapcount, mapcount),
	NOTE(page_compound_head, compound_head),
	NOTE(pg_head, pg_head),
};

/* VMCOREINFO's figures over those that @l has, or, with @why, only where @l has
 * none and a word on those that differ. */
static void from_note(const struct vmcoreinfo *v, struct page_layout *l,
		      char **why)
{
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		int n = *(const int *)((const char *)v + notes[i].from);
		int *figure = figure_of(l, notes[i].to);

		if (n < 0 || n == *figure)
			continue;
		if (!why || *figure < 0)
			*figure = n;
		else if (!*why)
			*why = xstrfmt("struct page: %s is %d by the guest's "
				       "BTF, which is taken, and %d by its "
				       "VMCOREINFO", notes[i].name, *figure, n);
	}
}

/* --- kernels without BTF ------------------------------------------------- */

/* x86-64; options that make struct page larger than 64 bytes add to its end. A
 * row holds from its version on. Members of the page after the head are
 * relative to that page here. */
static const struct row {
	unsigned int major, minor;
	const char *source;
	struct page_layout l;
} rows[] = {
#define COMMON								\
	.size = 64, .flags = 0, .pgmap = 8, .compound_head = 8,		\
	.mapping = 24, .index = 32, .mapcount = 48, .refcount = 52,	\
	.mapping_host = 0, .inode_ino = -1, .inode_data = -1
	{ 6, 1, "include/linux/mm_types.h of 6.1",
	  { COMMON, .large_mapcount = -1, .entire_mapcount = 20,
	    .pincount = 24, .order = 17, .pg_head = 16 } },
	/* Large folios of DAX pages are not before 6.15, so that what follows
	 * the order is not needed. */
	{ 6, 2, "include/linux/mm_types.h of 6.1, but for large folios",
	  { COMMON, .large_mapcount = -1, .entire_mapcount = -1,
	    .pincount = -1, .order = 17, .pg_head = -1 } },
	{ 6, 6, "include/linux/mm_types.h of 6.12, but for large folios",
	  { COMMON, .large_mapcount = -1, .entire_mapcount = -1,
	    .pincount = -1, .order = 0, .order_in_flags = true,
	    .pg_head = -1 } },
	{ 6, 12, "include/linux/mm_types.h of 6.12",
	  { COMMON, .large_mapcount = 16, .entire_mapcount = 20,
	    .pincount = 28, .order = 0, .order_in_flags = true,
	    .pg_head = 6 } },
	{ 6, 15, "include/linux/mm_types.h of 7.2",
	  { COMMON, .large_mapcount = 16, .entire_mapcount = 24,
	    .pincount = 28, .order = 0, .order_in_flags = true,
	    .pg_head = 6 } },
};

static const struct row *row_of(const char *release)
{
	const struct row *best = NULL;
	unsigned int major, minor;

	if (!release || sscanf(release, "%u.%u", &major, &minor) != 2)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].major < major ||
		    (rows[i].major == major && rows[i].minor <= minor))
			best = &rows[i];
	return best;
}

/* --- both ---------------------------------------------------------------- */

/* Words that the census reads: all of them lie in their struct page. */
static const struct {
	const char *name;
	size_t figure;
	int bytes;
	bool needed, in_tail;
} words[] = {
#define WORD(name, bytes, needed, in_tail) \
	{ #name, offsetof(struct page_layout, name), bytes, needed, in_tail }
	WORD(flags, 8, true, false),
	WORD(pgmap, 8, true, false),
	WORD(mapping, 8, true, false),
	WORD(index, 8, true, false),
	WORD(mapcount, 4, true, false),
	WORD(refcount, 4, true, false),
	WORD(compound_head, 8, true, false),
	WORD(large_mapcount, 4, false, true),
	WORD(entire_mapcount, 4, false, true),
	WORD(pincount, 4, false, true),
	WORD(order, 1, false, true),
};

static void from_row(const struct row *row, const struct vmcoreinfo *v,
		     struct page_layout *l)
{
	*l = row->l;
	if (v)
		from_note(v, l, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].in_tail && *figure_of(l, words[i].figure) >= 0)
			*figure_of(l, words[i].figure) += l->size;
	snprintf(l->source, sizeof(l->source), "table: %s%s", row->source,
		 v ? ", and VMCOREINFO" : "");
}

static char *check(struct page_layout *l)
{
	/* include/linux/mm.h __mm_zero_struct_page(): 56 to 96, and new debug
	 * options may add to it. */
	if (l->size < 56 || l->size > 256 || l->size % 8)
		return xstrfmt("struct page would have %d bytes", l->size);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		int at = *figure_of(l, words[i].figure), n = words[i].bytes;
		int from = words[i].in_tail ? l->size : 0;

		if (at < 0 && !words[i].needed)
			continue;
		if (at < 0)
			return xstrfmt("struct page has no %s", words[i].name);
		if (at % n || at < from || at + n > from + l->size)
			return xstrfmt("struct page has %d bytes, and %s at %d",
				       l->size, words[i].name, at);
	}
	if (l->pg_head > 63)
		return xstrfmt("PG_head is %d", l->pg_head);
	return NULL;
}

int page_layout_get(struct json_object *json, const struct vmcoreinfo *v,
		    const char *release, struct page_layout *out, char **why)
{
	static const struct page_layout none = {
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, false, -1, "",
		-1, -1, -1,
	};
	const struct row *row = row_of(release);
	_free_ char *odd = NULL;
	char *wrong;

	*why = NULL;
	*out = none;
	if (json) {
		from_btf(json, out);
		snprintf(out->source, sizeof(out->source), "BTF");
		if (v)
			from_note(v, out, &odd);
	} else if (row) {
		from_row(row, v, out);
	} else {
		*why = xstrfmt("%s has no BTF, and its struct page is not known",
			       release ? release : "the guest's kernel");
		return -EINVAL;
	}
	wrong = check(out);
	*why = wrong ? wrong : take_ptr(odd);
	return wrong ? -EINVAL : 0;
}
