// SPDX-License-Identifier: GPL-2.0-or-later
#include "census-picture.h"
#include "svg.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* Pixels. */
#define WIDTH 1180
#define LEFT 84			/* of the plot */
#define PLOT 720		/* its width, and its columns */
#define STRIP (LEFT + PLOT + 8)	/* the cases beside it, */
#define STRIP_WIDTH 8
#define LABELS (STRIP + 26)	/* and their names */
#define LABEL_STEP 12.0
#define ROW 2			/* of a row, its height */
#define CHAR 6.1		/* of a small letter, its width at most */
#define NOTE_CHARS ((size_t)((WIDTH - LEFT - 26) / CHAR))
/* Spells that get a number and a line below the plot. */
#define MAX_NOTES 8
/* Bytes of all panels' paths. Rows and columns are halved until it is less:
 * noise has no detail that anybody could see. */
#define MAX_PATHS ((size_t)1 << 20)
/* A namespace that was idle and free all the time needs no more. */
#define IDLE_HEIGHT 60

static const char style[] =
	"text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;"
	"font-size:11px;fill:#222}"
	".t{font-size:18px;font-weight:bold}"
	".h{font-size:13px;font-weight:bold}"
	".g{fill:#666}"
	".m{text-anchor:middle}.e{text-anchor:end}"
	".a{stroke:#444}.k{stroke:#ddd}.n{stroke:#999;stroke-width:.7}"
	".s{font-size:10px}.i{font-style:italic}.w{font-weight:bold}"
	".p{shape-rendering:crispEdges}";

/* How each level looks, and what the legend says; the first row is what a plot
 * is filled with, levels without a colour look like the one before them. */
static const struct {
	const char *colour, *legend;
} looks[NR_LEVELS] = {
	[LEVEL_FREE] = { "#f3f3f0", "idle, free" },
	[LEVEL_OWNED] = { "#c3d9ee", "idle, in a file" },
	[LEVEL_MAPPED] = { "#6aaed6", "mapped once" },
	[LEVEL_MAPPED_MORE] = { "#2467a5", "mapped more often" },
	[LEVEL_REF] = { "#f79400", "+1 reference" },
	[LEVEL_REFS] = { "#d7261e", "+2 to +1023" },
	[LEVEL_PINNED] = { "#7b1fa2", "pinned (+1024)" },
	[LEVEL_UNDER] = { "#000000", "below idle" },
};

/* One namespace's plot. A cell is 1 + the highest level in it; 0: nobody
 * looked. */
struct panel {
	uint64_t first, n;		/* pages */
	double from, to;		/* seconds */
	unsigned int cols, rows;
	unsigned int col, row;		/* pixels of one */
	size_t max_paths;		/* bytes */
	uint8_t *cells;
	uint8_t now[PLOT];		/* the last frame */
	double since;			/* of it */
	int32_t idle_ref;
};

struct drawing {
	struct history *h;
	struct panel *panels[CENSUS_LOG_NS];
};

/* --- cells ------------------------------------------------------------------------- */

static void fill(struct panel *p, double t)
{
	double step = (p->to - p->from) / p->rows;
	double from = p->since > p->from ? p->since : p->from;
	double to = t < p->to ? t : p->to;
	unsigned int a, b;

	p->since = t;
	if (to < from)
		return;
	a = (from - p->from) / step;
	b = (to - p->from) / step;
	for (unsigned int r = a; r <= b && r < p->rows; r++)
		for (unsigned int c = 0; c < p->cols; c++) {
			uint8_t *cell = &p->cells[r * p->cols + c];

			if (p->now[c] > *cell)
				*cell = p->now[c];
		}
}

static void take_row(struct panel *p, const struct census_frame *f)
{
	enum page_level head = LEVEL_FREE;

	memset(p->now, 0, sizeof(p->now));
	for (size_t i = 0; i < f->nr_runs; i++) {
		const struct census_run *r = &f->runs[i];
		enum page_level level = page_level(&r->v, p->idle_ref);
		uint64_t from = r->first > p->first ? r->first : p->first;
		uint64_t to = r->first + r->n < p->first + p->n ?
				      r->first + r->n : p->first + p->n;
		unsigned int a, b;

		/* All of a large folio is as its head is. */
		if (level == LEVEL_TAIL)
			level = head;
		else
			head = r->v.order ? level : LEVEL_FREE;
		if (from >= to)
			continue;
		a = (from - p->first) * p->cols / p->n;
		b = ((to - p->first) * p->cols - 1) / p->n;
		for (unsigned int c = a; c <= b && c < p->cols; c++)
			if (level + 1 > p->now[c])
				p->now[c] = level + 1;
	}
}

static void on_frame(const struct census_frame *f, void *arg)
{
	struct panel *p = ((struct drawing *)arg)->panels[f->ns];

	if (!p)
		return;
	fill(p, f->t);
	if (!f->same || !p->now[0])
		take_row(p, f);
}

static void on_gone(unsigned int ns, double t, void *arg)
{
	struct panel *p = ((struct drawing *)arg)->panels[ns];

	if (!p)
		return;
	fill(p, t);
	memset(p->now, 0, sizeof(p->now));
}

/* Equal neighbours are one rectangle, of one path a level. */
static void paths_of(const struct panel *p, struct buf *out)
{
	unsigned int w = p->col, high = p->row;
	struct open {
		unsigned int row, len;
		uint8_t cell;
	} *open = xcalloc(p->cols, sizeof(*open));

	for (unsigned int r = 0; r <= p->rows; r++)
		for (unsigned int c = 0, len; c < p->cols; c += len) {
			const uint8_t *row = r < p->rows ?
					&p->cells[r * p->cols] : NULL;
			struct open *o = &open[c];

			for (len = 1; row && c + len < p->cols &&
			     row[c + len] == row[c];)
				len++;
			if (row && o->len == len && o->cell == row[c])
				continue;
			/* What began above and does not go on as it was. */
			for (unsigned int k = c; k < c + len; k++) {
				struct open *u = &open[k];

				if (u->len && u->cell != LEVEL_FREE + 1)
					buf_addf(&out[u->cell],
						 "M%u %uh%uv%uh-%uz", k * w,
						 u->row * high, u->len * w,
						 (r - u->row) * high,
						 u->len * w);
				*u = (struct open){};
			}
			if (row)
				*o = (struct open){ r, len, row[c] };
		}
	free(open);
}

/* Each four cells made one, which is the highest of them. */
static void coarsen(struct panel *p)
{
	unsigned int cols = (p->cols + 1) / 2, rows = (p->rows + 1) / 2;
	uint8_t *v = xcalloc(cols * rows, 1);

	for (unsigned int r = 0; r < p->rows; r++)
		for (unsigned int c = 0; c < p->cols; c++) {
			uint8_t *to = &v[r / 2 * cols + c / 2];

			if (p->cells[r * p->cols + c] > *to)
				*to = p->cells[r * p->cols + c];
		}
	free(p->cells);
	p->cells = v;
	p->cols = cols;
	p->rows = rows;
	p->col *= 2;
	p->row *= 2;
}

static void draw_cells(struct panel *p, struct buf *out)
{
	struct buf paths[NR_LEVELS + 1];
	size_t len;

	for (;;) {
		memset(paths, 0, sizeof(paths));
		paths_of(p, paths);
		len = 0;
		for (int i = 0; i <= NR_LEVELS; i++)
			len += paths[i].len;
		if (len <= p->max_paths || p->cols == 1)
			break;
		for (int i = 0; i <= NR_LEVELS; i++)
			buf_free(&paths[i]);
		coarsen(p);
	}
	for (int i = 0; i <= NR_LEVELS; i++) {
		const char *colour = i ? looks[i - 1].colour : "url(#none)";

		if (paths[i].len)
			buf_addf(out, "<path class=\"p\" fill=\"%s\"", colour);
		/* One page of many thousands is still to be seen. */
		if (paths[i].len && i > LEVEL_OFF)
			buf_addf(out, " stroke=\"%s\" stroke-width=\"2\"",
				 colour);
		if (paths[i].len)
			buf_addf(out, " d=\"%s\"/>\n", paths[i].data);
		buf_free(&paths[i]);
	}
}

/* --- axes -------------------------------------------------------------------------- */

static double across(const struct panel *p, uint64_t page)
{
	return LEFT + (double)(page - p->first) * PLOT / p->n;
}

static double down(const struct panel *p, double t, double height)
{
	double at = t < p->from ? p->from : t > p->to ? p->to : t;

	return (at - p->from) * height / (p->to - p->from);
}

static char *bytes_text(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = bytes / 1024.0;
	unsigned int u = 0;

	for (; v >= 1024 && u < 3; u++)
		v /= 1024;
	if (!bytes)
		return xstrdup("0");
	return v == (uint64_t)v ? xstrfmt("%.0f %s", v, units[u]) :
			       xstrfmt("%.2f %s", v, units[u]);
}

/* Pages between two marks of the axis: a power of two, some eight marks. */
static uint64_t page_step(const struct panel *p)
{
	uint64_t step = 1;

	while (p->n / step > 9)
		step *= 2;
	return step;
}

/* Seconds between two: 1, 2 or 5 of a decade; and the digits that they need
 * behind the point. */
static double time_step(const struct panel *p, double marks, int *digits)
{
	double span = (p->to - p->from) / marks, step = 1e-6;

	for (*digits = 6;; step *= 10, *digits -= *digits > 0) {
		if (step >= span)
			return step;
		if (step * 2 >= span)
			return step * 2;
		if (step * 5 >= span)
			return step * 5;
	}
}

static void draw_axes(const struct panel *p, const struct history_ns *ns,
		      double y, double height, struct buf *out)
{
	uint64_t step = page_step(p);
	int digits;
	double dt = time_step(p, height / 45, &digits);
	_free_ char *turn = NULL;

	for (uint64_t i = (p->first + step - 1) / step * step;
	     i < p->first + p->n; i += step) {
		_free_ char *off = bytes_text(i * 4096);
		_free_ char *pfn = xstrfmt("0x%llx", (unsigned long long)
						     (ns->data_pfn + i));
		double x = across(p, i);

		svg_line(out, x, y, x, y + height, " class=\"k\"");
		svg_line(out, x, y - 4, x, y, " class=\"a\"");
		svg_line(out, x, y + height, x, y + height + 4,
			 " class=\"a\"");
		/* Room for both on their axes; the last may be cut off. */
		if (x > LEFT + PLOT - 24)
			continue;
		svg_text(out, x, y - 8, " class=\"m s\"", off);
		svg_text(out, x, y + height + 15, " class=\"m s\"", pfn);
	}
	for (uint64_t k = p->from / dt; k * dt <= p->to; k++) {
		_free_ char *text = xstrfmt("%.*f", digits, k * dt);
		double at = y + down(p, k * dt, height);

		if (k * dt < p->from)
			continue;
		svg_line(out, LEFT, at, LEFT + PLOT, at, " class=\"k\"");
		svg_line(out, LEFT - 5, at, LEFT, at, " class=\"a\"");
		svg_text(out, LEFT - 9, at + 3.5, " class=\"e s\"", text);
	}
	svg_text(out, LEFT + PLOT / 2, y - 22, " class=\"m g\"",
		 "offset in the device");
	svg_text(out, LEFT + PLOT / 2, y + height + 30, " class=\"m g\"",
		 "page frame number (4 KiB pages)");
	turn = xstrfmt(" class=\"m g\" transform=\"rotate(-90 24 %d)\"",
		       (int)(y + height / 2));
	svg_text(out, 24, (int)(y + height / 2), turn,
		 "seconds since the boot's census began");
}

/* --- what happened, beside the plot ------------------------------------------------- */

struct label {
	double y;			/* where it happened */
	int weight;			/* the most telling gets the room */
	const char *attrs;
	char *text;
	double at;			/* where it is written; < 0: nowhere */
};

struct labels {
	struct label *v;
	size_t n, cap;
};

static void add_label(struct labels *l, double y, int weight,
		      const char *attrs, const char *text)
{
	size_t max = (WIDTH - LABELS - 4) / CHAR, len = strlen(text);

	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = (struct label){
		.y = y, .weight = weight, .attrs = attrs, .at = -1,
		.text = len <= max ? xstrdup(text) :
			xstrfmt("%.*s...%s", (int)(max / 2 - 2), text,
				text + len - (max / 2 - 1)),
	};
}

static int by_label(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	if (x->weight != y->weight)
		return y->weight - x->weight;
	return x->y < y->y ? -1 : x->y > y->y;
}

static bool is_room(const struct labels *l, double at, double y, double height)
{
	if (at < y - 2 || at > y + height + 2)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].at >= 0 && fabs(l->v[i].at - at) < LABEL_STEP)
			return false;
	return true;
}

/* Each as near to its place as there is room, the most telling first, in the
 * order of time. Returns how many found none. */
static size_t place_labels(struct labels *l, double y, double height)
{
	static const int shifts[] = { 0, 4, -4, 8, -8, 12, -12 };
	size_t left = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_label);
	for (size_t i = 0; i < l->n; i++) {
		struct label *e = &l->v[i];

		for (size_t k = 0; e->at < 0 && k < ARRAY_SIZE(shifts); k++) {
			double at = e->y + shifts[k];
			bool in_order = is_room(l, at, y, height);

			for (size_t j = 0; in_order && j < i; j++)
				in_order = l->v[j].at < 0 ||
					   (l->v[j].y - e->y) *
					   (l->v[j].at - at) >= 0;
			if (in_order)
				e->at = at;
		}
		left += e->at < 0;
	}
	return left;
}

/* The weight of a case: of one that leaves something behind, that is seen off
 * idle, or that only takes its time. */
static int case_weight(const struct history_case *c,
		       const struct history_spell *s, size_t n)
{
	int weight = 1;

	for (size_t i = 0; i < n && i < 4096; i++)
		if (s[i].since >= c->from && s[i].since < c->to) {
			if (s[i].stayed)
				return 3;
			weight = 2;
		}
	return weight;
}

static void draw_events(const struct history *h, const struct panel *p,
			const struct history_spell *s, size_t n, double y,
			double height, struct buf *out)
{
	struct labels l = {};
	size_t left;

	svg_rect(out, STRIP, y, STRIP_WIDTH, height, " fill=\"#eee\"");
	for (size_t i = 0; i < h->nr_cases; i++) {
		const struct history_case *c = &h->cases[i];
		double a = y + down(p, c->from, height);
		double b = y + down(p, c->to, height);

		if (c->to < p->from || c->from > p->to)
			continue;
		svg_rect(out, STRIP, a, STRIP_WIDTH, b - a > 0.5 ? b - a : 0.5,
			 i % 2 ? " fill=\"#9aa\"" : " fill=\"#566\"");
		add_label(&l, (a + b) / 2, case_weight(c, s, n),
			  " class=\"s\"", c->name);
	}
	for (size_t i = 0; i < h->nr_marks; i++) {
		const struct history_mark *m = &h->marks[i];
		bool step = starts_with(m->text, "at ");
		double at = y + down(p, m->t, height);

		if (starts_with(m->text, "begin ") ||
		    starts_with(m->text, "ran ") ||
		    starts_with(m->text, "end ") || m->t < p->from ||
		    m->t > p->to)
			continue;
		/* A step of a workload; or what nobody expects: a hang. */
		add_label(&l, at, step ? 0 : 4, step ? " class=\"s i\"" :
			  " class=\"s w\"", step ? m->text + 3 : m->text);
	}
	left = place_labels(&l, y, height);
	for (size_t i = 0; i < l.n; i++) {
		if (l.v[i].at >= 0) {
			svg_line(out, STRIP + STRIP_WIDTH, l.v[i].y,
				 LABELS - 3, l.v[i].at, " class=\"n\"");
			svg_text(out, LABELS, l.v[i].at + 3.5, l.v[i].attrs,
				 l.v[i].text);
		}
		free(l.v[i].text);
	}
	free(l.v);
	svg_text(out, STRIP, y - 22, " class=\"g\"",
		 h->nr_cases ? "cases (workloads), and their steps" :
			       "events");
	if (left) {
		_free_ char *more = xstrfmt("%zu more have no room here: see "
					    "--from and --to", left);

		svg_text(out, LABELS, y + height + 30, " class=\"s g i\"",
			 more);
	}
}

/* --- what is off idle, below the plot ------------------------------------------------- */

static void draw_note(struct history *h, unsigned int nr,
		      const struct history_spell *s, int i, double y,
		      struct buf *out)
{
	const struct history_ns *ns = &h->ns[nr];
	_free_ char *whose = history_whose(h, nr, s);
	_free_ char *held = history_held(h, nr, s);
	const char *in = history_case_at(h, s->since);
	_free_ char *digit = xstrfmt("%d", i + 1), *text = NULL, *many = NULL;
	_free_ char *until = history_until(h, s);

	if (s->n > 1)
		many = xstrfmt(", %llu pages, the first",
			       (unsigned long long)s->n);
	text = xstrfmt("+0x%llx (pfn 0x%llx)%s: counts %d, from %.1f s, %s%s; "
		       "%s%s%s%s%s",
		       (unsigned long long)s->first * 4096,
		       (unsigned long long)(ns->data_pfn + s->first),
		       many ? many : "", s->ref, s->since,
		       isdigit((unsigned char)*until) ? "until " : "", until,
		       whose, held ? "; held by the workload: " : "",
		       held ? held : "", in ? "; in " : "", in ? in : "");
	/* Names of a guest's are as long as it likes. */
	if (strlen(text) > NOTE_CHARS)
		strcpy(text + NOTE_CHARS - 3, "...");
	svg_text(out, LEFT + 8, y, " class=\"m w s\"", digit);
	svg_text(out, LEFT + 22, y, " class=\"s\"", text);
}

/* A number in the plot, for the line below it. */
static void draw_flag(const struct panel *p, const struct history_spell *s,
		      int i, double y, double height, struct buf *out)
{
	_free_ char *digit = xstrfmt("%d", i + 1);
	double x = across(p, s->first), at = y + down(p, s->since, height);
	double fx = x + 14 > LEFT + PLOT - 8 ? x - 14 : x + 14;
	double fy = at + 9 > y + height - 8 ? y + height - 9 :
		    at + 9 < y + 9 ? y + 9 : at + 9;

	svg_line(out, x, at, fx, fy, " stroke=\"#222\"");
	buf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"7.5\" "
		 "fill=\"#fff\" stroke=\"#222\"/>\n", fx, fy);
	svg_text(out, fx, fy + 3.6, " class=\"m w s\"", digit);
}

/* Spells worth a number: what stayed, else what lasted; not two that nobody
 * could tell apart. Returns how many. */
static int choose(const struct panel *p, const struct history_spell *s,
		  size_t n, double height, const struct history_spell **out)
{
	int nr = 0;

	for (size_t i = 0; i < n && nr < MAX_NOTES; i++) {
		bool near = s[i].until < p->from || s[i].since > p->to ||
			    s[i].first < p->first ||
			    s[i].first >= p->first + p->n;

		for (int k = 0; k < nr && !near; k++)
			near = fabs(across(p, out[k]->first) -
				    across(p, s[i].first)) < 17 &&
			       fabs(down(p, out[k]->since, height) -
				    down(p, s[i].since, height)) < 17;
		if (!near)
			out[nr++] = &s[i];
	}
	return nr;
}

/* --- all of it ------------------------------------------------------------------------ */

static void draw_legend(double y, struct buf *out)
{
	double x = LEFT;

	for (int i = 0; i < NR_LEVELS; i++) {
		if (!looks[i].colour)
			continue;
		buf_addf(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"12\" "
			 "height=\"12\" fill=\"%s\" stroke=\"#888\"/>\n",
			 x, y - 10, looks[i].colour);
		svg_text(out, x + 17, y, "", looks[i].legend);
		x += 17 + 18 + strlen(looks[i].legend) * 6.9;
	}
	svg_rect(out, x, y - 10, 12, 12,
		 " fill=\"url(#none)\" stroke=\"#888\"");
	svg_text(out, x + 17, y, "", "not looked at");
}

static double draw_panel(struct history *h, unsigned int nr, struct panel *p,
			 double top, struct buf *out)
{
	const struct history_ns *ns = &h->ns[nr];
	double height = p->rows * ROW;
	const struct history_spell *notes[MAX_NOTES];
	size_t n;
	_free_ struct history_spell *s = history_spells(h, nr, &n);
	int nr_notes = choose(p, s, n, height, notes);
	_free_ char *size = bytes_text(ns->n * 4096), *head = NULL;
	_free_ char *more = NULL;
	double y = top + 48;

	head = xstrfmt("%s: %llu pages, %s; an idle page counts %d", ns->name,
		       (unsigned long long)ns->n, size, ns->idle_ref);
	svg_text(out, LEFT, top, " class=\"h\"", head);
	buf_addf(out, "<rect class=\"p\" x=\"%d\" y=\"%.0f\" width=\"%d\" "
		 "height=\"%.0f\" fill=\"%s\"/>\n", LEFT, y, PLOT, height,
		 looks[LEVEL_FREE].colour);
	draw_axes(p, ns, y, height, out);
	buf_addf(out, "<svg x=\"%d\" y=\"%.0f\" width=\"%d\" "
		 "height=\"%.0f\">\n", LEFT, y, PLOT, height);
	draw_cells(p, out);
	buf_addf(out, "</svg>\n");
	svg_rect(out, LEFT, y, PLOT, height,
		 " fill=\"none\" stroke=\"#444\"");
	draw_events(h, p, s, n, y, height, out);
	for (int i = nr_notes; i-- > 0;)
		draw_flag(p, notes[i], i, y, height, out);
	y += height + 50;
	for (int i = 0; i < nr_notes; i++, y += 15)
		draw_note(h, nr, notes[i], i, y, out);
	if (n > (size_t)nr_notes)
		more = xstrfmt("and %zu more times that pages were off idle: "
			       "the table has them", n - nr_notes);
	else if (!n)
		more = xstrdup("No page was off idle.");
	if (more) {
		svg_text(out, LEFT, y, " class=\"s g\"", more);
		y += 15;
	}
	return y + 20;
}

static bool is_idle(const struct history_ns *ns)
{
	for (size_t i = 0; i < ns->nr_counts; i++)
		if (ns->counts[i].level != LEVEL_FREE && ns->counts[i].most)
			return false;
	return true;
}

/* @nr_all: how many panels there will be. */
static struct panel *panel_new(const struct history *h, unsigned int nr,
			       int nr_all)
{
	const struct history_ns *ns = &h->ns[nr];
	int height = is_idle(ns) ? IDLE_HEIGHT :
		     nr_all < 2 ? 520 : nr_all < 3 ? 320 : 220;
	uint64_t last = h->last < ns->n - 1 ? h->last : ns->n - 1;
	struct panel *p;

	if (!ns->said || !ns->frames || h->first > last)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	*p = (struct panel){
		.first = h->first, .n = last - h->first + 1,
		.from = h->from, .to = h->end, .cols = PLOT, .col = 1,
		.rows = height / ROW, .row = ROW, .idle_ref = ns->idle_ref,
		.max_paths = MAX_PATHS / nr_all,
	};
	if (p->to < p->from + 0.001)
		p->to = p->from + 0.001;
	p->cells = xcalloc(p->cols * p->rows, 1);
	return p;
}

static int read_cells(struct drawing *d, int fd)
{
	const struct census_log_reader cb = { .frame = on_frame,
					      .gone = on_gone, .arg = d };
	struct census_reader *r;
	_free_ char *why = NULL;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = census_reader_new(&cb);
	n = census_reader_fd(r, fd, &why);
	census_reader_free(r);
	/* What is corrupt was said when it was read first. */
	if (n < 0 && n != -EINVAL)
		return n;
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		if (d->panels[i])
			fill(d->panels[i], d->h->end);
	return 0;
}

static void draw_head(const char *title, const char *subtitle, struct buf *out)
{
	static const char *const caption[] = {
		"Across: the device's pages; a column stands for several and "
		"shows the one that is furthest off. Down: time. Colour: how "
		"many references the struct page counts,",
		"against an idle page's count and without those of mappings. A "
		"reference comes from whoever may still read or write the page "
		"(direct I/O, vmsplice, RDMA ...). What stays",
		"orange, red or purple after its case has ended was leaked; "
		"black was given back once too often.",
	};

	svg_text(out, LEFT, 32, " class=\"t\"", title);
	svg_text(out, LEFT, 52, " class=\"g\"", subtitle);
	for (size_t i = 0; i < ARRAY_SIZE(caption); i++)
		svg_text(out, LEFT, 76 + 16 * i, "", caption[i]);
	draw_legend(138, out);
}

char *census_picture(struct history *h, int fd, const char *title,
		     const char *subtitle, int *err)
{
	struct drawing d = { .h = h };
	_buf_ struct buf body = {};
	struct buf out = {};
	double y = 180;
	int nr = 0;

	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		nr += h->ns[i].said && h->ns[i].frames;
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++)
		d.panels[i] = panel_new(h, i, nr);
	*err = read_cells(&d, fd);
	draw_head(title, subtitle, &body);
	nr = 0;
	for (unsigned int i = 0; i < CENSUS_LOG_NS; i++) {
		struct panel *p = d.panels[i];

		if (!p)
			continue;
		if (!*err)
			y = draw_panel(h, i, p, y, &body);
		nr++;
		free(p->cells);
		free(p);
	}
	if (*err || !nr)
		return NULL;
	svg_begin(&out, WIDTH, y, title, style);
	buf_addf(&out, "<defs><pattern id=\"none\" width=\"6\" height=\"6\" "
		 "patternUnits=\"userSpaceOnUse\"><rect width=\"6\" "
		 "height=\"6\" fill=\"#fff\"/><path d=\"M0 6L6 0\" "
		 "stroke=\"#bbb\"/></pattern></defs>\n"
		 "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
	buf_add(&out, body.data, body.len);
	svg_end(&out);
	return out.data;
}
