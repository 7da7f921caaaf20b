/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run: kernel -> image -> work -> findings -> report. Each stage reads and
 * writes struct run and the run directory; none calls another.
 *
 * The run directory is all there is to a run afterwards:
 *   run.json        what was asked for and what it was run on
 *   host.jsonl      what the host saw and decided, a line each, as it happened
 *   boot-N/         one boot's raw logs: console.log, events.jsonl, qemu.log
 *   programs/       each generated program that was run, its text
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

struct run;

/*
 * Cases that are made while the run goes on, in place of the agent's workloads:
 * generated programs, or candidates of one that is cut smaller. There is one
 * guest, and what the callbacks do keeps it waiting; it is none the worse.
 */
struct run_source {
	/*
	 * No case is left: r->next is r->cases.n. Append some, by
	 * program_add() or cases_add(). 0: there are more now; -1: there are
	 * none, which ends the run; else an enum rig_exit, with its error
	 * printed.
	 *
	 * The first call is made before there is a kernel or a run directory.
	 * It also fills r->modules and r->programs with what the cases need
	 * that it or any later call makes: the image is packed only once.
	 */
	int (*more)(struct run *r, void *arg);
	/*
	 * Called after each case, as the run's host.jsonl has it: @c has status,
	 * seconds, boot and text; r->last what was found in it, by the same
	 * fingerprints as in findings.json. @c is r->cases.v[r->next - 1].
	 *
	 * A case on which nothing new was found leaves its filesystem to the
	 * next one, and what unmounting and checking it finds later is not told
	 * of here. One with owns_fs or alone is told of when all of that is
	 * done. May be NULL.
	 */
	void (*done)(struct run *r, const struct rig_case *c, void *arg);
	void *arg;
};

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
	/* Or from here: then cases, all and repeat are not looked at. */
	const struct run_source *source;
	struct json_object *mix;	/* what it makes, for run.json; or NULL,
					 * the caller's */
	double seconds;			/* that cases are begun for, from when
					 * the first guest is up; 0: no limit */
	double boot_timeout;		/* seconds until the agent answers */
	double timeout_mul;		/* multiplies every limit in the guest */
	bool census;			/* read every struct page */
	double census_hz;		/* samples of it a second, live */
	bool keep;			/* leave the NVDIMMs' files */
	bool dry_run, json;
	bool shell;			/* an interactive guest, no cases */
	bool silent;			/* no summary at the end */
	struct strv add;		/* files for the guest's /root */
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
	struct strv modules, programs;	/* that the source's cases want */
	size_t offered;			/* cases that --all would run */
	size_t chosen;			/* those that were asked for */
	char *image;
	bool own_image;			/* it goes when the run ends */
	/* What a refcount means: of fsdax pages, and of device-dax ones. */
	struct ref_row rows[2];
	bool calibrated[2];
	char *blind;			/* why the census sees nothing */
	struct strv missing;		/* programs the host lacks */
	int boots;			/* so far */
	size_t next;			/* first case not yet done */
	bool interrupted;
	double started;
	double until;			/* now() when no more cases are begun;
					 * 0: there is no such time */
	struct findings last;		/* of the case that was done last */
	struct known *known;		/* distinct findings so far: guest.h */
	size_t nr_known;
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
/* Programs and modules that the image has to have for all cases there are. */
void guest_wants(const struct run *r, struct strv *modules,
		 struct strv *programs);

/* Whether there is a case at r->next, asking the source if need be. 1, 0, or
 * an enum rig_exit, printed. */
int run_more(struct run *r);

/* One line to host.jsonl; @o is put. -errno when it cannot be written. */
int run_log(struct run *r, struct json_object *o);

#endif
