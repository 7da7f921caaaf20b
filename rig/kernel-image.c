// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel-image.h"
#include "cache.h"
#include "kernel-kinds.h"
#include "proc.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* Offsets in the setup header. */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,	/* protected-mode code, in 16-byte units */
	BOOT_FLAG = 0x1fe,
	HEADER = 0x202,
	KERNEL_VERSION = 0x20e,	/* offset of the string, less 0x200 */
	XLOADFLAGS = 0x236,
	HEADER_END = 0x268,
};
#define XLF_KERNEL_64 1

struct map {
	const unsigned char *data;
	size_t len;
};

static void unmap(struct map *m)
{
	if (m->data)
		munmap((void *)m->data, m->len);
}

static unsigned int le16(const unsigned char *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const unsigned char *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

/* The release becomes a file name: NULL, or why it cannot be one. */
static char *set_banner(struct kernel_image_info *info, const unsigned char *s,
			size_t max)
{
	size_t len = 0;

	while (len < max && s[len] && s[len] != '\n')
		len++;
	info->banner = printable((const char *)s, len, false);
	info->release = xstrndup(info->banner, strcspn(info->banner, " "));
	if (!info->release[0] || info->release[0] == '.' ||
	    strchr(info->release, '/'))
		return xstrdup("is a corrupt kernel image: it names no release");
	return NULL;
}

static char *probe_bzimage(const struct map *m, struct kernel_image_info *info)
{
	size_t setup = m->data[SETUP_SECTS] ? m->data[SETUP_SECTS] : 4;
	size_t want = (setup + 1) * 512 +
		      (size_t)le32(m->data + SYSSIZE) * 16;
	size_t at = le16(m->data + KERNEL_VERSION) + 0x200;

	if (le16(m->data + BOOT_FLAG) != 0xaa55)
		return xstrdup("is a corrupt bzImage: its boot flag is wrong");
	if (m->len < want)
		return xstrfmt("is cut short: it has %zu bytes of %zu; copy or build it again",
			       m->len, want);
	if (!(le16(m->data + XLOADFLAGS) & XLF_KERNEL_64))
		return xstrdup("is a 32-bit kernel; rig boots x86-64 ones");
	if (at <= 0x200 || at >= (setup + 1) * 512 ||
	    !memchr(m->data + at, '\0', (setup + 1) * 512 - at))
		return xstrdup("is a corrupt bzImage: it names no release");
	return set_banner(info, m->data + at, 4096);
}

/* Whether the notes in @p hold the PVH entry point. */
static bool has_pvh_note(const unsigned char *p, size_t len)
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		size_t size;

		memcpy(&n, p, sizeof(n));
		size = sizeof(n) + ((n.n_namesz + 3ul) & ~3ul) +
		       ((n.n_descsz + 3ul) & ~3ul);
		if (size > len)
			return false;
		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    memcmp(p + sizeof(n), "Xen", 4) == 0)
			return true;
		p += size;
		len -= size;
	}
	return false;
}

static char *probe_vmlinux(const struct map *m, struct kernel_image_info *info)
{
	static const char tag[] = "Linux version ";
	const unsigned char *at = m->data, *end = m->data + m->len;
	Elf64_Ehdr eh;
	bool pvh = false;

	memcpy(&eh, m->data, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64)
		return xstrdup("is an ELF file for another machine; rig boots x86-64 kernels");
	if (eh.e_type == ET_REL || !eh.e_phnum)
		return xstrdup("is an ELF object, not a vmlinux");
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phoff > m->len ||
	    (m->len - eh.e_phoff) / sizeof(Elf64_Phdr) < eh.e_phnum)
		return xstrdup("is a corrupt ELF file: its program headers lie outside of it");
	for (int i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, m->data + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_offset > m->len || ph.p_filesz > m->len - ph.p_offset)
			return xstrdup("is cut short: a segment ends after the file does; copy or build it again");
		if (ph.p_type == PT_NOTE)
			pvh |= has_pvh_note(m->data + ph.p_offset,
					    ph.p_filesz);
	}
	while ((at = memmem(at, end - at, tag, strlen(tag)))) {
		at += strlen(tag);
		if (at < end && *at >= '0' && *at <= '9')
			break;
	}
	if (!at)
		return xstrdup("is an ELF file but no kernel: it has no \"Linux version\"");
	if (!pvh)
		return xstrdup("is a vmlinux that QEMU cannot start: it was built without CONFIG_PVH=y; name its arch/x86/boot/bzImage");
	info->elf = true;
	return set_banner(info, at, end - at);
}

char *kernel_image_probe(const char *path, struct kernel_image_info *info)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	__cleanup(unmap) struct map m = {};
	struct stat st;
	void *p;

	*info = (struct kernel_image_info){};
	if (fd < 0 || fstat(fd, &st) < 0)
		return xstrfmt("cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return xstrdup("is no regular file");
	if (st.st_size < HEADER_END)
		return xstrdup("is no kernel image: too short for one");
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return xstrfmt("cannot be read: %s", strerror(errno));
	m = (struct map){ p, st.st_size };
	if (memcmp(m.data + HEADER, "HdrS", 4) == 0)
		return probe_bzimage(&m, info);
	if (memcmp(m.data, ELFMAG, SELFMAG) == 0)
		return probe_vmlinux(&m, info);
	return xstrdup("is no kernel image: neither a bzImage (no setup header) nor an ELF vmlinux");
}

void kernel_image_info_free(struct kernel_image_info *info)
{
	free(info->release);
	free(info->banner);
	*info = (struct kernel_image_info){};
}

int run_depmod(const char *root, const char *release)
{
	char *argv[] = { "depmod", "-b", (char *)root, (char *)release, NULL };
	_free_ char *bin = xstrfmt("%s/lib/modules/%s/modules.dep.bin", root,
				   release);
	/* Its warnings are about a missing modules.order and the like. */
	int ret = proc_run(argv, NULL, -1, 300);

	if (ret < 0)
		return ret;
	return ret == 0 && path_exists(bin) ? 0 : -EIO;
}

static bool is_module_dir(const char *dir)
{
	_free_ char *kernel = xstrfmt("%s/kernel", dir);
	_free_ char *dep = xstrfmt("%s/modules.dep", dir);

	return path_exists(kernel) || path_exists(dep);
}

/* The folder of @release's modules in what the user named: that folder itself,
 * a root above lib/modules, or lib/modules. NULL when there is none. */
static char *find_modules(const char *dir, const char *release)
{
	static const char *const below[] = { "/lib/modules/", "/usr/lib/modules/",
					     "/" };
	_free_ char *real = realpath(dir, NULL);

	if (!real)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		_free_ char *p = xstrfmt("%s%s%s", real, below[i], release);

		if (is_module_dir(p))
			return take_ptr(p);
	}
	if (is_module_dir(real) &&
	    strcmp(strrchr(real, '/') + 1, release) == 0)
		return take_ptr(real);
	return NULL;
}

/* What @dir holds instead, for the error line: a release, or NULL. */
static char *other_release(const char *dir)
{
	static const char *const below[] = { "/lib/modules", "/usr/lib/modules",
					     "" };
	_free_ char *real = realpath(dir, NULL);

	if (real && is_module_dir(real))
		return xstrdup(strrchr(real, '/') + 1);
	for (size_t i = 0; real && i < ARRAY_SIZE(below); i++) {
		_free_ char *p = xstrfmt("%s%s", real, below[i]);
		struct dirent **list = NULL;
		int n = scandir(p, &list, NULL, alphasort);
		char *found = NULL;

		for (int j = 0; j < n; j++) {
			_free_ char *sub = xstrfmt("%s/%s", p,
						   list[j]->d_name);

			if (!found && list[j]->d_name[0] != '.' &&
			    is_module_dir(sub))
				found = xstrdup(list[j]->d_name);
			free(list[j]);
		}
		free(list);
		if (found)
			return found;
	}
	return NULL;
}

/* Not what depmod writes (never through a link of ours), nor "build" and
 * "source", which lead to trees that hold no modules. */
static bool is_depmod_input(const char *name)
{
	if (starts_with(name, "modules."))
		return strcmp(name, "modules.order") == 0 ||
		       strcmp(name, "modules.builtin") == 0 ||
		       strcmp(name, "modules.builtin.modinfo") == 0;
	return name[0] != '.' && strcmp(name, "build") != 0 &&
	       strcmp(name, "source") != 0;
}

/*
 * A folder of ours with links to the user's modules and with modules.dep.bin
 * beside them. Made anew each time: what is linked may have changed.
 */
static char *modules_view(const char *dir, const char *release)
{
	_free_ char *root = NULL;
	_free_ char *view = NULL;
	struct dirent **list = NULL;
	char hash[17];
	int n, err;

	hash_hex(dir, strlen(dir), hash);
	root = cache_path("modules/%s", hash);
	if (!root)
		return NULL;
	view = xstrfmt("%s/lib/modules/%s", root, release);
	err = remove_tree(root);
	if (!err)
		err = mkdir_p(view);
	n = err ? 0 : scandir(dir, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		_free_ char *to = xstrfmt("%s/%s", dir, name);
		_free_ char *at = xstrfmt("%s/%s", view, name);

		if (is_depmod_input(name) && symlink(to, at) < 0 && !err)
			err = -errno;
		free(list[i]);
	}
	free(list);
	if (!err)
		err = run_depmod(root, release);
	if (!err)
		return take_ptr(view);
	if (err == -ENOENT)
		error("depmod is missing: apt-get install kmod");
	else
		error("cannot index the modules in %s: %s", dir,
		      strerror(-err));
	return NULL;
}

static int image_modules(const char *path, const char *modules,
			 const char *release, struct kernel *k)
{
	_free_ char *dir = find_modules(modules, release);
	_free_ char *bin = NULL;

	if (!dir) {
		_free_ char *other = other_release(modules);

		if (other)
			return failed(EXIT_USAGE,
				      "%s is %s, but the modules in %s are for %s",
				      path, release, modules, other);
		return failed(EXIT_USAGE,
			      "%s has no modules for %s: it must be lib/modules/%s or a folder above it",
			      modules, release, release);
	}
	bin = xstrfmt("%s/modules.dep.bin", dir);
	if (path_exists(bin)) {
		k->modules = take_ptr(dir);
		return EXIT_CLEAN;
	}
	k->modules = modules_view(dir, release);
	return k->modules ? EXIT_CLEAN : EXIT_RIG_FAILED;
}

int kernel_image(const char *path, const char *modules,
		 const struct kernel_opts *o, struct kernel *k)
{
	_image_info_ struct kernel_image_info info = {};
	_free_ char *bad = kernel_image_probe(path, &info);

	if (bad)
		return failed(EXIT_USAGE, "%s %s", path, bad);
	if (o->patches.n || o->kconfigs.n || o->config)
		return failed(EXIT_USAGE,
			      "%s is built already: patches and kconfigs need a source tree",
			      path);
	k->image = realpath(path, NULL);
	k->release = take_ptr(info.release);
	k->version = take_ptr(info.banner);
	if (info.elf)
		k->vmlinux = xstrdup(k->image);
	return modules ? image_modules(path, modules, k->release, k) :
			 EXIT_CLEAN;
}
