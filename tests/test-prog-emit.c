// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reproducers: what is written as C compiles without a warning, runs, and says
 * BUG when it finds what the finding tells of, and only then. No DAX is needed:
 * any filesystem does what steps say, and a finding can be made up.
 */
#include "workloads/prog.h"

#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HEAD "rig-program 1\n"
/* A file of three pages, the second of which is step 3's. */
#define FILE_A                                                                 \
	HEAD "0 open fd=0 name=a how=create\n"                                 \
	     "0 pwrite fd=0 off=0 len=0x3000\n"                                \
	     "0 pwrite fd=0 off=0x1000 len=0x1000\n"
#define MAP_A "0 mmap map=0 fd=0 off=0x1000 len=0x2000 kind=shared prot=rw\n"

static char dir[] = "/tmp/rig-emit.XXXXXX";

/* The reproducer of @text; @finding is JSON, or NULL. */
static char *c_of(const char *text, const char *finding)
{
	struct json_object *f = NULL;
	const char *why;
	struct prog p;
	char *c;

	if (finding) {
		f = json_tokener_parse(finding);
		assert_non_null(f);
	}
	if (prog_parse(&p, text, &why) < 0)
		fail_msg("%s: %s", text, why);
	c = prog_emit(&p, f);
	prog_free(&p);
	json_object_put(f);
	return c;
}

static void save(const char *c, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(c, f);
	assert_int_equal(fclose(f), 0);
}

/* A command's exit code; its output goes to @out if that is not NULL. */
static int command(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int command(char *out, size_t size, const char *fmt, ...)
{
	char line[1000], rest[4096];
	va_list ap;
	size_t n;
	int status;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	f = popen(line, "r");
	assert_non_null(f);
	n = out ? fread(out, 1, size - 1, f) : 0;
	if (out)
		out[n] = '\0';
	while (fread(rest, 1, sizeof(rest), f))
		;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void compile(const char *c, const char *flags)
{
	char path[64], out[4000];

	snprintf(path, sizeof(path), "%s/r.c", dir);
	save(c, path);
	if (command(out, sizeof(out), "cc -O1 -Wall -Werror %s -o %s/r %s 2>&1",
		    flags, dir, path) != 0)
		fail_msg("does not compile: %s", out);
}

/* One more for compile_all(), which has cc go through them all at once. */
static unsigned int nr_waiting;

static void compile_only(const char *text)
{
	char path[64], *c = c_of(text, NULL);

	snprintf(path, sizeof(path), "%s/all-%u.c", dir, nr_waiting++);
	save(c, path);
	free(c);
}

static void compile_all(void)
{
	char out[4000];

	assert_true(nr_waiting > 0);
	if (command(out, sizeof(out), "cd %s && ls all-*.c | xargs -P 2 -n 10 cc -O1 -Wall -Werror -c 2>&1",
		    dir) != 0)
		fail_msg("%s", out);
	command(NULL, 0, "rm %s/all-*", dir);
	nr_waiting = 0;
}

#define SAN "-g -fsanitize=address,undefined -fno-sanitize-recover=all"

/* Compiled twice, with sanitizers and without, it exits with @code and says
 * @want, first of all if it is not "". Its folder is gone. */
static void shows(const char *text, const char *finding, int code,
		  const char *want)
{
	char *c = c_of(text, finding), out[2000];
	const char *const flags[] = { "", SAN };

	for (int i = 0; i < 2; i++) {
		compile(c, flags[i]);
		assert_int_equal(command(out, sizeof(out), "%s/r %s 5 2>&1",
					 dir, dir), code);
		if (strncmp(out, want, strlen(want)) != 0)
			fail_msg("says '%s', not '%s'", out, want);
		assert_int_equal(command(NULL, 0, "ls -d %s/reproducer* 2>&1",
					 dir), 2);
	}
	free(c);
}

/* What main() has, without the comment. */
static void has(const char *text, const char *finding, const char *want)
{
	char *c = c_of(text, finding);
	const char *code = strstr(c, "\n#define _GNU_SOURCE");

	assert_non_null(code);
	if (!strstr(code, want))
		fail_msg("'%s' is not in\n%s", want, code);
	compile(c, "");
	free(c);
}

static void has_not(const char *text, const char *finding, const char *want)
{
	char *c = c_of(text, finding);

	if (strstr(strstr(c, "\n#define _GNU_SOURCE"), want))
		fail_msg("'%s' is in\n%s", want, c);
	compile(c, "");
	free(c);
}

#define DATA(view, fd, map, off, len, want, got, step)                         \
	"{\"kind\":\"data\",\"title\":\"t\",\"text\":\"x\",\"detail\":{"       \
	"\"file\":\"a\",\"view\":\"" view "\",\"fd\":" #fd ",\"map\":" #map    \
	",\"off\":" #off ",\"len\":" #len ",\"want_step\":" #want              \
	",\"got_step\":" #got ",\"step\":" #step "}}"
#define DETAIL(...)                                                            \
	"{\"kind\":\"data\",\"title\":\"t\",\"detail\":{" __VA_ARGS__ "}}"

/* --- the straight line ------------------------------------------------------ */

static void runs(void **state)
{
	shows(FILE_A MAP_A
	      "0 store map=0 off=0 len=8\n"
	      "0 load map=0 off=0 len=0x2000\n"
	      "0 vmsplice ref=0 map=0 off=0 len=0x1000\n"
	      "0 pread fd=0 off=0 len=0x4000\n"
	      "0 release ref=0\n"
	      "* quiet\n"
	      "0 munmap map=0\n"
	      "0 truncate fd=0 size=0\n"
	      "0 close fd=0\n", NULL, 0, "Now look at dmesg.\n");
	shows(HEAD, NULL, 0, "Now look at dmesg.\n");
}

static void steps_are_calls(void **state)
{
	const char *p = FILE_A MAP_A "0 munmap map=0\n0 truncate fd=0 size=0\n";

	has(p, NULL, "\n\tTRY(fd0 = open(\"a\", O_RDWR | O_CREAT, 0600));\n"
		     "\tput(fd0, 'B', 0, 0x3000);\n"
		     "\tput(fd0, 'C', 0x1000, 0x1000);\n");
	has(p, NULL, "\tTRY(munmap(map0, 0x2000));\n"
		     "\tTRY(ftruncate(fd0, 0));\n");
	has(p, NULL, "\n\tclose(fd0);\n");
	/* What is unmapped already is not again. */
	has_not(p, NULL, "\n\tmunmap(");
	has_not(p, NULL, "pthread");
	has_not(p, NULL, "vmsplice");
}

static void what_fails_is_said(void **state)
{
	shows(HEAD "0 open fd=0 name=b how=rdwr\n"
		   "0 pwrite fd=0 off=0 len=1\n", NULL, 0,
	      "r: fd0 = open(\"b\", O_RDWR): No such file or directory\n"
	      "r: pwrite(fd, buf, len, off): Bad file descriptor\n"
	      "Now look at dmesg.\n");
}

static void empty_slots_are_left_out(void **state)
{
	const char *p = HEAD "0 pwrite fd=0 off=0 len=1\n"
			     "0 open fd=0 name=a how=create\n"
			     "0 close fd=0\n"
			     "0 truncate fd=0 size=0\n";

	has_not(p, NULL, "put(");
	has_not(p, NULL, "ftruncate(");
	/* Nobody knows whether the first one failed. */
	has(HEAD "0 open fd=0 name=a how=rdwr\n0 open fd=0 name=b how=create\n",
	    NULL, "\tif (fd0 < 0)\n"
		  "\t\tTRY(fd0 = open(\"b\", O_RDWR | O_CREAT, 0600));\n");
	shows(HEAD "0 open fd=0 name=a how=rdwr\n"
		   "0 open fd=0 name=b how=create\n", NULL, 0,
	      "r: fd0 = open(\"a\", O_RDWR): No such file or directory\nNow");
}

static void lengths_end_with_the_mapping(void **state)
{
	has(FILE_A MAP_A "0 store map=0 off=0x1ff0 len=0x1000\n", NULL,
	    "store(map0 + 0x1ff0, 'E', 0x10);");
	/* As the executor maps: whole pages. */
	has(FILE_A "0 mmap map=1 fd=0 off=0x1234 len=0x1800 kind=shared\n",
	    NULL, "map_aligned(fd0, 0x1000, 0x2000,");
}

static void quiet_looks_at_all(void **state)
{
	const char *p = FILE_A MAP_A "* quiet\n0 close fd=0\n";

	has(p, NULL, "\tlook_at(fd0);\n\ttouch(map0, 0x2000);\n\tTRY(close(fd0));");
	/* At the end, where nobody knows what raised the report. */
	has(p, NULL, "TRY(close(fd0));\n"
		     "\t/* Whoever compares data reads all of it. */\n"
		     "\ttouch(map0, 0x2000);\n");
}

/* --- data -------------------------------------------------------------------- */

static void data_by_read(void **state)
{
	/* At the end, at a quiet point, and by the step that reads. */
	shows(FILE_A, DATA("read(2)", 0, -1, 4096, 4096, 3, 2, 4), 0, "right\n");
	shows(FILE_A, DATA("read(2)", 0, -1, 4096, 4096, 2, 3, 4), 1,
	      "BUG: a+0x1000 holds 'C' by read(2), 'B' was put there by pwrite\n");
	shows(FILE_A, DATA("read(2)", 0, -1, 4000, 200, 2, 3, 4), 1,
	      "BUG: a+0x1000 holds 'C' by read(2), 'B'");
	shows(FILE_A "* quiet\n0 truncate fd=0 size=0\n",
	      DATA("read(2)", 0, -1, 4096, 4096, 0, 3, 4), 1,
	      "BUG: a+0x1000 holds 'C' by read(2), zeroes have to be there\n");
	has(FILE_A "0 pread fd=0 off=0x800 len=0x1000\n",
	    DATA("read(2)", 0, -1, 4096, 8, 3, 2, 4),
	    "check(\"a\", 0x1000, seen + 0x800, 0x8, \"C\", \"read(2)\",");
	shows(FILE_A "0 pread fd=0 off=0x800 len=0x1000\n"
		     "0 truncate fd=0 size=0\n",
	      DATA("read(2)", 0, -1, 4096, 8, 3, 2, 4), 0, "right\n");
	shows(FILE_A "0 truncate fd=0 size=0\n"
		     "0 pread fd=0 off=0x800 len=0x1000\n",
	      DATA("read(2)", 0, -1, 4096, 8, 3, 2, 5), 0,
	      "r: a+0x1000: nothing to see by read(2)\nright\n");
	/* By name, where no slot has it open. */
	shows(FILE_A "0 close fd=0\n",
	      DATA("read(2)", -1, -1, 4096, 8, 3, 2, 5), 0, "right\n");
	shows(FILE_A "0 close fd=0\n",
	      DATA("read(2)", -1, -1, 4096, 8, 2, 3, 5), 1, "BUG: a+0x1000");
}

static void zeroes(void **state)
{
	const char *p = HEAD "0 open fd=0 name=a how=create\n"
			     "0 truncate fd=0 size=0x2000\n";

	shows(p, DATA("read(2)", 0, -1, 0, 8192, 0, -1, 3), 0, "right\n");
	shows(p, DATA("read(2)", 0, -1, 0, 8192, 1, 0, 3), 1,
	      "BUG: a+0 holds 0x00 by read(2), 'A' was put there by open\n");
}

static void data_by_mapping(void **state)
{
	shows(FILE_A MAP_A "0 store map=0 off=0 len=8\n",
	      DATA("a shared mapping", 0, 0, 4096, 8, 5, 3, 6), 0, "right\n");
	shows(FILE_A MAP_A "0 store map=0 off=0 len=8\n",
	      DATA("a shared mapping", 0, 0, 4096, 9, 5, 3, 6), 1,
	      "BUG: a+0x1008 holds 'C' by a shared mapping, 'E' was put there by store\n");
	shows(FILE_A MAP_A "0 load map=0 off=0x800 len=0x1000\n",
	      DATA("a shared mapping", 0, 0, 6144, 2048, 3, 2, 5), 0,
	      "right\n");
	shows(FILE_A MAP_A "0 load map=0 off=0x800 len=0x1000\n",
	      DATA("a shared mapping", 0, 0, 6144, 2049, 3, 2, 5), 1,
	      "BUG: a+0x2000 holds 'B'");
}

static void data_by_reference(void **state)
{
	const char *p = FILE_A MAP_A
		"0 vmsplice ref=1 map=0 off=0x1000 len=0x1000\n"
		"0 pread fd=0 off=0 len=0x1000\n";
	char *release;

	if (asprintf(&release, "%s0 release ref=1\n", p) < 0)
		fail();
	shows(release, DATA("a reference", 0, 0, 8192, 4096, 2, 3, 7), 0,
	      "right\n");
	shows(release, DATA("a reference", 0, 0, 8192, 4096, 3, 2, 7), 1,
	      "BUG: a+0x2000 holds 'B' by a reference, 'C'");
	free(release);
	/* Let go at the end. */
	shows(p, DATA("a reference", 0, 0, 8192, 4096, 2, 3, 7), 0, "right\n");
	shows(p, DATA("a reference", 0, 0, 8192, 4096, 3, 2, 7), 1, "BUG: ");
}

/* The right step's data, but of another place: letters would not tell. */
static void data_of_another_place(void **state)
{
	shows(FILE_A, DATA("read(2)", 0, -1, 4096, 4096, 3, 3, 4), 0,
	      "right\n");
	shows(FILE_A, "{\"kind\":\"data\",\"detail\":{\"file\":\"a\",\"fd\":0,"
		      "\"view\":\"read(2)\",\"off\":8192,\"len\":4096,"
		      "\"want_off\":8192,\"want_step\":2,\"got_step\":2,"
		      "\"step\":4}}", 0, "right\n");
	shows(FILE_A, "{\"kind\":\"data\",\"detail\":{\"file\":\"a\",\"fd\":0,"
		      "\"view\":\"read(2)\",\"off\":8192,\"len\":4096,"
		      "\"want_off\":0,\"want_step\":2,\"got_step\":2,"
		      "\"step\":4}}", 1,
	      "BUG: a+0x2004 holds 'B0002000' by read(2), not data 'B' from 0 on\n");
}

static void other_views(void **state)
{
	shows(FILE_A, DETAIL("\"view\":\"size\",\"fd\":0,\"file\":\"a\","
			     "\"len\":12288,\"step\":4"), 0, "right\n");
	shows(FILE_A, DETAIL("\"view\":\"size\",\"fd\":0,\"file\":\"a\","
			     "\"len\":12289,\"step\":4"), 1,
	      "BUG: a is 0x3000 bytes long, not 0x3001\n");
	shows(FILE_A "0 open fd=1 name=a how=rdonly\n0 truncate fd=1 size=0\n",
	      DETAIL("\"view\":\"error\",\"error\":22,\"step\":5"), 1,
	      "r: ftruncate(fd1, 0): Invalid argument\n"
	      "BUG: truncate fails: Invalid argument\n");
	shows(FILE_A "0 truncate fd=0 size=0\n",
	      DETAIL("\"view\":\"error\",\"error\":22,\"step\":4"), 0,
	      "right\n");
	shows(FILE_A "0 pread fd=0 off=0 len=0x4000\n",
	      DETAIL("\"view\":\"count\",\"count\":12288,\"step\":4"), 0,
	      "right\n");
	shows(FILE_A "0 pread fd=0 off=0 len=0x4000\n",
	      DETAIL("\"view\":\"count\",\"count\":16384,\"step\":4"), 1,
	      "BUG: pread gives not 0x4000 bytes\n");
}

static void sigbus(void **state)
{
	const char *p = FILE_A MAP_A "0 truncate fd=0 size=0x1000\n";

	shows(p, DETAIL("\"view\":\"SIGBUS\",\"file\":\"a\",\"map\":0,"
			"\"off\":4096,\"step\":6"), 1,
	      "r: memcpy(seen, p, len): Bus error\n"
	      "BUG: SIGBUS at a+0x1000, which is in the file\n");
	shows(FILE_A MAP_A, DETAIL("\"view\":\"SIGBUS\",\"file\":\"a\",\"map\":0,"
				   "\"off\":4096,\"step\":5"), 0, "right\n");
	shows(FILE_A MAP_A "0 truncate fd=0 size=0x1000\n"
			   "0 store map=0 off=0 len=1\n"
			   "0 load map=0 off=0 len=1\n",
	      DETAIL("\"view\":\"SIGBUS\",\"file\":\"a\",\"map\":0,"
		     "\"off\":4096,\"step\":6"), 1,
	      "r: fill(p, letter, len): Bus error\n");
}

/* What no step wrote can only come from blocks that were used before. */
static void old_data(void **state)
{
	shows(FILE_A "0 truncate fd=0 size=0x4000\n",
	      DATA("read(2)", 0, -1, 12288, 4096, 0, -1, 5), 0, "right\n");
	has(FILE_A, DATA("read(2)", 0, -1, 0, 8, 2, -1, 4),
	    "\tenter(dir);\n\n\tsoil();\n");
	has_not(FILE_A, DATA("read(2)", 0, -1, 0, 8, 2, 3, 4), "soil");
}

static void what_comes_after_is_left_out(void **state)
{
	has_not(FILE_A "* quiet\n0 truncate fd=0 size=0\n",
		DATA("read(2)", 0, -1, 4096, 8, 3, 2, 4), "ftruncate");
	has(FILE_A "* quiet\n0 truncate fd=0 size=0\n",
	    "{\"kind\":\"WARNING\",\"title\":\"t\"}", "ftruncate");
}

/* --- waiting --------------------------------------------------------------------- */

#define WAITING(what, step)                                                    \
	"{\"kind\":\"waiting\",\"title\":\"t\",\"detail\":{\"what\":\"" what   \
	"\",\"kind\":\"vmsplice\",\"step\":" #step "}}"
#define HELD FILE_A MAP_A "0 vmsplice ref=0 map=0 off=0 len=0x1000\n"

static void early(void **state)
{
	/* No filesystem without DAX waits. */
	shows(HELD "0 truncate fd=0 size=0\n", WAITING("early", 6), 1,
	      "BUG: truncate returned while the page was still held\n");
	/* A refusal frees nothing. */
	shows(HELD "0 open fd=1 name=a how=rdonly\n0 truncate fd=1 size=0\n",
	      WAITING("early", 7), 0,
	      "r: ftruncate(fd1, 0): Invalid argument\nright\n");
}

static void what_is_held_is_let_go(void **state)
{
	has(HELD "0 truncate fd=0 size=0\n", NULL,
	    "\tlet_go_after(300);\n"
	    "\tTRY(ftruncate(fd0, 0));\n"
	    "\tlet_go_done();\n"
	    "\tdrop(&ref[0]);\n");
	/* Names stay, so nothing is freed. */
	has_not(HELD "0 munmap map=0\n0 close fd=0\n", NULL, "let_go_after");
	has_not(HELD "0 release ref=0\n0 truncate fd=0 size=0\n", NULL,
		"let_go_after");
}

/* A step that takes away what it was held up by is not held up. */
static void obstacles(void **state)
{
	const char *p = FILE_A "0 freeze\n0 truncate fd=0 size=0\n"
			"0 pread fd=0 off=0 len=1\n0 thaw\n"
			"0 pread fd=0 off=0 len=1\n";

	has(p, NULL, "\tlet_go_after(300);\n"
		     "\tget(fd0, 0, 1);\n"
		     "\tlet_go_done();\n"
		     "\tthaw();\n"
		     "\tget(fd0, 0, 1);\n");
	/* A gate holds up what waits for references, and their end. */
	has(HELD "0 gate how=close\n0 pread fd=0 off=0 len=1\n"
		 "0 release ref=0\n0 truncate fd=0 size=0\n0 gate how=open\n",
	    NULL, "\tgate(1);\n"
		  "\tget(fd0, 0, 1);\n"
		  "\tlet_go_after(300);\n"
		  "\tdrop(&ref[0]);\n"
		  "\tlet_go_done();\n"
		  "\tlet_go_after(300);\n"
		  "\tTRY(ftruncate(fd0, 0));\n"
		  "\tlet_go_done();\n"
		  "\tgate(0);\n");
	/* It is undone at the end, and by other threads' steps. */
	has(FILE_A "0 freeze\n", NULL, "\tfreeze();\n\tthaw();\n");
	has(FILE_A "* quiet\n1 freeze\n0 pread fd=0 off=0 len=1\n", NULL,
	    "\tjoin_all(t, 2, 300);\n\tthaw();\n");
}

static void mappings_that_change(void **state)
{
	has(FILE_A MAP_A "0 mremap-move map=0 to=1 how=even\n"
			 "0 load map=1 off=0x1800 len=0x1000\n"
			 "0 munmap map=1\n", NULL,
	    "\tload(map1 + 0x1800, 0x800);\n"
	    "\tTRY(munmap(map1, 0x2000));\n");
}

static void stuck(void **state)
{
	has(HELD "0 truncate fd=0 size=0\n", WAITING("stuck", 6),
	    "\twatchdog(\"truncate does not return, though nothing is held,\");\n"
	    "\tlet_go_after(300);\n"
	    "\tTRY(ftruncate(fd0, 0));\n"
	    "\tlet_go_done();\n"
	    "\twatchdog_off();\n");
	shows(FILE_A "0 truncate fd=0 size=0\n", WAITING("spin", 4), 0,
	      "right\n");
	/* What hangs at the end. */
	has(HELD, WAITING("stuck", 0),
	    "\twatchdog(\"the end does not return, though nothing is held,\");\n"
	    "\tdrop(&ref[0]);\n");
	has(FILE_A, WAITING("lost", 5), "\tclose(fd0);\n\twatchdog_off();\n");
	shows(FILE_A, WAITING("stuck", 0), 0, "right\n");
	/* While something is held it may not return at all, but has to sleep. */
	has(HELD "0 truncate fd=0 size=0\n", WAITING("spin", 6),
	    "\tlet_go_after(3000);\n"
	    "\tTRY(ftruncate(fd0, 0));\n"
	    "\tlet_go_done();\n"
	    "\tmust_have_slept(\"truncate\", cpu);\n");
	shows(HELD "0 truncate fd=0 size=0\n", WAITING("spin", 6), 0,
	      "right\n");
}

/* --- threads ---------------------------------------------------------------------- */

#define TWO                                                                    \
	FILE_A MAP_A                                                           \
	"* quiet\n"                                                            \
	"0 store map=0 off=0 len=0x1000\n"                                     \
	"1 truncate fd=0 size=0x1000\n"                                        \
	"0 vmsplice ref=0 map=0 off=0 len=0x1000\n"                            \
	"1 munmap map=0\n"                                                     \
	"* quiet\n"                                                            \
	"1 open fd=0 name=a how=create\n"                                      \
	"1 truncate fd=0 size=0x2000\n"

static void threads(void **state)
{
	/* Whatever they meet, with five rounds. */
	char *c = c_of(TWO, NULL), out[2000];

	compile(c, "-g -fsanitize=address");
	assert_int_equal(command(out, sizeof(out), "%s/r %s 5 2>/dev/null", dir,
				 dir), 0);
	assert_string_equal(out, "Now look at dmesg.\n");
	free(c);
	/* The last page is always a zero page in the end. */
	shows(HEAD "0 open fd=0 name=a how=create\n"
		   "* quiet\n"
		   "0 pwrite fd=0 off=0 len=0x1000\n"
		   "1 truncate fd=0 size=0x2000\n"
		   "* quiet\n"
		   "0 pread fd=0 off=0 len=0x1000\n"
		   "1 pread fd=0 off=0x1000 len=0x1000\n",
	      DATA("read(2)", 0, -1, 4096, 4096, 0, 3, 8), 0, "right\n");
	shows(HEAD "0 open fd=0 name=a how=create\n"
		   "* quiet\n"
		   "0 pwrite fd=0 off=0 len=0x1000\n"
		   "1 pwrite fd=0 off=0x1000 len=0x2000\n",
	      DATA("read(2)", 0, -1, 4096, 4096, 3, 4, 5), 1,
	      "BUG: a+0x1000 holds 'D'");
}

static void threads_wait(void **state)
{
	const char *p = HELD "* quiet\n"
			     "0 truncate fd=0 size=0\n"
			     "1 pread fd=0 off=0 len=1\n";

	shows(p, WAITING("early", 7), 1,
	      "BUG: truncate returned while the page was still held\n");
	shows(HELD "0 release ref=0\n* quiet\n"
		   "0 truncate fd=0 size=0\n"
		   "1 pread fd=0 off=0 len=1\n", WAITING("early", 8), 0,
	      "right\n");
	has(p, WAITING("spin", 7), "\tjoin_all(t, 2, 3000);\n");
	/* What another thread unmapped or closed is not used any more. */
	has(HELD "* quiet\n0 munmap map=0\n1 close fd=0\n", NULL,
	    "\tTRY(munmap(map0, 0x2000));\n\tmap0 = NULL;\n");
	has(HELD "* quiet\n0 munmap map=0\n1 close fd=0\n", NULL,
	    "\tTRY(close(fd0));\n\tfd0 = -1;\n");
}

static void one_thread_needs_none(void **state)
{
	/* Whatever its number, and the header's. */
	has_not(HEAD "threads 4\n3 open fd=0 name=a how=create\n* quiet\n"
		     "3 close fd=0\n", NULL, "pthread");
}

/* Two that may both have been last: neither is wrong. */
static void races_are_no_bugs(void **state)
{
	has(HEAD "0 open fd=0 name=a how=create\n"
		 "* quiet\n"
		 "0 pwrite fd=0 off=0 len=0x1000\n"
		 "1 pwrite fd=0 off=0 len=0x1000\n"
		 "* quiet\n",
	    DATA("read(2)", 0, -1, 0, 4096, 3, -1, 5), "\"CD\"");
}

/* --- rounds, text of others --------------------------------------------------------- */

static void what_shows_seldom_is_tried_often(void **state)
{
	const char *seldom = "{\"kind\":\"kernel\",\"title\":\"t\","
			     "\"hits\":3,\"runs\":20,\"kernel\":\"6.1.0\"}";
	char *c = c_of(FILE_A, seldom);

	assert_non_null(strstr(c, " * Seen on Linux 6.1.0 in 3 of 20 runs.\n"));
	free(c);
	c = c_of(HEAD "0 gate\n0 gate how=open\n", NULL);
	assert_non_null(strstr(c, " *   modprobe -a dm-mod brd\n"));
	free(c);
	shows(FILE_A MAP_A, seldom, 0, "Now look at dmesg.\n");
	has(FILE_A, seldom, "rounds");
	has_not(FILE_A, "{\"hits\":20,\"runs\":20}", "rounds");
}

static void text_of_others_stays_text(void **state)
{
	char *c = c_of(FILE_A,
		       "{\"kind\":\"kernel\",\"title\":\"*/ #error 1 /*\","
		       "\"text\":\"*/\\n#error 2\\n/* \\u0007 */ \\n\\n*/\","
		       "\"kernel\":\"*/ #error 3\"}");

	compile(c, "");
	assert_non_null(strstr(c, "#error 2"));
	assert_null(strchr(c, '\a'));
	free(c);
	/* A view is a string in C. */
	has_not(FILE_A, DATA("x\\\");abort();//", 0, -1, 0, 8, 2, 3, 4),
		"abort");
	has_not(FILE_A, DETAIL("\"view\":\"read(2)\",\"file\":\"\\\"+\","
			       "\"fd\":77,\"map\":-5,\"off\":-1,\"len\":-1,"
			       "\"want_step\":99,\"got_step\":-99,\"step\":4"),
		"+1");
}

/* --- all operations, and what the generator makes of them ---------------------------- */

/* Each once, with every word of every argument, where all slots are filled. */
static void all_operations(void **state)
{
	char text[2000], line[400];
	size_t n;
	const struct op *const *all = ops_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct step s = { .op = all[i], .thread = 0, .nr = 1 };
		unsigned int words = 1;

		for (unsigned int w = 0; w < words; w++) {
			for (unsigned int a = 0; a < op_nr_args(all[i]); a++) {
				const struct op_arg *arg = &all[i]->args[a];
				unsigned int nr = 0;

				while (arg->words && arg->words[nr])
					nr++;
				words = nr > words ? nr : words;
				s.arg[a] = nr ? w % nr :
					   arg->type == ARG_LEN ? 0x1000 :
					   arg->fresh ? 5 : 0;
			}
			snprintf(text, sizeof(text), FILE_A MAP_A
				 "0 open fd=1 name=b how=create\n"
				 "0 vmsplice ref=0 map=0 off=0 len=0x1000\n"
				 "%s\n0 pwrite fd=0 off=0 len=1\n",
				 step_print(&s, line, sizeof(line)));
			compile_only(text);
		}
	}
	compile_all();
}

static void what_is_generated_compiles(void **state)
{
	static const char *const fs[] = { "xfs", "ext4", "devdax" };

	for (unsigned int i = 0; i < 200; i++) {
		struct gen_opts o = { .seed = 4711, .index = i,
				      .fs = fs[i % 3], .threads = 1 + i % 4 };
		struct prog p;
		char *text;

		gen_program(&o, &p);
		text = prog_print(&p);
		compile_only(text);
		free(text);
		prog_free(&p);
	}
	compile_all();
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return command(NULL, 0, "rm -rf %s", dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(steps_are_calls),
		cmocka_unit_test(what_fails_is_said),
		cmocka_unit_test(empty_slots_are_left_out),
		cmocka_unit_test(lengths_end_with_the_mapping),
		cmocka_unit_test(quiet_looks_at_all),
		cmocka_unit_test(data_by_read),
		cmocka_unit_test(zeroes),
		cmocka_unit_test(data_by_mapping),
		cmocka_unit_test(data_by_reference),
		cmocka_unit_test(data_of_another_place),
		cmocka_unit_test(other_views),
		cmocka_unit_test(sigbus),
		cmocka_unit_test(old_data),
		cmocka_unit_test(what_comes_after_is_left_out),
		cmocka_unit_test(early),
		cmocka_unit_test(what_is_held_is_let_go),
		cmocka_unit_test(obstacles),
		cmocka_unit_test(mappings_that_change),
		cmocka_unit_test(stuck),
		cmocka_unit_test(threads),
		cmocka_unit_test(threads_wait),
		cmocka_unit_test(one_thread_needs_none),
		cmocka_unit_test(races_are_no_bugs),
		cmocka_unit_test(what_shows_seldom_is_tried_often),
		cmocka_unit_test(text_of_others_stays_text),
		cmocka_unit_test(all_operations),
		cmocka_unit_test(what_is_generated_compiles),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prog-emit", tests, make_dir,
					   remove_dir);
}
