/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a workload is written with.
 *
 * A workload is one file that ends in WORKLOAD(...). Its run function is the
 * straight path: SAFE_*() wrappers and the helpers below end the case as
 * BROKEN, with file and line, when the set-up fails, so that no error branch
 * stands in the way of the point. It runs in a process of its own, as root,
 * in a fresh folder of a mounted filesystem (or with a device-dax node), and
 * whatever it leaves behind (processes, mappings, gates) is swept away by the
 * agent.
 *
 *   FAIL    the kernel is wrong; the workload goes on
 *   PASS    a check held
 *   SKIP    cannot run here, and why; ends the case
 *   BROKEN  our own set-up is wrong; ends the case
 *   INFO    a fact worth having in the report
 *
 * A case that says neither PASS nor FAIL is BROKEN.
 */
#ifndef WORKLOADS_WORKLOAD_H
#define WORKLOADS_WORKLOAD_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define KiB(n) ((size_t)(n) << 10)
#define MiB(n) ((size_t)(n) << 20)
#define PAGE ((size_t)4096)
#define PMD ((size_t)2 << 20)

/* Where a workload applies; a case is made for each that the machine has. */
enum { ON_XFS = 1, ON_EXT4 = 2, ON_FS = ON_XFS | ON_EXT4, ON_DEVDAX = 4 };
/* Size of the mappings it is run with; a case is made for each. */
enum { WITH_4K = 1, WITH_2M = 2, WITH_BOTH = 3 };

enum workload_flags {
	/* Unmounts, disables or shuts down what it runs on: it gets a
	 * filesystem of its own, made anew before and after. */
	WL_OWNS_FS = 1,
	/* Only when asked for by name: takes long, or ends the guest. */
	WL_BY_NAME = 2,
};

struct workload {
	const char *name;	/* as the file, with '-' */
	const char *help;	/* one line: what must hold */
	const char *point;	/* the row of docs/domain.md it exercises */
	unsigned int on;	/* ON_* */
	unsigned int with;	/* WITH_*; 0 means WITH_4K */
	unsigned int flags;
	unsigned int runtime;	/* seconds it usually takes under TCG, at
				 * least 1; four times this plus 20 is its
				 * deadline */
	const char *modules;	/* kernel modules that it wants loaded where
				 * they are not built in, blank separated */
	const char *programs;	/* host programs to take along in the image */
	const char *guards;	/* upstream commits it guards, or NULL */
	const char *const *variants; /* NULL-terminated, or NULL: a case each */
	void (*run)(void);
};

/* Ends a workload's file. Registers it; nothing else needs to know of it. */
#define WORKLOAD(...)                                                          \
	static const struct workload this_workload = { __VA_ARGS__ };          \
	static const struct workload *const this_workload_p                    \
		__attribute__((used, section("workloads"))) = &this_workload

/* The case that runs; set by the agent before run() is called. */
struct wl_case {
	const struct workload *workload;
	const char *name;	/* WORKLOAD[:VARIANT]/FS/SIZE, as reports say */
	const char *variant;	/* one of workload->variants, or NULL */
	const char *fs;		/* "xfs", "ext4", "devdax" */
	const char *mnt;	/* mount point, or NULL on device-dax */
	const char *dir;	/* fresh folder below mnt; also the cwd */
	const char *dev;	/* /dev/pmemN or /dev/daxN.M */
	const char *ns;		/* namespaceN.M */
	size_t unit;		/* size of one mapping: PAGE or PMD */
	double scale;		/* multiply time limits by it: this guest's
				 * slowness against the reference */
	unsigned int seed;	/* differs for each repetition of a case */
	bool census;		/* the host reads struct pages */
	const char *program;	/* the text to run, of workload "program" */
};
extern const struct wl_case *wl;

/* --- results ------------------------------------------------------------- */

enum wl_status { WL_PASS, WL_FAIL, WL_SKIP, WL_BROKEN, WL_INFO };

void wl_say(enum wl_status st, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* As wl_say(), then ends the case's process. */
void wl_end(enum wl_status st, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), noreturn));

#define PASS(...) wl_say(WL_PASS, __FILE__, __LINE__, __VA_ARGS__)
#define FAIL(...) wl_say(WL_FAIL, __FILE__, __LINE__, __VA_ARGS__)
#define INFO(...) wl_say(WL_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) wl_end(WL_SKIP, __FILE__, __LINE__, __VA_ARGS__)
#define BROKEN(...) wl_end(WL_BROKEN, __FILE__, __LINE__, __VA_ARGS__)

/* PASS or FAIL by a condition; both say the same fact. Value: the condition. */
#define CHECK(cond, ...)                                                       \
	({                                                                     \
		bool __ok = (cond);                                            \
		wl_say(__ok ? WL_PASS : WL_FAIL, __FILE__, __LINE__,           \
		       __VA_ARGS__);                                           \
		__ok;                                                          \
	})

/* A system call that has to work here: its value, or the case is BROKEN. */
#define SAFE(call)                                                             \
	({                                                                     \
		__typeof__(call) __r;                                          \
		do                                                             \
			__r = (call);                                          \
		while ((long)__r == -1 && errno == EINTR);                     \
		if ((long)__r == -1)                                           \
			BROKEN("%s: %s", #call, strerror(errno));              \
		__r;                                                           \
	})

/* --- a census, now ------------------------------------------------------- */

/* Whether the host takes one at all; where it does not, wl_census() returns at
 * once. */
bool wl_has_census(void);
/*
 * Let the host look at the struct pages of [@dev_off, @dev_off + @len) of the
 * device, in bytes, and wait until it has. @at names the state they are in.
 * From any process of the case; two at a time wait for each other. BROKEN when
 * the host does not look within 20 scaled seconds.
 */
void wl_census(const char *at, off_t dev_off, size_t len);
/* The same of [@off, @off + @len) of a file, which has to be one extent, or of
 * device-dax itself. */
void wl_census_file(const char *at, int fd, off_t off, size_t len);

/* The live census of this case is taken @hz times a second from here on, at
 * most 100; 0: only where the case asks. As it was for the next case. */
void wl_census_hz(double hz);

/* --- files and mappings -------------------------------------------------- */

/*
 * A new file of @len bytes in the case's folder, filled with fill()'s pattern
 * for @seed and synced; its blocks are aligned to wl->unit. On device-dax the
 * device itself (its first @len bytes filled). Returns the fd, O_RDWR.
 */
int dax_file(const char *name, size_t len, uint64_t seed);
/* The same, without extents: a hole of @len bytes. Not on device-dax. */
int dax_hole(const char *name, size_t len);

/*
 * Map [@off, @off + @len) shared, at an address aligned to wl->unit, not
 * inherited over fork (MADV_DONTFORK), nothing faulted in.
 */
void *dax_map(int fd, off_t off, size_t len, int prot);
/* As dax_map() with mmap's own flags instead of MAP_SHARED, and inherited. */
void *dax_map_flags(int fd, off_t off, size_t len, int prot, int flags);

/* Fault every wl->unit in, by load or by store of the byte that is there. With
 * wl->unit of 2 MiB the case is SKIPped when the kernel gave 4 KiB PTEs:
 * measured by page-fault counts, for which [@p, @p + @len) must not have been
 * touched before. */
void touch_read(void *p, size_t len);
void touch_write(void *p, size_t len);

/* A pattern every 8 bytes of which differ by position, file and seed. */
void fill(void *p, size_t len, uint64_t seed, size_t off);
/* Offset of the first byte that is not fill()'s, or -1 when all is right. */
ssize_t fill_diff(const void *p, size_t len, uint64_t seed, size_t off);

/* First physical block of @off in @fd, in bytes of the device (FIEMAP), or -1
 * for a hole. With @shared non-NULL, whether the extent is shared. */
off_t block_of(int fd, off_t off, bool *shared);

/* --- references ---------------------------------------------------------- */

/*
 * A reference on the pages behind an address, of one of the kinds in the
 * table that REF_KIND() makes, held until it is dropped. @name says which;
 * "vmsplice" needs nothing and works everywhere.
 */
struct ref;
struct ref_kind {
	const char *name;
	const char *help;
	/* Take it on [@p, @p + @len), at most 16 pages; NULL with errno set
	 * when this kernel has no such thing or refuses it. */
	struct ref *(*take)(void *p, size_t len);
	/* Let go, and wait until the kernel has dropped it. For kinds that are
	 * reads from memory: 0, or -1 when what was read through the reference
	 * is not what @expect holds (may be NULL). */
	int (*drop)(struct ref *r, const void *expect);
	/* What uses the reference writes, when it is dropped: fill()'s pattern
	 * of seed 0 is in the pages then. */
	bool writes;
	/* A kernel may copy instead: ref_take() SKIPs where it does. */
	bool may_copy;
};
#define REF_KIND_(id, ...)                                                     \
	static const struct ref_kind ref_kind_##id = { __VA_ARGS__ };          \
	static const struct ref_kind *const ref_kind_p_##id                    \
		__attribute__((used, section("ref_kinds"))) = &ref_kind_##id
/* One or more in a file; @id is a C identifier. */
#define REF_KIND(id, ...) REF_KIND_(id, __VA_ARGS__)

/* What every kind's own struct begins with. */
struct ref {
	const struct ref_kind *kind;
	size_t len;
	int hold;	/* its number in the log, or 0 */
};

/* The kind named @kind, or BROKEN. */
const struct ref_kind *ref_kind_of(const char *kind);
/* Take or SKIP (the kernel lacks it) or BROKEN. */
struct ref *ref_take(const char *kind, void *p, size_t len);
/* The same, but NULL with errno set where the kernel lacks it. Not for kinds
 * that may copy. */
struct ref *ref_try(const char *kind, void *p, size_t len);
int ref_drop(struct ref *r, const void *expect);

/* --- a gate: a block device that holds I/O in flight --------------------- */

/*
 * A device-mapper device over RAM: while the gate is closed (the device
 * suspended) whatever I/O is submitted stays in flight, its pages referenced.
 */
#define GATE_DISK "/dev/ram0"
struct gate;
struct gate *gate_new(size_t len);	/* opened; SKIPs without dm or brd */
/* The same over the block device @dev, a string that outlives the gate. */
struct gate *gate_over(const char *dev, size_t len);
/* The same, and closing or opening, for those who must not end the case: NULL
 * or false when it cannot be done. */
struct gate *gate_try(const char *dev, size_t len);
bool gate_set(struct gate *g, bool closed);
const char *gate_path(const struct gate *g);
/* Whether what was written through the gate is @want (may be NULL). @fd is the
 * gate's, for O_DIRECT. */
bool gate_holds(const struct gate *g, int fd, const void *want, size_t len);
void gate_close(struct gate *g);
void gate_open(struct gate *g);
void gate_free(struct gate *g);
/* Open all of this process' gates: wl_end() does, as a process with I/O in
 * flight cannot exit (fs/aio.c exit_aio()). */
void gates_let_go(void);

/* The gate that this process made last stays as it is when the process and the
 * case have ended: under a name that the agent does not sweep. */
void gate_keep(void);
/* Open and remove all that gate_keep() left: how many. */
int gates_release(void);

/* --- attempts: something that may block ---------------------------------- */

/*
 * Runs fn(arg) in a child process (so that it can be killed), and tells
 * whether it is asleep in the kernel. The child has its own copy of memory;
 * mappings made by dax_map() are not in it.
 */
struct attempt {
	pid_t pid;
	struct attempt_shared *sh;
	const char *what;
};

void attempt_start(struct attempt *a, const char *what, int (*fn)(void *arg),
		   void *arg);
/*
 * Wait until it has ended or is asleep inside fn and stays so (longer than
 * any lock or I/O wait of this guest). true: it is blocked.
 */
bool attempt_blocks(struct attempt *a);
/* Seconds of CPU time, user and system, that it has used so far. */
double attempt_cpu(struct attempt *a);
/* Whether fn has returned. */
bool attempt_done(struct attempt *a);
/* Wait until fn has returned, at most @seconds (scaled): true, with fn's value
 * (0 or an errno) in *@ret where that is not NULL; false: it still runs, or
 * has died (an oops kills it). */
bool attempt_wait(struct attempt *a, double seconds, int *ret);
/* SIGKILL; true when it is gone within @seconds (scaled). */
bool attempt_kill(struct attempt *a, double seconds);
/* Where it sleeps: "xfs_break_dax_layouts", from /proc/PID/stack, or "?". The
 * string is static and valid until the next call. */
const char *attempt_where(struct attempt *a);
/* Kill and forget, whatever its state. */
void attempt_end(struct attempt *a);

/* --- what a file has to hold --------------------------------------------- */

/* Zeroed anonymous memory for a copy of it, private or shared over fork. */
void *buffer(size_t len);
void *buffer_shared(size_t len);

/*
 * Compare the @len bytes at @want with the file, by read(2) from offset 0
 * (unless @fd is -1), and with the mapping of them at @p (unless NULL). NULL
 * when all agree, else what differs first: static, valid until the next call.
 */
const char *wrong_data(int fd, const void *p, const void *want, size_t len);

/* CHECK of it: CHECK_DATA(fd, p, want, len, "the source after %s", "that") */
#define CHECK_DATA(fd, p, want, len, fmt, ...)                                 \
	({                                                                     \
		const char *__w = wrong_data(fd, p, want, len);                \
		CHECK(!__w, fmt ": %s", ##__VA_ARGS__, __w ? __w : "right");   \
	})

/* Load the byte at @p, or load and store it: 0, or the signal that it gave
 * (SIGBUS, SIGSEGV). Safe in threads. */
int try_access(volatile void *p, bool store);

/* memcpy() into or out of a mapping; false when it is not done within
 * @seconds (scaled), as when a fault is retried for ever, or gives SIGBUS. Not
 * in threads: it uses SIGALRM. */
bool try_copy(void *to, const void *from, size_t len, double seconds);

/* As the "vmsplice" reference, on a pipe of one's own: so that it can be held
 * by another process than takes it. Drop says whether what was read through
 * the reference is what @want (may be NULL) holds. */
void pipe_hold(int fds[2], void *p, size_t len);
bool pipe_drop(int fds[2], const void *want, size_t len);

/* --- peers: another process that does what it is told -------------------- */

/*
 * Runs functions in a process of its own, one after the other: its statics
 * and mappings stay from call to call. @arg has to be valid there: memory
 * shared, or unchanged since peer_start().
 */
struct peer {
	pid_t pid;
	int fd;
};

void peer_start(struct peer *p);
/* Run fn(arg) there and wait; its value. BROKEN when the peer dies of it. */
int peer_call(struct peer *p, int (*fn)(void *arg), void *arg);
/* The same in two: start it, then wait at most @seconds (scaled): true, with
 * its value in *@ret (may be NULL). */
void peer_send(struct peer *p, int (*fn)(void *arg), void *arg);
bool peer_reply(struct peer *p, double seconds, int *ret);
/* Let it exit by itself, and wait: its wait status, or -1 if it does not. */
int peer_end(struct peer *p);

/*
 * One round of map, store, hold, truncate, grow and clone of a file of its own
 * in the case's folder, with all data compared. false when something was FAIL.
 * @n numbers the round.
 */
bool busy_round(unsigned int n);

/* --- the filesystem and the namespace below (WL_OWNS_FS) ------------------ */

/* Leave the case's folder: before unmounting, and before a peer is started. */
void fs_leave(void);
/* Unmount: 0 or an errno. An attempt's function. */
int fs_umount(void *arg);
/* Mount it again as the agent does, and enter the case's folder. */
void fs_mount(void);
/* Only mount it, from whatever folder: NULL, or what went wrong. */
const char *fs_mount_again(void);
/* Unbind the namespace, and probe it again: NULL, or what went wrong. */
const char *ns_disable(void);
const char *ns_enable(void);
/* Where in @fd the byte @block of the device is (FIEMAP), or -1. */
off_t offset_of(int fd, off_t block);

/* --- time ---------------------------------------------------------------- */

double wl_now(void);	/* monotonic seconds */
/* Poll @cond every millisecond for at most @seconds (scaled). Its value. */
#define WAIT_FOR(cond, seconds)                                                \
	({                                                                     \
		double __until = wl_now() + (seconds) * wl->scale;             \
		bool __ok;                                                     \
		while (!(__ok = (cond)) && wl_now() < __until)                 \
			usleep(1000);                                          \
		__ok;                                                          \
	})

/* Whole small file (sysfs, procfs) into @buf, NUL-terminated, one trailing
 * newline cut. Length or -1. */
ssize_t read_small(const char *path, char *buf, size_t size);
int write_small(const char *path, const char *text);

/* Run a program of the image to its end, output to the case's log as INFO
 * when it fails. Exit status, or -1 when it could not be started. */
int run_program(const char *const *argv);


#endif
