// SPDX-License-Identifier: GPL-2.0-or-later
#include "workload.h"

extern const struct ref_kind *const __start_ref_kinds[];
extern const struct ref_kind *const __stop_ref_kinds[];

struct ref *ref_take(const char *name, void *p, size_t len)
{
	for (const struct ref_kind *const *k = __start_ref_kinds;
	     k < __stop_ref_kinds; k++) {
		struct ref *r;

		if (strcmp((*k)->name, name) != 0)
			continue;
		r = (*k)->take(p, len);
		if (!r && (errno == ENOSYS || errno == EOPNOTSUPP ||
			   errno == EAFNOSUPPORT || errno == ENOENT))
			SKIP("no %s reference on this kernel: %s", name,
			     strerror(errno));
		if (!r)
			BROKEN("cannot take a %s reference: %s", name,
			       strerror(errno));
		r->kind = *k;
		r->len = len;
		return r;
	}
	BROKEN("no such kind of reference: %s", name);
}

int ref_drop(struct ref *r, const void *expect)
{
	return r->kind->drop(r, expect);
}
