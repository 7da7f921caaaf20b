// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"
#include "util.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What is on the screen now; the terminal is one per process. */
static struct {
	bool shown;
	char stage[64];
	double last;
} line;

int term_columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20)
		return ws.ws_col;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20)
		return ws.ws_col;
	return 80;
}

void progress_clear(void)
{
	if (line.shown)
		fputs("\r\033[K", stderr);
	line.shown = false;
}

void progress(const char *stage, const char *fmt, ...)
{
	bool tty = isatty(STDERR_FILENO);
	bool fresh = strcmp(stage, line.stage) != 0;
	_free_ char *text = NULL;
	double t = now();
	va_list ap;
	int n;

	if (verbosity < 1)
		return;
	if (!fresh && t - line.last < (tty ? 0.05 : 10))
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return;
	}
	snprintf(line.stage, sizeof(line.stage), "%s", stage);
	line.last = t;
	if (!tty) {
		fprintf(stderr, "rig: %s: %s\n", stage, text);
		return;
	}
	fprintf(stderr, "\r\033[K%.*s", term_columns() - 1, text);
	fflush(stderr);
	line.shown = true;
}
