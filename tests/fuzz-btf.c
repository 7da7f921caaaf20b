// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of the BTF lookup, and its seed: compiled for BPF, this
 * file has a .BTF section of every kind of type that is looked at.
 */
#ifdef __bpf__

typedef unsigned int u32;
typedef const volatile u32 cvu32;

enum pageflags { PG_locked, PG_head = 6, PG_last = -1 };
enum big { BIG = 0x123456789abull };

struct page {
	unsigned long flags;
	union {
		struct {
			struct page *lru[2];
			void *mapping;
			unsigned long index;
		};
		struct {
			void *pgmap;
			u32 low : 3, high : 5;
		};
	};
	union {
		u32 page_type;
		cvu32 _mapcount;
	};
	u32 _refcount;
};

struct folio {
	union {
		struct {
			unsigned long flags;
		};
		struct page page;
	};
	enum pageflags last;
	enum big big;
	int (*fn)(struct folio *f, u32 order);
};

struct folio folio;

#else

#include "guest/btf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_object *wants;
	char why[BTF_WHY] = "";
	struct json_object *o;

	if (!wants)
		wants = json_tokener_parse(
			"[\"page._refcount\",\"page.mapping\",\"page.low\","
			"\"page.none\",\"folio.flags\",\"folio.last\","
			"\"pageflags.PG_head\",\"pageflags.PG_last\","
			"\"big.BIG\"]");
	o = btf_layout(data, size, wants, why);
	must(!o == (*why != '\0'));
	if (!o)
		return 0;
	must(json_object_object_length(o) <= 4);
	json_object_object_foreach(o, type, members) {
		must(*type && json_object_is_type(members, json_type_object));
		json_object_object_foreach(members, name, v) {
			must(*name && json_object_is_type(v, json_type_int));
			if (strcmp(type, "page") == 0 ||
			    strcmp(type, "folio") == 0)
				must(json_object_get_int64(v) >= 0);
		}
	}
	json_object_put(o);
	return 0;
}

#endif
