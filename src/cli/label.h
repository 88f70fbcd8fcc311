/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_LABEL_H
#define SH_CLI_LABEL_H
/* Words on a picture, in capitals of 5x7 dots. Characters that the font lacks are blank. */
#include "media/image.h"

/* Draws text with its upper left corner at x, y, each dot `size` samples wide, white on a black box. */
void sh_label(const sh_rgb *image, int x, int y, int size, const char *text);

#endif
