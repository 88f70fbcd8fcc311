/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PICTURE_H
#define SH_MEDIA_PICTURE_H
/* From a decoded picture to an enlarged one, by a scaler of spyhop/picture.h.
 *
 * Pictures of 8 or 10 bits in planar or semi-planar YUV are taken as they are; others are repacked by
 * libswscale (RGB becomes BT.709 limited range, other depths become 8 or 10 bits). The result is planar 4:2:0
 * of the same depth wherever that loses nothing: at twice the size, 4:2:0 has room for every chroma sample of
 * a 4:4:4 source. At its own size a picture keeps its layout. Alpha is dropped. Where the size that comes out
 * is odd, as it may be at scale 1 and 3, and chroma has half of it, the last column or row is left out. */
#include "base/err.h"
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <spyhop/picture.h>
#include <stdbool.h>

#define SH_PICTURE_SIDE 16384 /* of a result: where H.264 ends */

typedef struct sh_picture_plan {
    int width, height; /* of the source */
    int scale;
    int out_width, out_height;     /* as the scaler makes it */
    int shown_width, shown_height; /* of that, what goes on: 4:2:0 in H.264 has no odd sizes */
    enum AVPixelFormat source;     /* as decoded */
    enum AVPixelFormat work;       /* what the scaler takes */
    enum AVPixelFormat result;     /* planar YUV of 8 or 10 bits */
    bool repack;                   /* source is not of work's layout */
    bool rgb;
    enum AVChromaLocation siting; /* of the result */
    enum AVColorRange range;      /* of the result */
    enum AVColorSpace matrix;     /* of the result */
    spyhop_format in, out;
    char note[240]; /* what is converted, in words; "" when nothing */
} sh_picture_plan;

/* From the first picture, for enlarging it `scale` times, 1 to 8. */
int sh_picture_plan_make(sh_picture_plan *plan, const AVFrame *frame, int scale, sh_err *err);
/* Whether a later picture is still what was planned for. */
bool sh_picture_fits(const sh_picture_plan *plan, const AVFrame *frame);

typedef struct sh_picture_scaler {
    sh_picture_plan plan;
    spyhop_scaler *scaler;
    struct SwsContext *repacker;
    AVBufferPool *pool;
} sh_picture_scaler;

/* With `plan` made and all else zero. model: borrowed; NULL: luma by Lanczos too. settings: NULL: defaults.
 */
int sh_picture_scaler_open(sh_picture_scaler *scaler, const spyhop_model *model,
                           const spyhop_settings *settings, sh_err *err);
/* *out is a new picture with the properties of `in`. in is not changed. */
int sh_picture_upscale(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err);
void sh_picture_scaler_close(sh_picture_scaler *scaler); /* all-zero is fine */

/* A network of scale 1 that restores, where one is wanted, and behind it one that enlarges. What is between
 * them is whole, at odd sizes too, and is not copied: the first one's result is what the second one reads. */
typedef struct sh_picture_chain {
    bool restores;
    sh_picture_scaler restore; /* unused without `restores` */
    sh_picture_scaler scaler;  /* its plan says what comes out */
} sh_picture_chain;

/* From the first picture. Both plans' notes are worth telling. */
int sh_picture_chain_plan(sh_picture_chain *chain, const AVFrame *frame, bool restores, int scale,
                          sh_err *err);
bool sh_picture_chain_fits(const sh_picture_chain *chain, const AVFrame *frame);
/* With the plan made. restore: of scale 1; NULL without `restores`. The models are borrowed. */
int sh_picture_chain_open(sh_picture_chain *chain, const spyhop_model *restore, const spyhop_model *model,
                          const spyhop_settings *settings, sh_err *err);
int sh_picture_chain_run(sh_picture_chain *chain, const AVFrame *in, AVFrame **out, sh_err *err);
void sh_picture_chain_close(sh_picture_chain *chain); /* all-zero is fine */

#endif
