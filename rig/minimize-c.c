// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reproducer: a C program that shows the finding without rig, proven by
 * running it in `rig shell`'s guest, as whoever reads it would.
 */
#include "minimize.h"
#include "cache.h"
#include "finding.h"
#include "proc.h"
#include "scan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Seconds that one run of it may take, with all its rounds, and booting. */
#define RUN_LIMIT 300
#define BOOT_LIMIT 900

/* --- made --------------------------------------------------------------------- */

/* A file that holds @text and has no name, at its beginning. */
static int text_fd(const char *text)
{
	_close_ int fd = memfd_create("rig-text", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : write_all(fd, text, strlen(text));

	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	return err ? err : take_fd(fd);
}

int c_make(const char *path, const char *text, struct json_object *finding,
	   char **why)
{
	struct json_object *o = json_object_new_object();
	_free_ char *agent = data_path("rig-agent");
	_buf_ struct buf out = {}, words = {};
	_close_ int in = -1;
	int ret;

	*why = NULL;
	json_object_object_add(o, "program", json_object_new_string(text));
	json_object_object_add(o, "finding", json_object_get(finding));
	in = text_fd(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	if (in < 0)
		return in;
	ret = proc_read((char *[]){ agent, "--reproducer", NULL },
			&(struct proc_opts){ .in = in }, &out, &words, 30);
	if (ret == 0 && out.len)
		return write_file(path, out.data, out.len);
	if (words.len)
		*why = printable(words.data, strcspn(words.data, "\n"), false);
	return ret < 0 ? ret : -EPROTO;
}

int c_compile(const char *source, const char *program, const char *log)
{
	_close_ int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0666);
	char *argv[] = { "cc", "-O1", "-o", (char *)program, (char *)source,
			 NULL };
	int ret;

	if (fd < 0)
		return -errno;
	ret = proc_run(argv, NULL, fd, 60);
	return ret > 0 ? 1 : ret;
}

/* --- run ---------------------------------------------------------------------- */

/* Data in multiples of 2 MiB, as the agent has it; the log of a filesystem on a
 * small device has to be given a size. */
static const struct {
	const char *fs, *mkfs;
} filesystems[] = {
	{ "xfs", "mkfs.xfs -q -f -m reflink=1,rmapbt=1 -d su=2m,sw=1,agcount=4 -l size=64m" },
	{ "ext4", "mkfs.ext4 -q -F -b 4096 -E stride=512,stripe_width=512" },
};

/* What is said goes through the kernel log: it keeps its order there. */
static const char head[] =
	"say() { echo \"rig: $*\" >/dev/kmsg; }\n"
	"while read -r d m rest; do\n"
	"	[ \"$m\" = /mnt/0 ] && dev=$d\n"
	"done </proc/mounts\n";

static const char body[] =
	"	echo 1 2>/dev/null >/sys/kernel/debug/clear_warn_once\n"
	"	timeout -s KILL %d /root/%s %s >/tmp/said 2>&1\n"
	"	code=$?\n"
	"	grep '^BUG:' /tmp/said | head -n 4 | while read -r line; do\n"
	"		say \"said $line\"\n"
	"	done\n"
	"	say \"run-$i exits $code\"\n";

char *c_script(const struct c_shown *c, unsigned int runs)
{
	const char *slash = strrchr(c->program, '/');
	const char *name = slash ? slash + 1 : c->program, *mkfs = NULL;
	struct buf b = {};

	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		if (strcmp(filesystems[i].fs, c->fs) == 0)
			mkfs = filesystems[i].mkfs;
	buf_addf(&b, "%s", head);
	if (mkfs)
		buf_addf(&b, "cd /\numount /mnt/0\n");
	else
		buf_addf(&b, "for dev in /dev/dax*; do :; done\n");
	buf_addf(&b, "i=0\nwhile [ $i -lt %u ]; do\n", runs);
	if (mkfs)
		buf_addf(&b, "	%s $dev && mount -o dax=always $dev /mnt/0 || exit\n",
			 mkfs);
	buf_addf(&b, "	say begin run-$i\n");
	buf_addf(&b, body, RUN_LIMIT, name, mkfs ? "/mnt/0" : "$dev");
	if (mkfs)
		buf_addf(&b, "	umount /mnt/0\n");
	buf_addf(&b, "	say end run-$i\n	i=$((i + 1))\ndone\n");
	return b.data;
}

/* Where the kernel log has "rig: @what@nr", from byte @from on; -1. */
static ssize_t find_mark(const char *said, size_t len, size_t from,
			 const char *what, unsigned int nr)
{
	_free_ char *mark = xstrfmt("rig: %s%u", what, nr);
	size_t n = strlen(mark);

	while (from < len) {
		const char *p = memmem(said + from, len - from, mark, n);

		if (!p)
			break;
		from = p - said + n;
		/* Not 10, when it is 1. */
		if (from == len || !isdigit((unsigned char)said[from]))
			return p - said;
	}
	return -1;
}

/* Run @i ended with exit code 1 and had said BUG. */
static bool says_bug(const char *said, size_t len, unsigned int i)
{
	ssize_t from = find_mark(said, len, 0, "begin run-", i), to;
	_free_ char *ends = xstrfmt("run-%u exits ", i);

	if (from < 0)
		return false;
	to = find_mark(said, len, from, ends, 1);
	return to >= 0 && memmem(said + from, to - from, "rig: said BUG:", 14);
}

unsigned int c_read(const struct c_shown *c, const char *said, size_t len,
		    unsigned int runs, bool *hit)
{
	_kreports_ struct kreports rep = {};
	_findings_ struct findings fs = {};
	const struct finding *f = NULL;
	unsigned int begun = 0;

	if (c->fingerprint) {
		scan_console(said, len, 0, &rep);
		scan_to_findings(&rep, 0, &fs);
		f = findings_find(&fs, c->fingerprint);
	}
	for (unsigned int i = 0; i < runs; i++) {
		_free_ char *name = xstrfmt("run-%u", i);

		if (find_mark(said, len, 0, "begin run-", i) < 0)
			break;
		begun++;
		hit[i] = c->fingerprint ? f && strv_has(&f->cases, name) :
					  says_bug(said, len, i);
	}
	return begun;
}

/* One boot. As c_try(). */
static int try_once(const struct c_shown *c, unsigned int runs, bool *hit,
		    int nr)
{
	_free_ char *script = c_script(c, runs);
	_free_ char *dir = xstrfmt("%s/shell-%d", c->dir, nr);
	_buf_ struct buf said = {}, words = {};
	_close_ int in = text_fd(script);
	_strv_ struct strv argv = {};
	size_t len;
	int ret;

	if (in < 0)
		return in;
	strv_push(&argv, "/proc/self/exe");
	strv_push(&argv, "shell");
	for (size_t i = 0; i < c->rig.n; i++)
		strv_push(&argv, c->rig.v[i]);
	strv_pushf(&argv, "--rundir=%s", dir);
	strv_pushf(&argv, "--add=%s", c->program);
	ret = proc_read(argv.v, &(struct proc_opts){ .in = in }, &said, &words,
			BOOT_LIMIT + (double)runs * RUN_LIMIT);
	if (ret == -EINTR)
		return ret;
	/* However it ended: what it had said by then is told, and kept with
	 * what rig itself had to say. */
	len = said.len;
	buf_addf(&said, "%s", words.len ? words.data : "");
	ret = write_file(c->log, said.data, said.len);
	return ret ? ret : (int)c_read(c, said.data, len, runs, hit);
}

int c_try(const struct c_shown *c, unsigned int runs, bool *hit)
{
	int ret = 0;

	/* A busy host may fail to boot one. */
	for (int nr = 0, boots = 0; !ret && boots < 2; nr++) {
		_free_ char *dir = xstrfmt("%s/shell-%d", c->dir, nr);

		if (path_exists(dir))
			continue;
		ret = try_once(c, runs, hit, nr);
		boots++;
	}
	return ret;
}
