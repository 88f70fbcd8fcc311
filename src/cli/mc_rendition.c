/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MediaConvert's video settings in the words of a ladder.
 *
 * QVBR is constant quality under a ceiling. Its levels 1 to 10 are laid on each encoder's scale such that
 * neighbours differ as much as AWS's do and level 7 to 8, what most jobs ask for, is what streams usually
 * have. */
#include "base/size.h"
#include "cli/mc_plan_inner.h"
#include "media/ladder_scale.h"

#include <string.h>

#define LEVEL 8 /* where the service is to choose */

static double crf_of(const sh_mc_video *v)
{
    double level = v->quality_level > 0 ? v->quality_level : LEVEL;
    return v->codec == SH_MC_H264   ? 37 - 2 * level
           : v->codec == SH_MC_H265 ? 39 - 2 * level
                                    : (int)(54 - 3 * level);
}

static void put_rate(sh_encoder_settings *to, const sh_mc_video *v, int64_t rate)
{
    to->rate_control = v->rate_control == SH_MC_RATE_QVBR  ? SH_ENCODER_QUALITY
                       : v->rate_control == SH_MC_RATE_CBR ? SH_ENCODER_CONSTANT
                                                           : SH_ENCODER_VARIABLE;
    to->crf = crf_of(v);
    to->bitrate = v->bitrate;
    to->max_bitrate = rate ? rate : v->max_bitrate;
    if (v->rate_control == SH_MC_RATE_CBR)
        to->max_bitrate = 0;
    if (v->rate_control == SH_MC_RATE_VBR && !to->max_bitrate)
        to->max_bitrate = v->bitrate + v->bitrate / 2;
    to->buffer_bits = v->hrd_buffer;
    to->buffer_fill = v->buffer_fill;
}

void sh_mc_rendition_video(sh_ladder_video *to, const sh_mc_video *from, int width, int height, int64_t rate)
{
    static const char *const encoders[] = {"libx264", "libx265", "libsvtav1"};
    static const char *const presets[][3] = {
        {"veryfast", "medium", "slow"}, {"superfast", "fast", "medium"}, {NULL, NULL, NULL}};
    sh_ladder_video_default(to);
    to->width = width;
    to->height = height;
    to->rate = (AVRational){from->rate_num, from->rate_den ? from->rate_den : 1};
    to->bits = from->bits;
    to->sdr = from->bits == 8;
    to->encoder.name = encoders[from->codec];
    to->encoder.preset = presets[from->codec][from->effort];
    put_rate(&to->encoder, from, rate);
    to->encoder.gop_frames = from->gop_frames;
    to->gop_seconds = from->gop_frames ? 0 : from->gop_seconds ? from->gop_seconds : 2;
    to->encoder.scene_keys = from->scene_cuts;
    to->encoder.b_frames = from->b_frames;
    to->encoder.references = from->references;
    to->encoder.profile = from->profile;
    to->encoder.level = from->level;
}

/* What levels hold, in luma samples of a picture and of a second: H.264's macroblocks (Table A-1) times 256;
 * H.265's MaxLumaPs and MaxLumaSr (Tables A.8 and A.9). */
static const struct level {
    const char *name;
    int64_t picture[2], second[2]; /* H.264, H.265 (0: it has no such level) */
} levels[] = {
    {"1", {25344, 36864}, {380160, 552960}},
    {"1.1", {101376, 0}, {768000, 0}},
    {"1.2", {101376, 0}, {1536000, 0}},
    {"1.3", {101376, 0}, {3041280, 0}},
    {"2", {101376, 122880}, {3041280, 3686400}},
    {"2.1", {202752, 245760}, {5068800, 7372800}},
    {"2.2", {414720, 0}, {5184000, 0}},
    {"3", {414720, 552960}, {10368000, 16588800}},
    {"3.1", {921600, 983040}, {27648000, 33177600}},
    {"3.2", {1310720, 0}, {55296000, 0}},
    {"4", {2097152, 2228224}, {62914560, 66846720}},
    {"4.1", {2097152, 2228224}, {62914560, 133693440}},
    {"4.2", {2228224, 0}, {133693440, 0}},
    {"5", {5652480, 8912896}, {150994944, 267386880}},
    {"5.1", {9437184, 8912896}, {251658240, 534773760}},
    {"5.2", {9437184, 8912896}, {530841600, 1069547520}},
    {"6", {35651584, 35651584}, {1069547520, 1069547520}},
    {"6.1", {35651584, 35651584}, {2139095040, 2139095040}},
    {"6.2", {35651584, 35651584}, {4278190080, 4278190080}},
};

int sh_mc_rendition_level(const sh_mc_video *from, int width, int height, double rate, sh_err *err)
{
    const int codec = from->codec == SH_MC_H265;
    const int64_t unit = codec ? 8 : 16;
    const int64_t area = (width + unit - 1) / unit * ((height + unit - 1) / unit) * unit * unit;
    const struct level *named = NULL;
    const char *least = NULL;
    if (!from->level || from->codec == SH_MC_AV1)
        return 0;
    for (size_t i = 0; i < SH_COUNT(levels); i++) {
        const struct level *l = &levels[i];
        named = strcmp(l->name, from->level) == 0 ? l : named;
        if (!least && area <= l->picture[codec] && (double)area * rate <= (double)l->second[codec])
            least = l->name;
    }
    if (!named || !named->picture[codec] ||
        (area <= named->picture[codec] && (double)area * rate <= (double)named->second[codec]))
        return 0;
    return sh_fail(err, SH_E_ARGUMENT,
                   "codecLevel: level %s has no room for %dx%d at %.3g frames a second; %s%s", from->level,
                   width, height, rate, least ? "AUTO takes level " : "no level has", least ? least : "");
}

int sh_mc_rendition_size(const sh_mc_source *source, int width, int height, int how, int *to_width,
                         int *to_height, int *scaling, sh_err *err)
{
    static const sh_scaling ways[] = {[SH_MC_SCALE_DEFAULT] = SH_SCALING_PAD,
                                      [SH_MC_SCALE_STRETCH] = SH_SCALING_STRETCH,
                                      [SH_MC_SCALE_FIT] = SH_SCALING_FIT,
                                      [SH_MC_SCALE_NO_UPSCALE] = SH_SCALING_FIT_NO_UPSCALE,
                                      [SH_MC_SCALE_FILL] = SH_SCALING_FILL};
    const AVRational sar = {source->sar_num, source->sar_den};
    sh_scale_layout layout;
    int status =
        sh_scale_lay_out(&layout, source->width, source->height, sar, width, height, ways[how], false, err);
    if (status < 0)
        return status;
    *to_width = layout.width;
    *to_height = layout.height;
    *scaling = how == SH_MC_SCALE_DEFAULT ? SH_LADDER_FIT
               : how == SH_MC_SCALE_FILL  ? SH_LADDER_FILL
                                          : SH_LADDER_STRETCH;
    return 0;
}
