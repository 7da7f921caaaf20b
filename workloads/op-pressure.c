// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory gets short: anonymous pages, for a moment. */
#include "emit.h"

#include <sys/sysinfo.h>

/* As much as a guest can spare, and has the time for. */
#define MOST MiB(64)
#define SECONDS 0.3

static int run(struct lane *l, const struct step *s)
{
	double until = wl_now() + SECONDS * wl->scale;
	struct sysinfo info;
	size_t len = MOST;
	char *p;

	if (sysinfo(&info) < 0)
		return errno;
	if (len > info.freeram * info.mem_unit / 4)
		len = info.freeram * info.mem_unit / 4;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return errno;
	for (size_t at = 0; at < len && wl_now() < until; at += PAGE)
		*(volatile char *)(p + at) = 1;
	munmap(p, len);
	return 0;
}

C_HELPER(
	use_memory,
	.name = "use_memory",
	.text = "static void use_memory(size_t len)\n"
		"{\n"
		"\tvoid *p = mmap(NULL, len, PROT_READ | PROT_WRITE,\n"
		"\t\t       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);\n"
		"\n"
		"\tif (p != MAP_FAILED)\n"
		"\t\tmunmap(p, len);\n"
		"}\n",
);

OP(
	.name = "pressure",
	.help = "memory gets short for a moment",
	.groups = "mm",
	.weight = 1,
	.on = ON_FS | ON_DEVDAX,
	.run = run,
	.c = "use_memory(64 << 20);",
	.c_uses = "use_memory",
	.must = "a page of the device is never reclaimed",
);
