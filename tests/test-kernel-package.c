// SPDX-License-Identifier: GPL-2.0-or-later
/* Packages, image files, and what is decided about apt's words. */
#include "tests/kernel-fixture.h"
#include "rig/kernel-deb.h"
#include "rig/kernel-debian.h"
#include "rig/kernel-image.h"

#include <elf.h>

#define RELEASE "6.1.7-fake"

/* A bzImage as the loader sees it: setup header, one setup sector, and
 * @code bytes of kernel. Documentation/arch/x86/boot.rst. */
static void put_bzimage(const char *rel, const char *release, size_t code)
{
	_free_ char *path = in_scratch("%s", rel);
	_free_ unsigned char *image = xcalloc(1, 1024 + code);
	_free_ char *dir = xstrndup(path, strrchr(path, '/') - path);

	image[0x1f1] = 1;
	image[0x1f4] = code / 16;
	image[0x1f5] = code / 16 >> 8;
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x20f] = 0x01; /* 0x300, less 0x200 */
	image[0x236] = 1;
	snprintf((char *)image + 0x300, 200, "%s (me@host) #1 SMP", release);
	assert_int_equal(mkdir_p(dir), 0);
	assert_int_equal(write_file(path, image, 1024 + code), 0);
}

/* Change one byte. */
static void poke(const char *rel, off_t at, unsigned char byte)
{
	_free_ char *path = in_scratch("%s", rel);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && pwrite(fd, &byte, 1, at) == 1);
	close(fd);
}

/* pkg/ becomes @rel; @z is tar's switch for the compression. */
static void make_deb(const char *rel, const char *control, const char *z)
{
	put("debian-binary", "2.0\n");
	put("c/control", control);
	sh("mkdir -p pkg; rm -f %s control.tar* data.tar*;"
	   " tar -C c %s -cf control.tar.x ./control;"
	   " tar -C pkg %s -cf data.tar.x .;"
	   " ar rc %s debian-binary control.tar.x data.tar.x; rm -rf pkg",
	   rel, z, z, rel);
}

#define CONTROL(name, depends)                                             \
	"Package: " name "\nVersion: 6.1.7-1\nArchitecture: amd64\n"      \
	"Depends: " depends "\nDescription: a kernel\n of ours\n"

static void package_is_unpacked_and_indexed(void **state)
{
	static const char *const layouts[][3] = {
		{ "boot/vmlinuz-" RELEASE, "lib/modules/", "-z" },
		{ "boot/vmlinuz-" RELEASE, "usr/lib/modules/", "-J" },
		{ "usr/lib/modules/" RELEASE "/vmlinuz", "usr/lib/modules/",
		  "-z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		_kernel_ struct kernel k = KERNEL_INIT;
		_kernel_ struct kernel again = KERNEL_INIT;
		_free_ char *image = xstrfmt("pkg/%s", layouts[i][0]);
		_free_ char *mod = xstrfmt("pkg/%s" RELEASE "/kernel/a.ko",
					   layouts[i][1]);
		_free_ char *deb = in_scratch("linux-image-%zu.deb", i);
		_free_ char *bin = NULL;
		_free_ char *rel = xstrfmt("linux-image-%zu.deb", i);

		put_bzimage(image, RELEASE, 160);
		put(mod, "no ELF file, which depmod only mentions");
		put("pkg/boot/config-" RELEASE, "\nCONFIG_MODULES=y\n");
		put("pkg/usr/share/doc/x/copyright", "not wanted");
		make_deb(rel, CONTROL("linux-image-" RELEASE, "kmod"),
			 layouts[i][2]);
		accept(deb, NULL, &k, NULL);
		assert_string_equal(k.release, RELEASE);
		assert_string_equal(k.version, "6.1.7-1");
		assert_true(path_exists(k.image));
		assert_true(path_exists(k.config));
		assert_true(ends_with(k.modules, "/lib/modules/" RELEASE));
		bin = xstrfmt("%s/modules.dep.bin", k.modules);
		assert_true(path_exists(bin));
		sh("! find cache -name copyright | grep .");
		accept(deb, NULL, &again, NULL);
		assert_string_equal(k.image, again.image);
	}
}

static void split_package_takes_its_sibling(void **state)
{
	_free_ char *deb = in_scratch("linux-binary-" RELEASE "_6.1.7-1.deb");
	_kernel_ struct kernel k = KERNEL_INIT;
	_free_ char *mod = NULL;

	put_bzimage("pkg/usr/lib/modules/" RELEASE "/vmlinuz", RELEASE, 160);
	make_deb("linux-binary-" RELEASE "_6.1.7-1.deb",
		 CONTROL("linux-binary-" RELEASE, "kmod"), "-z");
	refuse(deb, NULL, EXIT_USAGE,
	       "there is no linux-modules package of " RELEASE " beside it");
	/* Of another version: not its sibling. */
	put("pkg/usr/lib/modules/" RELEASE "/kernel/a.ko", "x");
	make_deb("linux-modules-" RELEASE "_6.1.7-2.deb",
		 "Package: linux-modules-" RELEASE "\nVersion: 6.1.7-2\n",
		 "-z");
	refuse(deb, NULL, EXIT_USAGE, "there is no linux-modules package");
	put("pkg/usr/lib/modules/" RELEASE "/kernel/a.ko", "x");
	make_deb("linux-modules-" RELEASE "_6.1.7-1.deb",
		 CONTROL("linux-modules-" RELEASE, "kmod"), "-z");
	accept(deb, NULL, &k, NULL);
	mod = xstrfmt("%s/kernel/a.ko", k.modules);
	assert_true(path_exists(mod));
}

static void kernel_without_modules_needs_no_sibling(void **state)
{
	_free_ char *deb = in_scratch("own.deb");
	_kernel_ struct kernel k = KERNEL_INIT;

	put_bzimage("pkg/boot/vmlinuz-" RELEASE, RELEASE, 160);
	put("pkg/boot/config-" RELEASE, "# CONFIG_MODULES is not set\n");
	make_deb("own.deb", CONTROL("linux-image-own", "x"), "-z");
	accept(deb, NULL, &k, NULL);
	assert_null(k.modules);
}

static void package_without_a_kernel_is_told(void **state)
{
	_free_ char *meta = in_scratch("meta.deb");
	_free_ char *doc = in_scratch("doc.deb");

	make_deb("meta.deb", CONTROL("linux-image-x",
				     "linux-base, linux-binary-7.2 (= 1)"),
		 "-z");
	refuse(meta, NULL, EXIT_USAGE,
	       "has no kernel image in it: name the package linux-binary-7.2");
	make_deb("doc.deb", CONTROL("linux-doc", "x"), "-z");
	refuse(doc, NULL, EXIT_USAGE, "name a linux-image");
}

static void damaged_package_is_told_and_leaves_nothing(void **state)
{
	_free_ char *deb = in_scratch("cut.deb");
	_free_ char *text = in_scratch("text.deb");

	put("text.deb", "this is no package");
	refuse(text, NULL, EXIT_USAGE, "is no Debian package");
	put_bzimage("pkg/boot/vmlinuz-" RELEASE, RELEASE, 160);
	sh("head -c 300000 /dev/urandom > pkg/boot/config-" RELEASE);
	make_deb("cut.deb", CONTROL("linux-image-cut", "x"), "-z");
	sh("truncate -s -1000 cut.deb");
	refuse(deb, NULL, EXIT_USAGE, "is a damaged Debian package");
	sh("! ls cache/rig/deb | grep -v lock");
}

/* A path that would lead out of the cache is not followed. */
static void package_cannot_write_elsewhere(void **state)
{
	_free_ char *deb = in_scratch("evil.deb");
	_kernel_ struct kernel k = KERNEL_INIT;

	put_bzimage("pkg/boot/vmlinuz-" RELEASE, RELEASE, 160);
	put("pkg/lib/modules/" RELEASE "/kernel/a.ko", "x");
	put("debian-binary", "2.0\n");
	put("c/control", CONTROL("linux-image-evil", "x"));
	put("x", "escaped");
	sh("tar -C c -cf control.tar ./control; tar -C pkg -cf data.tar . ;"
	   " tar -P --transform 's,^x$,lib/modules/../../../../../escaped,'"
	   " -rf data.tar x; ln -s / link; tar -rf data.tar link;"
	   " ar rc evil.deb debian-binary control.tar data.tar");
	accept(deb, NULL, &k, NULL);
	sh("! find cache . -name escaped | grep .");
}

static void image_needs_no_modules(void **state)
{
	_free_ char *path = in_scratch("bzImage");
	_kernel_ struct kernel k = KERNEL_INIT;

	put_bzimage("bzImage", RELEASE, 160);
	accept(path, NULL, &k, NULL);
	assert_string_equal(k.release, RELEASE);
	assert_string_equal(k.version, RELEASE " (me@host) #1 SMP");
	assert_string_equal(k.image, path);
	assert_null(k.vmlinux);
}

static void bad_image_is_told(void **state)
{
	_free_ char *path = in_scratch("bzImage");

	put_bzimage("bzImage", RELEASE, 160);
	sh("truncate -s -1 bzImage");
	refuse(path, NULL, EXIT_USAGE,
	       "is cut short: it has 1183 bytes of 1184");
	put_bzimage("bzImage", RELEASE, 160);
	poke("bzImage", 0x1fe, 0);
	refuse(path, NULL, EXIT_USAGE, "its boot flag is wrong");
	put_bzimage("bzImage", RELEASE, 160);
	poke("bzImage", 0x203, 'x');
	refuse(path, NULL, EXIT_USAGE, "neither a bzImage");
	put_bzimage("bzImage", RELEASE, 160);
	poke("bzImage", 0x236, 0);
	refuse(path, NULL, EXIT_USAGE, "is a 32-bit kernel");
	put_bzimage("bzImage", RELEASE, 160);
	poke("bzImage", 0x20f, 0x7f);
	refuse(path, NULL, EXIT_USAGE, "it names no release");
	put_bzimage("bzImage", "../../x", 160);
	refuse(path, NULL, EXIT_USAGE, "it names no release");
	put("bzImage", "short");
	refuse(path, NULL, EXIT_USAGE, "too short");
}

struct vmlinux {
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	Elf64_Nhdr nh;
	char name[4];
	uint32_t entry;
	char banner[800];
};

static void put_vmlinux(const struct vmlinux *v, size_t len)
{
	_free_ char *path = in_scratch("vmlinux");

	assert_int_equal(write_file(path, v, len), 0);
}

static void vmlinux_needs_a_pvh_entry(void **state)
{
	_free_ char *path = in_scratch("vmlinux");
	struct vmlinux v = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 },
			.e_type = ET_EXEC, .e_machine = EM_X86_64,
			.e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 1,
			.e_phentsize = sizeof(Elf64_Phdr) },
		.ph = { .p_type = PT_NOTE,
			.p_offset = offsetof(struct vmlinux, nh),
			.p_filesz = 20 },
		.nh = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.name = "Xen",
		.banner = "Linux version %s\0Linux version " RELEASE
			  " (me@host)\n",
	};

	put_vmlinux(&v, sizeof(v));
	{
		_kernel_ struct kernel k = KERNEL_INIT;

		accept(path, NULL, &k, NULL);
		assert_string_equal(k.release, RELEASE);
		assert_string_equal(k.vmlinux, path);
	}
	v.nh.n_type = 17;
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "without CONFIG_PVH=y; name its arch");
	/* A note that claims to be longer than its segment. */
	v.nh.n_type = 18;
	v.nh.n_descsz = 0xfffffff0;
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "without CONFIG_PVH=y");
	v.nh.n_descsz = 4;
	v.ph.p_filesz = 1 << 20;
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "is cut short");
	v.ph.p_filesz = 20;
	v.eh.e_phoff = ~0ull - 8;
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "program headers lie outside");
	v.eh.e_phoff = sizeof(Elf64_Ehdr);
	v.eh.e_machine = EM_AARCH64;
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "for another machine");
	v.eh.e_machine = EM_X86_64;
	memset(v.banner, 0, sizeof(v.banner));
	put_vmlinux(&v, sizeof(v));
	refuse(path, NULL, EXIT_USAGE, "but no kernel");
}

static void modules_are_found_where_people_have_them(void **state)
{
	static const char *const below[] = { "", "/lib/modules",
					     "/lib/modules/" RELEASE };

	put_bzimage("bzImage", RELEASE, 160);
	put("root/lib/modules/" RELEASE "/kernel/a.ko", "x");
	put("root/lib/modules/" RELEASE "/modules.order", "kernel/a.ko\n");
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		_free_ char *spec = in_scratch("bzImage,%s/root%s", scratch,
					       below[i]);
		_free_ char *dir = in_scratch("root");
		_free_ char *before = listing(dir);
		_kernel_ struct kernel k = KERNEL_INIT;
		_free_ char *bin = NULL;
		_free_ char *mod = NULL;

		accept(spec, NULL, &k, NULL);
		bin = xstrfmt("%s/modules.dep.bin", k.modules);
		mod = xstrfmt("%s/kernel/a.ko", k.modules);
		assert_true(path_exists(bin));
		assert_true(path_exists(mod));
		untouched(dir, before);
	}
}

static void indexed_modules_are_used_in_place(void **state)
{
	_free_ char *spec = in_scratch("bzImage,%s/root", scratch);
	_free_ char *want = in_scratch("root/lib/modules/" RELEASE);
	_kernel_ struct kernel k = KERNEL_INIT;

	put_bzimage("bzImage", RELEASE, 160);
	put("root/lib/modules/" RELEASE "/kernel/a.ko", "x");
	put("root/lib/modules/" RELEASE "/modules.dep.bin", "x");
	accept(spec, NULL, &k, NULL);
	assert_string_equal(k.modules, want);
}

static void modules_of_another_kernel_are_refused(void **state)
{
	_free_ char *spec = in_scratch("bzImage,%s/root", scratch);
	_free_ char *none = in_scratch("bzImage,%s/empty", scratch);

	put_bzimage("bzImage", RELEASE, 160);
	put("root/lib/modules/5.10.0/kernel/a.ko", "x");
	put("empty/file", "x");
	refuse(spec, NULL, EXIT_USAGE, "root are for 5.10.0");
	refuse(none, NULL, EXIT_USAGE, "empty has no modules for " RELEASE);
}

static void depends_are_followed_by_name(void **state)
{
	_strv_ struct strv image = {};
	_strv_ struct strv split = {};
	_strv_ struct strv source = {};

	debian_kernel_depends("kmod, linux-base (>= 4.3~), initramfs-tools "
			      "(>= 0.120) | linux-initramfs-tool",
			      "-cloud-amd64", &image);
	assert_int_equal(image.n, 0);
	debian_kernel_depends("linux-base-cloud-amd64 (= 7.2.12-1), "
			      "linux-image-7.2.12+deb14-cloud-amd64 (= 7.2.12-1)",
			      "-cloud-amd64", &image);
	assert_int_equal(image.n, 1);
	assert_string_equal(image.v[0],
			    "linux-image-7.2.12+deb14-cloud-amd64=7.2.12-1");
	debian_kernel_depends("linux-binary-7.2.12+deb14-cloud-amd64, "
			      "linux-modules-7.2.12+deb14-cloud-amd64 (>= 1), "
			      "linux-modules-7.2.12+deb14-amd64",
			      "-cloud-amd64", &split);
	assert_int_equal(split.n, 2);
	assert_string_equal(split.v[1],
			    "linux-modules-7.2.12+deb14-cloud-amd64");
	debian_kernel_depends("linux-source-6.12 (= 6.12.117-1)", NULL,
			      &source);
	assert_int_equal(source.n, 1);
	assert_string_equal(source.v[0], "linux-source-6.12=6.12.117-1");
}

/* E: lines as apt 2.6 writes them. */
static void apt_errors_have_remedies(void **state)
{
	static const struct {
		const char *line;
		enum debian_remedy want;
	} cases[] = {
		{ "Release file for http://deb.debian.org/debian/dists/forky/InRelease is expired (invalid since 16d 9h 12min 10s). Updates for this repository will not be applied.",
		  REMEDY_IGNORE_EXPIRY },
		{ "The repository 'http://deb.debian.org/debian-security sid-security Release' does not have a Release file.",
		  REMEDY_NO_SECURITY },
		{ "The repository 'http://deb.debian.org/debian sid Release' does not have a Release file.",
		  REMEDY_NO_SUITE },
		{ "Failed to fetch http://nosuch.example/debian/dists/bookworm/InRelease  Could not resolve 'nosuch.example'",
		  REMEDY_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_strv_ struct strv errors = {};

		strv_push(&errors, cases[i].line);
		assert_int_equal(debian_remedy(&errors, "sid"), cases[i].want);
	}
}

/* A fake apt answers for the suite; what it is asked is written down. */
static void stale_answer_serves_when_the_mirror_is_away(void **state)
{
	_free_ char *old = xstrdup(getenv("PATH"));
	_free_ char *path = in_scratch("bin:%s", old);
	_free_ char *asked = in_scratch("asked");
	_free_ char *text = NULL;
	_kernel_ struct kernel k = KERNEL_INIT;
	_kernel_ struct kernel fresh = KERNEL_INIT;
	const char *dir = "cache/rig/deb/linux-image-" RELEASE "_6.1.7-1";

	if (!path_exists("/usr/share/keyrings/debian-archive-keyring.gpg"))
		skip();
	put("bin/apt-get", "#!/bin/sh\n"
			   "echo \"$*\" >> $RIG_TEST_ASKED\n"
			   "echo 'E: Failed to fetch X  Could not resolve'\n"
			   "exit 100\n");
	sh("chmod +x bin/apt-get");
	setenv("RIG_TEST_ASKED", asked, 1);
	setenv("PATH", path, 1);
	refuse("debian:bookworm", NULL, EXIT_RIG_FAILED,
	       "cannot fetch the package lists of bookworm: Failed to fetch X");
	text = xstrfmt("%s/vmlinuz", dir);
	put_bzimage(text, RELEASE, 160);
	free(text);
	text = xstrdup(
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
		" http://deb.debian.org/debian bookworm main\n"
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
		" http://deb.debian.org/debian-security bookworm-security main\n"
		"linux-image-" RELEASE " 6.1.7-1\n");
	put("cache/rig/apt/bookworm/linux-image-cloud-amd64", text);
	/* Young: nobody is asked. */
	sh("rm asked");
	accept("debian:bookworm", NULL, &fresh, NULL);
	assert_false(path_exists(asked));
	assert_string_equal(fresh.version, "6.1.7-1");
	sh("touch -d '2 days ago' cache/rig/apt/bookworm/linux-image-cloud-amd64");
	accept("debian:bookworm", NULL, &k,
	       "the mirror cannot be asked (Failed to fetch X");
	assert_true(path_exists(asked));
	/* Another mirror's answer is not this one's. */
	setenv("RIG_DEBIAN_MIRROR", "http://mirror.example/debian", 1);
	refuse("debian:bookworm", NULL, EXIT_RIG_FAILED, "cannot fetch");
	unsetenv("RIG_DEBIAN_MIRROR");
	setenv("PATH", old, 1);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(package_is_unpacked_and_indexed),
		test(split_package_takes_its_sibling),
		test(kernel_without_modules_needs_no_sibling),
		test(package_without_a_kernel_is_told),
		test(damaged_package_is_told_and_leaves_nothing),
		test(package_cannot_write_elsewhere),
		test(image_needs_no_modules),
		test(bad_image_is_told),
		test(vmlinux_needs_a_pvh_entry),
		test(modules_are_found_where_people_have_them),
		test(indexed_modules_are_used_in_place),
		test(modules_of_another_kernel_are_refused),
		test(depends_are_followed_by_name),
		test(apt_errors_have_remedies),
		test(stale_answer_serves_when_the_mirror_is_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
