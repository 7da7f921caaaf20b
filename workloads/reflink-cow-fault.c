// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copy on write by a store through a mapping: fs/dax.c dax_fault_iter() gets a
 * new block from the filesystem, copies the old one, and dax_insert_entry()
 * swaps the entry, after unmapping the old page from every page table of this
 * file. One left mapped keeps showing the old block; an extent copied short
 * loses the bytes around the store; an entry not disassociated keeps ->mapping.
 */
#include "workload.h"
#include "reflink.h"

static const struct reflink_variant variants[] = {
	{ "store-source", { CLONE, MAP_A, STORE_A, MAP_B, LOAD_B, CUT_B } },
	{ "store-dest", { CLONE, MAP_B, STORE_B, MAP_A, LOAD_A, CUT_A } },
	{ "load-then-store",
	  { CLONE, MAP_A, MAP_B, LOAD_A, LOAD_B, STORE_A, STORE_B, FILL_A } },
	{ "store-clone-store",
	  { MAP_A, MAP_B, FILL_A, CLONE, STORE_A, CLONE, STORE_A, STORE_B } },
	{ "two-processes",
	  { CLONE, PEER_A, PEER_B, PEER_STORE_A, PEER_STORE_B, CUT_A } },
	{ "mapped-in-both",
	  { CLONE, MAP_A, LOAD_A, PEER_A, PEER_STORE_A, STORE_A } },
	{ "dedupe",
	  { MAP_A, MAP_B, LOAD_A, LOAD_B, DEDUPE, STORE_A, STORE_B, CUT_A } },
	{ "dedupe-unmapped", { DEDUPE, MAP_A, MAP_B, STORE_B, LOAD_A } },
	{ "copy-range",
	  { MAP_A, MAP_B, LOAD_A, LOAD_B, COPY, STORE_B, STORE_A, CUT_B } },
	{ "sync",
	  { CLONE, MAP_A, MAP_B, STORE_A, SYNC_A, STORE_A, STORE_B, SYNC_B,
	    SYNC_A, CUT_A } },
	{ NULL, { END } },
};

static void run(void)
{
	reflink_run(variants);
}

WORKLOAD(
	.name = "reflink-cow-fault",
	.help = "a store to a shared extent changes one file, all mappings of it",
	.point = "entry-lifetime",
	.on = ON_XFS,
	.with = WITH_BOTH,
	.runtime = 1,
	.variants = (const char *const[]){
		"store-source", "store-dest", "load-then-store",
		"store-clone-store", "two-processes", "mapped-in-both",
		"dedupe", "dedupe-unmapped", "copy-range", "sync", NULL },
	.run = run,
);
