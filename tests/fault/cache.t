#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The cache: two rigs at once, images that are damaged, folders that cannot be
# written.
. "$(dirname "$0")/../lib.sh"
images=$XDG_CACHE_HOME/rig/images

two() {
	local i pids=

	for i in 1 2; do
		RIG_FAKE='' "$RIG" run "$T/bzImage" --accel tcg --no-census --json \
			-w pin-unmap-truncate:vmsplice \
			>"$T/two-$i" 2>"$T/two-err-$i" </dev/null &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || bad "rig $i: exit $?"
	done
	json "$T/two-1" '$d->{ended} && @{$d->{cases}} == 4'
	json "$T/two-2" '$d->{ended} && @{$d->{cases}} == 4'
	cat "$T"/two-err-? >"$err"
	no_error
}

begin 'two rigs on a cold cache'
two
[ "$(ls "$images"/*.cpio | wc -l)" = 1 ] || bad 'not one image'
[ "$(ls "$XDG_STATE_HOME/rig/runs" | wc -l)" = 2 ] || bad 'not two runs'
end

begin 'two rigs on a warm one'
two
[ "$(ls "$XDG_STATE_HOME/rig/runs" | wc -l)" = 4 ] || bad 'not four runs'
end

begin 'two rigs on one tree that is not built yet'
make_tree "$T/linux" "echo x >>$T/compiled; touch \\\$@"
mv "$T/bzImage" "$T/saved"
ln -s "$T/linux" "$T/bzImage"
sleep 0.1	# a tree that has just changed is built anew each time
two
rm "$T/bzImage"
mv "$T/saved" "$T/bzImage"
[ "$(wc -l <"$T/compiled")" = 1 ] || bad 'not compiled once'
end

begin 'two rigs that are given one run directory'
go_behind "run#1=reach:$T/at; run#1=await:$T/go"
await_file "$T/at"
cp "$out" "$T/out-first"
rig run "$T/bzImage" --accel tcg --rundir "$R" --no-census
exits 128
one_error 'holds a run already: name another folder'
touch "$T/go"
wait $pid || bad "the first rig: exit $?"
end

begin 'an image that is there is taken as it is'
img=$(echo "$images"/*.cpio)
before=$(stat -c '%i %y' "$img")
go ''
exits 0
says_not warning
[ "$(stat -c '%i %y' "$img")" = "$before" ] || bad 'it was made anew'
end

cp "$img" "$T/good.cpio"

# damage WHAT COMMAND
damage() {
	begin "an image $1 is noticed and made anew"
	eval "$2"
	go ''
	exits 0
	says "the cached image $img is damaged: it is made anew"
	cmp -s "$img" "$T/good.cpio" || bad 'not the same as before'
	end
}

damage 'that was cut short' 'truncate -s -100000 $img'
damage 'of no length' ': >$img'
damage 'with a wrong byte' \
	'printf X | dd of=$img bs=1 seek=100000 conv=notrunc 2>/dev/null'
damage 'without its hash' 'rm $img.xxh64'

begin 'what a killed rig left of an image is not in the way'
rm "$img"
echo rest >"$img.tmp"
go ''
exits 0
cmp -s "$img" "$T/good.cpio" || bad 'not the same as before'
end

begin 'a cache that cannot be written'
XDG_CACHE_HOME=/dev/null/cache go ''
exits 128
one_error 'cannot make /dev/null/cache'
end

begin 'a state folder that cannot be written'
XDG_STATE_HOME=/dev/null/state rig run "$T/bzImage" --accel tcg
exits 128
one_error 'cannot make /dev/null/state'
end

begin 'a run directory that cannot be made'
rig run "$T/bzImage" --accel tcg --rundir /dev/null/run
exits 128
one_error 'cannot make the run directory /dev/null/run: Not a directory'
end

begin 'no home at all'
env -u HOME -u XDG_CACHE_HOME -u XDG_STATE_HOME "$RIG" run "$T/bzImage" \
	--accel tcg >"$out" 2>"$err" </dev/null
rc=$?
exits 128
one_error 'neither HOME nor XDG_STATE_HOME is set'
end
finish
