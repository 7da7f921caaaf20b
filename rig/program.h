/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generated programs, seen from the host: texts that the agent makes from a
 * seed and runs as cases of the workload "program". What the steps of one mean
 * only the agent knows (`rig-agent --generate`, `--check-program`); docs of the
 * text's form are its own.
 *
 * A run keeps each as programs/NAME.prog before it is sent to the guest; its
 * case is program:NAME/FS.
 */
#ifndef RIG_PROGRAM_H
#define RIG_PROGRAM_H

#include "cases.h"

/* The workload that runs them. */
#define PROGRAM "program"
/* Threads of one at the most (workloads/prog.h MAX_LANES). */
#define MAX_THREADS 8
/* Bytes of the longest one that is taken. */
#define PROGRAM_MAX ((size_t)256 << 10)

struct program {
	char *name;		/* "7.23": seed and index, or the file's name;
				 * fit for a file's name and a case's */
	char *text;
	char *fs;		/* "xfs", "ext4", "devdax" */
	bool alone;		/* wants a filesystem of its own */
	struct strv modules, programs;	/* that the guest needs for it */
};
#define _program_ __cleanup(program_free)
void program_free(struct program *p);

/* What is asked of the generator. */
struct program_request {
	uint64_t seed, first;		/* the first one's index */
	unsigned int count;
	const char *fs;
	unsigned int threads;		/* at the most */
	const struct strv *with, *without;	/* operations and groups */
};

/*
 * @q->count programs, in an array that the caller frees, each by
 * program_free(). 0, or with an error printed EXIT_USAGE when a word of with or
 * without names nothing, else EXIT_RIG_FAILED.
 */
int program_generate(const struct program_request *q, struct program **out);

/*
 * The program of a file: checked, and its text as the agent writes it. 0, or
 * with an error printed EXIT_USAGE when it cannot be read or is none, else
 * EXIT_RIG_FAILED.
 */
int program_read(const char *path, struct program *out);
/* The same of @text; @what names it where it is found wrong, and is its name
 * if it has no seed. */
int program_check(const char *text, const char *what, struct program *out);

/* A case of it, at the end of the list, on the first namespace of @m that has
 * its filesystem. 0, or -ENOENT: the machine has none. */
int program_add(struct cases *c, const struct machine *m,
		const struct program *p);
/* The same on namespace @ns, which has it. */
void program_add_on(struct cases *c, int ns, const struct program *p);

/*
 * A case that owns its filesystem for steps that put back what they take away
 * (unmount, disable) only remounts it. Not if one of them is of an operation
 * that has to be asked for: what those leave, such as poison, outlasts that.
 */
void program_relax(struct rig_case *c, struct json_object *describe);

/* What @p needs, each once more in neither list. */
void program_wants(const struct program *p, struct strv *modules,
		   struct strv *programs);
/*
 * What the operations need that the generator may take, by `agent --describe`:
 * those that have to be asked for only if @with names them or a group of
 * theirs, none that @without names.
 */
void program_all_want(struct json_object *describe, const struct strv *with,
		      const struct strv *without, struct strv *modules,
		      struct strv *programs);

/* The case's program into @dir/programs, if it is not there. 0 or -errno. */
int program_save(const char *dir, const struct rig_case *c);
/* Path of the program that case @name of the run in @dir ran, the caller's;
 * NULL when that is no program's name. */
char *program_path(const char *dir, const char *name);

#endif
