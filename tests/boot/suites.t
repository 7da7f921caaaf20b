#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The other refcount models on real kernels: trixie (1-based, 6.12) and forky
# (0-based, 7.x) run through to a report, and differ where they should.
. "$(dirname "$0")/lib.sh"

some="-w pin-unmap-truncate:vmsplice -w zap:munmap -w pin-write"
ok "trixie runs through, with findings" run trixie 1 debian:trixie $some
ok "trixie still lets truncate pass an unmapped reference" \
	finding trixie "WARNING in dax_disassociate_entry (fs/dax.c:" \
	pin-unmap-truncate:vmsplice/xfs/4k

through()
{
	run forky 0 debian:forky $some || run forky2 1 debian:forky $some
}
ok "forky runs through" through
[ -d "$tmp/forky2" ] && f=forky2 || f=forky
ok "on forky truncate waits: the 0-based count is looked at unmapped" \
	status $f pin-unmap-truncate:vmsplice/xfs/4k PASS
ok "with 2 MiB pages too" status $f pin-unmap-truncate:vmsplice/ext4/2m PASS
finish
