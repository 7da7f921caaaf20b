#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the user names and this host lacks: one line that says what to do, and
# no run that never was.
. "$(dirname "$0")/../lib.sh"
runs=$XDG_STATE_HOME/rig/runs

# refuse NAME EXIT TEXT ARG...
refuse() {
	begin "$1"
	local want=$2 text=$3

	shift 3
	rig run --accel tcg --json "$@"
	exits "$want"
	one_error "$text"
	prints_nothing
	[ "$want" != 129 ] || [ -z "$(ls "$runs" 2>/dev/null)" ] ||
		bad 'a run directory is left'
	rm -rf "$runs"
	end
}

# misuse NAME TEXT ARG...: as argp says it.
misuse() {
	begin "$1"
	local text=$2

	shift 2
	rig "$@"
	exits 129
	says "$text"
	says 'Try `rig '
	prints_nothing
	[ ! -e "$runs" ] || bad 'a run directory is left'
	end
}

mkdir "$T/empty"
refuse 'nothing there' 129 "'/nonexistent' names no kernel" /nonexistent
refuse 'not a kernel tree' 129 'is no kernel source tree' "$T/empty"
make_tree "$T/arm"
rmdir "$T/arm/arch/x86"
refuse 'a tree for another architecture' 129 \
	'is a tree for another architecture: it has no arch/x86' "$T/arm"
make_tree "$T/placed"
echo '# Linux/arm64 6.1.7 Kernel Configuration' >"$T/placed/.config"
refuse 'a tree that was configured in place' 129 \
	"was configured in place for arm64, and make O= refuses such a tree: run 'make -C " \
	"$T/placed"
make_tree "$T/broken" 'echo "one.c:3:1: error: oops" >&2; false'
refuse 'a tree that does not build' 125 'failed: one.c:3:1: error: oops' \
	"$T/broken"
echo text >"$T/text"
refuse 'not a kernel image' 129 'is no kernel image' "$T/text"
head -c 1000 "$T/bzImage" >"$T/short"
refuse 'an image that was cut short' 129 'is cut short: it has 1000 bytes' \
	"$T/short"
head -c 3000 /dev/urandom >"$T/noise"
refuse 'an image of noise' 129 'is no kernel image' "$T/noise"
perl -pe 's/6\.1\.7-fake/..\/..\/..\/x/' <"$T/bzImage" >"$T/evil"
refuse 'an image whose release is a path' 129 'is a corrupt kernel image' \
	"$T/evil"
refuse 'a package that is not there' 129 'No such file' "$T/none.deb"
head -c 3000 /dev/urandom >"$T/noise.deb"
refuse 'a package of noise' 129 "$T/noise.deb" "$T/noise.deb"
refuse 'no such suite' 129 'is no Debian suite' debian:../x
refuse 'modules of nowhere' 129 'has no modules for 6.1.7-fake' \
	"$T/bzImage,$T/empty"
refuse 'no such workload' 129 "no case 'nosuch' on machine nvdimm" \
	"$T/bzImage" -w nosuch
refuse 'no such accelerator' 129 '--accel takes auto, kvm, tcg' \
	"$T/bzImage" --accel x
refuse 'patches for a kernel that is built' 129 'need a source tree' \
	"$T/bzImage" --patches x.patch
misuse 'no kernel' 'which kernel?' run
misuse 'two kernels' 'one kernel at a time' run a b
misuse 'no such machine' "no machine 'x'" run "$T/bzImage" --machine x
misuse 'no time to boot' '--boot-timeout takes a number greater than 0' \
	run "$T/bzImage" --boot-timeout 0
misuse 'no such limit' '--timeout-mul takes a number greater than 0' \
	run "$T/bzImage" --timeout-mul x
misuse 'no repetitions' '--repeat takes a number from 1' \
	run "$T/bzImage" --repeat 0
misuse 'no such option' "unrecognized option '--frobnicate'" \
	run --frobnicate

begin 'no such command'
rig frobnicate
exits 129
one_error "no command 'frobnicate'; \`rig --help\` lists them"
end

begin 'nothing is said when a run directory was named'
rig run "$T/empty" --accel tcg --rundir "$R"
exits 129
[ ! -e "$R" ] || bad 'it is left behind'
end

# --- what this host lacks ------------------------------------------------------

begin 'a library of a program for the guest is missing'
mkdir "$T/bin"
make_unlinkable "$T/bin/mkfs.xfs"
PATH=$T/bin:$PATH go ''
exits 128
one_error 'cannot take mkfs.xfs along into the guest: a library that it needs is not on this host'
end

begin 'a library of the agent'\''s is missing'
make_private_rig
make_unlinkable "$T/tree/build/rig-agent"
RIG=$T/tree/rig/rig go ''
exits 128
one_error 'libnoctl.so.6: cannot open shared object file'
end

begin 'the agent is missing'
rm "$T/tree/build/rig-agent"
RIG=$T/tree/rig/rig go ''
exits 128
one_error 'rig-agent'
says 'run make'
end

begin 'PID 1 is missing'
cp "$top/build/rig-agent" "$T/tree/build"
rm "$T/tree/build/rig-init"
RIG=$T/tree/rig/rig go ''
exits 128
one_error 'rig-init'
says 'run make'
end

begin 'an agent that describes itself as something else'
printf '#!/bin/sh\necho "[1, 2]"\n' >"$T/tree/build/rig-agent"
RIG=$T/tree/rig/rig go ''
exits 128
one_error 'rig-agent --describe: not what was expected; run make'
end

begin 'the same, said with an exit code'
printf '#!/bin/sh\necho \033[31mno >&2; exit 3\n' >"$T/tree/build/rig-agent"
RIG=$T/tree/rig/rig go ''
exits 128
one_error 'rig-agent --describe: '
printable "$err"
end

begin 'apt-get is missing'
mkdir "$T/nothing"
ln -s "$(command -v rm)" "$T/nothing"
PATH=$T/nothing rig run debian:bookworm --accel tcg --rundir "$R"
exits 128
one_error 'apt-get is missing'
end

begin 'apt-get fails'
printf '#!/bin/sh\necho "E: the mirror is gone"; exit 100\n' >"$T/bin/apt-get"
chmod +x "$T/bin/apt-get"
PATH=$T/bin:$PATH rig run debian:bookworm --accel tcg --rundir "$R" --json
exits 128
one_error 'the mirror is gone'
prints_nothing
end
finish
