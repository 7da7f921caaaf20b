// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio on files of the same filesystem, verifying what it writes, while rounds
 * of map, hold, truncate, reflink go on beside it. What only shows under load:
 * an entry's waiters woken for the wrong file (the wait table of fs/dax.c is
 * hashed), blocks that change hands between the two, a truncate starved.
 */
#include "workload.h"

#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>

static int fio(void *arg)
{
	static const char *const argv[] = {
		"fio", "--directory=bg", "--size=4m", "--bs=4k",
		"--rw=randwrite", "--thread", "--runtime=2", "--time_based",
		"--verify=crc32c", "--verify_backlog=128", "--verify_fatal=1",
		"--fallocate=none", "--minimal", "--randrepeat=0",
		"--name=one", "--name=two", NULL
	};
	const char *full[sizeof(argv) / sizeof(*argv) + 1];
	char engine[32];
	size_t n = 0;

	snprintf(engine, sizeof(engine), "--ioengine=%s", wl->variant);
	/* Before the jobs, so that it is theirs all. */
	full[n++] = argv[0];
	full[n++] = engine;
	while ((full[n] = argv[n - 1]))
		n++;
	return run_program(full);
}

static void run(void)
{
	struct shminfo info;
	struct attempt bg;
	unsigned int n = 0;
	bool ok = true;
	int ret = -1;

	if (shmctl(0, IPC_INFO, (struct shmid_ds *)&info) < 0 &&
	    errno == ENOSYS)
		SKIP("fio needs System V shared memory: CONFIG_SYSVIPC is off");
	SAFE(mkdir("bg", 0755));
	attempt_start(&bg, "fio", fio, NULL);
	do
		ok &= busy_round(++n);
	while (!attempt_done(&bg) && ok && n < 1000);
	CHECK(ok, "%u rounds beside fio hold their data and their references",
	      n);
	if (CHECK(attempt_wait(&bg, 20, &ret), "fio ends"))
		CHECK(ret == 0, "fio finds what it wrote (exit %d)", ret);
	attempt_end(&bg);
	CHECK(busy_round(++n), "and one more when it is idle");
}

WORKLOAD(
	.name = "background-fio",
	.help = "references, truncate and reflink beside fio",
	.point = "background",
	.on = ON_FS,
	.with = WITH_BOTH,
	.runtime = 5,
	.programs = "fio",
	.variants = (const char *const[]){ "mmap", "psync", "libaio", NULL },
	.run = run,
);
