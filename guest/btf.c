// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Typedefs and qualifiers in front of a type, and anonymous structs in one
 * another. The kernel's own go to 4; what goes on for longer is a loop. */
#define MAX_CHAIN 32
#define MAX_DEPTH 16
/* Members that are looked at for one name: structs that contain each other
 * several times over would take for ever, at no great depth. */
#define MAX_STEPS 20000

/* One entry of the list that is asked for. */
struct wanted {
	char *type;		/* ends where the member begins */
	const char *member;
	bool done;		/* its type was found */
};

/* libbpf 1.1 btf_parse_hdr() takes hdr_len on trust. */
static const char *header_fault(const void *data, size_t size)
{
	const struct btf_header *h = data;
	uint64_t left;

	if (size < sizeof(*h) || size > INT32_MAX)
		return "it has not the size of BTF";
	if (h->magic != BTF_MAGIC || h->version != BTF_VERSION)
		return "not BTF of version 1 in this machine's byte order";
	if (h->hdr_len < sizeof(*h) || h->hdr_len > size)
		return "its header does not fit";
	left = size - h->hdr_len;
	if (h->hdr_len % 4 || h->type_off % 4 ||
	    (uint64_t)h->type_off + h->type_len > left ||
	    (uint64_t)h->str_off + h->str_len > left)
		return "its sections do not fit";
	return NULL;
}

/* The type behind typedefs and qualifiers; NULL: none, or a loop. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	for (int i = 0; i < MAX_CHAIN; i++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!t || !(btf_is_mod(t) || btf_is_typedef(t)))
			return t;
		id = t->type;
	}
	return NULL;
}

static bool is_bit_field(const struct btf *btf, const struct btf_type *t,
			 unsigned int i)
{
	const struct btf_type *m = resolve(btf, btf_members(t)[i].type);

	if (btf_member_bitfield_size(t, i))
		return true;
	return m && btf_is_int(m) &&
	       (btf_int_offset(m) || btf_int_bits(m) != m->size * 8);
}

/* Bits from the start of @t to its member @name; -1: there is none. */
static int64_t find(const struct btf *btf, const struct btf_type *t,
		    const char *name, int depth, int *steps)
{
	for (unsigned int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		const char *s = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *in;
		int64_t off = btf_member_bit_offset(t, i), more;

		if (--*steps < 0)
			return -1;
		if (s && *s) {
			if (strcmp(s, name) != 0)
				continue;
			return is_bit_field(btf, t, i) || off % 8 ? -1 : off;
		}
		in = depth < MAX_DEPTH ? resolve(btf, m->type) : NULL;
		if (!in || !btf_is_composite(in))
			continue;
		more = find(btf, in, name, depth + 1, steps);
		if (more >= 0)
			return off + more;
	}
	return -1;
}

static bool enum_value(const struct btf *btf, const struct btf_type *t,
		       const char *name, int64_t *out)
{
	for (unsigned int i = 0; i < btf_vlen(t); i++) {
		const struct btf_enum64 *wide = btf_enum64(t) + i;
		const struct btf_enum *e = btf_enum(t) + i;
		bool is_wide = btf_kind(t) == BTF_KIND_ENUM64;
		const char *s = btf__name_by_offset(
			btf, is_wide ? wide->name_off : e->name_off);

		if (!s || strcmp(s, name) != 0)
			continue;
		/* include/uapi/linux/btf.h: kind_flag says that it is signed. */
		*out = is_wide		? (int64_t)btf_enum64_value(wide) :
		       btf_kflag(t)	? (int64_t)e->val :
					  (int64_t)(uint32_t)e->val;
		return true;
	}
	return false;
}

static struct json_object *child_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, key, &v))
		return v;
	v = json_object_new_object();
	json_object_object_add(o, key, v);
	return v;
}

static void take(const struct btf *btf, const struct btf_type *t,
		 const struct wanted *w, struct json_object *out)
{
	struct json_object *o = child_of(out, w->type);
	bool composite = btf_is_composite(t);
	int steps = MAX_STEPS;
	int64_t v;

	if (composite) {
		json_object_object_add(o, "size",
				       json_object_new_int64(t->size));
		v = find(btf, t, w->member, 0, &steps);
		if (v >= 0)
			json_object_object_add(o, w->member,
					       json_object_new_int64(v / 8));
	} else if (enum_value(btf, t, w->member, &v)) {
		json_object_object_add(o, w->member, json_object_new_int64(v));
	}
}

static size_t parse_list(struct json_object *members, struct wanted **out)
{
	size_t n = json_object_is_type(members, json_type_array) ?
			   json_object_array_length(members) : 0, k = 0;
	struct wanted *all = calloc(n + 1, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		const char *s = json_object_get_string(
			json_object_array_get_idx(members, i));
		char *dot;

		all[k].type = strdup(s ? s : "");
		dot = strchr(all[k].type, '.');
		if (!dot) {
			free(all[k].type);
			continue;
		}
		*dot = '\0';
		all[k++].member = dot + 1;
	}
	*out = all;
	return k;
}

struct json_object *btf_layout(const void *data, size_t size,
			       struct json_object *members, char why[BTF_WHY])
{
	const char *fault = header_fault(data, size);
	struct json_object *out;
	struct wanted *all;
	struct btf *btf;
	size_t n;

	/* What is wrong is the caller's to print. */
	libbpf_set_print(NULL);
	btf = fault ? NULL : btf__new(data, size);
	if (!btf) {
		snprintf(why, BTF_WHY, "corrupt BTF: %s",
			 fault ? fault : strerror(errno));
		return NULL;
	}
	n = parse_list(members, &all);
	out = json_object_new_object();
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, t->name_off);

		if (!name || !*name ||
		    !(btf_is_composite(t) || btf_is_any_enum(t)))
			continue;
		for (size_t i = 0; i < n; i++) {
			if (all[i].done || strcmp(all[i].type, name) != 0)
				continue;
			all[i].done = true;
			take(btf, t, &all[i], out);
		}
	}
	for (size_t i = 0; i < n; i++)
		free(all[i].type);
	free(all);
	btf__free(btf);
	return out;
}
