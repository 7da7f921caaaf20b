// SPDX-License-Identifier: GPL-2.0-or-later
#include "accel.h"
#include "cache.h"
#include "proc.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest that the payload may take under KVM, in seconds. */
#define DEADLINE 6.0
/* isa-debug-exit: the guest's 1 becomes QEMU's exit status (1 << 1) | 1. */
#define PAYLOAD_DONE 3

/*
 * A guest that does what a booting kernel does a lot of: first touches of
 * pages (16 MiB), port I/O (2,000 exits) and plain computing (20 million
 * rounds), after the firmware's own thousands of exits. 32-bit code, entered
 * by PVH with flat segments and no paging.
 */
static const unsigned char payload_code[] = {
	0xbf, 0x00, 0x00, 0x00, 0x01,		  /*    mov  $16 MiB, %edi */
	0xb9, 0x00, 0x10, 0x00, 0x00,		  /*    mov  $4096, %ecx */
	0x89, 0x3f,				  /* 1: mov  %edi, (%edi) */
	0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,	  /*    add  $4096, %edi */
	0x49, 0x75, 0xf5,			  /*    dec  %ecx; jnz 1b */
	0xb9, 0xd0, 0x07, 0x00, 0x00,		  /*    mov  $2000, %ecx */
	0xe6, 0x80,				  /* 2: out  %al, $0x80 */
	0x49, 0x75, 0xfb,			  /*    dec  %ecx; jnz 2b */
	0xb9, 0x00, 0x2d, 0x31, 0x01,		  /*    mov  $20000000, %ecx */
	0x49, 0x75, 0xfd,			  /* 3: dec  %ecx; jnz 3b */
	0xb0, 0x01, 0xe6, 0xf4,			  /*    mov  $1, %al; out */
	0xf4, 0xeb, 0xfd,			  /* 4: hlt; jmp 4b */
};

/* The smallest ELF file that QEMU's -kernel takes: one segment, one PVH note
 * (XEN_ELFNOTE_PHYS32_ENTRY, xen/include/public/elfnote.h). */
struct payload {
	Elf64_Ehdr eh;
	Elf64_Phdr load, note;
	Elf64_Nhdr nh;
	char owner[4];
	uint64_t entry;
	unsigned char code[sizeof(payload_code)];
};

#define PAYLOAD_BASE 0x100000

static int write_payload(const char *path)
{
	struct payload p = {
		.eh = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = PAYLOAD_BASE + offsetof(struct payload, code),
			.e_phoff = offsetof(struct payload, load),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
			.e_shentsize = sizeof(Elf64_Shdr),
		},
		.load = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_vaddr = PAYLOAD_BASE,
			.p_paddr = PAYLOAD_BASE,
			.p_filesz = sizeof(p),
			.p_memsz = sizeof(p),
			.p_align = 4096,
		},
		.note = {
			.p_type = PT_NOTE,
			.p_offset = offsetof(struct payload, nh),
			.p_vaddr = PAYLOAD_BASE + offsetof(struct payload, nh),
			.p_paddr = PAYLOAD_BASE + offsetof(struct payload, nh),
			.p_filesz = offsetof(struct payload, code) -
				    offsetof(struct payload, nh),
			.p_memsz = offsetof(struct payload, code) -
				   offsetof(struct payload, nh),
			.p_align = 4,
		},
		.nh = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
		.owner = "Xen",
		.entry = PAYLOAD_BASE + offsetof(struct payload, code),
	};

	memcpy(p.code, payload_code, sizeof(payload_code));
	return write_file(path, &p, sizeof(p));
}

/* Seconds the payload takes, or -errno: -ETIMEDOUT, -EIO when QEMU fails, with
 * the first line it said in @said. */
static double time_payload(const char *qemu, const char *accel,
			   const char *payload, double limit, char **said)
{
	char *argv[] = {
		(char *)qemu, "-nodefaults", "-no-user-config", "-display",
		"none", "-no-reboot", "-machine", "q35", "-m", "128M",
		"-accel", (char *)accel, "-cpu",
		strcmp(accel, "kvm") == 0 ? "host" : "max", "-device",
		"isa-debug-exit,iobase=0xf4,iosize=1", "-kernel",
		(char *)payload, NULL,
	};
	_buf_ struct buf out = {}, err = {};
	double start = now();
	int ret = proc_read(argv, NULL, &out, &err, limit);

	if (ret == PAYLOAD_DONE)
		return now() - start;
	if (ret < 0)
		return ret;
	err.data[strcspn(err.data, "\n")] = '\0';
	*said = printable(err.data, strlen(err.data), false);
	return -EIO;
}

/* KVM has to beat TCG at the same thing, or it is not worth its name. */
static void judge(const char *qemu, const char *payload, struct accel *a)
{
	_free_ char *said = NULL, *none = NULL;
	double tcg, kvm;

	a->name = "tcg";
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		snprintf(a->why, sizeof(a->why), "/dev/kvm: %s",
			 strerror(errno));
		return;
	}
	kvm = time_payload(qemu, "kvm", payload, DEADLINE, &said);
	if (kvm == -ETIMEDOUT) {
		snprintf(a->why, sizeof(a->why), "KVM is unusable here: the "
			 "probe did not end within %.0f s", DEADLINE);
		return;
	}
	if (kvm < 0) {
		snprintf(a->why, sizeof(a->why), "KVM does not work here: %s",
			 said && *said ? said : strerror(-kvm));
		return;
	}
	tcg = time_payload(qemu, "tcg", payload, 60, &none);
	if (tcg < 0 || kvm < tcg)
		a->name = "kvm";
	snprintf(a->why, sizeof(a->why), "the probe takes %.2f s under KVM, "
		 "%.2f s under TCG", kvm, tcg < 0 ? 0 : tcg);
}

/* Which QEMU was asked: a broken one's answer is not another's. */
static void add_qemu(struct buf *key, const char *qemu)
{
	_free_ char *path = find_program(qemu);
	_free_ char *id = NULL;
	struct stat st = {};
	char hex[17];

	if (path)
		stat(path, &st);
	id = xstrfmt("%s %lld %lld.%ld", path ? path : qemu,
		     (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		     st.st_mtim.tv_nsec);
	hash_hex(id, strlen(id), hex);
	buf_addf(key, "-%s", hex);
}

int accel_choose(const char *want, const char *qemu, bool force_probe,
		 struct accel *a)
{
	static const char *const known[] = { "kvm", "tcg", "tcg-mt" };
	_free_ char *path = NULL, *entry = NULL, *payload = NULL;
	_buf_ struct buf boot = {}, old = {};
	size_t n;

	*a = (struct accel){};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(want, known[i]) != 0)
			continue;
		a->name = known[i];
		snprintf(a->why, sizeof(a->why), "as asked for");
		return 0;
	}
	if (strcmp(want, "auto") != 0)
		return -EINVAL;
	/* Another kernel or machine may answer differently; a boot may not. */
	read_file("/proc/sys/kernel/random/boot_id", &boot);
	buf_add(&boot, "", 0);
	boot.len = n = strcspn(boot.data, "\n");
	boot.data[n] = '\0';
	if (n)
		add_qemu(&boot, qemu);
	n = boot.len;
	path = cache_path("accel");
	if (!path)
		return -EIO;
	if (!force_probe && read_file(path, &old) == 0 && n &&
	    strncmp(old.data, boot.data, n) == 0 && old.data[n] == ' ') {
		a->name = strncmp(old.data + n + 1, "kvm ", 4) == 0 ? "kvm" :
								      "tcg";
		snprintf(a->why, sizeof(a->why), "%.*s",
			 (int)strcspn(old.data + n + 5, "\n"),
			 old.data + n + 5);
		a->cached = true;
		return 0;
	}
	payload = cache_path("accel-probe.elf");
	if (!payload || write_payload(payload))
		return -EIO;
	judge(qemu, payload, a);
	if (interrupted())
		return 0;
	entry = xstrfmt("%s %s %s\n", boot.data, a->name, a->why);
	/* Not remembered is measured again: no reason to fail. */
	write_file(path, entry, strlen(entry));
	return 0;
}
