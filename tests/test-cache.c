// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/kernel-fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void paths_make_their_parents(void **state)
{
	_free_ char *p = cache_path("deb/%s", "x");
	_free_ char *want = in_scratch("cache/rig/deb/x");
	_free_ char *parent = in_scratch("cache/rig/deb");

	assert_string_equal(p, want);
	assert_true(path_exists(parent));
	assert_false(path_exists(p));
}

static void relative_xdg_folder_does_not_count(void **state)
{
	_free_ char *want = in_scratch(".cache/rig/x");
	_free_ char *p = NULL;

	setenv("XDG_CACHE_HOME", "relative", 1);
	p = cache_path("x");
	assert_string_equal(p, want);
}

static void folder_that_cannot_be_made_is_null(void **state)
{
	_free_ char *said = NULL;
	_free_ char *p = NULL;
	_free_ char *err = in_scratch("stderr");
	_free_ char *file = in_scratch("file");
	int fd, old = dup(STDERR_FILENO);

	put("file", "");
	setenv("XDG_CACHE_HOME", file, 1);
	fd = open(err, O_RDWR | O_CREAT, 0600);
	dup2(fd, STDERR_FILENO);
	p = cache_path("x");
	dup2(old, STDERR_FILENO);
	close(fd);
	close(old);
	said = slurp(err);
	assert_null(p);
	assert_non_null(strstr(said, "cannot make"));
}

static void data_is_found_from_the_binary(void **state)
{
	_free_ char *p = NULL;

	assert_int_equal(chdir("/"), 0);
	p = data_path("kconfigs/%s.config", "base");
	assert_true(path_exists(p));
}

/* A child that takes the lock, says so, and holds it until killed. */
static pid_t hold(const char *path)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		if (cache_lock(path, "it") < 0)
			_exit(1);
		(void)!write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void killed_holder_leaves_no_lock(void **state)
{
	_free_ char *path = cache_path("entry");
	pid_t pid = hold(path);
	int fd;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = cache_lock(path, "it");
	assert_true(fd >= 0);
	close(fd);
}

static void second_rig_waits_for_the_first(void **state)
{
	_free_ char *path = cache_path("entry");
	pid_t holder = hold(path), killer = fork();
	double begin = now();
	int fd;

	if (!killer) {
		usleep(300000);
		kill(holder, SIGKILL);
		_exit(0);
	}
	fd = cache_lock(path, "it");
	assert_true(fd >= 0);
	assert_true(now() - begin > 0.25);
	close(fd);
	waitpid(holder, NULL, 0);
	waitpid(killer, NULL, 0);
}

/* What `rig clean` may do while somebody waits: a lock on a file without a
 * name keeps nobody out. */
static void unlinked_lock_is_taken_anew(void **state)
{
	_free_ char *path = cache_path("entry");
	_free_ char *name = xstrfmt("%s.lock", path);
	pid_t holder = hold(path), killer = fork();
	struct stat mine, named;
	int fd;

	if (!killer) {
		usleep(300000);
		unlink(name);
		kill(holder, SIGKILL);
		_exit(0);
	}
	fd = cache_lock(path, "it");
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &mine), 0);
	assert_int_equal(stat(name, &named), 0);
	assert_int_equal(mine.st_ino, named.st_ino);
	close(fd);
	waitpid(holder, NULL, 0);
	waitpid(killer, NULL, 0);
}

static void interrupt_ends_the_wait(void **state)
{
	_free_ char *path = cache_path("entry");
	pid_t holder = hold(path), killer;
	pid_t me = getpid();

	assert_int_equal(signals_init(), 0);
	killer = fork();
	if (!killer) {
		usleep(200000);
		kill(me, SIGINT);
		_exit(0);
	}
	assert_int_equal(cache_lock(path, "it"), -EINTR);
	/* A stop is for good: what was asked for before a wait ends it, too. */
	assert_int_equal(cache_lock(path, "it"), -EINTR);
	assert_int_equal(signals_init(), 0);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	waitpid(killer, NULL, 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(paths_make_their_parents),
		test(relative_xdg_folder_does_not_count),
		test(folder_that_cannot_be_made_is_null),
		test(data_is_found_from_the_binary),
		test(killed_holder_leaves_no_lock),
		test(second_rig_waits_for_the_first),
		test(unlinked_lock_is_taken_anew),
		test(interrupt_ends_the_wait),
	};

	verbosity = 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
