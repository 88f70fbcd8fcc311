/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x265 in pieces and streams.
 *
 * Key pictures further apart than any piece is long, in closed groups: the first picture is the only IDR. The
 * pool and the frames in work are pinned: x265's decisions depend on how many frames are in work. A picture
 * smaller than a coding tree unit gets smaller units.
 *
 * A stream's key pictures are IDR without leading pictures. const-vbv: what a buffer leaves for a frame does
 * not depend on how far other threads have come (measured: without it the bytes change with two frames in
 * work). */
#include "media/encode_row.h"

#include <dlfcn.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>

#define FAR 1000000

static int frames_in_work(int threads)
{
    return threads >= 16 ? 4 : threads >= 8 ? 3 : threads >= 3 ? 2 : 1;
}

static void set_piece(AVCodecContext *codec, AVDictionary **own)
{
    codec->gop_size = FAR;
    codec->keyint_min = FAR / 2;
    av_dict_set_int(own, "keyint", FAR, 0);
    av_dict_set_int(own, "min-keyint", FAR / 2, 0);
}

static void set_stream(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own)
{
    char fill[32];
    snprintf(fill, sizeof(fill), "%.3f", sh_encoder_fill(settings));
    codec->gop_size = settings->gop_frames;
    codec->keyint_min = 1;
    av_dict_set_int(own, "keyint", settings->gop_frames, 0);
    if (!settings->scene_keys)
        av_dict_set(own, "scenecut", "0", 0);
    if (sh_encoder_ceiling(settings) > 0) {
        av_dict_set(own, "const-vbv", "1", 0);
        av_dict_set(own, "vbv-init", fill, 0);
    }
    if (settings->rate_control == SH_ENCODER_CONSTANT)
        av_dict_set(own, "strict-cbr", "1", 0);
    if (settings->delimiters)
        av_dict_set(own, "aud", "1", 0);
    av_dict_set(own, "info", "0", 0); /* two thousand bytes of words a segment */
    av_opt_set_int(codec->priv_data, "forced-idr", 1, 0);
}

static int configure(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own,
                     sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(settings->format);
    const int side = settings->width < settings->height ? settings->width : settings->height;
    av_opt_set(codec->priv_data, "preset", settings->preset, 0);
    if (settings->rate_control == SH_ENCODER_QUALITY)
        av_opt_set_double(codec->priv_data, "crf", settings->crf, 0);
    if (settings->profile)
        av_opt_set(codec->priv_data, "profile", settings->profile, 0);
    if (settings->level)
        av_dict_set(own, "level-idc", settings->level, 0);
    if (settings->gop_frames > 0)
        set_stream(codec, settings, own);
    else
        set_piece(codec, own);
    av_dict_set(own, "open-gop", "0", 0);
    av_dict_set(own, "repeat-headers", settings->global_header ? "0" : "1", 0);
    av_dict_set_int(own, "frame-threads", frames_in_work(settings->threads), 0);
    av_dict_set_int(own, "pools", settings->threads, 0);
    av_dict_set(own, "log-level", "error", 0);
    if (side < 64)
        av_dict_set(own, "ctu", side < 32 ? "16" : "32", 0);
    if (settings->siting > AVCHROMA_LOC_UNSPECIFIED && format->log2_chroma_h == 1)
        av_dict_set_int(own, "chromaloc", (int)settings->siting - 1, 0);
    return 0;
}

/* x265 pins its threads to nodes through libnuma, which reads files under /sys when it is first asked for a
 * node's processors, and keeps the answer. Confined it cannot read, and complains for each thread. libnuma
 * comes with x265; where it is not there nothing has to be done. */
void sh_encoder_before_confinement(void)
{
    int (*available)(void) = NULL, (*last)(void) = NULL, (*processors)(int, void *) = NULL;
    void *(*allocate)(void) = NULL;
    void (*release)(void *) = NULL;
    *(void **)&available = dlsym(RTLD_DEFAULT, "numa_available");
    *(void **)&last = dlsym(RTLD_DEFAULT, "numa_max_node");
    *(void **)&processors = dlsym(RTLD_DEFAULT, "numa_node_to_cpus");
    *(void **)&allocate = dlsym(RTLD_DEFAULT, "numa_allocate_cpumask");
    *(void **)&release = dlsym(RTLD_DEFAULT, "numa_bitmask_free");
    if (!available || !last || !processors || !allocate || !release || available() < 0)
        return;
    void *mask = allocate();
    for (int node = 0; mask && node <= last(); node++)
        processors(node, mask);
    if (mask)
        release(mask);
}

static void version(char *text, size_t size)
{
    sh_encoder_own_words("libx265", "x265 (build ", " - H.265", text, size);
}

const sh_encoder_row sh_encoder_x265 = {
    .info =
        {
            .name = "libx265",
            .title = "x265",
            .codec = AV_CODEC_ID_HEVC,
            .preset = "fast",
            .crf = 18,
            .crf_max = 51,
            .crf_name = "CRF",
            .width_min = 16,
            .height_min = 16,
            .side_max = 16384,
            .area_max = 35651584, /* level 6.2 */
            .reproducible = true,
        },
    .native = "x265-params",
    .configure = configure,
    .version = version,
};
