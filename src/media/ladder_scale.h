/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_SCALE_H
#define SH_MEDIA_LADDER_SCALE_H
/* A picture as one rendition of a ladder has it: its size, its shape, square pixels, its pixel format.
 *
 * Layout is a pure function of sizes. All sides are even. Pixels are square in the result unless `keep_sar`
 * and no size is asked for. The picture's shape (of its display) is kept, but with STRETCH:
 *
 *     PAD            the size as asked, the picture inside it, black bars around it
 *     STRETCH        the size as asked, the picture stretched to it
 *     FILL           the size as asked, the picture covering it, cut evenly at two sides
 *     FIT            the largest size within the one asked that has the picture's shape: no bars
 *     FIT_NO_UPSCALE the same, and not larger than the picture
 *
 * One side given, the other 0: the other from the picture's shape. Neither: the picture's own size.
 *
 * Scaling is finish.h's: Lanczos of three lobes (which widen with the step down, so that nothing aliases),
 * accurate rounding, all chroma samples; range and matrix stay. A picture that is right already is passed on
 * as it is, without a copy. RGB becomes BT.709 of limited range. Bit depth goes up or down to the format
 * asked for.
 *
 * Bytes depend on the picture alone. One object is used by one thread at a time; several objects may read the
 * same frame at once. */
#include "base/err.h"
#include <libavutil/frame.h>
#include <stdbool.h>

typedef enum sh_scaling {
    SH_SCALING_PAD,
    SH_SCALING_STRETCH,
    SH_SCALING_FILL,
    SH_SCALING_FIT,
    SH_SCALING_FIT_NO_UPSCALE
} sh_scaling;

typedef struct sh_scale_layout {
    int width, height;                            /* of the result, even */
    int left, top, inner_width, inner_height;     /* the picture within it, even */
    int cut_left, cut_top, cut_width, cut_height; /* the part of the source that is shown */
    AVRational sar;                               /* of the result */
} sh_scale_layout;

/* The layout for a source of from_width x from_height with SAR `sar` ({0, 1}: square). ARGUMENT: a side that
 * is odd, or a result larger than 16384 or smaller than 2. */
int sh_scale_lay_out(sh_scale_layout *out, int from_width, int from_height, AVRational sar, int width,
                     int height, sh_scaling scaling, bool keep_sar, sh_err *err);

typedef struct sh_scale_settings {
    sh_scale_layout layout;
    enum AVPixelFormat format; /* of results: yuv420p or yuv420p10, or another planar YUV; NONE: as it comes,
                                  but 4:2:0 planar */
} sh_scale_settings;

typedef struct sh_scale sh_scale;

/* first: the first picture, for its format and tags. UNSUPPORTED: a format. */
int sh_scale_open(sh_scale **out, const sh_scale_settings *settings, const AVFrame *first, sh_err *err);
void sh_scale_close(sh_scale **scale); /* NULL in it is fine */
/* *out: a new reference or picture with the properties (times, tags, side data) of `in`, its SAR the
 * layout's. `in` is not changed. UNSUPPORTED: it is not like the first. */
int sh_scale_run(sh_scale *scale, const AVFrame *in, AVFrame **out, sh_err *err);
/* Format, range, matrix and siting of results; the encoder's settings take them from here. */
void sh_scale_describe(const sh_scale *scale, AVFrame *like);

#endif
