#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rig census of a run whose census.bin is whole, torn, corrupt, somebody else's
# or missing: what can be read is shown, what cannot is said in one line.
. "$(dirname "$0")/../lib.sh"
golden=$top/tests/golden/census.bin

# census NAME COMMAND ARG...: of a run directory $C, where COMMAND was run.
census() {
	begin "$1"
	C=$T/run\ $nr
	mkdir -p "$C/boot-0"
	echo '{"ev":"boot"}' >"$C/host.jsonl"
	echo '{"ev":"end"}' >>"$C/host.jsonl"
	echo '{"release":"6.1.7-<fake>","spec":"x"}' >"$C/run.json"
	cp "$golden" "$C/boot-0/census.bin"
	(cd "$C/boot-0" && eval "$2")
	shift 2
	rig census "$C" "$@"
	plain_lines
	printable "$out"
}

census 'all of it' :
exits 0
no_error
prints 'namespace0.0: 130048 pages, 508 MiB; an idle page counts 1; 7 frames to 20.0 s'
prints ' 1025      0      2  3.0 s pinned'
prints '+0x3f2000       2  1025 3.0 s  14.0 s (namespace gone) case/victim+0xa000, until 9.0 s'
prints '+0x3eb000       1     2 3.0 s  8.0 s                   case/victim+0x3000'
prints 'vmsplice a/xfs/4k'
prints '+0x11170000     1     0 11.0 s'
end

census 'as JSON' : --json
exits 0
json "$out" '$d->{version} == 1 && @{$d->{namespaces}} == 1 &&
	@{$d->{namespaces}[0]{off_idle}} == 4 &&
	$d->{namespaces}[0]{off_idle}[3]{held} eq "vmsplice" &&
	$d->{namespaces}[0]{off_idle}[0]{file_offset} == 0xa000'
end

census 'a window' : --from 15 --pages 1000-0x400
exits 0
prints '+0x3f2000'
prints 'still there'
prints_not '+0x3eb000'
prints_not '+0x11170000'
end

census 'a window beyond it' : --from 1000
exits 129
one_error 'has nothing in that window: it goes from 0 to 20.0 s'
end

census 'a picture' : -o "$T/a.svg"
exits 0
head -c 5 "$T/a.svg" | grep -qF '<?xml' || bad 'no SVG'
grep -qF 'Linux 6.1.7-&lt;fake&gt; (x)' "$T/a.svg" || bad 'no kernel in it'
end

if command -v rsvg-convert >/dev/null; then
	census 'a picture as PNG' : -o "$T/a.png"
	exits 0
	head -c 4 "$T/a.png" | grep -qF PNG || bad 'no PNG'
	end
fi

mkdir "$T/nothing"
census 'PNG, without the program that draws it' :
PATH=$T/nothing rig census "$C" -o "$T/b.png"
exits 128
one_error 'there is no rsvg-convert here: apt-get install librsvg2-bin, or -o FILE.svg'
[ ! -e "$T/b.png" ] || bad 'something was written'
end

census 'a picture that cannot be written' : -o "$T/none/a.svg"
exits 128
one_error "cannot write $T/none/a.svg: No such file or directory"
prints_nothing
end

census 'a torn tail' 'truncate -s -5 census.bin'
exits 0
no_error
prints '+0x3f2000'
end

census 'half of it' 'truncate -s $(($(stat -c %s census.bin) / 2)) census.bin'
exits 0
no_error
prints '+0x3eb000'
end

# A byte of the record in the middle.
census 'corrupt in the middle' \
	'printf "\125" | dd of=census.bin bs=1 seek=500 conv=notrunc 2>/dev/null' \
	-o "$T/c.svg"
exits 128
one_error '/boot-0/census.bin: the record at byte '
says ' is corrupt; what comes before it is shown'
prints '+0x3eb000'
grep -qF 'namespace0.0' "$T/c.svg" || bad 'no picture'
end

census 'zeros at its end' 'head -c 4096 /dev/zero >>census.bin'
exits 128
one_error 'is corrupt; what comes before it is shown'
prints '+0x11170000'
end

census 'empty' ': >census.bin'
exits 128
one_error 'has no frame: the boot ended before its first census'
prints_nothing
end

census 'nothing but its head' 'truncate -s 12 census.bin'
exits 128
one_error 'has no frame'
end

census 'noise' 'head -c 9000 /dev/urandom >census.bin'
exits 128
one_error 'census.bin: it is no census of this version of rig'
prints_nothing
end

census 'of a later version' \
	'printf "\2" | dd of=census.bin bs=1 seek=8 conv=notrunc 2>/dev/null'
exits 128
one_error 'it is no census of this version of rig'
end

census 'a folder' 'rm census.bin; mkdir census.bin'
exits 128
one_error 'census.bin: Is a directory'
end

census 'none' 'rm census.bin'
exits 129
one_error "$C has no census: the run took none"
prints_nothing
end

census 'no boot' 'rm -r ../boot-0'
exits 129
one_error 'has no census'
end

census 'of another boot' 'mkdir ../boot-1; cp census.bin ../boot-1' --boot 1
exits 0
prints '/boot-1/census.bin'
rig census "$C" --boot 2
exits 129
one_error '/boot-2/census.bin: No such file or directory'
end

census 'a run.json of something else' 'echo "[1]" >../run.json' -o "$T/d.svg"
exits 0
end

begin 'no such run'
rig census nosuch
exits 129
one_error "no run 'nosuch' in "
end

# misuse TEXT ARG...
misuse() {
	begin "rig census ${*:2}"
	local text=$1

	shift
	rig census "$@"
	exits 129
	says "$text"
	prints_nothing
	end
}

misuse '-o takes a file that ends in .svg or .png' -o x.gif
misuse '--boot takes a number from 0' --boot -1
misuse '--from takes seconds' --from x
misuse '--to takes seconds' --to inf
misuse '--from is after --to' --from 2 --to 1
misuse '--pages takes FIRST-LAST' --pages 5
misuse '--pages takes FIRST-LAST' --pages 9-5
misuse '--top takes a number from 1' --top 0
misuse '--live is a table of its own' --live --json
misuse 'one run at a time' a b

# --- a run that goes on -----------------------------------------------------------

census '--live of a run that has ended' : --live
exits 129
one_error 'is not going on any more; `rig census '
end

begin '--live follows a run to its end'
C=$T/live
mkdir -p "$C/boot-0"
exec 9>"$C/host.jsonl"
flock 9
n=$(stat -c %s "$golden")
head -c $((n / 2)) "$golden" >"$C/boot-0/census.bin"
"$RIG" census --live "$C" >"$out" 2>"$err" </dev/null 9>&- &
pid=$!
wait_until 'the first lines' "grep -q 'off idle' '$out'"
tail -c +$((n / 2 + 1)) "$golden" >>"$C/boot-0/census.bin"
wait_until 'the last ones' "grep -q '^20.0 s' '$out'"
exec 9>&-
await_end
exits 0
no_error
plain_lines
prints 'namespace0.0: 130047 idle, 0 in files, 0 mapped, 1 off idle (+0x3f2000 counts 2 since 16.0 s)'
end

# As Ctrl-C does, which a job in the background ignores.
begin '--live ends with SIGTERM'
exec 9>"$C/host.jsonl"
flock 9
"$RIG" census --live "$C" >"$out" 2>"$err" </dev/null 9>&- &
pid=$!
wait_until 'the first line' "[ -s '$out' ]"
kill -TERM $pid
await_end
exec 9>&-
exits 0
no_error
end
finish
