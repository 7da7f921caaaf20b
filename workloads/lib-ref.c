// SPDX-License-Identifier: GPL-2.0-or-later
#include "workload.h"
#include "log.h"

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

static struct ref *try_take(const struct ref_kind *k, void *p, size_t len)
{
	struct ref *r = k->take(p, len);

	if (r) {
		r->kind = k;
		r->len = len;
	}
	return r;
}

static bool is_lacking(int err)
{
	return err == ENOSYS || err == EOPNOTSUPP || err == EAFNOSUPPORT ||
	       err == ENOENT;
}

static struct ref *take(const struct ref_kind *k, void *p, size_t len)
{
	struct ref *r = try_take(k, p, len);

	if (!r && is_lacking(errno))
		SKIP("no %s reference on this kernel: %s", k->name,
		     strerror(errno));
	if (!r)
		BROKEN("cannot take a %s reference: %s", k->name,
		       strerror(errno));
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
	struct ref *r;

	if (k->may_copy && !is_reference(k))
		SKIP("this kernel copies where %s would keep a reference",
		     name);
	r = take(k, p, len);
	r->hold = log_hold(k->name, p, len);
	return r;
}

struct ref *ref_try(const char *name, void *p, size_t len)
{
	struct ref *r = try_take(ref_kind_of(name), p, len);

	if (!r && !is_lacking(errno))
		BROKEN("cannot take a %s reference: %s", name, strerror(errno));
	if (r)
		r->hold = log_hold(name, p, len);
	return r;
}

int ref_drop(struct ref *r, const void *expect)
{
	int hold = r->hold, ret = r->kind->drop(r, expect);

	log_release(hold);
	return ret;
}
