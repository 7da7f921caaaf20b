#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every machine of the table boots, sets its namespaces up and runs a case on
# each filesystem that it has.
. "$(dirname "$0")/lib.sh"

for m in $("$rig" list machines --json | sed -n 's/.*"name":"\(.*\)".*/\1/p'); do
	case $m in
	devdax) cases="-w zap:munmap/ext4/4k -w devdax-map:munmap" ;;
	labels) cases="-w zap:munmap/xfs/4k -w zap:munmap/ext4/4k -w devdax-map:munmap" ;;
	*) cases="-w zap:munmap/xfs/4k -w zap:munmap/ext4/4k" ;;
	esac
	ok "$m is set up and runs cases" \
		run "$m" 0 debian:bookworm --machine "$m" $cases
	ok "$m: none of them was skipped on ext4" \
		status "$m" zap:munmap/ext4/4k PASS
done
finish
