/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SVT-AV1 in pieces.
 *
 * It ignores key pictures that are asked for, so the group has no end and each piece an encoder of its own.
 * lp is pinned. Its banner goes to standard error unless the environment says otherwise before it is opened.
 */
#include "media/encode_row.h"

#include <dlfcn.h>
#include <libavutil/opt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define RATE_MAX 240

static void be_quiet(void)
{
    setenv("SVT_LOG", "1", 0); /* errors only */
}

static int configure(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, be_quiet);
    if (codec->framerate.num > RATE_MAX * (int64_t)codec->framerate.den)
        codec->framerate = (AVRational){RATE_MAX, 1};
    if (codec->framerate.num < codec->framerate.den)
        codec->framerate = (AVRational){1, 1};
    av_opt_set(codec->priv_data, "preset", settings->preset, 0);
    av_opt_set_int(codec->priv_data, "crf", (int64_t)settings->crf, 0);
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    av_dict_set(own, "keyint", "-1", 0);
    av_dict_set(own, "irefresh-type", "2", 0);
    av_dict_set_int(own, "lp", settings->threads, 0);
    return 0;
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
    .version = version,
};
