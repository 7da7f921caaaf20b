/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two files, A and B, that share extents, taken through a list of steps. After
 * every step both are compared, byte for byte, with what they have to hold: by
 * read(2), and through the mappings that have been touched by then.
 */
#ifndef WORKLOADS_REFLINK_H
#define WORKLOADS_REFLINK_H

enum reflink_step {
	END,
	CLONE,		/* FICLONE A -> B */
	CLONE_BACK,	/* FICLONE B -> A */
	CLONE_PART,	/* FICLONERANGE of the second unit A -> B */
	DEDUPE,		/* FIDEDUPERANGE of B with A: B is made as A first */
	COPY,		/* copy_file_range A -> B, of the whole file */
	MAP_A, MAP_B,	/* shared, read and write, untouched */
	RO_A, RO_B,	/* shared, read only, untouched */
	PEER_A, PEER_B,	/* shared, in another process, loaded */
	LOAD_A, LOAD_B,	/* fault all of the mapping in by loads */
	STORE_A, STORE_B,	/* store to its first and its last page */
	FILL_A, FILL_B,	/* store to all of it */
	PEER_STORE_A, PEER_STORE_B, /* as STORE, by the other process */
	WRITE_A, WRITE_B,	/* write(2) all of it */
	WRITE_PAGE_A, WRITE_PAGE_B,	/* write(2) its second page */
	WRITE_PART_A, WRITE_PART_B,	/* write(2) parts of pages */
	WRITE_OVER_A, WRITE_OVER_B,	/* write(2) over the middle */
	PUNCH_A, PUNCH_B,	/* a hole for its first page */
	ZERO_A, ZERO_B,	/* zero-range from the middle of a page to another's */
	UNSHARE_A, UNSHARE_B,
	CUT_A, CUT_B,	/* truncate to nothing */
	CUT_PART_A, CUT_PART_B,	/* truncate into the first unit */
	GROW_A, GROW_B,	/* truncate to the full length */
	SYNC_A, SYNC_B,
	UNMAP_A, UNMAP_B,
	UNLINK_A, UNLINK_B,	/* unmap, unlink, close */
};

struct reflink_variant {
	const char *name;
	enum reflink_step steps[20];
};

/* Make A and B, two units each, in the working directory, and take @steps. */
void reflink_pair(const enum reflink_step *steps);
/* The same for the one of @v (the last has no name) that wl->variant names; at
 * last both files are removed. */
void reflink_run(const struct reflink_variant *v);

#endif
