#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the live census costs the guest, on a real kernel: the workload
# bench-census measures it, in one boot. $1: the kernel, $2: short or long.
set -eu
cd "$(dirname "$0")/.."
dir=$(mktemp -d "${TMPDIR:-/tmp}/rig-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
rig/rig run "${1:-debian:bookworm}" -q -w "bench-census:${2:-short}" \
	--rundir "$dir/run" >"$dir/out" || {
	cat "$dir/out"
	exit 1
}
sed -n 's/.*"INFO".*"text":"\([^"]*rounds a second[^"]*\)".*/live census: \1/p' \
	"$dir/run/boot-0/events.jsonl"
