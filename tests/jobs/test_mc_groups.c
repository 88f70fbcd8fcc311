/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The jobs of tests/blackbox/jobs as settings: all are accepted, and each of these changes makes one of them
 * contradict itself. argv[1]: the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "jsonwork.h"

#include "cloud/jobs/mc_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

/* The Settings of a job, with an input that is in S3. */
static json_t *load(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.json", folder, name);
    json_t *request = json_load_file(path, 0, NULL);
    json_t *settings = json_incref(json_object_get(request, "Settings"));
    json_decref(request);
    if (!settings)
        fail_msg("%s", path);
    json_t *input = json_array_get(json_object_get(settings, "Inputs"), 0);
    json_object_set_new(input, "FileInput", json_string("s3://films/a film.mov"));
    return settings;
}

static const char *const jobs[] = {
    "automated_abr",    "cmaf_av1",           "cmaf_both_manifests", "cmaf_hevc",
    "dash_video_audio", "guide_hls_and_dash", "hls_audio_apart",     "cmaf_languages_captions",
    "input_clipping",   "mp4_scaling_rotate", "vod_three_groups",    "hls_solution_foundation",
};

static void all_are_accepted(void **state)
{
    for (size_t i = 0; i < SH_COUNT(jobs); i++) {
        json_t *settings = load(jobs[i]);
        sh_mc_job *job = NULL;
        sh_err err = {0};
        if (sh_mc_job_read(&job, settings, &err) < 0)
            fail_msg("%s: %s", jobs[i], err.message);
        for (size_t g = 0; g < job->group_count; g++) {
            sh_mc_place place = {0};
            assert_int_equal(sh_mc_place_of(&place, job, g, 0, &err), 0);
            assert_string_equal(place.bucket, "streams");
            sh_mc_place_free(&place);
        }
        sh_mc_job_free(job);
        json_decref(settings);
    }
}

#define OUT "/OutputGroups/0/Outputs/"
#define SET "/OutputGroups/0/OutputGroupSettings/"
#define ABR "/OutputGroups/0/AutomatedEncodingSettings/AbrSettings"
#define AAC                                                                                                  \
    "{'CodecSettings':{'Codec':'AAC','AacSettings':{'Bitrate':96000,'CodingMode':'CODING_MODE_2_0','"        \
    "SampleRate':48000}}}"

/* job, path (PascalCase), new value (NULL: taken away), status, what the message begins with (camelCase: the
 * reader's own paths) */
static const struct {
    const char *job, *path, *value;
    int status;
    const char *begins;
} changes[] = {
    /* what goes into a group */
    {"cmaf_hevc", OUT "0/AudioDescriptions", "[" AAC "]", SH_E_ARGUMENT, "/outputGroups/0/outputs/0: "},
    {"cmaf_hevc", OUT "1/AudioDescriptions/1", AAC, SH_E_ARGUMENT, "/outputGroups/0/outputs/1: "},
    {"cmaf_hevc", OUT "1/AudioDescriptions", "[]", SH_E_ARGUMENT, "/outputGroups/0/outputs/1: has no video"},
    {"cmaf_hevc", OUT "0/ContainerSettings/Container", "'MPD'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/containerSettings"},
    {"cmaf_hevc", OUT "0/NameModifier", NULL, SH_E_ARGUMENT, "/outputGroups/0/outputs/0/nameModifier"},
    {"cmaf_hevc", OUT "1/NameModifier", "'_hevc'", SH_E_ARGUMENT, "/outputGroups/0/outputs/1/nameModifier"},
    {"cmaf_hevc", OUT "0/NameModifier", "'_$Number$'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/nameModifier"},
    {"cmaf_hevc", SET "CmafGroupSettings/SegmentControl", "'SINGLE_FILE'", SH_E_UNSUPPORTED,
     SET "CmafGroupSettings/SegmentControl"},
    {"cmaf_hevc", SET "CmafGroupSettings/SegmentLength", NULL, SH_E_ARGUMENT,
     "/outputGroups/0/outputGroupSettings/cmafGroupSettings/segmentLength"},
    {"cmaf_hevc", SET "CmafGroupSettings", NULL, SH_E_ARGUMENT,
     "/outputGroups/0/outputGroupSettings/cmafGroupSettings"},
    {"hls_audio_apart", OUT "0/VideoDescription/CodecSettings/Codec", "'H_265'", SH_E_UNSUPPORTED,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec: H_265"},
    {"hls_audio_apart", OUT "1/OutputSettings/HlsSettings/AudioGroupId", "'noise'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0: audioRenditionSets"},
    {"dash_video_audio", OUT "0/NameModifier", "'_$Time$'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/nameModifier"},
    {"input_clipping", OUT "0/ContainerSettings/Container", "'RAW'", SH_E_UNSUPPORTED,
     "/outputGroups/0/outputs/0/containerSettings/container"},
    {"vod_three_groups", "/OutputGroups/2/Outputs/0/ContainerSettings/Container", "'MP4'", SH_E_ARGUMENT,
     "/outputGroups/2/outputs/0"},
    {"vod_three_groups", "/OutputGroups/2/Outputs/0/AudioDescriptions", "[" AAC "]", SH_E_ARGUMENT,
     "/outputGroups/2/outputs/0"},
    {"vod_three_groups", "/OutputGroups/1/Outputs/0/Extension", "'m/4'", SH_E_ARGUMENT,
     "/outputGroups/1/outputs/0/extension"},
    /* captions */
    {"cmaf_languages_captions", OUT "3/CaptionDescriptions/0/CaptionSelectorName", "'None'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/3/captionDescriptions/0/captionSelectorName"},
    {"cmaf_languages_captions", OUT "3/CaptionDescriptions/0/DestinationSettings/DestinationType",
     "'BURN_IN'", SH_E_UNSUPPORTED, OUT "3/CaptionDescriptions/0/DestinationSettings/DestinationType"},
    {"cmaf_languages_captions", OUT "3/AudioDescriptions", "[" AAC "]", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/3/captionDescriptions/0: captions as WEBVTT"},
    {"cmaf_languages_captions", OUT "2/AudioDescriptions/0/AudioSourceName", "'Audio Selector 3'",
     SH_E_ARGUMENT, "/outputGroups/0/outputs/2/audioDescriptions/0/audioSourceName"},
    /* automated ABR */
    {"automated_abr", ABR "/MaxRenditions", "2", SH_E_ARGUMENT, ABR "/MaxRenditions"},
    {"automated_abr", ABR "/MinAbrBitrate", "3000000", SH_E_ARGUMENT,
     "/outputGroups/0/automatedEncodingSettings/abrSettings/minAbrBitrate"},
    {"automated_abr", ABR "/Rules/0/Type", NULL, SH_E_ARGUMENT,
     "/outputGroups/0/automatedEncodingSettings/abrSettings/rules/0/type"},
    {"automated_abr", ABR "/Rules/0/Type", "'ALLOWED_RENDITIONS'", SH_E_ARGUMENT,
     "/outputGroups/0/automatedEncodingSettings/abrSettings/rules/0/allowedRenditions"},
    {"automated_abr", ABR "/Rules/1/MinBottomRenditionSize/Width", "161", SH_E_ARGUMENT,
     "/outputGroups/0/automatedEncodingSettings/abrSettings/rules/1/minBottomRenditionSize/width"},
    {"automated_abr", OUT "0/VideoDescription/CodecSettings/H264Settings/QualityTuningLevel", "'SINGLE_PASS'",
     SH_E_ARGUMENT, "/outputGroups/0/outputs: automated ABR"},
    {"automated_abr", OUT "0/VideoDescription", NULL, SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0: has no video"},
    /* codecs */
    {"cmaf_hevc", OUT "0/VideoDescription/CodecSettings/H265Settings/CodecProfile", "'MAIN_422_10BIT_MAIN'",
     SH_E_UNSUPPORTED, OUT "0/VideoDescription/CodecSettings/H265Settings/CodecProfile"},
    {"cmaf_hevc", OUT "0/VideoDescription/CodecSettings/H265Settings/ParNumerator", "4", SH_E_UNSUPPORTED,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/h265Settings/parNumerator"},
    {"cmaf_hevc", OUT "0/VideoDescription/CodecSettings/Codec", "'AV1'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/av1Settings"},
    {"cmaf_av1", OUT "0/VideoDescription/CodecSettings/Av1Settings/MaxBitrate", NULL, SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/av1Settings/maxBitrate"},
    {"cmaf_av1", OUT "0/VideoDescription/CodecSettings/Av1Settings/RateControlMode", "'CBR'", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/av1Settings/bitrate"},
    {"hls_audio_apart", OUT "0/VideoDescription/CodecSettings/H264Settings/MaxBitrate", "300000",
     SH_E_ARGUMENT, "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings/maxBitrate"},
    {"hls_audio_apart", OUT "0/VideoDescription/CodecSettings/H264Settings/QvbrSettings", "{}", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings/qvbrSettings"},
    {"hls_audio_apart", OUT "0/VideoDescription/CodecSettings/H264Settings/CodecProfile", "'BASELINE'",
     SH_E_ARGUMENT, "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings/numberBFrames"},
    {"hls_solution_foundation", OUT "0/VideoDescription/CodecSettings/H264Settings/FramerateNumerator",
     "1000", SH_E_ARGUMENT,
     "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings/framerateNumerator"},
    {"hls_solution_foundation", OUT "0/VideoDescription/VideoPreprocessors/Deinterlacer/Mode",
     "'INVERSE_TELECINE'", SH_E_UNSUPPORTED,
     "/outputGroups/0/outputs/1/videoDescription/videoPreprocessors/deinterlacer"},
    /* and what does go */
    {"cmaf_hevc", OUT "0/VideoDescription/CodecSettings/H265Settings/CodecProfile", "'MAIN10_MAIN'", 0, ""},
    {"dash_video_audio", OUT "0/NameModifier", "'_$Number$'", 0, ""},
    {"input_clipping", OUT "0/NameModifier", NULL, 0, ""},
    {"automated_abr", ABR "/Rules", "[]", 0, ""},
};

static void contradictions_are_refused(void **state)
{
    for (size_t i = 0; i < SH_COUNT(changes); i++) {
        json_t *settings = load(changes[i].job);
        sh_mc_job *job = NULL;
        sh_err err = {0};
        json_change(settings, changes[i].path, changes[i].value);
        int status = sh_mc_job_read(&job, settings, &err);
        if (status != changes[i].status ||
            strncmp(err.message, changes[i].begins, strlen(changes[i].begins)) != 0)
            fail_msg("%s: %s = %s: %d \"%s\"", changes[i].job, changes[i].path,
                     changes[i].value ? changes[i].value : "(none)", status, err.message);
        sh_mc_job_free(job);
        json_decref(settings);
    }
}

/* Group 0 of one job beside group 0 of another, at the same place. */
static void groups_do_not_meet(void **state)
{
    static const char *const pairs[][3] = {
        {"cmaf_both_manifests", "cmaf_av1",
         "/outputGroups/1/outputGroupSettings/cmafGroupSettings/destination"},
        {"vod_three_groups", "hls_audio_apart",
         "/outputGroups/3/outputGroupSettings/hlsGroupSettings/destination"},
        {"input_clipping", "input_clipping", "/outputGroups/1/outputs/0/nameModifier"},
        {"automated_abr", "cmaf_av1", "/outputGroups"},
    };
    for (size_t i = 0; i < SH_COUNT(pairs); i++) {
        json_t *first = load(pairs[i][0]), *second = load(pairs[i][1]);
        json_t *groups = json_object_get(first, "OutputGroups"), *mine;
        json_t *group = json_array_get(json_object_get(second, "OutputGroups"), 0);
        const char *name;
        sh_mc_job *job = NULL;
        sh_err err = {0};
        json_array_append(groups, group);
        for (size_t k = 0; k < json_array_size(groups); k++) {
            json_object_foreach(json_object_get(json_array_get(groups, k), "OutputGroupSettings"), name, mine)
            {
                if (i < 3 && json_is_object(mine))
                    json_object_set_new(mine, "Destination", json_string("s3://streams/one/"));
            }
        }
        if (i == 1) /* its own groups are apart */
            for (size_t k = 1; k < 3; k++)
                json_object_set_new(
                    json_object_get(json_object_get(json_array_get(groups, k), "OutputGroupSettings"),
                                    "FileGroupSettings"),
                    "Destination", json_string(k == 1 ? "s3://streams/two/" : "s3://streams/three/"));
        assert_int_equal(sh_mc_job_read(&job, first, &err), SH_E_ARGUMENT);
        if (strncmp(err.message, pairs[i][2], strlen(pairs[i][2])) != 0)
            fail_msg("%s, %s: %s", pairs[i][0], pairs[i][1], err.message);
        json_decref(first);
        json_decref(second);
    }
}

/* What several outputs ask for alike is listed once. */
static void the_same_is_encoded_once(void **state)
{
    json_t *settings = load("guide_hls_and_dash");
    sh_mc_job *job = NULL;
    assert_int_equal(sh_mc_job_read(&job, settings, NULL), 0);
    assert_int_equal(job->output_count, 3);
    assert_int_equal(job->video_count, 1);
    assert_int_equal(job->audio_count, 1);
    sh_mc_job_free(job);
    json_decref(settings);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_accepted),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(groups_do_not_meet),
        cmocka_unit_test(the_same_is_encoded_once),
    };
    folder = argc > 1 ? argv[1] : "";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
