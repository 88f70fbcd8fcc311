/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x264 in pieces and streams.
 *
 * keyint and min-keyint without end: the first picture is the only IDR, and a change of scene becomes an I
 * picture. cpu-independent: the same bytes by C and by every instruction set. stitchable: parameter sets do
 * not depend on what the encoder has seen. Captions and mastering data are ours (sei.h), not the wrapper's.
 *
 * A stream has key pictures at most gop_frames apart, counted from each; one that is asked for is an IDR. A
 * constant rate is filled up with NAL units of their own, and its buffer stands in the headers (HRD). */
#include "media/encode_row.h"

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#define FAR (1 << 29) /* half of what "infinite" stands for: the most that is taken */

static void set_stream(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own)
{
    av_dict_set_int(own, "keyint", settings->gop_frames, 0);
    if (!settings->scene_keys)
        av_dict_set(own, "scenecut", "0", 0);
    if (settings->rate_control == SH_ENCODER_CONSTANT)
        av_dict_set(own, "nal-hrd", "cbr", 0);
    if (settings->fixed_rate)
        av_dict_set(own, "force-cfr", "1", 0);
    av_opt_set_int(codec->priv_data, "forced-idr", 1, 0);
    if (settings->delimiters)
        av_opt_set_int(codec->priv_data, "aud", 1, 0);
}

static int configure(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own,
                     sh_err *err)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(settings->format);
    av_opt_set(codec->priv_data, "preset", settings->preset, 0);
    if (settings->rate_control == SH_ENCODER_QUALITY)
        av_opt_set_double(codec->priv_data, "crf", settings->crf, 0);
    if (settings->profile)
        av_opt_set(codec->priv_data, "profile", settings->profile, 0);
    if (settings->level)
        av_opt_set(codec->priv_data, "level", settings->level, 0);
    av_opt_set_int(codec->priv_data, "a53cc", 0, 0);
    if (settings->gop_frames > 0) {
        set_stream(codec, settings, own);
    } else {
        av_dict_set(own, "keyint", "infinite", 0);
        av_dict_set_int(own, "min-keyint", FAR, 0);
    }
    av_dict_set(own, "open-gop", "0", 0);
    av_dict_set(own, "cpu-independent", "1", 0);
    av_dict_set(own, "stitchable", "1", 0);
    if (settings->siting > AVCHROMA_LOC_UNSPECIFIED && format->log2_chroma_h == 1)
        av_dict_set_int(own, "chromaloc", (int)settings->siting - 1, 0);
    return 0;
}

static void version(char *text, size_t size)
{
    sh_encoder_own_words("libx264", "x264 - core ", " - H.264", text, size);
}

const sh_encoder_row sh_encoder_x264 = {
    .info =
        {
            .name = "libx264",
            .title = "x264",
            .codec = AV_CODEC_ID_H264,
            .preset = "veryfast",
            .crf = 17,
            .crf_max = 51,
            .crf_name = "CRF",
            .width_min = 2,
            .height_min = 2,
            .side_max = 16384,
            .area_max = INT64_C(139264) * 256, /* level 6.2 */
            .reproducible = true,
        },
    .native = "x264-params",
    .configure = configure,
    .version = version,
};
