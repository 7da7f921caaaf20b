/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The census as a picture: pages across, time down, colour by count. One SVG,
 * small enough to be mailed, readable by somebody who has never seen one.
 */
#ifndef RIG_CENSUS_PICTURE_H
#define RIG_CENSUS_PICTURE_H

#include "census-history.h"

/*
 * The picture of what @h was made of: the log at @fd, which is read once more
 * from its beginning, within @h's window. @title and @subtitle are shown above
 * it. Owned by the caller; NULL: *@err is -errno, or 0 when no namespace has a
 * page in the window.
 */
char *census_picture(struct history *h, int fd, const char *title,
		     const char *subtitle, int *err);

#endif
