/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/preview.h"
#include "base/file.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define LINE 2 /* columns between the halves */
#define SIDE_MAX 16384

static AVFrame *new_rgb(int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = width;
    frame->height = height;
    frame->format = AV_PIX_FMT_RGB24;
    frame->color_range = AVCOL_RANGE_JPEG;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

/* Without a tag: BT.601 up to the lines of SD, BT.709 above. */
static const int *matrix_of(const AVFrame *frame, int lines)
{
    if (frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB)
        return sws_getCoefficients(frame->colorspace);
    return sws_getCoefficients(lines <= 576 ? SWS_CS_ITU601 : SWS_CS_ITU709);
}

static AVFrame *to_rgb(const AVFrame *in, int width, int height, int lines)
{
    AVFrame *out = new_rgb(width, height);
    struct SwsContext *scaler = sws_getContext(
        in->width, in->height, in->format, width, height, AV_PIX_FMT_RGB24,
        SWS_LANCZOS | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    const int *matrix = matrix_of(in, lines);
    int error = out && scaler ? 0 : -1;
    if (error == 0) {
        sws_setColorspaceDetails(scaler, matrix, in->color_range == AVCOL_RANGE_JPEG, matrix, 1, 0, 1 << 16,
                                 1 << 16);
        error = sws_scale(scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                          out->linesize);
    }
    sws_freeContext(scaler);
    if (error < 0)
        av_frame_free(&out);
    return out;
}

/* Columns from..to of `in` to column `at` of `out`. */
static void copy_columns(AVFrame *out, int at, const AVFrame *in, int from, int to)
{
    for (int y = 0; y < out->height; y++)
        memcpy(out->data[0] + (ptrdiff_t)y * out->linesize[0] + 3 * at,
               in->data[0] + (ptrdiff_t)y * in->linesize[0] + 3 * from, 3 * (size_t)(to - from));
}

static AVFrame *compose(const AVFrame *before, const AVFrame *after, sh_preview_kind kind)
{
    const int width = after->width, half = width / 2;
    AVFrame *out = new_rgb(kind == SH_PREVIEW_SIDES ? 2 * width + LINE : width, after->height);
    if (!out)
        return NULL;
    for (int y = 0; y < out->height; y++)
        memset(out->data[0] + (ptrdiff_t)y * out->linesize[0], 255, 3 * (size_t)out->width);
    if (kind == SH_PREVIEW_SIDES) {
        copy_columns(out, 0, before, 0, width);
        copy_columns(out, width + LINE, after, 0, width);
        return out;
    }
    const int edge = half > LINE ? half - LINE / 2 : half;
    copy_columns(out, 0, before, 0, edge);
    if (half > LINE)
        copy_columns(out, edge + LINE, after, edge + LINE, width);
    else
        copy_columns(out, edge, after, edge, width);
    return out;
}

static int encode(AVCodecContext **encoder, const AVFrame *frame, AVPacket *packet)
{
    const AVCodec *png = avcodec_find_encoder(AV_CODEC_ID_PNG);
    *encoder = png ? avcodec_alloc_context3(png) : NULL;
    if (!*encoder)
        return AVERROR(ENOMEM);
    (*encoder)->width = frame->width;
    (*encoder)->height = frame->height;
    (*encoder)->pix_fmt = frame->format;
    (*encoder)->time_base = (AVRational){1, 25};
    (*encoder)->thread_count = 1;
    int error = avcodec_open2(*encoder, png, NULL);
    if (error >= 0)
        error = avcodec_send_frame(*encoder, frame);
    return error < 0 ? error : avcodec_receive_packet(*encoder, packet);
}

static int write_png(int fd, const AVFrame *frame, sh_err *err)
{
    AVCodecContext *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    const int error = packet ? encode(&encoder, frame, packet) : AVERROR(ENOMEM);
    const int status = error < 0 ? sh_fail(err, SH_E_INTERNAL, "a picture of %dx%d cannot be made a PNG",
                                           frame->width, frame->height)
                                 : sh_fd_write(fd, packet->data, (size_t)packet->size, err);
    av_packet_free(&packet);
    avcodec_free_context(&encoder);
    return status;
}

int sh_preview_write(int fd, const AVFrame *before, const AVFrame *after, sh_preview_kind kind, sh_err *err)
{
    const AVRational sar = after->sample_aspect_ratio;
    int width = after->width, height = after->height;
    if (sar.num > sar.den && sar.den > 0)
        width = (int)av_rescale(width, sar.num, sar.den);
    else if (sar.num > 0 && sar.num < sar.den)
        height = (int)av_rescale(height, sar.den, sar.num);
    if (width > SIDE_MAX || height > SIDE_MAX)
        return sh_fail(err, SH_E_LIMIT, "a preview of %dx%d; at most %dx%d is made", width, height, SIDE_MAX,
                       SIDE_MAX);
    AVFrame *left = to_rgb(before, width, height, before->height);
    AVFrame *right = left ? to_rgb(after, width, height, before->height) : NULL;
    AVFrame *both = right ? compose(left, right, kind) : NULL;
    const int status = both ? write_png(fd, both, err)
                            : sh_fail(err, SH_E_MEMORY, "no memory for a preview of %dx%d", width, height);
    av_frame_free(&left);
    av_frame_free(&right);
    av_frame_free(&both);
    return status;
}
