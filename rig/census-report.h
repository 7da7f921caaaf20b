/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a census has gathered, in words: tables for a reader, and JSON. */
#ifndef RIG_CENSUS_REPORT_H
#define RIG_CENSUS_REPORT_H

#include "census-history.h"

/* Namespace @nr, or all of @path's; of each table at most @top rows. */
void census_report_ns(struct history *h, unsigned int nr, size_t top, FILE *out);
void census_report_text(struct history *h, const char *path, size_t top,
			FILE *out);
/* One object on stdout, of boot @boot of the run in @dir. */
void census_report_json(struct history *h, const char *dir, int boot);

#endif
