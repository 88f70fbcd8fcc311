/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SVT-AV1 in pieces and streams.
 *
 * It ignores key pictures that are asked for, so the group has no end and each piece an encoder of its own.
 * lp is pinned. In a stream it makes key pictures every gop_frames from its own beginning, and encode.c
 * begins it anew where others are wanted. A constant rate allows no pictures of later frames (pred-struct 1).
 * Its banner goes to standard error unless the environment says otherwise before it is opened.
 */
#include "media/encode_row.h"

#include <dlfcn.h>
#include <libavutil/opt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX 240

static void be_quiet(void)
{
    setenv("SVT_LOG", "1", 0); /* errors only */
}

static int set_level(AVCodecContext *codec, const char *level, sh_err *err)
{
    if (level[0] < '2' || level[0] > '7' ||
        (level[1] && (level[1] != '.' || level[2] < '0' || level[2] > '3' || level[3])))
        return sh_fail(err, SH_E_ARGUMENT, "AV1 has no level \"%.20s\"; it has 2.0 to 7.3", level);
    codec->level = 10 * (level[0] - '0') + (level[1] ? level[2] - '0' : 0);
    return 0;
}

static void set_stream(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own)
{
    const int64_t ceiling = settings->rate_control == SH_ENCODER_CONSTANT ? 0 : settings->max_bitrate;
    codec->gop_size = settings->gop_frames;
    codec->bit_rate = codec->rc_max_rate = codec->rc_min_rate = 0;
    codec->rc_buffer_size = codec->rc_initial_buffer_occupancy = 0;
    av_dict_set_int(own, "keyint", settings->gop_frames, 0);
    if (settings->rate_control != SH_ENCODER_QUALITY) {
        av_dict_set_int(own, "rc", settings->rate_control == SH_ENCODER_CONSTANT ? 2 : 1, 0);
        av_dict_set_int(own, "tbr", (settings->bitrate + 999) / 1000, 0);
    }
    if (settings->rate_control == SH_ENCODER_CONSTANT)
        av_dict_set_int(own, "pred-struct", 1, 0);
    if (ceiling > 0)
        av_dict_set_int(own, "mbr", (ceiling + 999) / 1000, 0);
}

static int configure(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own,
                     sh_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, be_quiet);
    if (codec->framerate.num > RATE_MAX * (int64_t)codec->framerate.den)
        codec->framerate = (AVRational){RATE_MAX, 1};
    if (codec->framerate.num < codec->framerate.den)
        codec->framerate = (AVRational){1, 1};
    av_opt_set(codec->priv_data, "preset", settings->preset, 0);
    if (settings->rate_control == SH_ENCODER_QUALITY)
        av_opt_set_int(codec->priv_data, "crf", (int64_t)settings->crf, 0);
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    if (settings->gop_frames > 0)
        set_stream(codec, settings, own);
    else
        av_dict_set(own, "keyint", "-1", 0);
    av_dict_set(own, "irefresh-type", "2", 0);
    av_dict_set_int(own, "lp", settings->threads, 0);
    if (settings->gop_frames == 1)
        return sh_fail(err, SH_E_ARGUMENT,
                       "SVT-AV1 makes no stream of key frames alone; from 2 frames apart it does");
    if (settings->profile && strcmp(settings->profile, "main") != 0)
        return sh_fail(err, SH_E_ARGUMENT, "SVT-AV1 has no profile \"%.20s\"; it has main",
                       settings->profile);
    return settings->level ? set_level(codec, settings->level, err) : 0;
}

static void version(char *text, size_t size)
{
    const char *(*ask)(void) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "svt_av1_get_version");
    if (symbol)
        *(void **)&ask = symbol;
    snprintf(text, size, "SVT-AV1 %s", ask ? ask() : "");
}

const sh_encoder_row sh_encoder_svtav1 = {
    .info =
        {
            .name = "libsvtav1",
            .title = "SVT-AV1",
            .codec = AV_CODEC_ID_AV1,
            .preset = "8",
            .crf = 20,
            .crf_min = 1,
            .crf_max = 63,
            .crf_whole = true,
            .crf_name = "CRF",
            .width_min = 64,
            .height_min = 64,
            .side_max = 16384,
            .area_max = INT64_C(16384) * 8704,
            .reproducible = true,
        },
    .native = "svtav1-params",
    .configure = configure,
    .must_end = true,
    .grid = true,
    .version = version,
};
