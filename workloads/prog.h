/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs: texts of operations, made from a seed, run by several threads, cut
 * smaller, and printed as C. docs/programs.md has the text's form.
 *
 *   prog-text.c    text to steps and back
 *   prog-gen.c     from a seed to a text
 *   prog-model.c   what every file has to hold, in pieces: prog-content.c
 *   prog-check.c   comparing, and naming what is found instead
 *   prog-slots.c   files, mappings and references that steps name
 *   prog-maps.c    what mappings hold, private copies among it
 *   prog-child.c   child processes of a step
 *   prog-background.c  what goes on beside the steps
 *   prog-wait.c    the watch over what blocks, returns early or spins
 *   prog-run.c     the threads
 *   prog-emit.c    a program as a C file of its own
 *   op-NAME.c      one operation each, ending in OP(...)
 *
 * An operation is one file. It says what its arguments are, how to run it, what
 * it does to the model, and how it is written in C.
 */
#ifndef WORKLOADS_PROG_H
#define WORKLOADS_PROG_H

#include "prog-content.h"
#include "workload.h"

#include <json-c/json.h>
#include <pthread.h>
#include <setjmp.h>

#define NR_SLOTS 8		/* of each kind that steps name */
#define MAX_ARGS 8
#define MAX_LANES 8
#define MAX_STEPS 1000
/* Files are small: what goes beyond is cut. */
#define MAX_FILE MiB(8)
#define MAX_IO MiB(4)

/* --- operations ------------------------------------------------------------ */

enum arg_type {
	ARG_FD,		/* slot of an open file */
	ARG_NAME,	/* of a file: a letter, 'a' is 0 */
	ARG_MAP,	/* slot of a mapping */
	ARG_REF,	/* slot of a reference that is held */
	ARG_OFF,	/* bytes, a position */
	ARG_LEN,	/* bytes, an amount */
	ARG_NUM,	/* a small number, below @max */
	ARG_WORD,	/* one of @words */
};

struct op_arg {
	const char *name;
	enum arg_type type;
	const char *const *words;	/* NULL-terminated */
	uint64_t max;			/* of ARG_NUM; 0: none */
	/* For the generator: a slot that is empty, to be filled. */
	bool fresh;
	/* An offset or length in the mapping or the file of the slot named
	 * last before it: in multiples of this at least (1 if 0). */
	uint64_t align;
};

enum op_flags {
	/* Only in programs that ask for it by name or group. */
	OP_ASKED = 1,
	/* All other threads stand still meanwhile ('*'). */
	OP_ALONE = 2,
	/* Takes the filesystem or the namespace away: the program gets one of
	 * its own. Implies OP_ALONE. */
	OP_OWNS_FS = 4,
};

struct lane;
struct step;
struct gen;
struct emit;

/* run(): nothing to act on, as when a slot is empty. */
#define VOID (-1)

struct op {
	const char *name;
	const char *help;
	/* Blank-separated groups to name it by beside its own name:
	 * "pin"	takes a reference on pages
	 * "reflink"	makes extents shared
	 * "layout"	frees or moves blocks, so has to wait for references
	 * "map" "io" "mm" "admin" "background" */
	const char *groups;
	unsigned int weight;		/* against other operations' */
	unsigned int on;		/* ON_*; 0 is ON_FS */
	unsigned int flags;
	const char *modules, *programs;	/* as a workload's */
	struct op_arg args[MAX_ARGS];	/* ended by one without a name */
	/*
	 * Called when the arguments have been made up: change them as the
	 * operation wants them and tell @g what the step does to slots and
	 * files. false: not now. May be NULL.
	 */
	bool (*gen)(struct gen *g, struct step *s);
	/* Faults may have to wait, each with the lock of the process' mappings,
	 * for what the step sets up: undoes that, from whatever process. */
	void (*let_faults)(void);
	/* 0, an errno, or VOID. Whatever it use_*()d and whatever span it
	 * opened ends with the step. */
	int (*run)(struct lane *l, const struct step *s);
	/*
	 * The step as C: a template in which $NAME is the argument NAME (a
	 * slot's number, a letter, a number, a word), $$ a dollar, $letter the
	 * byte that stands for this step's data. Helpers of prog-emit.c that
	 * it calls are blank-separated in @c_uses. For what a template cannot
	 * say: emit().
	 */
	const char *c;
	const char *c_uses;
	void (*emit)(struct emit *e, const struct step *s);
	/* What a right kernel does, for the C file's comment; may be NULL. */
	const char *must;
};

#define OP(...)                                                                \
	static const struct op this_op = { __VA_ARGS__ };                      \
	static const struct op *const this_op_p                                \
		__attribute__((used, section("ops"))) = &this_op

/* All of them in order of name; *@n is how many. */
const struct op *const *ops_all(size_t *n);
const struct op *op_find(const char *name);
/* Whether @word is its name or one of its groups. */
bool op_is(const struct op *op, const char *word);
unsigned int op_nr_args(const struct op *op);

/* --- programs -------------------------------------------------------------- */

struct step {
	const struct op *op;
	int thread;		/* -1: '*' */
	unsigned int nr;	/* from 1 on; names its data */
	uint64_t arg[MAX_ARGS];
};

struct prog {
	char seed[48];		/* "7.23", or "" */
	char fs[16];
	unsigned int threads;
	bool alone;
	struct step *v;
	size_t n;
};

/* 0, or -EINVAL with one line in *@why, a static buffer. */
int prog_parse(struct prog *p, const char *text, const char **why);
void prog_free(struct prog *p);
/* The caller's. */
char *prog_print(const struct prog *p);
/* One step as its line, without a newline, into @buf. */
const char *step_print(const struct step *s, char *buf, size_t size);

/* --- making them (prog-gen.c) ------------------------------------------------ */

struct gen_opts {
	uint64_t seed;
	unsigned int index;
	const char *fs;
	unsigned int threads;	/* at most */
	char **with, **without;	/* NULL-terminated words, or NULL */
};
/* The first word of with/without that names nothing, or NULL. */
const char *gen_unknown(const struct gen_opts *o);
void gen_program(const struct gen_opts *o, struct prog *out);

/* What the generator thinks that there is: right for one thread if all goes
 * well, a guess otherwise. */
struct gen_file {
	bool used;
	uint64_t size;
	bool shared;		/* some of its extents may be */
};
struct gen_map {
	int file;		/* -1: none */
	uint64_t off, len;
	bool private, writable, touched;
};
struct gen {
	uint64_t state;
	const struct gen_opts *o;
	unsigned int on;
	int fd[NR_SLOTS];	/* file, or -1 */
	int name[NR_SLOTS];
	struct gen_file file[64];
	struct gen_map map[NR_SLOTS];
	int ref[NR_SLOTS];	/* file that the reference is on, or -1 */
	bool gate_closed, frozen;
	struct prog *out;
};
uint64_t gen_u64(struct gen *g);
/* 0 .. @n - 1. */
unsigned int gen_below(struct gen *g, unsigned int n);
bool gen_chance(struct gen *g, unsigned int percent);
/* A new file behind name slot @name, or the one that is there. */
int gen_file_of_name(struct gen *g, unsigned int name);
/* The file behind an fd slot, or NULL. */
struct gen_file *gen_file_of_fd(struct gen *g, uint64_t fd);
/* A length that likes blocks and their boundaries. */
uint64_t gen_len(struct gen *g);
/* A position in a file of @size bytes. */
uint64_t gen_off(struct gen *g, uint64_t size);

/* --- what files hold (prog-model.c) ------------------------------------------ */

/* A file, whatever names, descriptors, mappings and references it has. */
struct ino {
	unsigned int id;	/* 1 .. 63, names its data */
	unsigned int uses;
	unsigned int names;	/* of its uses those that are names */
	uint64_t size;
	struct content holds;
	bool size_unsure;
	uint16_t *last;		/* a page: the step that changed it last */
	uint64_t flow;		/* bit of each file whose data may be here */
	bool moved;		/* ... and at other offsets than it had there */
	bool shifted;		/* ... by other than whole words */
	bool shared;		/* extents may be, or have been, shared */
	bool poisoned;		/* MADV_HWPOISON hit it */
	uint64_t changes;	/* counts them */
	unsigned int told;	/* bits of views that a finding was made of */
};

/* A range that a step reads or changes now. Another that changes it meanwhile
 * leaves nobody sure of what was read, or is there. */
struct span {
	struct lane *lane;	/* NULL: a reference's */
	struct ino *ino;
	uint64_t off, end;
	bool write;
	bool clash;
	bool settled;		/* the model knows the outcome */
	/* One through a mapping (prog-maps.c). */
	struct map *map;
	uint64_t copies;	/* map->copies when it was opened */
	bool copying;		/* it may change which copies there are */
	struct span *next;
};

/* The word that @step has for position @off of the file @file (by id): what
 * its data looks like. */
uint64_t data_word(unsigned int file, unsigned int step, uint64_t off);
/* @len bytes of it at @p, for file position @off. */
void data_fill(void *p, const struct ino *ino, unsigned int step, uint64_t off,
	       size_t len);

/* Open a span for the rest of the step. Lengths are cut at MAX_FILE. */
struct span *will_read(struct lane *l, struct ino *ino, uint64_t off,
		       uint64_t len);
struct span *will_write(struct lane *l, struct ino *ino, uint64_t off,
			uint64_t len);
/* As will_write(), up to the end of the file, whatever its size: sizes and
 * positions change. */
struct span *will_change(struct lane *l, struct ino *ino, uint64_t off);

/*
 * What the step did, once it is known to have: in an open span for writing.
 * Each makes the file longer where it reaches beyond its end, but for
 * model_zero(). model_data() takes the bytes from @from, which costs a look at
 * each; model_wrote() knows them to be the step's, by data_fill() for there.
 */
void model_wrote(struct lane *l, struct span *sp, uint64_t off, uint64_t len);
void model_data(struct lane *l, struct span *sp, uint64_t off, const void *from,
		uint64_t len);
void model_zero(struct lane *l, struct span *sp, uint64_t off, uint64_t len);
void model_size(struct lane *l, struct span *sp, uint64_t size);
/* Bytes from @off on go, or @len bytes of zeroes come, and what follows moves. */
void model_collapse(struct lane *l, struct span *sp, uint64_t off, uint64_t len);
void model_insert(struct lane *l, struct span *sp, uint64_t off, uint64_t len);
/* @src is open for reading or writing. Shared: by reflink. */
void model_copy(struct lane *l, struct span *dst, uint64_t doff,
		struct span *src, uint64_t soff, uint64_t len, bool shared);
void model_swap(struct lane *l, struct span *a, uint64_t aoff, struct span *b,
		uint64_t boff, uint64_t len);
/* All of it is as it was, but maybe in other blocks; @shared: they may be
 * another file's, too. */
void model_same(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		bool shared);
/* Nothing was changed after all, or nobody knows what was. */
void model_nothing(struct span *sp);
/* What @from holds is about to be in @to, too: in other blocks, or maybe in the
 * same. */
void will_copy(struct ino *to, const struct ino *from);
/* Its data may come to be where its own words do not begin: what is unsure then
 * tells nothing. model_copy() sees to it, too, but afterwards. */
void will_shift(struct ino *ino);
void will_flow(struct ino *to, struct ino *from);
void model_unsure(struct lane *l, struct span *sp, uint64_t off, uint64_t len);

/* --- comparing (prog-check.c) ------------------------------------------------- */

/*
 * @n bytes at @got are what @view ("read(2)", "a shared mapping", "a pipe")
 * has of @ino from @off on; @sp is open for reading. What is wrong is a
 * finding, once a file and view. Beyond the end of file nothing is compared.
 */
void check_data(struct lane *l, struct span *sp, uint64_t off, const void *got,
		size_t n, const char *view);
/* The same of a page that is no longer the file's, but a copy of it: @want has
 * it at @at. */
void check_copy(struct lane *l, struct span *sp, uint64_t off, const void *got,
		const struct content *want, uint64_t at, size_t n,
		const char *view);
/* The same against bytes. */
void check_bytes(struct lane *l, struct span *sp, uint64_t off, const void *got,
		 const void *want, size_t n, const char *view);
/* How many bytes a read of @want bytes at @off has to give: a finding when
 * it gave @got. */
void check_count(struct lane *l, struct span *sp, uint64_t off, uint64_t want,
		 uint64_t got);
/* All files by read(2), all mappings, against the model; where nobody was sure,
 * the model takes what read(2) says. No other thread runs. */
void check_all(struct lane *l);
/* The call failed in a way that no right kernel would: EIO, EUCLEAN and the
 * like, unless something poisoned the file. */
void check_error(struct lane *l, struct ino *ino, int err);
/* A fault gave SIGBUS at file position @off, which is inside the file. */
void check_sigbus(struct lane *l, struct span *sp, uint64_t off);

/* A finding; @detail (or NULL) is put. @kind: "data" or "waiting". */
void finding(const char *kind, const char *key, const char *title,
	     const char *text, struct json_object *detail);

/* --- slots (prog-slots.c) ------------------------------------------------------ */

struct file {			/* an open one */
	int fd;			/* -1: the slot is empty */
	struct ino *ino;
	unsigned int users;
	bool closing;
	bool direct, append, readonly;
	/* Over a seek and what goes on from there. */
	pthread_mutex_t position;
};

struct map {
	char *p;		/* NULL: the slot is empty */
	size_t len;
	uint64_t off;		/* in the file */
	struct ino *ino;
	int prot;
	bool private, sync;
	bool locked;		/* by mlock(2), or was */
	unsigned int users;
	bool gone;		/* unmapped; empty when nobody uses it */
	/* A private one: pages that were stored to, and what they hold; for
	 * MAX_FILE bytes, as it may grow. */
	uint8_t *own;		/* 0: the file's, 1: ours, 2: nobody can say */
	struct content copy;	/* by positions in the mapping */
	uint64_t copies;	/* counts changes of the two, both ends of each */
	unsigned int copiers;	/* spans that may change them now */
	bool mixed;		/* there were two of them at a time */
	struct lane *changer;	/* who moves, resizes or unmaps it */
};

/* Something that holds references on pages of a file until it is let go. */
struct hold {
	bool used;
	unsigned int id;	/* never used again */
	const char *kind;	/* "vmsplice", as findings say */
	struct ino *ino;
	struct map *map;	/* until it is held */
	uint64_t copies;	/* map->copies before it was taken */
	uint64_t off, len;	/* in the file, whole pages */
	int64_t dev[16];	/* the device's pages, at most so many */
	unsigned int nr_dev;	/* 0: copies, or a hole's page, or unknown */
	bool detached;		/* not the file's any more, or not for sure */
	bool looked;		/* for its pages */
	bool doubt;		/* nobody can say which pages they are */
	bool loose;		/* may end by itself: nobody has to wait for it */
	bool held, releasing;
	uint64_t changes;	/* ino->changes when it was taken */
	int log;		/* its number in the host's log, or 0 */
	struct span *span;	/* its own, when something writes through it */
	/* Let go, and compare what came through it. Called once, without locks,
	 * by any thread. */
	void (*release)(struct lane *l, struct hold *h);
	int fds[4];
	void *p;
	uint64_t n;
};

/* The slot's, until the step ends; NULL when it is empty. */
struct file *use_fd(struct lane *l, uint64_t slot);
struct map *use_map(struct lane *l, uint64_t slot);
/* An empty slot for this step to fill, or NULL. */
struct file *fresh_fd(struct lane *l, uint64_t slot);
struct map *fresh_map(struct lane *l, uint64_t slot);
/* As use_map(), for a step that changes where, how long or how it is mapped:
 * one such at a time, or NULL. Others may load and store meanwhile. */
struct map *change_map(struct lane *l, uint64_t slot);
/* For closing: nobody else uses it, or NULL. A mapping may go while others use
 * it: its address is not used again before they are done. */
struct file *last_fd(struct lane *l, uint64_t slot);
/* Cut what a step wants of @m to what is mapped now: false when that is nothing.
 * Another step may make it shorter at any time. */
static inline bool map_cut(const struct map *m, uint64_t off, uint64_t *len)
{
	uint64_t have = __atomic_load_n(&m->len, __ATOMIC_RELAXED);

	if (off >= have)
		return false;
	if (*len > have - off)
		*len = have - off;
	if (*len > MAX_IO)
		*len = MAX_IO;
	return *len > 0;
}
/* As it is mapped at the address that belongs to the slot. */
void *map_address(uint64_t slot);
/* The slot is filled (@ino gets one more use), or emptied. A private mapping
 * that is moved brings its copies (@with->own not NULL), which nobody can tell
 * any more if several steps were at them (@with->mixed). */
void fill_fd(struct lane *l, struct file *f, int fd, struct ino *ino);
void fill_map(struct lane *l, struct map *m, const struct map *with);
void empty_fd(struct lane *l, struct file *f);
void empty_map(struct lane *l, struct map *m);

/* The file's pages from @off on went away for good: what private mappings had
 * of their own there may be gone with them (mm/memory.c unmap_mapping_range(),
 * even_cows). */
void private_lost(struct ino *ino, uint64_t off);

/* The path of a name slot ("a"), and the file it names, with one more use for
 * the step; NULL: there is none. */
const char *name_path(uint64_t slot);
struct ino *use_name(struct lane *l, uint64_t slot);
/* It names @ino from now on (NULL: nothing); returns what it named. */
void name_set(struct lane *l, uint64_t slot, struct ino *ino);
/* Held by whoever makes, removes or moves names, over its system call, so that
 * the model has them in the same order. */
extern pthread_mutex_t names_lock;
/* A new file, empty, with one use for the step. */
struct ino *ino_new(struct lane *l);

/* Whether the file goes with the one descriptor, mapping or name that this step
 * is about to take away: nothing else has it but references. */
bool ino_ends(struct lane *l, struct ino *ino);

/* Space for a reference, or NULL: the slot is taken. Then, when it is held,
 * ref_held(), or ref_none() when it could not be taken. The pages are those at
 * @off of @m, mapped now. */
struct hold *fresh_ref(struct lane *l, uint64_t slot, const char *kind,
		       struct map *m, uint64_t off, uint64_t len);
void ref_held(struct lane *l, struct hold *h);
/* The part of it that may wait for locks of the process' mappings. */
void ref_pages(struct hold *h);
/* It is on the pages that @as, taken by this thread, is on. */
void ref_held_as(struct lane *l, struct hold *h, const struct hold *as);
void ref_none(struct lane *l, struct hold *h);
/* The one in the slot, for this thread to release; NULL when it is empty, or
 * somebody else does. */
struct hold *take_ref(struct lane *l, uint64_t slot);
void ref_release(struct lane *l, struct hold *h);
/* It was taken, and stays as it is. */
void ref_keep(struct hold *h);
/* Take all that @which says at one time, into @out: how many. */
unsigned int take_refs(bool (*which)(const struct hold *h),
		       struct hold *out[NR_SLOTS]);
/* What came through @h, which is read only: compare it. */
void ref_check(struct lane *l, struct hold *h, const void *got, size_t len);

/* Copy into or out of a mapping: 0, or the signal that it gave. *@done bytes
 * were copied by then. Without a buffer, one byte of each page is loaded, or the
 * one that is there is stored, atomically. */
int map_copy_in(char *to, const void *from, size_t len, size_t *done);
int map_copy_out(void *to, const char *from, size_t len, size_t *done);

/* Accesses of other kinds: 0, or the signal that @fn was left by. */
int run_guarded(void (*fn)(void *arg), void *arg);

/* --- through mappings (prog-maps.c) ------------------------------------------- */

/*
 * The step is about to load from, or to store to, [@off, @off + @len) of @m,
 * which is inside it. A store to a private mapping reads the file, whole pages
 * of it, as it copies them.
 */
struct span *map_will_load(struct lane *l, struct map *m, uint64_t off,
			   uint64_t len);
struct span *map_will_store(struct lane *l, struct map *m, uint64_t off,
			    uint64_t len);
/* Loads gave the @n bytes at @got for @off of the mapping: compare. @view as
 * check_data()'s; NULL: the mapping itself. */
void map_loaded(struct lane *l, struct span *sp, uint64_t off, const void *got,
		size_t n, const char *view);
/*
 * Stores to @off of the mapping brought it the first @done bytes at @from.
 * @partly: they were stopped then, by a signal or an error, and the next page
 * may have some of its own, too.
 */
void map_stored(struct lane *l, struct span *sp, uint64_t off,
		const void *from, size_t done, bool partly);
/* Faults for writing, which change no data but may make copies or move blocks
 * (copy on write). @sure: all of these pages did fault. */
void map_faulted(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		 bool sure);
/* Nobody can say what is there now. */
void map_unknown(struct lane *l, struct span *sp, uint64_t off, uint64_t len);
/* For a step that makes or drops copies, and changes nothing of the file. */
struct span *map_will_copy(struct lane *l, struct map *m, uint64_t off,
			   uint64_t len);
/* Copies of these whole pages are gone; @sure: all of them. */
void map_dropped(struct lane *l, struct span *sp, uint64_t off, uint64_t len,
		 bool sure);

/* --- children (prog-child.c) ---------------------------------------------------- */

/*
 * A child process of the step, with all mappings as they are now. fn(arg) runs
 * in it: by calls that are safe in signal handlers only, and without the model,
 * as another thread may have had any lock. It has no descriptor but 0 to 2 and
 * @keep (-1: none). -1 with errno when there can be none. The step may wait for
 * it a little longer than for a lock.
 */
pid_t child_start(struct lane *l, int (*fn)(void *arg), void *arg, int keep);
/* An fn that does nothing until the child is killed. */
int child_pauses(void *arg);
/* Wait for it to end (@kill: kill it first): its wait status. */
int child_end(pid_t pid, bool kill);
/* Memory that is shared with children; NULL when there is none. To be
 * munmap()ped. */
void *child_memory(size_t len);

/* --- beside the steps (prog-background.c) ----------------------------------------- */

/* Whether the step may start something that goes on beside the others: there is
 * one at a time. If so background_is() has to follow, with what stops it, or with
 * NULL if it did not start. @stop is called once, before the next '*' step: it
 * may take ten (scaled) seconds, and leaves nothing behind. */
bool background_begins(void);
void background_is(void (*stop)(struct lane *l, void *arg), void *arg);

/* --- waiting (prog-wait.c) ------------------------------------------------------ */

/*
 * The step frees or moves these blocks of the file: it has to wait for the
 * references that are held on them. To be called before the system call. A
 * step that returns 0 while one of them is still held is a finding.
 */
void will_free(struct lane *l, struct ino *ino, uint64_t off, uint64_t len);

/* What can be undone for steps that wait, and is when they wait for long: a
 * closed gate, a frozen filesystem. @undo is called once, by any thread; NULL:
 * it was undone. */
void obstacle_set(const char *what, void (*undo)(void));

/* --- running (prog-run.c) -------------------------------------------------------- */

struct lane {
	int nr;			/* -1: the one that watches */
	pthread_t thread;
	pid_t tid;
	const struct step *volatile step;	/* NULL: it stands still */
	volatile uint64_t steps_begun;
	volatile bool in_step;
	char *buf;		/* MAX_IO bytes, for the step's data */
	struct file *files[4];
	struct map *maps[4];
	struct ino *inos[6];
	unsigned int nr_files, nr_maps, nr_inos;
	unsigned int must[NR_SLOTS];	/* ids of holds that it must wait for */
	unsigned int nr_must;
	double patience;	/* seconds that the step may sleep for */
	double settle;		/* seconds asleep that mean blocked, or 0 */
};

struct exec {
	const struct prog *prog;
	pthread_mutex_t lock;	/* of all below, never held over a wait */
	struct file files[NR_SLOTS];
	struct map maps[NR_SLOTS];
	struct hold holds[NR_SLOTS];
	struct ino *names[NR_SLOTS];
	struct ino inos[64];
	struct span *spans;
	struct lane lanes[MAX_LANES + 1];
	unsigned int nonce, hold_ids;
	/* What steps came to, for the last word. */
	unsigned int nr_void, nr_failed, nr_waited;
	bool poisoned;		/* something was */
};
extern struct exec *ex;

/* Run it, once in a process. Seconds that its steps took, but for '*' ones and
 * what is done at the end. */
double prog_execute(const struct prog *prog);
/* The program @text as a case; ends the process. */
void prog_run(const char *text);

/* --- as C (prog-emit.c) ------------------------------------------------------------ */

/* A line of the C file, at the step's place. */
void emit_line(struct emit *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* As .c and .c_uses say. */
void emit_c(struct emit *e, const struct step *s, const char *c);
void emit_uses(struct emit *e, const char *helpers);
/* The byte that stands for the step's data: 'A' .. */
char emit_letter(const struct step *s);
/* The whole file, the caller's. @finding may be NULL. */
char *prog_emit(const struct prog *p, struct json_object *finding);

#endif
