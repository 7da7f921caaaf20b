# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by boot tests: TAP on stdout, everything else in a scratch folder.
n=0 failed=0
here=$(cd "$(dirname "$0")/../.." && pwd)
rig=$here/rig/rig
tmp=$(mktemp -d "${TMPDIR:-/tmp}/rig-boot.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# ok NAME COMMAND...: one test; what the command printed is shown on failure.
ok()
{
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# command: $*"
		sed 's/^/# /' "$tmp/out" | tail -n 20
		failed=$((failed + 1))
	fi
}

# run DIR WANTED_EXIT ARG...: a rig run into $tmp/DIR with this exit code.
run()
{
	dir=$tmp/$1 want=$2
	shift 2
	code=0
	"$rig" run --rundir "$dir" "$@" >"$dir.out" 2>"$dir.err" || code=$?
	[ "$code" = "$want" ] && return 0
	echo "exit code $code, not $want: rig run $*"
	tail -n 15 "$dir.err" "$dir.out"
	return 1
}

# finding DIR TITLE CASE: the run has this finding, raised by this case.
finding()
{
	grep -F -A3 -- ". $2" "$tmp/$1/report.txt" | grep -qF -- "$3" && return
	echo "no finding '$2' raised by '$3':"
	cat "$tmp/$1.out"
	return 1
}

no_finding()
{
	! grep -F -- ". $2" "$tmp/$1/report.txt"
}

# status DIR CASE STATUS
status()
{
	grep -qE "^ +$3 .* $2(:|\$)" "$tmp/$1/report.txt" && return
	grep -E "^Cases" -A999 "$tmp/$1/report.txt"
	return 1
}

finish()
{
	echo "1..$n"
	[ "$failed" = 0 ]
}
