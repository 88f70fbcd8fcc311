/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/adapt.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <math.h>

static double shape(int width, int height, AVRational sar)
{
    return (double)width / height * (sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1);
}

static bool same_shape(double a, double b)
{
    return fabs(a / b - 1) <= 0.01;
}

static bool known(AVRational sar)
{
    return sar.num > 0 && sar.den > 0;
}

bool sh_adapt_fits(const sh_adapt *adapt, const AVFrame *frame, AVRational sar)
{
    if (frame->width != adapt->width || frame->height != adapt->height || frame->format != adapt->format)
        return false;
    return !known(sar) || !known(adapt->sar) ||
           same_shape(shape(frame->width, frame->height, sar),
                      shape(adapt->width, adapt->height, adapt->sar));
}

/* Where the picture goes in the first one's frame; multiples of four samples keep every chroma layout. */
typedef struct place {
    int x, y, width, height;
} place;

static place choose_place(const sh_adapt *adapt, const AVFrame *frame, AVRational sar)
{
    const double ours = shape(adapt->width, adapt->height, adapt->sar);
    const double its = shape(frame->width, frame->height, known(sar) ? sar : adapt->sar);
    place p = {0, 0, adapt->width, adapt->height};
    if (same_shape(ours, its))
        return p;
    if (its > ours)
        p.height = (int)(adapt->height * ours / its) & ~7;
    else
        p.width = (int)(adapt->width * its / ours) & ~7;
    p.height = p.height < 8 ? FFMIN(8, adapt->height) : p.height;
    p.width = p.width < 8 ? FFMIN(8, adapt->width) : p.width;
    p.x = ((adapt->width - p.width) / 2) & ~3;
    p.y = ((adapt->height - p.height) / 2) & ~3;
    return p;
}

/* Copies a picture of the place's size to its place. */
static void put(const AVFrame *out, const AVFrame *in, const place *p)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(out->format);
    const uint8_t *from[4] = {in->data[0], in->data[1], in->data[2], in->data[3]};
    uint8_t *to[4];
    int steps[4];
    av_image_fill_max_pixsteps(steps, NULL, format);
    for (int i = 0; i < 4; i++) {
        const bool chroma = (i == 1 || i == 2) && !(format->flags & AV_PIX_FMT_FLAG_RGB);
        const int x = chroma ? p->x >> format->log2_chroma_w : p->x;
        const int y = chroma ? p->y >> format->log2_chroma_h : p->y;
        to[i] = out->data[i] ? out->data[i] + (ptrdiff_t)y * out->linesize[i] + x * steps[i] : NULL;
    }
    av_image_copy(to, (int *)out->linesize, from, in->linesize, out->format, in->width, in->height);
}

/* fields: 2: the fields one by one. */
static int scale(sh_adapt *adapt, const AVFrame *in, const AVFrame *out, int fields)
{
    const bool tagged = in->colorspace != AVCOL_SPC_UNSPECIFIED && adapt->matrix != AVCOL_SPC_UNSPECIFIED;
    const int *to_matrix = sws_getCoefficients(tagged ? (int)adapt->matrix : (int)in->colorspace);
    adapt->scaler = sws_getCachedContext(
        adapt->scaler, in->width, in->height / fields, in->format, out->width, out->height / fields,
        out->format, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT, NULL, NULL,
        NULL);
    if (!adapt->scaler)
        return AVERROR(EINVAL);
    sws_setColorspaceDetails(adapt->scaler, sws_getCoefficients(in->colorspace),
                             in->color_range == AVCOL_RANGE_JPEG, to_matrix, adapt->range == AVCOL_RANGE_JPEG,
                             0, 1 << 16, 1 << 16);
    for (int field = 0; field < fields; field++) {
        const uint8_t *from[4];
        uint8_t *to[4];
        int from_step[4], to_step[4];
        for (int i = 0; i < 4; i++) {
            from[i] = in->data[i] ? in->data[i] + field * in->linesize[i] : NULL;
            to[i] = out->data[i] ? out->data[i] + field * out->linesize[i] : NULL;
            from_step[i] = in->linesize[i] * fields;
            to_step[i] = out->linesize[i] * fields;
        }
        const int error = sws_scale(adapt->scaler, from, from_step, 0, in->height / fields, to, to_step);
        if (error < 0)
            return error;
    }
    return 0;
}

static AVFrame *new_picture(int width, int height, int format)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = width;
    frame->height = height;
    frame->format = format;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

static int make(sh_adapt *adapt, const AVFrame *in, AVFrame *out, AVRational sar)
{
    const place p = choose_place(adapt, in, sar);
    const bool whole = p.width == out->width && p.height == out->height;
    const bool fields =
        in->interlaced_frame && p.height != in->height && in->height % 4 == 0 && p.height % 4 == 0;
    const ptrdiff_t steps[4] = {out->linesize[0], out->linesize[1], out->linesize[2], out->linesize[3]};
    AVFrame *part = whole ? NULL : new_picture(p.width, p.height, out->format);
    int error = whole || part ? av_frame_copy_props(out, in) : AVERROR(ENOMEM);
    out->sample_aspect_ratio = adapt->sar;
    out->crop_top = out->crop_bottom = out->crop_left = out->crop_right = 0;
    out->color_range = adapt->range;
    if (in->colorspace != AVCOL_SPC_UNSPECIFIED && adapt->matrix != AVCOL_SPC_UNSPECIFIED)
        out->colorspace = adapt->matrix;
    if (error >= 0)
        error = scale(adapt, in, part ? part : out, fields ? 2 : 1);
    if (error >= 0 && part)
        error = av_image_fill_black(out->data, steps, out->format, out->color_range, out->width, out->height);
    if (error >= 0 && part)
        put(out, part, &p);
    av_frame_free(&part);
    return error;
}

int sh_adapt_frame(sh_adapt *adapt, AVFrame *frame, AVRational sar, sh_err *err)
{
    AVFrame *out = new_picture(adapt->width, adapt->height, adapt->format);
    const int error = out ? make(adapt, frame, out, sar) : AVERROR(ENOMEM);
    if (error < 0) {
        av_frame_free(&out);
        return sh_fail(err, error == AVERROR(ENOMEM) ? SH_E_MEMORY : SH_E_UNSUPPORTED,
                       "a picture of %dx%d (%s) cannot be made one of %dx%d (%s), as those before it are",
                       frame->width, frame->height, av_get_pix_fmt_name(frame->format), adapt->width,
                       adapt->height, av_get_pix_fmt_name(adapt->format));
    }
    av_frame_unref(frame);
    av_frame_move_ref(frame, out);
    av_frame_free(&out);
    return 0;
}

void sh_adapt_close(sh_adapt *adapt)
{
    sws_freeContext(adapt->scaler);
    *adapt = (sh_adapt){0};
}
