#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels that do not boot, or no further than to user space.
. "$(dirname "$0")/../lib.sh"

begin 'a console that says nothing'
go 'start=deaf' --timeout-mul 0.005 --json
exits 125
one_error 'does not boot to user space: its console says nothing'
json "$out" '!@{$d->{findings}} && !@{$d->{cases}} && !$d->{ended}'
holds host.jsonl '"exit":125'
end

begin 'a console that stops'
go 'boot=deaf' --timeout-mul 0.005
exits 125
one_error 'its console falls silent'
says '  [ '
says 'Run /init as init process'
end

begin 'an agent that never says hello'
go 'boot=babble' --boot-timeout 0.5
exits 125
one_error 'the agent does not answer within 0.5 s; see --boot-timeout'
says 'random: crng init is taking its time'
end

begin 'a panic while booting'
go "boot=file:$top/tests/golden/panic-no-root-pvh.log; boot=exit:0" --json
exits 125
one_error 'does not boot to user space: Kernel panic'
json "$out" '!@{$d->{cases}}'
end

begin 'it powers off instead'
go 'boot=exit:0'
exits 125
one_error 'does not boot to user space: it powers off'
end

begin 'a flood while booting'
go 'boot=flood:console' --json
exits 125
one_error 'the guest floods its console'
json "$out" '!@{$d->{cases}}'
end

begin 'what `rig show` says of it afterwards'
go 'boot=exit:0'
rig show "$R"
exits 125
prints 'the run did not come to its end:'
prints 'does not boot to user space: it powers off'
end

begin '`rig shell` of it'
RIG_FAKE='boot=exit:0' rig shell "$T/bzImage" --accel tcg
exits 125
one_error 'does not boot to user space: it powers off'
prints_nothing
end

begin 'namespaces that cannot be set up'
go 'setup=fail:no region'
exits 125
one_error 'the guest cannot set up its namespaces: no region'
end

begin 'an agent that does not name the namespaces'
go 'setup=reply:{"ev":"reply","id":ID,"ok":true}'
exits 125
one_error 'cannot set up its namespaces: the agent does not name them'
end

begin 'namespaces of the wrong kind'
go 'setup=reply:{"ev":"reply","id":ID,"ok":true,"namespaces":{"dev":1}}'
exits 125
one_error 'the agent does not name them'
end

begin 'the VM ends while namespaces are set up'
go 'setup=exit:0'
exits 125
one_error 'while namespaces were set up'
end

begin 'the second boot does not come up: it is tried once more'
go '0.run#2=exit:0; 1.boot=exit:0'
exits 1
no_error
says 'rig: warning: '
prints '3 PASS 1 PANIC, 3 boots'
end

begin 'two boots in a row do not come up'
go '0.run#2=exit:0; 1.boot=exit:0; 2.boot=exit:0' --json
exits 1
one_error '2 boots in a row did not get to a case'
json "$out" '@{$d->{cases}} == 2 && $d->{boots} == 3 && !$d->{ended} &&
	@{$d->{findings}} == 1'
end
finish
