// SPDX-License-Identifier: GPL-2.0-or-later
/* The C program's runs in a guest: the script that makes them, and what the
 * guest's log tells of each. */
#include "rig/finding.h"
#include "rig/minimize.h"
#include "rig/proc.h"
#include "rig/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static const char a_warning[] =
	"[    5.100000] ------------[ cut here ]------------\r\n"
	"[    5.100000] WARNING: CPU: 0 PID: 99 at fs/dax.c:404 dax_thing+0x1/0x2\r\n"
	"[    5.100000] Call Trace:\r\n"
	"[    5.100000]  <TASK>\r\n"
	"[    5.100000]  dax_thing+0x1/0x2\r\n"
	"[    5.100000]  </TASK>\r\n"
	"[    5.100000] ---[ end trace 0000000000000000 ]---\r\n";

static const char *fingerprint(void)
{
	static char fp[17];
	_kreports_ struct kreports rep = {};
	_findings_ struct findings fs = {};

	scan_console(a_warning, strlen(a_warning), 0, &rep);
	scan_to_findings(&rep, 0, &fs);
	assert_int_equal(fs.n, 1);
	strcpy(fp, fs.v[0].fingerprint);
	return fp;
}

/* @want: '+' and '-', a run each. */
static void reads(const char *fp, const char *said, const char *want)
{
	struct c_shown c = { .fingerprint = fp };
	bool hit[12] = {};
	char got[13] = {};
	unsigned int n = c_read(&c, said, strlen(said), 12, hit);

	for (unsigned int i = 0; i < n; i++)
		got[i] = hit[i] ? '+' : '-';
	assert_string_equal(got, want);
}

static void a_report_counts_for_the_run_it_came_in(void **state)
{
	_free_ char *said = xstrfmt("booted\r\n%s[    4.000000] rig: begin run-0\r\n"
				    "[    4.100000] rig: run-0 exits 0\r\n"
				    "[    4.200000] rig: end run-0\r\n"
				    "[    5.000000] rig: begin run-1\r\n%s"
				    "[    5.200000] rig: run-1 exits 0\r\n"
				    "[    5.300000] rig: end run-1\r\n"
				    "[    6.000000] rig: begin run-2\r\n", a_warning,
				    a_warning);

	reads(fingerprint(), said, "-+-");
	reads("0123456789abcdef", said, "---");
	reads(fingerprint(), "", "");
	reads(fingerprint(), "no guest came up", "");
}

static void a_bug_that_is_said_counts_when_the_exit_code_says_so(void **state)
{
	reads(NULL, "rig: begin run-0\r\nrig: said BUG: page 3 is stale\r\n"
		    "rig: run-0 exits 1\r\nrig: end run-0\r\n", "+");
	reads(NULL, "rig: begin run-0\r\nrig: said BUG: page 3 is stale\r\n"
		    "rig: run-0 exits 137\r\nrig: end run-0\r\n", "-");
	reads(NULL, "rig: begin run-0\r\nrig: run-0 exits 1\r\n"
		    "rig: end run-0\r\n", "-");
	/* Another run's word is not this one's. */
	reads(NULL, "rig: begin run-0\r\nrig: run-0 exits 1\r\n"
		    "rig: end run-0\r\nrig: begin run-1\r\n"
		    "rig: said BUG: page 3 is stale\r\nrig: run-1 exits 1\r\n",
	      "-+");
	reads(NULL, "rig: begin run-0\r\nrig: said BUG: cut off", "-");
}

static void run_1_is_not_run_10(void **state)
{
	_buf_ struct buf b = {};

	for (int i = 0; i < 11; i++)
		buf_addf(&b, "rig: begin run-%d\r\n%srig: run-%d exits %d\r\n",
			 i, i == 10 ? "rig: said BUG: x\r\n" : "", i, i == 10);
	reads(NULL, b.data, "----------+");
}

/* A shell takes the script, with everything it calls in place of it. */
static void the_script_runs(void **state)
{
	static const char stubs[] =
		"umount() { echo umount $*; }\nmkfs.ext4() { echo mkfs; }\n"
		"mount() { echo mount $3 $4; }\ntimeout() { echo ran $4 $5; return 3; }\n";
	struct c_shown c = { .fs = "ext4", .program = "/some/where/repro" };
	_free_ char *script = c_script(&c, 2), *all = NULL;
	_buf_ struct buf out = {};
	char *p;

	/* Nothing of this host's is written to. */
	while ((p = strstr(script, "/dev/kmsg")))
		memcpy(p, "/dev/null", 9);
	while ((p = strstr(script, "/tmp/said")))
		memcpy(p, "/dev/null", 9);
	while ((p = strstr(script, "/sys/kernel/debug/clear_warn_once")))
		memcpy(p, "/dev/null                        ", 33);
	all = xstrfmt("%s%s", stubs, script);
	/* dev is not set where nothing is mounted at /mnt/0. */
	assert_int_not_equal(proc_read((char *[]){ "bash", "-uc", all, NULL },
				       NULL, &out, NULL, 20), 0);
	buf_free(&out);
	free(all);
	all = xstrfmt("dev=/dev/pmem0\n%s%s", stubs, script);
	assert_int_equal(proc_read((char *[]){ "bash", "-uc", all, NULL }, NULL,
				   &out, NULL, 20), 0);
	assert_string_equal(out.data, "umount /mnt/0\n"
			    "mkfs\nmount /dev/pmem0 /mnt/0\numount /mnt/0\n"
			    "mkfs\nmount /dev/pmem0 /mnt/0\numount /mnt/0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_counts_for_the_run_it_came_in),
		cmocka_unit_test(a_bug_that_is_said_counts_when_the_exit_code_says_so),
		cmocka_unit_test(run_1_is_not_run_10),
		cmocka_unit_test(the_script_runs),
	};

	return cmocka_run_group_tests_name("minimize-c", tests, NULL, NULL);
}
