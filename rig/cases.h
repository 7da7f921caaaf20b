/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cases: what `agent --describe` offers, laid over what the machine has. The
 * agent is the only list of workloads there is.
 */
#ifndef RIG_CASES_H
#define RIG_CASES_H

#include "machine.h"
#include "util.h"

#include <json-c/json.h>

enum case_status {
	CASE_NOT_RUN,	/* the run ended before it */
	CASE_PASS,
	CASE_FAIL,	/* the kernel is wrong */
	CASE_SKIP,
	CASE_BROKEN,	/* our set-up is */
	CASE_CRASH,	/* the workload's process died */
	CASE_HANG,	/* it did not end, or the guest did not answer */
	CASE_PANIC,	/* it took the guest down */
	NR_CASE_STATUS,
};
extern const char *const case_status_names[NR_CASE_STATUS];

/* Cases, and programs, that share one filesystem at the most: each of them is
 * suspect when the check at the end finds it corrupt. Programs take less time
 * than making and checking it. */
#define CASES_PER_FS 16
#define PROGRAMS_PER_FS 32

struct rig_case {
	char *name;		/* WORKLOAD[:VARIANT]/FS[/SIZE] */
	char *workload, *variant, *fs;
	char *size;		/* of mappings; NULL for programs */
	int ns;			/* index into machine->ns */
	double runtime;		/* seconds it usually takes */
	bool owns_fs;		/* what it leaves has to be made anew */
	bool remounts;		/* takes it away and puts it back: a program */
	bool calibrates;	/* measures the refcount model */
	bool alone;		/* on a filesystem of its own, checked after */
	bool unchecked;		/* ... but this one is not: nobody asks */
	bool again;		/* of a group that was found corrupt: alone */
	unsigned int rounds;	/* run so many times over; 0 is 1 */
	char *program;		/* text of a generated program, or NULL */
	/* filled in by the run */
	enum case_status status;
	double seconds;
	int boot;
	char *text;		/* first FAIL, else SKIP or BROKEN reason */
};

struct cases {
	struct rig_case *v;
	size_t n, cap;
};
void cases_free(struct cases *c);

/* One more case at the end: @add's strings go over. Pointers into the list are
 * no longer valid. */
void cases_add(struct cases *c, const struct rig_case *add);

/* Forget the cases from @keep on, but those that run again: they are what an
 * earlier finding still needs. */
void cases_cut(struct cases *c, size_t keep);

/* `agent --describe`, owned by the caller; NULL with an error printed. */
struct json_object *agent_describe(void);

/*
 * The cases of @m, those that @patterns ask for: shell patterns of a whole
 * name, or of its beginning up to a ':' or '/'. With none, and @all, every
 * case but those that have to be named; with none and not @all a sample of
 * these: of each workload, on each filesystem, its first variant at the
 * smallest mapping size and its second at the largest (of those that take
 * three seconds or more one of the two). In the order of
 * namespaces, filesystems, workloads. @offered, where not NULL, gets how many
 * @all would have been. 0, or EXIT_USAGE with an error printed when a pattern
 * names nothing.
 */
int cases_make(struct json_object *describe, const struct machine *m,
	       const struct strv *patterns, bool all, struct cases *out,
	       size_t *offered);

/* The workload that brings a page through states that are known. */
#define CALIBRATE "calibrate"

/*
 * The cases that calibrate, before the first case on a namespace of each mode
 * that none in the list calibrates yet. The cases before @from are done: none
 * is put among them. They are not among those that a user asks for.
 */
void cases_calibrate(struct json_object *describe, const struct machine *m,
		     struct cases *c, size_t from);

/* The case @name once more, at the end of the list, alone; once for each name.
 * Pointers into the list are no longer valid. */
void cases_again(struct cases *c, const char *name);
/* Forget those on @fs that would run again, from number @from on. */
void cases_not_again(struct cases *c, size_t from, const char *fs);

/* Modules and programs that @c want, as described. */
void cases_wants(struct json_object *describe, const struct cases *c,
		 struct strv *modules, struct strv *programs);

#endif
