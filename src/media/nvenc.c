/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NVENC in pieces and streams: H.264 and HEVC by the graphics card.
 *
 * Closed groups and one IDR as with the others, but no promise of bytes: they may change with driver and
 * card. It needs devices and a large address space, hence a process that is not confined. Planar 10 bits
 * become P010, which holds the same samples in another order. */
#include "media/encode_row.h"

#include <libavcodec/bsf.h>
#include <libavutil/opt.h>
#include <limits.h>
#include <stdio.h>

static int configure(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own,
                     sh_err *err)
{
    codec->pix_fmt = sh_nvenc_format(settings->format);
    const bool constant = settings->rate_control == SH_ENCODER_CONSTANT;
    codec->gop_size = settings->gop_frames > 0 ? settings->gop_frames : INT_MAX;
    if (settings->rate_control == SH_ENCODER_QUALITY) {
        codec->bit_rate = 0;
        av_opt_set_double(codec->priv_data, "cq", settings->crf, 0);
    }
    if (settings->profile)
        av_opt_set(codec->priv_data, "profile", settings->profile, 0);
    if (settings->level)
        av_opt_set(codec->priv_data, "level", settings->level, 0);
    if (settings->delimiters)
        av_opt_set_int(codec->priv_data, "aud", 1, 0);
    av_opt_set(codec->priv_data, "preset", settings->preset, 0);
    av_opt_set(codec->priv_data, "rc", constant ? "cbr" : "vbr", 0);
    av_opt_set_int(codec->priv_data, "no-scenecut", 1, 0);
    av_opt_set_int(codec->priv_data, "forced-idr", 1, 0);
    av_opt_set_int(codec->priv_data, "a53cc", 0, 0);
    return 0;
}

static void version(char *text, size_t size)
{
    text[0] = '\0';
}

enum AVPixelFormat sh_nvenc_format(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUV420P10 ? AV_PIX_FMT_P010 : format;
}

static void plane_to_high_bits(const AVFrame *from, AVFrame *to)
{
    for (int y = 0; y < from->height; y++) {
        const uint16_t *in = (const uint16_t *)(from->data[0] + (ptrdiff_t)y * from->linesize[0]);
        uint16_t *out = (uint16_t *)(to->data[0] + (ptrdiff_t)y * to->linesize[0]);
        for (int x = 0; x < from->width; x++)
            out[x] = (uint16_t)(in[x] << 6);
    }
    for (int y = 0; y < (from->height + 1) / 2; y++) {
        const uint16_t *u = (const uint16_t *)(from->data[1] + (ptrdiff_t)y * from->linesize[1]);
        const uint16_t *v = (const uint16_t *)(from->data[2] + (ptrdiff_t)y * from->linesize[2]);
        uint16_t *out = (uint16_t *)(to->data[1] + (ptrdiff_t)y * to->linesize[1]);
        for (int x = 0; x < (from->width + 1) / 2; x++) {
            out[2 * x] = (uint16_t)(u[x] << 6);
            out[2 * x + 1] = (uint16_t)(v[x] << 6);
        }
    }
}

int sh_nvenc_convert(AVFrame *frame)
{
    AVFrame *high = av_frame_alloc();
    if (!high)
        return SH_E_MEMORY;
    high->format = AV_PIX_FMT_P010;
    high->width = frame->width;
    high->height = frame->height;
    if (av_frame_get_buffer(high, 0) < 0 || av_frame_copy_props(high, frame) < 0) {
        av_frame_free(&high);
        return SH_E_MEMORY;
    }
    plane_to_high_bits(frame, high);
    av_frame_unref(frame);
    av_frame_move_ref(frame, high);
    av_frame_free(&high);
    return 0;
}

int sh_nvenc_tell_siting(AVCodecParameters *parameters, enum AVChromaLocation siting, sh_err *err)
{
    const bool hevc = parameters->codec_id == AV_CODEC_ID_HEVC;
    const AVBitStreamFilter *filter = av_bsf_get_by_name(hevc ? "hevc_metadata" : "h264_metadata");
    AVBSFContext *bsf = NULL;
    int status = SH_E_UNSUPPORTED;
    if (!filter)
        return sh_fail(err, status,
                       "this libavcodec is built without the filter that tells the chroma location");
    if (av_bsf_alloc(filter, &bsf) >= 0 && avcodec_parameters_copy(bsf->par_in, parameters) >= 0 &&
        av_opt_set_int(bsf->priv_data, "chroma_sample_loc_type", (int)siting - 1, 0) >= 0 &&
        av_bsf_init(bsf) >= 0 && avcodec_parameters_copy(parameters, bsf->par_out) >= 0)
        status = 0;
    av_bsf_free(&bsf);
    return status < 0 ? sh_fail(err, status, "the chroma location cannot be told in this stream's headers")
                      : 0;
}

#define NVENC(which, words, id, side)                                                                        \
    {                                                                                                        \
        .info = {.name = which,                                                                              \
                 .title = words,                                                                             \
                 .codec = id,                                                                                \
                 .preset = "p5",                                                                             \
                 .crf = 19,                                                                                  \
                 .crf_min = 1,                                                                               \
                 .crf_max = 51,                                                                              \
                 .crf_name = "CQ",                                                                           \
                 .width_min = 160,                                                                           \
                 .height_min = 64,                                                                           \
                 .side_max = side,                                                                           \
                 .area_max = INT64_C(side) * side,                                                           \
                 .hardware = true},                                                                          \
        .configure = configure, .version = version                                                           \
    }

const sh_encoder_row sh_encoder_h264_nvenc = NVENC("h264_nvenc", "NVENC (H.264)", AV_CODEC_ID_H264, 4096);
const sh_encoder_row sh_encoder_hevc_nvenc = NVENC("hevc_nvenc", "NVENC (HEVC)", AV_CODEC_ID_HEVC, 8192);
