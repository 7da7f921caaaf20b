// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The executor on this host's tmpfs, which holds what is written to it:
 * programs that are right give no finding, and each thing that is planted
 * gives just the one that it should.
 */
#include "guest/agent.h"
#include "workloads/log.h"
#include "workloads/prog.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

/* --- what is planted: operations that no generator draws --------------------- */

/* Behind the model's back: a byte becomes another. */
static int flip(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[0]);
	char c;

	if (!f || pread(f->fd, &c, 1, s->arg[1]) != 1)
		return VOID;
	c ^= 0x40;
	return pwrite(f->fd, &c, 1, s->arg[1]) == 1 ? 0 : errno;
}

static const struct op flip_op = {
	.name = "plant-flip", .run = flip,
	.args = { { "fd", ARG_FD }, { "off", ARG_OFF } },
};

/* What another file has comes to be in this one, unseen. */
static int leak(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[0]), *t = use_fd(l, s->arg[1]);
	char page[PAGE];

	if (!f || !t || pread(f->fd, page, PAGE, 0) != (ssize_t)PAGE)
		return VOID;
	return pwrite(t->fd, page, PAGE, 0) == (ssize_t)PAGE ? 0 : errno;
}

static const struct op leak_op = {
	.name = "plant-leak", .run = leak,
	.args = { { "fd", ARG_FD }, { "to", ARG_FD } },
};

static int longer(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[0]);

	return f ? ftruncate(f->fd, s->arg[1]) : VOID;
}

static const struct op longer_op = {
	.name = "plant-size", .run = longer,
	.args = { { "fd", ARG_FD }, { "size", ARG_OFF } },
};

static int eio(struct lane *l, const struct step *s)
{
	check_error(l, NULL, EIO);
	return EIO;
}

static const struct op eio_op = { .name = "plant-eio", .run = eio };

static volatile bool let_go;

static void release(struct lane *l, struct hold *h)
{
	let_go = true;
}

/* A reference, as if a page of the device were held. */
static int hold(struct lane *l, const struct step *s)
{
	struct map *m = use_map(l, s->arg[1]);
	struct hold *h = m ? fresh_ref(l, s->arg[0], "planted", m, 0, PAGE) :
			     NULL;

	if (!h)
		return VOID;
	h->release = release;
	let_go = false;
	ref_held(l, h);
	h->dev[0] = PAGE;
	h->nr_dev = 1;
	h->detached = false;
	return 0;
}

static const struct op hold_op = {
	.name = "plant-hold", .run = hold,
	.args = { { "ref", ARG_REF }, { "map", ARG_MAP } },
};

static int early(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[0]);

	if (!f)
		return VOID;
	will_free(l, f->ino, 0, MAX_FILE);
	return 0;
}

static const struct op early_op = {
	.name = "plant-early", .run = early, .args = { { "fd", ARG_FD } },
};

/* As a kernel does that is right. */
static int waits(struct lane *l, const struct step *s)
{
	struct file *f = use_fd(l, s->arg[0]);

	if (!f)
		return VOID;
	will_free(l, f->ino, 0, MAX_FILE);
	while (!let_go)
		usleep(300000);
	return 0;
}

static const struct op waits_op = {
	.name = "plant-waits", .run = waits, .args = { { "fd", ARG_FD } },
};

static int stuck(struct lane *l, const struct step *s)
{
	while (!pause() || errno == EINTR)
		;
	return errno;
}

static const struct op stuck_op = { .name = "plant-stuck", .run = stuck };

static int spins(struct lane *l, const struct step *s)
{
	static char buf[1 << 20];
	double until = wl_now() + 15;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	/* Until it has been seen to: then there is nothing more to wait for. */
	while (wl_now() < until)
		if (read(fd, buf, sizeof(buf)) < 0)
			break;
	close(fd);
	return 0;
}

static const struct op spins_op = { .name = "plant-spins", .run = spins };

static const struct op *const planted[]
	__attribute__((used, section("ops"))) = {
	&flip_op, &leak_op, &longer_op, &eio_op, &hold_op, &early_op, &waits_op,
	&stuck_op, &spins_op,
};

/* --- running one -------------------------------------------------------------- */

struct outcome {
	unsigned int findings;
	char keys[2000];	/* of findings, a line each */
	char said[2000];	/* results, a line each */
	struct json_object *detail;	/* of the first finding */
	int status;
};

static void take(struct outcome *o, const char *msg)
{
	struct json_object *ev, *v;
	size_t len = strlen(o->said);

	if (*msg != '!') {
		snprintf(o->said + len, sizeof(o->said) - len, "%s\n", msg);
		return;
	}
	ev = json_tokener_parse(msg + 1);
	json_object_object_get_ex(ev, "ev", &v);
	if (strcmp(json_object_get_string(v), "finding") == 0) {
		len = strlen(o->keys);
		json_object_object_get_ex(ev, "key", &v);
		snprintf(o->keys + len, sizeof(o->keys) - len, "%s\n",
			 json_object_get_string(v));
		if (!o->findings++ &&
		    json_object_object_get_ex(ev, "detail", &v))
			o->detail = json_object_get(v);
	}
	json_object_put(ev);
}

static void in_child(const char *text, int fd)
{
	char dir[] = "/dev/shm/rig-test-XXXXXX";
	static struct wl_case c;

	c = (struct wl_case){ .name = "program:test/tmpfs", .fs = "tmpfs",
			      .mnt = dir, .dir = dir, .unit = PAGE, .scale = 1,
			      .seed = 6, .program = text };
	if (!mkdtemp(dir) || chdir(dir) < 0)
		_exit(3);
	/* The folder goes with whoever waits for us. */
	dprintf(fd, "D%s", dir);
	wl = &c;
	wl_result_fd = fd;
	log_start();
	prog_run(text);
}

static void run_text(const char *text, struct outcome *o)
{
	char msg[1 << 16], dir[64] = "", cmd[120];
	int fds[2];
	ssize_t n;
	pid_t pid;

	*o = (struct outcome){};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		in_child(text, fds[1]);
	}
	close(fds[1]);
	while ((n = recv(fds[0], msg, sizeof(msg) - 1, 0)) > 0) {
		msg[n] = '\0';
		if (*msg == 'D')
			snprintf(dir, sizeof(dir), "%.40s", msg + 1);
		else
			take(o, msg);
	}
	close(fds[0]);
	waitpid(pid, &o->status, 0);
	assert_non_null(strstr(dir, "rig-test-"));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void gives(const char *steps, const char *keys)
{
	struct outcome o;
	char *text;

	assert_true(asprintf(&text, "rig-program 1\n%s", steps) > 0);
	run_text(text, &o);
	assert_string_equal(o.keys, keys);
	json_object_put(o.detail);
	free(text);
}

static double detail(const struct outcome *o, const char *key)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o->detail, key, &v));
	return json_object_get_double(v);
}

/* --- the tests ------------------------------------------------------------------ */

static void nothing_is_wrong(void **state)
{
	gives("0 open fd=0 name=a how=create\n"
	      "0 pwrite fd=0 off=0xfff len=0x1003\n"
	      "0 mmap map=0 fd=0 off=0 len=0x3000 kind=shared prot=rw\n"
	      "0 store map=0 off=0x801 len=0x900\n"
	      "0 mmap map=1 fd=0 off=0 len=0x3000 kind=private prot=rw\n"
	      "0 store map=1 off=0x10 len=8\n"
	      "* quiet\n"
	      "0 truncate fd=0 size=0x1234\n"
	      "0 truncate fd=0 size=0x8000\n"
	      "0 pread fd=0 off=0x1000 len=0x9000\n"
	      "0 load map=0 off=0 len=0x3000\n"
	      "0 munmap map=0\n"
	      "0 close fd=0\n", "");
}

static void a_byte_is_named(void **state)
{
	struct outcome o;

	run_text("rig-program 1\n"
		 "0 open fd=0 name=a how=create\n"
		 "0 pwrite fd=0 off=0 len=0x2000\n"
		 "0 plant-flip fd=0 off=0x1803\n", &o);
	assert_string_equal(o.keys,
		"tmpfs read(2): older data of the same place for data of pwrite\n");
	assert_int_equal(detail(&o, "off"), 0x1803);
	assert_int_equal(detail(&o, "len"), 1);
	assert_int_equal(detail(&o, "want_step"), 2);
	/* The end of it all. */
	assert_int_equal(detail(&o, "step"), 4);
	json_object_put(o.detail);
}

static void a_mapping_tells_too(void **state)
{
	gives("0 open fd=0 name=a how=create\n"
	      "0 pwrite fd=0 off=0 len=0x2000\n"
	      "0 mmap map=0 fd=0 off=0x1000 len=0x1000 kind=shared prot=r\n"
	      "0 plant-flip fd=0 off=0x1803\n"
	      "0 load map=0 off=0x800 len=0x10\n"
	      "0 plant-flip fd=0 off=0x1803\n",
	      "tmpfs a shared mapping: older data of the same place for data of pwrite\n");
}

static void another_files_data_is_named(void **state)
{
	struct outcome o;

	run_text("rig-program 1\n"
		 "0 open fd=0 name=a how=create\n"
		 "0 open fd=1 name=b how=create\n"
		 "0 pwrite fd=0 off=0 len=0x2000\n"
		 "0 truncate fd=1 size=0x2000\n"
		 "0 plant-leak fd=0 to=1\n"
		 "0 pread fd=1 off=0 len=0x2000\n", &o);
	assert_string_equal(o.keys,
		"tmpfs read(2): data of another file for zeroes of truncate\n");
	assert_int_equal(detail(&o, "got_step"), 3);
	assert_int_equal(detail(&o, "want_step"), 0);
	assert_int_equal(detail(&o, "last_step"), 4);
	assert_int_equal(detail(&o, "step"), 6);
	/* A page less its first and last word, which may be of two. */
	assert_int_equal(detail(&o, "len"), 0x1000 - 16);
	json_object_put(o.detail);
}

/* Where two threads met nobody is sure, but what never came near the file is
 * not there. */
static void threads_do_not_hide_it(void **state)
{
	gives("threads 2\n"
	      "0 open fd=0 name=a how=create\n"
	      "0 open fd=1 name=b how=create\n"
	      "0 pwrite fd=0 off=0 len=0x2000\n"
	      "* quiet\n"
	      "0 pwrite fd=1 off=0 len=0x4000\n"
	      "1 pwrite fd=1 off=0 len=0x4000\n"
	      "* quiet\n"
	      "0 plant-leak fd=0 to=1\n",
	      "tmpfs read(2): data of another file for data of pwrite\n");
}

static void a_size_is_compared(void **state)
{
	gives("0 open fd=0 name=a how=create\n"
	      "0 pwrite fd=0 off=0 len=0x1000\n"
	      "0 plant-size fd=0 size=0x1800\n"
	      "* quiet\n", "tmpfs size\n");
	gives("0 open fd=0 name=a how=create\n"
	      "0 pwrite fd=0 off=0 len=0x1000\n"
	      "0 plant-size fd=0 size=0x1800\n"
	      "0 pread fd=0 off=0xf00 len=0x800\n"
	      "0 plant-size fd=0 size=0x1000\n", "tmpfs count pread long\n");
}

static void an_error_is_one(void **state)
{
	gives("0 plant-eio\n", "tmpfs error plant-eio EIO\n");
}

#define HELD                                                                   \
	"0 open fd=0 name=a how=create\n"                                      \
	"0 pwrite fd=0 off=0 len=0x2000\n"                                     \
	"0 mmap map=0 fd=0 off=0 len=0x1000 kind=shared prot=rw\n"             \
	"0 plant-hold ref=0 map=0\n"

static void early_is_told(void **state)
{
	gives(HELD "0 plant-early fd=0\n", "tmpfs early plant-early\n");
	gives(HELD "0 release ref=0\n0 plant-early fd=0\n", "");
	/* Only what it frees. */
	gives(HELD "0 open fd=1 name=b how=create\n0 plant-early fd=1\n", "");
}

static void what_waits_is_given(void **state)
{
	struct outcome o;

	run_text("rig-program 1\n" HELD "0 plant-waits fd=0\n", &o);
	assert_string_equal(o.keys, "");
	assert_non_null(strstr(o.said, "1 waited for a reference"));
}

static void stuck_is_told(void **state)
{
	struct outcome o;

	run_text("rig-program 1\nthreads 2\n0 plant-stuck\n", &o);
	assert_int_equal(o.findings, 1);
	assert_int_equal(strncmp(o.keys, "tmpfs stuck plant-stuck", 23), 0);
	json_object_put(o.detail);
	/* A process that does not end has ended all the same. */
	assert_true(WIFEXITED(o.status));
}

static void spinning_is_told(void **state)
{
	struct outcome o;

	run_text("rig-program 1\n0 plant-spins\n", &o);
	assert_int_equal(strncmp(o.keys, "tmpfs spin plant-spins", 22), 0);
	json_object_put(o.detail);
}

/*
 * What is stored behind the end of a file in its last page has to be gone when
 * the file grows (POSIX: zeroes are added). Not every tmpfs sees to it.
 */
static bool keeps_stores_behind_the_end(void)
{
	char path[] = "/dev/shm/rig-test-XXXXXX", c = 0;
	int fd = mkstemp(path);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, 100), 0);
	p[200] = 1;
	assert_int_equal(pwrite(fd, "", 1, PAGE), 1);
	assert_int_equal(pread(fd, &c, 1, 200), 1);
	munmap(p, PAGE);
	close(fd);
	return c;
}

/* All that was found is that. */
static bool is_that(const struct outcome *o)
{
	const char *line = o->keys;
	unsigned int n = 0;

	while (*line) {
		size_t len = strcspn(line, "\n");

		n += memmem(line, len, ": older data of the same place for zeroes of ",
			    44) != NULL;
		line += len + 1;
	}
	return n == o->findings;
}

/* On a filesystem that is right: whatever is found is a lie of the model's. */
static void generated(unsigned int threads)
{
	/* What is not for a host, or not on tmpfs. */
	static char *without[] = { "pin", "reflink", "admin", "pressure",
				   "background", "hwpoison", NULL };

	bool keeps = keeps_stores_behind_the_end();

	for (unsigned int i = 0; i < 150; i++) {
		struct gen_opts go = { .seed = 11, .index = i, .fs = "ext4",
				       .threads = threads, .without = without };
		struct outcome o;
		struct prog p;
		char *text;

		gen_program(&go, &p);
		text = prog_print(&p);
		/* What unmounts is not for a host. */
		if (!p.alone) {
			run_text(text, &o);
			if ((o.findings && !(keeps && is_that(&o))) ||
			    !strstr(o.said, " steps: "))
				fail_msg("seed 11.%u: %s%s\n%s", i, o.keys,
					 o.said, text);
			json_object_put(o.detail);
		}
		free(text);
		prog_free(&p);
	}
}

static void one_thread_is_exact(void **state)
{
	generated(1);
}

static void threads_are_sound(void **state)
{
	generated(4);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong),
		cmocka_unit_test(a_byte_is_named),
		cmocka_unit_test(a_mapping_tells_too),
		cmocka_unit_test(another_files_data_is_named),
		cmocka_unit_test(threads_do_not_hide_it),
		cmocka_unit_test(a_size_is_compared),
		cmocka_unit_test(an_error_is_one),
		cmocka_unit_test(early_is_told),
		cmocka_unit_test(what_waits_is_given),
		cmocka_unit_test(stuck_is_told),
		cmocka_unit_test(spinning_is_told),
		cmocka_unit_test(one_thread_is_exact),
		cmocka_unit_test(threads_are_sound),
	};

	/* A step that executes its own program: in a guest that is the agent,
	 * which does not know the argument. */
	if (argc > 1)
		return 129;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
