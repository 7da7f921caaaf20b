// SPDX-License-Identifier: GPL-2.0-or-later
#include "image.h"
#include "cache.h"
#include "guest/wire.h"
#include "proc.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <libkmod.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* What PID 1 loads: the way to the agent's port. */
static const char boot_modules[] = "virtio_pci\nvirtio_console\n";

/* Mount points, and where the shell's programs go. */
static const char *const empty_dirs[] = {
	"/dev/.", "/proc/.", "/sys/.", "/tmp/.", "/run/.", "/mnt/.",
	"/root/.", "/bin/.",
};

struct file {
	char *dst;		/* path in the image, with the first '/' */
	char *src;		/* on the host, or NULL: @text is the content */
	char *text;
	bool unpack;		/* @src is compressed, the image wants it not */
	mode_t mode;
};

struct files {
	struct file *v;
	size_t n;
};

static void files_free(struct files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].dst);
		free(f->v[i].src);
		free(f->v[i].text);
	}
	free(f->v);
}

static bool have(const struct files *f, const char *dst)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].dst, dst) == 0)
			return true;
	return false;
}

/* A file once, under its first source. */
static struct file *add(struct files *f, const char *dst, const char *src,
			mode_t mode)
{
	struct file *e;

	if (have(f, dst))
		return NULL;
	f->v = xrealloc(f->v, (f->n + 1) * sizeof(*f->v));
	e = &f->v[f->n++];
	*e = (struct file){ .dst = xstrdup(dst), .mode = mode };
	if (src)
		e->src = xstrdup(src);
	return e;
}

/* --- programs and their libraries ---------------------------------------- */

static int add_elf(struct files *f, const char *dst, const char *src);

/* Where the dynamic linker of this host looks, by its own configuration. */
static void library_dirs(struct strv *dirs)
{
	DIR *d = opendir("/etc/ld.so.conf.d");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_free_ char *p = xstrfmt("/etc/ld.so.conf.d/%s", e->d_name);
		_buf_ struct buf b = {};
		struct strv lines = {};

		if (!ends_with(e->d_name, ".conf") || read_file(p, &b))
			continue;
		strv_split(&lines, b.data, "\n");
		for (size_t i = 0; i < lines.n; i++)
			if (lines.v[i][0] == '/')
				strv_push(dirs, lines.v[i]);
		strv_free(&lines);
	}
	if (d)
		closedir(d);
	strv_push(dirs, "/lib64");
	strv_push(dirs, "/usr/lib64");
	strv_push(dirs, "/lib");
	strv_push(dirs, "/usr/lib");
}

/* Whether @path is a library of the agent's own kind: a host may have those of
 * other architectures beside them. */
static bool is_x86_64(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr eh;

	return fd >= 0 && read(fd, &eh, sizeof(eh)) == sizeof(eh) &&
	       memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 &&
	       eh.e_ident[EI_CLASS] == ELFCLASS64 && eh.e_machine == EM_X86_64;
}

/* Libraries go into one folder that PID 1 names to the dynamic linker; those
 * found by a program's own RUNPATH stay where they are. */
static int add_library(struct files *f, const char *name, const char *runpath)
{
	static struct strv dirs;	/* a property of the host */
	_free_ char *dst = xstrfmt("%s/%s", GUEST_LIBS, name);

	if (have(f, dst))
		return 0;
	if (!dirs.n)
		library_dirs(&dirs);
	if (runpath) {
		_free_ char *p = xstrfmt("%s/%s", runpath, name);

		if (is_x86_64(p))
			return add_elf(f, p, p);
	}
	for (size_t i = 0; i < dirs.n; i++) {
		_free_ char *p = xstrfmt("%s/%s", dirs.v[i], name);

		if (is_x86_64(p))
			return add_elf(f, dst, p);
	}
	return -ELIBACC;
}

static int add_needed(struct files *f, Elf *elf)
{
	const char *runpath = NULL;
	GElf_Phdr ph;
	size_t nph;

	if (elf_getphdrnum(elf, &nph))
		return -ENOEXEC;
	for (size_t i = 0; i < nph; i++) {
		size_t len;
		char *image;

		if (!gelf_getphdr(elf, i, &ph) || ph.p_type != PT_INTERP)
			continue;
		image = elf_rawfile(elf, &len);
		if (!image || ph.p_offset + ph.p_filesz > len)
			return -ENOEXEC;
		add(f, image + ph.p_offset, image + ph.p_offset, 0755);
	}
	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
		GElf_Shdr sh;
		GElf_Dyn dyn;
		Elf_Data *data;

		if (!gelf_getshdr(s, &sh) || sh.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(s, NULL);
		for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++)
			if (dyn.d_tag == DT_RUNPATH || dyn.d_tag == DT_RPATH)
				runpath = elf_strptr(elf, sh.sh_link,
						     dyn.d_un.d_val);
		for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++) {
			const char *name;
			int err;

			if (dyn.d_tag != DT_NEEDED)
				continue;
			name = elf_strptr(elf, sh.sh_link, dyn.d_un.d_val);
			err = name ? add_library(f, name, runpath) : -ENOEXEC;
			if (err)
				return err;
		}
	}
	return 0;
}

/* A file and, when it is a dynamic ELF file, what it needs. */
static int add_elf(struct files *f, const char *dst, const char *src)
{
	_close_ int fd = -1;
	struct stat st;
	Elf *elf;
	int err = 0;

	fd = open(src, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!add(f, dst, src, st.st_mode & 0777))
		return 0;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		err = add_needed(f, elf);
	elf_end(elf);
	return err;
}

static int add_tree(struct files *f, const char *path)
{
	struct stat st;
	struct dirent **names;
	int n, err = 0;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return add_elf(f, path, path);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		_free_ char *p = xstrfmt("%s/%s", path, names[i]->d_name);

		if (names[i]->d_name[0] != '.' && !err)
			err = add_tree(f, p);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return n < 0 ? -errno : err;
}

static int add_program(struct files *f, const char *name, struct strv *missing)
{
	_free_ char *src = NULL, *dst = NULL;
	const char *base = strrchr(name, '/');
	int err;

	if (name[0] == '/') {
		err = add_tree(f, name);
	} else {
		src = find_program(name);
		dst = xstrfmt("/usr/sbin/%s", base ? base + 1 : name);
		err = src ? add_elf(f, dst, src) : -ENOENT;
	}
	if (err == -ENOENT) {
		strv_push(missing, name);
		return 0;
	}
	return err;
}

/* --- modules ------------------------------------------------------------- */

/* "xfs" of ".../xfs.ko.xz", with '_' throughout. */
static char *module_name(const char *path)
{
	const char *base = strrchr(path, '/');
	char *name = xstrdup(base ? base + 1 : path);

	name[strcspn(name, ".")] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static void add_module(struct files *f, struct kmod_module *mod, struct buf *dep)
{
	const char *path = kmod_module_get_path(mod);
	_free_ char *name = NULL, *dst = NULL;
	struct file *e;

	if (!path)
		return;	/* built in */
	name = module_name(path);
	dst = xstrfmt("%s/%s.ko", GUEST_MODULES, name);
	buf_addf(dep, " %s.ko", name);
	e = add(f, dst, path, 0644);
	if (e)
		e->unpack = true;
}

/* Those that a module needs by symbol, and those that it asks for by name
 * (softdep): the latter have to come first too, with what they need. */
static void add_closure(struct files *f, struct kmod_module *mod,
			struct buf *list, int depth)
{
	struct kmod_list *deps = kmod_module_get_dependencies(mod), *pre = NULL,
			 *post = NULL, *it;

	if (depth < 8 && kmod_module_get_softdeps(mod, &pre, &post) == 0)
		kmod_list_foreach(it, pre) {
			struct kmod_module *m = kmod_module_get_module(it);

			add_closure(f, m, list, depth + 1);
			kmod_module_unref(m);
		}
	/* libkmod lists the module itself needed last. */
	for (it = kmod_list_last(deps); it; it = kmod_list_prev(deps, it)) {
		struct kmod_module *m = kmod_module_get_module(it);

		if (depth < 8)
			add_closure(f, m, list, depth + 1);
		kmod_module_unref(m);
	}
	add_module(f, mod, list);
	kmod_module_unref_list(pre);
	kmod_module_unref_list(post);
	kmod_module_unref_list(deps);
}

static int add_modules(struct files *f, struct image_spec *spec)
{
	const char *no_config = NULL;
	struct kmod_ctx *ctx = kmod_new(spec->modules, &no_config);
	_buf_ struct buf deps = {};
	struct file *e;

	if (!ctx)
		return -ENOMEM;
	for (size_t i = 0; i < spec->want_modules.n; i++) {
		struct kmod_list *list = NULL, *it;

		if (kmod_module_new_from_lookup(ctx, spec->want_modules.v[i],
						&list) < 0)
			continue;
		kmod_list_foreach(it, list) {
			struct kmod_module *m = kmod_module_get_module(it);
			_buf_ struct buf closure = {};
			_free_ char *own = NULL;

			if (kmod_module_get_path(m)) {
				own = module_name(kmod_module_get_path(m));
				add_closure(f, m, &closure, 0);
				/* "name own.ko needed..." : own is last. */
				closure.data[closure.len - strlen(own) - 4] =
					'\0';
				buf_addf(&deps, "%s %s.ko%s\n",
					 spec->want_modules.v[i], own,
					 closure.data);
			}
			kmod_module_unref(m);
		}
		kmod_module_unref_list(list);
	}
	kmod_unref(ctx);
	buf_add(&deps, "", 0);
	e = add(f, GUEST_MODULES_DEP, NULL, 0644);
	e->text = take_ptr(deps.data);
	e = add(f, GUEST_MODULES_BOOT, NULL, 0644);
	e->text = xstrdup(boot_modules);
	return 0;
}

/* --- writing ------------------------------------------------------------- */

/* The content of one file as the image has it. */
static int load(const struct file *e, struct buf *out)
{
	struct archive *a;
	struct archive_entry *entry;
	char chunk[65536];
	ssize_t n;
	int err = 0;

	if (e->text) {
		buf_add(out, e->text, strlen(e->text));
		return 0;
	}
	if (!e->unpack)
		return read_file(e->src, out);
	a = archive_read_new();
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, e->src, 65536) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		err = -EIO;
	while (!err && (n = archive_read_data(a, chunk, sizeof(chunk))) != 0) {
		if (n < 0)
			err = -EIO;
		else
			buf_add(out, chunk, n);
	}
	archive_read_free(a);
	return err;
}

static int put_entry(struct archive *a, const char *path, mode_t mode,
		     int64_t ino, const struct buf *data)
{
	struct archive_entry *e = archive_entry_new();
	int err = 0;

	archive_entry_set_pathname(e, path + 1);
	archive_entry_set_mode(e, mode);
	archive_entry_set_ino(e, ino);
	archive_entry_set_nlink(e, 1);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_size(e, data ? data->len : 0);
	if (archive_write_header(a, e) != ARCHIVE_OK ||
	    (data && data->len &&
	     archive_write_data(a, data->data, data->len) !=
		     (ssize_t)data->len))
		err = archive_errno(a) ? -archive_errno(a) : -EIO;
	archive_entry_free(e);
	return err;
}

/* Every folder of @dst that is not in @done yet. */
static int put_parents(struct archive *a, const char *dst, struct strv *done,
		       int64_t *ino)
{
	for (const char *s = strchr(dst + 1, '/'); s; s = strchr(s + 1, '/')) {
		_free_ char *dir = xstrndup(dst, s - dst);
		int err;

		if (strv_has(done, dir))
			continue;
		strv_push(done, dir);
		err = put_entry(a, dir, S_IFDIR | 0755, ++*ino, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int write_image(const struct files *f, const char *path)
{
	struct archive *a = archive_write_new();
	_strv_ struct strv done = {};
	int64_t ino = 0;
	int err = 0;

	archive_write_set_format_cpio_newc(a);
	archive_write_add_filter_none(a);
	if (archive_write_open_filename(a, path) != ARCHIVE_OK)
		err = archive_errno(a) ? -archive_errno(a) : -EIO;
	for (size_t i = 0; !err && i < ARRAY_SIZE(empty_dirs); i++)
		err = put_parents(a, empty_dirs[i], &done, &ino);
	for (size_t i = 0; !err && i < f->n; i++) {
		_buf_ struct buf data = {};

		err = put_parents(a, f->v[i].dst, &done, &ino);
		if (!err)
			err = load(&f->v[i], &data);
		if (!err)
			err = put_entry(a, f->v[i].dst, S_IFREG | f->v[i].mode,
					++ino, &data);
	}
	if (archive_write_close(a) != ARCHIVE_OK && !err)
		err = archive_errno(a) ? -archive_errno(a) : -EIO;
	archive_write_free(a);
	return err;
}

static int by_dst(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->dst,
		      ((const struct file *)b)->dst);
}

/* The same for the same content, whatever the host's time stamps. */
static int content_key(const struct files *f, char key[17])
{
	XXH64_state_t *st = XXH64_createState();
	int err = 0;

	XXH64_reset(st, 1);
	for (size_t i = 0; i < ARRAY_SIZE(empty_dirs); i++)
		XXH64_update(st, empty_dirs[i], strlen(empty_dirs[i]) + 1);
	for (size_t i = 0; !err && i < f->n; i++) {
		_buf_ struct buf b = {};

		XXH64_update(st, f->v[i].dst, strlen(f->v[i].dst) + 1);
		XXH64_update(st, &f->v[i].mode, sizeof(f->v[i].mode));
		if (f->v[i].src)
			err = read_file(f->v[i].src, &b);
		else
			buf_add(&b, f->v[i].text, strlen(f->v[i].text));
		XXH64_update(st, b.data, b.len);
	}
	snprintf(key, 17, "%016llx", (unsigned long long)XXH64_digest(st));
	XXH64_freeState(st);
	return err;
}

static const char *why_not(int err)
{
	return err == -ELIBACC ? "a library that it needs is not on this host (ldd tells which)" :
				 strerror(-err);
}

static int gather(struct image_spec *spec, struct files *f)
{
	_free_ char *init = data_path("rig-init"), *agent =
		data_path("rig-agent");
	struct file *e;
	int err;

	err = add_elf(f, "/init", init);
	if (!err)
		err = add_elf(f, GUEST_AGENT, agent);
	if (err)
		return error("the guest's programs %s and %s cannot be read: %s; run make",
			     init, agent, why_not(err)), EXIT_RIG_FAILED;
	for (size_t i = 0; i < spec->programs.n; i++) {
		err = add_program(f, spec->programs.v[i], &spec->missing);
		if (err)
			return error("cannot take %s along into the guest: %s",
				     spec->programs.v[i], why_not(err)),
			       EXIT_RIG_FAILED;
	}
	e = add(f, "/etc/passwd", NULL, 0644);
	e->text = xstrdup("root:x:0:0:root:/root:/bin/sh\n");
	e = add(f, "/etc/group", NULL, 0644);
	e->text = xstrdup("root:x:0:\n");
	if (spec->modules && add_modules(f, spec))
		return error("%s: cannot read the kernel's modules",
			     spec->modules), EXIT_CANNOT_TEST;
	qsort(f->v, f->n, sizeof(*f->v), by_dst);
	return 0;
}

/* xxh64 of a whole file. */
static int file_hash(const char *path, char hex[17])
{
	_buf_ struct buf b = {};
	int err = read_file(path, &b);

	if (!err)
		hash_hex(b.data, b.len, hex);
	return err;
}

/* Whether the image is there and is, byte for byte, what was written: a disk
 * that filled up or a crash may have cut it short. */
static bool image_is_whole(const char *img, const char *sum)
{
	_buf_ struct buf want = {};
	char have[17];

	if (!path_exists(img))
		return false;
	if (read_file(sum, &want) == 0 && file_hash(img, have) == 0 &&
	    strcmp(want.data, have) == 0)
		return true;
	warning("the cached image %s is damaged: it is made anew", img);
	return false;
}

/* The image and beside it its hash; the name it has is the content's. */
static int make_image(const struct files *f, const char *img, const char *sum)
{
	_free_ char *tmp = xstrfmt("%s.tmp", img);
	char hex[17];
	int err = write_image(f, tmp);

	if (!err)
		err = file_hash(tmp, hex);
	if (!err)
		err = write_file(sum, hex, strlen(hex));
	if (!err && rename(tmp, img) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

int image_get(struct image_spec *spec, char **path)
{
	__cleanup(files_free) struct files f = {};
	_free_ char *img = NULL, *sum = NULL;
	_close_ int lock = -1;
	char key[17];
	int err;

	*path = NULL;
	err = gather(spec, &f);
	if (err)
		return err;
	err = content_key(&f, key);
	if (err)
		return error("cannot read what goes into the image: %s",
			     strerror(-err)), EXIT_RIG_FAILED;
	img = cache_path("images/%s.cpio", key);
	if (!img)
		return EXIT_RIG_FAILED;
	sum = xstrfmt("%s.xxh64", img);
	lock = cache_lock(img, "the guest's image");
	if (lock == -EINTR)
		return EXIT_INTERRUPTED;
	if (lock < 0)
		return error("cannot lock %s: %s", img, strerror(-lock)),
		       EXIT_RIG_FAILED;
	if (!image_is_whole(img, sum)) {
		err = make_image(&f, img, sum);
		if (err)
			return error("cannot write the image %s: %s; make room, or set XDG_CACHE_HOME to another disk",
				     img, strerror(-err)), EXIT_RIG_FAILED;
	}
	*path = take_ptr(img);
	return 0;
}

void image_spec_free(struct image_spec *spec)
{
	strv_free(&spec->want_modules);
	strv_free(&spec->programs);
	strv_free(&spec->missing);
}

/* --- what the user adds ---------------------------------------------------- */

static int add_own(struct files *f, const struct strv *files)
{
	for (size_t i = 0; i < files->n; i++) {
		const char *src = files->v[i], *slash = strrchr(src, '/');
		_free_ char *dst = xstrfmt("/root/%s", slash ? slash + 1 : src);
		int err;

		if (have(f, dst))
			return error("two files to add are named %s", dst + 6),
			       EXIT_USAGE;
		err = add_elf(f, dst, src);
		if (err)
			return error("cannot take %s along into the guest: %s",
				     src, why_not(err)), EXIT_USAGE;
	}
	return 0;
}

/* A kernel takes one archive behind the other, the later one's files over those
 * of the earlier. */
int image_add(const char *path, const struct strv *files, const char *to)
{
	__cleanup(files_free) struct files f = {};
	_free_ char *part = xstrfmt("%s.part", to);
	_buf_ struct buf all = {};
	int err = add_own(&f, files);

	if (err)
		return err;
	err = write_image(&f, part);
	if (!err)
		err = read_file(path, &all);
	if (!err)
		err = read_file(part, &all);
	if (!err)
		err = write_file(to, all.data, all.len);
	unlink(part);
	return err ? (error("cannot write the image %s: %s", to,
			    strerror(-err)), EXIT_RIG_FAILED) : 0;
}
