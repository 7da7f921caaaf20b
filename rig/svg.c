// SPDX-License-Identifier: GPL-2.0-or-later
#include "svg.h"

#include <string.h>

void xml_escape(struct buf *out, const char *text)
{
	_free_ char *clean = printable(text, strlen(text), false);

	for (const char *p = clean; *p; p++) {
		switch (*p) {
		case '&':
			buf_add(out, "&amp;", 5);
			break;
		case '<':
			buf_add(out, "&lt;", 4);
			break;
		case '>':
			buf_add(out, "&gt;", 4);
			break;
		case '"':
			buf_add(out, "&quot;", 6);
			break;
		case '\'':
			buf_add(out, "&#39;", 5);
			break;
		default:
			/* U+FFFE and U+FFFF are UTF-8, but no XML. */
			if (starts_with(p, "\xef\xbf\xbe") ||
			    starts_with(p, "\xef\xbf\xbf")) {
				buf_addf(out, "\\xef\\xbf\\x%02x",
					 (unsigned char)p[2]);
				p += 2;
			} else {
				buf_add(out, p, 1);
			}
		}
	}
}

/* Two digits behind the point at the most, and no locale's comma. */
static void number(struct buf *out, const char *name, double v)
{
	long n = v < 0 ? v * 100 - 0.5 : v * 100 + 0.5, rest = labs(n) % 100;

	buf_addf(out, " %s=\"%s%ld", name, n < 0 ? "-" : "", labs(n) / 100);
	if (rest % 10)
		buf_addf(out, ".%02ld", rest);
	else if (rest)
		buf_addf(out, ".%ld", rest / 10);
	buf_add(out, "\"", 1);
}

void svg_begin(struct buf *out, int w, int h, const char *title,
	       const char *style)
{
	buf_addf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		 "height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>", w, h, w, h);
	xml_escape(out, title);
	buf_addf(out, "</title>\n<style>%s</style>\n", style);
}

void svg_end(struct buf *out)
{
	buf_addf(out, "</svg>\n");
}

void svg_text(struct buf *out, double x, double y, const char *attrs,
	      const char *text)
{
	buf_addf(out, "<text");
	number(out, "x", x);
	number(out, "y", y);
	buf_addf(out, "%s>", attrs);
	xml_escape(out, text);
	buf_addf(out, "</text>\n");
}

void svg_rect(struct buf *out, double x, double y, double w, double h,
	      const char *attrs)
{
	buf_addf(out, "<rect");
	number(out, "x", x);
	number(out, "y", y);
	number(out, "width", w);
	number(out, "height", h);
	buf_addf(out, "%s/>\n", attrs);
}

void svg_line(struct buf *out, double x1, double y1, double x2, double y2,
	      const char *attrs)
{
	buf_addf(out, "<line");
	number(out, "x1", x1);
	number(out, "y1", y1);
	number(out, "x2", x2);
	number(out, "y2", y2);
	buf_addf(out, "%s/>\n", attrs);
}
