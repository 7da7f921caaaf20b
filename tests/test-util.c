// SPDX-License-Identifier: GPL-2.0-or-later
/* Strings that come from guests and go to terminals, shells and files. */
#include "rig/proc.h"
#include "rig/util.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void shows(const char *raw, size_t len, bool multi, const char *want)
{
	_free_ char *got = printable(raw, len, multi);

	assert_string_equal(got, want);
}
#define SHOWS(raw, multi, want) shows(raw, sizeof(raw) - 1, multi, want)

static void guest_bytes_are_escaped(void **state)
{
	SHOWS("plain \xc3\xa9 \xe2\x82\xac", false, "plain \xc3\xa9 \xe2\x82\xac");
	SHOWS("\033[31mred\033[0m", false, "\\x1b[31mred\\x1b[0m");
	SHOWS("a\nb\tc", false, "a\\x0ab\tc");
	SHOWS("a\nb", true, "a\nb");
	SHOWS("nul\0end", false, "nul\\x00end");
	/* Latin-1, a cut sequence, overlong, a surrogate, beyond Unicode. */
	SHOWS("\xe9", false, "\\xe9");
	SHOWS("\xe2\x82", false, "\\xe2\\x82");
	SHOWS("\xc0\xaf", false, "\\xc0\\xaf");
	SHOWS("\xed\xa0\x80", false, "\\xed\\xa0\\x80");
	SHOWS("\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80");
	/* C1 controls are escape sequences to some terminals. */
	SHOWS("\xc2\x9b" "31m", false, "\\xc2\\x9b" "31m");
}

static void words_survive_a_shell(void **state)
{
	char *words[] = { "rig", "run", "a b", "it's", "$HOME", "", "-w",
			  "x:*/xfs", NULL };
	_free_ char *line = shell_join(words);
	_free_ char *script = xstrfmt("for w in %s; do echo \"[$w]\"; done",
				      line);
	_buf_ struct buf out = {};

	assert_int_equal(proc_read((char *[]){ "sh", "-c", script, NULL }, NULL,
				   &out, NULL, 10), 0);
	assert_string_equal(out.data, "[rig]\n[run]\n[a b]\n[it's]\n[$HOME]\n"
				      "[]\n[-w]\n[x:*/xfs]\n");
}

static void a_missing_program_is_known_at_once(void **state)
{
	struct proc p;

	assert_int_equal(proc_spawn(&p, (char *[]){ "no-such-program-here",
						    NULL }, NULL), -ENOENT);
	assert_int_equal(p.pid, 0);
}

static void count(const char *line, void *arg)
{
	struct strv *v = arg;

	strv_push(v, line);
}

static void lines_come_whole_and_logged(void **state)
{
	char path[] = "/tmp/rig-test-XXXXXX";
	_close_ int fd = mkstemp(path);
	_strv_ struct strv v = {};
	_buf_ struct buf log = {};

	assert_true(fd >= 0);
	assert_int_equal(proc_lines((char *[]){ "sh", "-c",
			 "printf 'one\\ntw'; printf 'o\\n' >&2; printf three; "
			 "exit 7", NULL }, NULL, fd, count, &v, 10), 7);
	assert_int_equal(v.n, 3);
	assert_string_equal(v.v[1], "two");
	assert_string_equal(v.v[2], "three");
	assert_int_equal(read_file(path, &log), 0);
	assert_string_equal(log.data, "one\ntwo\nthree");
	unlink(path);
}

static void a_time_limit_ends_the_whole_group(void **state)
{
	_buf_ struct buf out = {};
	double start = now();

	assert_int_equal(proc_read((char *[]){ "sh", "-c",
			 "sleep 60 & echo $!; sleep 60", NULL }, NULL, &out,
			 NULL, 0.3), -ETIMEDOUT);
	assert_true(now() - start < 20);
	/* The grandchild is gone, too. */
	for (int i = 0; kill(atoi(out.data), 0) == 0 && i < 500; i++)
		usleep(10000);
	assert_int_equal(kill(atoi(out.data), 0), -1);
}

static void children_die_with_their_parent(void **state)
{
	int fds[2], status;
	pid_t parent, child = 0;

	assert_int_equal(pipe(fds), 0);
	parent = fork();
	if (!parent) {
		struct proc p;

		if (proc_spawn(&p, (char *[]){ "sleep", "600", NULL }, NULL))
			_exit(1);
		if (write(fds[1], &p.pid, sizeof(p.pid)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	kill(parent, SIGKILL);
	waitpid(parent, &status, 0);
	for (int i = 0; kill(child, 0) == 0 && i < 1000; i++)
		usleep(10000);
	assert_int_equal(kill(child, 0), -1);
	close(fds[0]);
	close(fds[1]);
}

static void files_are_replaced_whole(void **state)
{
	char dir[] = "/tmp/rig-test-XXXXXX";
	_free_ char *path = NULL;
	_buf_ struct buf b = {};

	assert_non_null(mkdtemp(dir));
	path = xstrfmt("%s/f", dir);
	assert_int_equal(write_file(path, "old", 3), 0);
	assert_int_equal(write_file(path, "newer", 5), 0);
	assert_int_equal(read_file(path, &b), 0);
	assert_string_equal(b.data, "newer");
	assert_int_equal(write_file("/proc/none/f", "x", 1), -ENOENT);
	assert_int_equal(remove_tree(dir), 0);
	assert_false(path_exists(dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_bytes_are_escaped),
		cmocka_unit_test(words_survive_a_shell),
		cmocka_unit_test(a_missing_program_is_known_at_once),
		cmocka_unit_test(lines_come_whole_and_logged),
		cmocka_unit_test(a_time_limit_ends_the_whole_group),
		cmocka_unit_test(children_die_with_their_parent),
		cmocka_unit_test(files_are_replaced_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
