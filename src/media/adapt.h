/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_ADAPT_H
#define SH_MEDIA_ADAPT_H
/* Pictures of another size, shape or format than the first of their track, made like it.
 *
 * A picture is scaled (bicubic, accurate rounding, chroma in full) into the first one's frame so that it is
 * shown in its own shape: where the display aspect ratios differ by more than a hundredth it is centred
 * between black bars. Range and matrix are converted where both are known. A picture that only says another
 * SAR is treated the same. Frames of an interlaced picture are scaled field by field where the height
 * changes. */
#include "base/err.h"
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include <stdbool.h>

typedef struct sh_adapt {
    int width, height, format; /* of the first picture; width 0: none seen */
    AVRational sar;            /* of it; 0/1: not known */
    enum AVColorRange range;   /* of it */
    enum AVColorSpace matrix;  /* of it */
    struct SwsContext *scaler; /* cached */
} sh_adapt;

/* Whether `frame` with SAR `sar` is like the first. */
bool sh_adapt_fits(const sh_adapt *adapt, const AVFrame *frame, AVRational sar);
/* Makes frame like the first, its properties kept. */
int sh_adapt_frame(sh_adapt *adapt, AVFrame *frame, AVRational sar, sh_err *err);
void sh_adapt_close(sh_adapt *adapt); /* all-zero is fine */

#endif
