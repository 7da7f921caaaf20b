// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thread beside the steps that uses a file of its own as libpmem2 does, with
 * MAP_SYNC where the kernel grants it: it copies, persists, and compares what
 * is there by its mapping and by read(2).
 */
#include "emit.h"

#include <libpmem2.h>

#define LEN MiB(2)
#define NAME "bg-pmem2"

static struct load {
	pthread_t thread;
	bool over;
	int fd;
	unsigned int seed;
	struct pmem2_map *map;
	char *want, *got;
	const char *wrong;	/* what was, in a few words */
	int sig;		/* that an access gave */
} load;

static const char *compare(const char *p)
{
	if (memcmp(p, load.want, LEN) != 0)
		return "the mapping";
	if (pread(load.fd, load.got, LEN, 0) != (ssize_t)LEN ||
	    memcmp(load.got, load.want, LEN) != 0)
		return "read(2)";
	return NULL;
}

static void work(void *arg)
{
	char *p = pmem2_map_get_address(load.map);
	pmem2_memcpy_fn copy = pmem2_get_memcpy_fn(load.map);
	unsigned int r = load.seed;

	for (unsigned int n = 1; !load.wrong; n++) {
		size_t off = rand_r(&r) % (LEN / PAGE) * PAGE;

		memset(load.want + off, n % 255 + 1, PAGE);
		copy(p + off, load.want + off, PAGE, 0);
		if (n % 16 == 0)
			pmem2_deep_flush(load.map, p + off, PAGE);
		if (n % 64 == 0)
			load.wrong = compare(p);
		if (__atomic_load_n(&load.over, __ATOMIC_ACQUIRE))
			break;
		/* The steps have to come to something, too. */
		if (n % 8 == 0)
			usleep(500);
	}
	load.wrong = load.wrong ?: compare(p);
}

static void *load_main(void *arg)
{
	load.sig = run_guarded(work, NULL);
	return NULL;
}

static void clean(void)
{
	if (load.map)
		pmem2_map_delete(&load.map);
	if (load.fd >= 0)
		close(load.fd);
	unlink(NAME);
	if (load.want)
		munmap(load.want, LEN);
	if (load.got)
		munmap(load.got, LEN);
}

static void stop(struct lane *l, void *arg)
{
	char key[80], title[120];

	__atomic_store_n(&load.over, true, __ATOMIC_RELEASE);
	pthread_join(load.thread, NULL);
	if (load.sig) {
		snprintf(key, sizeof(key), "%s pmem2 signal", wl->fs);
		snprintf(title, sizeof(title), "libpmem2's mapping of an %s file of written blocks gives %s",
			 wl->fs, sigabbrev_np(load.sig) ?: "a signal");
		finding("data", key, title, title, NULL);
	} else if (load.wrong) {
		snprintf(key, sizeof(key), "%s pmem2", wl->fs);
		snprintf(title, sizeof(title), "%s does not have on %s what libpmem2 has persisted",
			 load.wrong, wl->fs);
		finding("data", key, title, title, NULL);
	}
	clean();
}

static void *memory(void)
{
	void *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* All blocks are there: no store is refused one. */
static int make_file(void)
{
	load.want = memory();
	load.got = memory();
	load.fd = open(NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (!load.want || !load.got || load.fd < 0)
		return errno ?: ENOMEM;
	if (pwrite(load.fd, load.want, LEN, 0) != (ssize_t)LEN)
		return ENOSPC;
	return fsync(load.fd) < 0 ? errno : 0;
}

static int map_file(void)
{
	struct pmem2_config *cfg = NULL;
	struct pmem2_source *src = NULL;
	int err = 0;

	if (pmem2_config_new(&cfg) || pmem2_source_from_fd(&src, load.fd) ||
	    pmem2_config_set_required_store_granularity(
		    cfg, PMEM2_GRANULARITY_PAGE) ||
	    pmem2_map_new(&load.map, cfg, src))
		err = ENODEV;
	if (src)
		pmem2_source_delete(&src);
	if (cfg)
		pmem2_config_delete(&cfg);
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	int err;

	if (!background_begins())
		return VOID;
	load = (struct load){ .fd = -1, .seed = s->nr };
	err = make_file() ?: map_file();
	if (!err)
		err = pthread_create(&load.thread, NULL, load_main, NULL);
	if (err)
		clean();
	background_is(err ? NULL : stop, NULL);
	return err;
}

C_HELPER(
	pmem,
	.name = "pmem",
	.uses = "TRY <pthread.h>",
	.text = "static void *pmem_main(void *arg)\n"
		"{\n"
		"\tint fd = open(\"bg-pmem2\", O_RDWR | O_CREAT, 0600);\n"
		"\tchar *p;\n"
		"\n"
		"\tTRY(posix_fallocate(fd, 0, 2 << 20));\n"
		"\tp = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,\n"
		"\t\t MAP_SHARED_VALIDATE | 0x80000 /* MAP_SYNC */, fd, 0);\n"
		"\tfor (unsigned int n = 1; p != MAP_FAILED; n++) {\n"
		"\t\tmemset(p + n % 512 * 4096, n, 4096);\n"
		"\t\tif (n % 16 == 0)\n"
		"\t\t\tmsync(p, 2 << 20, MS_SYNC);\n"
		"\t}\n"
		"\treturn NULL;\n"
		"}\n"
		"\n"
		"/* A thread beside the steps that uses a file as libpmem2 does. */\n"
		"static void pmem(void)\n"
		"{\n"
		"\tpthread_t t;\n"
		"\n"
		"\tpthread_create(&t, NULL, pmem_main, NULL);\n"
		"}\n",
);

OP(
	.name = "pmem2",
	.help = "libpmem2 goes on beside the steps, on a file of its own, comparing",
	.groups = "background",
	.weight = 1,
	.run = run,
	.c = "pmem();",
	.c_uses = "pmem",
	.must = "what was persisted is there by every way",
);
