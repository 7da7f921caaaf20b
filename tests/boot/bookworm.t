#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A real run on Debian 12's kernel: the two refcount warnings that it is known
# for are found, with the workloads that raise them, and a workload that it
# passes raises nothing.
. "$(dirname "$0")/lib.sh"

ok "bookworm has findings, and the exit code says so" \
	run known 1 debian:bookworm -w pin-unmap-truncate:vmsplice \
	-w reflink-mmap-truncate
ok "dax_disassociate_entry is found under pin-unmap-truncate" \
	finding known "WARNING in dax_disassociate_entry (fs/dax.c:" \
	pin-unmap-truncate:vmsplice/xfs/4k
ok "dax_insert_entry is found under reflink-mmap-truncate" \
	finding known "WARNING in dax_insert_entry (fs/dax.c:" \
	reflink-mmap-truncate:
ok "the workload itself fails too" \
	finding known "pin-unmap-truncate:vmsplice: ftruncate waits" \
	pin-unmap-truncate:vmsplice/ext4

scan_agrees()
{
	cp "$tmp/known/findings.json" "$tmp/before.json"
	"$rig" scan "$tmp/known" >/dev/null
	cmp "$tmp/before.json" "$tmp/known/findings.json"
}
ok "rig scan makes the same findings.json from the logs alone" scan_agrees

ok "a workload that passes is a clean run" \
	run clean 0 debian:bookworm -w zap:munmap
ok "no NVDIMM file is left behind" \
	test -z "$(find "$tmp" -name '*.img')"
ok "--keep keeps it" run kept 0 debian:bookworm --keep \
	-w zap:munmap/xfs/4k
ok "and it is as large as the machine's" \
	test "$(stat -c %s "$tmp"/kept/boot-0/pmem0.img)" = 536870912

in_shell()
{
	printf 'echo marker-$((40 + 2)); mount; exit\n' |
		"$rig" shell debian:bookworm >"$tmp/shell" 2>&1
	grep -q marker-42 "$tmp/shell" &&
		grep -q '/mnt/0 type xfs .*dax=always' "$tmp/shell"
}
ok "rig shell has the namespace mounted with DAX" in_shell
finish
