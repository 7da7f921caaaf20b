// SPDX-License-Identifier: GPL-2.0-or-later
/* `rig census`: what the struct pages counted, of a run or while it runs. */
#include "census-picture.h"
#include "census-report.h"
#include "cli.h"
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* From one look at it to the next. In seconds. */
#define REFRESH 1

struct asked {
	const char *rundir, *out;
	bool json, live;
	int boot;		/* -1: the last with a census */
	double from, to;
	uint64_t first, last;	/* pages */
	size_t top;
};

/* --- options ------------------------------------------------------------------------ */

enum { OPT_LIVE = 256, OPT_BOOT, OPT_FROM, OPT_TO, OPT_PAGES, OPT_TOP };

static const struct argp_option options[] = {
	{ "live", OPT_LIVE, NULL, 0,
	  "Follow a run that is going on, until it ends or Ctrl-C", 1 },
	{ "output", 'o', "FILE", 0, "A picture, by its suffix: .svg or .png",
	  1 },
	{ "json", 'J', NULL, 0, "All of it as one JSON object on stdout", 1 },
	{ "boot", OPT_BOOT, "N", 0, "boot-N's census; the run's last if not "
				    "said", 2 },
	{ "from", OPT_FROM, "SECONDS", 0, "Only from this time on", 2 },
	{ "to", OPT_TO, "SECONDS", 0, "Only up to this time", 2 },
	{ "pages", OPT_PAGES, "A-B", 0,
	  "Only these 4 KiB pages of each device, counted from 0 (0x too)", 2 },
	{ "top", OPT_TOP, "N", 0, "Rows of each table; 20 if not said", 2 },
	{},
};

static bool seconds(const char *arg, double *out)
{
	char *end;

	*out = strtod(arg, &end);
	return end != arg && !*end && *out >= 0 && isfinite(*out);
}

static bool pages(const char *arg, uint64_t *first, uint64_t *last)
{
	char *end;

	if (strchr(arg, '-') != strrchr(arg, '-') || *arg == '-')
		return false;
	*first = strtoull(arg, &end, 0);
	if (end == arg || *end != '-' || !end[1])
		return false;
	*last = strtoull(end + 1, &end, 0);
	return !*end && *first <= *last;
}

static bool count(const char *arg, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(arg, &end, 10);
	return !errno && end != arg && !*end && *out >= 0 && *out <= max;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct asked *a = state->input;
	long n;

	switch (key) {
	case OPT_LIVE:
		a->live = true;
		return 0;
	case 'J':
		a->json = true;
		return 0;
	case 'o':
		if (!ends_with(arg, ".svg") && !ends_with(arg, ".png"))
			argp_error(state, "-o takes a file that ends in .svg "
					  "or .png, not '%s'", arg);
		a->out = arg;
		return 0;
	case OPT_BOOT:
		if (!count(arg, 1000000, &n))
			argp_error(state, "--boot takes a number from 0");
		a->boot = n;
		return 0;
	case OPT_TOP:
		if (!count(arg, 1000000, &n) || !n)
			argp_error(state, "--top takes a number from 1");
		a->top = n;
		return 0;
	case OPT_FROM:
	case OPT_TO:
		if (!seconds(arg, key == OPT_FROM ? &a->from : &a->to))
			argp_error(state, "--%s takes seconds, not '%s'",
				   key == OPT_FROM ? "from" : "to", arg);
		return 0;
	case OPT_PAGES:
		if (!pages(arg, &a->first, &a->last))
			argp_error(state, "--pages takes FIRST-LAST, not '%s'",
				   arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->rundir)
			argp_error(state, "one run at a time");
		a->rundir = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->from > a->to)
			argp_error(state, "--from is after --to");
		if (a->live && (a->json || a->out || a->boot >= 0))
			argp_error(state, "--live is a table of its own: no "
					  "--json, -o or --boot");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- reading a run ------------------------------------------------------------------- */

static char *census_path(const char *dir, int boot)
{
	return xstrfmt("%s/boot-%d/census.bin", dir, boot);
}

/* The last boot with a census, -1: none. */
static int last_boot(const char *dir)
{
	int found = -1;

	for (int i = 0;; i++) {
		_free_ char *boot = xstrfmt("%s/boot-%d", dir, i);
		_free_ char *path = census_path(dir, i);

		if (!path_exists(boot))
			return found;
		if (path_exists(path))
			found = i;
	}
}

static void set_window(struct history *h, const struct asked *a)
{
	h->from = a->from;
	h->to = a->to;
	h->first = a->first;
	h->last = a->last;
}

/* 0, or -errno with an error printed; -EINVAL: @h has what comes before. */
static int read_log(const char *path, int fd, struct history *h)
{
	const struct census_log_reader cb = history_reader(h);
	struct census_reader *r = census_reader_new(&cb);
	_free_ char *why = NULL;
	ssize_t n = lseek(fd, 0, SEEK_SET);

	if (n >= 0)
		n = census_reader_fd(r, fd, &why);
	else
		n = -errno;
	census_reader_free(r);
	if (n >= 0)
		return 0;
	if (why)
		error("%s: %s%s", path, why,
		      h->frames ? "; what comes before it is shown" : "");
	else
		error("cannot read %s: %s", path, strerror(-n));
	return n;
}

/* --- the picture ------------------------------------------------------------------------- */

/* librsvg's program draws the SVG: no library of it in every rig. */
static int make_png(const char *path, const char *svg)
{
	char *argv[] = { "rsvg-convert", "--zoom", "2", NULL };
	_close_ int in = memfd_create("svg", MFD_CLOEXEC);
	struct proc_opts opts = { .in = in };
	_buf_ struct buf png = {}, said = {};
	int ret;

	if (in < 0 || write_all(in, svg, strlen(svg)) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0)
		return error("cannot hold the picture: %s", strerror(errno));
	ret = proc_read(argv, &opts, &png, &said, 120);
	if (ret == -ENOENT)
		return error("there is no rsvg-convert here: apt-get install "
			     "librsvg2-bin, or -o FILE.svg");
	if (ret == -EINTR)
		return -1;
	if (ret) {
		_free_ char *text = printable(said.data ? said.data : "",
					      strcspn(said.data ? said.data :
						      "", "\n"), false);

		return error("rsvg-convert failed%s%s", *text ? ": " : "",
			     text);
	}
	ret = write_file(path, png.data, png.len);
	return ret ? error("cannot write %s: %s", path, strerror(-ret)) : 0;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
		       json_object_get_string(v) : NULL;
}

static int draw(struct history *h, int fd, const struct asked *a,
		const char *dir, int boot)
{
	_free_ char *path = xstrfmt("%s/run.json", dir), *title = NULL;
	_free_ char *sub = NULL, *svg = NULL;
	struct json_object *info = json_object_from_file(path);
	const char *release = text_of(info, "release");
	const char *spec = text_of(info, "spec"), *when = text_of(info, "when");
	int err;

	title = xstrfmt("struct page census of Linux %s%s%s%s",
			release ? release : "?", spec ? " (" : "",
			spec ? spec : "", spec ? ")" : "");
	sub = xstrfmt("%s%s%s, boot %d", when ? when : "", when ? ", " : "",
		      strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir, boot);
	json_object_put(info);
	svg = census_picture(h, fd, title, sub, &err);
	if (!svg)
		return err ? error("cannot read the census again: %s",
				   strerror(-err)) :
			     error("no page of the census is in that window: "
				   "nothing to draw");
	if (ends_with(a->out, ".png"))
		return make_png(a->out, svg);
	err = write_file(a->out, svg, strlen(svg));
	return err ? error("cannot write %s: %s", a->out, strerror(-err)) : 0;
}

/* --- a run that goes on ------------------------------------------------------------------ */

struct follow {
	const char *dir;
	int boot, fd;
	struct history h;
	struct census_reader *r;
};

static void follow_free(struct follow *f)
{
	cleanup_fd(&f->fd);
	f->fd = -1;
	census_reader_free(f->r);
	f->r = NULL;
	history_free(&f->h);
}

/* The newest boot's log, read up to now. 0, or -1 with an error printed. */
static int follow_read(struct follow *f, const struct asked *a)
{
	int boot = last_boot(f->dir);
	_free_ char *path = census_path(f->dir, boot), *why = NULL;
	ssize_t n;

	if (boot < 0)
		return 0;
	if (boot != f->boot || f->fd < 0) {
		struct census_log_reader cb;

		follow_free(f);
		set_window(&f->h, a);
		cb = history_reader(&f->h);
		f->boot = boot;
		f->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (f->fd < 0)
			return error("cannot read %s: %s", path,
				     strerror(errno));
		f->r = census_reader_new(&cb);
	}
	n = census_reader_fd(f->r, f->fd, &why);
	if (n < 0)
		return error("%s: %s", path, why ? why : strerror(-n));
	return 0;
}

/* Whether rig is still at it: it locks the run's log for as long as it lives
 * (rig/run.c stage_dir()). */
static bool is_going(const char *dir)
{
	_free_ char *path = xstrfmt("%s/host.jsonl", dir);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

static void live_line(const struct history *h, unsigned int nr)
{
	const struct history_ns *ns = &h->ns[nr];
	uint64_t n[NR_LEVELS] = {}, off = 0;
	size_t spells, now = 0;
	_free_ struct history_spell *s = history_spells(h, nr, &spells);
	const char *in = history_case_at(h, h->end);

	for (size_t i = 0; i < ns->nr_counts; i++)
		n[ns->counts[i].level] += ns->counts[i].pages;
	for (int i = LEVEL_OFF; i < NR_LEVELS; i++)
		off += n[i];
	printf("%.1f s  %s: %llu idle, %llu in files, %llu mapped, %llu off "
	       "idle", h->end, ns->name, (unsigned long long)n[LEVEL_FREE],
	       (unsigned long long)n[LEVEL_OWNED],
	       (unsigned long long)(n[LEVEL_MAPPED] + n[LEVEL_MAPPED_MORE]),
	       (unsigned long long)off);
	/* The longest that goes on; others ended with their namespace. */
	while (now < spells && s[now].until < h->end)
		now++;
	if (off && now < spells)
		printf(" (+0x%llx counts %d since %.1f s)",
		       (unsigned long long)s[now].first * 4096, s[now].ref,
		       s[now].since);
	printf("%s%s\n", in ? "  " : "", in ? in : "");
}

static void live_table(struct follow *f, size_t top)
{
	const struct history *h = &f->h;
	const char *in = history_case_at(h, h->end);

	/* Home, and what is there cleared. */
	printf("\033[H\033[2J%s, boot %d: %.1f s  %s\n", f->dir, f->boot,
	       h->end, in ? in : "");
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		if (h->ns[i].said && h->ns[i].frames) {
			printf("\n");
			census_report_ns(&f->h, i, top, stdout);
		}
	if (!h->frames)
		printf("waiting for the first census\n");
}

static int live(const struct asked *a, const char *dir)
{
	__cleanup(follow_free) struct follow f = {
		.dir = dir, .boot = -1, .fd = -1, .h = HISTORY_INIT,
	};
	struct pollfd stop = { .fd = interrupt_fd(), .events = POLLIN };
	bool tty = isatty(STDOUT_FILENO), going = true;
	size_t top = a->top < 8 ? a->top : 8;
	uint64_t frames = 0;

	if (!is_going(dir))
		return error("%s is not going on any more; `rig census %s` "
			     "shows it", dir, dir), EXIT_USAGE;
	while (going && !interrupted()) {
		going = is_going(dir);
		if (follow_read(&f, a) < 0)
			return EXIT_RIG_FAILED;
		if (tty)
			live_table(&f, top);
		for (unsigned int i = 0; !tty && i < CENSUS_LOG_NS; i++)
			if (f.h.ns[i].said && f.h.frames != frames)
				live_line(&f.h, i);
		frames = f.h.frames;
		if (fflush(stdout) || ferror(stdout))
			return EXIT_CLEAN;
		if (going)
			poll(&stop, 1, REFRESH * 1000);
	}
	return EXIT_CLEAN;
}

/* --- the command -------------------------------------------------------------------------- */

static int show(const struct asked *a, const char *dir)
{
	_history_ struct history first = HISTORY_INIT, h = HISTORY_INIT;
	int boot = a->boot >= 0 ? a->boot : last_boot(dir), err;
	_free_ char *path = census_path(dir, boot);
	_close_ int fd = -1;

	if (boot < 0)
		return error("%s has no census: the run took none", dir),
		       EXIT_USAGE;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		error("cannot read %s: %s", path, strerror(err));
		return err == ENOENT ? EXIT_USAGE : EXIT_RIG_FAILED;
	}
	first.skim = true;
	err = read_log(path, fd, &first);
	if (err && !(err == -EINVAL && first.frames))
		return EXIT_RIG_FAILED;
	if (!first.frames)
		return error("%s has no frame: the boot ended before its first "
			     "census", path), EXIT_RIG_FAILED;
	/* Once more, knowing what an idle page counts from the beginning. */
	set_window(&h, a);
	h.before = &first;
	if (lseek(fd, 0, SEEK_SET) == 0) {
		const struct census_log_reader cb = history_reader(&h);
		struct census_reader *r = census_reader_new(&cb);
		_free_ char *why = NULL;

		census_reader_fd(r, fd, &why);
		census_reader_free(r);
	}
	if (h.from > h.end || !h.frames)
		return error("%s has nothing in that window: it goes from 0 to "
			     "%.1f s", path, first.end), EXIT_USAGE;
	if (a->out && draw(&h, fd, a, dir, boot) < 0)
		return interrupted() ? EXIT_INTERRUPTED : EXIT_RIG_FAILED;
	if (a->json)
		census_report_json(&h, dir, boot);
	else
		census_report_text(&h, path, a->top, stdout);
	return err ? EXIT_RIG_FAILED : EXIT_CLEAN;
}

int cmd_census(int argc, char **argv)
{
	static const struct argp_child children[] = { { &cli_common }, {} };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "[RUNDIR]",
		.doc = "What the struct pages counted in a run, the newest by "
		       "default: how many, which were off idle, from when "
		       "until when, and whose they were.",
	};
	struct asked a = { .boot = -1, .to = INFINITY, .last = UINT64_MAX,
			   .top = 20 };
	_free_ char *dir = NULL;

	if (cli_parse(&argp, argc, argv, &a))
		return EXIT_USAGE;
	dir = cli_rundir(a.rundir);
	if (!dir)
		return EXIT_USAGE;
	return a.live ? live(&a, dir) : show(&a, dir);
}
