/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_scale.h"
#include "media/finish.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 16384

struct sh_scale {
    sh_scale_settings settings;
    sh_finish *finish; /* to the inner size */
    int width, height, format;
    AVFrame *like; /* of results, without planes */
};

/* ---- layout ---- */

static int even(double side)
{
    const double half = floor(side / 2 + 0.5);
    return half < 1 ? 2 : half > SIDE_MAX ? 2 * SIDE_MAX : 2 * (int)half;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* The sides that were not given, and FIT's. Width and height over even pixels come as near to the shape as
 * they can. */
static void choose_size(sh_scale_layout *l, double shape, int width, int height, sh_scaling scaling)
{
    const bool within = scaling == SH_SCALING_FIT || scaling == SH_SCALING_FIT_NO_UPSCALE;
    l->width = width ? width : even(height * shape);
    l->height = height ? height : even(width / shape);
    if (!width || !height || !within)
        return;
    if (shape > (double)width / height)
        l->height = smaller(height, even(width / shape));
    else
        l->width = smaller(width, even(height * shape));
}

/* With square pixels, none of the source's lost. */
static void own_size(sh_scale_layout *l, int from_width, int from_height, double pixel)
{
    l->width = even(pixel > 1 ? from_width * pixel : from_width);
    l->height = even(pixel < 1 ? from_height / pixel : from_height);
}

static void place(sh_scale_layout *l, double shape, double pixel, int from_width, int from_height,
                  sh_scaling scaling)
{
    const double ours = (double)l->width / l->height;
    if (scaling == SH_SCALING_PAD && shape > ours)
        l->inner_height = smaller(l->height, even(l->width / shape));
    else if (scaling == SH_SCALING_PAD)
        l->inner_width = smaller(l->width, even(l->height * shape));
    l->left = (l->width - l->inner_width) / 2 & ~1;
    l->top = (l->height - l->inner_height) / 2 & ~1;
    if (scaling != SH_SCALING_FILL)
        return;
    if (shape > ours)
        l->cut_width = smaller(from_width, even(from_height * ours / pixel));
    else
        l->cut_height = smaller(from_height, even(from_width * pixel / ours));
    l->cut_left = (from_width - l->cut_width) / 2 & ~1;
    l->cut_top = (from_height - l->cut_height) / 2 & ~1;
}

static int check_sides(int from_width, int from_height, int width, int height, sh_err *err)
{
    if (from_width < 1 || from_height < 1 || from_width > SIDE_MAX || from_height > SIDE_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "pictures of %dx%d", from_width, from_height);
    if (width < 0 || height < 0 || width % 2 || height % 2)
        return sh_fail(err, SH_E_ARGUMENT, "a size of %dx%d: both sides have to be even", width, height);
    return 0;
}

int sh_scale_lay_out(sh_scale_layout *out, int from_width, int from_height, AVRational sar, int width,
                     int height, sh_scaling scaling, bool keep_sar, sh_err *err)
{
    const double pixel = sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1;
    int status = check_sides(from_width, from_height, width, height, err);
    if (status < 0)
        return status;
    const double shape = from_width * pixel / from_height;
    sh_scale_layout l = {.cut_width = from_width, .cut_height = from_height, .sar = {1, 1}};
    const bool own = !width && !height;
    if (own && keep_sar && sar.num > 0 && sar.den > 0)
        l.sar = sar;
    if (own)
        own_size(&l, from_width, from_height, keep_sar ? 1 : pixel);
    else
        choose_size(&l, shape, width, height, scaling);
    if (scaling == SH_SCALING_FIT_NO_UPSCALE && !own) {
        sh_scale_layout most = l;
        own_size(&most, from_width, from_height, pixel);
        if (most.width < l.width || most.height < l.height)
            l = most;
    }
    if (l.width > SIDE_MAX || l.height > SIDE_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "pictures of %dx%d become %dx%d, which is more than %dx%d",
                       from_width, from_height, l.width, l.height, SIDE_MAX, SIDE_MAX);
    l.inner_width = l.width;
    l.inner_height = l.height;
    if (!own && width && height)
        place(&l, shape, pixel, from_width, from_height, scaling);
    *out = l;
    return 0;
}

/* ---- pictures ---- */

static enum AVPixelFormat own_format(const AVPixFmtDescriptor *format)
{
    return format->comp[0].depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
}

static int describe(sh_scale *scale, const AVFrame *first, sh_err *err)
{
    AVFrame *like = scale->like = av_frame_alloc();
    if (!like)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    like->width = scale->settings.layout.width;
    like->height = scale->settings.layout.height;
    like->format = scale->settings.format;
    like->sample_aspect_ratio = scale->settings.layout.sar;
    like->color_range = first->color_range;
    like->color_primaries = first->color_primaries;
    like->color_trc = first->color_trc;
    like->colorspace = first->colorspace;
    like->chroma_location = first->chroma_location;
    if (av_pix_fmt_desc_get(first->format)->flags & AV_PIX_FMT_FLAG_RGB) {
        like->color_range = AVCOL_RANGE_MPEG;
        like->colorspace = AVCOL_SPC_BT709;
        like->chroma_location = AVCHROMA_LOC_LEFT;
    }
    return 0;
}

int sh_scale_open(sh_scale **out, const sh_scale_settings *settings, const AVFrame *first, sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(first->format);
    if (!format || format->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot be read",
                       format ? format->name : "unknown");
    sh_scale *scale = calloc(1, sizeof(*scale));
    if (!scale)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    scale->settings = *settings;
    if (settings->format == AV_PIX_FMT_NONE)
        scale->settings.format = own_format(format);
    scale->width = first->width;
    scale->height = first->height;
    scale->format = first->format;
    const sh_finish_settings finish = {.width = settings->layout.inner_width,
                                       .height = settings->layout.inner_height,
                                       .format = scale->settings.format};
    int status = sh_finish_open(&scale->finish, &finish, err);
    if (status == 0)
        status = describe(scale, first, err);
    if (status < 0)
        sh_scale_close(&scale);
    else
        *out = scale;
    return status;
}

void sh_scale_close(sh_scale **scale)
{
    if (!*scale)
        return;
    sh_finish_close(&(*scale)->finish);
    av_frame_free(&(*scale)->like);
    free(*scale);
    *scale = NULL;
}

static int cut(const sh_scale_layout *l, AVFrame *frame, sh_err *err)
{
    frame->crop_left = (size_t)l->cut_left;
    frame->crop_top = (size_t)l->cut_top;
    frame->crop_right = (size_t)(frame->width - l->cut_left - l->cut_width);
    frame->crop_bottom = (size_t)(frame->height - l->cut_top - l->cut_height);
    if (av_frame_apply_cropping(frame, AV_FRAME_CROP_UNALIGNED) < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot be cut",
                       av_get_pix_fmt_name(frame->format));
    return 0;
}

/* Puts the picture between black bars. */
static int pad(const sh_scale *scale, AVFrame **frame, sh_err *err)
{
    const sh_scale_layout *l = &scale->settings.layout;
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get((*frame)->format);
    AVFrame *whole = av_frame_alloc(), *part = *frame;
    uint8_t *to[4] = {NULL};
    if (whole) {
        whole->width = l->width;
        whole->height = l->height;
        whole->format = part->format;
    }
    if (!whole || av_frame_get_buffer(whole, 0) < 0 || av_frame_copy_props(whole, part) < 0) {
        av_frame_free(&whole);
        return sh_fail(err, SH_E_MEMORY, "no memory for a picture of %dx%d", l->width, l->height);
    }
    const ptrdiff_t steps[4] = {whole->linesize[0], whole->linesize[1], whole->linesize[2],
                                whole->linesize[3]};
    av_image_fill_black(whole->data, steps, whole->format, part->color_range, l->width, l->height);
    for (int i = 0; i < 3 && whole->data[i]; i++) {
        const int x = i ? l->left >> format->log2_chroma_w : l->left;
        const int y = i ? l->top >> format->log2_chroma_h : l->top;
        to[i] = whole->data[i] + (ptrdiff_t)y * whole->linesize[i] + (ptrdiff_t)x * format->comp[i].step;
    }
    av_image_copy(to, whole->linesize, (const uint8_t **)part->data, part->linesize, part->format,
                  part->width, part->height);
    av_frame_free(frame);
    *frame = whole;
    return 0;
}

static int make(const sh_scale *scale, AVFrame **frame, sh_err *err)
{
    const sh_scale_layout *l = &scale->settings.layout;
    int status = 0;
    if (l->cut_width != (*frame)->width || l->cut_height != (*frame)->height)
        status = cut(l, *frame, err);
    if (status == 0)
        status = sh_finish_apply(scale->finish, frame, 0, err);
    if (status == 0 && (l->inner_width != l->width || l->inner_height != l->height))
        status = pad(scale, frame, err);
    return status;
}

int sh_scale_run(sh_scale *scale, const AVFrame *in, AVFrame **out, sh_err *err)
{
    if (in->width != scale->width || in->height != scale->height || in->format != scale->format)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures change from %dx%d (%s) to %dx%d (%s) on the way",
                       scale->width, scale->height, av_get_pix_fmt_name(scale->format), in->width, in->height,
                       av_get_pix_fmt_name(in->format));
    AVFrame *frame = av_frame_clone(in);
    int status = frame ? make(scale, &frame, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status < 0) {
        av_frame_free(&frame);
        return status;
    }
    frame->sample_aspect_ratio = scale->like->sample_aspect_ratio;
    frame->color_range = scale->like->color_range;
    frame->colorspace = scale->like->colorspace;
    frame->chroma_location = scale->like->chroma_location;
    *out = frame;
    return 0;
}

void sh_scale_describe(const sh_scale *scale, AVFrame *like)
{
    const AVFrame *from = scale->like;
    like->width = from->width;
    like->height = from->height;
    like->format = from->format;
    like->sample_aspect_ratio = from->sample_aspect_ratio;
    like->color_range = from->color_range;
    like->color_primaries = from->color_primaries;
    like->color_trc = from->color_trc;
    like->colorspace = from->colorspace;
    like->chroma_location = from->chroma_location;
}
