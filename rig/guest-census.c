// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The census of one boot: what is where in QEMU's memory, the calibration by
 * the first cases, and what every page has to look like once a case is over.
 */
#include "guest.h"
#include "census-live.h"
#include "owners.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A page may be in use for a moment by what the kernel still has to do for
 * processes that are gone: looked at again for so long, in seconds on the
 * reference guest, before it is called a leak. */
#define SETTLE 1.0
/* Pages off idle that are told of one by one, in a census. */
#define MAX_OUTLIERS 4096
/* Ranges of such pages that a finding lists. */
#define MAX_RANGES 16
#define MAX_HOLDS 256

/* A reference that a workload says it holds. */
struct hold {
	int id;
	uint64_t off, len;		/* bytes of the device */
};

struct boot_census {
	struct gmem mem;
	struct vmcoreinfo info;
	const struct vmcoreinfo *v;	/* &info, or NULL: the guest has none */
	struct page_layout layout;
	struct census_ns ns[MAX_NS];
	bool attached[MAX_NS];
	struct census_live *live;
	struct owners owners;
	struct hold holds[MAX_HOLDS];
	size_t nr_holds;
	double began;			/* now() of it */
	bool hz_changed;		/* a case wanted another rate */
};

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

static bool is_devdax_ns(const struct boot *b, int i)
{
	return strcmp(b->r->o->machine->ns[i].mode, "devdax") == 0;
}

static const struct ref_row *row_of(const struct boot *b, int i)
{
	return &b->r->rows[is_devdax_ns(b, i)];
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
	census_live_watch(c->live, i, &c->ns[i], ref_row_idle(row_of(b, i)));
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
	census_live_mark(b->census->live, kind);
	census_live_frame(b->census->live);
}

/* --- pages that are not as they should be ---------------------------------------- */

enum off { OFF_GET, OFF_PIN, OFF_UNDER, OFF_MAPPED, OFF_MAPPING, OFF_INDEX,
	   OFF_ORDER, NR_OFF };
static const struct {
	const char *key, *title;
} off_words[NR_OFF] = {
	[OFF_GET] = { "get", "leaked reference (FOLL_GET)" },
	[OFF_PIN] = { "pin", "leaked reference (FOLL_PIN)" },
	[OFF_UNDER] = { "under", "refcount below idle" },
	[OFF_MAPPED] = { "mapped", "page still counts as mapped" },
	[OFF_MAPPING] = { "mapping", "page of no file still has a mapping" },
	[OFF_INDEX] = { "index", "page of no file still has an index or share count" },
	[OFF_ORDER] = { "order", "page of no file is still in a large folio" },
};

struct outlier {
	uint64_t page;
	struct page_view v;
	enum off off;
};

/* What is wrong with it, once nothing holds or maps it; false: nothing. */
static bool is_off(const struct ref_row *row, const struct page_view *v,
		   bool quiet, bool unowned, enum off *off)
{
	struct ref_extra x = ref_row_extra(row, v);

	if (x.pins > 0)
		*off = OFF_PIN;
	else if (x.gets > 0)
		*off = OFF_GET;
	else if (x.gets < 0 || x.pins < 0)
		*off = OFF_UNDER;
	else if (quiet && v->mapcount > 0 && !v->tail)
		*off = OFF_MAPPED;
	else if (unowned && v->mapping)
		*off = OFF_MAPPING;
	else if (unowned && (v->order || v->tail))
		*off = OFF_ORDER;
	else if (unowned && v->index)
		*off = OFF_INDEX;
	else
		return false;
	return true;
}

static bool is_held(const struct boot_census *c, uint64_t page)
{
	for (size_t i = 0; i < c->nr_holds; i++)
		if (page * GUEST_PAGE < c->holds[i].off + c->holds[i].len &&
		    (page + 1) * GUEST_PAGE > c->holds[i].off)
			return true;
	return false;
}

/* One look at namespace @i. @quiet: nothing maps a page any more. @all gets
 * how many pages are off; the first @max of them are in @out. */
static size_t look(struct boot *b, int i, bool quiet, bool unowned,
		   struct outlier *out, size_t max, size_t *all)
{
	struct boot_census *c = b->census;
	const struct ref_row *row = row_of(b, i);
	struct census_idle idle = { .ref = ref_row_idle(row),
				    .unowned = unowned };
	_free_ uint64_t *pages = xcalloc(MAX_OUTLIERS, sizeof(*pages));
	size_t hits = census_pass(&c->ns[i], &idle, pages, MAX_OUTLIERS);
	size_t n = 0;

	*all = 0;
	for (size_t k = 0; k < hits && k < MAX_OUTLIERS; k++) {
		struct outlier o = { .page = pages[k] };

		census_read(&c->ns[i], o.page, &o.v);
		if (!is_off(row, &o.v, quiet, unowned, &o.off) ||
		    (!quiet && is_held(c, o.page)))
			continue;
		if (n < max)
			out[n++] = o;
		++*all;
	}
	return n;
}

/* The file that has or had the page, as far as anybody knows. */
static void name_owner(struct boot *b, int i, const struct outlier *o,
		       struct buf *out)
{
	struct boot_census *c = b->census;
	const struct owner *w = owners_find(&c->owners, i,
					    o->page * GUEST_PAGE);
	uint64_t ino = o->v.mapping > GUEST_PAGE ?
		census_inode(&c->mem, c->v, &c->layout, o->v.mapping) : 0;

	if (w)
		buf_addf(out, "%s+0x%" PRIx64 " (inode %" PRIu64 "%s)", w->file,
			 w->off, w->ino, w->is_now ? "" : ", which had it last");
	else if (ino)
		buf_addf(out, "inode %" PRIu64 "+0x%" PRIx64, ino,
			 o->v.index * GUEST_PAGE);
	else
		buf_addf(out, "no file that is known");
}

static bool continues(const struct outlier *a, const struct outlier *b)
{
	return b->page == a->page + 1 && b->off == a->off &&
	       b->v.ref == a->v.ref && b->v.mapcount == a->v.mapcount;
}

/* What is off, in figures. */
static void say_off(struct buf *out, enum off off, const struct page_view *v,
		    int32_t idle)
{
	switch (off) {
	case OFF_MAPPING:
		buf_addf(out, " has mapping 0x%" PRIx64, v->mapping);
		break;
	case OFF_INDEX:
		buf_addf(out, " has index or share 0x%" PRIx64, v->index);
		break;
	case OFF_ORDER:
		if (v->tail)
			buf_addf(out, " is a tail");
		else
			buf_addf(out, " has order %d", v->order);
		break;
	case OFF_MAPPED:
		buf_addf(out, " has mapcount %d", v->mapcount);
		break;
	default:
		buf_addf(out, " counts %d, idle is %d", v->ref, idle);
		break;
	}
}

/* One finding of all that is off in one way. */
static void report_off(struct boot *b, int i, const char *at, enum off off,
		       const struct outlier *o, size_t n)
{
	const struct boot_census *c = b->census;
	const struct ref_row *row = row_of(b, i);
	const char *size = b->now && b->now->size ? b->now->size : "";
	_buf_ struct buf text = {}, title = {}, owner = {};
	_free_ char *key = xstrfmt("census %s %s", off_words[off].key, size);
	size_t ranges = 0, pages = 0, last = 0;

	for (size_t k = 0; k < n; k = last + 1) {
		last = k;
		if (o[k].off != off)
			continue;
		while (last + 1 < n && continues(&o[last], &o[last + 1]))
			last++;
		pages += last - k + 1;
		if (ranges++ >= MAX_RANGES)
			continue;
		buf_addf(&text, "%s+0x%" PRIx64 ", %zu page%s: refcount %d "
			 "(idle %d), mapcount %d", c->ns[i].name,
			 o[k].page * GUEST_PAGE, last - k + 1, last > k ? "s" : "",
			 o[k].v.ref, ref_row_idle(row), o[k].v.mapcount);
		if (o[k].v.order)
			buf_addf(&text, ", order %d, pincount %d", o[k].v.order,
				 o[k].v.pincount);
		buf_addf(&text, ", mapping 0x%" PRIx64 ", index 0x%" PRIx64
			 "%s\n    of ", o[k].v.mapping, o[k].v.index,
			 o[k].v.torn ? ", changing" : "");
		name_owner(b, i, &o[k], &text);
		buf_addf(&text, "\n");
		if (title.len)
			continue;
		name_owner(b, i, &o[k], &owner);
		buf_addf(&title, "%s: %s: page at %s+0x%" PRIx64,
			 off_words[off].title, owner.data, c->ns[i].name,
			 o[k].page * GUEST_PAGE);
		say_off(&title, off, &o[k].v, ref_row_idle(row));
	}
	if (!pages)
		return;
	if (ranges > MAX_RANGES)
		buf_addf(&text, "and %zu ranges more\n", ranges - MAX_RANGES);
	buf_addf(&text, "%zu page%s in all, seen %s\n", pages,
		 pages > 1 ? "s" : "", at);
	boot_observe(b, "census", title.data, key, text.data);
	b->census_off |= 1u << off;
	b->census_found = true;
	if (!b->first_fail)
		b->first_fail = xstrdup(title.data);
}

/* Whether a census of namespace @i can say anything. */
static bool can_see(const struct boot *b, int i)
{
	return b->census && b->census->attached[i] && !b->r->blind &&
	       b->r->calibrated[is_devdax_ns(b, i)] &&
	       census_is_current(&b->census->ns[i]);
}

int boot_census_idle(struct boot *b, const char *at, bool unowned)
{
	_free_ struct outlier *o = xcalloc(MAX_OUTLIERS, sizeof(*o));
	int i = b->now->ns, err;
	double until = now() + boot_scaled(b, SETTLE);
	size_t n, all;

	if (!can_see(b, i))
		return 0;
	unowned &= !is_devdax_ns(b, i);
	for (;;) {
		n = look(b, i, true, unowned, o, MAX_OUTLIERS, &all);
		if (!n || now() > until)
			break;
		err = vm_pump(&b->vm, 0.02);
		if (err)
			return err;
	}
	for (int off = 0; off < NR_OFF && n; off++)
		/* Once in a case: what is left is seen at each look. */
		if (!(b->census_off & 1u << off))
			report_off(b, i, at, off, o, n);
	return 0;
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
	_free_ char *at = guest_text(ev, "at"), *when = NULL;
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
		ref_row_set(&b->r->rows[is_devdax_ns(b, i)], at, &v);
		return;
	}
	if (!can_see(b, i))
		return;
	_free_ struct outlier *out = xcalloc(MAX_OUTLIERS, sizeof(*out));
	size_t all, n = look(b, i, false, false, out, MAX_OUTLIERS, &all);

	when = xstrfmt("at \"%s\"", at);
	for (int off = 0; off < NR_OFF && n; off++)
		report_off(b, i, when, off, out, n);
	b->census_off = 0;
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

	if (!can_see(b, b->now->ns) || is_devdax_ns(b, b->now->ns))
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
	bool dax = is_devdax_ns(b, b->now->ns);
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
			b->first_fail ? b->first_fail : "?");
	if (why) {
		go_blind(b, why);
		return;
	}
	b->r->calibrated[dax] = true;
	for (int i = 0; i < MAX_NS; i++)
		if (b->census->attached[i] && is_devdax_ns(b, i) == dax)
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
