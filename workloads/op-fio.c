// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio beside the steps, on files of its own, verifying what it writes: blocks
 * change hands between its files and ours, and the wait table of fs/dax.c is
 * one for all. It ends by itself, or when all threads are to stand still.
 */
#include "emit.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { ENGINE };
static const char *const engines[] = { "mmap", "psync", "libaio", NULL };

extern char **environ;

static struct {
	pid_t pid;
	int out;		/* what it says */
} fio;

static void clean(void)
{
	unlink("bg-fio/one.0.0");
	unlink("bg-fio/two.0.0");
	unlink("bg-fio/one.1.0");
	unlink("bg-fio/two.1.0");
	rmdir("bg-fio");
}

/* Wrong data, and nothing else that it may complain of. */
static void look_at(const char *said)
{
	const char *at = strstr(said, "verify failed at");
	char key[80], title[120];

	at = at ?: strstr(said, "verify: bad");
	if (!at)
		return;
	snprintf(key, sizeof(key), "%s fio", wl->fs);
	snprintf(title, sizeof(title), "fio does not find what it wrote on %s",
		 wl->fs);
	finding("data", key, title, said, NULL);
}

static void stop(struct lane *l, void *arg)
{
	double until = wl_now() + 8 * wl->scale;
	char said[1500];
	ssize_t n;

	kill(fio.pid, SIGTERM);
	while (waitpid(fio.pid, NULL, WNOHANG) == 0) {
		usleep(2000);
		if (wl_now() < until)
			continue;
		kill(fio.pid, SIGKILL);
		waitpid(fio.pid, NULL, 0);
		break;
	}
	n = pread(fio.out, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(fio.out);
	clean();
	look_at(said);
}

static int spawn(const char *engine)
{
	char *argv[] = {
		"fio", (char *)engine, "--directory=bg-fio", "--size=2m",
		"--bs=4k", "--rw=randwrite", "--thread", "--runtime=4",
		"--time_based", "--verify=crc32c", "--verify_backlog=64",
		"--verify_fatal=1", "--fallocate=none", "--minimal",
		"--randrepeat=0", "--name=one", "--name=two", NULL
	};
	posix_spawn_file_actions_t fa;
	int err;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, fio.out, 1);
	posix_spawn_file_actions_adddup2(&fa, fio.out, 2);
	err = posix_spawnp(&fio.pid, "fio", &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return err;
}

static int run(struct lane *l, const struct step *s)
{
	char engine[32];
	int err;

	if (!background_begins())
		return VOID;
	snprintf(engine, sizeof(engine), "--ioengine=%s",
		 engines[s->arg[ENGINE]]);
	fio.out = memfd_create("fio", MFD_CLOEXEC);
	err = fio.out < 0 || mkdir("bg-fio", 0755) < 0 ? errno :
							 spawn(engine);
	if (err) {
		clean();
		if (fio.out >= 0)
			close(fio.out);
	}
	background_is(err ? NULL : stop, NULL);
	return err;
}

C_HELPER(
	fio,
	.name = "fio",
	.uses = "TRY",
	.text = "/* Beside the steps, for four seconds. */\n"
		"static void fio(const char *engine)\n"
		"{\n"
		"\tmkdir(\"bg-fio\", 0755);\n"
		"\tif (!fork()) {\n"
		"\t\texeclp(\"fio\", \"fio\", engine, \"--directory=bg-fio\", \"--size=2m\",\n"
		"\t\t       \"--bs=4k\", \"--rw=randwrite\", \"--thread\", \"--runtime=4\",\n"
		"\t\t       \"--time_based\", \"--verify=crc32c\", \"--verify_backlog=64\",\n"
		"\t\t       \"--verify_fatal=1\", \"--fallocate=none\", \"--minimal\",\n"
		"\t\t       \"--randrepeat=0\", \"--name=one\", \"--name=two\", NULL);\n"
		"\t\terr(2, \"fio\");\n"
		"\t}\n"
		"}\n",
);

OP(
	.name = "fio",
	.help = "fio goes on beside the steps, on files of its own, verifying",
	.groups = "background",
	.weight = 1,
	.programs = "fio",
	.args = { { "engine", ARG_WORD, engines } },
	.run = run,
	.c = "fio(\"--ioengine=$engine\");",
	.c_uses = "fio",
	.must = "fio finds what it wrote",
);
