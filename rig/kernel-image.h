/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel image files: what one is, whether it is whole, its release.
 *
 * bzImage: Documentation/arch/x86/boot.rst of the kernel, "The Real-Mode
 * Kernel Header". vmlinux: QEMU starts one at the address in its
 * XEN_ELFNOTE_PHYS32_ENTRY note (hw/i386/x86-common.c, load_elfboot()), which
 * CONFIG_PVH makes.
 */
#ifndef RIG_KERNEL_IMAGE_H
#define RIG_KERNEL_IMAGE_H

#include "util.h"

struct kernel_image_info {
	char *release;	/* uname -r */
	char *banner;	/* release, builder and build number, as it says */
	bool elf;
};
#define _image_info_ __cleanup(kernel_image_info_free)

/* Look into @path. NULL when QEMU can start it, or why it cannot, as half a
 * sentence to follow the file's name; owned by the caller. */
char *kernel_image_probe(const char *path, struct kernel_image_info *info);
void kernel_image_info_free(struct kernel_image_info *info);

/* `depmod -b @root @release`: 0, -ENOENT without depmod, or -EIO when it left
 * no modules.dep.bin in @root/lib/modules/@release. */
int run_depmod(const char *root, const char *release);

#endif
