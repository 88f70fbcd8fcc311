/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Video descriptions: size, codec, rate, groups of pictures. */
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- size ---- */

static int scaling_of(const json_t *video)
{
    return sh_mc_is(video, "scalingBehavior", "STRETCH_TO_OUTPUT") ? SH_MC_SCALE_STRETCH
           : sh_mc_is(video, "scalingBehavior", "FIT")             ? SH_MC_SCALE_FIT
           : sh_mc_is(video, "scalingBehavior", "FIT_NO_UPSCALE")  ? SH_MC_SCALE_NO_UPSCALE
           : sh_mc_is(video, "scalingBehavior", "FILL")            ? SH_MC_SCALE_FILL
                                                                   : SH_MC_SCALE_DEFAULT;
}

static int read_size(const json_t *video, const char *at, int *width, int *height, sh_err *err)
{
    *width = (int)sh_mc_number_of(video, "width", 0);
    *height = (int)sh_mc_number_of(video, "height", 0);
    if (*width % 2 || *height % 2)
        return sh_fail(err, SH_E_ARGUMENT, "%s/%s: must be even", at, *width % 2 ? "width" : "height");
    return 0;
}

/* ---- rate control ---- */

static int read_rate(sh_mc_video *v, const json_t *codec, const char *at, sh_err *err)
{
    const char *otherwise = v->codec == SH_MC_AV1 ? "QVBR" : "VBR";
    const char *mode = sh_mc_text_of(codec, "rateControlMode", otherwise);
    v->rate_control = strcmp(mode, "QVBR") == 0  ? SH_MC_RATE_QVBR
                      : strcmp(mode, "CBR") == 0 ? SH_MC_RATE_CBR
                                                 : SH_MC_RATE_VBR;
    v->bitrate = (int64_t)sh_mc_number_of(codec, "bitrate", 0);
    v->max_bitrate = (int64_t)sh_mc_number_of(codec, "maxBitrate", 0);
    v->hrd_buffer = (int64_t)sh_mc_number_of(codec, "hrdBufferSize", 0);
    v->buffer_fill = sh_mc_number_of(codec, "hrdBufferInitialFillPercentage", 0) / 100;
    v->quality_level = sh_mc_number_of(codec, "qvbrSettings.qvbrQualityLevel", 0);
    if (v->quality_level > 0)
        v->quality_level += sh_mc_number_of(codec, "qvbrSettings.qvbrQualityLevelFineTune", 0);
    if (v->quality_level > 10)
        return sh_fail(err, SH_E_ARGUMENT, "%s/qvbrSettings/qvbrQualityLevelFineTune: the level is above 10",
                       at);
    if (v->rate_control != SH_MC_RATE_QVBR && !v->bitrate)
        return sh_mc_missing(err, at, sh_mc_get(codec, "rateControlMode") ? "bitrate" : "rateControlMode");
    if (v->rate_control != SH_MC_RATE_QVBR && sh_mc_get(codec, "qvbrSettings"))
        return sh_fail(err, SH_E_ARGUMENT, "%s/qvbrSettings: goes with rateControlMode QVBR alone", at);
    if (v->rate_control == SH_MC_RATE_VBR && v->max_bitrate && v->max_bitrate < v->bitrate)
        return sh_fail(err, SH_E_ARGUMENT, "%s/maxBitrate: is below bitrate", at);
    return 0;
}

/* ---- frames and groups ---- */

static int read_frames(sh_mc_video *v, const json_t *codec, const char *at, sh_err *err)
{
    double num = sh_mc_number_of(codec, "framerateNumerator", 0);
    double den = sh_mc_number_of(codec, "framerateDenominator", 0);
    if (!sh_mc_is(codec, "framerateControl", "SPECIFIED"))
        return 0;
    if (num == 0)
        return sh_mc_missing(err, at, "framerateNumerator");
    if (den == 0)
        return sh_mc_missing(err, at, "framerateDenominator");
    if (num / den < 1 || num / den > 240)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/framerateNumerator: %g/%g is not between 1 and 240 frames a second", at, num, den);
    v->rate_num = (int)num;
    v->rate_den = (int)den;
    return 0;
}

static int read_gop(sh_mc_video *v, const json_t *codec, const char *at, sh_err *err)
{
    double size = sh_mc_number_of(codec, "gopSize", 0);
    if (sh_mc_get(codec, "gopClosedCadence") && sh_mc_number_of(codec, "gopClosedCadence", 1) == 0)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s/gopClosedCadence: 0 is not supported here: every group of pictures is closed", at);
    if (sh_mc_is(codec, "gopSizeUnits", "AUTO"))
        return 0;
    if (sh_mc_is(codec, "gopSizeUnits", "SECONDS")) {
        v->gop_seconds = size;
    } else {
        if (size != floor(size))
            return sh_fail(err, SH_E_ARGUMENT, "%s/gopSize: %g is no whole number of frames", at, size);
        v->gop_frames = (int)size;
    }
    if (v->gop_seconds > 60)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s/gopSize: %g s; at most 60 s are supported", at, size);
    return 0;
}

static int check_shape(const json_t *codec, const char *at, sh_err *err)
{
    if (sh_mc_is(codec, "parControl", "SPECIFIED") &&
        sh_mc_number_of(codec, "parNumerator", 1) != sh_mc_number_of(codec, "parDenominator", 1))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s/parNumerator: pixels that are not square are not supported here", at);
    return 0;
}

/* ---- profile and level ---- */

/* "LEVEL_4_1" -> "4.1" */
static const char *level_of(const json_t *codec)
{
    static const char *const levels[][2] = {
        {"LEVEL_1", "1"},     {"LEVEL_1_1", "1.1"}, {"LEVEL_1_2", "1.2"}, {"LEVEL_1_3", "1.3"},
        {"LEVEL_2", "2"},     {"LEVEL_2_1", "2.1"}, {"LEVEL_2_2", "2.2"}, {"LEVEL_3", "3"},
        {"LEVEL_3_1", "3.1"}, {"LEVEL_3_2", "3.2"}, {"LEVEL_4", "4"},     {"LEVEL_4_1", "4.1"},
        {"LEVEL_4_2", "4.2"}, {"LEVEL_5", "5"},     {"LEVEL_5_1", "5.1"}, {"LEVEL_5_2", "5.2"},
        {"LEVEL_6", "6"},     {"LEVEL_6_1", "6.1"}, {"LEVEL_6_2", "6.2"},
    };
    for (size_t i = 0; i < SH_COUNT(levels); i++)
        if (sh_mc_is(codec, "codecLevel", levels[i][0]))
            return levels[i][1];
    return NULL;
}

static void read_profile(sh_mc_video *v, const json_t *codec)
{
    const char *word = sh_mc_text_of(codec, "codecProfile", "");
    v->level = level_of(codec);
    if (v->codec == SH_MC_H264) {
        v->profile = strcmp(word, "BASELINE") == 0 ? "baseline" : strcmp(word, "HIGH") == 0 ? "high" : "main";
        v->bits = 8;
    } else if (v->codec == SH_MC_H265) {
        v->bits = strncmp(word, "MAIN10", 6) == 0 ? 10 : 8;
        v->profile = v->bits == 10 ? "main10" : "main";
    } else {
        v->bits = sh_mc_is(codec, "bitDepth", "BIT_10") ? 10 : sh_mc_get(codec, "bitDepth") ? 8 : 0;
    }
}

/* ---- one codec ---- */

static int read_codec(sh_mc_video *v, const json_t *codec, const char *at, sh_err *err)
{
    int status = read_rate(v, codec, at, err);
    if (status == 0)
        status = read_frames(v, codec, at, err);
    if (status == 0)
        status = read_gop(v, codec, at, err);
    if (status == 0)
        status = check_shape(codec, at, err);
    v->scene_cuts = !sh_mc_is(codec, "sceneChangeDetect", "DISABLED") && v->codec != SH_MC_AV1;
    v->b_frames =
        v->codec == SH_MC_AV1 ? -1 : (int)sh_mc_number_of(codec, "numberBFramesBetweenReferenceFrames", -1);
    v->references = (int)sh_mc_number_of(codec, "numberReferenceFrames", -1);
    v->effort = sh_mc_is(codec, "qualityTuningLevel", "MULTI_PASS_HQ")    ? SH_MC_BEST
                : sh_mc_is(codec, "qualityTuningLevel", "SINGLE_PASS_HQ") ? SH_MC_GOOD
                                                                          : SH_MC_FAST;
    read_profile(v, codec);
    if (v->profile && strcmp(v->profile, "baseline") == 0) {
        if (v->b_frames > 0)
            return status < 0
                       ? status
                       : sh_fail(err, SH_E_ARGUMENT,
                                 "%s/numberBFramesBetweenReferenceFrames: the BASELINE profile has none", at);
        v->b_frames = 0;
    }
    return status;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_video(const sh_mc_video *a, const sh_mc_video *b)
{
    return a->codec == b->codec && a->width == b->width && a->height == b->height &&
           a->scaling == b->scaling && a->rate_control == b->rate_control && a->effort == b->effort &&
           a->bitrate == b->bitrate && a->max_bitrate == b->max_bitrate && a->hrd_buffer == b->hrd_buffer &&
           a->buffer_fill == b->buffer_fill && a->quality_level == b->quality_level &&
           a->gop_seconds == b->gop_seconds && a->gop_frames == b->gop_frames &&
           a->scene_cuts == b->scene_cuts && a->b_frames == b->b_frames && a->references == b->references &&
           a->bits == b->bits && a->rate_num == b->rate_num && a->rate_den == b->rate_den &&
           same(a->profile, b->profile) && same(a->level, b->level);
}

static int keep_video(sh_mc_job *job, const sh_mc_video *v, const char *at, int *index, sh_err *err)
{
    size_t i = 0;
    while (i < job->video_count && !same_video(&job->videos[i], v))
        i++;
    if (i == SH_MC_VIDEOS)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: is the job's %dth different video; %d are supported", at,
                       SH_MC_VIDEOS + 1, SH_MC_VIDEOS);
    job->videos[i] = *v;
    job->video_count = i == job->video_count ? i + 1 : job->video_count;
    *index = (int)i;
    return 0;
}

int sh_mc_read_video(sh_mc_job *job, const json_t *video, bool automatic, const char *at, int *index,
                     sh_err *err)
{
    static const char *const members[] = {"h264Settings", "h265Settings", "av1Settings"};
    sh_mc_video v = {0};
    char path[SH_MC_PATH];
    v.codec = sh_mc_is(video, "codecSettings.codec", "H_265") ? SH_MC_H265
              : sh_mc_is(video, "codecSettings.codec", "AV1") ? SH_MC_AV1
                                                              : SH_MC_H264;
    sh_mc_at(path, "%s/codecSettings", at);
    const json_t *codec = sh_mc_get(sh_mc_get(video, "codecSettings"), members[v.codec]);
    if (!codec)
        return sh_mc_missing(err, path, members[v.codec]);
    sh_mc_at(path, "%s/codecSettings/%s", at, members[v.codec]);
    v.scaling = scaling_of(video);
    int status = read_size(video, at, &v.width, &v.height, err);
    if (status == 0)
        status = read_codec(&v, codec, path, err);
    if (status == 0 && v.rate_control == SH_MC_RATE_QVBR && !v.max_bitrate && !automatic)
        status = sh_mc_missing(err, path, "maxBitrate");
    return status == 0 ? keep_video(job, &v, at, index, err) : status;
}

int sh_mc_read_capture(sh_mc_job *job, const json_t *video, const char *at, int *index, sh_err *err)
{
    const json_t *settings = sh_mc_dig(video, "codecSettings.frameCaptureSettings");
    sh_mc_capture c = {.scaling = scaling_of(video),
                       .rate_num = (int)sh_mc_number_of(settings, "framerateNumerator", 1),
                       .rate_den = (int)sh_mc_number_of(settings, "framerateDenominator", 1),
                       .most = (int64_t)sh_mc_number_of(settings, "maxCaptures", 10000000),
                       .quality = (int)sh_mc_number_of(settings, "quality", 80)};
    int status = read_size(video, at, &c.width, &c.height, err);
    if (status < 0)
        return status;
    if (job->capture_count == SH_MC_CAPTURES)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: is the job's %dth frame capture; %d are supported", at,
                       SH_MC_CAPTURES + 1, SH_MC_CAPTURES);
    *index = (int)job->capture_count;
    job->captures[job->capture_count++] = c;
    return 0;
}
