/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/image.h"
#include "base/file.h"
#include "base/size.h"
#include "media/avlog.h"
#include "media/media.h"
#include "media/picture.h"
#include "media/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char formats[] = "png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,tiff_pipe,ppm_pipe,pgm_pipe,pgmyuv_pipe,"
                              "pam_pipe,pbm_pipe,gif_pipe,gif";

bool sh_rgb_new(sh_rgb *image, int width, int height)
{
    size_t size;
    if (width < 1 || height < 1 || !sh_mul_size((size_t)width * 3, (size_t)height, &size))
        return false;
    uint8_t *data = calloc(size, 1);
    if (!data)
        return false;
    *image = (sh_rgb){data, width, height};
    return true;
}

void sh_rgb_free(sh_rgb *image)
{
    free(image->data);
    *image = (sh_rgb){0};
}

/* ---- from a decoded picture ---- */

static bool is_full(const AVFrame *frame)
{
    return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
           frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P;
}

static int table_of(const AVFrame *frame)
{
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709:
        return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M:
        return SWS_CS_SMPTE240M;
    case AVCOL_SPC_UNSPECIFIED:
        return frame->height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    default:
        return SWS_CS_ITU601;
    }
}

static int convert(const AVFrame *frame, enum AVPixelFormat to, uint8_t *data, int stride, sh_err *err)
{
    uint8_t *const out[4] = {data};
    const int strides[4] = {stride};
    const AVPixFmtDescriptor *from = av_pix_fmt_desc_get(frame->format);
    struct SwsContext *scaler = sws_getContext(
        frame->width, frame->height, frame->format, frame->width, frame->height, to,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!scaler)
        return sh_fail(err, SH_E_UNSUPPORTED, "libswscale cannot turn %s into %s",
                       from ? from->name : "unknown", av_get_pix_fmt_name(to));
    if (from && !(from->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)))
        sws_setColorspaceDetails(scaler, sws_getCoefficients(table_of(frame)), is_full(frame),
                                 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    int got = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, out,
                        strides);
    sws_freeContext(scaler);
    return got == frame->height ? 0 : sh_fail(err, SH_E_INTERNAL, "a picture cannot be converted");
}

static int to_rgb(sh_rgb *out, const AVFrame *frame, sh_err *err)
{
    sh_rgb image;
    if (!sh_rgb_new(&image, frame->width, frame->height))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int status = convert(frame, AV_PIX_FMT_RGB24, image.data, 3 * image.width, err);
    if (status < 0)
        sh_rgb_free(&image);
    else
        *out = image;
    return status;
}

static void luma_of_rgb(const sh_plane8 *out, const sh_rgb *in)
{
    for (size_t i = 0; i < (size_t)in->width * (size_t)in->height; i++) {
        const uint8_t *p = in->data + 3 * i;
        out->data[i] = (uint8_t)(16 + (65.481 * p[0] + 128.553 * p[1] + 24.966 * p[2]) / 255 + 0.5);
    }
}

/* As luma_of_rgb with three equal components: the same picture measures the same, whichever way its file
 * keeps it. */
static void luma_of_grey(const sh_plane8 *out, const AVFrame *frame)
{
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        uint8_t *to = out->data + (size_t)y * (size_t)out->width;
        for (int x = 0; x < out->width; x++)
            to[x] = (uint8_t)(16 + 219.0 * from[x] / 255 + 0.5);
    }
}

/* First plane of planar YUV; 8 bits. */
static void copy_plane(const sh_plane8 *out, const AVFrame *frame, int depth)
{
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        uint8_t *to = out->data + (size_t)y * (size_t)out->width;
        for (int x = 0; x < out->width; x++)
            to[x] =
                depth == 8 ? from[x] : (uint8_t)(((const uint16_t *)(const void *)from)[x] >> (depth - 8));
    }
}

static int luma_of(sh_plane8 *out, const AVFrame *frame, sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    const bool grey = format && format->nb_components < 3 && format->comp[0].depth == 8 &&
                      format->comp[0].step == 1 &&
                      !(format->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM));
    sh_rgb rgb = {0};
    sh_plane8 plane = {0};
    if (!sh_plane8_new(&plane, frame->width, frame->height))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int status = 0;
    if (grey)
        luma_of_grey(&plane, frame);
    else if ((status = to_rgb(&rgb, frame, err)) == 0)
        luma_of_rgb(&plane, &rgb);
    sh_rgb_free(&rgb);
    if (status < 0)
        sh_plane8_free(&plane);
    else
        *out = plane;
    return status;
}

/* ---- picture files ---- */

static int decode_first(AVFormatContext *format, AVFrame *frame, const char *name, sh_err *err)
{
    const AVCodec *codec = NULL;
    int track = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    AVCodecContext *decoder = track >= 0 && codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *packet = av_packet_alloc();
    int error = decoder && packet ? avcodec_parameters_to_context(decoder, format->streams[track]->codecpar)
                                  : AVERROR_DECODER_NOT_FOUND;
    if (error >= 0)
        error = avcodec_open2(decoder, codec, NULL);
    if (error >= 0)
        error = av_read_frame(format, packet);
    if (error >= 0)
        error = avcodec_send_packet(decoder, packet);
    if (error >= 0)
        error = avcodec_send_packet(decoder, NULL);
    if (error >= 0)
        error = avcodec_receive_frame(decoder, frame);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: the picture cannot be decoded", name) : 0;
}

static int open_picture(AVFormatContext **out, sh_fdio *io, int fd, const char *name, sh_err *err)
{
    int error = sh_fdio_open(io, fd, false);
    AVFormatContext *format = error >= 0 ? avformat_alloc_context() : NULL;
    if (!format)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    format->pb = io->context;
    format->io_open = sh_fdio_refuse;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->format_whitelist = av_strdup(formats);
    format->protocol_whitelist = av_strdup("");
    error = avformat_open_input(&format, NULL, NULL, NULL);
    if (error >= 0)
        error = avformat_find_stream_info(format, NULL);
    if (error < 0) {
        avformat_close_input(&format);
        return sh_av_fail(err, error, io, "%s: not a picture that can be read", name);
    }
    *out = format;
    return 0;
}

int sh_image_read_luma(sh_plane8 *out, const char *path, sh_err *err)
{
    char name[SH_SHOWN];
    sh_fdio io = {0};
    AVFormatContext *format = NULL;
    AVFrame *frame = av_frame_alloc();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    sh_shown_path(path, name);
    sh_avlog_quiet();
    int status = fd < 0   ? sh_fail_errno(err, errno, "%s", name)
                 : !frame ? sh_fail(err, SH_E_MEMORY, "memory is short")
                          : open_picture(&format, &io, fd, name, err);
    if (status == 0)
        status = decode_first(format, frame, name, err);
    if (status == 0)
        status = luma_of(out, frame, err);
    avformat_close_input(&format);
    sh_fdio_close(&io);
    av_frame_free(&frame);
    if (fd >= 0)
        close(fd);
    return status;
}

/* ---- a frame of a video ---- */

static int read_frame(AVFrame *frame, sh_source *source, int64_t number, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int what = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (what >= 0 && what != SH_SOURCE_END) {
        what = sh_source_next(source, frame, packet, err);
        if (what == SH_SOURCE_FRAME && number-- == 0)
            break;
        if (what == SH_SOURCE_FRAME)
            av_frame_unref(frame);
        if (what == SH_SOURCE_PACKET)
            av_packet_unref(packet);
    }
    av_packet_free(&packet);
    if (what == SH_SOURCE_END)
        return sh_fail(err, SH_E_ARGUMENT, "%s: has only %" PRId64 " frames", source->name, source->frames);
    return what < 0 ? what : 0;
}

static int copy_luma(sh_plane8 *out, const AVFrame *frame, sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    if (!format || format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL) ||
        !(format->flags & AV_PIX_FMT_FLAG_PLANAR))
        return luma_of(out, frame, err);
    if (!sh_plane8_new(out, frame->width, frame->height))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    copy_plane(out, frame, format->comp[0].depth);
    return 0;
}

static int double_frame(sh_video_frame *out, const AVFrame *frame, sh_err *err)
{
    sh_picture_scaler scaler = {0};
    AVFrame *twice = NULL;
    int status = sh_picture_plan_make(&scaler.plan, frame, 2, err);
    if (status == 0)
        status = sh_picture_scaler_open(&scaler, NULL, NULL, err);
    if (status == 0)
        status = sh_picture_upscale(&scaler, frame, &twice, err);
    if (status == 0)
        status = to_rgb(&out->doubled, twice, err);
    if (status == 0)
        status = copy_luma(&out->doubled_luma, twice, err);
    av_frame_free(&twice);
    sh_picture_scaler_close(&scaler);
    return status;
}

int sh_video_frame_read(sh_video_frame *out, const char *path, int64_t number, bool doubled, sh_err *err)
{
    char name[SH_SHOWN];
    sh_video_frame got = {0};
    sh_source source = {.name = sh_shown_path(path, name), .channel = -1, .accept_damage = true};
    AVFrame *frame = av_frame_alloc();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    sh_avlog_quiet();
    int status = fd < 0   ? sh_fail_errno(err, errno, "%s", name)
                 : !frame ? sh_fail(err, SH_E_MEMORY, "memory is short")
                          : sh_source_open(&source, fd, 0, err);
    if (status == 0)
        status = read_frame(frame, &source, number, err);
    if (status == 0)
        status = to_rgb(&got.rgb, frame, err);
    if (status == 0)
        status = copy_luma(&got.luma, frame, err);
    if (status == 0 && doubled)
        status = double_frame(&got, frame, err);
    sh_source_close(&source);
    av_frame_free(&frame);
    if (fd >= 0)
        close(fd);
    if (status < 0)
        sh_video_frame_free(&got);
    else
        *out = got;
    return status;
}

void sh_video_frame_free(sh_video_frame *frame)
{
    sh_plane8_free(&frame->luma);
    sh_plane8_free(&frame->doubled_luma);
    sh_rgb_free(&frame->rgb);
    sh_rgb_free(&frame->doubled);
}

/* ---- writing ---- */

static int encode_png(AVPacket *packet, AVFrame *frame, AVCodecContext *encoder, const AVCodec *codec)
{
    encoder->width = frame->width;
    encoder->height = frame->height;
    encoder->pix_fmt = AV_PIX_FMT_RGB24;
    encoder->time_base = (AVRational){1, 25};
    encoder->compression_level = 9;
    int error = avcodec_open2(encoder, codec, NULL);
    if (error >= 0)
        error = avcodec_send_frame(encoder, frame);
    if (error >= 0)
        error = avcodec_send_frame(encoder, NULL);
    return error >= 0 ? avcodec_receive_packet(encoder, packet) : error;
}

int sh_png_write(const char *path, const sh_rgb *image, sh_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int error = AVERROR(ENOMEM);
    if (encoder && frame && packet) {
        frame->width = image->width;
        frame->height = image->height;
        frame->format = AV_PIX_FMT_RGB24;
        error = av_frame_get_buffer(frame, 0);
        for (int y = 0; error >= 0 && y < image->height; y++)
            memcpy(frame->data[0] + (ptrdiff_t)y * frame->linesize[0],
                   image->data + (size_t)y * (size_t)image->width * 3, (size_t)image->width * 3);
        if (error >= 0)
            error = encode_png(packet, frame, encoder, codec);
    }
    int status = error < 0 ? sh_av_fail(err, error, NULL, "%s: PNG", path)
                           : sh_file_replace(path, packet->data, (size_t)packet->size, 0644, err);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return status;
}
