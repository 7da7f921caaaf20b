// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine.h"

#include <string.h>

const struct machine machines[] = {
	{
		.name = "nvdimm",
		.help = "one NVDIMM, one fsdax namespace, map=dev (default)",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_NVDIMM, 512 } },
		.ns = { { 0, "fsdax", "dev", 0, "xfs ext4" } },
	},
	{
		.name = "nvdimm-mem",
		.help = "one NVDIMM, its struct pages in RAM: map=mem",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_NVDIMM, 512 } },
		.ns = { { 0, "fsdax", "mem", 0, "xfs ext4" } },
	},
	{
		.name = "two",
		.help = "two NVDIMMs, XFS on one and ext4 on the other, both mounted",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_NVDIMM, 512 }, { PMEM_NVDIMM, 512 } },
		.ns = { { 0, "fsdax", "dev", 0, "xfs" },
			{ 1, "fsdax", "dev", 0, "ext4" } },
	},
	{
		.name = "labels",
		.help = "one labelled NVDIMM with two fsdax and one devdax namespace",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_NVDIMM_LABELS, 1536 } },
		.ns = { { 0, "fsdax", "dev", 512, "xfs" },
			{ 0, "fsdax", "mem", 512, "ext4" },
			{ 0, "devdax", "dev", 256, "devdax" } },
	},
	{
		.name = "virtio-pmem",
		.help = "one virtio-pmem device: flushes are asynchronous",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_VIRTIO, 512 } },
		.ns = { { 0, "fsdax", "dev", 0, "xfs ext4" } },
	},
	{
		.name = "devdax",
		.help = "device-dax next to fsdax, an NVDIMM each",
		.mem_mib = 1024, .cpus = 2,
		.pmem = { { PMEM_NVDIMM, 256 }, { PMEM_NVDIMM, 512 } },
		.ns = { { 0, "devdax", "dev", 0, "devdax" },
			{ 1, "fsdax", "dev", 0, "xfs ext4" } },
	},
};
const size_t nr_machines = ARRAY_SIZE(machines);

const struct machine *machine_find(const char *name)
{
	for (size_t i = 0; i < nr_machines; i++)
		if (strcmp(machines[i].name, name) == 0)
			return &machines[i];
	return NULL;
}

void machine_args(const struct machine *m, const char *accel, const char *ram,
		  char *const *backing, struct strv *argv)
{
	unsigned int pmem = 0, slots = 0;

	for (const struct machine_pmem *p = m->pmem; p->mib; p++, slots++)
		pmem += p->mib;
	strv_push(argv, "-machine");
	strv_push(argv, "q35,nvdimm=on,memory-backend=ram");
	strv_push(argv, "-accel");
	/*
	 * One host thread for all CPUs: QEMU before 8.1 (its commit
	 * deba78709ae8) translates code without holding its page's lock, so
	 * that a guest which patches a jump label while another CPU runs it
	 * can go on with the old code: stray int3 oopses, hangs while booting.
	 * It is no slower on two cores.
	 */
	strv_push(argv, strcmp(accel, "kvm") == 0 ? "kvm" :
			strcmp(accel, "tcg-mt") == 0 ? "tcg,thread=multi" :
						       "tcg,thread=single");
	strv_push(argv, "-cpu");
	/* A string instruction is a loop of bytes there: without ERMS kernel
	 * and libc set and copy memory in ways that are 10 times as fast. */
	strv_push(argv, strcmp(accel, "kvm") == 0 ? "host" : "max,-erms");
	strv_push(argv, "-smp");
	strv_pushf(argv, "%u", m->cpus);
	strv_push(argv, "-m");
	strv_pushf(argv, "%uM,slots=%u,maxmem=%uM", m->mem_mib, slots + 1,
		   m->mem_mib + 2 * pmem + 1024);
	/* share=on, here and below: the host sees what the guest stores. */
	strv_push(argv, "-object");
	strv_pushf(argv, "memory-backend-file,id=ram,share=on,mem-path=%s,"
		   "size=%uM", ram, m->mem_mib);
	for (unsigned int i = 0; m->pmem[i].mib; i++) {
		const struct machine_pmem *p = &m->pmem[i];

		strv_push(argv, "-object");
		strv_pushf(argv,
			   "memory-backend-file,id=nv%u,share=on,mem-path=%s,"
			   "size=%uM", i, backing[i], p->mib);
		strv_push(argv, "-device");
		if (p->kind == PMEM_VIRTIO)
			strv_pushf(argv, "virtio-pmem-pci,id=pmem%u,memdev=nv%u",
				   i, i);
		else
			strv_pushf(argv, "nvdimm,id=nvdimm%u,memdev=nv%u%s", i,
				   i, p->kind == PMEM_NVDIMM_LABELS ?
					      ",label-size=128K" : "");
	}
}
