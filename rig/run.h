/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run: kernel -> image -> work -> findings -> report. Each stage reads and
 * writes struct run and the run directory; none calls another.
 *
 * The run directory is all there is to a run afterwards:
 *   run.json        what was asked for and what it was run on
 *   host.jsonl      what the host saw and decided, a line each, as it happened
 *   boot-N/         one boot's raw logs: console.log, events.jsonl, qemu.log
 *   build.log       the kernel build, if there was one
 *   findings.json, report.txt   made from all of the above, by `rig scan` too
 */
#ifndef RIG_RUN_H
#define RIG_RUN_H

#include "accel.h"
#include "cases.h"
#include "finding.h"
#include "kernel.h"
#include "machine.h"
#include "refmodel.h"

struct run_opts {
	const char *spec;		/* kernel, as kernel_get() takes it */
	struct kernel_opts kernel;
	const struct machine *machine;
	const char *accel;		/* "auto", "kvm", "tcg" */
	struct strv cases;		/* patterns */
	bool all;			/* every case, not the sample */
	const char *dir;		/* run directory, or NULL: a new one */
	const char *qemu;		/* program */
	const char *append;		/* added to the kernel command line */
	unsigned int repeat;		/* each case so many times */
	double boot_timeout;		/* seconds until the agent answers */
	double timeout_mul;		/* multiplies every limit in the guest */
	bool census;			/* read every struct page */
	double census_hz;		/* samples of it a second, live */
	bool keep;			/* leave the NVDIMMs' files */
	bool dry_run, json;
	bool shell;			/* an interactive guest, no cases */
	struct strv words;		/* the command line, for the report */
};

struct run {
	struct run_opts *o;
	char *dir;
	int log;			/* host.jsonl */
	bool log_failed;		/* a line of it could not be written */
	struct kernel kernel;
	struct accel accel;
	struct json_object *describe;
	struct cases cases;
	size_t offered;			/* cases that --all would run */
	size_t chosen;			/* those that were asked for */
	char *image;
	/* What a refcount means: of fsdax pages, and of device-dax ones. */
	struct ref_row rows[2];
	bool calibrated[2];
	char *blind;			/* why the census sees nothing */
	struct strv missing;		/* programs the host lacks */
	int boots;			/* so far */
	size_t next;			/* first case not yet done */
	bool interrupted;
	double started;
	struct findings findings;
	struct json_object *info;	/* run.json */
};

/* All stages. Returns an enum rig_exit. */
int run_run(struct run_opts *o);

/* The path of a new run directory, made, owned by the caller; NULL with an
 * error printed. @want as run_opts.dir. */
char *run_make_dir(const char *want);

/* --- the stage that boots (guest.h) --------------------------------------- */

/* Boot as often as it takes and run every case. 0 or an enum rig_exit. */
int guest_work(struct run *r);
/* Boot, set up, mount, and connect this terminal to a shell there. */
int guest_shell(struct run *r);
/* QEMU's command line for the run, as --dry-run prints it. */
char *guest_command(struct run *r);
/* Programs and modules that every image has. */
void guest_wants(struct strv *modules, struct strv *programs, bool shell);

/* One line to host.jsonl; @o is put. -errno when it cannot be written. */
int run_log(struct run *r, struct json_object *o);

#endif
