// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One boot: the machine and its NVDIMMs, the namespaces on them, and all of
 * it given back at the end.
 */
#include "guest.h"
#include "program.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the machine ---------------------------------------------------------- */

void guest_wants(const struct run *r, struct strv *modules,
		 struct strv *programs)
{
	static const char *const mods[] = {
		"virtio_pci", "virtio_console", "nfit", "virtio_pmem",
		"nd_pmem", "dax_pmem", "device_dax", "xfs", "ext4",
	};
	static const char *const progs[] = {
		"mkfs.xfs", "xfs_repair", "mkfs.ext4", "e2fsck", "rm",
	};
	static const char *const shell_progs[] = { "busybox", "ndctl",
						   "xfs_io", "xfs_db" };
	const struct strv none = {};

	for (size_t i = 0; i < ARRAY_SIZE(mods); i++)
		strv_push(modules, mods[i]);
	for (size_t i = 0; i < ARRAY_SIZE(progs); i++)
		strv_push(programs, progs[i]);
	for (size_t i = 0; r->o->shell && i < ARRAY_SIZE(shell_progs); i++)
		strv_push(programs, shell_progs[i]);
	/* A reproducer that is run by hand needs what its operations do. */
	if (r->o->shell)
		program_all_want(r->describe, &none, &none, modules, programs);
	cases_wants(r->describe, &r->cases, modules, programs);
	for (size_t i = 0; i < r->modules.n; i++)
		if (!strv_has(modules, r->modules.v[i]))
			strv_push(modules, r->modules.v[i]);
	for (size_t i = 0; i < r->programs.n; i++)
		if (!strv_has(programs, r->programs.v[i]))
			strv_push(programs, r->programs.v[i]);
}

static char *command_line(const struct run *r)
{
	/*
	 * loglevel: WARN and the INFO lines that belong to reports of hung
	 * tasks. panic=-1 with -no-reboot ends QEMU. devkmsg: our marks are
	 * not rate limited. brd: the gate's RAM disk. tsc=reliable: QEMU gives
	 * all CPUs one TSC; a starved guest finds them apart and changes its
	 * clock in the middle.
	 */
	return xstrfmt("console=ttyS0 earlycon=uart8250,io,0x3f8 loglevel=7 "
		       "panic=-1 unknown_nmi_panic panic_print=0x40 "
		       "printk.devkmsg=on tsc=reliable brd.rd_nr=1 brd.rd_size=65536 "
		       "scsi_mod.scan=none%s%s",
		       r->o->append ? " " : "", r->o->append ? r->o->append :
							       "");
}

static void vm_config(const struct run *r, struct vm_config *c, const char *ram,
		      char *const *backing, const char *append)
{
	*c = (struct vm_config){
		.qemu = r->o->qemu,
		.kernel = r->kernel.image,
		.initrd = r->image,
		.append = append,
		.accel = r->accel.name,
		.machine = r->o->machine,
		.ram = ram,
		.backing = backing,
	};
}

char *guest_command(struct run *r)
{
	static char *const names[MAX_PMEM] = { "pmem0.img", "pmem1.img",
					       "pmem2.img", "pmem3.img" };
	_free_ char *append = command_line(r);
	_strv_ struct strv argv = {};
	struct vm_config c;

	vm_config(r, &c, "ram.img", names, append);
	vm_args(&c, 3, 4, 5, &argv);
	return shell_join(argv.v);
}

/*
 * The NVDIMMs' files: sparse, and without a name unless they are to be kept,
 * so that nothing is left behind however rig ends.
 */
static int make_backing(struct boot *b)
{
	const struct machine *m = b->r->o->machine;
	int n = 0;

	for (int i = 0; i < MAX_PMEM + 1; i++)
		b->backing[i] = -1;
	for (; m->pmem[n].mib; n++) {
		_free_ char *path = xstrfmt("%s/pmem%d.img", b->dir, n);
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			      0600);

		if (fd < 0)
			return -errno;
		b->backing[n] = fd;
		if (!b->r->o->keep)
			unlink(path);
		if (ftruncate(fd, (off_t)m->pmem[n].mib << 20) < 0)
			return -errno;
		strv_pushf(&b->paths, "/proc/self/fd/%d", fd);
	}
	return 0;
}

/* Its RAM, a file without a name too: what the host reads the guest by. */
static int make_ram(struct boot *b)
{
	b->ram = memfd_create("rig-ram", MFD_CLOEXEC);
	return b->ram < 0 || ftruncate(b->ram, (off_t)b->r->o->machine->mem_mib
					       << 20) < 0 ? -errno : 0;
}

static int start_vm(struct boot *b)
{
	_free_ char *append = command_line(b->r);
	int keep[MAX_PMEM + 2], n = 0, err;
	_free_ char *ram = NULL;
	struct vm_config c;

	b->dir = xstrfmt("%s/boot-%d", b->r->dir, b->r->boots++);
	if (mkdir(b->dir, 0777) < 0)
		return error("cannot make %s: %s", b->dir, strerror(errno)),
		       EXIT_RIG_FAILED;
	err = make_backing(b);
	if (err)
		return error("cannot make the NVDIMM's file in %s: %s", b->dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	err = make_ram(b);
	if (err)
		return error("cannot make the guest's RAM: %s", strerror(-err)),
		       EXIT_RIG_FAILED;
	ram = xstrfmt("/proc/self/fd/%d", b->ram);
	vm_config(b->r, &c, ram, b->paths.v, append);
	c.dir = b->dir;
	for (const int *fd = b->backing; *fd >= 0; fd++)
		keep[n++] = *fd;
	keep[n++] = b->ram;
	keep[n] = -1;
	c.keep_fds = keep;
	b->vm.on_event = boot_on_event;
	b->vm.patience = b->r->o->timeout_mul;
	b->vm.arg = b;
	err = vm_start(&b->vm, &c);
	if (err == -EINTR)
		return EXIT_INTERRUPTED;
	if (err)
		return error("cannot start %s: %s", c.qemu, strerror(-err)),
		       EXIT_RIG_FAILED;
	return 0;
}

void boot_free(struct boot *b)
{
	vm_free(&b->vm);
	boot_census_free(b);
	cleanup_fd(&b->ram);
	for (int *fd = b->backing; *fd >= 0; fd++)
		close(*fd);
	strv_free(&b->paths);
	json_object_put(b->ns);
	buf_free(&b->stacks);
	strv_free(&b->group);
	free(b->group_fs);
	free(b->first_fail);
	free(b->dir);
}

/* --- namespaces ----------------------------------------------------------- */

/* What the agent says of the namespaces is what was asked for. */
static bool namespaces_fit(struct boot *b)
{
	const struct machine *m = b->r->o->machine;
	struct json_object *list = NULL;
	size_t n = 0;

	while (m->ns[n].mode)
		n++;
	if (!json_object_object_get_ex(b->ns, "namespaces", &list) ||
	    !json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) < n)
		return false;
	while (n--)
		if (!guest_get(json_object_array_get_idx(list, n), "dev") ||
		    !guest_get(json_object_array_get_idx(list, n), "name"))
			return false;
	return true;
}

/* As boot_ask(). */
static int load_modules(struct boot *b, char **why)
{
	struct json_object *req = guest_msg("cmd", "modules"),
			   *list = json_object_new_array();
	_strv_ struct strv mods = {}, progs = {};

	guest_wants(b->r, &mods, &progs);
	for (size_t i = 0; i < mods.n; i++)
		json_object_array_add(list, json_object_new_string(mods.v[i]));
	json_object_object_add(req, "load", list);
	return boot_ask(b, req, 60, why, NULL);
}

/* b->ns, fit for boot_ns(). As boot_ask(). */
static int make_namespaces(struct boot *b, char **why)
{
	const struct machine *m = b->r->o->machine;
	struct json_object *req = guest_msg("cmd", "setup"),
			   *list = json_object_new_array();
	int err;

	for (const struct machine_ns *n = m->ns; n->mode; n++) {
		struct json_object *o = guest_msg("mode", n->mode);

		guest_put(o, "map", n->map);
		guest_put_int(o, "region", n->region);
		guest_put_int(o, "labels", m->pmem[n->region].kind ==
						   PMEM_NVDIMM_LABELS);
		json_object_object_add(o, "size", json_object_new_int64(
						  (int64_t)n->mib << 20));
		json_object_array_add(list, o);
	}
	json_object_object_add(req, "namespaces", list);
	err = boot_ask(b, req, 120, why, &b->ns);
	if (err || namespaces_fit(b))
		return err;
	*why = xstrdup("the agent does not name them");
	return 1;
}

int boot_up(struct boot *b)
{
	_free_ char *why = NULL;
	struct run *r = b->r;
	int err;

	progress("boot", "booting %s (%s, %s)", r->kernel.release,
		 r->o->machine->name, r->accel.name);
	err = start_vm(b);
	if (err)
		return err;
	err = vm_wait_hello(&b->vm, boot_silence(r), boot_total(r));
	if (err)
		return boot_failed(b, err);
	err = load_modules(b, &why);
	if (!err)
		err = make_namespaces(b, &why);
	if (!err)
		err = boot_census_up(b);
	return err ? boot_setup_failed(b, err, why, "set up its namespaces",
				       "namespaces were set up") : 0;
}

/* --- filesystems, and the way back ---------------------------------------- */

int boot_make_fs(struct boot *b, const struct rig_case *c, char **why)
{
	int err = boot_ask(b, boot_fs_request(b, "mkfs", c), STEP_LIMIT, why,
			   NULL);

	return err ? err : boot_mount_fs(b, c, why);
}

int boot_mount_fs(struct boot *b, const struct rig_case *c, char **why)
{
	return boot_ask(b, boot_fs_request(b, "mount", c), STEP_LIMIT, why,
			NULL);
}

int boot_mount_companions(struct boot *b, int but)
{
	const struct machine *m = b->r->o->machine;

	for (int i = 0; m->ns[i].mode; i++) {
		_free_ char *fs = xstrndup(m->ns[i].fs,
					   strcspn(m->ns[i].fs, " "));
		struct rig_case c = { .ns = i, .fs = fs };
		_free_ char *why = NULL;
		int err;

		if (i == but || strcmp(m->ns[i].mode, "fsdax") != 0)
			continue;
		err = boot_make_fs(b, &c, &why);
		if (err)
			return boot_setup_failed(b, err, why,
						 "make its filesystems",
						 "filesystems were made");
	}
	return 0;
}

/* Fine with one that is not mounted. As boot_step(). */
static int unmount(struct boot *b, int ns)
{
	struct rig_case c = { .ns = ns, .fs = "" };

	return boot_step(b, boot_fs_request(b, "umount", &c), STEP_LIMIT,
			 "umount", NULL);
}

int boot_take_namespace(struct boot *b, int ns)
{
	int err = unmount(b, ns);

	return err < 0 ? boot_lost(b, err, "filesystems were unmounted") ?: 1 :
			 err;
}

/* @cmd is "disable" or "enable". As boot_step(). */
static int namespace_step(struct boot *b, const char *cmd, int ns)
{
	struct json_object *o = guest_msg("cmd", cmd);
	_free_ char *step = xstrfmt("namespace %s", cmd);

	boot_census_gone(b, ns);
	guest_put(o, "ns", guest_get(boot_ns(b, ns), "name"));
	return boot_step(b, o, STEP_LIMIT, step, NULL);
}

int boot_renew_namespace(struct boot *b, int ns)
{
	int err = namespace_step(b, "disable", ns);

	if (!err)
		err = namespace_step(b, "enable", ns);
	return err ? err : boot_census_back(b, ns);
}

int boot_tear_down(struct boot *b)
{
	const struct machine *m = b->r->o->machine;

	b->now = NULL;
	for (int i = 0; m->ns[i].mode; i++) {
		int err = strcmp(m->ns[i].mode, "fsdax") == 0 ?
				  unmount(b, i) : 0;

		if (!err)
			err = namespace_step(b, "disable", i);
		if (err < 0)
			return boot_lost(b, err, "namespaces were disabled");
		if (err)
			return 0;
	}
	if (boot_ask(b, guest_msg("cmd", "poweroff"), 10, NULL, NULL) == 0)
		vm_wait_exit(&b->vm, boot_scaled(b, 10));
	return 0;
}
