// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What goes wrong: a boot that gets nowhere, a VM that hangs or dies, a step
 * that the agent cannot do. Each becomes a finding, with the text that tells
 * most, or ends the run with one line that says why.
 */
#include "guest.h"
#include "progress.h"
#include "scan.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>

/* --- where it hangs ------------------------------------------------------- */

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

/* Where a child hangs: of its threads, as boot_on_event() noted them, the
 * first in uninterruptible sleep, or else the first that tells anything. */
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

void boot_case_hangs(struct boot *b, struct json_object *reply)
{
	_free_ char *fn = top_function(&b->stacks), *title = NULL, *key = NULL;
	struct json_object *v;

	title = xstrfmt("%s did not end%s%s%s", b->now->workload,
			fn ? ": it is in " : "", fn ? fn : "",
			json_object_object_get_ex(reply, "stuck", &v) ?
				", and cannot be killed" : "");
	key = xstrfmt("hang %s %s", b->now->workload, fn ? fn : "");
	boot_observe(b, "hang", title, key, b->stacks.data);
}

int boot_step(struct boot *b, struct json_object *req, double limit,
	      const char *step, struct json_object **out)
{
	_free_ char *why = NULL, *fn = NULL, *title = NULL, *key = NULL;
	int err = boot_ask(b, req, limit, &why, out);

	if (err <= 0)
		return err;
	if (b->hung) {
		fn = top_function(&b->stacks);
		title = xstrfmt("%s hangs%s%s", step, fn ? " in " : "",
				fn ? fn : "");
	} else {
		title = xstrfmt("%s fails: %s", step, why);
	}
	key = xstrfmt("%s %s", step, fn ? fn : "fails");
	boot_observe(b, b->hung ? "hang" : "teardown", title, key,
		     b->hung ? b->stacks.data : why);
	b->step_failed = true;
	return err;
}

/* --- the last words ------------------------------------------------------- */

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

/* What the guest said last. */
static char *console_tail(const struct boot *b)
{
	return tail(b->vm.console.len ? b->vm.console.data : "",
		    b->vm.console.len);
}

/* What QEMU itself said; "" when it said nothing. */
static char *qemu_words(const struct boot *b)
{
	_free_ char *path = xstrfmt("%s/qemu.log", b->dir);
	_buf_ struct buf log = {};

	return read_file(path, &log) ? xstrdup("") : tail(log.data, log.len);
}

/* --- a VM that is lost ---------------------------------------------------- */

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
	struct json_object *o = guest_msg("ev", "nmi");
	size_t from = b->vm.console.len, len;
	_free_ char *text = NULL;

	guest_put_int(o, "boot", b->r->boots - 1);
	json_object_object_add(o, "offset", json_object_new_int64(from));
	run_log(b->r, o);
	b->nmi = from;
	progress_clear();
	vm_nmi(&b->vm);
	vm_wait_exit(&b->vm, boot_scaled(b, 10));
	len = b->vm.console.len - from;
	text = legible(len ? b->vm.console.data + from : "",
		       len < MAX_STACKS ? len : MAX_STACKS);
	boot_observe(b, "hang", title, key, text);
}

static void vm_died(struct boot *b, const char *doing)
{
	_free_ char *title = NULL, *key = NULL, *qemu = qemu_words(b);
	_free_ char *guest = console_tail(b);
	_free_ char *text = xstrfmt("QEMU said: %s\nits console ended:\n%s",
				    *qemu ? qemu : "nothing", guest);
	int status = b->vm.exit_status;

	title = status > 128 ?
			xstrfmt("QEMU was killed by signal %d while %s",
				status - 128, doing) :
			xstrfmt("the VM ended (QEMU exit %d) while %s", status,
				doing);
	/* A program's name is not what it died of. */
	key = xstrfmt("vm-died %s %d", !b->now ? doing : b->now->program ?
		      b->now->workload : b->now->name, status);
	boot_observe(b, "vm-died", title, key, text);
}

int boot_lost(struct boot *b, int err, const char *doing)
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
		boot_observe(b, "console-flood", title,
			     vm_strerror(&b->vm, err), NULL);
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

/* --- a boot without a case ------------------------------------------------ */

/* EXIT_CANNOT_TEST: said, and written down as a finding of @kind. */
static int cannot_test(struct boot *b, const char *kind, const char *title,
		       const char *text)
{
	_buf_ struct buf indented = {};

	boot_observe(b, kind, title, kind, text);
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

int boot_setup_failed(struct boot *b, int err, const char *why,
		      const char *what, const char *doing)
{
	_free_ char *title = NULL;
	int ret = err < 0 ? boot_lost(b, err, doing) : 0;

	if (ret)
		return ret;
	title = err < 0 ? xstrfmt("%s: %s while %s", b->r->kernel.spec,
				  vm_strerror(&b->vm, err), doing) :
			  xstrfmt("%s: the guest cannot %s: %s",
				  b->r->kernel.spec, what, why);
	return cannot_test(b, "setup", title, NULL);
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

int boot_failed(struct boot *b, int err)
{
	_free_ char *problem = NULL, *title = NULL, *words = NULL,
		     *last = NULL;
	int ret;

	vm_stop(&b->vm);
	if (b->vm.state == VM_NO_DISK)
		err = -EIO;
	if (err == -EINTR || err == -EIO)
		return boot_lost(b, err, "it booted");
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
	last = console_tail(b);
	return cannot_test(b, "boot", title, last);
}
