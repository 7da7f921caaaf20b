// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1: mounts what every program expects, loads what the agent's port
 * needs, starts the agent and buries the dead. When the agent ends, however it
 * ends, the guest powers off: the host sees which by what came before.
 */
#include "sys.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *type, *dir;
	int needed;
} mounts[] = {
	{ "devtmpfs", "/dev", 1 },
	{ "proc", "/proc", 1 },
	{ "sysfs", "/sys", 1 },
	{ "tmpfs", "/tmp", 1 },
	{ "tmpfs", "/run", 1 },
	{ "devpts", "/dev/pts", 0 },
	{ "tmpfs", "/dev/shm", 0 },
	{ "debugfs", "/sys/kernel/debug", 0 },
	{ "tracefs", "/sys/kernel/tracing", 0 },
};

static void load_boot_modules(void)
{
	FILE *f = fopen(GUEST_MODULES_BOOT, "re");
	char name[128];

	while (f && fscanf(f, "%127s", name) == 1) {
		int err = load_module(name);

		if (err)
			kernel_log("init: cannot load module %s: %s", name,
				   strerror(-err));
	}
	if (f)
		fclose(f);
}

static pid_t start_agent(void)
{
	static char *argv[] = { GUEST_AGENT, NULL };
	static char *envp[] = {
		"PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
		"LD_LIBRARY_PATH=" GUEST_LIBS, "HOME=/root", "TERM=linux",
		NULL,
	};
	pid_t pid = fork();

	if (pid)
		return pid;
	execve(GUEST_AGENT, argv, envp);
	kernel_log("init: cannot start %s: %s", GUEST_AGENT, strerror(errno));
	_exit(127);
}

int main(void)
{
	pid_t agent, pid;
	int status = 0, fd;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0,
			  NULL) < 0 && errno != EBUSY && mounts[i].needed)
			kernel_log("init: cannot mount %s on %s: %s",
				   mounts[i].type, mounts[i].dir,
				   strerror(errno));
	}
	/* The kernel had no /dev/console to open when it started us. */
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	load_boot_modules();
	agent = start_agent();
	do
		pid = wait(&status);
	while (pid != agent && !(pid < 0 && errno == ECHILD));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		kernel_log("init: the agent ended: %s %d",
			   WIFSIGNALED(status) ? "signal" : "exit",
			   WIFSIGNALED(status) ? WTERMSIG(status) :
						 WEXITSTATUS(status));
	reboot(RB_POWER_OFF);
	/* No ACPI power-off in this kernel: QEMU runs with -no-reboot. */
	reboot(RB_AUTOBOOT);
	return 1;
}
