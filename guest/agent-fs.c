// SPDX-License-Identifier: GPL-2.0-or-later
/* Filesystems on a namespace: made, mounted, proved to be DAX, checked. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

/*
 * All that is known of a filesystem. mkfs aligns data to 2 MiB, so that PMD
 * mappings are possible; the checkers only look.
 */
static const struct fs {
	const char *name;
	const char *mkfs[16];
	const char *mount_data;
	const char *check[6];
} filesystems[] = {
	{
		.name = "xfs",
		.mkfs = { "mkfs.xfs", "-q", "-f", "-K", "-m",
			  "reflink=1,rmapbt=1", "-d",
			  "su=2m,sw=1,agcount=4", "-l", "size=64m", NULL },
		.mount_data = "dax=always",
		.check = { "xfs_repair", "-n", NULL },
	},
	{
		.name = "ext4",
		.mkfs = { "mkfs.ext4", "-q", "-F", "-b", "4096", "-E",
			  "stride=512,stripe_width=512,lazy_itable_init=1,"
			  "nodiscard", NULL },
		.mount_data = "dax=always",
		.check = { "e2fsck", "-fn", NULL },
	},
};

static const struct fs *fs_of(struct json_object *req)
{
	const char *name = req_str(req, "fs");

	for (size_t i = 0; i < sizeof(filesystems) / sizeof(*filesystems); i++)
		if (name && strcmp(filesystems[i].name, name) == 0)
			return &filesystems[i];
	return NULL;
}

/* Run @argv with @dev behind it. */
static int run_on(const char *const *argv, const char *dev, char *out,
		  size_t size)
{
	const char *full[20];
	int n = 0;

	while (argv[n] && n < 18) {
		full[n] = argv[n];
		n++;
	}
	full[n++] = dev;
	full[n] = NULL;
	return run_capture(full, out, size);
}

const char *cmd_mkfs(struct json_object *req, struct json_object *reply)
{
	const struct fs *fs = fs_of(req);
	const char *dev = req_str(req, "dev");
	static char out[4096];
	int rc;

	if (!fs || !dev)
		return "mkfs: unknown filesystem or no device";
	rc = run_on(fs->mkfs, dev, out, sizeof(out));
	if (rc)
		return say("mkfs.%s %s: exit %d: %s", fs->name, dev, rc, out);
	return NULL;
}

/*
 * Whether files of @dir are DAX: statx says so of a file made there. A mount
 * option says only what was asked for.
 */
static const char *prove_dax(const char *dir)
{
	const char *path = say("%s/.rig-dax-proof", dir), *err = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct statx sx;

	if (fd < 0)
		return say("%s: cannot make a file: %s", dir, strerror(errno));
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx))
		err = say("%s: statx: %s", dir, strerror(errno));
	else if (!(sx.stx_attributes_mask & STATX_ATTR_DAX))
		err = say("%s: this kernel does not say what is DAX", dir);
	else if (!(sx.stx_attributes & STATX_ATTR_DAX))
		err = say("%s: mounted, but its files are not DAX", dir);
	close(fd);
	unlink(path);
	return err;
}

const char *cmd_mount(struct json_object *req, struct json_object *reply)
{
	const struct fs *fs = fs_of(req);
	const char *dev = req_str(req, "dev"), *dir = req_str(req, "dir");

	if (!fs || !dev || !dir)
		return "mount: unknown filesystem, no device or no folder";
	mkdir(dir, 0755);
	if (mount(dev, dir, fs->name, 0, fs->mount_data) < 0)
		return say("cannot mount %s on %s as %s with %s: %s", dev, dir,
			   fs->name, fs->mount_data, strerror(errno));
	return prove_dax(dir);
}

const char *cmd_umount(struct json_object *req, struct json_object *reply)
{
	const char *dir = req_str(req, "dir");

	if (!dir)
		return "umount: no folder";
	/* A workload may have unmounted it already. */
	if (umount2(dir, 0) < 0 && errno != EINVAL && errno != ENOENT)
		return say("cannot unmount %s: %s", dir, strerror(errno));
	return NULL;
}

const char *cmd_check(struct json_object *req, struct json_object *reply)
{
	const struct fs *fs = fs_of(req);
	const char *dev = req_str(req, "dev");
	static char out[65536];
	int rc;

	if (!fs || !dev)
		return "check: unknown filesystem or no device";
	rc = run_on(fs->check, dev, out, sizeof(out));
	put_num(reply, "exit", rc);
	json_object_object_add(reply, "clean",
			       json_object_new_boolean(rc == 0));
	if (rc)
		put_str(reply, "output", out);
	return rc < 0 ? say("%s did not start", fs->check[0]) : NULL;
}
