// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The namespace disabled and enabled: its struct pages are given back and made
 * anew. mm/memremap.c memunmap_pages() waits for pgmap->ref, in which
 * references on fsdax and device-dax pages are not: whoever holds one has to
 * have been waited for by then, as umount does from 6.15 on.
 */
#include "prog-mount.h"
#include "emit-internal.h"
#include "prog-internal.h"

#include <sys/stat.h>

enum { HOW };
enum { IDLE, HELD };
static const char *const hows[] = { "idle", "held", NULL };

static bool gen(struct gen *g, struct step *s)
{
	s->arg[HOW] = gen_chance(g, 25) ? HELD : IDLE;
	for (int i = 0; i < NR_SLOTS; i++)
		g->fd[i] = g->map[i].file = -1;
	for (int i = 0; i < NR_SLOTS && s->arg[HOW] == IDLE; i++)
		g->ref[i] = -1;
	g->frozen = g->gate_closed = false;
	return true;
}

/* Every reference is on a page that goes. */
static void will_unbind(struct lane *l)
{
	bool seen[64] = {};

	for (int i = 0; i < NR_SLOTS; i++) {
		struct hold *h = &ex->holds[i];

		if (!h->used || seen[h->ino->id])
			continue;
		seen[h->ino->id] = true;
		will_free(l, h->ino, 0, MAX_FILE);
	}
}

static int run(struct lane *l, const struct step *s)
{
	const char *why;
	int err;

	if (s->arg[HOW] == IDLE)
		release_all(l, NULL);
	err = fs_away(l);
	if (err)
		return err;
	l->nr_must = 0;
	will_unbind(l);
	/* It sleeps for grace periods; and what was not waited for is not let
	 * go while there are no struct pages. */
	l->patience = 20;
	why = ns_disable();
	if (!why)
		why = ns_enable();
	if (why)
		INFO("%s", why);
	else
		WAIT_FOR(access(wl->dev, F_OK) == 0, 5);
	err = fs_back(l, why != NULL);
	return why ? EIO : err;
}

C_HELPER(
	rebind,
	.name = "rebind",
	.uses = "TRY <sys/sysmacros.h>",
	.text = "static void put_word(const char *path, const char *word)\n"
		"{\n"
		"\tint fd = open(path, O_WRONLY);\n"
		"\n"
		"\tTRY(write(fd, word, strlen(word)));\n"
		"\tclose(fd);\n"
		"}\n"
		"\n"
		"/* As `ndctl disable-namespace` and `enable-namespace`. */\n"
		"static void rebind(const char *dev)\n"
		"{\n"
		"\tchar link[300], device[4096], driver[4096];\n"
		"\tstruct stat st;\n"
		"\n"
		"\tif (stat(dev, &st) < 0)\n"
		"\t\terr(2, \"%s\", dev);\n"
		"\tsnprintf(link, sizeof(link), \"/sys/dev/%s/%u:%u/device\",\n"
		"\t\t S_ISBLK(st.st_mode) ? \"block\" : \"char\", major(st.st_rdev),\n"
		"\t\t minor(st.st_rdev));\n"
		"\tif (!S_ISBLK(st.st_mode))\n"
		"\t\t*strrchr(link, '/') = '\\0';\n"
		"\tif (!realpath(link, device))\n"
		"\t\terr(2, \"%s\", link);\n"
		"\tstrcat(link, \"/driver\");\n"
		"\tif (!realpath(link, driver))\n"
		"\t\terr(2, \"%s\", link);\n"
		"\tstrcat(driver, \"/unbind\");\n"
		"\tput_word(driver, strrchr(device, '/') + 1);\n"
		"\tstrcpy(strrchr(driver, '/'), \"/bind\");\n"
		"\tput_word(driver, strrchr(device, '/') + 1);\n"
		"\tfor (int i = 0; i < 5000 && access(dev, F_OK) < 0; i++)\n"
		"\t\tusleep(1000);\n"
		"}\n",
);

static void emit(struct emit *e, const struct step *s)
{
	bool devdax = strcmp(e->p->fs, "devdax") == 0;

	emit_uses(e, devdax ? "rebind +waits" : "mount_again rebind +waits");
	if (s->arg[HOW] == IDLE)
		emit_let_go(e);
	emit_away(e);
	emit_c(e, s, devdax ? "rebind(\"a\");" :
			      "umount_here();\nrebind(dev);\nmount_again();");
}

OP(
	.name = "rebind",
	.help = "unmount, disable and enable the namespace, mount again",
	.groups = "admin",
	.weight = 1,
	.on = ON_FS | ON_DEVDAX,
	.flags = OP_OWNS_FS,
	.args = { { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "the namespace's struct pages stay while something refers to "
		"them, and every file is as it was when they are made anew",
);
