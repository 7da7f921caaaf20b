#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel source tree: bookworm's, configured from the fragments and built out
# of tree, has the same bugs as the packaged kernel. Ten minutes on two cores
# when nothing is cached.
. "$(dirname "$0")/lib.sh"

ok "bookworm's source builds, boots and has findings" \
	run tree 1 debian-src:bookworm -w pin-unmap-truncate:vmsplice \
	-w reflink-mmap-truncate -w zap:munmap
ok "dax_disassociate_entry is found, with its path in the tree" \
	finding tree "WARNING in dax_disassociate_entry (fs/dax.c:" \
	pin-unmap-truncate:vmsplice/xfs/4k
ok "dax_insert_entry is found" \
	finding tree "WARNING in dax_insert_entry (fs/dax.c:" \
	reflink-mmap-truncate:
ok "no requested Kconfig symbol fell away" \
	sh -c "! grep -i 'fell away' '$tmp/tree.err'"
finish
