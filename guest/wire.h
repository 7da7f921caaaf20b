/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What host and guest agree on; docs/protocol.md tells the whole of it.
 *
 * One JSON object a line, both ways, over one virtio-serial port. The host
 * sends commands {"id":N,"cmd":NAME,...}; the agent runs them one after the
 * other and answers each with {"ev":"reply","id":N,"ok":BOOL,...}. In between
 * it sends events {"ev":NAME,"t":SECONDS,...} as things happen. Unknown
 * members are ignored; an unknown command is answered with ok=false.
 */
#ifndef GUEST_WIRE_H
#define GUEST_WIRE_H

#define WIRE_VERSION 1
#define WIRE_PORT "rig.agent"
/* A longer line is an error of whoever sent it. */
#define WIRE_MAX_LINE (1 << 20)
/* Seconds between two "tick" events while the agent lives. */
#define WIRE_TICK 1.0

/* Folders and files of the image. */
#define GUEST_AGENT "/sbin/rig-agent"
#define GUEST_LIBS "/lib/rig/lib"		/* shared libraries */
#define GUEST_MODULES "/lib/rig/modules"	/* NAME.ko, flat, unpacked */
/* One line a module: "name file [needed file...]", needed ones in the order
 * in which they have to be loaded. */
#define GUEST_MODULES_DEP "/lib/rig/modules.dep"
/* Names of the modules that PID 1 loads, one a line. */
#define GUEST_MODULES_BOOT "/lib/rig/modules.boot"
#define GUEST_MNT "/mnt"

#endif
