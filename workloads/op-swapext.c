// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XFS_IOC_SWAPEXT, as xfs_fsr uses it: two files of one size, all of their
 * blocks. fs/xfs/xfs_bmap_util.c xfs_swap_extents() wants to be told the
 * target's times, as a proof that nobody has changed it.
 */
#include "emit.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

/* fs/xfs/libxfs/xfs_fs.h struct xfs_swapext, and of the struct xfs_bstat in it
 * what is looked at. */
struct swapext {
	int64_t version, fdtarget, fdtmp, offset, length;
	char pad[16], stat[56];
	struct {
		long sec;
		int32_t nsec;
	} mtime, ctime;
	char rest[48];
};
_Static_assert(sizeof(struct swapext) == 192, "struct xfs_swapext");

#define SWAPEXT _IOWR('X', 109, struct swapext)

enum { FD, DST };

static bool gen(struct gen *g, struct step *s)
{
	struct gen_file *a = gen_file_of_fd(g, s->arg[FD]);
	struct gen_file *b = gen_file_of_fd(g, s->arg[DST]);

	if (a == b || a->size != b->size || !a->size)
		return false;
	a->shared = b->shared = a->shared || b->shared;
	return true;
}

static int swap(struct file *f, struct file *d, uint64_t size)
{
	struct swapext x = { .fdtarget = f->fd, .fdtmp = d->fd,
			     .length = size };
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return errno;
	x.mtime.sec = st.st_mtim.tv_sec;
	x.mtime.nsec = st.st_mtim.tv_nsec;
	x.ctime.sec = st.st_ctim.tv_sec;
	x.ctime.nsec = st.st_ctim.tv_nsec;
	if (ioctl(f->fd, SWAPEXT, &x) == 0)
		return 0;
	/* What others call EINVAL: a size that is not this. */
	return errno == EFAULT ? EINVAL : errno;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[FD]), *d = use_fd(l, s->arg[DST]);
	struct span *a, *b;
	uint64_t size;
	int err;

	if (!f || !d || f->ino == d->ino)
		return VOID;
	a = will_change(l, f->ino, 0);
	b = will_change(l, d->ino, 0);
	size = f->ino->size;
	if (!size || size != d->ino->size || size == MAX_FILE)
		return VOID;
	will_free(l, f->ino, 0, MAX_FILE);
	will_free(l, d->ino, 0, MAX_FILE);
	will_copy(f->ino, d->ino);
	will_copy(d->ino, f->ino);
	err = swap(f, d, size);
	/* The target must not have fewer extents than the other. */
	if (err == EINVAL)
		err = swap(d, f, size);
	if (err) {
		check_error(l, f->ino, err);
		return err;
	}
	private_lost(f->ino, 0);
	private_lost(d->ino, 0);
	if (!a->clash && !b->clash && !f->ino->size_unsure &&
	    !d->ino->size_unsure)
		model_swap(l, a, 0, b, 0, size);
	return 0;
}

C_HELPER(
	swapext,
	.name = "swapext",
	.uses = "TRY <stdint.h> <sys/ioctl.h>",
	.text = "/* struct xfs_swapext of xfs_fs.h, without what nobody looks at. */\n"
		"struct swapext {\n"
		"\tint64_t version, fdtarget, fdtmp, offset, length;\n"
		"\tchar pad[16], stat[56];\n"
		"\tstruct {\n"
		"\t\tlong sec;\n"
		"\t\tint32_t nsec;\n"
		"\t} mtime, ctime;\n"
		"\tchar rest[48];\n"
		"};\n"
		"\n"
		"static void swap_to(int fd, int dst)\n"
		"{\n"
		"\tstruct swapext x = { .fdtarget = fd, .fdtmp = dst };\n"
		"\tstruct stat st;\n"
		"\n"
		"\tTRY(fstat(fd, &st));\n"
		"\tx.length = st.st_size;\n"
		"\tx.mtime.sec = st.st_mtim.tv_sec;\n"
		"\tx.mtime.nsec = st.st_mtim.tv_nsec;\n"
		"\tx.ctime.sec = st.st_ctim.tv_sec;\n"
		"\tx.ctime.nsec = st.st_ctim.tv_nsec;\n"
		"\tTRY(ioctl(fd, _IOWR('X', 109, struct swapext), &x));\n"
		"}\n"
		"\n"
		"/* The target must not have fewer extents than the other. */\n"
		"static void swapext(int fd, int dst)\n"
		"{\n"
		"\tswap_to(fd, dst);\n"
		"\tif (ret == -1)\n"
		"\t\tswap_to(dst, fd);\n"
		"}\n",
);

OP(
	.name = "swapext",
	.help = "XFS_IOC_SWAPEXT: two files of one size swap their blocks",
	.groups = "layout",
	.weight = 3,
	.on = ON_XFS,
	.args = { { "fd", ARG_FD }, { "dst", ARG_FD } },
	.gen = gen,
	.run = run,
	.c = "swapext(fd$fd, fd$dst);",
	.c_uses = "swapext",
	.must = "XFS_IOC_SWAPEXT waits for references on the pages of both "
		"files, whose blocks become the other's",
);
