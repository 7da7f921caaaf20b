// SPDX-License-Identifier: GPL-2.0-or-later
#include "prog.h"

enum { FD, NAME, HOW };
enum { CREATE, RDWR, RDONLY, TRUNC, DIRECT, SYNC };
static const char *const hows[] = { "create", "rdwr", "rdonly", "trunc",
				    "direct", "sync", NULL };
static const int flags[] = {
	[CREATE] = O_RDWR | O_CREAT,
	[RDWR] = O_RDWR,
	[RDONLY] = O_RDONLY,
	[TRUNC] = O_RDWR | O_CREAT | O_TRUNC,
	[DIRECT] = O_RDWR | O_CREAT | O_DIRECT,
	[SYNC] = O_RDWR | O_CREAT | O_DSYNC,
};

static bool gen(struct gen *g, struct step *s)
{
	unsigned int how = gen_below(g, 10);

	if (g->on == ON_DEVDAX)
		s->arg[NAME] = 0;
	s->arg[HOW] = how < 6 || g->on == ON_DEVDAX ? CREATE : how - 5;
	if (g->name[s->arg[NAME]] < 0 &&
	    (s->arg[HOW] == RDWR || s->arg[HOW] == RDONLY))
		s->arg[HOW] = CREATE;
	g->fd[s->arg[FD]] = gen_file_of_name(g, s->arg[NAME]);
	if (s->arg[HOW] == TRUNC)
		g->file[g->fd[s->arg[FD]]].size = 0;
	return true;
}

/* O_TRUNC, of the file that has the name now. */
static struct span *will_cut(struct lane *l, struct ino *ino)
{
	struct span *sp = will_change(l, ino, 0);

	will_free(l, ino, 0, MAX_FILE);
	return sp;
}

static int run(struct lane *l, const struct step *s)
{
	struct file *f = fresh_fd(l, s->arg[FD]);
	const char *path = wl->mnt ? name_path(s->arg[NAME]) : wl->dev;
	struct span *sp = NULL;
	struct ino *ino;
	int fd;

	/* There is one device. */
	if (!f || (!wl->mnt && (s->arg[NAME] || s->arg[HOW] == TRUNC)))
		return VOID;
	/* Nobody else makes or removes the name between here and there. */
	pthread_mutex_lock(&names_lock);
	ino = use_name(l, s->arg[NAME]);
	if (s->arg[HOW] == TRUNC && ino)
		sp = will_cut(l, ino);
	fd = open(path, flags[s->arg[HOW]] | O_CLOEXEC, 0600);
	if (fd >= 0 && !ino) {
		ino = ino_new(l);
		if (ino)
			name_set(l, s->arg[NAME], ino);
	}
	pthread_mutex_unlock(&names_lock);
	if (fd < 0)
		return errno;
	if (!ino) {
		close(fd);
		return VOID;
	}
	if (sp) {
		private_lost(ino, 0);
		model_size(l, sp, 0);
	}
	fill_fd(l, f, fd, ino);
	f->direct = s->arg[HOW] == DIRECT;
	f->readonly = s->arg[HOW] == RDONLY;
	return 0;
}

static void emit(struct emit *e, const struct step *s)
{
	static const char *const c[] = {
		[CREATE] = "TRY(fd$fd = open(\"$name\", O_RDWR | O_CREAT, 0600));",
		[RDWR] = "TRY(fd$fd = open(\"$name\", O_RDWR));",
		[RDONLY] = "TRY(fd$fd = open(\"$name\", O_RDONLY));",
		[TRUNC] = "TRY(fd$fd = open(\"$name\", O_RDWR | O_CREAT | O_TRUNC, 0600));",
		[DIRECT] = "TRY(fd$fd = open(\"$name\", O_RDWR | O_CREAT | O_DIRECT, 0600));",
		[SYNC] = "TRY(fd$fd = open(\"$name\", O_RDWR | O_CREAT | O_DSYNC, 0600));",
	};

	if (s->arg[HOW] == TRUNC)
		emit_uses(e, "+waits");
	emit_c(e, s, c[s->arg[HOW]]);
}

OP(
	.name = "open",
	.help = "open a file by its name; most ways make it if there is none",
	.groups = "file",
	.weight = 10,
	.on = ON_FS | ON_DEVDAX,
	.args = { { "fd", ARG_FD, .fresh = true }, { "name", ARG_NAME },
		  { "how", ARG_WORD, hows } },
	.gen = gen,
	.run = run,
	.emit = emit,
	.must = "O_TRUNC waits for references on the file's pages",
);
