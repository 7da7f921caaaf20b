// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Driving the guest: boots, sets namespaces up, runs case after case, each on
 * a filesystem made for it, and decides what has to be made anew when a case
 * went wrong: nothing, the namespace, or the whole VM.
 */
#include "guest/wire.h"
#include "progress.h"
#include "run.h"
#include "scan.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <termios.h>
#include <unistd.h>

/* No console output for this long while booting is a kernel that hangs; a
 * slow one goes on printing, for at most --boot-timeout. */
#define BOOT_SILENCE 90.0
/* Limits of the steps around a case, in seconds on the reference guest. */
#define STEP_LIMIT 30.0
/* The host waits so much longer than the agent. */
#define GRACE 20.0
/* Boots without a single case done, before the run gives up. */
#define MAX_BARREN 2
#define MAX_PMEM 4
/* Bytes of a text of the guest's that are shown. */
#define MAX_TEXT 400
#define MAX_STACKS ((size_t)1 << 20)

struct boot {
	struct run *r;
	struct vm vm;
	char *dir;
	int backing[MAX_PMEM + 1];	/* fds, ended by -1 */
	struct strv paths;
	struct json_object *ns;		/* the agent's reply to setup */
	struct rig_case *now;		/* the case that runs */
	struct buf stacks;		/* of the case that hangs */
	char *first_fail;		/* text of the case's first FAIL etc. */
	bool step_failed;		/* something around the case did */
	/* Clean cases share a filesystem until one is not: those that ran on
	 * the one that is mounted for cases now; it was not checked since. */
	struct strv group;
	char *group_fs;			/* NULL: none is mounted */
	int group_ns;
};

static void boot_free(struct boot *b)
{
	vm_free(&b->vm);
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

static struct json_object *message(const char *key, const char *value)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, key, json_object_new_string(value));
	return o;
}

static void put(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_object_object_add(o, key, json_object_new_string(value));
}

static void put_int(struct json_object *o, const char *key, int value)
{
	json_object_object_add(o, key, json_object_new_int(value));
}

static const char *get(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

static int get_int(struct json_object *o, const char *key, int fallback)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int(v) :
						       fallback;
}

static bool is_true(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_get_boolean(v);
}

int run_log(struct run *r, struct json_object *o)
{
	_buf_ struct buf line = {};
	int err;

	json_object_object_add(o, "t",
			       json_object_new_double(now() - r->started));
	buf_addf(&line, "%s\n", json_object_to_json_string_ext(
					o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	err = write_all(r->log, line.data, line.len);
	if (err && !r->log_failed)
		error("%s/host.jsonl: %s", r->dir, strerror(-err));
	r->log_failed |= err != 0;
	return err;
}

/* Something that the host saw to be wrong with the kernel. */
static void observe(struct boot *b, const char *kind, const char *title,
		    const char *key, const char *text)
{
	struct json_object *o = message("ev", "observe");

	put_int(o, "boot", b->r->boots - 1);
	put(o, "kind", kind);
	put(o, "title", title);
	put(o, "key", key);
	put(o, "case", b->now ? b->now->name : NULL);
	put(o, "text", text);
	json_object_object_add(o, "offset",
			       json_object_new_int64(b->vm.console.len));
	run_log(b->r, o);
}

/* --- the machine ---------------------------------------------------------- */

void guest_wants(struct strv *modules, struct strv *programs, bool shell)
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

	for (size_t i = 0; i < ARRAY_SIZE(mods); i++)
		strv_push(modules, mods[i]);
	for (size_t i = 0; i < ARRAY_SIZE(progs); i++)
		strv_push(programs, progs[i]);
	for (size_t i = 0; shell && i < ARRAY_SIZE(shell_progs); i++)
		strv_push(programs, shell_progs[i]);
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

static void vm_config(const struct run *r, struct vm_config *c,
		      char *const *backing, const char *append)
{
	*c = (struct vm_config){
		.qemu = r->o->qemu,
		.kernel = r->kernel.image,
		.initrd = r->image,
		.append = append,
		.accel = r->accel.name,
		.machine = r->o->machine,
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

	vm_config(r, &c, names, append);
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

/* --- requests -------------------------------------------------------------- */

static double scaled(const struct boot *b, double seconds)
{
	return seconds * b->r->o->timeout_mul *
	       (b->vm.scale > 1 ? b->vm.scale : 1);
}

/* What a member of the guest's says, fit to be shown and cut to a line's
 * length; owned by the caller. */
static char *text_of(struct json_object *o, const char *key)
{
	const char *text = get(o, key);

	return text ? printable(text, strnlen(text, MAX_TEXT), false) : NULL;
}

/*
 * One command. 0: it went well. 1: the agent says that it did not; *@why (when
 * not NULL) is its reason, owned by the caller, and *@hung whether it did not
 * end in time. -errno: the VM is not what it was.
 */
static int ask(struct boot *b, struct json_object *req, double limit,
	       char **why, bool *hung, struct json_object **out)
{
	struct json_object *reply = NULL;
	int err;

	limit = scaled(b, limit);
	json_object_object_add(req, "timeout", json_object_new_double(limit));
	buf_free(&b->stacks);
	err = vm_request(&b->vm, req, limit + scaled(b, GRACE), &reply);
	if (!err && !is_true(reply, "ok")) {
		if (why)
			*why = text_of(reply, "error") ?: xstrdup("?");
		if (hung)
			*hung = is_true(reply, "hung");
		err = 1;
	}
	if (out && !err)
		*out = json_object_get(reply);
	json_object_put(reply);
	return err;
}

static struct json_object *ns_at(struct boot *b, int i)
{
	struct json_object *list;

	/* set_up() saw that it is there. */
	json_object_object_get_ex(b->ns, "namespaces", &list);
	return json_object_array_get_idx(list, i);
}

static struct json_object *fs_request(struct boot *b, const char *cmd,
				      const struct rig_case *c)
{
	struct json_object *o = message("cmd", cmd);
	_free_ char *dir = xstrfmt("%s/%d", GUEST_MNT, c->ns);

	put(o, "fs", c->fs);
	put(o, "dev", get(ns_at(b, c->ns), "dev"));
	put(o, "ns", get(ns_at(b, c->ns), "name"));
	put(o, "dir", dir);
	return o;
}

static void mark(struct boot *b, const char *what, const char *name)
{
	_free_ char *text = xstrfmt("%s %s", what, name);
	struct json_object *o = message("cmd", "mark");

	put(o, "text", text);
	ask(b, o, 10, NULL, NULL, NULL);
}

/* --- events ---------------------------------------------------------------- */

static void on_event(struct json_object *ev, void *arg)
{
	struct boot *b = arg;
	const char *name = get(ev, "ev"), *st = get(ev, "status");

	if (strcmp(name, "stack") == 0) {
		_free_ char *comm = text_of(ev, "comm"),
			    *state = text_of(ev, "state");
		const char *raw = get(ev, "stack");
		_free_ char *stack = printable(raw ? raw : "",
					       raw ? strlen(raw) : 0, true);

		if (b->stacks.len < MAX_STACKS)
			buf_addf(&b->stacks, "%s (%s)\n%s", comm ? comm : "?",
				 state ? state : "?", stack);
	} else if (strcmp(name, "result") == 0 && st && !b->first_fail &&
		   (strcmp(st, "FAIL") == 0 || strcmp(st, "SKIP") == 0 ||
		    strcmp(st, "BROKEN") == 0)) {
		b->first_fail = text_of(ev, "text") ?: xstrdup("");
	}
}

/* First function of a stack that says more than "it sleeps", or NULL. */
static char *telling_frame(const char *p, const char *end)
{
	static const char *const dull[] = {
		"__schedule", "schedule", "schedule_timeout", "io_schedule",
		"schedule_preempt_disabled", "rwsem_down_write_slowpath",
		"rwsem_down_read_slowpath", "down_write", "down_read",
		"wait_for_completion", "__wait_for_common", "do_wait",
		"kernel_wait4", "__do_sys_wait4", "do_syscall_64",
		"entry_SYSCALL_64_after_hwframe", "hrtimer_nanosleep",
		"common_nsleep", "do_nanosleep", "pipe_read",
		"anon_pipe_read", "vfs_read", "ksys_read",
	};

	while ((p = memmem(p, end - p, "[<0>] ", 6))) {
		bool skip = false;
		char fn[80];

		p += 6;
		if (sscanf(p, "%79[^+ \n]", fn) != 1)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(dull); i++)
			skip |= strcmp(fn, dull[i]) == 0;
		if (!skip)
			return xstrdup(fn);
	}
	return NULL;
}

/* Where a child hangs: of its threads, as on_event() noted them, the first in
 * uninterruptible sleep, or else the first that tells anything. */
static char *top_function(const struct buf *stacks)
{
	const char *end = stacks->data + stacks->len, *next;
	char *any = NULL;

	for (const char *p = stacks->data; p && p < end; p = next) {
		bool stuck = memmem(p, strcspn(p, "\n"), "(D)", 3);
		char *fn;

		/* A thread's frames end where a line is no frame. */
		next = p + strcspn(p, "\n");
		while (next < end && starts_with(next, "\n[<"))
			next += 1 + strcspn(next + 1, "\n");
		fn = telling_frame(p, next);
		next += next < end;
		if (fn && stuck) {
			free(any);
			return fn;
		}
		if (any)
			free(fn);
		else
			any = fn;
	}
	return any;
}

/* --- what can go wrong with the VM ----------------------------------------- */

/* @text for people: a serial console ends its lines with CR LF. */
static char *legible(const char *text, size_t len)
{
	_buf_ struct buf b = {};

	buf_add(&b, "", 0);
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\r')
			buf_add(&b, text + i, 1);
	return printable(b.data, b.len, true);
}

/* The last lines of a log. */
static char *tail(const char *text, size_t len)
{
	size_t from;
	int lines = 0;

	while (len && strchr("\r\n", text[len - 1]))
		len--;
	for (from = len; from > 0 && lines < 3 && len - from < 500; from--)
		lines += text[from - 1] == '\n';
	from += lines == 3;
	return legible(text + from, len - from);
}

/* What QEMU itself said; "" when it said nothing. */
static char *qemu_words(const struct boot *b)
{
	_free_ char *path = xstrfmt("%s/qemu.log", b->dir);
	_buf_ struct buf log = {};

	return read_file(path, &log) ? xstrdup("") : tail(log.data, log.len);
}

/* A signal that no guest can send its QEMU: somebody on this host did. */
static bool from_outside(int sig)
{
	return sig == SIGKILL || sig == SIGTERM || sig == SIGINT ||
	       sig == SIGHUP || sig == SIGQUIT;
}

/* QEMU ended while @doing, and it was not the guest that made it. 0 when it
 * may have been, else an enum rig_exit with its error printed. */
static int qemu_failed(const struct boot *b, const char *doing)
{
	int sig = b->vm.exit_status > 128 ? b->vm.exit_status - 128 : 0;
	struct statvfs st;

	/* A page of a shared file mapping that has no block to go to. */
	if (sig == SIGBUS && statvfs(b->r->dir, &st) == 0)
		return error("%s: QEMU cannot write the NVDIMM while %s: %llu MiB are free there; free some space and run again",
			     b->r->dir, doing,
			     (unsigned long long)st.f_bavail * st.f_frsize >>
				     20), EXIT_RIG_FAILED;
	if (from_outside(sig))
		return error("%s was killed by signal %d while %s: by hand, or for want of memory on this host (dmesg tells)",
			     b->r->o->qemu, sig, doing), EXIT_RIG_FAILED;
	return 0;
}

/*
 * A guest that does not answer any more: all CPUs' stacks, if one of them still
 * takes an NMI. The panic that it is made to end in is the hang's text, no
 * finding of its own: host.jsonl tells from which byte on.
 */
static void guest_hangs(struct boot *b, const char *doing)
{
	_free_ char *title = xstrfmt("the guest stopped answering while %s",
				     doing);
	_free_ char *key = xstrfmt("guest-hang %s", b->now ? b->now->workload :
							     doing);
	struct json_object *o = message("ev", "nmi");
	size_t from = b->vm.console.len, len;
	_free_ char *text = NULL;

	put_int(o, "boot", b->r->boots - 1);
	json_object_object_add(o, "offset", json_object_new_int64(from));
	run_log(b->r, o);
	progress_clear();
	vm_nmi(&b->vm);
	vm_wait_exit(&b->vm, scaled(b, 10));
	len = b->vm.console.len - from;
	text = legible(len ? b->vm.console.data + from : "",
		       len < MAX_STACKS ? len : MAX_STACKS);
	observe(b, "hang", title, key, text);
}

static void vm_died(struct boot *b, const char *doing)
{
	_free_ char *title = NULL, *key = NULL, *qemu = qemu_words(b);
	_free_ char *guest = tail(b->vm.console.data ? b->vm.console.data : "",
				  b->vm.console.len);
	_free_ char *text = xstrfmt("QEMU said: %s\nits console ended:\n%s",
				    *qemu ? qemu : "nothing", guest);
	int status = b->vm.exit_status;

	title = status > 128 ?
			xstrfmt("QEMU was killed by signal %d while %s",
				status - 128, doing) :
			xstrfmt("the VM ended (QEMU exit %d) while %s", status,
				doing);
	key = xstrfmt("vm-died %s %d", b->now ? b->now->name : doing, status);
	observe(b, "vm-died", title, key, text);
}

/*
 * vm_*() returned @err while @doing: write down what it means for the kernel.
 * Returns 0 when the run can go on with another boot, else an enum rig_exit.
 */
static int vm_lost(struct boot *b, int err, const char *doing)
{
	_free_ char *title = NULL;

	switch (-err) {
	case EINTR:
		b->r->interrupted = true;
		return EXIT_INTERRUPTED;
	case EIO:
		return error("%s: cannot write what the guest says: %s; free some space and run again",
			     b->dir, strerror(b->vm.log_error)),
		       EXIT_RIG_FAILED;
	case EFBIG:
		title = xstrfmt("%s (over %zu MiB)", vm_strerror(&b->vm, err),
				VM_CONSOLE_MAX >> 20);
		observe(b, "console-flood", title, vm_strerror(&b->vm, err),
			NULL);
		if (!b->first_fail)
			b->first_fail = take_ptr(title);
		break;
	case ETIMEDOUT:
		guest_hangs(b, doing);
		break;
	case EPIPE:
		err = qemu_failed(b, doing);
		if (err)
			return err;
		/* A panic on the console tells it better. */
		if (!b->vm.console.data ||
		    !memmem(b->vm.console.data, b->vm.console.len,
			    "Kernel panic", 12))
			vm_died(b, doing);
		break;
	default:
		return error("%s: %s", b->dir, strerror(-err)),
		       EXIT_RIG_FAILED;
	}
	return b->r->log_failed ? EXIT_RIG_FAILED : 0;
}

static void case_done(struct boot *b, enum case_status st, double seconds)
{
	struct rig_case *c = b->now;
	struct json_object *o = message("ev", "case");

	c->status = st;
	c->seconds = seconds;
	c->boot = b->r->boots - 1;
	c->text = take_ptr(b->first_fail);
	put(o, "case", c->name);
	put(o, "workload", c->workload);
	put(o, "fs", c->fs);
	put(o, "size", c->size);
	put(o, "status", case_status_names[st]);
	put_int(o, "boot", c->boot);
	json_object_object_add(o, "seconds", json_object_new_double(seconds));
	put(o, "text", c->text);
	run_log(b->r, o);
	b->r->next++;
}

/* --- a case ----------------------------------------------------------------- */

/* A step around the case that the agent could not do: a finding. */
static void step_failed(struct boot *b, const char *step, const char *why,
			bool hung)
{
	_free_ char *fn = hung ? top_function(&b->stacks) : NULL;
	_free_ char *title = hung ?
		xstrfmt("%s hangs%s%s", step, fn ? " in " : "", fn ? fn : "") :
		xstrfmt("%s fails: %s", step, why);
	_free_ char *key = xstrfmt("%s %s", step, hung && fn ? fn : "fails");

	observe(b, hung ? "hang" : "teardown", title, key,
		hung ? b->stacks.data : why);
	b->step_failed = true;
}

/* Kernel reports since byte @from; whether any, and whether a fatal one. */
static bool reports_since(struct boot *b, size_t from, bool *fatal, size_t *n)
{
	_kreports_ struct kreports rep = {};

	scan_console(b->vm.console.data + from, b->vm.console.len - from, 0,
		     &rep);
	for (size_t i = 0; i < rep.n; i++)
		*fatal |= rep.v[i].fatal;
	*n = rep.n;
	return rep.n;
}

static enum case_status status_of(struct json_object *reply)
{
	const char *st = get(reply, "status");

	for (int i = 0; st && i < NR_CASE_STATUS; i++)
		if (strcmp(st, case_status_names[i]) == 0)
			return i;
	return CASE_BROKEN;
}

static struct json_object *run_request(struct boot *b)
{
	struct rig_case *c = b->now;
	struct json_object *o = message("cmd", "run");
	_free_ char *mnt = xstrfmt("%s/%d", GUEST_MNT, c->ns);

	put(o, "case", c->name);
	put(o, "workload", c->workload);
	put(o, "variant", c->variant);
	put(o, "fs", c->fs);
	put(o, "size", c->size);
	if (strcmp(c->fs, "devdax") != 0)
		put(o, "mnt", mnt);
	put(o, "dev", get(ns_at(b, c->ns), "dev"));
	put(o, "ns", get(ns_at(b, c->ns), "name"));
	json_object_object_add(o, "scale",
			       json_object_new_double(scaled(b, 1)));
	put_int(o, "seed", b->r->next + 1);
	return o;
}

/* Cases that share one filesystem at the most: each of them is suspect when
 * the check at the end finds it corrupt. */
#define MAX_GROUP 16

static bool is_devdax(const struct rig_case *c)
{
	return strcmp(c->fs, "devdax") == 0;
}

/* Whether @c may run on the filesystem that is mounted now. */
static bool joins_group(const struct boot *b, const struct rig_case *c)
{
	return b->group_fs && b->group_ns == c->ns && !c->owns_fs &&
	       !c->alone && strcmp(b->group_fs, c->fs) == 0 &&
	       b->group.n < MAX_GROUP;
}

/* Filesystem made and mounted for the case. 0, 1: BROKEN, -errno. */
static int before_case(struct boot *b, char **why)
{
	int err;

	if (is_devdax(b->now) || joins_group(b, b->now))
		return 0;
	err = ask(b, fs_request(b, "mkfs", b->now), STEP_LIMIT, why, NULL,
		  NULL);
	if (!err)
		err = ask(b, fs_request(b, "mount", b->now), STEP_LIMIT, why,
			  NULL, NULL);
	if (!err) {
		b->group_fs = xstrdup(b->now->fs);
		b->group_ns = b->now->ns;
	}
	return err;
}

static void end_group(struct boot *b)
{
	strv_free(&b->group);
	free(b->group_fs);
	b->group_fs = NULL;
}

/* Each case that ran on the corrupt filesystem once more, on its own. */
static void suspect_group(struct boot *b, const char *output)
{
	_free_ char *title = xstrfmt("%s is corrupt", b->now->fs);
	_free_ char *key = xstrfmt("fsck %s", b->now->fs);
	_buf_ struct buf text = {};

	if (b->group.n > 1) {
		buf_addf(&text, "one of these %zu cases left it so; each runs "
			 "again on its own:\n", b->group.n);
		for (size_t i = 0; i < b->group.n; i++) {
			buf_addf(&text, "  %s\n", b->group.v[i]);
			cases_again(&b->r->cases, b->group.v[i]);
		}
		/* Growing the list may have moved it. */
		b->now = &b->r->cases.v[b->r->next];
	}
	buf_addf(&text, "%s", output ? output : "");
	observe(b, "fsck", title, key, text.data);
	b->now->status = CASE_FAIL;
}

/* Unmounted and checked. 0, 1: reported, and the VM is spent; -errno. */
static int after_case(struct boot *b)
{
	struct json_object *reply = NULL;
	_free_ char *why = NULL;
	bool hung = false;
	int err;

	if (is_devdax(b->now) || !b->group_fs)
		return 0;
	err = ask(b, fs_request(b, "umount", b->now), STEP_LIMIT, &why, &hung,
		  NULL);
	if (err > 0)
		step_failed(b, "umount", why, hung);
	if (err)
		return err;
	err = ask(b, fs_request(b, "check", b->now), STEP_LIMIT * 2, &why,
		  &hung, &reply);
	if (err > 0)
		step_failed(b, "check", why, hung);
	if (!err && !is_true(reply, "clean"))
		suspect_group(b, get(reply, "output"));
	json_object_put(reply);
	end_group(b);
	return err;
}

/* struct pages made anew: disable and enable. 0, 1: reported; -errno. */
static int renew_namespace(struct boot *b, int ns)
{
	static const char *const steps[] = { "disable", "enable" };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct json_object *o = message("cmd", steps[i]);
		_free_ char *why = NULL, *step = NULL;
		bool hung = false;
		int err;

		put(o, "ns", get(ns_at(b, ns), "name"));
		err = ask(b, o, STEP_LIMIT, &why, &hung, NULL);
		if (err > 0) {
			step = xstrfmt("namespace %s", steps[i]);
			step_failed(b, step, why, hung);
		}
		if (err)
			return err;
	}
	return 0;
}

static void report_hang(struct boot *b, struct json_object *reply)
{
	_free_ char *fn = top_function(&b->stacks), *title = NULL, *key = NULL;
	struct json_object *v;

	title = xstrfmt("%s did not end%s%s%s", b->now->workload,
			fn ? ": it is in " : "", fn ? fn : "",
			json_object_object_get_ex(reply, "stuck", &v) ?
				", and cannot be killed" : "");
	key = xstrfmt("hang %s %s", b->now->workload, fn ? fn : "");
	observe(b, "hang", title, key, b->stacks.data);
}

/*
 * What the console said since byte @from, which it has said up to a mark of
 * ours: how many reports, and whether the VM is spent by one.
 */
static size_t reports_until(struct boot *b, const char *what, size_t from,
			    bool *fatal)
{
	_free_ char *text = xstrfmt("rig: %s %s", what, b->now->name);
	size_t nr = 0;

	mark(b, what, b->now->name);
	vm_wait_console(&b->vm, text, from, scaled(b, 5));
	reports_since(b, from, fatal, &nr);
	return nr;
}

/* The run request and what came of it. 0 or -errno as ask(). */
static int run_case(struct boot *b, enum case_status *st, bool *spent)
{
	struct json_object *reply = NULL, *v;
	_free_ char *why = NULL, *left = NULL;
	bool hung = false;
	int err = before_case(b, &why);

	*st = CASE_BROKEN;
	if (!err) {
		if (!is_devdax(b->now))
			strv_push(&b->group, b->now->name);
		err = ask(b, run_request(b), b->now->runtime * 4 + 20, &why,
			  NULL, &reply);
	}
	if (err > 0 && !b->first_fail)
		b->first_fail = take_ptr(why);
	if (!err) {
		*st = status_of(reply);
		*spent = json_object_object_get_ex(reply, "stuck", &v);
		if (*st == CASE_HANG)
			report_hang(b, reply);
		if (*st == CASE_CRASH && !b->first_fail)
			b->first_fail = xstrdup("its process was killed");
	}
	json_object_put(reply);
	if (err < 0 || *spent || is_devdax(b->now))
		return err < 0 ? err : 0;
	/* Unlink and the last close may wait for what the case left, and not
	 * come back. */
	err = ask(b, fs_request(b, "clean", b->now), STEP_LIMIT, &left, &hung,
		  NULL);
	if (err > 0) {
		step_failed(b, "removing the case's files", left, hung);
		*spent = true;
	}
	return err < 0 ? err : 0;
}

/*
 * The case b->now, from its begin mark to its end mark. 0: go on in this VM;
 * 1: go on in another; an enum rig_exit above that.
 */
static int one_case(struct boot *b)
{
	const struct cases *all = &b->r->cases;
	enum case_status st;
	size_t from = b->vm.console.len, nr = 0;
	bool fatal = false, spent = false, clean;
	double start = now();
	int err, ret;

	b->step_failed = false;
	mark(b, "begin", b->now->name);
	err = run_case(b, &st, &spent);
	if (!err && !spent) {
		nr = reports_until(b, "ran", from, &fatal);
		clean = !nr && !b->now->owns_fs && !b->now->alone &&
			(st == CASE_PASS || st == CASE_SKIP);
		b->now->status = st;
		/* The next one goes on here, if all is well and it may. */
		if (clean && b->r->next + 1 < all->n &&
		    joins_group(b, &all->v[b->r->next + 1])) {
			mark(b, "end", b->now->name);
			case_done(b, st, now() - start);
			return 0;
		}
		ret = fatal ? 0 : after_case(b);
		if (ret > 0)
			spent = true;
		if (ret < 0)
			err = ret;
		if (b->now->status == CASE_FAIL)
			st = CASE_FAIL;
	}
	if (b->step_failed && (st == CASE_PASS || st == CASE_SKIP))
		st = CASE_FAIL;
	if (!err)
		nr = reports_until(b, "end", from, &fatal);
	if (err < 0) {
		ret = vm_lost(b, err, "a case ran");
		if (ret)
			return ret;
		case_done(b, err == -EPIPE ? CASE_PANIC :
			     err == -EFBIG ? CASE_FAIL : CASE_HANG,
			  now() - start);
		return 1;
	}
	clean = !nr && !b->now->owns_fs && (st == CASE_PASS || st == CASE_SKIP);
	case_done(b, st, now() - start);
	if (spent || fatal)
		return 1;
	if (clean)
		return 0;
	ret = renew_namespace(b, b->r->cases.v[b->r->next - 1].ns);
	return ret < 0 ? (vm_lost(b, ret, "the namespace was renewed") ?: 1) :
			 ret;
}

/* --- a boot ------------------------------------------------------------------ */

static int start_vm(struct boot *b)
{
	_free_ char *append = command_line(b->r);
	struct vm_config c;
	int err;

	b->dir = xstrfmt("%s/boot-%d", b->r->dir, b->r->boots++);
	if (mkdir(b->dir, 0777) < 0)
		return error("cannot make %s: %s", b->dir, strerror(errno)),
		       EXIT_RIG_FAILED;
	err = make_backing(b);
	if (err)
		return error("cannot make the NVDIMM's file in %s: %s", b->dir,
			     strerror(-err)), EXIT_RIG_FAILED;
	vm_config(b->r, &c, b->paths.v, append);
	c.dir = b->dir;
	c.keep_fds = b->backing;
	b->vm.on_event = on_event;
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

/*
 * A boot that does not get to its first case. Only the first one ends the run
 * at once: a kernel that ran cases before is tried once more.
 */
static int cannot_test(struct boot *b, const char *kind, const char *title,
		       const char *text)
{
	_buf_ struct buf indented = {};

	observe(b, kind, title, kind, text);
	for (const char *p = text ? text : ""; *p;) {
		size_t n = strcspn(p, "\n");

		buf_addf(&indented, "\n  %.*s", (int)n, p);
		p += n + (p[n] == '\n');
	}
	if (b->r->next)
		warning("%s%s", title, indented.len ? indented.data : "");
	else
		error("%s%s", title, indented.len ? indented.data : "");
	return EXIT_CANNOT_TEST;
}

/* Seconds that a boot may take in all, and be silent for. */
static double boot_total(const struct run *r)
{
	return r->o->boot_timeout * r->o->timeout_mul;
}

static double boot_silence(const struct run *r)
{
	double all = boot_total(r), limit = BOOT_SILENCE * r->o->timeout_mul;

	return all < limit ? all : limit;
}

/* Why the guest did not come up, in words. */
static char *boot_problem(const struct boot *b, int err)
{
	_free_ char *qemu = qemu_words(b);
	_kreports_ struct kreports rep = {};
	double quiet = now() - b->vm.last_console;
	struct run *r = b->r;

	scan_console(b->vm.console.data, b->vm.console.len, 0, &rep);
	for (size_t i = 0; i < rep.n; i++)
		if (rep.v[i].fatal)
			return xstrdup(rep.v[i].title);
	if (err == -EPIPE && b->vm.exit_status > 128)
		return xstrfmt("QEMU was killed by signal %d",
			       b->vm.exit_status - 128);
	if (err == -EPIPE && b->vm.exit_status)
		return xstrfmt("QEMU ended with %d%s%.*s", b->vm.exit_status,
			       *qemu ? ": " : "", (int)strcspn(qemu, "\n"),
			       qemu);
	if (err == -ETIMEDOUT && !b->vm.console.len)
		return xstrfmt("its console says nothing within %g s",
			       boot_silence(r));
	if (err == -ETIMEDOUT && quiet >= boot_silence(r) * 0.9)
		return xstrfmt("its console falls silent, for %g s now",
			       boot_silence(r));
	if (err == -ETIMEDOUT)
		return xstrfmt("the agent does not answer within %g s; see --boot-timeout",
			       boot_total(r));
	if (err == -EPIPE)
		return xstrdup("it powers off");
	return xstrdup(vm_strerror(&b->vm, err));
}

/* QEMU says that it cannot load the kernel: nothing wrong with QEMU. */
static bool refuses_kernel(const char *words)
{
	return strstr(words, "load") && strstr(words, "kernel");
}

static int boot_failed(struct boot *b, int err)
{
	_free_ char *problem = NULL, *title = NULL, *words = NULL;
	int ret;

	vm_stop(&b->vm);
	if (b->vm.state == VM_NO_DISK)
		err = -EIO;
	if (err == -EINTR || err == -EIO)
		return vm_lost(b, err, "it booted");
	ret = err == -EPIPE ? qemu_failed(b, "it booted") : 0;
	if (ret)
		return ret;
	words = qemu_words(b);
	/* Not a word of the guest's, but some of QEMU's: it never started. */
	if (err == -EPIPE && b->vm.exit_status && !b->vm.console.len &&
	    !refuses_kernel(words))
		return error("%s does not start: exit %d: %.*s%s%s/qemu.log",
			     b->r->o->qemu, b->vm.exit_status,
			     (int)strcspn(words, "\n"), words,
			     *words ? "; all of it: " : "nothing in ", b->dir),
		       EXIT_RIG_FAILED;
	problem = boot_problem(b, err);
	title = xstrfmt("%s does not boot to user space: %s; its console: %s/console.log",
			b->r->kernel.spec, problem, b->dir);
	free(take_ptr(words));
	words = tail(b->vm.console.data ? b->vm.console.data : "",
		     b->vm.console.len);
	return cannot_test(b, "boot", title, words);
}

/* vm_lost() before a case was reached. */
static int lost_early(struct boot *b, int err, const char *doing)
{
	_free_ char *title = NULL;
	int ret = vm_lost(b, err, doing);

	if (ret)
		return ret;
	title = xstrfmt("%s: %s while %s", b->r->kernel.spec,
			vm_strerror(&b->vm, err), doing);
	return cannot_test(b, "setup", title, NULL);
}

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
		if (!get(json_object_array_get_idx(list, n), "dev") ||
		    !get(json_object_array_get_idx(list, n), "name"))
			return false;
	return true;
}

static int set_up(struct boot *b)
{
	const struct machine *m = b->r->o->machine;
	struct json_object *req = message("cmd", "modules"),
			   *list = json_object_new_array(), *nss;
	_strv_ struct strv mods = {}, progs = {};
	_free_ char *why = NULL;
	int err;

	guest_wants(&mods, &progs, false);
	cases_wants(b->r->describe, &b->r->cases, &mods, &progs);
	for (size_t i = 0; i < mods.n; i++)
		json_object_array_add(list, json_object_new_string(mods.v[i]));
	json_object_object_add(req, "load", list);
	err = ask(b, req, 60, &why, NULL, NULL);
	req = message("cmd", "setup");
	nss = json_object_new_array();
	for (const struct machine_ns *n = m->ns; n->mode; n++) {
		struct json_object *o = message("mode", n->mode);

		put(o, "map", n->map);
		put_int(o, "region", n->region);
		put_int(o, "labels", m->pmem[n->region].kind ==
					     PMEM_NVDIMM_LABELS);
		json_object_object_add(o, "size", json_object_new_int64(
						  (int64_t)n->mib << 20));
		json_object_array_add(nss, o);
	}
	json_object_object_add(req, "namespaces", nss);
	if (err) {
		json_object_put(req);
	} else {
		err = ask(b, req, 120, &why, NULL, &b->ns);
	}
	if (!err && !namespaces_fit(b)) {
		why = xstrdup("the agent does not name them");
		err = 1;
	}
	if (err > 0) {
		_free_ char *title = xstrfmt("%s: the guest cannot set up its namespaces: %s",
					     b->r->kernel.spec, why);

		return cannot_test(b, "setup", title, NULL);
	}
	return err < 0 ? lost_early(b, err, "namespaces were set up") : 0;
}

/* Filesystems of the other namespaces: there, and mounted, all the time. */
static int mount_companions(struct boot *b, int but)
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
		err = ask(b, fs_request(b, "mkfs", &c), STEP_LIMIT, &why, NULL,
			  NULL);
		if (!err)
			err = ask(b, fs_request(b, "mount", &c), STEP_LIMIT,
				  &why, NULL, NULL);
		if (err > 0) {
			_free_ char *title = xstrfmt("%s: the guest cannot make its filesystems: %s",
						     b->r->kernel.spec, why);

			return cannot_test(b, "setup", title, NULL);
		}
		if (err < 0)
			return lost_early(b, err, "filesystems were made");
	}
	return 0;
}

static int unmount_companion(struct boot *b, int ns)
{
	struct rig_case c = { .ns = ns, .fs = "" };

	return ask(b, fs_request(b, "umount", &c), STEP_LIMIT, NULL, NULL,
		   NULL);
}

/* The namespace that a case is about to use has no filesystem of a companion
 * any more. As one_case(). */
static int take_namespace(struct boot *b, int ns)
{
	struct rig_case c = { .ns = ns, .fs = "" };
	_free_ char *why = NULL;
	bool hung = false;
	int err = ask(b, fs_request(b, "umount", &c), STEP_LIMIT, &why, &hung,
		      NULL);

	if (err > 0)
		step_failed(b, "umount", why, hung);
	return err < 0 ? vm_lost(b, err, "filesystems were unmounted") ?: 1 :
			 err;
}

/* Everything given back, then off. What fails here is a finding. 0, or an enum
 * rig_exit. */
static int tear_down(struct boot *b)
{
	const struct machine *m = b->r->o->machine;

	b->now = NULL;
	for (int i = 0; m->ns[i].mode; i++) {
		struct json_object *o = message("cmd", "disable");
		_free_ char *why = NULL;
		bool hung = false;
		int err = strcmp(m->ns[i].mode, "fsdax") == 0 ?
				  unmount_companion(b, i) : 0;

		put(o, "ns", get(ns_at(b, i), "name"));
		if (err >= 0)
			err = ask(b, o, STEP_LIMIT, &why, &hung, NULL);
		else
			json_object_put(o);
		if (err > 0) {
			step_failed(b, "namespace disable", why, hung);
			return 0;
		}
		if (err < 0)
			return vm_lost(b, err, "namespaces were disabled");
	}
	if (ask(b, message("cmd", "poweroff"), 10, NULL, NULL, NULL) == 0)
		vm_wait_exit(&b->vm, scaled(b, 10));
	return 0;
}

static void show_progress(const struct run *r, const char *what)
{
	progress("run", "[%zu/%zu] %s", r->next + (r->next < r->cases.n),
		 r->cases.n, what);
}

/* From nothing to namespaces that are set up. 0 or as set_up(). */
static int boot_up(struct boot *b)
{
	struct run *r = b->r;
	int err;

	progress("boot", "booting %s (%s, %s)", r->kernel.release,
		 r->o->machine->name, r->accel.name);
	err = start_vm(b);
	if (err)
		return err;
	err = vm_wait_hello(&b->vm, boot_silence(r), boot_total(r));
	return err ? boot_failed(b, err) : set_up(b);
}

/* 0: the boot's end was reached or another is wanted; else as one_case(). */
static int boot_and_work(struct run *r)
{
	__cleanup(boot_free) struct boot b = { .r = r, .vm = VM_INIT,
					       .backing = { -1 } };
	struct json_object *o = message("ev", "boot");
	int err, mounted_for = -1;

	put_int(o, "boot", r->boots);
	if (run_log(r, o))
		return EXIT_RIG_FAILED;
	err = boot_up(&b);
	while (!err && r->next < r->cases.n) {
		b.now = &r->cases.v[r->next];
		if (b.now->ns != mounted_for) {
			struct rig_case *c = take_ptr(b.now);

			err = mounted_for < 0 ? mount_companions(&b, c->ns) :
						take_namespace(&b, c->ns);
			mounted_for = c->ns;
			b.now = c;
			if (err)
				break;
		}
		show_progress(r, b.now->name);
		err = one_case(&b);
		if (r->log_failed)
			err = EXIT_RIG_FAILED;
	}
	if (!err)
		err = tear_down(&b);
	vm_stop(&b.vm);
	/* What came last found no room either. */
	if (b.vm.state == VM_NO_DISK && err <= 1)
		err = vm_lost(&b, -EIO, "it ended");
	return err == 1 ? 0 : err;
}

int guest_work(struct run *r)
{
	int barren = 0;

	while (r->next < r->cases.n) {
		size_t before = r->next;
		int err = boot_and_work(r);

		if (err && (err != EXIT_CANNOT_TEST || !r->next))
			return err;
		barren = r->next == before ? barren + 1 : 0;
		if (barren >= MAX_BARREN)
			return error("%s: %d boots in a row did not get to a case",
				     r->kernel.spec, barren), EXIT_CANNOT_TEST;
	}
	return 0;
}

/* --- an interactive guest ---------------------------------------------------- */

static void to_terminal(const char *data, size_t len, void *arg)
{
	(void)arg;
	/* The user's own guest on the user's own terminal: as it is. */
	write_all(STDOUT_FILENO, data, len);
}

static void restore_terminal(struct termios *t)
{
	if (t->c_cflag)
		tcsetattr(STDIN_FILENO, TCSANOW, t);
}

int guest_shell(struct run *r)
{
	__cleanup(boot_free) struct boot b = { .r = r, .vm = VM_INIT,
					       .backing = { -1 } };
	__cleanup(restore_terminal) struct termios saved = {};
	struct json_object *req, *reply = NULL;
	_buf_ struct buf script = {};
	struct termios raw;
	int err, code = 0;

	err = boot_up(&b);
	if (!err)
		err = mount_companions(&b, -1);
	if (err)
		return err;
	progress_clear();
	fprintf(stderr, "rig: %s: namespaces are mounted below %s; "
		"`exit` ends the guest\n", r->kernel.release, GUEST_MNT);
	req = message("cmd", "shell");
	if (tcgetattr(STDIN_FILENO, &saved) == 0) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		b.vm.input_fd = STDIN_FILENO;
	} else {
		/* Not typed but sent: a terminal loses what comes before the
		 * shell reads it. */
		read_fd(STDIN_FILENO, &script);
		put(req, "script", script.data);
	}
	b.vm.on_console = to_terminal;
	put(req, "tty", "/dev/ttyS0");
	put(req, "dir", GUEST_MNT "/0");
	json_object_object_add(req, "timeout", json_object_new_double(1e9));
	err = vm_request(&b.vm, req, 1e9, &reply);
	if (script.len && reply)
		code = get_int(reply, "exit", EXIT_RIG_FAILED);
	json_object_put(reply);
	b.vm.on_console = NULL;
	b.vm.input_fd = -1;
	if (err && err != -EINTR)
		note("the guest ended: %s", vm_strerror(&b.vm, err));
	if (!err)
		tear_down(&b);
	vm_stop(&b.vm);
	return code;
}
