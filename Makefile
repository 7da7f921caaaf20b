# SPDX-License-Identifier: GPL-2.0-or-later
# One non-recursive Makefile. V=1 shows commands, SAN=1 builds with ASan and
# UBSan, C=1 runs sparse, WERROR=1 makes warnings errors. Objects go to build/,
# only the driver lands beside its sources: rig/rig.

CC ?= gcc
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local

O := build$(if $(SAN),/san)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

CPPFLAGS += -D_GNU_SOURCE -DRIG_PREFIX='"$(PREFIX)"'
CFLAGS ?= -O2 -g
cflags := -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla -fno-common -MMD -MP
cflags += $(if $(WERROR),-Werror)
comma := ,
cflags += $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer)

host_libs := json-c libarchive libelf libkmod libpcre2-8 libxxhash smartcols
guest_libs := json-c libbpf libndctl libdaxctl devmapper libpmem2 liburing uuid
pkgs = $(shell $(PKG_CONFIG) $(1) $(2))

host_src := $(wildcard rig/*.c)
agent_src := $(wildcard guest/agent*.c workloads/*.c) guest/btf.c guest/sys.c
init_src := guest/init.c guest/sys.c

host_obj := $(host_src:%.c=$(O)/%.o)
agent_obj := $(agent_src:%.c=$(O)/%.o)
# All of the driver but main(): what unit tests link.
host_lib_obj := $(filter-out $(O)/rig/rig.o,$(host_obj))

unit_src := $(wildcard tests/test-*.c)
unit_bin := $(unit_src:tests/%.c=$(O)/tests/%)

rig_bin := $(if $(SAN),$(O)/rig-san,rig/rig)

all: $(rig_bin) build/rig-agent build/rig-init
.PHONY: all

$(rig_bin): $(host_obj)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(cflags) $(LDFLAGS) -o $@ $^ $(call pkgs,--libs,$(host_libs)) -lm -lpthread

# The agent is never built with a sanitizer: it is PID 2 of somebody's guest.
build/rig-agent: $(agent_src:%.c=build/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-z,now -o $@ $^ $(call pkgs,--libs,$(guest_libs)) -laio -lpthread

build/rig-init: $(init_src:%.c=build/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^

$(O)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(if $(C),$(Q)sparse -D_GNU_SOURCE -Wno-decl $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(cflags) -I. -c -o $@ $<

$(O)/tests/%: $(O)/tests/%.o $(host_lib_obj)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(cflags) $(LDFLAGS) -o $@ $^ $(call pkgs,--libs,$(host_libs)) -lcmocka -lm -lpthread

# Programs are the agent's: all of it but main().
agent_lib_obj := $(filter-out $(O)/guest/agent.o,$(agent_obj))
$(filter $(O)/tests/test-prog-%,$(unit_bin)): %: %.o $(agent_lib_obj)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(cflags) $(LDFLAGS) -o $@ $^ $(call pkgs,--libs,$(guest_libs)) -laio -lcmocka -lpthread

# The one other file of the agent's with tests of its own.
$(O)/tests/test-btf: $(O)/guest/btf.o
$(O)/tests/test-btf: host_libs += libbpf

.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)

unit-tests: $(unit_bin)
.PHONY: unit-tests

clean:
	rm -rf build rig/rig
.PHONY: clean

# --- what a user types ------------------------------------------------------

packages = $(shell sed 's/\#.*//' deps.txt)
as_root := $(if $(filter 0,$(shell id -u)),,sudo)

# Installs what is missing; asks for no rights when nothing is.
deps:
	@missing=; for p in $(packages); do \
	  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | \
	    grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "  DEPS   $$missing"; \
	  $(as_root) apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	    $(as_root) apt-get install -qy --no-install-recommends $$missing; \
	fi
.PHONY: deps

# rig exits with 1 for findings, which is what a demo is for.
demo: deps
	@$(MAKE) --no-print-directory all
	rig/rig run debian:bookworm || [ $$? -eq 1 ]
.PHONY: demo

# Unit tests and golden logs run with ASan and UBSan, fault tests against a
# fake QEMU, boot tests against packaged kernels. Timings are not asserted.
check: deps
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory SAN=1 unit-tests
	@$(MAKE) --no-print-directory build/tests/fake-qemu
	tests/run
.PHONY: check

build/tests/fake-qemu: build/tests/fake-qemu.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkgs,--libs,json-c) -lpthread

# Coverage-guided, for FUZZ_SECONDS each: `make fuzz`, or one as `make fuzz-scan`.
FUZZ_SECONDS ?= 60
fuzz_all := $(patsubst tests/fuzz-%.c,%,$(wildcard tests/fuzz-*.c))
# What each needs beside its own file; what reads a guest's memory reads one
# that is made by hand.
fuzz_gmem := $(addprefix rig/,gmem.c vmcoreinfo.c pfn-info.c page-layout.c \
	       census-find.c census.c util.c progress.c)
fuzz_src_scan := $(wildcard rig/scan*.c) \
		 $(addprefix rig/,patterns.c finding.c util.c progress.c)
fuzz_src_census-log := $(addprefix rig/,census-log-read.c census-log-runs.c \
			 util.c progress.c)
fuzz_src_btf := guest/btf.c
fuzz_src_minimize-text := $(addprefix rig/,minimize-text.c util.c progress.c)
fuzz_src_prog-text := $(filter-out guest/agent.c,$(agent_src))
fuzz_libs_prog-text = $(call pkgs,--libs,$(guest_libs)) -laio
fuzz_src_pfn-info = $(fuzz_gmem)
fuzz_src_vmcoreinfo = $(fuzz_gmem)
fuzz_src_page-layout = $(fuzz_gmem)
fuzz_src_census = $(fuzz_gmem)

.SECONDEXPANSION:
$(fuzz_all:%=build/fuzz-%): build/fuzz-%: tests/fuzz-%.c $$(fuzz_src_$$*)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)clang -std=gnu11 $(CPPFLAGS) -O1 -g -I. \
	  -Wno-gnu -fsanitize=fuzzer,address,undefined -o $@ $^ \
	  $(call pkgs,--libs,json-c libxxhash libpcre2-8 libbpf) \
	  $(fuzz_libs_$*) -lm -lpthread

# Where a fuzzer starts: what mutations do not find the way to.
build/corpus-%: tests/fuzz-%.c
	@mkdir -p $@
build/corpus-scan: tests/fuzz-scan.c
	@mkdir -p $@
	@cp -n tests/golden/*.log $@
build/corpus-btf: tests/fuzz-btf.c
	@mkdir -p $@
	$(Q)clang -target bpf -g -O1 -c -o build/fuzz-btf-seed.o $<
	$(Q)objcopy -I elf64-little --dump-section .BTF=$@/seed \
	  build/fuzz-btf-seed.o build/fuzz-btf-seed.copy

build/corpus-prog-text: tests/fuzz-prog-text.c build/rig-agent
	@mkdir -p $@
	$(Q)finding='{"kind":"data","title":"t","hits":1,"runs":2,"detail":{"file":"a","view":"read(2)","fd":0,"map":1,"off":4096,"len":512,"want_step":2,"got_step":3,"step":9}}'; \
	build/rig-agent --generate '{"seed":1,"count":40,"fs":"xfs","threads":4}' | \
	  sed 's/.*"program":"\([^"]*\)".*/\1/' | { n=0; while read -r text; do \
	  printf '%s\n%b' "$$finding" "$$text" >$@/$$((n += 1)); done; }

$(fuzz_all:%=fuzz-%): fuzz-%: build/fuzz-% build/corpus-%
	$< -max_len=8192 -timeout=10 -max_total_time=$(FUZZ_SECONDS) \
	  -print_final_stats=1 build/corpus-$*
fuzz: $(fuzz_all:%=fuzz-%)
.PHONY: fuzz $(fuzz_all:%=fuzz-%)

# What is measured against what: the files in bench/ say so.
bench: build/bench/census all
	build/bench/census
	bench/live.sh
.PHONY: bench

build/bench/%: build/bench/%.o $(host_obj:$(O)/%=build/%)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(cflags) $(LDFLAGS) -o $@ $(filter-out build/rig/rig.o,$^) $(call pkgs,--libs,$(host_libs)) -lm -lpthread

install: all
	install -D rig/rig $(DESTDIR)$(PREFIX)/bin/rig
	install -D -t $(DESTDIR)$(PREFIX)/lib/rig build/rig-agent build/rig-init
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/rig/kconfigs kconfigs/*.config
	install -D -m 644 docs/rig.1 $(DESTDIR)$(PREFIX)/share/man/man1/rig.1
.PHONY: install
