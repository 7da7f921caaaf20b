// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate: a linear device-mapper target over a RAM disk. While it is
 * suspended, drivers/md/dm.c dm_submit_bio() queues every bio it is given, so
 * direct I/O stays in flight, with its pages referenced, until resume.
 */
#include "workload.h"

#include <libdevmapper.h>
#include <sys/stat.h>

struct gate {
	char name[40];
	char path[64];
	const char *over;
	bool closed;
	pid_t owner;
	struct gate *next;
};

static struct gate *gates;

/* Errors of the library go nowhere: the caller says what failed. */
static void quiet(int level, const char *file, int line, int err,
		  const char *fmt, ...)
{
}

static bool dm(int type, const struct gate *g, size_t sectors)
{
	struct dm_task *t = dm_task_create(type);
	bool ok;

	if (!t)
		return false;
	ok = dm_task_set_name(t, g->name);
	if (ok && sectors) {
		char params[64];

		snprintf(params, sizeof(params), "%s 0", g->over);
		ok = dm_task_add_target(t, 0, sectors, "linear", params);
	}
	/* Neither sync the filesystem above (there is none) nor flush: what
	 * is in flight is to stay there. */
	if (ok && type == DM_DEVICE_SUSPEND)
		ok = dm_task_skip_lockfs(t) && dm_task_no_flush(t);
	/* Now, or when the last process that has it open lets go: one that was
	 * forked while it was open may be asleep for long. */
	if (ok && type == DM_DEVICE_REMOVE)
		ok = dm_task_deferred_remove(t);
	if (ok && type == DM_DEVICE_CREATE)
		ok = dm_task_set_add_node(t, DM_ADD_NODE_ON_CREATE);
	ok = ok && dm_task_run(t);
	dm_task_destroy(t);
	dm_task_update_nodes();
	return ok;
}

struct gate *gate_try(const char *dev, size_t len)
{
	struct gate *g;

	if (access("/dev/mapper/control", F_OK) < 0)
		return NULL;
	g = calloc(1, sizeof(*g));
	g->over = dev;
	g->owner = getpid();
	dm_log_with_errno_init(quiet);
	dm_udev_set_sync_support(0);
	snprintf(g->name, sizeof(g->name), "rig-gate-%d", getpid());
	snprintf(g->path, sizeof(g->path), "%s/%s", dm_dir(), g->name);
	if (!dm(DM_DEVICE_CREATE, g, len / 512)) {
		free(g);
		return NULL;
	}
	g->next = gates;
	gates = g;
	return g;
}

struct gate *gate_over(const char *dev, size_t len)
{
	struct gate *g;

	if (access("/dev/mapper/control", F_OK) < 0)
		SKIP("no device-mapper for the gate");
	g = gate_try(dev, len);
	if (!g)
		BROKEN("cannot create the gate of %zu bytes over %s", len, dev);
	return g;
}

struct gate *gate_new(size_t len)
{
	if (access(GATE_DISK, F_OK) < 0)
		SKIP("no RAM disk %s (brd) for the gate", GATE_DISK);
	return gate_over(GATE_DISK, len);
}

bool gate_holds(const struct gate *g, int fd, const void *want, size_t len)
{
	void *data;
	bool same;

	if (!want)
		return true;
	data = SAFE(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (SAFE(pread(fd, data, len, 0)) != (ssize_t)len)
		BROKEN("short read from %s", gate_path(g));
	same = memcmp(data, want, len) == 0;
	munmap(data, len);
	return same;
}

const char *gate_path(const struct gate *g)
{
	return g->path;
}

bool gate_set(struct gate *g, bool closed)
{
	if (!dm(closed ? DM_DEVICE_SUSPEND : DM_DEVICE_RESUME, g, 0))
		return false;
	g->closed = closed;
	return true;
}

void gate_close(struct gate *g)
{
	if (!gate_set(g, true))
		BROKEN("cannot suspend the gate %s", g->name);
}

void gate_open(struct gate *g)
{
	if (!gate_set(g, false))
		BROKEN("cannot resume the gate %s", g->name);
}

void gates_let_go(void)
{
	for (struct gate *g = gates; g; g = g->next)
		if (g->closed && g->owner == getpid())
			dm(DM_DEVICE_RESUME, g, 0);
}

#define KEPT "kept-"

void gate_keep(void)
{
	struct gate *g = gates;
	struct dm_task *t = dm_task_create(DM_DEVICE_RENAME);
	char name[sizeof(KEPT) + sizeof(g->name)];

	snprintf(name, sizeof(name), KEPT "%s", g->name);
	if (!t || !dm_task_set_name(t, g->name) ||
	    !dm_task_set_newname(t, name) || !dm_task_run(t))
		BROKEN("cannot rename the gate %s", g->name);
	dm_task_destroy(t);
	dm_task_update_nodes();
	gates = g->next;
	free(g);
}

int gates_release(void)
{
	struct dm_task *t;
	struct dm_names *n;
	int found = 0;

	if (access("/dev/mapper/control", F_OK) < 0)
		return 0;
	dm_log_with_errno_init(quiet);
	dm_udev_set_sync_support(0);
	t = dm_task_create(DM_DEVICE_LIST);
	if (!t || !dm_task_run(t) || !(n = dm_task_get_names(t)))
		BROKEN("cannot list the device-mapper's devices");
	for (unsigned int next = n->dev ? 1 : 0; next; ) {
		struct gate g = {};

		if (strncmp(n->name, KEPT, strlen(KEPT)) == 0) {
			snprintf(g.name, sizeof(g.name), "%s", n->name);
			if (!dm(DM_DEVICE_RESUME, &g, 0) ||
			    !dm(DM_DEVICE_REMOVE, &g, 0))
				BROKEN("cannot remove the gate %s", g.name);
			found++;
		}
		next = n->next;
		n = (void *)((char *)n + next);
	}
	dm_task_destroy(t);
	return found;
}

void gate_free(struct gate *g)
{
	struct gate **at = &gates;

	if (g->closed)
		gate_open(g);
	if (!dm(DM_DEVICE_REMOVE, g, 0))
		BROKEN("cannot remove the gate %s", g->name);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	free(g);
}
