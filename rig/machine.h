/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines: the QEMU shapes a run can be made on. One table in machine.c; a
 * row is all there is to a machine.
 */
#ifndef RIG_MACHINE_H
#define RIG_MACHINE_H

#include "util.h"

enum pmem_kind { PMEM_NVDIMM, PMEM_NVDIMM_LABELS, PMEM_VIRTIO };

/* One emulated device. Sizes are multiples of 128 MiB, the section size of
 * x86-64 memory hotplug: a partial section's struct pages would lie in RAM. */
struct machine_pmem {
	enum pmem_kind kind;
	unsigned int mib;	/* 0 ends the list */
};

/* One namespace that the agent makes, and what cases run on it. */
struct machine_ns {
	int region;		/* index into pmem[] */
	const char *mode;	/* "fsdax" or "devdax"; NULL ends the list */
	const char *map;	/* "dev" or "mem": where struct page lives */
	unsigned int mib;	/* of a labelled region; 0: what is left */
	const char *fs;		/* "xfs ext4" in order, or "devdax" */
};

struct machine {
	const char *name, *help;
	unsigned int mem_mib, cpus;
	struct machine_pmem pmem[4];
	struct machine_ns ns[5];
};

extern const struct machine machines[];
extern const size_t nr_machines;

const struct machine *machine_find(const char *name);

/*
 * QEMU's arguments for the machine's memory, CPUs and pmem devices. @ram is a
 * path to its RAM, @backing has a path for each pmem device. @accel is struct
 * accel's name.
 */
void machine_args(const struct machine *m, const char *accel, const char *ram,
		  char *const *backing, struct strv *argv);

#endif
