#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A run that goes well, and what QEMU itself can do wrong.
. "$(dirname "$0")/../lib.sh"

begin 'all is well'
go ''
exits 0
no_error
plain_lines
prints '0 findings in 4 cases: 4 PASS, 1 boot'
has run.json host.jsonl findings.json report.txt boot-0/console.log \
	boot-0/events.jsonl boot-0/qemu.log
holds boot-0/console.log 'rig: begin pin-unmap-truncate:vmsplice/ext4/2m'
json "$R/findings.json" '$d->{ended} && @{$d->{cases}} == 4'
end

begin 'all is well, quietly, as JSON'
go '' --json -q
exits 0
[ ! -s "$err" ] || bad 'stderr is not empty'
json "$out" '$d->{ended} && !@{$d->{findings}} && @{$d->{cases}} == 4'
end

begin 'the NVDIMM file stays with --keep'
go '' --keep
exits 0
has boot-0/pmem0.img
rm -f "$R/boot-0/pmem0.img"
end

begin 'no QEMU'
go '' --qemu /nonexistent/qemu --json
exits 128
one_error "there is no QEMU '/nonexistent/qemu' here: apt-get install"
prints_nothing
has_not boot-0
end

begin 'QEMU exits at once, and says why'
go 'start=stderr:qemu: -accel kvm: failed to initialize kvm; start=exit:1' \
	--json
exits 128
one_error 'does not start: exit 1: qemu: -accel kvm: failed to initialize kvm'
json "$out" '!@{$d->{findings}} && !$d->{ended}'
holds boot-0/qemu.log 'failed to initialize kvm'
end

begin 'QEMU exits at once, without a word'
go 'start=exit:1'
exits 128
one_error 'does not start: exit 1'
holds host.jsonl '"exit":128'
end

begin 'an option that QEMU does not know'
printf '#!/bin/sh\nexec %s "$@" -frobnicate 1\n' "$fake" >"$T/qemu"
chmod +x "$T/qemu"
go '' --qemu "$T/qemu"
exits 128
one_error 'qemu-system-x86_64: -frobnicate: invalid option'
end

begin 'QEMU cannot load the kernel: not QEMU'\''s fault'
go 'start=stderr:qemu: could not load kernel x: bad magic; start=exit:1' --json
exits 125
one_error 'does not boot to user space: QEMU ended with 1: qemu: could not load'
json "$out" '!@{$d->{findings}}'
end

begin 'QEMU ignores SIGTERM'
go 'start=noterm; run#1=stop; nmi=console:ignored; nmi=dead' --timeout-mul 0.02
exits 1
prints 'stopped answering while a case ran'
end

begin 'the VM ends in the middle of a case: exit 0'
go '0.run#2=exit:0'
exits 1
prints 'the VM ended (QEMU exit 0) while a case ran'
prints '3 PASS 1 PANIC, 2 boots'
holds report.txt 'rerun: rig run'
has boot-1/console.log
json "$R/findings.json" '@{$d->{findings}} == 1 &&
	$d->{findings}[0]{kind} eq "vm-died" && $d->{ended}'
end

begin 'the VM ends in the middle of a case: exit 1, with a word of QEMU'\''s'
go '0.run#1=stderr:qemu: virtio: zero sized buffers are not allowed; 0.run#1=exit:1'
exits 1
prints 'the VM ended (QEMU exit 1) while a case ran'
holds report.txt 'zero sized buffers'
prints '3 PASS 1 PANIC, 2 boots'
end

begin 'QEMU aborts in the middle of a case'
go '0.run#1=kill:6'
exits 1
prints 'QEMU was killed by signal 6 while a case ran'
end

begin 'QEMU is killed from outside: no finding'
go '0.run#2=kill:9' --json
exits 128
one_error 'was killed by signal 9 while a case ran'
json "$out" '!@{$d->{findings}} && @{$d->{cases}} == 1 && !$d->{ended}'
end

begin 'QEMU is killed while it boots: no finding'
go 'boot=kill:15'
exits 128
one_error 'was killed by signal 15 while it booted'
end

begin 'the kernel panics in the middle of a case'
go "0.run#1=file:$top/tests/golden/panic-sysrq-7.2.log; 0.run#1=exit:0" --json
exits 1
json "$out" '@{$d->{findings}} == 1 && $d->{findings}[0]{kind} eq "panic" &&
	$d->{cases}[0]{status} eq "PANIC" && $d->{boots} == 2'
end

# --- what goes where, whatever happens ------------------------------------------

# quietly SCRIPT: only errors on stderr, one JSON document on stdout.
quietly() {
	begin "-q --json, and $1"
	go "$1" -q --json --timeout-mul 0.02
	case $rc in
	0|1|125|128) ;;
	*) bad "exit $rc" ;;
	esac
	json "$out" '$d->{version} == 1 && ref $d->{findings} eq "ARRAY"'
	cmp -s "$out" "$R/findings.json" || bad 'findings.json is another one'
	# What an error line shows of a console is indented.
	! grep -vqE '^(rig: error: |rig: warning: |  )' "$err" ||
		bad 'stderr has more than errors'
	end
}

quietly 'start=exit:1'
quietly 'start=stderr:no; start=exit:1'
quietly 'start=deaf'
quietly 'boot=exit:0'
quietly 'setup=fail:no'
quietly 'mkfs=fail:no'
quietly 'run#1=exit:0'
quietly 'run#1=stop'
quietly 'run#1=kill:9'
quietly 'run#1=hang'
quietly 'run#1=stuck'
quietly 'run#1=status:CRASH'
quietly 'check#1=unclean'
quietly 'umount#1=hang'
quietly 'disable=fail:no'
quietly 'poweroff=deaf'
quietly '0.run#2=exit:0; 1.boot=exit:0; 2.boot=exit:0'
finish
