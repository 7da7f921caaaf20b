// SPDX-License-Identifier: GPL-2.0-or-later
/* The pieces of C that show a finding: checks of data, and of waiting. */
#include "emit.h"

C_HELPER(
	is_held,
	.name = "is_held",
	.uses = "ref",
	.text = "static int is_held(void)\n"
		"{\n"
		"\treturn $held;\n"
		"}\n",
);

C_HELPER(
	must_have_waited,
	.name = "must_have_waited",
	.uses = "TRY is_held bug",
	.text = "static void must_have_waited(const char *call)\n"
		"{\n"
		"\tif (ret != -1 && is_held())\n"
		"\t\tbug = printf(\"BUG: %s returned while the page was still held\\n\",\n"
		"\t\t\t     call);\n"
		"}\n",
);

C_HELPER(
	must_have_slept,
	.name = "must_have_slept",
	.uses = "bug <time.h>",
	.text = "static double cpu_time(void)\n"
		"{\n"
		"\tstruct timespec ts;\n"
		"\n"
		"\tclock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);\n"
		"\treturn ts.tv_sec + ts.tv_nsec / 1e9;\n"
		"}\n"
		"\n"
		"static void must_have_slept(const char *call, double since)\n"
		"{\n"
		"\tif (cpu_time() - since > 1)\n"
		"\t\tbug = printf(\"BUG: %s used %.1f s of CPU time where it had to sleep\\n\",\n"
		"\t\t\t     call, cpu_time() - since);\n"
		"}\n",
);

C_HELPER(
	watchdog,
	.name = "watchdog",
	.uses = "<pthread.h>",
	.text = "static volatile int came_back;\n"
		"static pthread_t dog;\n"
		"\n"
		"static void *watch(void *what)\n"
		"{\n"
		"\tfor (int ms = 0; ms < 10000 && !came_back; ms += 10)\n"
		"\t\tusleep(10000);\n"
		"\tif (!came_back) {\n"
		"\t\tprintf(\"BUG: %s for 10 s\\n\", (char *)what);\n"
		"\t\tfflush(stdout);\n"
		"\t\t_exit(1);\n"
		"\t}\n"
		"\treturn NULL;\n"
		"}\n"
		"\n"
		"static void watchdog(char *what)\n"
		"{\n"
		"\tcame_back = 0;\n"
		"\tpthread_create(&dog, NULL, watch, what);\n"
		"}\n"
		"\n"
		"static void watchdog_off(void)\n"
		"{\n"
		"\tcame_back = 1;\n"
		"\tpthread_join(dog, NULL);\n"
		"}\n",
);

C_HELPER(
	soil,
	.name = "soil",
	.uses = "TRY",
	.text = "/* Free blocks have old data in them, as those of a used disk have. */\n"
		"static void soil(void)\n"
		"{\n"
		"\tstatic char old[1 << 20];\n"
		"\tint fd = open(\"old\", O_RDWR | O_CREAT, 0600);\n"
		"\n"
		"\tmemset(old, '#', sizeof(old));\n"
		"\tfor (int mb = 0; mb < 64; mb++)\n"
		"\t\tTRY(write(fd, old, sizeof(old)));\n"
		"\tTRY(fsync(fd));\n"
		"\t/* At once: what an unlink frees may be free later. */\n"
		"\tTRY(ftruncate(fd, 0));\n"
		"\tclose(fd);\n"
		"\tunlink(\"old\");\n"
		"\tsync();\n"
		"}\n",
);

C_HELPER(
	bug,
	.name = "bug",
	.text = "static int bug;\n",
);

C_HELPER(
	check,
	.name = "check",
	.uses = "bug seen",
	.text = "/* BUG unless each of the bytes is one of @may, in which '.' is a zero byte. */\n"
		"static void check(const char *file, unsigned long long off, const char *got,\n"
		"\t\t  size_t len, const char *may, const char *view, const char *why)\n"
		"{\n"
		"\tfor (size_t i = 0; i < len; i++) {\n"
		"\t\tunsigned char c = got[i];\n"
		"\n"
		"\t\tif (got + i - seen >= nr_seen) {\n"
		"\t\t\twarnx(\"%s+%#llx: nothing to see by %s\", file, off + i, view);\n"
		"\t\t\treturn;\n"
		"\t\t}\n"
		"\t\tif (strchr(may, c ? c : '.'))\n"
		"\t\t\tcontinue;\n"
		"\t\tbug = printf(c > ' ' && c < 127 ?\n"
		"\t\t\t     \"BUG: %s+%#llx holds '%c' by %s, %s\\n\" :\n"
		"\t\t\t     \"BUG: %s+%#llx holds 0x%02x by %s, %s\\n\",\n"
		"\t\t\t     file, off + i, c, view, why);\n"
		"\t\treturn;\n"
		"\t}\n"
		"}\n",
);

C_HELPER(
	check_places,
	.name = "check_places",
	.uses = "bug seen fill_places",
	.text = "/* BUG unless it is the data of step @letter from place @at on. */\n"
		"static void check_places(const char *file, unsigned long long off,\n"
		"\t\t\t const char *got, size_t len, char letter, size_t at,\n"
		"\t\t\t const char *view)\n"
		"{\n"
		"\tfor (size_t i = 0; i < len; i++) {\n"
		"\t\tif (got + i - seen >= nr_seen) {\n"
		"\t\t\twarnx(\"%s+%#llx: nothing to see by %s\", file, off + i, view);\n"
		"\t\t\treturn;\n"
		"\t\t}\n"
		"\t\tif (got[i] == letter_at(letter, at + i))\n"
		"\t\t\tcontinue;\n"
		"\t\tbug = printf(\"BUG: %s+%#llx holds '%.8s' by %s, not data '%c' from %#zx on\\n\",\n"
		"\t\t\t     file, off + i, got + i / 8 * 8, view, letter,\n"
		"\t\t\t     at + i / 8 * 8);\n"
		"\t\treturn;\n"
		"\t}\n"
		"}\n",
);

C_HELPER(
	check_size,
	.name = "check_size",
	.uses = "bug",
	.text = "static void check_size(const char *file, int fd, long long size)\n"
		"{\n"
		"\tstruct stat st;\n"
		"\n"
		"\tif (fstat(fd, &st) == 0 && st.st_size != size)\n"
		"\t\tbug = printf(\"BUG: %s is %#llx bytes long, not %#llx\\n\", file,\n"
		"\t\t\t     (long long)st.st_size, size);\n"
		"}\n",
);
