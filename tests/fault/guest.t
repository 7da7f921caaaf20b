#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that hang, flood, lie or say what nobody understands.
. "$(dirname "$0")/../lib.sh"
quick='--timeout-mul 0.02'

# --- what hangs ---------------------------------------------------------------

begin 'a guest that stands still: the next boot goes on with the next case'
go '0.run#2=stop' $quick
exits 1
no_error
prints 'the guest stopped answering while a case ran'
prints '1 finding in 4 cases: 3 PASS 1 HANG, 2 boots'
holds report.txt 'fake_wait_forever+0x12/0x40'
holds boot-1/console.log 'rig: begin pin-unmap-truncate:vmsplice/ext4/4k'
holds_not boot-1/console.log 'rig: begin pin-unmap-truncate:vmsplice/xfs/2m'
end

begin 'one that does not even take an NMI'
go '0.run#2=dead' $quick
exits 1
prints '1 finding in 4 cases: 3 PASS 1 HANG, 2 boots'
end

begin 'an agent that dies in the middle of a case'
go '0.run#1=console:init: the agent ended: signal 11; 0.run#1=exit:0'
exits 1
prints 'the VM ended (QEMU exit 0) while a case ran'
holds report.txt 'init: the agent ended: signal 11'
prints '3 PASS 1 PANIC, 2 boots'
end

begin 'an agent that lives, but does not answer'
go '0.run#1=deaf' --timeout-mul 0.02
exits 1
prints 'the guest stopped answering while a case ran'
prints '3 PASS 1 HANG, 2 boots'
end

begin 'a case that hangs, with the stacks of its processes'
go 'run#1=stack:dax_break_layout; run#1=hang'
exits 1
prints 'pin-unmap-truncate did not end: it is in dax_break_layout'
prints '3 PASS 1 HANG, 1 boot'
holds report.txt '[<0>] dax_break_layout+0x1c/0x90'
end

begin 'a case that cannot be killed: the VM is spent'
go '0.run#1=stack:xfs_break_leased_layouts; 0.run#1=stuck'
exits 1
prints 'it is in xfs_break_leased_layouts, and cannot be killed'
prints '3 PASS 1 HANG, 2 boots'
end

begin 'umount hangs'
go '0.umount#1=stack:xfs_unmountfs; 0.umount#1=hang'
exits 1
prints 'umount hangs in xfs_unmountfs'
prints ', 2 boots'
json "$R/findings.json" '@{$d->{findings}} == 1 && $d->{ended}'
end

begin 'umount fails'
go '0.umount#1=fail:cannot unmount /mnt/0: Device or resource busy'
exits 1
prints 'umount fails: cannot unmount /mnt/0: Device or resource busy'
end

begin 'the filesystem is corrupt: its cases run again, each on its own'
go 'check#1=unclean'
exits 1
prints 'xfs is corrupt'
holds report.txt 'bad magic'
json "$R/findings.json" '@{$d->{findings}} == 1 && @{$d->{cases}} > 4 && $d->{ended}'
end

begin 'a namespace hangs when it is disabled at the end'
go 'disable=stack:devm_memremap_pages_release; disable=hang'
exits 1
prints 'namespace disable hangs in devm_memremap_pages_release'
prints '4 PASS'
json "$R/findings.json" '$d->{ended}'
end

begin 'a case whose process dies is no finding, and no pass'
go 'run#1=status:CRASH'
exits 125
prints 'CRASH: pin-unmap-truncate:vmsplice/xfs/4k: its process was killed'
end

begin 'a case that is not set up is no finding, and no pass'
go 'mkfs#1=fail:mkfs.xfs: no'
exits 125
prints 'BROKEN: pin-unmap-truncate:vmsplice/xfs/4k: mkfs.xfs: no'
end

# --- floods ---------------------------------------------------------------------

begin 'a flood on the console: stopped, kept, and the next boot goes on'
go '0.run#2=flood:console' --json
exits 1
json "$out" '@{$d->{findings}} == 1 && $d->{boots} == 2 && $d->{ended} &&
	$d->{findings}[0]{title} eq
		"the guest floods its console (over 64 MiB)" &&
	$d->{cases}[1]{status} eq "FAIL" &&
	$d->{cases}[3]{status} eq "PASS"'
[ "$(stat -c %s "$R/boot-0/console.log")" -gt $((64 << 20)) ] ||
	bad 'the log is not kept'
[ "$(stat -c %s "$R/boot-0/console.log")" -lt $((65 << 20)) ] ||
	bad 'the log is longer than it may be'
end

begin 'a flood on the agent'\''s port'
go '0.run#2=flood:port' --json
exits 1
json "$out" '@{$d->{findings}} == 1 && $d->{boots} == 2 && $d->{ended} &&
	$d->{findings}[0]{title} eq
		"the guest floods the agent'\''s port (over 64 MiB)"'
end

begin 'thousands of FAILs are not told apart'
go 'run#1=fails:5000; run#1=status:FAIL' --json
exits 1
json "$out" '@{$d->{findings}} < 300 && $d->{ended} &&
	grep { $_->{title} =~ /^further FAILs/ && $_->{count} > 4000 }
		@{$d->{findings}}'
end

begin 'a line on the port that is longer than any may be'
go 'run#1=long:3000000'
exits 0
prints '4 PASS'
end

# --- what is not understood ---------------------------------------------------------

begin 'garbage on the port is passed over'
go 'run#1=port:{"ev":; run#1=port:; run#1=port:]]]; run#1=port:\x00\x01\x02;
    run#1=port:[1,2]; run#1=port:"ev"; run#1=port:{"ev":{"ev":1}};
    run#1=port:{"ev":"result","status":17,"text":[1]};
    run#1=port:{"ev":"stack","stack":7,"comm":{}}; run#1=port:null;
    run#1=port:{"ev":"hello","scale":1e999}'
exits 0
prints '4 PASS'
end

begin 'a deep nest on the port'
go "run#1=port:$(printf '[%.0s' {1..5000})"
exits 0
prints '4 PASS'
end

begin 'a line of zeros does not hide what comes after it'
go 'run#1=port:\x00; run#1=status:FAIL' --json
exits 1
json "$out" '@{$d->{findings}} == 1'
end

begin 'replies to other requests are not taken'
go 'run#1=port:{"ev":"reply","id":1,"ok":true,"status":"FAIL"};
    run#1=port:{"ev":"reply","id":-1,"ok":true,"status":"FAIL"};
    run#1=port:{"ev":"reply","id":99999,"ok":true,"status":"FAIL"};
    run#1=port:{"ev":"reply","id":"x","ok":true,"status":"FAIL"};
    run#1=port:{"ev":"reply","ok":true,"status":"FAIL"};
    run#2=port:{"ev":"reply","id":1,"ok":false}'
exits 0
prints '4 PASS'
end

begin 'a reply that says nothing, or nothing that is known'
go 'run#1=reply:{"ev":"reply","id":ID};
    run#2=reply:{"ev":"reply","id":ID,"ok":true,"status":"SPLENDID"};
    run#3=reply:{"ev":"reply","id":ID,"ok":true};
    run#4=reply:{"ev":"reply","id":ID,"ok":"yes","status":["PASS"]}'
exits 125
prints '0 findings in 4 cases: 4 BROKEN'
end

begin 'a guest that says it is a million times slower'
go 'hello=port:{"ev":"hello","version":1,"scale":1e300}; 0.run#1=stop' $quick
exits 1
prints 'the guest stopped answering'
end

nasty='\x1b]0\x3bowned\x07\x1b[31m\xff\xfe\xc3\x28\xe2\x80\x7f\x9b2J'

begin 'a FAIL that holds escape sequences and no UTF-8'
go "run#1=port:{\"ev\":\"result\",\"case\":\"a$nasty/xfs/4k\",\"status\":\"FAIL\",\"where\":\"$nasty\",\"text\":\"x$nasty\"};
    run#1=status:FAIL; run#2=fail:y$nasty; check#1=fail:z$nasty;
    run#1=stack:s$nasty; run#1=console:rig: begin c$nasty;
    run#1=file:$top/tests/golden/dax-6.1.log"
exits 1
prints 'x\x1b]0;owned\x07\x1b[31m\xff'
printable "$out"
printable "$err"
printable "$R/report.txt"
json "$R/findings.json" '@{$d->{findings}} >= 2'
json "$R/run.json"
while read -r line; do
	printf '%s' "$line" >"$T/line"
	json "$T/line"
done <"$R/host.jsonl"
end

begin 'the same as JSON on stdout'
go "run#1=port:{\"ev\":\"result\",\"case\":\"a$nasty/xfs/4k\",\"status\":\"FAIL\",\"where\":\"$nasty\",\"text\":\"x$nasty\"};
    run#2=fail:y$nasty; setup=console:$nasty" --json
exits 1
json "$out" '$d->{findings}[0]{title} =~ /x\\x1b\]0;owned/'
end

begin 'escape sequences on the console of a kernel that does not boot'
go "boot=console:$nasty; boot=exit:0"
exits 125
says 'owned'
printable "$err"
printable "$out"
end

begin 'escape sequences in what QEMU says'
go "start=stderr:$nasty; start=exit:1"
exits 128
one_error 'does not start: exit 1: \x1b]0;owned\x07'
printable "$err"
end

begin 'a FAIL of a megabyte'
go "run#1=port:{\"ev\":\"result\",\"case\":\"a/xfs/4k\",\"status\":\"FAIL\",\"text\":\"$(head -c 100000 /dev/zero | tr '\0' a)\"}"
exits 1
[ "$(wc -c <"$out")" -lt 2000 ] || bad 'the table shows all of it'
[ "$(stat -c %s "$R/report.txt")" -lt 20000 ] || bad 'the report has all of it'
end

begin 'umount fails at the end'
go '0.umount#3=fail:cannot unmount /mnt/0: Device or resource busy'
exits 1
prints 'umount fails: cannot unmount /mnt/0: Device or resource busy'
prints '4 PASS, 1 boot'
end
finish
