/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing SVG. Texts are escaped here and may be any bytes; attributes are the
 * caller's own constants and are not.
 */
#ifndef RIG_SVG_H
#define RIG_SVG_H

#include "util.h"

/* @text fit for XML's text and attribute values; onto @out. Bytes that XML has
 * no place for become \xNN. */
void xml_escape(struct buf *out, const char *text);

/* A picture of @w by @h pixels, its @title (for screen readers and browser
 * tabs) and @style, a style sheet. */
void svg_begin(struct buf *out, int w, int h, const char *title,
	       const char *style);
void svg_end(struct buf *out);

/* @attrs is put into the element as it stands: " class=\"x\"", or "". */
void svg_text(struct buf *out, double x, double y, const char *attrs,
	      const char *text);
void svg_rect(struct buf *out, double x, double y, double w, double h,
	      const char *attrs);
void svg_line(struct buf *out, double x1, double y1, double x2, double y2,
	      const char *attrs);

#endif
