# SPDX-License-Identifier: GPL-2.0-or-later
# What the fault tests share; to be sourced by bash. A test is
#
#	begin 'QEMU that exits at once'
#	go 'start=exit:1' --json
#	exits 128
#	says 'does not start'
#	end
#
# Every check between begin and end counts as one TAP line; what failed, and
# what rig printed, comes as diagnostics. Nothing of the user's is touched:
# cache, state and home are folders of this script's, removed at its end.
# $RIG names another rig to test, such as build/san/rig-san.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RIG=${RIG:-$top/rig/rig}
timeout=$(command -v timeout)
fake=$top/build/tests/fake-qemu
T=$(mktemp -d "${TMPDIR:-/tmp}/rig-fault.XXXXXX")
export HOME=$T/home XDG_CACHE_HOME=$T/cache XDG_STATE_HOME=$T/state
export RIG_QEMU=$fake RIG_FAKE_PIDS=$T/pids LC_ALL=C
unset CCACHE_DIR
mkdir -p "$HOME"
exec 2>"$T/shell"
nr=0 failed=0 name= broken= skipped=

# A bzImage that rig's probe takes and no machine could run: boot sector with
# the setup header of Documentation/arch/x86/boot.rst, and a release.
make_image() {
	perl -e '
		my $b = "\0" x 0x800;
		sub at { substr($b, $_[0], length $_[1]) = $_[1] }
		at(0x1f1, "\1");			# setup sectors
		at(0x1f4, pack "V", 0x400 / 16);	# protected mode part
		at(0x1fe, "\x55\xaa");
		at(0x202, "HdrS");
		at(0x20e, pack "v", 0x300 - 0x200);	# version string
		at(0x236, pack "v", 1);			# 64-bit entry
		at(0x300, "6.1.7-fake (me\@host) #1 SMP");
		print $b' >"$1"
}

begin() {
	nr=$((nr + 1)) name=$1 broken= skipped= rc=
	R=$T/run-$nr
	out=$T/out-$nr err=$T/err-$nr
	: >"$RIG_FAKE_PIDS"
	: >"$out"
	: >"$err"
}

bad() {
	broken="$broken# $*
"
}

end() {
	[ -n "$skipped" ] || leaves_nothing
	# What this script did wrong; bash tells of each job that was killed.
	if grep -ve ' Killed  ' -e '^$' "$T/shell" >"$T/shell-said"; then
		bad "$(cat "$T/shell-said")"
	fi
	: >"$T/shell"
	if [ -z "$broken" ]; then
		echo "ok $nr - $name${skipped:+ # SKIP $skipped}"
	else
		failed=1
		echo "not ok $nr - $name"
		printf '%s' "$broken"
		sed 's/^/# stdout: /' "$out" | head -30
		sed 's/^/# stderr: /' "$err" | head -30
	fi
	rm -rf "$R"
}

skip() {
	skipped=$1
	end
}

finish() {
	echo "1..$nr"
	exit $failed
}

clean_up() {
	local pid

	for pid in $(cat "$RIG_FAKE_PIDS" 2>/dev/null); do
		is_fake "$pid" && kill -9 "$pid"
	done
	rm -rf "$T"
}
trap clean_up EXIT

# rig ARG...: $rc, $out and $err are what came of it. No test waits so long.
rig() {
	$timeout -k 1 60 "$RIG" "$@" >"$out" 2>"$err" </dev/null
	rc=$?
}

# The arguments of a run with the script's kernel and four cases. The fake
# guest has no struct pages: no census, unless $census says so.
census=
run_args() {
	args=(run "$T/bzImage" --accel tcg --rundir "$R"
	      -w pin-unmap-truncate:vmsplice ${census:---no-census} "$@")
}

# go SCRIPT ARG...: a run in $R with the fake guest's script.
go() {
	local script=$1

	shift
	run_args "$@"
	RIG_FAKE=$script rig "${args[@]}"
}

# As go, in the background: $pid. await_end gets $rc.
go_behind() {
	local script=$1

	shift
	run_args "$@"
	RIG_FAKE=$script "$RIG" "${args[@]}" >"$out" 2>"$err" </dev/null &
	pid=$!
}

await_end() {
	wait_until 'the end of rig' 'is_gone $pid' || kill -9 "$pid"
	wait "$pid" 2>/dev/null
	rc=$?
}

# wait_until WHAT CONDITION: for at most 30 s.
wait_until() {
	local until=$((SECONDS + 30))

	while [ $SECONDS -lt $until ]; do
		eval "$2" && return 0
		sleep 0.01
	done
	bad "waited in vain for $1"
	return 1
}

await_file() {
	wait_until "$1" "[ -e '$1' ]"
}

# Ctrl-C again and again, until rig ends.
insist() {
	wait_until 'the end of rig' \
		"kill -INT $pid 2>/dev/null; sleep 0.1; is_gone $pid"
}

# A child of ours that has ended is a zombie until it is waited for.
is_gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

is_fake() {
	[ "$(readlink "/proc/$1/exe" 2>/dev/null)" = "$fake" ]
}

# --- checks -----------------------------------------------------------------

exits() {
	[ "$rc" = "$1" ] || bad "exit $rc, not $1"
}

says() {
	grep -qF -- "$1" "$err" || bad "stderr does not say '$1'"
}

says_not() {
	! grep -qF -- "$1" "$err" || bad "stderr says '$1'"
}

prints() {
	grep -qF -- "$1" "$out" || bad "stdout does not say '$1'"
}

prints_not() {
	! grep -qF -- "$1" "$out" || bad "stdout says '$1'"
}

prints_nothing() {
	[ ! -s "$out" ] || bad "stdout is not empty"
}

# One line that tells what is wrong, of all that is said.
one_error() {
	local n

	n=$(grep -c '^rig: error: ' "$err")
	[ "$n" = 1 ] || bad "$n error lines, not one"
	says "$1"
}

no_error() {
	! grep -q '^rig: error: ' "$err" || bad "there is an error line"
}

has() {
	local f

	for f; do
		[ -e "$R/$f" ] || bad "the run directory has no $f"
	done
}

has_not() {
	[ ! -e "$R/$1" ] || bad "the run directory has a $1"
}

# In FILE of the run directory stands TEXT.
holds() {
	grep -qaF -- "$2" "$R/$1" 2>/dev/null || bad "$1 does not hold '$2'"
}

holds_not() {
	! grep -qaF -- "$2" "$R/$1" 2>/dev/null || bad "$1 holds '$2'"
}

# One JSON document in valid UTF-8; and EXPR (perl, of $d) is true of it.
json() {
	perl -MJSON::PP -e '
		local $/;
		my $d = eval { JSON::PP->new->utf8->decode(scalar <STDIN>) };
		die $@ if $@;
		exit(eval($ARGV[0]) ? 0 : 1)' -- "${2:-1}" <"$1" 2>"$T/json.err" ||
		bad "${1#"$T"/}: not the JSON that was expected: ${2:-} $(cat "$T/json.err")"
}

# No control byte but the newline, no ESC of the guest's, and valid UTF-8.
printable() {
	perl -e '
		use Encode;
		local $/;
		my $t = <STDIN>;
		exit 1 if $t =~ /[\x00-\x08\x0b-\x1f\x7f]/;
		eval { decode("UTF-8", $t, Encode::FB_CROAK) };
		exit($@ ? 1 : 0)' <"$1" || bad "${1#"$T"/} is not fit to be shown"
}

# What rig said in a pipe: lines of its own, no terminal's sequences.
plain_lines() {
	printable "$err"
	! grep -vqE '^(rig: |  )' "$err" || bad "a line of stderr is not rig's"
}

# $pid's file says who is to be gone.
leaves_nothing() {
	local p f

	for p in $(cat "$RIG_FAKE_PIDS"); do
		wait_until "the end of QEMU $p" "! is_fake $p"
	done
	for f in "$R"/boot-*/pmem*; do
		[ ! -e "$f" ] || bad "${f##*/} is left behind"
	done
	for f in "$XDG_CACHE_HOME"/rig/images/*.tmp; do
		[ ! -e "$f" ] || bad "$f is left behind"
	done
}

make_image "$T/bzImage"
if ! [ -x "$RIG" ] || ! [ -x "$fake" ]; then
	echo "Bail out! no $RIG or no $fake: run make all build/tests/fake-qemu"
	exit 1
fi

# --- what is to be built ----------------------------------------------------

# A tree that builds in milliseconds and takes what rig passes to the kernel's
# Makefile; COMPILE (shell) is run for its one object.
make_tree() {
	local dir=$1 compile=${2:-touch \$@}

	mkdir -p "$dir/arch/x86"
	printf 'config X86\n\tbool\n' >"$dir/Kconfig"
	: >"$dir/one.c"
	cat >"$dir/Makefile" <<EOF
VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 7
EXTRAVERSION = -fake
allnoconfig:
	@cp \$(KCONFIG_ALLCONFIG) \$(O)/.config
\$(O)/one.o: one.c
	@echo '  CC      one.o'
	@$compile
vmlinux: \$(O)/one.o
	@mkdir -p \$(O)/include/config
	@echo 6.1.7-fake >\$(O)/include/config/kernel.release
	@touch \$(O)/vmlinux
modules:
modules_install:
EOF
}

# Another rig, whose parts lie in $T/tree, for what is missing or broken there.
make_private_rig() {
	rm -rf "$T/tree"
	mkdir -p "$T/tree/rig" "$T/tree/build"
	cp "$RIG" "$T/tree/rig/rig"
	cp -r "$top/kconfigs" "$T/tree"
	cp "$top/build/rig-agent" "$top/build/rig-init" "$T/tree/build"
}

# A program that needs a library that no host has.
make_unlinkable() {
	perl -pe 's/libndctl\.so\.6/libnoctl.so.6/g' <"$top/build/rig-agent" >"$1"
	chmod +x "$1"
}
