/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes: what takes blocks away from a file, or gives its data other blocks,
 * each with what the files must hold before and after it.
 *
 * A scene is three files of a few wl->unit each, written down as strings, one
 * letter a unit: "abc" is the victim as made, "ABC" the other file, '0' reads
 * as zeroes. The victim's 'b' is the unit that a reference is taken on.
 */
#ifndef WORKLOADS_CHANGE_H
#define WORKLOADS_CHANGE_H

#include "workload.h"

struct scene;
struct change {
	const char *name;
	int (*run)(struct scene *s);	/* 0 or an errno */
	void (*prepare)(struct scene *s); /* or NULL */
	/* What else has to hold afterwards, or NULL. */
	void (*verify)(struct scene *s);
	const char *other;		/* as made; NULL: no other file */
	const char *after;		/* the victim */
	const char *other_after;
	/* Need not wait for a reference: it takes no block away. */
	bool free_to_go;
	/* The victim's extents are shared: a store would take them apart. */
	bool shared;
};

struct scene {
	const struct change *change;
	int fd, other, near;	/* other: -1 when the change needs none */
	/* Where the victim, and in it the page to refer to, is mapped. */
	char *map, *page;
};

/* Make the files for the change named @name. With "-high" behind it the victim
 * is the file with the higher inode number of the two: XFS locks in that
 * order. SKIPs when they cannot be made so. */
void scene_make(struct scene *s, const char *name);
/* Map the victim and fault it in; sets map and page. */
void scene_map(struct scene *s);
void scene_unmap(struct scene *s);
/* The change itself: an attempt's fn, and @arg is the scene. */
int scene_change(void *arg);
/* SKIP when the attempt at the change has ended because this kernel or this
 * filesystem has no such operation. */
void scene_lacks(struct scene *s, struct attempt *a);
/* Drop the reference, taken where @held was: the attempt at the change has to
 * end then, and the files to be right. Ends the attempt. */
void scene_release(struct scene *s, struct attempt *a, struct ref *r,
		   const void *held);
/* Check all three files by read(2) and by a fresh mapping. */
void scene_check_before(struct scene *s);
void scene_check_after(struct scene *s);

/* Check that @fd holds @pieces, both ways; @what names it. 'a'-'z' are units
 * of fill()'s pattern of seed 1, 'A'-'Z' of seed 2, 'n' up of the neighbour's:
 * seed 1 as well, in a file of its own. Value: whether it does. */
bool check_units(int fd, const char *what, const char *pieces);

/*
 * Check that the page at @off of @fd, a file of fill()'s pattern of seed 1, now
 * holds the bytes at @want, both ways; @what says after what. Then put the
 * pattern back, for which the page's unit is @piece, so that check_units() can
 * look at all the rest.
 */
bool check_page(int fd, off_t off, const void *want, char piece,
		const char *what);

/*
 * Where a freed block goes: takes all free space of wl->mnt by files of this
 * case until one of them owns the byte @phys of the device. True: *@fd and
 * *@off say which file and where, and the page there holds fill()'s pattern
 * of REUSE_SEED; false: no file got it.
 */
#define REUSE_SEED 77
bool block_reused(off_t phys, int *fd, off_t *off);
/* Before that file is made, of at most 2 MiB: puts one beside it which, when
 * it grows, gets its blocks first, so that not all space need be taken. */
void block_reuse_prepare(void);
/* Whether the filesystem counts that block as free space (FS_IOC_GETFSMAP). */
bool block_free(off_t phys);
/* Give the space back. */
void block_reuse_end(void);

#endif
