// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pieces of C that reproducers are made of. Each is there for whoever reads
 * it in a mail: short, with its reason, and only when it is used.
 */
#include "emit.h"

/* --- calls, and what they read --------------------------------------------- */

C_HELPER(
	try,
	.name = "TRY",
	.text = "/* What fails is said, and no more: the next step comes all the same. */\n"
		"static $thread long ret;\n"
		"#define TRY(call) \\\n"
		"\t(ret = (long)(call), ret == -1 ? warn(\"%s\", #call) : (void)0)\n",
);

C_HELPER(
	seen,
	.name = "seen",
	.text = "/* Whatever reads puts it here. */\n"
		"static $thread char seen[$largest];\n"
		"static $thread ssize_t nr_seen;\n",
);

C_HELPER(
	saw,
	.name = "SAW",
	.uses = "TRY seen",
	.text = "#define SAW(call) TRY(nr_seen = (call))\n",
);

C_HELPER(
	fill,
	.name = "fill",
	.text = "static void fill(char *p, char letter, size_t len)\n"
		"{\n"
		"\tmemset(p, letter, len);\n"
		"}\n",
);

/* Takes the place of fill() where a step's own data is at the wrong place. */
C_HELPER(
	fill_places,
	.name = "fill_places",
	.text = "/* Each 8 bytes tell their place in the step's data: \"C0000010\". */\n"
		"static char letter_at(char letter, size_t at)\n"
		"{\n"
		"\tchar word[32];\n"
		"\n"
		"\tsnprintf(word, sizeof(word), \"%c%07zx\", letter, at / 8 * 8);\n"
		"\treturn word[at % 8];\n"
		"}\n"
		"\n"
		"static void fill(char *p, char letter, size_t len)\n"
		"{\n"
		"\tfor (size_t i = 0; i < len; i++)\n"
		"\t\tp[i] = letter_at(letter, i);\n"
		"}\n",
);

C_HELPER(
	put,
	.name = "put",
	.uses = "TRY fill",
	.text = "static void put(int fd, char letter, off_t off, size_t len)\n"
		"{\n"
		"\tchar *buf = malloc(len);\n"
		"\n"
		"\tfill(buf, letter, len);\n"
		"\tTRY(pwrite(fd, buf, len, off));\n"
		"\tfree(buf);\n"
		"}\n",
);

C_HELPER(
	get,
	.name = "get",
	.uses = "SAW",
	.text = "static void get(int fd, off_t off, size_t len)\n"
		"{\n"
		"\tSAW(pread(fd, seen, len < sizeof(seen) ? len : sizeof(seen), off));\n"
		"}\n",
);

C_HELPER(
	look_at,
	.name = "look_at",
	.uses = "seen",
	.text = "/* Read all of it. */\n"
		"static void look_at(int fd)\n"
		"{\n"
		"\toff_t off = 0;\n"
		"\n"
		"\twhile ((nr_seen = pread(fd, seen, sizeof(seen), off)) > 0)\n"
		"\t\toff += nr_seen;\n"
		"}\n",
);

C_HELPER(
	aligned,
	.name = "aligned",
	.text = "/* Memory for direct I/O. */\n"
		"static char *aligned(size_t len)\n"
		"{\n"
		"\tstatic $thread char *buf;\n"
		"\tsize_t size = len > $largest ? len : $largest;\n"
		"\n"
		"\tif (!buf && posix_memalign((void **)&buf, 4096, size))\n"
		"\t\terrx(2, \"no memory\");\n"
		"\treturn buf;\n"
		"}\n",
);

/* --- mappings --------------------------------------------------------------- */

C_HELPER(
	survive,
	.name = "SURVIVE",
	.uses = "<setjmp.h>",
	.text = "/* An access to a mapping may give SIGBUS: that is said, too. */\n"
		"static $thread sigjmp_buf jump;\n"
		"static $thread volatile int careful, fault;\n"
		"\n"
		"static void on_fault(int sig)\n"
		"{\n"
		"\tif (careful)\n"
		"\t\tsiglongjmp(jump, sig);\n"
		"\tsignal(sig, SIG_DFL);\n"
		"}\n"
		"\n"
		"#define SURVIVE(access) do {\t\t\t\t\t\\\n"
		"\t\tsignal(SIGBUS, on_fault);\t\t\t\\\n"
		"\t\tsignal(SIGSEGV, on_fault);\t\t\t\\\n"
		"\t\tfault = sigsetjmp(jump, 1);\t\t\t\\\n"
		"\t\tcareful = !fault;\t\t\t\t\\\n"
		"\t\tif (fault)\t\t\t\t\t\\\n"
		"\t\t\twarnx(\"%s: %s\", #access, strsignal(fault)); \\\n"
		"\t\telse\t\t\t\t\t\t\\\n"
		"\t\t\taccess;\t\t\t\t\t\\\n"
		"\t\tcareful = 0;\t\t\t\t\t\\\n"
		"\t} while (0)\n",
);

C_HELPER(
	store,
	.name = "store",
	.uses = "SURVIVE fill",
	.text = "static void store(char *p, char letter, size_t len)\n"
		"{\n"
		"\tSURVIVE(fill(p, letter, len));\n"
		"}\n",
);

C_HELPER(
	load,
	.name = "load",
	.uses = "SURVIVE seen",
	.text = "static void load(const char *p, size_t len)\n"
		"{\n"
		"\tlen = len < sizeof(seen) ? len : sizeof(seen);\n"
		"\tnr_seen = 0;\n"
		"\tSURVIVE(memcpy(seen, p, len));\n"
		"\tif (!fault)\n"
		"\t\tnr_seen = len;\n"
		"}\n",
);

C_HELPER(
	touch,
	.name = "touch",
	.uses = "SURVIVE",
	.text = "static void load_each(const volatile char *p, size_t len)\n"
		"{\n"
		"\tfor (size_t i = 0; i < len; i += 4096)\n"
		"\t\t(void)p[i];\n"
		"}\n"
		"\n"
		"/* A load of each page. */\n"
		"static void touch(const char *p, size_t len)\n"
		"{\n"
		"\tSURVIVE(load_each(p, len));\n"
		"}\n",
);

C_HELPER(
	map_aligned,
	.name = "map_aligned",
	.text = "/* mmap() at an address that is as far behind a multiple of 2 MiB as @off is,\n"
		" * so that huge pages fit. */\n"
		"static char *map_aligned(int fd, off_t off, size_t len, int prot, int flags)\n"
		"{\n"
		"\tsize_t huge = 2 << 20;\n"
		"\tchar *p = mmap(NULL, len + 2 * huge, PROT_NONE,\n"
		"\t\t       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
		"\n"
		"\tif (p == MAP_FAILED)\n"
		"\t\treturn p;\n"
		"\tp += -(unsigned long)p % huge + off % huge;\n"
		"\treturn mmap(p, len, prot, flags | MAP_FIXED, fd, off);\n"
		"}\n",
);

/* --- references ---------------------------------------------------------------- */

C_HELPER(
	ref,
	.name = "ref",
	.text = "/* What holds references on pages, until it is dropped. */\n"
		"static struct ref {\n"
		"\tvoid (*drop)(struct ref *r);\t/* NULL: it holds nothing */\n"
		"\tint fd[4];\n"
		"\tvoid *p;\n"
		"\tsize_t len;\n"
		"\tunsigned long n;\n"
		"} ref[$refs];\n",
);

C_HELPER(
	drop,
	.name = "drop",
	.uses = "ref",
	.text = "static void drop(struct ref *r)\n"
		"{\n"
		"\tvoid (*fn)(struct ref *r) =\n"
		"\t\t__atomic_exchange_n(&r->drop, NULL, __ATOMIC_ACQ_REL);\n"
		"\n"
		"\tif (fn)\n"
		"\t\tfn(r);\n"
		"}\n",
);

C_HELPER(
	drop_pipe,
	.name = "drop_pipe",
	.uses = "ref SAW",
	.text = "static void drop_pipe(struct ref *r)\n"
		"{\n"
		"\tSAW(read(r->fd[0], seen, sizeof(seen)));\n"
		"\tclose(r->fd[0]);\n"
		"\tclose(r->fd[1]);\n"
		"}\n",
);

C_HELPER(
	hold,
	.name = "hold",
	.uses = "drop_pipe <sys/uio.h>",
	.text = "/* The pages that vmsplice() put into a pipe are referenced until they are read\n"
		" * from it, whatever becomes of the mapping. */\n"
		"static void hold(struct ref *r, char *p, size_t len)\n"
		"{\n"
		"\tstruct iovec iov = { p, len };\n"
		"\n"
		"\tTRY(pipe(r->fd));\n"
		"\tTRY(vmsplice(r->fd[1], &iov, 1, SPLICE_F_NONBLOCK));\n"
		"\tr->len = len;\n"
		"\tif (ret > 0)\n"
		"\t\tr->drop = drop_pipe;\n"
		"}\n",
);

C_HELPER(
	let_go_all,
	.name = "let_go_all",
	.text = "static void let_go_all(void)\n"
		"{\n"
		"$letgo"
		"}\n",
);

C_HELPER(
	let_go,
	.name = "let_go_after",
	.uses = "let_go_all <pthread.h>",
	.text = "static pthread_t waiter;\n"
		"static volatile int over;\n"
		"\n"
		"static void *let_go(void *ms)\n"
		"{\n"
		"\tfor (long left = (long)ms; left > 0 && !over; left -= 10)\n"
		"\t\tusleep(10000);\n"
		"\tif (!over)\n"
		"\t\tlet_go_all();\n"
		"\treturn NULL;\n"
		"}\n"
		"\n"
		"/* The next call may have to wait for what is held. If it does, another thread\n"
		" * lets all of it go after @ms, so that the call can end. */\n"
		"static void let_go_after(long ms)\n"
		"{\n"
		"\tover = 0;\n"
		"\tpthread_create(&waiter, NULL, let_go, (void *)ms);\n"
		"}\n"
		"\n"
		"static void let_go_done(void)\n"
		"{\n"
		"\tover = 1;\n"
		"\tpthread_join(waiter, NULL);\n"
		"}\n",
);

C_HELPER(
	join_all,
	.name = "join_all",
	.uses = "let_go_all <pthread.h>",
	.text = "/* Until all have ended. Somebody may wait for what is held: every @ms all of it\n"
		" * is let go. */\n"
		"static void join_all(pthread_t *t, int n, int ms)\n"
		"{\n"
		"\tint waited = 0;\n"
		"\n"
		"\twhile (n) {\n"
		"\t\tif (!pthread_tryjoin_np(t[n - 1], NULL)) {\n"
		"\t\t\tn--;\n"
		"\t\t\tcontinue;\n"
		"\t\t}\n"
		"\t\tusleep(10000);\n"
		"\t\twaited += 10;\n"
		"\t\tif (waited % ms == 0)\n"
		"\t\t\tlet_go_all();\n"
		"\t}\n"
		"}\n",
);

/* --- below the files ----------------------------------------------------------------- */

#define LEAVE                                                                  \
	"static void leave(void)\n"                                            \
	"{\n"                                                                  \
	"\tDIR *d = opendir(folder);\n"                                        \
	"\tstruct dirent *e;\n"                                                \
	"\n"                                                                   \
	"\t/* In the order of the folder, as rm -r does. */\n"                 \
	"\twhile (d && (e = readdir(d)))\n"                                    \
	"\t\tunlinkat(dirfd(d), e->d_name, 0);\n"                              \
	"\tif (d)\n"                                                           \
	"\t\tclosedir(d);\n"                                                   \
	"\tif (chdir(\"/\") < 0 || rmdir(folder) < 0)\n"                       \
	"\t\twarn(\"cannot remove %s\", folder);\n"                            \
	"}\n"

C_HELPER(
	enter,
	.name = "enter",
	.uses = "<dirent.h>",
	.text = "static char folder[5000];\n"
		"\n"
		"static void enter(const char *dir)\n"
		"{\n"
		"\tsnprintf(folder, sizeof(folder), \"%s/reproducer-%d\", dir, getpid());\n"
		"\tif (mkdir(folder, 0700) < 0 || chdir(folder) < 0)\n"
		"\t\terr(2, \"cannot make the folder %s\", folder);\n"
		"}\n"
		"\n" LEAVE,
);

C_HELPER(
	enter_device,
	.name = "enter_device",
	.uses = "<dirent.h>",
	.text = "static char folder[64];\n"
		"\n"
		"/* The device is \"a\", and its first 8 MiB are zeroes. */\n"
		"static void enter(const char *device)\n"
		"{\n"
		"\tint fd = open(device, O_RDWR);\n"
		"\tchar *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);\n"
		"\n"
		"\tif (p == MAP_FAILED)\n"
		"\t\terr(2, \"cannot map %s\", device);\n"
		"\tmemset(p, 0, 8 << 20);\n"
		"\tmunmap(p, 8 << 20);\n"
		"\tclose(fd);\n"
		"\tsnprintf(folder, sizeof(folder), \"/tmp/reproducer-%d\", getpid());\n"
		"\tif (mkdir(folder, 0700) < 0)\n"
		"\t\terr(2, \"cannot make the folder %s\", folder);\n"
		"\tif (chdir(folder) < 0 || symlink(device, \"a\") < 0)\n"
		"\t\terr(2, \"cannot enter %s\", folder);\n"
		"}\n"
		"\n" LEAVE,
);

C_HELPER(
	leave_folder,
	.name = "leave_folder",
	.uses = "TRY <mntent.h>",
	.text = "/* What is mounted where the folder is. */\n"
		"static char here[4096], mnt[4096], dev[4096], fstype[64];\n"
		"\n"
		"static void leave_folder(void)\n"
		"{\n"
		"\tFILE *f = setmntent(\"/proc/self/mounts\", \"r\");\n"
		"\tstruct mntent *m;\n"
		"\n"
		"\tif (!f || !getcwd(here, sizeof(here)))\n"
		"\t\terr(2, \"cannot tell what is mounted\");\n"
		"\twhile ((m = getmntent(f))) {\n"
		"\t\tsize_t n = strlen(m->mnt_dir);\n"
		"\n"
		"\t\tif (n < strlen(mnt) || strncmp(m->mnt_dir, here, n) != 0)\n"
		"\t\t\tcontinue;\n"
		"\t\tsnprintf(mnt, sizeof(mnt), \"%s\", m->mnt_dir);\n"
		"\t\tsnprintf(dev, sizeof(dev), \"%s\", m->mnt_fsname);\n"
		"\t\tsnprintf(fstype, sizeof(fstype), \"%s\", m->mnt_type);\n"
		"\t}\n"
		"\tendmntent(f);\n"
		"\tTRY(chdir(\"/\"));\n"
		"}\n",
);

C_HELPER(
	enter_folder,
	.name = "enter_folder",
	.uses = "leave_folder",
	.text = "static void enter_folder(void)\n"
		"{\n"
		"\tif (chdir(here) < 0)\n"
		"\t\terr(2, \"%s\", here);\n"
		"}\n",
);
