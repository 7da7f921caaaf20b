// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unmounting, mounting, disabling and enabling what a case runs on: by the
 * agent's own commands, so that options stand in one place. See workload.h.
 */
#include "workload.h"
#include "guest/agent.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static struct json_object *request(void)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "fs", wl->fs);
	put_str(o, "dev", wl->dev);
	put_str(o, "dir", wl->mnt);
	put_str(o, "ns", wl->ns);
	return o;
}

static const char *command(command_fn fn)
{
	struct json_object *reply = json_object_new_object();
	struct json_object *req = request();
	const char *err = fn(req, reply);

	json_object_put(req);
	json_object_put(reply);
	return err;
}

void fs_leave(void)
{
	SAFE(chdir("/"));
}

int fs_umount(void *arg)
{
	return umount2(wl->mnt, 0) < 0 ? errno : 0;
}

const char *fs_mount_again(void)
{
	return command(cmd_mount);
}

void fs_mount(void)
{
	const char *err = fs_mount_again();

	if (err)
		BROKEN("%s", err);
	SAFE(chdir(wl->dir));
}

const char *ns_disable(void)
{
	return command(cmd_disable);
}

const char *ns_enable(void)
{
	return command(cmd_enable);
}

off_t offset_of(int fd, off_t block)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext[64];
	} fm;
	off_t at = 0;

	for (;;) {
		memset(&fm, 0, sizeof(fm));
		fm.map.fm_start = at;
		fm.map.fm_length = FIEMAP_MAX_OFFSET - at;
		fm.map.fm_extent_count = 64;
		SAFE(ioctl(fd, FS_IOC_FIEMAP, &fm));
		if (!fm.map.fm_mapped_extents)
			return -1;
		for (unsigned int i = 0; i < fm.map.fm_mapped_extents; i++) {
			const struct fiemap_extent *x = &fm.ext[i];

			if (block >= (off_t)x->fe_physical &&
			    block < (off_t)(x->fe_physical + x->fe_length))
				return x->fe_logical +
				       (block - x->fe_physical);
			at = x->fe_logical + x->fe_length;
			if (x->fe_flags & FIEMAP_EXTENT_LAST)
				return -1;
		}
	}
}
