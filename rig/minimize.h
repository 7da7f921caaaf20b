/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Minimising: from a program that shows a finding to the smallest one that
 * still does. Each file calls only those above it:
 *   minimize-text.c     a program as lines that can be dropped and edited
 *   minimize-rate.c     runs and hits: how sure one may be of what
 *   minimize-journal.c  every run of a candidate, on the disk before it counts
 *   minimize-judge.c    candidates to verdicts, with as many runs as it takes
 *   minimize-search.c   which candidates, in which order
 *   minimize-vm.c       candidates run in VMs
 *   minimize-c.c        the C program: made, compiled, and run in a guest
 *   minimize-stages.c   all of it, stage after stage
 *   cmd-minimize.c      the command
 * None of them knows an operation: a step is a line, whatever it says.
 */
#ifndef RIG_MINIMIZE_H
#define RIG_MINIMIZE_H

#include "util.h"

#include <json-c/json.h>

/* --- minimize-text.c ------------------------------------------------------- */

struct ptext_step {
	int thread;		/* -1: '*', all others stand still */
	char *what;		/* "pwrite fd=0 off=0x1000 len=0x2000" */
};

struct ptext {
	struct strv head;	/* header lines but those below */
	bool alone;
	struct ptext_step *v;
	size_t n;
};
#define _ptext_ __cleanup(ptext_free)

/* Comments and blank lines go. 0, or -EINVAL with *@line the one (from 1 on)
 * that is neither header nor step; 0: it is empty, or holds a NUL. @out is
 * freed by the caller either way. */
int ptext_parse(const char *text, size_t len, struct ptext *out,
		unsigned int *line);
/* Threads are numbered anew from 0 on, without gaps. The caller's. */
char *ptext_print(const struct ptext *p);
void ptext_copy(struct ptext *to, const struct ptext *from);
void ptext_free(struct ptext *p);

/* The value of header @key, p's own, or NULL. */
const char *ptext_header(const struct ptext *p, const char *key);

/* Steps [@from, @to) go. */
void ptext_cut(struct ptext *p, size_t from, size_t to);
/* All steps of @thread go. */
void ptext_cut_thread(struct ptext *p, int thread);
/* Distinct threads, '*' not counted; @of (or NULL) gets them, ascending, of
 * room for p->n. */
size_t ptext_threads(const struct ptext *p, int *of);

enum ptext_order { ORDER_TEXT, ORDER_BEFORE, ORDER_AFTER, NR_ORDERS };
/*
 * The steps of @from become @into's: where they stand in the text, or, between
 * two '*' each, all before or all after those of @into.
 */
void ptext_merge(struct ptext *p, int from, int into, enum ptext_order order);

/* Number @nth of step @i, of those that hold a size or a position (off, len,
 * size, to, n): whether there is one. @count: it is a count, or next to
 * nothing, and no bytes. */
bool ptext_number(const struct ptext *p, size_t i, size_t nth, uint64_t *value,
		  bool *count);
void ptext_set_number(struct ptext *p, size_t i, size_t nth, uint64_t value);

/* --- minimize-rate.c ------------------------------------------------------- */

struct rate {
	unsigned int runs, hits;
	unsigned int rounds;	/* that each run had; 0 is 1 */
};
/* The 95 % confidence interval of Clopper and Pearson. */
void rate_bounds(struct rate r, double *low, double *high);
/* Runs in which what hits at @rate is missed with at most RATE_MISS. At most
 * RATE_TRIES, for a rate of next to nothing. */
unsigned int rate_tries(double rate);
#define RATE_MISS 0.02
#define RATE_TRIES 200

/* --- minimize-journal.c ---------------------------------------------------- */

/*
 * What came of every run of a candidate, in the order they ended: a line
 * {"hash", "hit", "seconds"} each, after a first one that says what for.
 */
struct journal {
	int fd;
	off_t len;		/* bytes that are whole lines */
	struct journal_entry {
		char hash[17];
		bool *hit;
		size_t n;
	} *v;
	size_t n;
	struct rate all;	/* of all candidates together */
	double seconds;		/* that they took, one after the other */
};
#define JOURNAL_INIT { .fd = -1 }
#define _journal_ __cleanup(journal_close)

/*
 * Open or begin one; a last line that was not written whole is cut off. @what
 * says what it is for, in one line. 0, or -errno: -EEXIST when it is for
 * something else, -EBUSY when another rig writes to it, -EINVAL when it is no
 * journal.
 */
int journal_open(struct journal *j, const char *path, const char *what);
/* On the disk when this returns 0, else -errno and it is as if never run. */
int journal_add(struct journal *j, const char *hash, bool hit, double seconds);
/* Outcomes of @hash so far, *@n of them; valid until the next journal_add(). */
const bool *journal_get(const struct journal *j, const char *hash, size_t *n);
void journal_close(struct journal *j);

/* --- minimize-judge.c ------------------------------------------------------ */

struct outcome {
	char hash[17];
	bool hit;
	double seconds;
};

/* Whatever runs candidates, @jobs of them at a time. */
struct runner {
	unsigned int jobs;
	/* Begin a run of @text, of @rounds rounds. 0 or -errno. */
	int (*start)(void *arg, const char *text, unsigned int rounds,
		     const char *hash);
	/* Wait for the end of any run that was begun. 0, or -errno: -EINTR
	 * when it is time to stop. */
	int (*wait)(void *arg, struct outcome *out);
	void *arg;
};

struct judge {
	struct journal *journal;
	const struct runner *runner;
	unsigned int tries;	/* runs without a hit that refute a candidate */
	unsigned int fixed;	/* the user's own number of them, or 0 */
	bool missed;		/* what was measured did, some time */
	unsigned int rounds;	/* that one run has: candidates are run so many
				 * times over, one of which has to hit */
	unsigned int max_rounds;/* that it may have: 0 is 1 */
	char (*flying)[17];	/* what runs, by hash */
	size_t nr_flying;
};

/*
 * The first of @n candidates that hits within g->tries runs: its index, @n when
 * none does, or -errno of runner and journal. What it returns depends on the
 * outcomes of each candidate's runs alone, not on which of them ends first.
 */
ssize_t judge_first(struct judge *g, char *const *texts, size_t n);
/*
 * How often @text hits, which it has done: by the runs after its first hit,
 * @least of them, more when one missed. 0 or -errno.
 */
int judge_rate(struct judge *g, const char *text, unsigned int least,
	       struct rate *out);
#define RATE_FIRST 8	/* @least for the original */
/* The same, with more rounds a run from now on when less than half of all runs
 * hit. */
int judge_settle(struct judge *g, const char *text, unsigned int least,
		 struct rate *out);
/* Run @text until it hits, for @most runs: 1, 0 when it did not, or -errno. */
int judge_shows(struct judge *g, const char *text, unsigned int most);
/* Set g->tries for candidates of something that hits at this rate: none that
 * keeps the rate, or, when @thorough, half of it, is missed with more than
 * RATE_MISS. Where it never missed, one miss refutes; two where it does not any
 * more. */
void judge_by(struct judge *g, struct rate of, bool thorough);
/* What the journal knows @text by, with as many rounds as a run has now. */
void judge_hash(const struct judge *g, const char *text, char hash[17]);
void judge_free(struct judge *g);

/* --- minimize-search.c ----------------------------------------------------- */

struct search {
	struct judge *judge;
	/* @p is smaller than the last; a hit proves it. 0 or -errno. */
	int (*better)(void *arg, const struct ptext *p);
	void *arg;
	/* for who looks on: how often all of it was gone over, and how often
	 * what is gone over now hits */
	unsigned int passes;
	struct rate rate;
};

/*
 * Make @p, which has been seen to hit, as small as it gets: no thread, no step
 * and no range of steps that was tried can go, and no number be simpler. 0, or
 * -errno of judge and @better, with @p the smallest by then. What is tried
 * follows from the outcomes of runs alone.
 */
int search_run(struct search *s, struct ptext *p);

/* --- minimize-vm.c --------------------------------------------------------- */

struct run_opts;
struct program;
struct vms;

struct vms_opts {
	/* Kernel and machine; dir, source and what is printed are not looked
	 * at. */
	const struct run_opts *run;
	const struct program *of;	/* what candidates are made from */
	const char *fingerprint;	/* of the finding that is a hit */
	bool check;			/* only a filesystem's check shows it */
	/* Gets vm-N/, a run directory for each worker, and hits/HASH.json, what
	 * a candidate's last hit was: kind, key, title, text, detail. */
	const char *dir;
	unsigned int jobs;		/* at the most */
	double until;			/* now() when waits end with
					 * -ETIMEDOUT; 0: never */
	int close;			/* a file that workers must not hold */
};

/* VMs that memory and CPUs of this host are enough for, 4 at the most. */
unsigned int vms_jobs(const struct run_opts *o);

/*
 * Workers, started when there is a candidate for them: each a process of ours
 * with a run of its own, that boots as often as it takes. @o is borrowed.
 */
struct vms *vms_new(const struct vms_opts *o);
/* Runs candidates for a judge. -EINTR: the user asked to stop; -ETIMEDOUT:
 * @until has come; -ECHILD: a worker gave up, and has said why. */
struct runner vms_runner(struct vms *v);
/* What a worker ended with: an enum rig_exit; after -ECHILD. */
int vms_exit(const struct vms *v);
/* Another time for @until. */
void vms_until(struct vms *v, double until);
/* All workers and their VMs are gone when it returns. Fine with NULL. */
void vms_free(struct vms *v);

/* --- minimize-c.c ---------------------------------------------------------- */

struct finding;

/*
 * @text as a C program of its own into @path. @finding: what it shows, as
 * `rig-agent --reproducer` takes it. 0, or -errno, with one line on what the
 * agent said in *@why, the caller's.
 */
int c_make(const char *path, const char *text, struct json_object *finding,
	   char **why);
/* `cc -O1` of @source into @program, its words into @log. 0, 1: it does not
 * compile, -ENOENT: there is no compiler, -errno. */
int c_compile(const char *source, const char *program, const char *log);

/* What a guest tells of a C program that ran in it several times. */
struct c_shown {
	const char *fingerprint;	/* a kernel report's; or NULL: exit code
					 * 1 and a line "BUG: ..." */
	const char *fs;			/* made anew for each run */
	const char *program;
	const char *log;		/* gets all that the guest said */
	const char *dir;		/* gets shell-N/, a boot's run directory */
	struct strv rig;		/* words of `rig shell` */
};
/* The script that runs it @runs times, the caller's. */
char *c_script(const struct c_shown *c, unsigned int runs);
/* What @said, all that the guest said, tells of it: which runs were begun, and
 * in @hit[] whether each showed it. Returns how many. */
unsigned int c_read(const struct c_shown *c, const char *said, size_t len,
		    unsigned int runs, bool *hit);
/* All of it: @runs runs in a guest. How many were begun, or -errno. */
int c_try(const struct c_shown *c, unsigned int runs, bool *hit);

#endif
