#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Minimising against a guest whose finding takes two operations in order: what
# is left, and what becomes of it when it is killed, interrupted, or met with
# guests that die.
. "$(dirname "$0")/../lib.sh"

# A shell without job control lets its background jobs ignore SIGINT.
cat >"$T/rig" <<E2
#!/bin/sh
exec perl -e '\$SIG{INT} = "DEFAULT"; exec @ARGV' $RIG "\$@"
E2
chmod +x "$T/rig"
RIG=$T/rig

# The run that all of them are about: programs of a seed.
warns='run=warns:mmap,store'
RIG_FAKE=$warns "$RIG" run "$T/bzImage" --accel tcg --no-census -q \
	--mix --seed 3 --time 3s --threads 3 --rundir "$T/found" >/dev/null

# minimize SCRIPT ARG...: of a copy of it in $R, $M being its folder.
minimize() {
	local script=$1

	shift
	[ -e "$R" ] || cp -r "$T/found" "$R"
	M=$R/minimize-1
	RIG_FAKE=$script rig minimize "$R" --finding 1 --accel tcg "$@"
}

behind() {
	local script=$1

	shift
	[ -e "$R" ] || cp -r "$T/found" "$R"
	M=$R/minimize-1
	RIG_FAKE=$script "$RIG" minimize "$R" --finding 1 --accel tcg "$@" \
		>"$out" 2>"$err" </dev/null &
	pid=$!
}

runs() {
	echo $(($(wc -l <"$M/journal.jsonl") - 1))
}

await_runs() {
	wait_until "$1 runs" "[ -e '$M/journal.jsonl' ] && [ \$(runs) -ge $1 ]"
}

# Two steps are left, the two that it takes.
is_minimal() {
	[ "$(grep -c '^[0-9*]' "$M/$1")" = 2 ] || bad "$1 has not two steps"
	grep -q '^[0-9] mmap' "$M/$1" || bad "$1 has no mmap"
	grep -q '^[0-9] store' "$M/$1" || bad "$1 has no store"
	! grep -qE '(off|len)=[^0]' "$M/$1" || bad "$1 has a number left"
}

begin 'what is left is what it takes'
minimize "$warns" -j 1
exits 0
prints 'minimal: 2 steps, shows it in 20 of 20 runs: 83 to 100 %'
is_minimal minimal.prog
cmp -s "$M/minimal.prog" "$M/best.prog" || bad 'best.prog is another'
grep -q 'int main' "$M/reproducer.c" || bad 'there is no reproducer.c'
no_error
cp "$M/minimal.prog" "$T/minimal.prog"
# Again: everything is known.
before=$(runs) all=$before
minimize "$warns" -j 1 --json
exits 0
json "$out" '$d->{complete} && $d->{steps} == 2 && $d->{rate}{hits} == 20 &&
	     $d->{runs} < 200 && $d->{steps_before} > 2'
[ "$(runs)" = "$before" ] || bad "$(runs) runs, not $before"
end

begin 'two VMs end where one does'
minimize "$warns" -j 2
exits 0
cmp -s "$M/minimal.prog" "$T/minimal.prog" || bad 'it is another program'
[ -d "$M/vm-1" ] || bad 'there was one VM only'
end

begin 'kill -9 again and again: it goes on'
for n in $((all / 8)) $((all / 4)) $((all / 2)); do
	behind "$warns" -j 2
	await_runs $n
	kill -9 $pid
	wait $pid 2>/dev/null
	for p in $(cat "$RIG_FAKE_PIDS"); do
		wait_until "the end of QEMU $p" "! is_fake $p"
	done
done
printf '{"hash":"0123' >>"$M/journal.jsonl"
before=$(runs)
minimize "$warns" -j 2
exits 0
cmp -s "$M/minimal.prog" "$T/minimal.prog" || bad 'it is another program'
[ "$(runs)" -gt "$before" ] || bad 'nothing was run'
end

begin 'Ctrl-C: the shortest so far is there'
behind "$warns; run#25=deaf" -j 2
await_file "$M/best.prog"
kill -INT $pid
await_end
exits 130
says 'the same command goes on from here; the shortest program so far'
no_error
end

begin 'a guest that dies of a candidate costs a boot'
minimize "$warns; 0.run#7=exit:0; 1.run#5=console:Kernel panic - not syncing: Fatal exception; 1.run#5=exit:0" -j 1
exits 0
is_minimal minimal.prog
[ -d "$M/vm-0/boot-2" ] || bad 'there were no three boots'
no_error
end

begin 'a finding that does not show any more'
minimize '' -j 2
exits 1
one_error 'did not show in'
says '(95 % confidence)'
prints_nothing
end

begin 'the time is up before that is known'
minimize 'run#4=deaf' -j 1 --max-time 2
exits 1
says 'until the time was up'
end

begin 'QEMU does not start'
minimize 'start=stderr:no such device; start=exit:1' -j 1
exits 128
one_error 'does not start'
end

begin 'a worker is killed'
behind "$warns; run#9=deaf" -j 1
await_runs 8
kill -9 $(pgrep -P $pid)
await_end
exits 128
one_error 'was killed by signal 9'
minimize "$warns" -j 1
exits 0
cmp -s "$M/minimal.prog" "$T/minimal.prog" || bad 'it is another program'
end

begin 'two at the same finding'
behind "$warns; run#3=deaf" -j 1
await_runs 1
RIG_FAKE=$warns "$RIG" minimize "$R" --finding 1 >"$out.2" 2>"$err.2"
[ $? = 128 ] || bad 'the second one did not exit with 128'
grep -q 'another rig is at it' "$err.2" || bad 'the second does not say why'
kill -INT $pid
await_end
exits 130
end

begin 'another journal'
cp -r "$T/found" "$R"
mkdir "$R/minimize-1"
echo '{"finding":"0123456789abcdef"}' >"$R/minimize-1/journal.jsonl"
minimize "$warns"
exits 128
one_error "is another finding's; move it away"
end

begin 'no such finding, no program, no run'
minimize "$warns"
RIG_FAKE='' rig minimize "$R" --finding 99
exits 129
one_error 'no number 99'
rm -r "$R/programs"
minimize "$warns"
exits 129
one_error 'no program that finding 1 was seen in'
rig minimize "$T" --finding 1
exits 129
one_error 'is no run directory'
rig minimize "$R"
exits 129
says 'which finding?'
end

finish
