#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Minimising on Debian 12's kernel: of a program of twenty steps in two threads
# the ones are left that its truncate() warning takes, and the C program made of
# them shows it again in rig shell's guest.
. "$(dirname "$0")/lib.sh"

cat >"$tmp/known.prog" <<END
rig-program 1
seed 1.1
fs xfs
threads 2
0 open fd=0 name=a how=create
0 pwrite fd=0 off=0 len=0x6000
1 open fd=1 name=b how=create
1 pwrite fd=1 off=0x1000 len=0x3000
0 mmap map=0 fd=0 off=0 len=0x4000 kind=shared prot=rw
1 mmap map=1 fd=1 off=0 len=0x4000 kind=shared prot=rw
0 store map=0 off=0x1000 len=0x2000
1 load map=1 off=0x1000 len=0x1000
* quiet
0 vmsplice ref=0 map=0 off=0x1000 len=0x1000
1 pwrite fd=1 off=0x5000 len=0x123
0 munmap map=0
1 pread fd=1 off=0 len=0x2000
0 truncate fd=0 size=0
1 munmap map=1
0 pwrite fd=0 off=0 len=0x1000
0 release ref=0
* quiet
1 close fd=1
0 close fd=0
END

found()
{
	code=0
	"$rig" replay "$tmp/known.prog" debian:bookworm --rundir "$tmp/run" ||
		code=$?
	nr=$(sed -n 's/^\([0-9]*\)\. WARNING in dax_disassociate_entry.*/\1/p' \
		"$tmp/run/report.txt")
	[ "$code" = 1 ] && [ -n "$nr" ]
}
ok "a program that is known to shows the warning" found
min=$tmp/run/minimize-$nr

minimized()
{
	"$rig" minimize "$tmp/run" --finding "$nr" >"$tmp/said" 2>"$tmp/err" &&
		return
	cat "$tmp/said" "$tmp/err"
	return 1
}
ok "it is minimised" minimized

steps()
{
	cat "$min/minimal.prog"
	[ "$(grep -c '^[0-9*]' "$min/minimal.prog")" -le 7 ] &&
		grep -q '^0 vmsplice' "$min/minimal.prog" &&
		grep -q '^0 truncate' "$min/minimal.prog" &&
		grep -q '^threads 1$' "$min/minimal.prog"
}
ok "to no more steps and threads than it takes" steps

often()
{
	cat "$tmp/said"
	grep -q '^minimal: .* in 20 of 20 runs: 83 to 100 %' "$tmp/said"
}
ok "which show it every time" often

in_c()
{
	cat "$tmp/said" "$min/reproducer.log"
	grep -q 'reproducer.c: shows it in [1-5] of 5 runs' "$tmp/said"
}
ok "as the C program does in rig shell's guest" in_c

remembered()
{
	lines=$(wc -l <"$min/journal.jsonl")
	cp "$tmp/said" "$tmp/before"
	minimized && cmp "$tmp/said" "$tmp/before" &&
		[ "$(wc -l <"$min/journal.jsonl")" = "$lines" ]
}
ok "a second time all of it is known" remembered
ok "no NVDIMM file is left behind" \
	test -z "$(find "$tmp" -name '*.img')"
finish
