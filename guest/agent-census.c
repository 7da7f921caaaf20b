// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host has to know to read struct pages by itself: where the members
 * of the kernel's structs are, and which file has which block.
 */
#include "agent.h"
#include "btf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BTF_FILE "/sys/kernel/btf/vmlinux"
/* 4 to 9 MB today. */
#define BTF_MAX ((size_t)64 << 20)

/* --- layout ---------------------------------------------------------------- */

/* The whole of @path, as sysfs does not always tell its size; owned by the
 * caller. NULL with errno set. */
static void *read_all(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	size_t room = 0;
	ssize_t n = 1;

	*len = 0;
	if (fd < 0)
		return NULL;
	while (n > 0 && *len < max) {
		if (*len == room) {
			room = room ? room * 2 : (size_t)1 << 20;
			data = realloc(data, room);
		}
		n = read(fd, data + *len, room - *len);
		if (n > 0)
			*len += n;
	}
	close(fd);
	if (n < 0) {
		free(data);
		return NULL;
	}
	return data;
}

/* kernel/ksysfs.c vmcoreinfo_show(): "%pa %x", both in hex. */
static void put_vmcoreinfo(struct json_object *reply)
{
	FILE *f = fopen("/sys/kernel/vmcoreinfo", "re");
	unsigned long long gpa;
	struct json_object *o;
	unsigned int len;

	if (f && fscanf(f, "%llx %x", &gpa, &len) == 2) {
		o = json_object_new_object();
		put_num(o, "gpa", gpa);
		put_num(o, "len", len);
		json_object_object_add(reply, "vmcoreinfo", o);
	}
	if (f)
		fclose(f);
}

void put_btf(struct json_object *members, struct json_object *reply)
{
	struct json_object *btf = NULL;
	char why[BTF_WHY];
	size_t len;
	void *data = read_all(BTF_FILE, BTF_MAX, &len);

	if (!data)
		snprintf(why, sizeof(why), BTF_FILE ": %s", strerror(errno));
	else
		btf = btf_layout(data, len, members, why);
	free(data);
	if (btf)
		json_object_object_add(reply, "btf", btf);
	else
		put_str(reply, "why", why);
}

const char *cmd_layout(struct json_object *req, struct json_object *reply)
{
	struct json_object *members;

	if (!json_object_object_get_ex(req, "members", &members))
		return "layout: no members asked for";
	put_vmcoreinfo(reply);
	put_btf(members, reply);
	return NULL;
}

/* --- owners ---------------------------------------------------------------- */

/* A reply is one datagram: net.core.wmem_default is 212992 bytes. An extent
 * takes at most 48 of them, a file 80 and its name. */
#define MAX_EXTENTS 4096
#define MAX_REPLY 180000

static struct owners {
	struct json_object *files;
	size_t skip;		/* of each path: the folder and its '/' */
	int extents;
	size_t bytes;
	bool more;
} owners;

/* Extents with a place on the device; 0 or an errno. */
static int put_extents(int fd, struct json_object *list)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext[64];
	} fm;
	__u64 at = 0;

	for (;;) {
		memset(&fm, 0, sizeof(fm));
		fm.map.fm_start = at;
		fm.map.fm_length = FIEMAP_MAX_OFFSET - at;
		fm.map.fm_extent_count = 64;
		if (ioctl(fd, FS_IOC_FIEMAP, &fm) < 0)
			return errno;
		if (!fm.map.fm_mapped_extents)
			return 0;
		for (unsigned int i = 0; i < fm.map.fm_mapped_extents; i++) {
			const struct fiemap_extent *x = &fm.ext[i];

			at = x->fe_logical + x->fe_length;
			if (!(x->fe_flags & (FIEMAP_EXTENT_UNKNOWN |
					     FIEMAP_EXTENT_NOT_ALIGNED))) {
				if (owners.extents >= MAX_EXTENTS ||
				    owners.bytes > MAX_REPLY) {
					owners.more = true;
					return 0;
				}
				json_object_array_add(
					list, extent(x->fe_logical,
						     x->fe_physical,
						     x->fe_length));
				owners.extents++;
				owners.bytes += 48;
			}
			if (x->fe_flags & FIEMAP_EXTENT_LAST)
				return 0;
		}
	}
}

static int one_file(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	struct json_object *o, *list;
	int fd, err;

	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	owners.bytes += 80 + 6 * strlen(path + owners.skip);
	if (owners.bytes > MAX_REPLY) {
		owners.more = true;
		return 1;
	}
	o = json_object_new_object();
	list = json_object_new_array();
	put_str(o, "file", path + owners.skip);
	put_num(o, "ino", st->st_ino);
	put_num(o, "size", st->st_size);
	json_object_object_add(o, "extents", list);
	json_object_array_add(owners.files, o);
	fd = open(path, O_RDONLY | O_NOATIME | O_NOFOLLOW | O_CLOEXEC);
	err = fd < 0 ? errno : put_extents(fd, list);
	if (fd >= 0)
		close(fd);
	if (err)
		put_str(o, "error", strerror(err));
	return owners.more;
}

const char *cmd_owners(struct json_object *req, struct json_object *reply)
{
	const char *dir = req_str(req, "dir");

	if (!dir || !*dir)
		return "owners: no folder";
	owners.files = json_object_new_array();
	owners.skip = strlen(dir) + (dir[strlen(dir) - 1] != '/');
	json_object_object_add(reply, "files", owners.files);
	if (nftw(dir, one_file, 16, FTW_PHYS | FTW_MOUNT) < 0)
		return say("%s: %s", dir, strerror(errno));
	json_object_object_add(reply, "more",
			       json_object_new_boolean(owners.more));
	return NULL;
}
