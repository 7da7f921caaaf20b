// SPDX-License-Identifier: GPL-2.0-or-later
#include "workload.h"

extern const struct ref_kind *const __start_ref_kinds[];
extern const struct ref_kind *const __stop_ref_kinds[];

const struct ref_kind *ref_kind_of(const char *name)
{
	for (const struct ref_kind *const *k = __start_ref_kinds;
	     k < __stop_ref_kinds; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	BROKEN("no such kind of reference: %s", name);
}

static struct ref *take(const struct ref_kind *k, void *p, size_t len)
{
	struct ref *r = k->take(p, len);

	if (!r && (errno == ENOSYS || errno == EOPNOTSUPP ||
		   errno == EAFNOSUPPORT || errno == ENOENT))
		SKIP("no %s reference on this kernel: %s", k->name,
		     strerror(errno));
	if (!r)
		BROKEN("cannot take a %s reference: %s", k->name,
		       strerror(errno));
	r->kind = k;
	r->len = len;
	return r;
}

/* Whether a store after the take is seen at the drop, on ordinary memory: a
 * copy would not show it. */
static bool is_reference(const struct ref_kind *k)
{
	char *p = SAFE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct ref *r;
	int ret;

	memset(p, 1, PAGE);
	r = take(k, p, PAGE);
	memset(p, 2, PAGE);
	ret = k->drop(r, p);
	munmap(p, PAGE);
	return ret == 0;
}

struct ref *ref_take(const char *name, void *p, size_t len)
{
	const struct ref_kind *k = ref_kind_of(name);

	if (k->may_copy && !is_reference(k))
		SKIP("this kernel copies where %s would keep a reference",
		     name);
	return take(k, p, len);
}

int ref_drop(struct ref *r, const void *expect)
{
	return r->kind->drop(r, expect);
}
