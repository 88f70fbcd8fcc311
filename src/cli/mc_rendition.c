/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MediaConvert's video settings in the words of a ladder.
 *
 * QVBR is constant quality under a ceiling. Its levels 1 to 10 are laid on each encoder's scale such that
 * neighbours differ as much as AWS's do and level 7 to 8, what most jobs ask for, is what streams usually
 * have. */
#include "base/size.h"
#include "cli/mc_plan_inner.h"
#include "media/ladder_scale.h"

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
