#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The census on real kernels: the refcount model is told for what it is; a
# planted leak is seen at its file and offset and goes when it is released; GET
# is told from PIN, and 4 KiB from 2 MiB; struct pages in the namespace agree
# with struct pages in RAM, whether page tables have four levels or five.
. "$(dirname "$0")/lib.sh"

# host DIR CONDITION: some line of host.jsonl, as $_->{...}, is so.
host()
{
	perl -MJSON::PP -e '
		my ($file, $cond) = @ARGV;
		open my $f, "<", $file or die "$file: $!";
		my @all = map { eval { decode_json($_) } // () } <$f>;
		my @hit = grep { eval $cond or ($@ and die $@) } @all;
		print encode_json($_), "\n" for grep {
			$_->{ev} =~ /^(census|observe)$/ } @all;
		exit !@hit' "$tmp/$1/host.jsonl" "$2"
}

not()
{
	! "$@"
}

# at DIR CASE POINT REF: what the page counted there.
at()
{
	host "$1" "\$_->{ev} eq 'census' && \$_->{case} eq '$2' &&
		   \$_->{at} eq '$3' && \$_->{ref} == $4"
}

# leak DIR CASE KIND WHEN: a finding says so, with the file and the offset.
leak()
{
	case $2 in
	*devdax*) file="/dev/dax0\\.2\\+0x200000 " ;;
	*2m) file="case/planted\\+0x200000 " ;;
	*) file="case/planted\\+0x3000 " ;;
	esac
	host "$1" "\$_->{ev} eq 'observe' && \$_->{kind} eq 'census' &&
		   \$_->{case} eq '$2' && \$_->{key} =~ /^census $3 / &&
		   \$_->{text} =~ m{of $file} && \$_->{text} =~ /seen $4/"
}

model()
{
	cat "$tmp/$1.out"
	grep -qF "refcount model of $2 pages, measured: $3 (" "$tmp/$1.out" &&
		! grep -q BLIND "$tmp/$1.out"
}

# planted SUITE MODEL IDLE PIN4K PIN2M: on two fsdax namespaces (struct pages
# in the NVDIMM and in RAM) and a device-dax one.
planted()
{
	s=$1 idle=$3
	ok "$s: planted leaks are findings" \
		run "$s" 1 "debian:$s" --machine labels -w plant:get \
		-w plant:pin -w plant:outlives/devdax
	ok "$s has refcount model $2" model "$s" fsdax "$2"
	ok "$s: device-dax as well" model "$s" device-dax "$2"
	for c in xfs/4k xfs/2m ext4/4k ext4/2m devdax/2m; do
		base=$idle pin=$4
		case $c in
		devdax*) base=1 pin=1 ;;
		*2m) pin=$5 ;;
		esac
		ok "$s: plant:get/$c counts one more" \
			at "$s" "plant:get/$c" planted $((base + 1))
		ok "$s: and is found, with its file and offset" \
			leak "$s" "plant:get/$c" get 'at "planted"'
		ok "$s: and goes when it is released" \
			at "$s" "plant:get/$c" released "$base"
		ok "$s: and is not found any more" \
			not leak "$s" "plant:get/$c" get 'at "released"'
		ok "$s: plant:pin/$c counts $pin more" \
			at "$s" "plant:pin/$c" planted $((base + pin))
		ok "$s: and is told from a GET" \
			leak "$s" "plant:pin/$c" pin 'at "planted"'
		ok "$s: and goes when it is released" \
			at "$s" "plant:pin/$c" released "$base"
	done
	ok "$s: what outlives its case is found after it" \
		leak "$s" plant:outlives/devdax/2m '(get|pin)' 'after the case'
}
planted bookworm A 1 1024 1024
planted forky C 0 1024 1

ok "bookworm: a leaked page whose file is gone is still named" \
	run gone 1 debian:bookworm -w plant:outlives/xfs/4k -w zap:munmap/xfs/4k
ok "by who had it last, and once" \
	leak gone plant:outlives/xfs/4k get 'after the case'
ok "and the case after it has a clean namespace" \
	status gone zap:munmap/xfs/4k PASS

ok "trixie is calibrated" run trixie 0 debian:trixie -w zap:munmap/xfs/4k
ok "and has model A" model trixie fsdax A

# Which pages of which files counted what where the workloads stopped.
pages()
{
	"$rig" census --json "$tmp/$1" | perl -MJSON::PP -0777 -e '
		my $d = decode_json(<STDIN>);
		for my $n (@{$d->{namespaces}}) {
			print "count $_->{count} $_->{what}",
				$_->{what} eq "idle" ? "" : " $_->{most}", "\n"
				for @{$n->{counts}};
			print "page $_->{case} $_->{file} $_->{file_offset} ",
				"$_->{pages} $_->{count} $_->{mapcount} ",
				"$_->{index}\n" for @{$n->{off_idle}};
		}' | sort >"$tmp/$1.pages"
	cat "$tmp/$1.pages"
	grep -q '^page plant:get/xfs/4k case/planted 12288 1 ' \
		"$tmp/$1.pages"
}

# way DIR METHOD: how the struct pages were found.
way()
{
	host "$1" "\$_->{ev} eq 'census-ns' && \$_->{method} eq '$2'"
}

for s in bookworm forky; do
	for m in nvdimm nvdimm-mem no5lvl; do
		case $m in
		no5lvl) how="--machine nvdimm-mem --append no5lvl" ;;
		*) how="--machine $m" ;;
		esac
		ok "$s: the same leaks, $m" \
			run "$s-$m" 1 "debian:$s" $how -w plant:get/xfs \
			-w plant:pin/xfs --census-hz 0
		ok "$s: page by page, $m" pages "$s-$m"
	done
	ok "$s: map=dev is read both ways, and they agree" \
		way "$s-nvdimm" 'info block and page tables agree'
	ok "$s: map=mem by page tables" way "$s-nvdimm-mem" 'page tables'
	ok "$s: map=dev and map=mem agree, page for page" \
		diff "$tmp/$s-nvdimm.pages" "$tmp/$s-nvdimm-mem.pages"
	ok "$s: with four levels of page tables, too" \
		diff "$tmp/$s-nvdimm.pages" "$tmp/$s-no5lvl.pages"
done

picture()
{
	"$rig" census "$tmp/bookworm" -o "$tmp/c.svg" >"$tmp/table" &&
		grep -q 'case/planted' "$tmp/table" &&
		grep -q '</svg>' "$tmp/c.svg" && grep -q 'plant:get' "$tmp/c.svg"
}
ok "rig census has the table and the picture of it" picture
finish
