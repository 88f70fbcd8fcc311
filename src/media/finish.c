/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/finish.h"
#include "media/grain.h"

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 16384
#define SAR_MAX 65535 /* what streams have room for */
#define GRAIN_MAX 32

struct sh_finish {
    sh_finish_settings settings;
    struct SwsContext *scaler;
    int width, height, format, range, siting; /* that the scaler was made for */
    AVBufferPool *pool;
    size_t pool_size;
    sh_grain grain;
    int grain_depth, grain_full; /* that it was made for; depth 0: not yet */
};

/* ---- sizes ---- */

bool sh_finish_parse_size(const char *text, int *width, int *height, bool *exact)
{
    char *end = NULL;
    long first = 0, second = 0;
    const bool four = !strcmp(text, "4k") || !strcmp(text, "4K"),
               eight = !strcmp(text, "8k") || !strcmp(text, "8K");
    if (four || eight) {
        *width = four ? 3840 : 7680;
        *height = four ? 2160 : 4320;
        *exact = false;
        return true;
    }
    if (*text >= '0' && *text <= '9')
        first = strtol(text, &end, 10);
    const char *rest = end ? end : text;
    if (first > 0 && (!strcmp(rest, "p") || !strcmp(rest, "P"))) {
        if (first > SIDE_MAX / 2)
            return false;
        *height = (int)first;
        *width = (int)((first * 16 / 9 + 1) & ~1L);
        *exact = false;
        return true;
    }
    if (*rest != 'x' && *rest != 'X')
        return false;
    if (rest[1] >= '0' && rest[1] <= '9') {
        second = strtol(rest + 1, &end, 10);
        if (*end)
            return false;
    } else if (rest[1]) {
        return false;
    }
    if (first > SIDE_MAX || second > SIDE_MAX || (first == 0 && second == 0))
        return false;
    *width = (int)first;
    *height = (int)second;
    *exact = first > 0 && second > 0;
    return true;
}

static int even(double side)
{
    const double half = floor(side / 2 + 0.5);
    return half > SIDE_MAX ? 2 * SIDE_MAX : 2 * (int)half;
}

/* Sides with square pixels as near as even numbers come. */
static void choose_sides(sh_finish_size *out, double shape, int to_width, int to_height)
{
    if (to_width > 0 && to_height > 0) {
        if (shape < 1 && to_width > to_height) {
            const int side = to_width;
            to_width = to_height;
            to_height = side;
        }
        if (shape * to_height > to_width)
            to_height = 0;
        else
            to_width = 0;
    }
    out->width = to_width > 0 ? to_width & ~1 : even(shape * (to_height & ~1));
    out->height = to_height > 0 ? to_height & ~1 : even((to_width & ~1) / shape);
}

int sh_finish_fit(sh_finish_size *out, int width, int height, AVRational sar, int to_width, int to_height,
                  bool exact, sh_err *err)
{
    sh_finish_size size = {width, height, sar, false};
    if (width < 1 || height < 1 || to_width < 0 || to_height < 0)
        return sh_fail(err, SH_E_ARGUMENT, "a size of %dx%d cannot be made %dx%d", width, height, to_width,
                       to_height);
    if (exact && (to_width % 2 || to_height % 2))
        return sh_fail(err, SH_E_ARGUMENT, "a size of %dx%d: both sides have to be even", to_width,
                       to_height);
    if (to_width == 0 && to_height == 0) {
        *out = size;
        return 0;
    }
    const AVRational square = {1, 1}, pixel = sar.num > 0 && sar.den > 0 ? sar : square;
    if (exact) {
        size.width = to_width;
        size.height = to_height;
    } else {
        choose_sides(&size, (double)width / height * av_q2d(pixel), to_width, to_height);
    }
    if (size.width < 2 || size.height < 2 || size.width > SIDE_MAX || size.height > SIDE_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "%dx%d becomes %dx%d, which is not between 2x2 and %dx%d", width,
                       height, size.width, size.height, SIDE_MAX, SIDE_MAX);
    AVRational wide = {0, 1}, high = {0, 1};
    av_reduce(&wide.num, &wide.den, width, size.width, INT_MAX);
    av_reduce(&high.num, &high.den, size.height, height, INT_MAX);
    const AVRational shape = av_mul_q(wide, high);
    av_reduce(&size.sar.num, &size.sar.den, (int64_t)pixel.num * shape.num, (int64_t)pixel.den * shape.den,
              SAR_MAX);
    size.enlarges = size.width > width || size.height > height;
    *out = size;
    return 0;
}

/* ---- opening ---- */

static bool takes(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return d &&
           !(d->flags &
             (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL)) &&
           d->comp[0].plane == 0 && d->comp[0].step == (d->comp[0].depth > 8 ? 2 : 1) &&
           d->comp[0].shift == 0 && (d->comp[0].depth == 8 || d->comp[0].depth == 10) &&
           (d->nb_components == 1 || (d->comp[1].plane == 1 && d->comp[2].plane == 2));
}

int sh_finish_open(sh_finish **out, const sh_finish_settings *settings, sh_err *err)
{
    if (settings->width < 0 || settings->height < 0 || settings->width > SIDE_MAX ||
        settings->height > SIDE_MAX || (settings->width > 0) != (settings->height > 0))
        return sh_fail(err, SH_E_ARGUMENT, "a result of %dx%d", settings->width, settings->height);
    if (!(settings->grain >= 0 && settings->grain <= GRAIN_MAX))
        return sh_fail(err, SH_E_ARGUMENT, "grain of %g: it lies between 0 and %d codes of 8 bits",
                       settings->grain, GRAIN_MAX);
    if (settings->format != AV_PIX_FMT_NONE && !takes(settings->format))
        return sh_fail(err, SH_E_UNSUPPORTED, "results of format %s: planar YUV of 8 or 10 bits is made",
                       av_get_pix_fmt_name(settings->format) ? av_get_pix_fmt_name(settings->format)
                                                             : "unknown");
    sh_finish *finish = calloc(1, sizeof(*finish));
    if (!finish)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    finish->settings = *settings;
    *out = finish;
    return 0;
}

void sh_finish_close(sh_finish **finish)
{
    if (!*finish)
        return;
    sws_freeContext((*finish)->scaler);
    av_buffer_pool_uninit(&(*finish)->pool);
    free(*finish);
    *finish = NULL;
}

/* ---- scaling ---- */

/* Where chroma lies, in 1/256 of a luma sample. */
static void place_chroma(struct SwsContext *scaler, const char *across, const char *down, int format,
                         int siting)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    const bool middle =
        siting == AVCHROMA_LOC_CENTER || siting == AVCHROMA_LOC_TOP || siting == AVCHROMA_LOC_BOTTOM;
    const bool top = siting == AVCHROMA_LOC_TOP || siting == AVCHROMA_LOC_TOPLEFT;
    const bool bottom = siting == AVCHROMA_LOC_BOTTOM || siting == AVCHROMA_LOC_BOTTOMLEFT;
    av_opt_set_int(scaler, across, d->log2_chroma_w == 0 ? -513 : middle ? 128 : 0, 0);
    av_opt_set_int(scaler, down, d->log2_chroma_h == 0 ? -513 : top ? 0 : bottom ? 256 : 128, 0);
}

static int make_scaler(sh_finish *finish, const AVFrame *in, int width, int height, int format, sh_err *err)
{
    const bool rgb = av_pix_fmt_desc_get(in->format)->flags & AV_PIX_FMT_FLAG_RGB;
    const int full = rgb || in->color_range == AVCOL_RANGE_JPEG;
    sws_freeContext(finish->scaler);
    finish->scaler = sws_alloc_context();
    if (!finish->scaler)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    av_opt_set_int(finish->scaler, "srcw", in->width, 0);
    av_opt_set_int(finish->scaler, "srch", in->height, 0);
    av_opt_set_int(finish->scaler, "src_format", in->format, 0);
    av_opt_set_int(finish->scaler, "dstw", width, 0);
    av_opt_set_int(finish->scaler, "dsth", height, 0);
    av_opt_set_int(finish->scaler, "dst_format", format, 0);
    av_opt_set_int(finish->scaler, "threads", 1, 0);
    av_opt_set_int(finish->scaler, "sws_flags",
                   SWS_LANCZOS | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT | SWS_BITEXACT,
                   0);
    av_opt_set_double(finish->scaler, "param0", 3, 0);
    place_chroma(finish->scaler, "src_h_chr_pos", "src_v_chr_pos", in->format, in->chroma_location);
    place_chroma(finish->scaler, "dst_h_chr_pos", "dst_v_chr_pos", format, in->chroma_location);
    if (sws_init_context(finish->scaler, NULL, NULL) < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "libswscale cannot make %dx%d (%s) of %dx%d (%s)", width,
                       height, av_get_pix_fmt_name(format), in->width, in->height,
                       av_get_pix_fmt_name(in->format));
    const int *table = sws_getCoefficients(rgb ? SWS_CS_ITU709 : (int)in->colorspace);
    sws_setColorspaceDetails(finish->scaler, table, full, table, full && !rgb, 0, 1 << 16, 1 << 16);
    finish->width = in->width;
    finish->height = in->height;
    finish->format = in->format;
    finish->range = in->color_range;
    finish->siting = in->chroma_location;
    return 0;
}

static AVFrame *new_result(sh_finish *finish, const AVFrame *in, int width, int height, int format)
{
    const int size = av_image_get_buffer_size(format, width, height, 64);
    AVFrame *out = av_frame_alloc();
    if (finish->pool && finish->pool_size != (size_t)size)
        av_buffer_pool_uninit(&finish->pool);
    if (!finish->pool && size > 0)
        finish->pool = av_buffer_pool_init((size_t)size + 64, NULL);
    finish->pool_size = size > 0 ? (size_t)size : 0;
    if (out && finish->pool)
        out->buf[0] = av_buffer_pool_get(finish->pool);
    if (!out || !out->buf[0] || av_frame_copy_props(out, in) < 0 ||
        av_image_fill_arrays(out->data, out->linesize, out->buf[0]->data, format, width, height, 64) < 0) {
        av_frame_free(&out);
        return NULL;
    }
    out->extended_data = out->data;
    out->width = width;
    out->height = height;
    out->format = format;
    return out;
}

static int scale(sh_finish *finish, const AVFrame *in, AVFrame **out, sh_err *err)
{
    const int width = finish->settings.width > 0 ? finish->settings.width : in->width;
    const int height = finish->settings.height > 0 ? finish->settings.height : in->height;
    const int format = finish->settings.format != AV_PIX_FMT_NONE ? finish->settings.format : in->format;
    if (width == in->width && height == in->height && format == in->format)
        return 0;
    const bool ready = finish->scaler && finish->width == in->width && finish->height == in->height &&
                       finish->format == in->format && finish->range == (int)in->color_range &&
                       finish->siting == (int)in->chroma_location;
    int status = ready ? 0 : make_scaler(finish, in, width, height, format, err);
    if (status < 0)
        return status;
    AVFrame *result = new_result(finish, in, width, height, format);
    if (!result)
        return sh_fail(err, SH_E_MEMORY, "no memory for a picture of %dx%d", width, height);
    if (sws_scale(finish->scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, result->data,
                  result->linesize) < 0) {
        av_frame_free(&result);
        return sh_fail(err, SH_E_INTERNAL, "libswscale fails on a picture of %dx%d", in->width, in->height);
    }
    if (in->sample_aspect_ratio.num > 0)
        av_reduce(&result->sample_aspect_ratio.num, &result->sample_aspect_ratio.den,
                  (int64_t)in->sample_aspect_ratio.num * in->width * height,
                  (int64_t)in->sample_aspect_ratio.den * in->height * width, SAR_MAX);
    *out = result;
    return 0;
}

/* ---- grain ---- */

static int grain(sh_finish *finish, AVFrame *frame, int64_t number, sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    const int depth = format->comp[0].depth, full = frame->color_range == AVCOL_RANGE_JPEG;
    if (!takes(frame->format))
        return sh_fail(err, SH_E_UNSUPPORTED, "grain on pictures of format %s", format->name);
    if (av_frame_make_writable(frame) < 0)
        return sh_fail(err, SH_E_MEMORY, "no memory for a picture of %dx%d", frame->width, frame->height);
    if (finish->grain_depth != depth || finish->grain_full != full)
        sh_grain_make(&finish->grain, finish->settings.grain, depth, full, finish->settings.seed);
    finish->grain_depth = depth;
    finish->grain_full = full;
    for (int y = 0; y < frame->height; y++)
        sh_grain_row(&finish->grain, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], frame->width, number,
                     y);
    return 0;
}

int sh_finish_apply(sh_finish *finish, AVFrame **frame, int64_t number, sh_err *err)
{
    AVFrame *scaled = NULL;
    int status = scale(finish, *frame, &scaled, err);
    if (status == 0 && finish->settings.grain > 0)
        status = grain(finish, scaled ? scaled : *frame, number, err);
    if (status < 0) {
        av_frame_free(&scaled);
        return status;
    }
    if (scaled) {
        av_frame_free(frame);
        *frame = scaled;
    }
    return 0;
}
