/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PICTURE_H
#define SH_MEDIA_PICTURE_H
/* From a decoded picture to an upscaled one.
 *
 * Whatever the source's pixel format, the work is done on planar YUV of 8 or 10 bits, and the result is
 * 4:2:0, which loses nothing: at twice the size, 4:2:0 has room for every chroma sample of a 4:4:4 source.
 * Formats that are planar YUV of 8 or 10 bits already are taken as they are; others are repacked by
 * libswscale (RGB becomes BT.709 limited range, other depths become 8 or 10 bits, alpha is dropped). */
#include "base/err.h"
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include <spyhop/spyhop.h>
#include <stdbool.h>

typedef struct sh_picture_plan {
    int width, height, depth;  /* of the source; depth of the work */
    enum AVPixelFormat source; /* as decoded */
    enum AVPixelFormat work;   /* planar YUV */
    enum AVPixelFormat result; /* YUV420P or YUV420P10 */
    bool repack;               /* source is not of work's layout */
    bool rgb;
    int horizontal, vertical;     /* SH_LANCZOS_* for chroma */
    enum AVChromaLocation siting; /* of the result */
    enum AVColorRange range;      /* of the result */
    enum AVColorSpace matrix;     /* of the result */
    char note[160];               /* what is converted, in words; "" when nothing */
} sh_picture_plan;

/* From the first picture. */
int sh_picture_plan_make(sh_picture_plan *plan, const AVFrame *frame, sh_err *err);
/* Whether a later picture is still what was planned for. */
bool sh_picture_fits(const sh_picture_plan *plan, const AVFrame *frame);

typedef struct sh_picture_scaler {
    sh_picture_plan plan;
    spyhop_context *engine; /* borrowed; NULL: luma by Lanczos too */
    struct SwsContext *repacker;
    AVBufferPool *pool;
} sh_picture_scaler;

/* *out is a new picture of twice the size with the properties of `in`. in is not changed. */
int sh_picture_upscale(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err);
void sh_picture_scaler_close(sh_picture_scaler *scaler); /* all-zero is fine */

#endif
