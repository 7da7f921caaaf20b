// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The census of one boot: what is where in QEMU's memory, the calibration by
 * the first cases, and what the guest tells of its files and references.
 */
#include "guest-census.h"

#include <errno.h>
#include <string.h>

/* --- blind ------------------------------------------------------------------ */

/* The census says nothing from here on, and says so. @why is printable. */
static void go_blind(struct boot *b, const char *why)
{
	struct json_object *o = guest_msg("ev", "blind");

	guest_put_int(o, "boot", b->r->boots - 1);
	guest_put(o, "case", b->now ? b->now->name : NULL);
	guest_put(o, "why", why);
	run_log(b->r, o);
	if (!b->r->blind)
		warning("the census is blind: %s", why);
	free(b->r->blind);
	b->r->blind = xstrdup(why);
}

/* --- where struct pages are --------------------------------------------------- */

/* QEMU's own word on where its pmem devices are in guest-physical memory. */
static char *map_devices(struct boot *b, struct gmem *m)
{
	struct json_object *list = vm_qmp(&b->vm, "query-memory-devices", 5);
	size_t n = json_object_is_type(list, json_type_array) ?
			   json_object_array_length(list) : 0;
	char *why = n ? NULL : xstrdup("QEMU names no memory devices");

	for (size_t i = 0; i < n && !why; i++) {
		struct json_object *o = json_object_array_get_idx(list, i), *d,
				   *at, *size;
		const char *memdev;
		unsigned int nr;
		int err;

		if (!json_object_object_get_ex(o, "data", &d) ||
		    !(memdev = guest_get(d, "memdev")) ||
		    (!json_object_object_get_ex(d, "addr", &at) &&
		     !json_object_object_get_ex(d, "memaddr", &at)) ||
		    !json_object_object_get_ex(d, "size", &size) ||
		    sscanf(memdev, "/objects/nv%u", &nr) != 1 || nr >= MAX_PMEM)
			continue;
		err = gmem_add(m, json_object_get_int64(at), b->backing[nr], 0,
			       json_object_get_int64(size));
		if (err)
			why = xstrfmt("cannot map the file of %s: %s", memdev,
				      strerror(-err));
	}
	json_object_put(list);
	return why;
}

static int64_t number(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_int64(v) : 0;
}

/* The note that the agent found, read from guest RAM. */
static void take_vmcoreinfo(struct boot_census *c, struct json_object *reply)
{
	struct json_object *o;
	_free_ char *why = NULL;
	const void *note;

	if (!json_object_object_get_ex(reply, "vmcoreinfo", &o))
		return;
	note = gmem_at(&c->mem, number(o, "gpa"), number(o, "len"));
	if (note && vmcoreinfo_parse(note, number(o, "len"), &c->info,
				     &why) == 0)
		c->v = &c->info;
	else
		detail("VMCOREINFO is of no use: %s",
		       why ? why : "it is outside of RAM");
}

/* Where the members of struct page are. 0, 1: blind, or -errno of the VM. */
static int get_layout(struct boot *b, struct boot_census *c)
{
	struct json_object *req = guest_msg("cmd", "layout"), *reply = NULL,
			   *btf = NULL;
	_free_ char *why = NULL, *odd = NULL;
	int err;

	json_object_object_add(req, "members", page_layout_wants());
	err = boot_ask(b, req, STEP_LIMIT, &why, &reply);
	if (err > 0)
		go_blind(b, why);
	if (err)
		return err;
	take_vmcoreinfo(c, reply);
	json_object_object_get_ex(reply, "btf", &btf);
	err = page_layout_get(btf, c->v, b->r->kernel.release, &c->layout,
			      &odd);
	json_object_put(reply);
	if (err)
		go_blind(b, odd ? odd : strerror(-err));
	else if (odd)
		warning("%s", odd);
	return err != 0;
}

bool boot_is_devdax(const struct boot *b, int i)
{
	return strcmp(b->r->o->machine->ns[i].mode, "devdax") == 0;
}

const struct ref_row *boot_ref_row(const struct boot *b, int i)
{
	return &b->r->rows[boot_is_devdax(b, i)];
}

bool boot_can_see(const struct boot *b, int i)
{
	return b->census && b->census->attached[i] && !b->r->blind &&
	       b->r->calibrated[boot_is_devdax(b, i)] &&
	       census_is_current(&b->census->ns[i]);
}

/* Find namespace @i's struct pages by what the agent says of it in @o. */
static void attach(struct boot *b, int i, struct json_object *o)
{
	struct boot_census *c = b->census;
	_free_ char *why = NULL;
	struct census_where w = {
		.name = guest_get(o, "name"),
		.base = number(o, "base"), .ns_size = number(o, "ns_size"),
		.data = number(o, "data"), .size = number(o, "size"),
		.map_dev = strcmp(b->r->o->machine->ns[i].map, "dev") == 0,
	};
	struct json_object *log;
	int err;

	err = census_attach(&c->ns[i], &c->mem, c->v, &c->layout, &w, &why);
	if (err) {
		_free_ char *text = xstrfmt("%s: %s", w.name ? w.name : "?",
					    why ? why : strerror(-err));

		go_blind(b, text);
		return;
	}
	c->attached[i] = true;
	census_live_watch(c->live, i, &c->ns[i], ref_row_idle(boot_ref_row(b, i)));
	log = guest_msg("ev", "census-ns");
	guest_put_int(log, "boot", b->r->boots - 1);
	guest_put(log, "ns", c->ns[i].name);
	guest_put(log, "method", c->ns[i].method);
	guest_put(log, "offsets", c->layout.source);
	json_object_object_add(log, "pages", json_object_new_int64(c->ns[i].n));
	run_log(b->r, log);
}

void boot_census_gone(struct boot *b, int i)
{
	struct boot_census *c = b->census;

	if (!c || !c->attached[i])
		return;
	census_live_watch(c->live, i, NULL, 0);
	census_detach(&c->ns[i]);
	c->attached[i] = false;
}

int boot_census_back(struct boot *b, int i)
{
	struct json_object *req, *reply = NULL;
	_free_ char *why = NULL;
	int err;

	if (!b->census)
		return 0;
	boot_census_gone(b, i);
	req = guest_msg("cmd", "where");
	guest_put(req, "ns", guest_get(boot_ns(b, i), "name"));
	err = boot_ask(b, req, STEP_LIMIT, &why, &reply);
	if (!err && guest_is_true(reply, "enabled"))
		attach(b, i, reply);
	else if (err >= 0)
		detail("census: %s is not there", guest_get(boot_ns(b, i),
							    "name"));
	json_object_put(reply);
	return err < 0 ? err : 0;
}

int boot_census_up(struct boot *b)
{
	const struct machine *m = b->r->o->machine;
	_free_ char *path = xstrfmt("%s/census.bin", b->dir), *why = NULL;
	struct boot_census *c;
	int err;

	if (!b->r->o->census)
		return 0;
	c = b->census = xcalloc(1, sizeof(*c));
	c->began = now();
	err = gmem_add_ram(&c->mem, b->ram, (uint64_t)m->mem_mib << 20);
	if (err)
		why = xstrfmt("cannot map the guest's RAM: %s", strerror(-err));
	else
		why = map_devices(b, &c->mem);
	if (!why) {
		c->live = census_live_new(path, b->r->o->census_hz);
		if (!c->live)
			why = xstrfmt("%s: %s", path, strerror(errno));
	}
	if (why) {
		/* Not if there is no QEMU any more to be asked. */
		err = vm_pump(&b->vm, 0.1);
		if (!err)
			go_blind(b, why);
		return err;
	}
	err = get_layout(b, c);
	for (int i = 0; !err && m->ns[i].mode; i++)
		attach(b, i, boot_ns(b, i));
	return err < 0 ? err : 0;
}

void boot_census_free(struct boot *b)
{
	struct boot_census *c = b->census;
	int err;

	if (!c)
		return;
	if (c->live) {
		for (int i = 0; i < MAX_NS; i++)
			boot_census_gone(b, i);
		err = census_live_free(c->live);
		if (err)
			warning("%s/census.bin: %s", b->dir, strerror(-err));
	}
	owners_free(&c->owners);
	gmem_free(&c->mem);
	free(c);
	b->census = NULL;
}

void boot_census_mark(struct boot *b, const char *what, const char *name)
{
	_free_ char *text = xstrfmt("%s %s", what, name);

	if (b->census && b->census->live)
		census_live_mark(b->census->live, text);
}

void boot_census_moment(struct boot *b, const char *kind)
{
	if (!b->census || !b->census->live)
		return;
	census_live_mark(b->census->live,
			 strcmp(kind, "census") == 0 ? "leak found" : kind);
	census_live_frame(b->census->live);
}

/* --- what the guest tells meanwhile ------------------------------------------- */

/* What tells of files and their blocks; the live census keeps it, too. */
static void take_owner(struct boot *b, struct json_object *ev)
{
	struct boot_census *c = b->census;

	c->owners.t = now() - c->began;
	owners_add(&c->owners, b->now->ns, ev);
	if (c->live)
		census_live_event(c->live, b->now->ns,
				  json_object_to_json_string_ext(
					  ev, JSON_C_TO_STRING_PLAIN));
}

static void take_hold(struct boot_census *c, struct json_object *ev)
{
	struct json_object *list, *e;

	if (!json_object_object_get_ex(ev, "extents", &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	for (size_t k = 0; k < json_object_array_length(list); k++) {
		e = json_object_array_get_idx(list, k);
		if (c->nr_holds >= MAX_HOLDS ||
		    !json_object_is_type(e, json_type_array) ||
		    json_object_array_length(e) < 2)
			continue;
		c->holds[c->nr_holds++] = (struct hold){
			.id = number(ev, "id"),
			.off = json_object_get_int64(
				json_object_array_get_idx(e, 0)),
			.len = json_object_get_int64(
				json_object_array_get_idx(e, 1)),
		};
	}
}

static void take_release(struct boot_census *c, int id)
{
	size_t left = 0;

	for (size_t k = 0; k < c->nr_holds; k++)
		if (c->holds[k].id != id)
			c->holds[left++] = c->holds[k];
	c->nr_holds = left;
}

/* A workload stands still and wants its pages looked at. */
static void take_census(struct boot *b, struct json_object *ev)
{
	struct boot_census *c = b->census;
	_free_ char *at = guest_text(ev, "at");
	uint64_t page = (uint64_t)number(ev, "off") / GUEST_PAGE;
	int i = b->now ? b->now->ns : 0;
	struct page_view v;
	struct json_object *o;

	if (!b->now || !c->attached[i] || !at || page >= c->ns[i].n)
		return;
	boot_census_mark(b, "at", at);
	census_live_frame(c->live);
	census_read(&c->ns[i], page, &v);
	o = guest_msg("ev", "census");
	guest_put_int(o, "boot", b->r->boots - 1);
	guest_put(o, "case", b->now->name);
	guest_put(o, "at", at);
	guest_put_int(o, "ref", v.ref);
	guest_put_int(o, "mapcount", v.mapcount);
	guest_put_int(o, "pincount", v.pincount);
	guest_put_int(o, "order", v.order);
	json_object_object_add(o, "off", json_object_new_int64(page * GUEST_PAGE));
	json_object_object_add(o, "mapping", json_object_new_int64(v.mapping));
	json_object_object_add(o, "index", json_object_new_int64(v.index));
	run_log(b->r, o);
	if (strcmp(b->now->workload, CALIBRATE) == 0) {
		ref_row_set(&b->r->rows[boot_is_devdax(b, i)], at, &v);
		return;
	}
	boot_census_judge(b, i, at);
}

/* How often to look while this case runs; a guest gets no more than this. */
#define MAX_HZ 100.0

static void set_hz(struct boot *b, double hz)
{
	int err = census_live_hz(b->census->live, hz < MAX_HZ ? hz : MAX_HZ);

	if (err)
		warning("cannot sample the census: %s", strerror(-err));
	b->census->hz_changed = true;
}

static double guest_hz(struct json_object *ev)
{
	struct json_object *v;
	double hz = json_object_object_get_ex(ev, "hz", &v) ?
			    json_object_get_double(v) : 0;

	/* Not a number is not greater than zero either. */
	return hz > 0 ? hz : 0;
}

void boot_census_event(struct boot *b, struct json_object *ev)
{
	const char *name = guest_get(ev, "ev");
	struct json_object *go;

	if (!b->census || !b->now)
		return;
	if (strcmp(name, "census") == 0) {
		take_census(b, ev);
		go = guest_msg("cmd", "go");
		guest_put_int(go, "seq", guest_get_int(ev, "seq", 0));
		vm_send(&b->vm, go);
	} else if (strcmp(name, "census-hz") == 0 && b->census->live) {
		set_hz(b, guest_hz(ev));
	} else if (strcmp(name, "extents") == 0) {
		take_owner(b, ev);
	} else if (strcmp(name, "hold") == 0) {
		take_owner(b, ev);
		take_hold(b->census, ev);
	} else if (strcmp(name, "release") == 0) {
		take_owner(b, ev);
		take_release(b->census, number(ev, "id"));
	}
}

/* The files of the case and their blocks, while they are still there. */
int boot_census_owners(struct boot *b)
{
	struct json_object *reply = NULL, *files, *file;
	int err;

	if (!boot_can_see(b, b->now->ns) || boot_is_devdax(b, b->now->ns))
		return 0;
	err = boot_ask(b, boot_fs_request(b, "owners", b->now), STEP_LIMIT,
		       NULL, &reply);
	if (!err && json_object_object_get_ex(reply, "files", &files) &&
	    json_object_is_type(files, json_type_array))
		for (size_t k = 0; k < json_object_array_length(files); k++) {
			file = json_object_array_get_idx(files, k);
			guest_put(file, "case", b->now->name);
			take_owner(b, file);
		}
	json_object_put(reply);
	return err < 0 ? err : 0;
}

void boot_census_begin(struct boot *b)
{
	struct boot_census *c = b->census;

	b->census_off = 0;
	b->census_found = false;
	if (!c)
		return;
	c->nr_holds = 0;
	if (c->hz_changed)
		set_hz(b, b->r->o->census_hz);
	c->hz_changed = false;
	c->owners.t = now() - c->began;
	/* Its filesystem will be a new one. */
	if (!b->group_fs)
		owners_gone(&c->owners, b->now->ns);
}

void boot_census_cleaned(struct boot *b)
{
	struct boot_census *c = b->census;

	if (!c)
		return;
	c->owners.t = now() - c->began;
	owners_gone_case(&c->owners, b->now->name);
}

/* --- calibration ----------------------------------------------------------------- */

void boot_census_calibrated(struct boot *b, enum case_status st)
{
	bool is_good = st == CASE_PASS || st == CASE_SKIP;
	bool dax = boot_is_devdax(b, b->now->ns);
	const struct ref_row *row = &b->r->rows[dax];
	size_t next = b->r->next + 1;
	const struct refmodel *m = ref_row_model(row);
	_free_ char *why = NULL;
	_buf_ struct buf text = {};
	struct json_object *o;

	if (!b->census)
		return;
	o = guest_msg("ev", "calibrated");
	guest_put_int(o, "boot", b->r->boots - 1);
	guest_put(o, "case", b->now->name);
	json_object_object_add(o, "row", ref_row_to_json(row));
	run_log(b->r, o);
	/* There may be more to come: the row is judged when it is whole. */
	if (is_good && next < b->r->cases.n &&
	    b->r->cases.v[next].calibrates &&
	    b->r->cases.v[next].ns == b->now->ns)
		return;
	why = is_good ? ref_row_blind(row) :
		xstrfmt("%s did not pass: %s", b->now->name,
			b->first_fail ? b->first_fail :
					"it did not come to its end");
	if (why) {
		go_blind(b, why);
		return;
	}
	b->r->calibrated[dax] = true;
	for (int i = 0; i < MAX_NS; i++)
		if (b->census->attached[i] && boot_is_devdax(b, i) == dax)
			census_live_watch(b->census->live, i,
					  &b->census->ns[i],
					  ref_row_idle(row));
	if (m)
		return;
	ref_row_print(row, &text);
	boot_observe(b, "refcount-model", dax ?
		     "device-dax pages are counted as by no known model" :
		     "DAX pages are counted as by no known model",
		     dax ? "model devdax" : "model fsdax", text.data);
}
