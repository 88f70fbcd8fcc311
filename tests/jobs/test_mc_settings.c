/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of MediaConvert jobs: one good document, and one change at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "jsonwork.h"

#include "cloud/jobs/mc_settings.h"

#include <stdlib.h>
#include <string.h>

/* As it stands in the reference state machine: PascalCase. */
static const char pascal[] =
    "{'TimecodeConfig':{'Source':'ZEROBASED'},'OutputGroups':[{'Name':'Apple "
    "HLS','Outputs':[{'ContainerSettings':"
    "{'Container':'M3U8','M3u8Settings':{}},'VideoDescription':{'CodecSettings':{'Codec':'H_264','"
    "H264Settings':"
    "{'MaxBitrate':5000000,'RateControlMode':'QVBR','SceneChangeDetect':'TRANSITION_DETECTION'}}},'"
    "AudioDescriptions':"
    "[{'CodecSettings':{'Codec':'AAC','AacSettings':{'Bitrate':96000,'CodingMode':'CODING_MODE_2_0','"
    "SampleRate':48000}}}"
    "],'OutputSettings':{'HlsSettings':{}},'NameModifier':'_modifier_a.mp4'}],'OutputGroupSettings':{'Type':"
    "'HLS_GROUP_SETTINGS','HlsGroupSettings':{'SegmentLength':10,'Destination':'s3://bucket/hls/a.mp4/',"
    "'DestinationSettings':{'S3Settings':{'StorageClass':'STANDARD'}},'MinSegmentLength':0}}}],'FollowSource'"
    ":1,"
    "'Inputs':[{'AudioSelectors':{'Audio Selector 1':{'DefaultSelection':'DEFAULT'}},'VideoSelector':{},"
    "'TimecodeSource':'ZEROBASED','FileInput':'s3://bucket/in/a film.v2.mp4'}]}";

/* JSON with single quotes, to be readable here. */
static void lower_first(const json_t *from, json_t **to)
{
    const char *key;
    json_t *child, *changed;
    size_t i;
    if (json_is_array(from)) {
        *to = json_array();
        json_array_foreach(from, i, child)
        {
            lower_first(child, &changed);
            json_array_append_new(*to, changed);
        }
    } else if (json_is_object(from)) {
        *to = json_object();
        json_object_foreach((json_t *)from, key, child)
        {
            char name[64] = "";
            strncpy(name, key, sizeof(name) - 1);
            name[0] = strchr(name, ' ') ? name[0] : (char)(name[0] | 0x20);
            lower_first(child, &changed);
            json_object_set_new(*to, name, changed);
        }
    } else {
        *to = json_deep_copy(from);
    }
}

static json_t *camel(void)
{
    json_t *from = json_of(pascal), *to;
    lower_first(from, &to);
    json_decref(from);
    return to;
}

static void check_place(const sh_mc_job *job, size_t group, const char *bucket, const char *prefix,
                        const char *base)
{
    sh_mc_place place = {0};
    sh_err err = {0};
    if (sh_mc_place_of(&place, job, group, 1591283128000, &err) < 0) /* 2020-06-04 15:05:28 */
        fail_msg("%s", err.message);
    assert_string_equal(place.bucket, bucket);
    assert_string_equal(place.prefix, prefix);
    assert_string_equal(place.base, base);
    sh_mc_place_free(&place);
}

static void check_job(const json_t *settings)
{
    sh_mc_job *job = NULL;
    sh_err err = {0};
    if (sh_mc_job_read(&job, settings, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(job->file_input, "s3://bucket/in/a film.v2.mp4");
    assert_int_equal(job->turn, -1);
    assert_int_equal(job->group_count, 1);
    assert_int_equal(job->output_count, 1);
    const sh_mc_group *g = &job->groups[0];
    assert_string_equal(g->name, "Apple HLS");
    assert_int_equal(g->kind, SH_MC_HLS);
    assert_int_equal(g->segment_length, 10);
    assert_true(g->hls && !g->dash && !g->abr.wanted);
    const sh_mc_output *o = &job->outputs[0];
    assert_string_equal(o->name_modifier, "_modifier_a.mp4");
    assert_string_equal(o->extension, "ts");
    assert_int_equal(o->video, 0);
    assert_int_equal(o->audio_count, 1);
    const sh_mc_video *v = &job->videos[0];
    assert_int_equal(v->codec, SH_MC_H264);
    assert_int_equal(v->rate_control, SH_MC_RATE_QVBR);
    assert_int_equal(v->max_bitrate, 5000000);
    assert_true(v->scene_cuts);
    assert_int_equal(v->b_frames, -1);
    const sh_mc_audio *a = &job->audios[0];
    assert_int_equal(a->by, SH_MC_BY_DEFAULT);
    assert_int_equal(a->bitrate, 96000);
    assert_int_equal(a->channels, 2);
    assert_int_equal(a->sample_rate, 48000);
    assert_string_equal(job->notes, "");
    check_place(job, 0, "bucket", "hls/a.mp4/", "a film.v2");
    sh_mc_job_free(job);
}

static void the_reference_job_is_read(void **state)
{
    json_t *first = json_of(pascal), *second = camel();
    check_job(first);
    check_job(second);
    json_decref(first);
    json_decref(second);
}

#define OUT "/outputGroups/0/outputs/0"
#define HLS "/outputGroups/0/outputGroupSettings/hlsGroupSettings"
#define H264 OUT "/videoDescription/codecSettings/h264Settings"
#define AAC OUT "/audioDescriptions/0/codecSettings/aacSettings"

/* path, new value (NULL: taken away), status, what the message must begin with (NULL: the path) */
static const struct {
    const char *path, *value;
    int status;
    const char *begins;
} changes[] = {
    {"/nonesuch", "1", SH_E_ARGUMENT, NULL},
    {"/inputs", NULL, SH_E_ARGUMENT, NULL},
    {"/inputs", "[]", SH_E_ARGUMENT, NULL},
    {"/inputs", "{}", SH_E_ARGUMENT, NULL},
    {"/inputs/1", "{'fileInput':'s3://bucket/b'}", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/fileInput", NULL, SH_E_ARGUMENT, NULL},
    {"/inputs/0/fileInput", "7", SH_E_ARGUMENT, NULL},
    {"/inputs/0/fileInput", "'/etc/passwd'", SH_E_ARGUMENT, NULL},
    {"/inputs/0/fileInput", "'https://host/a'", SH_E_ARGUMENT, NULL},
    {"/inputs/0/fileInput", "'s3://bucket/'", SH_E_ARGUMENT, NULL},
    {"/inputs/0/inputClippings", "[{},{}]", SH_E_UNSUPPORTED, "/inputs/0/inputClippings/1"},
    {"/inputs/0/inputClippings", "[{'startTimecode':'00:00:01.00'}]", SH_E_ARGUMENT,
     "/inputs/0/inputClippings/0/startTimecode"},
    {"/inputs/0/inputClippings", "[{'startTimecode':'00:00:61:00'}]", SH_E_ARGUMENT,
     "/inputs/0/inputClippings/0/startTimecode"},
    {"/inputs/0/inputClippings", "[{'startTimecode':'00:00:02:00','endTimecode':'00:00:01:00'}]",
     SH_E_ARGUMENT, "/inputs/0/inputClippings/0/endTimecode"},
    {"/inputs/0/timecodeSource", "'SPECIFIEDSTART'", SH_E_ARGUMENT, "/inputs/0/timecodeStart"},
    {"/inputs/0/audioSelectors/Audio Selector 1/tracks", "[1,2]", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/audioSelectors/Audio Selector 1/tracks", "[0]", SH_E_ARGUMENT, NULL},
    {"/inputs/0/audioSelectors/Audio Selector 1/selectorType", "'TRACK'", SH_E_ARGUMENT,
     "/inputs/0/audioSelectors/Audio Selector 1/tracks"},
    {"/inputs/0/audioSelectors/Audio Selector 1/selectorType", "'LANGUAGE_CODE'", SH_E_ARGUMENT,
     "/inputs/0/audioSelectors/Audio Selector 1/languageCode"},
    {"/inputs/0/audioSelectors/Audio Selector 1/selectorType", "'PID'", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/audioSelectors/Audio Selector 1/offset", "5", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/captionSelectors", "{'A':{}}", SH_E_ARGUMENT,
     "/inputs/0/captionSelectors/A/sourceSettings/sourceType"},
    {"/inputs/0/captionSelectors", "{'A':{'sourceSettings':{'sourceType':'SRT'}}}", SH_E_ARGUMENT,
     "/inputs/0/captionSelectors/A/sourceSettings/trackSourceSettings/trackNumber"},
    {"/inputs/0/captionSelectors",
     "{'A':{'sourceSettings':{'sourceType':'SRT','fileSourceSettings':{'sourceFile':'s3://b/c.srt'}}}}",
     SH_E_UNSUPPORTED, "/inputs/0/captionSelectors/A/sourceSettings/fileSourceSettings"},
    {"/inputs/0/videoSelector/rotate", "90", SH_E_ARGUMENT, NULL},
    {"/inputs/0/videoSelector/rotate", "'SIDEWAYS'", SH_E_ARGUMENT, NULL},
    {"/outputGroups", NULL, SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputs", "[]", SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputGroupSettings/type", NULL, SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputGroupSettings/type", "'MS_SMOOTH_GROUP_SETTINGS'", SH_E_UNSUPPORTED, NULL},
    {"/outputGroups/0/outputGroupSettings/type", "'DASH_ISO_GROUP_SETTINGS'", SH_E_ARGUMENT,
     "/outputGroups/0/outputGroupSettings/dashIsoGroupSettings"},
    {"/outputGroups/0/automatedEncodingSettings", "{'abrSettings':{}}", SH_E_ARGUMENT,
     "/outputGroups/0/outputs"},
    {HLS "/destinationSettings/s3Settings/accessControl", "{'cannedAcl':'PUBLIC_READ'}", SH_E_UNSUPPORTED,
     NULL},
    {HLS "/segmentControl", "'SINGLE_FILE'", SH_E_UNSUPPORTED, NULL},
    {HLS "/minFinalSegmentLength", "11", SH_E_ARGUMENT, NULL},
    {HLS "/minSegmentLength", "11", SH_E_ARGUMENT, NULL},
    {HLS "/segmentLength", "3601", SH_E_UNSUPPORTED, NULL},
    {HLS "/additionalManifests", "[]", SH_E_UNSUPPORTED, NULL},
    {HLS "/destination", NULL, SH_E_ARGUMENT, NULL},
    {HLS "/destination", "'file:///tmp/'", SH_E_ARGUMENT, NULL},
    {HLS "/segmentLength", NULL, SH_E_ARGUMENT, NULL},
    {HLS "/segmentLength", "0", SH_E_ARGUMENT, NULL},
    {HLS "/segmentLength", "2.5", SH_E_ARGUMENT, NULL},
    {HLS "/segmentLength", "'10'", SH_E_ARGUMENT, NULL},
    {HLS "/encryption", "{}", SH_E_UNSUPPORTED, NULL},
    {HLS "/directoryStructure", "'SUBDIRECTORY_PER_STREAM'", SH_E_UNSUPPORTED, NULL},
    {OUT "/nameModifier", NULL, SH_E_ARGUMENT, NULL},
    {OUT "/nameModifier", "'a/b'", SH_E_ARGUMENT, NULL},
    {OUT "/nameModifier", "'_$nonesuch$'", SH_E_ARGUMENT, NULL},
    {OUT "/nameModifier", "'_$dt'", SH_E_ARGUMENT, NULL},
    {OUT "/nameModifier", "'_$Number$'", SH_E_ARGUMENT, NULL},
    {OUT "/outputSettings/hlsSettings/segmentModifier", "'$nonesuch$'", SH_E_ARGUMENT, NULL},
    {OUT "/outputSettings/hlsSettings/segmentModifier", "'a/b'", SH_E_ARGUMENT, NULL},
    {OUT "/outputSettings/hlsSettings/iFrameOnlyManifest", "'INCLUDE'", SH_E_UNSUPPORTED, NULL},
    {OUT "/outputSettings/hlsSettings/audioTrackType", "'AUDIO_ONLY_VARIANT_STREAM'", SH_E_UNSUPPORTED, NULL},
    {OUT "/extension", "'mp4'", SH_E_UNSUPPORTED, NULL},
    {OUT "/preset", "'System-Ott_Hls_Ts'", SH_E_UNSUPPORTED, NULL},
    {OUT "/containerSettings/container", NULL, SH_E_ARGUMENT, NULL},
    {OUT "/containerSettings/container", "'MP4'", SH_E_ARGUMENT, NULL},
    {OUT "/containerSettings/container", "'MOV'", SH_E_UNSUPPORTED, NULL},
    {OUT "/captionDescriptions", "[{}]", SH_E_ARGUMENT, OUT "/captionDescriptions/0"},
    {OUT "/videoDescription", "{}", SH_E_ARGUMENT, OUT "/videoDescription/codecSettings/codec"},
    {OUT "/videoDescription/codecSettings/codec", "'FRAME_CAPTURE'", SH_E_ARGUMENT, NULL},
    {OUT "/videoDescription/codecSettings/codec", "'MPEG2'", SH_E_UNSUPPORTED, NULL},
    {OUT "/videoDescription/scalingBehavior", "'SMART_CROP'", SH_E_UNSUPPORTED, NULL},
    {OUT "/videoDescription/height", "8193", SH_E_ARGUMENT, NULL},
    {OUT "/videoDescription/crop", "{'width':100}", SH_E_UNSUPPORTED, OUT "/videoDescription/crop/width"},
    {OUT "/videoDescription/width", "31", SH_E_ARGUMENT, NULL},
    {OUT "/videoDescription/width", "641", SH_E_ARGUMENT, NULL},
    {OUT "/videoDescription/codecSettings/codec", "'H_265'", SH_E_UNSUPPORTED, NULL},
    {H264 "/maxBitrate", NULL, SH_E_ARGUMENT, NULL},
    {H264 "/maxBitrate", "999", SH_E_ARGUMENT, NULL},
    {H264 "/maxBitrate", "null", SH_E_ARGUMENT, NULL},
    {H264 "/rateControlMode", "'CBR'", SH_E_ARGUMENT, H264 "/bitrate"},
    {H264 "/rateControlMode", "'ABR'", SH_E_ARGUMENT, NULL},
    {H264 "/interlaceMode", "'TOP_FIELD'", SH_E_UNSUPPORTED, NULL},
    {H264 "/gopClosedCadence", "0", SH_E_UNSUPPORTED, NULL},
    {H264 "/qvbrSettings", "{'qvbrQualityLevel':11}", SH_E_ARGUMENT, H264 "/qvbrSettings/qvbrQualityLevel"},
    {H264 "/qvbrSettings", "{'qvbrQualityLevel':10,'qvbrQualityLevelFineTune':0.5}", SH_E_ARGUMENT,
     H264 "/qvbrSettings/qvbrQualityLevelFineTune"},
    {H264 "/framerateControl", "'SPECIFIED'", SH_E_ARGUMENT, H264 "/framerateNumerator"},
    {H264 "/gopSize", "2.5", SH_E_ARGUMENT, NULL},
    {H264 "/gopSize", "-1", SH_E_ARGUMENT, NULL},
    {H264 "/codecProfile", "'HIGH_422'", SH_E_UNSUPPORTED, NULL},
    {H264 "/codecLevel", "'LEVEL_9'", SH_E_ARGUMENT, NULL},
    {H264 "/entropyEncoding", "'CAVLC'", SH_E_UNSUPPORTED, NULL},
    {AAC "/sampleRate", "47999", SH_E_ARGUMENT, NULL},
    {AAC "/bitrate", "97000", SH_E_ARGUMENT, NULL},
    {AAC "/codecProfile", "'XHE'", SH_E_UNSUPPORTED, NULL},
    {AAC "/bitrate", "1024000", SH_E_ARGUMENT, NULL},
    {AAC "/codingMode", "'CODING_MODE_1_1'", SH_E_UNSUPPORTED, NULL},
    {OUT "/audioDescriptions/0/audioSourceName", "'Audio Selector 2'", SH_E_ARGUMENT, NULL},
    /* and what is accepted */
    {"/timecodeConfig", NULL, 0, NULL},
    {OUT "/audioDescriptions", NULL, 0, NULL},
    {OUT "/audioDescriptions/0/audioSourceName", "'Audio Selector 1'", 0, NULL},
    {OUT "/videoDescription/width", "640", 0, NULL},
    {H264 "/codecLevel", "'LEVEL_4_1'", 0, NULL},
    {H264 "/gopSize", "90.0", 0, NULL},
    {H264 "/gopSizeUnits", "'AUTO'", 0, NULL},
    {OUT "/videoDescription", NULL, 0, NULL}, /* sound alone */
    {OUT "/captionDescriptions", "[]", 0, NULL},
    {OUT "/nameModifier", "'_$dt$_$w$x$h%04$_$rv$_$$'", 0, NULL},
    {OUT "/outputSettings/hlsSettings/segmentModifier", "'$dt$'", 0, NULL},
    {"/inputs/0/videoSelector/rotate", "'AUTO'", 0, NULL},
    {"/inputs/0/audioSelectors/Audio Selector 1/tracks", "[1]", 0, NULL},
    {"/inputs/0/inputClippings", "[]", 0, NULL},
    {"/inputs/0/inputClippings", "[{'startTimecode':'00:00:01:00','endTimecode':'00:00:02;12'}]", 0, NULL},
    {HLS "/destination", "'s3://bucket/$d$/$fn$/x'", 0, NULL},
    {HLS "/adMarkers", "[]", 0, NULL},
    {HLS "/codecSpecification", "'RFC_4281'", 0, NULL},
    {AAC "/codecProfile", "'HEV1'", 0, NULL},
    {H264 "/adaptiveQuantization", "'HIGH'", 0, NULL},
    {HLS "/manifestDurationFormat", "'INTEGER'", 0, NULL},
};

static void one_change_at_a_time(void **state)
{
    for (size_t i = 0; i < SH_COUNT(changes); i++) {
        json_t *settings = camel();
        sh_mc_job *job = NULL;
        sh_err err = {0};
        const char *begins = changes[i].begins ? changes[i].begins : changes[i].path;
        json_change(settings, changes[i].path, changes[i].value);
        int status = sh_mc_job_read(&job, settings, &err);
        if (status != changes[i].status || (status < 0 && strncmp(err.message, begins, strlen(begins)) != 0))
            fail_msg("%s = %s: %d \"%s\"", changes[i].path, changes[i].value ? changes[i].value : "(none)",
                     status, err.message);
        if (status < 0)
            assert_null(job);
        sh_mc_job_free(job);
        json_decref(settings);
    }
}

static void notes_say_what_is_made_otherwise(void **state)
{
    json_t *settings = camel();
    sh_mc_job *job = NULL;
    json_change(settings, H264 "/adaptiveQuantization", "'HIGH'");
    json_change(settings, H264 "/slices", "2");
    json_change(settings, AAC "/codecProfile", "'HEV1'");
    assert_int_equal(sh_mc_job_read(&job, settings, NULL), 0);
    assert_non_null(strstr(job->notes, ": adaptiveQuantization slices\n"));
    assert_non_null(strstr(job->notes, AAC "/codecProfile: HEV1: the sound is AAC-LC"));
    sh_mc_job_free(job);
    json_decref(settings);
}

static void names_must_differ(void **state)
{
    json_t *settings = camel();
    json_t *outputs =
        json_object_get(json_array_get(json_object_get(settings, "outputGroups"), 0), "outputs");
    sh_mc_job *job = NULL;
    sh_err err = {0};
    json_array_append_new(outputs, json_deep_copy(json_array_get(outputs, 0)));
    assert_int_equal(sh_mc_job_read(&job, settings, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "/outputGroups/0/outputs/1/nameModifier"));
    json_object_set_new(json_array_get(outputs, 1), "nameModifier", json_string("_b"));
    assert_int_equal(sh_mc_job_read(&job, settings, &err), 0);
    assert_int_equal(job->output_count, 2);
    sh_mc_job_free(job);
    json_decref(settings);
}

static void depth_is_bounded(void **state)
{
    json_t *deep = json_object();
    sh_mc_job *job = NULL;
    for (int i = 0; i < 1000; i++) {
        json_t *outer = json_object();
        json_object_set_new(outer, "inputs", deep);
        deep = outer;
    }
    assert_int_equal(sh_mc_job_read(&job, deep, NULL), SH_E_ARGUMENT);
    json_decref(deep);
    assert_int_equal(sh_mc_job_read(&job, NULL, NULL), SH_E_ARGUMENT);
}

static void base_names(void **state)
{
    static const char *const cases[][3] = {
        {"'s3://bucket/a/b/'", "a film.v2", "a/b/"},
        {"'s3://bucket/'", "a film.v2", ""},
        {"'s3://bucket/a/name'", "name", "a/"},
        {"'s3://bucket/name'", "name", ""},
        {"'s3://bucket/$d$/$fn$/'", "a film.v2", "20200604/a film.v2/"},
        {"'s3://bucket/$w$/$(id) $$d$/$'", "$", "$w$/$(id) $20200604/"},
        {"'s3://bucket/x-$dt$-$t$'", "x-20200604T150528-150528", ""},
    };
    for (size_t i = 0; i < SH_COUNT(cases); i++) {
        json_t *settings = camel();
        sh_mc_job *job = NULL;
        json_change(settings, HLS "/destination", cases[i][0]);
        assert_int_equal(sh_mc_job_read(&job, settings, NULL), 0);
        check_place(job, 0, "bucket", cases[i][2], cases[i][1]);
        sh_mc_job_free(job);
        json_decref(settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_job_is_read),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(notes_say_what_is_made_otherwise),
        cmocka_unit_test(names_must_differ),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(base_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
