#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Generated programs: runs that end in the middle, guests that die of each of
# them, findings that a guest makes up, and programs once more.
. "$(dirname "$0")/../lib.sh"

mix_args() {
	args=(run "$T/bzImage" --accel tcg --rundir "$R" --no-census --mix
	      --seed 7 "$@")
}

# mix SCRIPT ARG...
mix() {
	local script=$1

	shift
	mix_args "$@"
	RIG_FAKE=$script rig "${args[@]}"
}

# again SCRIPT ARG...: what replays into another folder, $R2.
again() {
	local script=$1

	shift
	R2=$R-again
	rm -rf "$R2"
	RIG_FAKE=$script rig replay --accel tcg --rundir "$R2" --no-census "$@"
}

finding() {
	printf 'port:{"ev":"finding","t":1,"case":"%s","kind":"%s","key":"%s","title":"%s","text":"x","detail":{"step":1}}' "$@"
}

# --- what a run is ------------------------------------------------------------

begin 'programs until the time is up'
mix '' --time 2s
exits 0
says 'programs of seed 7'
prints '0 findings in '
holds report.txt 'seed 7, up to 4 threads, on xfs ext4'
holds report.txt ' found something'
holds_not report.txt 'program:7.1/xfs'
json "$R/run.json" '$d->{mix}{seed} == 7 && $d->{mix}{seconds} == 2 &&
	$d->{mix}{threads} == 4'
# Filesystems take turns, and those that need one of their own come last.
json "$R/findings.json" '$d->{ended} && @{$d->{cases}} > 64 &&
	!grep({ $_->{name} !~ m{/xfs$} } @{$d->{cases}}[0..31]) &&
	!grep({ $_->{name} !~ m{/ext4$} } @{$d->{cases}}[32..63]) &&
	$d->{cases}[64]{name} =~ m{^program:7\.\d+/xfs$}'
"$RIG" gen --seed 7 --first 33 --fs ext4 >"$T/33"
cmp -s "$T/33" "$R/programs/7.33.prog" || bad 'it is not what rig gen prints'
end

begin 'the same seed, the same programs; another, others'
"$RIG" gen --seed 7 --count 20 >"$T/1"
"$RIG" gen --seed 7 --count 20 >"$T/2"
"$RIG" gen --seed 8 --count 20 >"$T/3"
cmp -s "$T/1" "$T/2" || bad 'they differ'
cmp -s "$T/1" "$T/3" && bad 'they do not'
rig gen --seed 7 --count 20 -o "$T/g"
exits 0
prints_nothing
[ "$(ls "$T/g" | wc -l)" = 20 ] || bad 'not 20 files'
end

begin 'a seed that nobody chose is told'
args=(run "$T/bzImage" --accel tcg --rundir "$R" --no-census --mix --time 0.1s)
rig "${args[@]}"
seed=$(sed -n 's/^rig: programs of seed //p' "$err")
json "$R/run.json" "\$d->{mix}{seed} == ${seed:--1}"
end

begin 'threads and filesystems as they are asked for'
mix '' --time 0.5s --threads 1 --fs ext4 --without pin,reflink
exits 0
json "$R/findings.json" '@{$d->{cases}} > 8 &&
	!grep { $_->{name} !~ m{/ext4$} } @{$d->{cases}}'
grep -qx 'threads [2-9]' "$R"/programs/*.prog && bad 'more than one thread'
grep -q ' vmsplice \| clone ' "$R"/programs/*.prog && bad 'pins or clones'
end

# --- what ends in the middle ------------------------------------------------------

begin 'kill -9: what was run is reported'
mix_args --time 1h
RIG_FAKE="run#6=reach:$T/six; run#6=nothing" "$RIG" "${args[@]}" \
	>"$out" 2>"$err" </dev/null &
pid=$!
await_file "$T/six"
kill -9 $pid
wait $pid 2>/dev/null
has host.jsonl programs/7.0.prog
[ "$(ls "$R/programs" | wc -l)" = 6 ] || bad 'not the six that were begun'
rig scan "$R"
exits 125
prints '0 findings in 5 cases: 5 PASS'
prints 'rig was killed'
end

begin 'stopped in a program'
mix_args --time 1h
RIG_FAKE="run#6=reach:$T/six-i; run#6=nothing" "$RIG" "${args[@]}" \
	>"$out" 2>"$err" </dev/null &
pid=$!
await_file "$T/six-i"
kill -TERM $pid
wait $pid 2>/dev/null
rc=$?
exits 130
holds report.txt '5 ran: 5 PASS'
end

begin 'a guest that every program takes down: a boot each, until the time is up'
mix 'run=exit:0' --time 2s
exits 1
no_error
prints '1 finding in '
prints 'the VM ended (QEMU exit 0) while a case ran'
json "$R/findings.json" '$d->{ended} && @{$d->{findings}} == 1 &&
	$d->{boots} > 2 && $d->{boots} <= @{$d->{cases}} + 1 &&
	!grep { $_->{status} ne "PANIC" } @{$d->{cases}}'
end

begin 'one that panics in a program: one boot, and it is named'
grep -av 'rig: ' "$top/tests/golden/null-pid1-panic-6.1.log" >"$T/panic"
mix "0.run#3=file:$T/panic; 0.run#3=exit:0" \
	--time 1s
exits 1
json "$R/findings.json" '$d->{boots} == 2 &&
	$d->{cases}[2]{status} eq "PANIC" &&
	!grep({ $_->{cases}[0] ne $d->{cases}[2]{name} } @{$d->{findings}}) &&
	@{$d->{cases}} > 32'
end

begin 'a guest that does not come up again'
mix '0.run#3=exit:0; 1.boot=exit:0; 2.boot=exit:0; 3.boot=exit:0' --time 1h
exits 1
says '2 boots in a row did not get to a case'
json "$R/findings.json" '@{$d->{cases}} == 3 && $d->{boots} == 3'
end

begin 'a program that hangs: the next one goes on'
mix '0.run#3=stack:dax_break_layout; 0.run#3=hang' --time 1s
exits 1
prints 'program did not end: it is in dax_break_layout'
json "$R/findings.json" '$d->{boots} == 1 &&
	$d->{cases}[2]{status} eq "HANG" && $d->{cases}[3]{status} eq "PASS"'
end

begin 'a corrupt filesystem: its programs run again, though the time is up'
mix_args --time 1s
RIG_FAKE="check#1=unclean; run#3=reach:$T/third; run#3=await:$T/late" \
	"$RIG" "${args[@]}" >"$out" 2>"$err" </dev/null &
pid=$!
await_file "$T/third"
sleep 1
touch "$T/late"
wait $pid
rc=$?
exits 1
json "$R/findings.json" '$d->{ended} && @{$d->{findings}} == 1 &&
	@{$d->{cases}} == 6 && $d->{findings}[0]{kind} eq "fsck" &&
	$d->{cases}[0]{name} eq $d->{cases}[3]{name}'
end

begin 'the one that corrupts it is found: no other runs again'
mix 'check#1=unclean; check#3=unclean' --time 1s --fs xfs --without admin
exits 1
json "$R/findings.json" '
	my %n; $n{$_->{name}}++ for @{$d->{cases}};
	$d->{ended} && 2 == grep { $_ == 2 } values %n'
end

begin 'a console that gets long: another boot, and no flood'
perl -e 'print "x" x 79, "\n" for 1 .. 4 * 1024 * 1024 / 80' >"$T/long"
mix "0.run=file:$T/long" --time 20s
exits 0
json "$R/findings.json" '$d->{boots} == 2 && !@{$d->{findings}}'
end

# --- what a guest says it found --------------------------------------------------------

begin 'a finding of a program, and what to do with it'
mix "run#3=$(finding program:7.2/xfs data k 'old data'); run#3=status:FAIL;
     run#9=$(finding program:7.8/xfs data k 'old data'); run#9=status:FAIL;
     run#9=$(finding program:7.8/xfs waiting k 'returned early')" --time 1s
exits 1
prints 'old data'
prints "rig replay $R --finding 1"
prints "rig minimize $R --finding 1"
holds report.txt 'raised by: program:7.2/xfs, program:7.8/xfs'
holds report.txt "rig minimize $R --finding"
json "$R/findings.json" '
	my ($f) = grep { $_->{kind} eq "data" } @{$d->{findings}};
	$f->{count} == 2 && $f->{oracle} eq "data" && $f->{key} eq "k" &&
	$f->{detail}{step} == 1 && @{$f->{cases}} == 2 &&
	$f->{rerun} =~ /^rig replay .* --finding \d$/ &&
	1 == grep { $_->{kind} eq "waiting" } @{$d->{findings}}'
end

nasty='\u001b]0\u003bowned\u0007\u009b2J'

begin 'findings that a guest must not make up, or fills with escape sequences'
mix "run#1=port:{\"ev\":\"finding\",\"case\":\"c$nasty\",\"kind\":\"data\",\"key\":\"$nasty\",\"title\":\"t$nasty\",\"text\":\"$nasty\"};
     run#2=$(finding c KASAN k made-up); run#2=$(finding c fsck k made-up);
     run#3=port:{\"ev\":\"finding\",\"case\":7,\"kind\":\"data\",\"key\":[],\"title\":\"made-up\"};
     run#4=port:{\"ev\":\"finding\",\"kind\":\"data\"}; run#5=port:{\"ev\":\"finding\"};
     run#6=$(finding 'program:../../etc/passwd' data up 'a path')" --time 1s
exits 1
prints '\x1b]0;owned\x07'
prints_not 'made-up'
printable "$out"
printable "$err"
printable "$R/report.txt"
json "$R/findings.json" '@{$d->{findings}} == 2'
rm -rf "$R/programs"
again '' "$R"
exits 129
one_error 'no finding was seen in a program'
end

begin 'thousands of findings are not told apart'
script=
for i in {1..400}; do
	script="$script;run#1=$(finding program:7.0/xfs data k$i made-up)"
done
mix "$script" --time 1s
exits 1
json "$R/findings.json" '@{$d->{findings}} == 257 &&
	grep { $_->{title} =~ /^further/ && $_->{count} == 144 } @{$d->{findings}}'
end

# --- once more ---------------------------------------------------------------------------

begin 'a program of a run: on its kernel'
mix "run#3=$(finding program:7.2/xfs data k 'old data'); run#3=status:FAIL" \
	--time 0.5s --append some.word=1
again '' "$R/programs/7.2.prog" --times 3
exits 0
prints '0 findings in 3 cases: 3 PASS, 1 boot'
cmp -s "$R/programs/7.2.prog" "$R2/programs/7.2.prog" || bad 'another program'
json "$R2/run.json" "\$d->{spec} eq '$T/bzImage' &&
	grep { \$_ eq 'some.word=1' } @{\$d->{rerun}}"
again '' "$R" --finding 1
exits 0
prints '0 findings in 1 case: 1 PASS, 1 boot'
has programs/7.2.prog
again "run#2=$(finding program:7.2/xfs data k 'old data'); run#2=status:FAIL" \
	"$R" --times 2
exits 1
prints '2 findings in 2 cases: 1 PASS 1 FAIL, 1 boot'
again '' "$R" --finding 3
exits 129
one_error 'has 2 findings, no number 3'
again '' "$R/programs/7.2.prog" --finding 1
exits 129
one_error 'goes with a run directory'
rm -rf "$R2"
end

begin 'a program from anywhere: on a kernel that is named'
printf 'rig-program 1\nfs ext4\nthreads 1\n0 open fd=0 name=a how=create # mine\n' \
	>"$T/my own.prog"
again '' "$T/my own.prog"
exits 129
one_error 'lies in no run directory: on which kernel?'
again '' "$T/my own.prog" "$T/bzImage"
exits 0
json "$R2/findings.json" '$d->{cases}[0]{name} eq "program:my_own/ext4"'
grep -q 'open fd=0' "$R2/programs/my_own.prog" || bad 'it is not kept'
again '' "$T/my own.prog" "$T/bzImage" --machine labels
exits 0
sed -i 's/ext4/devdax/' "$T/my own.prog"
again '' "$T/my own.prog" "$T/bzImage"
exits 129
one_error 'machine nvdimm has no devdax'
rm -rf "$R2"
end

begin 'what is no program'
printf 'rig-program 1\nfs xfs\nthreads 1\n0 dance fd=0\n' >"$T/no.prog"
again '' "$T/no.prog" "$T/bzImage"
exits 129
one_error "$T/no.prog: line 4:"
head -c 300 /dev/urandom >"$T/no.prog"
again '' "$T/no.prog" "$T/bzImage"
exits 129
one_error "$T/no.prog: "
printable "$err"
yes '0 close fd=0' | head -c 400000 >"$T/no.prog"
again '' "$T/no.prog" "$T/bzImage"
exits 129
one_error 'longer than 256 KiB'
again '' "$T/nothing-here" "$T/bzImage"
exits 129
end

# --- usage ----------------------------------------------------------------------------------

refused() {
	begin "refused: $*"
	rig run "$T/bzImage" --rundir "$R" --accel tcg "$@"
	exits 129
	prints_nothing
	has_not host.jsonl
	end
}
refused --mix --time 5x
refused --mix --time 0
refused --mix --threads 0
refused --mix --threads 9
refused --mix --seed -1
refused --mix --seed x
refused --mix --fs btrfs
refused --mix --with no-such-operation
refused --mix --without no-such-operation
refused --mix -w zap
refused --mix --all
refused --seed 7
refused --time 5m
finish
