/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the members of kernel types are, by the kernel's own BTF
 * (Documentation/bpf/btf.rst), which /sys/kernel/btf/vmlinux has.
 */
#ifndef GUEST_BTF_H
#define GUEST_BTF_H

#include <json-c/json.h>
#include <stddef.h>

#define BTF_WHY 160

/*
 * Looks @members, a list of "TYPE.MEMBER", up in the @size bytes of raw BTF
 * at @data: {"page":{"size":64,"_refcount":52},"pageflags":{"PG_head":6}},
 * owned by the caller. Of a struct or union its size and the members' byte
 * offsets, those of anonymous members as if they were its own; of an enum the
 * values. Left out: types and members that are not there, and bit fields. The
 * first definition counts where there are several. NULL: corrupt BTF, and @why
 * says in what.
 */
struct json_object *btf_layout(const void *data, size_t size,
			       struct json_object *members, char why[BTF_WHY]);

#endif
