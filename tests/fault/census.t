#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A census that cannot be taken: the run goes on, says loudly that it is blind,
# and never passes in silence.
. "$(dirname "$0")/../lib.sh"

make_image "$T/bzImage"
census=--census-hz=1

begin 'QEMU does not say where its memory is'
go 'devices=nothing'
exits 125
says 'the census is blind: QEMU names no memory devices'
prints '0 findings in 4 cases: 4 PASS'
prints 'THE CENSUS IS BLIND'
holds report.txt 'THE CENSUS IS BLIND'
json "$R/findings.json" '$d->{blind} =~ m{names no memory}'
end

begin 'a guest without BTF, VMCOREINFO or namespaces to be found'
go ''
exits 125
says 'the census is blind: '
prints 'THE CENSUS IS BLIND'
end

begin 'layout fails'
go 'layout=fail:no such thing'
exits 125
says 'the census is blind: no such thing'
end

begin 'a layout of nonsense'
go 'layout=reply:{"ev":"reply","id":ID,"ok":true,"btf":{"page":{"size":-1,"_refcount":1e99}},"vmcoreinfo":{"gpa":-4096,"len":1e18}}'
exits 125
says 'the census is blind: '
end

begin 'namespaces that are nowhere'
go 'setup=reply:{"ev":"reply","id":ID,"ok":true,"namespaces":[{"name":"namespace0.0","dev":"/dev/pmem0","base":-1,"ns_size":1e18,"data":7,"size":-4096}]}'
exits 125
says 'the census is blind: '
end

begin 'what was found is found all the same'
go 'run#3=status:FAIL; run#3=console:WARNING: CPU: 0 PID: 1 at fs/dax.c:398 f+0x1/0x2'
exits 1
prints 'THE CENSUS IS BLIND'
end

begin 'QEMU ends while it is asked'
go 'devices=exit:1'
exits 125
one_error 'QEMU ended'
says_not blind
end

begin 'rig scan says it again'
go ''
rig scan "$R"
exits 125
prints 'THE CENSUS IS BLIND'
end

begin 'no census was asked for'
census=--no-census
go ''
exits 0
says_not blind
end
finish
