// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Namespaces, by libndctl: what `ndctl create-namespace` does with a fresh
 * NVDIMM, and disabling and enabling it again.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <daxctl/libdaxctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

/* What one entry of "setup"'s list asks for. */
struct want {
	int region;		/* n-th region in order of physical address */
	const char *mode;	/* "fsdax" or "devdax" */
	const char *map;	/* "dev" or "mem": where struct page lives */
	unsigned long long size;/* bytes of a labelled region; 0: all of it */
	unsigned long align;
};

static int by_address(const void *a, const void *b)
{
	unsigned long long x = ndctl_region_get_resource(
				   *(struct ndctl_region *const *)a),
			   y = ndctl_region_get_resource(
				   *(struct ndctl_region *const *)b);

	return x < y ? -1 : x > y;
}

/* All PMEM regions, by physical address; how many. */
static int regions(struct ndctl_ctx *ctx, struct ndctl_region **out, int max)
{
	struct ndctl_bus *bus;
	struct ndctl_region *r;
	int n = 0;

	ndctl_bus_foreach(ctx, bus)
		ndctl_region_foreach(bus, r)
			if (n < max)
				out[n++] = r;
	qsort(out, n, sizeof(*out), by_address);
	return n;
}

static struct ndctl_namespace *find(struct ndctl_ctx *ctx, const char *name)
{
	struct ndctl_bus *bus;
	struct ndctl_region *r;
	struct ndctl_namespace *ns;

	ndctl_bus_foreach(ctx, bus)
		ndctl_region_foreach(bus, r)
			ndctl_namespace_foreach(r, ns)
				if (strcmp(ndctl_namespace_get_devname(ns),
					   name) == 0)
					return ns;
	return NULL;
}

/* libndctl says ULLONG_MAX for an address that there is none of. */
static void put_address(struct json_object *o, const char *key,
			unsigned long long value)
{
	if (value != ULLONG_MAX)
		put_num(o, key, value);
}

/*
 * Where a namespace is and what is on it now, as sysfs has it: what a context
 * learned before the namespace was given its size is out of date.
 */
static void put_facts(struct ndctl_namespace *ns, struct json_object *out)
{
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ns);
	struct ndctl_dax *dax = ndctl_namespace_get_dax(ns);
	enum ndctl_pfn_loc loc = NDCTL_PFN_LOC_NONE;
	bool enabled = ndctl_namespace_is_active(ns);
	unsigned long long base = ndctl_namespace_get_resource(ns),
			   size = ndctl_namespace_get_size(ns), data = base;

	put_str(out, "name", ndctl_namespace_get_devname(ns));
	put_address(out, "base", base);
	put_num(out, "ns_size", size);
	if (dax) {
		loc = ndctl_dax_get_location(dax);
		data = ndctl_dax_get_resource(dax);
		size = ndctl_dax_get_size(dax);
	} else if (pfn) {
		loc = ndctl_pfn_get_location(pfn);
		data = ndctl_pfn_get_resource(pfn);
		size = ndctl_pfn_get_size(pfn);
	}
	put_address(out, "data", data);
	put_num(out, "size", size);
	put_str(out, "map", loc == NDCTL_PFN_LOC_PMEM ? "dev" :
			    loc == NDCTL_PFN_LOC_RAM  ? "mem" : NULL);
	json_object_object_add(out, "enabled",
			       json_object_new_boolean(enabled));
}

const char *cmd_where(struct json_object *req, struct json_object *reply)
{
	const char *name = req_str(req, "ns");
	struct ndctl_namespace *ns;
	struct ndctl_ctx *ctx;

	if (!name || ndctl_new(&ctx) < 0)
		return "no namespace named, or libndctl does not start";
	ns = find(ctx, name);
	if (ns)
		put_facts(ns, reply);
	ndctl_unref(ctx);
	return ns ? NULL : say("%s: no such namespace", name);
}

/* The label-less region has its one namespace; a labelled one has a seed. */
static struct ndctl_namespace *pick(struct ndctl_region *r, struct want *w,
				    const char **err)
{
	struct ndctl_namespace *ns;
	uuid_t uuid;
	int rc;

	if (ndctl_region_get_nstype(r) != ND_DEVICE_NAMESPACE_PMEM) {
		ndctl_namespace_foreach(r, ns)
			return ns;
		*err = say("%s has no namespace", ndctl_region_get_devname(r));
		return NULL;
	}
	ns = ndctl_region_get_namespace_seed(r);
	if (!ns) {
		*err = say("%s has no namespace seed",
			   ndctl_region_get_devname(r));
		return NULL;
	}
	uuid_generate(uuid);
	rc = ndctl_namespace_set_uuid(ns, uuid);
	if (!rc)
		rc = ndctl_namespace_set_size(
			ns, w->size ? w->size :
				      ndctl_region_get_max_available_extent(r));
	if (rc) {
		*err = say("%s: cannot set its size: %s",
			   ndctl_namespace_get_devname(ns), strerror(-rc));
		return NULL;
	}
	return ns;
}

/*
 * A fresh label area has no index blocks, and its region is taken for one
 * without labels: drivers/nvdimm/dimm.c nvdimm_probe() only calls
 * nvdimm_set_labeling() once it found them. Written while nothing uses it.
 */
static const char *init_labels(struct ndctl_ctx *ctx, int region)
{
	struct ndctl_region *all[16], *r;
	struct ndctl_dimm *dimm;

	if (region >= regions(ctx, all, 16))
		return say("no pmem region %d", region);
	r = all[region];
	if (ndctl_region_get_nstype(r) == ND_DEVICE_NAMESPACE_PMEM)
		return NULL;
	if (ndctl_region_disable_invalidate(r) < 0)
		return say("cannot disable %s", ndctl_region_get_devname(r));
	ndctl_dimm_foreach_in_region(r, dimm) {
		struct ndctl_cmd *cmd = ndctl_dimm_read_label_index(dimm);
		int rc = cmd ? ndctl_dimm_init_labels(dimm,
						      NDCTL_NS_VERSION_1_2) :
			       -ENXIO;

		if (cmd)
			ndctl_cmd_unref(cmd);
		if (rc >= 0)
			rc = ndctl_dimm_disable(dimm);
		if (rc >= 0)
			rc = ndctl_dimm_enable(dimm);
		if (rc < 0)
			return say("%s: cannot write its labels: %s",
				   ndctl_dimm_get_devname(dimm), strerror(-rc));
	}
	return ndctl_region_enable(r) < 0 ?
		       say("cannot enable %s", ndctl_region_get_devname(r)) :
		       NULL;
}

static const char *make_pfn(struct ndctl_region *r, struct ndctl_namespace *ns,
			    struct want *w, struct json_object *out)
{
	struct ndctl_pfn *pfn = ndctl_region_get_pfn_seed(r);
	uuid_t uuid;
	int rc;

	if (!pfn)
		return say("%s: no pfn seed: CONFIG_NVDIMM_PFN is off",
			   ndctl_region_get_devname(r));
	uuid_generate(uuid);
	rc = ndctl_pfn_set_uuid(pfn, uuid);
	if (!rc)
		rc = ndctl_pfn_set_location(pfn, strcmp(w->map, "mem") == 0 ?
							 NDCTL_PFN_LOC_RAM :
							 NDCTL_PFN_LOC_PMEM);
	if (!rc && ndctl_pfn_has_align(pfn))
		rc = ndctl_pfn_set_align(pfn, w->align);
	/* The mode is kept in the label; a label-less namespace has none. */
	if (!rc && ndctl_region_get_nstype(r) == ND_DEVICE_NAMESPACE_PMEM)
		rc = ndctl_namespace_set_enforce_mode(ns, NDCTL_NS_MODE_FSDAX);
	if (!rc)
		rc = ndctl_pfn_set_namespace(pfn, ns);
	if (!rc)
		rc = ndctl_pfn_enable(pfn);
	if (rc)
		return say("%s: cannot make it fsdax, map=%s: %s",
			   ndctl_namespace_get_devname(ns), w->map,
			   strerror(-rc));
	put_str(out, "dev",
		say("/dev/%s", ndctl_pfn_get_block_device(pfn)));
	put_num(out, "resource", ndctl_pfn_get_resource(pfn));
	put_num(out, "size", ndctl_pfn_get_size(pfn));
	return NULL;
}

static const char *make_dax(struct ndctl_region *r, struct ndctl_namespace *ns,
			    struct want *w, struct json_object *out)
{
	struct ndctl_dax *dax = ndctl_region_get_dax_seed(r);
	struct daxctl_region *dr;
	struct daxctl_dev *dev;
	uuid_t uuid;
	int rc;

	if (!dax)
		return say("%s: no dax seed: CONFIG_NVDIMM_DAX is off",
			   ndctl_region_get_devname(r));
	uuid_generate(uuid);
	rc = ndctl_dax_set_uuid(dax, uuid);
	if (!rc)
		rc = ndctl_dax_set_location(dax, strcmp(w->map, "mem") == 0 ?
							 NDCTL_PFN_LOC_RAM :
							 NDCTL_PFN_LOC_PMEM);
	if (!rc && ndctl_dax_has_align(dax))
		rc = ndctl_dax_set_align(dax, w->align);
	/* The mode is kept in the label; a label-less namespace has none. */
	if (!rc && ndctl_region_get_nstype(r) == ND_DEVICE_NAMESPACE_PMEM)
		rc = ndctl_namespace_set_enforce_mode(ns, NDCTL_NS_MODE_DEVDAX);
	if (!rc)
		rc = ndctl_dax_set_namespace(dax, ns);
	if (!rc)
		rc = ndctl_dax_enable(dax);
	dr = rc ? NULL : ndctl_dax_get_daxctl_region(dax);
	dev = dr ? daxctl_dev_get_first(dr) : NULL;
	if (!dev)
		return say("%s: cannot make it devdax, map=%s: %s",
			   ndctl_namespace_get_devname(ns), w->map,
			   rc ? strerror(-rc) : "no device came of it");
	put_str(out, "dev", say("/dev/%s", daxctl_dev_get_devname(dev)));
	put_num(out, "resource", daxctl_dev_get_resource(dev));
	put_num(out, "size", daxctl_dev_get_size(dev));
	return NULL;
}

static const char *make(struct ndctl_ctx *ctx, struct want *w,
			struct json_object *out)
{
	struct ndctl_region *all[16], *r;
	int n = regions(ctx, all, 16);
	struct ndctl_namespace *ns;
	const char *err = NULL;

	if (w->region >= n)
		return say("no pmem region %d: the guest has %d", w->region, n);
	r = all[w->region];
	if (ndctl_region_enable(r) < 0)
		return say("cannot enable %s", ndctl_region_get_devname(r));
	ns = pick(r, w, &err);
	if (!ns)
		return err;
	/* Raw namespaces come enabled; their block device has to go first. */
	if (ndctl_namespace_is_enabled(ns) &&
	    ndctl_namespace_disable_invalidate(ns) < 0)
		return say("cannot disable raw %s",
			   ndctl_namespace_get_devname(ns));
	put_str(out, "name", ndctl_namespace_get_devname(ns));
	put_str(out, "mode", w->mode);
	put_str(out, "map", w->map);
	if (strcmp(w->mode, "devdax") == 0)
		return make_dax(r, ns, w, out);
	return make_pfn(r, ns, w, out);
}

/* By cmd_where(), to @out; "map" and "size" are what setup asked for and the
 * device has, and stay so. */
static const char *add_facts(struct json_object *out)
{
	struct json_object *req = json_object_new_object();
	struct json_object *now = json_object_new_object();
	const char *err;

	put_str(req, "ns", req_str(out, "name"));
	err = cmd_where(req, now);
	json_object_object_foreach(now, k, v)
		if (!json_object_object_get_ex(out, k, NULL))
			json_object_object_add(out, k, json_object_get(v));
	json_object_put(now);
	json_object_put(req);
	return err;
}

const char *cmd_setup(struct json_object *req, struct json_object *reply)
{
	struct json_object *list, *out = json_object_new_array();

	if (!json_object_object_get_ex(req, "namespaces", &list))
		return "setup: no namespaces asked for";
	json_object_object_add(reply, "namespaces", out);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct json_object *ns = json_object_new_object();
		struct ndctl_ctx *ctx;
		const char *err;
		struct want w = {
			.region = req_num(o, "region", 0),
			.mode = req_str(o, "mode"),
			.map = req_str(o, "map"),
			.size = req_num(o, "size", 0),
			.align = req_num(o, "align", 2 << 20),
		};

		/* Seeds appear as namespaces are made: look anew each time. */
		if (!w.mode || !w.map)
			return "setup: a namespace without mode or map";
		if (ndctl_new(&ctx) < 0)
			return "libndctl does not start";
		json_object_array_add(out, ns);
		err = req_num(o, "labels", 0) ? init_labels(ctx, w.region) :
						NULL;
		ndctl_unref(ctx);
		if (err)
			return err;
		if (ndctl_new(&ctx) < 0)
			return "libndctl does not start";
		err = make(ctx, &w, ns);
		ndctl_unref(ctx);
		if (!err)
			err = add_facts(ns);
		if (err)
			return err;
	}
	return NULL;
}

static const char *toggle(struct json_object *req, bool enable)
{
	const char *name = req_str(req, "ns");
	struct ndctl_namespace *ns;
	struct ndctl_ctx *ctx;
	struct ndctl_pfn *pfn;
	struct ndctl_dax *dax;
	int rc;

	if (!name || ndctl_new(&ctx) < 0)
		return "no namespace named, or libndctl does not start";
	ns = find(ctx, name);
	if (!ns)
		return say("%s: no such namespace", name);
	pfn = ndctl_namespace_get_pfn(ns);
	dax = ndctl_namespace_get_dax(ns);
	if (enable) {
		/* Probing the raw namespace finds the info block and hands
		 * over to the pfn or dax device: -ENXIO then is its success. */
		rc = ndctl_namespace_enable(ns);
		if (rc >= 0 || ndctl_namespace_is_active(ns))
			rc = 0;
	} else if (dax) {
		rc = ndctl_dax_delete(dax);
	} else if (pfn) {
		rc = ndctl_pfn_delete(pfn);
	} else {
		rc = ndctl_namespace_disable_invalidate(ns);
	}
	ndctl_unref(ctx);
	return rc < 0 ? say("%s: cannot %s: %s", name,
			    enable ? "enable" : "disable", strerror(-rc)) :
			NULL;
}

const char *cmd_disable(struct json_object *req, struct json_object *reply)
{
	return toggle(req, false);
}

const char *cmd_enable(struct json_object *req, struct json_object *reply)
{
	return toggle(req, true);
}
