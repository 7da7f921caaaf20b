/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driving the guest, inside: run.h has what the other stages call. Each file
 * calls only those above it:
 *   guest-request.c  requests, events, and the lines of host.jsonl
 *   guest-lost.c     what goes wrong, made a finding or an error
 *   guest-census.c, guest-leaks.c   every struct page, before and after each case
 *   guest-boot.c     a VM with its namespaces, from nothing and back
 *   guest-group.c    the filesystem that cases share
 *   guest-case.c     one case and what it leaves
 *   guest.c, guest-shell.c   all cases, or a shell
 *
 * Nothing here outlives its boot but what is in struct run.
 */
#ifndef RIG_GUEST_H
#define RIG_GUEST_H

#include "oracle.h"
#include "run.h"
#include "vm.h"

/* Limit of a step around a case, in seconds on the reference guest. */
#define STEP_LIMIT 30.0
#define MAX_PMEM 4
#define MAX_NS 5
/* Bytes of stacks that are kept, of one case or one hang. */
#define MAX_STACKS ((size_t)1 << 20)

/* A finding that the run has seen by now. */
struct known {
	char fingerprint[17];
	/* Cases that raised it and left their filesystem whole: as unmounting
	 * and checking it, and a census of its pages, showed. */
	unsigned int harmless;
};

struct boot {
	struct run *r;
	struct vm vm;
	char *dir;
	int ram;			/* fd of the guest's RAM */
	int backing[MAX_PMEM + 1];	/* fds, ended by -1 */
	struct strv paths;
	struct json_object *ns;		/* the agent's reply to setup */
	struct rig_case *now;		/* the case that runs */
	bool hung;			/* the last request did */
	struct buf stacks;		/* of what hung in it */
	char *first_fail;		/* text of its first FAIL, SKIP... */
	bool step_failed;		/* something around the case did */
	struct oracle_boot oracle;	/* of what the guest says in it */
	int64_t nmi;			/* console byte of one we sent; -1 */
	/* Clean cases share a filesystem until one is not: those that ran on
	 * the one that is there for cases now; it was not checked since. */
	struct strv group;
	char *group_fs;			/* NULL: there is none for cases */
	int group_ns;
	size_t group_age;		/* cases since it was made */
	bool group_away;		/* it is unmounted, fit for another */
	struct boot_census *census;	/* NULL: none was asked for */
	unsigned int census_off;	/* bits of what it told of this case
					 * once it was over */
	bool census_found;		/* it told of something in this case */
};
#define BOOT_INIT(run)                                                         \
	{ .r = (run), .vm = VM_INIT, .ram = -1, .backing = { -1 }, .nmi = -1 }
#define _boot_ __cleanup(boot_free)

/* --- guest-request.c ------------------------------------------------------ */

/* { @key: @value }, owned by the caller. */
struct json_object *guest_msg(const char *key, const char *value);
/* One member more; a NULL @value adds none. */
void guest_put(struct json_object *o, const char *key, const char *value);
void guest_put_int(struct json_object *o, const char *key, int value);
/* A member's value, @o's own; NULL, @fallback or false when there is none. */
const char *guest_get(struct json_object *o, const char *key);
int guest_get_int(struct json_object *o, const char *key, int fallback);
bool guest_is_true(struct json_object *o, const char *key);
/* A text of the guest's, printable and cut to a line's length; the caller's.
 * NULL when there is none. */
char *guest_text(struct json_object *o, const char *key);

/*
 * A line to host.jsonl: something that the host saw to be wrong with the
 * kernel, in the case that runs. @kind is the finding's; what has the same
 * @key is the same finding; @text (or NULL) is shown below @title.
 */
void boot_observe(struct boot *b, const char *kind, const char *title,
		  const char *key, const char *text);

/* Seconds on the reference guest as seconds on this one. */
double boot_scaled(const struct boot *b, double seconds);
/* Seconds that a boot may take in all, and be silent for. */
double boot_total(const struct run *r);
double boot_silence(const struct run *r);

/*
 * One command; @req is put. @limit is in seconds on the reference guest. 0: it
 * went well, and *@out (where not NULL) is the reply, owned by the caller. 1:
 * the agent says that it did not; *@why (where not NULL) is its reason, owned
 * by the caller. -errno as vm_request(): the VM is not what it was.
 */
int boot_ask(struct boot *b, struct json_object *req, double limit, char **why,
	     struct json_object **out);
/* What the agent said of namespace @i of the machine's; b->ns's own. */
struct json_object *boot_ns(struct boot *b, int i);
/* A request @cmd about the filesystem of @c: mkfs, mount, umount, check,
 * clean. Of @c only ns and fs are looked at. */
struct json_object *boot_fs_request(struct boot *b, const char *cmd,
				    const struct rig_case *c);
/* "rig: @what @name" into the kernel log, before what is asked next. A guest
 * that does not take it will not take the next request either, which says so. */
void boot_mark(struct boot *b, const char *what, const char *name);

/* vm.on_event, with vm.arg the boot: notes stacks, findings, the first FAIL. */
void boot_on_event(struct json_object *ev, void *arg);

/* --- guest-lost.c --------------------------------------------------------- */

/* The case that runs did not end within its time: a finding. @reply is that
 * to its run request. */
void boot_case_hangs(struct boot *b, struct json_object *reply);
/* As boot_ask(), for a step around a case, named @step for people: that it
 * fails or hangs is a finding. */
int boot_step(struct boot *b, struct json_object *req, double limit,
	      const char *step, struct json_object **out);

/*
 * vm_*() returned @err while @doing (a clause: "a case ran"): write down what
 * it means for the kernel. 0 when the run can go on with another boot, else an
 * enum rig_exit; with its error printed, unless it is EXIT_INTERRUPTED.
 */
int boot_lost(struct boot *b, int err, const char *doing);

/*
 * A boot that does not get to its first case. vm_wait_hello() returned @err,
 * or boot_ask() did, with @why, when the guest was to @what (of 1) or while
 * @doing (of -errno). Returns an enum rig_exit, printed like boot_lost()'s:
 * EXIT_CANNOT_TEST where rig itself did not fail.
 */
int boot_failed(struct boot *b, int err);
int boot_setup_failed(struct boot *b, int err, const char *why,
		      const char *what, const char *doing);

/* --- guest-census.c -------------------------------------------------------- */

/*
 * The census of this boot, once the namespaces are set up. That there can be
 * none is no error: the run is blind then (struct run), and says so. 0, or
 * -errno as vm_request(), as all of these.
 */
int boot_census_up(struct boot *b);
/* Namespace @i is about to go, or has just been made anew. */
void boot_census_gone(struct boot *b, int i);
int boot_census_back(struct boot *b, int i);
/* A case begins: nothing was found in it, nothing is held. */
void boot_census_begin(struct boot *b);
/* A line on the time axis of the live census. */
void boot_census_mark(struct boot *b, const char *what, const char *name);
/* Something went wrong, a @kind of finding: every page as it is now, for whoever
 * looks at it later. The guest may be hung, and QEMU gone. */
void boot_census_moment(struct boot *b, const char *kind);
/* An event of the guest's: files, references held, a census wanted. */
void boot_census_event(struct boot *b, struct json_object *ev);
/* The case b->now ended, and it was one that calibrates. */
void boot_census_calibrated(struct boot *b, enum case_status st);
/* The files of b->now are gone. */
void boot_census_cleaned(struct boot *b);
/* Ask for the files that the case has left, to name pages by. */
int boot_census_owners(struct boot *b);
/*
 * Look at every page of the case's namespace, of which no process holds or
 * maps any. @unowned: no file has any either. What is off is a finding, told
 * to be seen @at ("after its files were removed"); b->census_found says so.
 */
int boot_census_idle(struct boot *b, const char *at, bool unowned);
void boot_census_free(struct boot *b);

/* --- guest-boot.c --------------------------------------------------------- */

/* From nothing to namespaces that are set up, in @b as BOOT_INIT() made it.
 * 0 or an enum rig_exit, as boot_failed(). */
int boot_up(struct boot *b);

/* The filesystem of @c, made and mounted, or only mounted. As boot_ask(). */
int boot_make_fs(struct boot *b, const struct rig_case *c, char **why);
int boot_mount_fs(struct boot *b, const struct rig_case *c, char **why);

/* The other namespaces' filesystems: there, and mounted, all the time. @but
 * gets none; -1: all get one. As boot_up(). */
int boot_mount_companions(struct boot *b, int but);
/* The namespace that a case is about to use has no companion's filesystem any
 * more. As boot_one_case(). */
int boot_take_namespace(struct boot *b, int ns);
/* Struct pages made anew: disabled and enabled. As boot_step(). */
int boot_renew_namespace(struct boot *b, int ns);

/* Everything given back, then off. What fails here is a finding. 0, or an enum
 * rig_exit. */
int boot_tear_down(struct boot *b);
/* QEMU is killed if it still runs. */
void boot_free(struct boot *b);

/* --- guest-group.c -------------------------------------------------------- */

/* Whether @c may run on the filesystem that there is for cases, and, if it is
 * made for it, whether that has not had all the cases yet that one is for. */
bool boot_joins_group(const struct boot *b, const struct rig_case *c);
bool boot_group_has_room(const struct boot *b, const struct rig_case *c);
/* The filesystem of b->now, mounted: it is one of its group. As boot_ask(). */
int boot_group_enter(struct boot *b, char **why);
/* Unmounted, its pages looked at, and, with @check, checked: if it is corrupt,
 * each of the group is appended to the run's cases. As boot_step(). */
int boot_group_away(struct boot *b, bool check);
/* There is none any more; the next case gets a new one. */
void boot_group_end(struct boot *b);

/* --- guest-case.c --------------------------------------------------------- */

/*
 * The case b->now, from its begin mark to its end mark, in b->r->cases and
 * host.jsonl. 0: go on in this VM; 1: go on in another; an enum rig_exit above
 * that.
 */
int boot_one_case(struct boot *b);
/*
 * The filesystem that there is for cases gets no more of them: unmounted and
 * checked, as part of the last one that ran there. As boot_one_case(). May
 * append to the run's cases.
 */
int boot_leave_group(struct boot *b);
/* So much was said that this boot's logs should not get much longer. */
bool boot_is_full(const struct boot *b);

#endif
