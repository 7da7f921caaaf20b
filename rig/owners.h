/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which file has, or last had, a byte of the device, and which references the
 * workloads said that they hold: made from the agent's events as they arrive.
 * What they say is the guest's word, kept within bounds.
 *
 * Events, by their member "ev"; other members are ignored, other events too:
 *   {"ev":"extents","case":C,"file":F,"ino":I,"extents":[[OFF,DEV,LEN],...]}
 *	blocks that F has, beside those that it is known to have
 *   {"file":F,"ino":I,"extents":[...]}, without "ev"
 *	all blocks that F has
 *   {"ev":"hold","case":C,"id":N,"kind":K,"file":F,"off":OFF,
 *    "extents":[[DEV,LEN],...]}
 *   {"ev":"release","case":C,"id":N}
 * OFF is a byte of the file, DEV of the device (/dev/pmemN).
 */
#ifndef RIG_OWNERS_H
#define RIG_OWNERS_H

#include "util.h"

#include <json-c/json.h>

struct owner {
	const char *file;	/* printable */
	const char *case_name;	/* printable, or NULL: not said */
	uint64_t ino;
	uint64_t off;		/* of the byte that was asked for, in the file */
	double since, until;	/* INFINITY: it has it still */
	bool is_now;		/* it has it; else it had it last */
};

struct owner_hold {
	const char *kind;	/* "vmsplice"; printable */
	const char *file, *case_name;	/* printable; NULL: not said */
	uint64_t off;		/* of the byte that was asked for, in the file */
	double since, until;
};

/* Zeroed to begin with. */
struct owners {
	double t;		/* the time, set by the caller at will: what is
				 * added now is so since then */
	struct owner_ext *now, *past;	/* @past in the order they ended */
	size_t nr_now, cap_now, nr_past, cap_past;
	struct owner_ref *refs;		/* holds, in their order */
	size_t nr_refs, cap_refs;
	struct owner_file *files;
	size_t nr_files, cap_files;
	uint64_t dropped;	/* events' parts that were too much to keep */
	struct owner found;
	struct owner_hold held;
};

/* @ev about the namespace numbered @ns. */
void owners_add(struct owners *o, unsigned int ns, struct json_object *ev);
/* No file of @case_name is there any more, and nothing that it held; nor what
 * came without a case. Or: no file of anybody's in namespace @ns, which was
 * made anew or has a new filesystem. */
void owners_gone_case(struct owners *o, const char *case_name);
void owners_gone(struct owners *o, unsigned int ns);
void owners_free(struct owners *o);

/* Byte @dev of namespace @ns: who has it, else who had it last; NULL: nobody
 * that is known. Valid until the next call. */
const struct owner *owners_find(struct owners *o, unsigned int ns,
				uint64_t dev);
/* The same as of time @t. */
const struct owner *owners_find_at(struct owners *o, unsigned int ns,
				   uint64_t dev, double t);
/* A reference to it that was held at time @t; NULL: none. */
const struct owner_hold *owners_hold_at(struct owners *o, unsigned int ns,
					uint64_t dev, double t);

#endif
