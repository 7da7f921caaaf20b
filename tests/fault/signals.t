#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ctrl-C in each stage, and rig killed: what was gathered is kept, and nothing
# is left behind.
. "$(dirname "$0")/../lib.sh"

# A shell without job control lets its background jobs ignore SIGINT.
cat >"$T/rig" <<E2
#!/bin/sh
exec perl -e '\$SIG{INT} = "DEFAULT"; exec @ARGV' $RIG "\$@"
E2
chmod +x "$T/rig"
plain_rig=$RIG RIG=$T/rig

# A stage's program that tells that it runs and then takes its time. It is
# gone when its process is.
slow() {
	printf '#!/bin/sh\n%s\necho $$ >%s.tmp\nmv %s.tmp %s\nexec sleep 100\n' \
		"$2" "$T/begun" "$T/begun" "$T/begun" >"$1"
	chmod +x "$1"
	rm -f "$T/begun"
}

slow_is_gone() {
	local p

	p=$(cat "$T/begun" 2>/dev/null)
	wait_until "the end of $p" "is_gone $p"
}

behind() {
	"$RIG" "$@" >"$out" 2>"$err" </dev/null &
	pid=$!
}

mkdir "$T/bin"
path=$PATH
slow "$T/bin/apt-get" ''

begin 'Ctrl-C while a package is fetched'
PATH=$T/bin:$path
behind run debian:bookworm --accel tcg --rundir "$R" --json
await_file "$T/begun"
kill -INT $pid
await_end
PATH=$path
exits 130
says 'interrupted; what was gathered is in'
prints_nothing
slow_is_gone
holds host.jsonl '"exit":130'
end

begin 'a second Ctrl-C does not wait for anybody'
slow "$T/bin/apt-get" "trap '' TERM"
PATH=$T/bin:$path
behind run debian:bookworm --accel tcg --rundir "$R"
await_file "$T/begun"
insist
await_end
PATH=$path
exits 130
says 'stopped at once'
says_not 'stopped while'
slow_is_gone
end

slow "$T/cc" ''
make_tree "$T/linux" "$T/cc"
# One image for all that follow.
RIG_FAKE='' "$RIG" run "$T/bzImage" --accel tcg --no-census --rundir "$T/first" -q \
	-w pin-unmap-truncate:vmsplice >/dev/null

begin 'Ctrl-C while a kernel is built'
behind run "$T/linux" --accel tcg --rundir "$R" --json
await_file "$T/begun"
kill -INT $pid
await_end
exits 130
says 'stopped while building'
prints_nothing
slow_is_gone
has build.log
end

begin 'kill -9 while a kernel is built'
rm -f "$T/begun"
behind run "$T/linux" --accel tcg --rundir "$R"
await_file "$T/begun"
rigs=$(pgrep -P $pid) || rigs=
kill -9 $pid
await_end
slow_is_gone
for p in $rigs; do
	wait_until "the end of make $p" "is_gone $p"
done
end

begin 'and the next build is not in the way of what is left'
make_tree "$T/linux" 'touch $@'
rig run "$T/linux" --accel tcg --rundir "$R" --no-census -w pin-unmap-truncate:vmsplice
exits 0
prints '4 PASS'
end

begin 'Ctrl-C while another rig makes the image'
lock=$(echo "$XDG_CACHE_HOME"/rig/images/*.cpio.lock)
exec 9>>"$lock"
flock 9
go_behind ''
wait_until 'a word of the lock' "grep -q 'waiting for another rig' $err"
kill -INT $pid
await_end
exec 9>&-
exits 130
no_error
has_not boot-0
end

begin 'Ctrl-C while it boots'
go_behind "boot=reach:$T/at-1; boot=deaf" --json
await_file "$T/at-1"
kill -INT $pid
await_end
exits 130
no_error
json "$out" '!$d->{ended} && $d->{stopped} eq "interrupted" && !@{$d->{findings}}'
holds boot-0/console.log 'Run /init'
end

begin 'Ctrl-C in a case: those before it are reported'
go_behind "run#1=status:FAIL; run#2=reach:$T/at-2; run#2=deaf"
await_file "$T/at-2"
kill -INT $pid
await_end
exits 130
no_error
says "interrupted; what was gathered is in $R"
prints '1 finding in 1 case: 1 FAIL, 1 boot; the run did not come to its end: interrupted'
has findings.json report.txt
rig show "$R"
exits 130
end

begin 'SIGTERM is as good'
go_behind "run#2=reach:$T/at-3; run#2=deaf"
await_file "$T/at-3"
kill -TERM $pid
await_end
exits 130
prints '0 findings in 1 case: 1 PASS'
end

begin 'nohup: a hangup does not stop it'
RIG=$plain_rig
trap '' HUP
go_behind "run#2=reach:$T/at-4; run#2=await:$T/go-4"
await_file "$T/at-4"
kill -HUP $pid
touch "$T/go-4"
await_end
trap - HUP
RIG=$T/rig
exits 0
prints '4 PASS'
end

begin 'Ctrl-C while namespaces are disabled'
go_behind "disable=reach:$T/at-5; disable=deaf"
await_file "$T/at-5"
kill -INT $pid
await_end
exits 130
prints '4 PASS'
end

begin 'Ctrl-C while nobody reads the report: it is on the disk'
mkfifo "$T/pipe"
exec 8<>"$T/pipe"
run_args --json
RIG_FAKE='run#1=fails:5000' "$RIG" "${args[@]}" >"$T/pipe" 2>"$err" </dev/null &
pid=$!
await_file "$R/report.txt"
insist
await_end
exec 8>&-
exits 130
json "$R/findings.json" '@{$d->{findings}} > 100 && @{$d->{cases}} == 4'
end

begin 'kill -9 in a case: no QEMU is left, and the logs are good for a report'
go_behind "run#1=status:FAIL; run#2=reach:$T/at-6; run#2=deaf"
await_file "$T/at-6"
qemu=$(cat "$T/at-6")
is_fake "$qemu" || bad 'no QEMU runs'
kill -9 $pid
await_end
wait_until 'the end of QEMU' "! is_fake $qemu"
has_not findings.json
rig scan "$R"
exits 1
prints 'the run did not come to its end: rig was killed'
prints '1 finding in 1 case: 1 FAIL'
has findings.json report.txt
end

begin 'kill -9 before anything was found'
go_behind "run#2=reach:$T/at-7; run#2=deaf"
await_file "$T/at-7"
kill -9 $pid
await_end
rig scan "$R" --json
exits 125
json "$out" '!$d->{ended} && @{$d->{cases}} == 1'
end
finish
