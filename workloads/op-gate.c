// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device-mapper device over RAM, suspended and resumed: while it is
 * suspended, direct I/O between it and mappings is in flight.
 */
#include "emit.h"
#include "prog-io.h"

enum { HOW };
enum { CLOSE, OPEN };
static const char *const hows[] = { "close", "open", NULL };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[HOW] = gen_chance(g, g->gate_closed ? 70 : 15);
	g->gate_closed = s->arg[HOW] == CLOSE;
	return true;
}

static int run(struct lane *l, const struct step *s)
{
	if (s->arg[HOW] == CLOSE)
		return gate_shut();
	gate_let_through(l);
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	bool close = s->arg[HOW] == CLOSE;

	emit_uses(e, close ? "gate +gate" : "gate -gate");
	emit_c(e, s, close ? "gate(1);" : "gate(0);");
}

C_HELPER(
	gate_dev,
	.name = "gate_dev",
	.uses = "TRY <linux/dm-ioctl.h> <sys/ioctl.h> <sys/sysmacros.h>",
	.text = "/* A device over the RAM disk (modprobe dm-mod brd) for direct I/O. */\n"
		"static int gate_fd = -1, disk_fd = -1;\n"
		"\n"
		"static long dm(unsigned long cmd, unsigned int flags, unsigned int *nr)\n"
		"{\n"
		"\tstruct {\n"
		"\t\tstruct dm_ioctl io;\n"
		"\t\tstruct dm_target_spec t;\n"
		"\t\tchar params[40];\n"
		"\t} a = {\n"
		"\t\t.io = { .version = { 4 }, .data_size = sizeof(a),\n"
		"\t\t\t.data_start = sizeof(a.io), .flags = flags },\n"
		"\t\t.t = { .length = 4096, .target_type = \"linear\" },\n"
		"\t\t.params = \"/dev/ram0 0\",\n"
		"\t};\n"
		"\tint control = open(\"/dev/mapper/control\", O_RDWR);\n"
		"\tlong r;\n"
		"\n"
		"\tsnprintf(a.io.name, sizeof(a.io.name), \"reproducer\");\n"
		"\ta.io.target_count = cmd == DM_TABLE_LOAD;\n"
		"\tr = ioctl(control, cmd, &a);\n"
		"\tclose(control);\n"
		"\tif (nr)\n"
		"\t\t*nr = minor(a.io.dev);\n"
		"\treturn r;\n"
		"}\n"
		"\n"
		"static int gate_dev(void)\n"
		"{\n"
		"\tunsigned int nr;\n"
		"\tchar path[40];\n"
		"\n"
		"\tif (gate_fd >= 0)\n"
		"\t\treturn gate_fd;\n"
		"\tdm(DM_DEV_REMOVE, 0, NULL);\n"
		"\tTRY(dm(DM_DEV_CREATE, 0, &nr));\n"
		"\tTRY(dm(DM_TABLE_LOAD, 0, NULL));\n"
		"\tTRY(dm(DM_DEV_SUSPEND, 0, NULL));\n"
		"\tsnprintf(path, sizeof(path), \"/dev/dm-%u\", nr);\n"
		"\tTRY(gate_fd = open(path, O_RDWR | O_DIRECT));\n"
		"\tTRY(disk_fd = open(\"/dev/ram0\", O_RDWR | O_DIRECT));\n"
		"\treturn gate_fd;\n"
		"}\n",
);

C_HELPER(
	gate,
	.name = "gate",
	.uses = "gate_dev",
	.lets_go = "gate(0);",
	.text = "/* While it is closed, all that is submitted stays in flight. */\n"
		"static void gate(int closed)\n"
		"{\n"
		"\tif (closed)\n"
		"\t\tgate_dev();\n"
		"\tif (gate_fd >= 0)\n"
		"\t\tTRY(dm(DM_DEV_SUSPEND, closed ? DM_SUSPEND_FLAG |\n"
		"\t\t       DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG : 0, NULL));\n"
		"}\n",
);

/* What a direct read brings is on the disk before, past the gate. */
C_HELPER(
	gate_fill,
	.name = "gate_fill",
	.uses = "gate_dev fill aligned",
	.text = "static void gate_fill(char letter, off_t off, size_t len)\n"
		"{\n"
		"\tchar *buf = aligned(len);\n"
		"\n"
		"\tgate_dev();\n"
		"\tfill(buf, letter, len);\n"
		"\tTRY(pwrite(disk_fd, buf, len, off));\n"
		"}\n",
);

C_HELPER(
	gate_seen,
	.name = "gate_seen",
	.uses = "gate_dev SAW aligned",
	.text = "static void gate_seen(off_t off, size_t len)\n"
		"{\n"
		"\tlen = len < sizeof(seen) ? len : sizeof(seen);\n"
		"\tSAW(pread(disk_fd, aligned(len), len, off));\n"
		"\tmemcpy(seen, aligned(len), len);\n"
		"}\n",
);

OP(
	.name = "gate",
	.help = "close or open the device that direct I/O of mappings goes to",
	.groups = "pin",
	.weight = 4,
	.on = ON_FS | ON_DEVDAX,
	.modules = "dm-mod brd",
	.args = { { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "direct I/O in flight holds its pages until it is over",
);
