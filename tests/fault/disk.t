#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Full disks: small tmpfs mounts of a private namespace. Never a finding
# against the kernel, and what was written before is kept.
if [ -z "$RIG_FAULT_MOUNTS" ]; then
	export RIG_FAULT_MOUNTS=1
	for how in -m -rm; do
		unshare $how mount -t tmpfs none /mnt 2>/dev/null &&
			exec unshare $how "$0"
	done
	echo '1..0 # SKIP no mount namespace for small disks'
	exit 0
fi
. "$(dirname "$0")/../lib.sh"

# The image, for all that follow.
RIG_FAKE='' "$RIG" run "$T/bzImage" --accel tcg --no-census --rundir "$T/first" -q \
	-w pin-unmap-truncate:vmsplice >/dev/null

# small SIZE DIR: an empty disk.
small() {
	mkdir -p "$2"
	mount -t tmpfs -o "size=$1" none "$2"
}

# After the checks, before the run directory is removed.
full_end() {
	json "$R/findings.json" '!@{$d->{findings}} && !$d->{ended}'
	umount_end
}

umount_end() {
	leaves_nothing
	umount "$R" 2>/dev/null
	end
}

begin 'the console log'
small 2m "$R"
go 'run#2=fill; run#2=flood:console; run#2=deaf'
exits 128
one_error 'cannot write what the guest says: No space left on device'
says 'free some space and run again'
prints '0 findings in 1 case: 1 PASS'
holds boot-0/console.log 'rig: begin pin-unmap-truncate:vmsplice/xfs/2m'
rm "$R/ballast"
rig scan "$R"
exits 128
prints '0 findings in 1 case: 1 PASS'
full_end

begin 'the events log, with a word as JSON'
small 2m "$R"
go 'run#2=fill; run#2=long:20000; run#2=deaf' --json
exits 128
one_error 'cannot write what the guest says: No space left on device'
json "$out" '!@{$d->{findings}} && !$d->{ended} && @{$d->{cases}} == 1'
umount_end

begin 'the console log while it boots'
small 2m "$R"
go 'boot=fill; boot=flood:console; boot=deaf'
exits 128
one_error 'cannot write what the guest says: No space left on device'
umount_end

begin 'the console log at the very end'
small 2m "$R"
go 'poweroff=fill; poweroff=flood:console; poweroff=exit:0'
exits 128
one_error 'No space left on device'
prints '0 findings in 4 cases: 4 PASS'
umount_end

begin 'host.jsonl'
small 2m "$R"
# A stack of more than a page: the log of events has room for the reply in its
# last page, host.jsonl has none for what it makes of it.
go "run#1=stack:$(head -c 4096 /dev/zero | tr '\0' s); run#1=fill; run#1=hang"
exits 128
one_error "$R/host.jsonl: No space left on device"
prints '0 findings in '
umount_end

begin 'the reports'
small 2m "$R"
go 'run#1=status:FAIL; poweroff=fill'
exits 128
one_error "$R/findings.json: cannot write: No space left on device; free some space, then \`rig scan $R\`"
prints '1 finding in 4 cases: 3 PASS 1 FAIL'
has_not findings.json
rm "$R/ballast"
rig scan "$R"
exits 1
prints '1 finding in 4 cases: 3 PASS 1 FAIL'
has findings.json report.txt
umount_end

begin 'run.json'
small 4k "$R"
go ''
exits 128
one_error "$R/run.json: cannot write: No space left on device"
umount_end

begin 'the NVDIMM: QEMU dies of SIGBUS'
small 2m "$R"
go 'run#2=touch' --json
exits 128
one_error "$R: QEMU cannot write the NVDIMM while a case ran"
says 'free some space and run again'
json "$out" '!@{$d->{findings}} && @{$d->{cases}} == 1 && !$d->{ended}'
umount_end

begin 'the NVDIMM while it boots'
small 2m "$R"
go 'boot=touch'
exits 128
one_error "$R: QEMU cannot write the NVDIMM while it booted"
umount_end

begin 'build.log'
make_tree "$T/linux"
mkdir "$R"
small 4k "$T/tiny"
head -c 4096 /dev/zero >"$T/tiny/full"
ln -s "$T/tiny/log" "$R/build.log"
rig run "$T/linux" --accel tcg --rundir "$R" --no-census
exits 128
one_error 'No space left on device'
umount "$T/tiny"
end

begin 'the image'
small 2m "$T/cache2"
XDG_CACHE_HOME=$T/cache2 go ''
exits 128
one_error 'cannot write the image'
says 'No space left on device; make room, or set XDG_CACHE_HOME to another disk'
[ -z "$(find "$T/cache2" -name '*.cpio*' ! -name '*.lock')" ] ||
	bad 'half an image is left'
umount "$T/cache2"
end

begin 'room, but not for one more file'
small 2m,nr_inodes=4 "$R"
go ''
exits 128
one_error "cannot make the NVDIMM's file in $R/boot-0: No space left on device"
umount_end

begin 'stdout'
run_args
RIG_FAKE='run#1=status:FAIL' "$RIG" "${args[@]}" >/dev/full 2>"$err" </dev/null
rc=$?
exits 128
one_error 'cannot write to stdout'
has findings.json report.txt
end

begin 'files that may not grow so far'
(ulimit -f 100000; go ''; echo "$rc" >"$T/rc")
rc=$(cat "$T/rc")
exits 128
one_error "cannot make the NVDIMM's file in $R/boot-0: File too large"
end

# --- what a mount can hide of this host --------------------------------------

begin 'mkfs.xfs is missing'
mount --bind /dev/null "$(PATH=$PATH:/usr/sbin:/sbin command -v mkfs.xfs)"
go '' --json
exits 128
one_error 'there is no mkfs.xfs here: apt-get install xfsprogs, or see `rig doctor`'
prints_nothing
end
finish
