#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every command without a guest, and run directories that are not whole.
. "$(dirname "$0")/../lib.sh"
runs=$XDG_STATE_HOME/rig/runs

for c in run shell list show scan census doctor clean; do
	begin "rig $c --help"
	rig $c --help
	exits 0
	prints "Usage: rig $c"
	[ ! -s "$err" ] || bad 'stderr is not empty'
	end
done

begin 'rig --help'
rig --help
exits 0
for c in run shell list show scan census doctor clean; do
	prints "  $c "
done
prints '130 interrupted'
end

begin 'rig'
rig
exits 129
prints_nothing
says 'Usage: rig COMMAND'
end

begin 'rig --version'
rig --version
exits 0
grep -qE '^rig [0-9v]' "$out" || bad 'no version'
end

# list WHAT COLUMN EXPR
list() {
	begin "rig list $1"
	rig list "$1"
	exits 0
	prints "$2"
	[ ! -s "$err" ] || bad 'stderr is not empty'
	rig list "$1" --json
	exits 0
	json "$out" "ref \$d eq 'ARRAY' && grep { $3 } @\$d"
	end
}

list workloads NAME '$_->{name} eq "pin-unmap-truncate" && @{$_->{on}}'
list machines NAME '$_->{name} eq "nvdimm"'
list kernels SPEC '$_->{spec} eq "debian:bookworm"'
list kconfigs NAME '$_->{name} eq "base"'

begin 'rig list of nothing known'
rig list frobs
exits 129
prints_nothing
end

# --- dry runs -------------------------------------------------------------------

begin 'rig run --dry-run prints QEMU'\''s command line and does nothing'
rig run "$T/bzImage" --dry-run --accel tcg --machine two
exits 0
prints "$fake -nodefaults"
prints "-kernel $T/bzImage"
prints 'mem-path=pmem1.img'
[ ! -e "$runs" ] || bad 'there is a run directory'
[ ! -s "$RIG_FAKE_PIDS" ] || bad 'QEMU ran'
end

begin 'the same of a tree, with its build'
make_tree "$T/linux"
rig run "$T/linux" --dry-run --accel tcg
exits 0
prints ' allnoconfig'
prints ' vmlinux'
prints "$fake -nodefaults"
end

begin 'the same as JSON'
rig run "$T/linux" --dry-run --accel tcg --json -q
exits 0
json "$out" '@$d == 3 && $d->[2] =~ /-nodefaults/'
end

begin 'a dry run needs no QEMU'
rig run "$T/bzImage" --dry-run --accel tcg --qemu /nonexistent
exits 0
prints '/nonexistent -nodefaults'
end

# --- doctor and clean -----------------------------------------------------------

begin 'rig doctor'
mkdir "$T/bin"
printf '#!/bin/sh\necho "qemu: no KVM here" >&2; exit 1\n' \
	>"$T/bin/qemu-system-x86_64"
chmod +x "$T/bin/qemu-system-x86_64"
PATH=$T/bin:$PATH rig doctor
[ "$rc" = 0 ] || [ "$rc" = 128 ] || bad "exit $rc"
prints 'acceleration'
prints 'mkfs.xfs'
PATH=$T/bin:$PATH rig doctor --json
json "$out" '$d->{accel} eq "tcg" && @{$d->{programs}} > 10 &&
	$d->{cache} =~ /^\//'
end

begin 'rig clean has to be told what'
rig clean
exits 129
says 'clean what?'
end

rig run "$T/bzImage" --accel tcg -q --no-census -w pin-unmap-truncate:vmsplice
begin 'rig clean --dry-run removes nothing'
rig clean --cache --runs 0 --dry-run
exits 0
prints "would remove $runs/"
prints 'would remove'
[ -n "$(ls "$runs")" ] || bad 'the runs are gone'
ls "$XDG_CACHE_HOME"/rig/images/*.cpio >/dev/null || bad 'the image is gone'
end

begin 'rig show of the newest run'
rig show
exits 0
prints '0 findings in 4 cases: 4 PASS, 1 boot'
rig show --json
json "$out" '$d->{ended} && $d->{version} == 1'
rig show "$(ls "$runs")"
exits 0
end

begin 'rig clean removes what is asked for'
rig clean --cache --runs 0
exits 0
[ -z "$(ls "$runs")" ] || bad 'there are runs'
[ -z "$(ls "$XDG_CACHE_HOME/rig")" ] || bad 'there is something in the cache'
end

begin 'rig clean --runs of no number'
rig clean --runs x
exits 129
end

begin 'no run yet'
rig show
exits 129
one_error 'no run in '
end

# --- run directories that are not whole --------------------------------------------

begin 'no such run'
rig show nosuch
exits 129
one_error "no run 'nosuch' in "
end

begin 'a folder that is no run'
mkdir "$T/folder"
rig scan "$T/folder"
exits 129
one_error "$T/folder is no run directory: it has no host.jsonl"
[ -z "$(ls "$T/folder")" ] || bad 'something was written'
end

begin 'a file'
rig show "$T/bzImage"
exits 129
one_error 'is no run directory'
end

# A run with a finding, and copies of it.
R=$T/whole
go 'run#2=status:FAIL; 0.run#3=exit:0' -q
whole=$R

# broken NAME COMMAND: what is done to $C, a copy.
broken() {
	begin "$1"
	C=$T/copy-$nr
	cp -r "$whole" "$C"
	(cd "$C" && eval "$2")
	rig scan "$C"
	plain_lines
	printable "$out"
	json "$C/findings.json"
}

broken 'all of it: as the run said' :
exits 1
prints '2 findings in 4 cases: 2 PASS 1 FAIL 1 PANIC, 2 boots'
cmp -s "$whole/findings.json" "$C/findings.json" || bad 'another findings.json'
end

broken 'an empty host.jsonl' ': >host.jsonl'
exits 125
prints 'in 0 cases, 2 boots; the run did not come to its end: rig was killed'
end

broken 'half a host.jsonl' \
	'truncate -s $(($(stat -c %s host.jsonl) / 2)) host.jsonl'
exits 1
prints 'the run did not come to its end'
prints ', 2 boots'
end

broken 'a host.jsonl of noise' 'head -c 20000 /dev/urandom >host.jsonl'
exits 125
end

broken 'noise in the middle of host.jsonl' '
	head -n 1 host.jsonl >new; printf "\0\377{[\n\0\n" >>new
	tail -n +2 host.jsonl >>new; mv new host.jsonl'
exits 1
prints '2 findings in 4 cases'
end

broken 'no console.log' 'rm boot-0/console.log'
exits 1
prints 'cannot be read: boot-0/console.log: No such file or directory'
prints '2 findings in 4 cases'
json "$C/findings.json" '@{$d->{lost}} == 1'
end

broken 'no events.jsonl' 'rm boot-0/events.jsonl'
exits 1
prints 'cannot be read: boot-0/events.jsonl: No such file or directory'
prints '1 finding in 4 cases'
end

broken 'no boot folder at all' 'rm -r boot-0 boot-1'
exits 1
prints 'cannot be read: boot-1/console.log'
end

broken 'no run.json' 'rm run.json'
exits 1
prints '2 findings in 4 cases'
end

broken 'a run.json of something else' 'echo "[1, {\"rerun\": 7}]" >run.json'
exits 1
end

broken 'a run.json with members of other types' \
	'echo "{\"rerun\": 7, \"spec\": [1], \"when\": {\"a\": null}}" >run.json'
exits 1
end

broken 'a rerun of numbers' 'echo "{\"rerun\": [null, 7, {}]}" >run.json'
exits 1
end

broken 'cases of other types' \
	'echo "{\"ev\":\"case\",\"case\":[],\"seconds\":\"x\",\"boot\":1e99}" >>host.jsonl
	echo "{\"ev\":\"case\",\"case\":\"a\"}" >>host.jsonl
	echo "{\"ev\":\"nmi\",\"boot\":-1,\"offset\":-1}" >>host.jsonl
	echo "{\"ev\":\"nmi\",\"boot\":1e300}" >>host.jsonl
	echo "{\"ev\":\"stop\",\"exit\":\"y\"}" >>host.jsonl
	echo "{\"ev\":\"observe\",\"title\":{},\"boot\":\"z\"}" >>host.jsonl'
end

begin 'a run directory that cannot be written'
C=$T/locked
cp -r "$whole" "$C"
rm -f "$C/findings.json"
mkdir "$C/findings.json"
rig scan "$C"
exits 128
one_error "cannot write $C/findings.json: Is a directory"
rig show "$C"
exits 1
end
finish
