/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/hls_scale.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <string.h>

static int even(double value)
{
    int rounded = 2 * (int)lrint(value / 2);
    return rounded < 2 ? 2 : rounded;
}

/* The rendition's size and the picture's place in it. Pixels become square when the size is asked for. */
static void lay_out(sh_hls_scale *s, const sh_hls_video *video, AVRational sar)
{
    const double pixel = sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1;
    const double shape = s->from_width * pixel / s->from_height;
    s->sar = sar;
    s->width = video->width;
    s->height = video->height;
    if (!s->width && !s->height) {
        s->width = s->from_width > 1 ? s->from_width & ~1 : 2;
        s->height = s->from_height > 1 ? s->from_height & ~1 : 2;
    } else {
        s->sar = (AVRational){1, 1};
        if (!s->height)
            s->height = even(s->width / shape);
        if (!s->width)
            s->width = even(s->height * shape);
    }
    s->inner_width = s->width;
    s->inner_height = s->height;
    if (video->width && video->height && video->scaling == SH_HLS_SCALE_FIT) {
        if (shape > (double)s->width / s->height)
            s->inner_height = even(s->width / shape);
        else
            s->inner_width = even(s->height * shape);
    }
    s->inner_width = s->inner_width < s->width ? s->inner_width : s->width;
    s->inner_height = s->inner_height < s->height ? s->inner_height : s->height;
    s->left = (s->width - s->inner_width) / 2 & ~1;
    s->top = (s->height - s->inner_height) / 2 & ~1;
}

int sh_hls_scale_open(sh_hls_scale *s, const sh_hls_video *video, const AVFrame *first, AVRational sar,
                      sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(first->format);
    if (!format || format->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot be read",
                       format ? format->name : "unknown");
    *s = (sh_hls_scale){.from_width = first->width, .from_height = first->height, .from = first->format};
    lay_out(s, video, sar);
    s->rgb = format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    s->full = s->rgb || first->color_range == AVCOL_RANGE_JPEG || strncmp(format->name, "yuvj", 4) == 0;
    s->direct = first->format == AV_PIX_FMT_YUV420P && !s->full && s->width == first->width &&
                s->height == first->height && s->inner_width == s->width && s->inner_height == s->height;
    if (s->direct)
        return 0;
    s->scaler = sws_getContext(first->width, first->height, first->format, s->inner_width, s->inner_height,
                               AV_PIX_FMT_YUV420P, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL,
                               NULL, NULL);
    if (!s->scaler)
        return sh_fail(err, SH_E_UNSUPPORTED, "libswscale cannot turn %s of %dx%d into yuv420p of %dx%d",
                       format->name, first->width, first->height, s->inner_width, s->inner_height);
    const int *table = sws_getCoefficients(s->rgb ? SWS_CS_ITU709 : SWS_CS_DEFAULT);
    sws_setColorspaceDetails(s->scaler, table, s->full, table, 0, 0, 1 << 16, 1 << 16);
    return 0;
}

void sh_hls_scale_close(sh_hls_scale *s)
{
    sws_freeContext(s->scaler);
    s->scaler = NULL;
}

static void blacken(AVFrame *frame)
{
    for (int plane = 0; plane < 3; plane++) {
        int height = plane ? frame->height / 2 : frame->height;
        for (int y = 0; y < height; y++)
            memset(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane], plane ? 128 : 16,
                   (size_t)(plane ? frame->width / 2 : frame->width));
    }
}

static int draw(const sh_hls_scale *s, const AVFrame *in, AVFrame *out)
{
    uint8_t *at[4] = {NULL};
    if (s->inner_width != s->width || s->inner_height != s->height)
        blacken(out);
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane ? 1 : 0;
        at[plane] =
            out->data[plane] + (ptrdiff_t)(s->top >> shift) * out->linesize[plane] + (s->left >> shift);
    }
    return sws_scale(s->scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, at,
                     out->linesize);
}

int sh_hls_scale_run(sh_hls_scale *s, const AVFrame *in, AVFrame **out, sh_err *err)
{
    if (in->width != s->from_width || in->height != s->from_height || in->format != (int)s->from)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "the pictures change from %dx%d (%s) to %dx%d (%s), which is not supported",
                       s->from_width, s->from_height, av_get_pix_fmt_name(s->from), in->width, in->height,
                       av_get_pix_fmt_name(in->format));
    AVFrame *frame = s->direct ? av_frame_clone(in) : av_frame_alloc();
    if (!frame)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (!s->direct) {
        frame->width = s->width;
        frame->height = s->height;
        frame->format = AV_PIX_FMT_YUV420P;
        if (av_frame_get_buffer(frame, 0) < 0 || av_frame_copy_props(frame, in) < 0 ||
            draw(s, in, frame) < 0) {
            av_frame_free(&frame);
            return sh_fail(err, SH_E_MEMORY, "a picture of %dx%d cannot be made", s->width, s->height);
        }
        frame->color_range = AVCOL_RANGE_MPEG;
        if (s->rgb)
            frame->colorspace = AVCOL_SPC_BT709;
    }
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->interlaced_frame = 0;
    frame->key_frame = 0;
    *out = frame;
    return 0;
}
