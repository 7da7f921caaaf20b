// SPDX-License-Identifier: GPL-2.0-or-later
/* An interactive guest, on this terminal. */
#include "guest.h"
#include "guest/wire.h"
#include "progress.h"

#include <errno.h>
#include <termios.h>
#include <unistd.h>

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
	_boot_ struct boot b = BOOT_INIT(r);
	__cleanup(restore_terminal) struct termios saved = {};
	struct json_object *req, *reply = NULL;
	_buf_ struct buf script = {};
	struct termios raw;
	int err, code = 0;

	err = boot_up(&b);
	if (!err)
		err = boot_mount_companions(&b, -1);
	if (err)
		return err;
	progress_clear();
	fprintf(stderr, "rig: %s: namespaces are mounted below %s; "
		"`exit` ends the guest\n", r->kernel.release, GUEST_MNT);
	req = guest_msg("cmd", "shell");
	if (tcgetattr(STDIN_FILENO, &saved) == 0) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		b.vm.input_fd = STDIN_FILENO;
	} else {
		/* Not typed but sent: a terminal loses what comes before the
		 * shell reads it. */
		read_fd(STDIN_FILENO, &script);
		guest_put(req, "script", script.data);
	}
	b.vm.on_console = to_terminal;
	guest_put(req, "tty", "/dev/ttyS0");
	guest_put(req, "dir", GUEST_MNT "/0");
	json_object_object_add(req, "timeout", json_object_new_double(1e9));
	err = vm_request(&b.vm, req, 1e9, &reply);
	if (script.len && reply)
		code = guest_get_int(reply, "exit", EXIT_RIG_FAILED);
	json_object_put(reply);
	b.vm.on_console = NULL;
	b.vm.input_fd = -1;
	if (err && err != -EINTR)
		note("the guest ended: %s", vm_strerror(&b.vm, err));
	if (!err)
		boot_tear_down(&b);
	vm_stop(&b.vm);
	return code;
}
