/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x264 for streams, whose segments are cut at key pictures of one encoder; pieces have encode.h. */
#include "media/h264.h"
#include "base/buf.h"
#include "media/encode_row.h"
#include "media/source.h"

#include <inttypes.h>
#include <libavutil/opt.h>

void sh_h264_defaults(sh_h264_settings *settings)
{
    *settings = (sh_h264_settings){
        .format = AV_PIX_FMT_YUV420P,
        .rate = {0, 1},
        .sar = {0, 1},
        .primaries = AVCOL_PRI_UNSPECIFIED,
        .transfer = AVCOL_TRC_UNSPECIFIED,
        .matrix = AVCOL_SPC_UNSPECIFIED,
        .preset = "veryfast",
        .crf = 17,
        .scene_cuts = true,
        .b_frames = -1,
        .references = -1,
    };
}

static void set_tags(AVCodecContext *encoder, const sh_h264_settings *settings)
{
    const sh_encoder_settings tags = {.width = settings->width,
                                      .height = settings->height,
                                      .format = settings->format,
                                      .time_base = settings->time_base,
                                      .rate = settings->rate,
                                      .sar = settings->sar,
                                      .range = settings->range,
                                      .primaries = settings->primaries,
                                      .transfer = settings->transfer,
                                      .matrix = settings->matrix,
                                      .siting = settings->siting,
                                      .threads = settings->threads,
                                      .global_header = settings->global_header};
    sh_codec_tags(encoder, &tags);
}

static void set_rate(AVCodecContext *encoder, const sh_h264_settings *settings)
{
    if (settings->crf >= 0)
        av_opt_set_double(encoder->priv_data, "crf", settings->crf, 0);
    else
        encoder->bit_rate = settings->bitrate;
    encoder->rc_max_rate = settings->max_bitrate;
    encoder->rc_buffer_size = (int)(settings->buffer_bits < INT_MAX ? settings->buffer_bits : INT_MAX);
    if (settings->gop > 0)
        encoder->gop_size = settings->gop;
    if (settings->b_frames >= 0)
        encoder->max_b_frames = settings->b_frames;
    if (settings->references > 0)
        encoder->refs = settings->references;
}

/* Closed GOPs always: a key picture is a place to start, whatever a preset says. */
static void set_parameters(AVCodecContext *encoder, const sh_h264_settings *settings)
{
    sh_buf text;
    sh_buf_init(&text, 512);
    sh_buf_puts(&text, "open-gop=0");
    if (settings->siting > AVCHROMA_LOC_UNSPECIFIED && settings->format != AV_PIX_FMT_GRAY8)
        sh_buf_printf(&text, ":chromaloc=%d", (int)settings->siting - 1);
    if (!settings->scene_cuts)
        sh_buf_puts(&text, ":scenecut=0");
    if (settings->constant)
        sh_buf_puts(&text, ":nal-hrd=cbr");
    av_opt_set(encoder->priv_data, "x264-params", sh_buf_cstr(&text), 0);
    sh_buf_free(&text);
    av_opt_set(encoder->priv_data, "preset", settings->preset, 0);
    av_opt_set_int(encoder->priv_data, "forced-idr", 1, 0);
    if (settings->profile)
        av_opt_set(encoder->priv_data, "profile", settings->profile, 0);
    if (settings->level)
        av_opt_set(encoder->priv_data, "level", settings->level, 0);
    if (settings->access_unit_delimiters)
        av_opt_set_int(encoder->priv_data, "aud", 1, 0);
}

int sh_h264_open(AVCodecContext **out, const sh_h264_settings *settings, sh_err *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!encoder)
        return sh_fail(err, codec ? SH_E_MEMORY : SH_E_UNSUPPORTED,
                       codec ? "memory is short" : "this libavcodec is built without libx264");
    set_tags(encoder, settings);
    set_rate(encoder, settings);
    set_parameters(encoder, settings);
    int error = avcodec_open2(encoder, codec, NULL);
    if (error < 0) {
        avcodec_free_context(&encoder);
        return sh_av_fail(err, error, NULL, "x264 refuses %dx%d with preset %s", settings->width,
                          settings->height, settings->preset);
    }
    *out = encoder;
    return 0;
}
