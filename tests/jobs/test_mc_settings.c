/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of MediaConvert jobs: one good document, and one change at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
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
static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);
    free(copy);
    assert_non_null(value);
    return value;
}

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
    json_t *from = parse(pascal), *to;
    lower_first(from, &to);
    json_decref(from);
    return to;
}

static void check_job(const json_t *settings)
{
    sh_mc_job *job = NULL;
    sh_err err = {0};
    char *name = NULL;
    if (sh_mc_job_read(&job, settings, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(job->file_input, "s3://bucket/in/a film.v2.mp4");
    assert_string_equal(job->name, "Apple HLS");
    assert_int_equal(job->segment_length, 10);
    assert_int_equal(job->output_count, 1);
    const sh_mc_output *o = &job->outputs[0];
    assert_string_equal(o->name_modifier, "_modifier_a.mp4");
    assert_int_equal(o->rate, SH_MC_RATE_QVBR);
    assert_int_equal(o->max_bitrate, 5000000);
    assert_true(o->scene_cuts && o->audio && o->video);
    assert_int_equal(o->audio_bitrate, 96000);
    assert_int_equal(o->audio_channels, 2);
    assert_int_equal(o->audio_rate, 48000);
    assert_int_equal(o->b_frames, -1);
    assert_int_equal(sh_mc_base_name(job, &name, NULL), 0);
    assert_string_equal(name, "a film.v2");
    free(name);
    assert_int_equal(sh_mc_output_prefix(job, &name, NULL), 0);
    assert_string_equal(name, "hls/a.mp4/");
    free(name);
    sh_mc_job_free(job);
}

static void the_reference_job_is_read(void **state)
{
    json_t *first = parse(pascal), *second = camel();
    check_job(first);
    check_job(second);
    json_decref(first);
    json_decref(second);
}

/* The place that a path of keys and indices names; its last step is set or removed. */
static void change(json_t *root, const char *path, const char *value)
{
    char step[64];
    for (path++;;) {
        size_t length = strcspn(path, "/");
        memcpy(step, path, length);
        step[length] = '\0';
        if (path[length] == '\0')
            break;
        root = json_is_array(root) ? json_array_get(root, (size_t)strtoul(step, NULL, 10))
                                   : json_object_get(root, step);
        assert_non_null(root);
        path += length + 1;
    }
    if (!value)
        json_object_del(root, step);
    else if (json_is_array(root))
        json_array_append_new(root, parse(value));
    else
        json_object_set_new(root, step, parse(value));
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
    {"/inputs/0/inputClippings", "[]", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/audioSelectors/Audio Selector 1/tracks", "[1]", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/videoSelector/rotate", "'AUTO'", SH_E_UNSUPPORTED, NULL},
    {"/inputs/0/videoSelector/rotate", "'SIDEWAYS'", SH_E_ARGUMENT, NULL},
    {"/outputGroups", NULL, SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputs", "[]", SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputGroupSettings/type", NULL, SH_E_ARGUMENT, NULL},
    {"/outputGroups/0/outputGroupSettings/type", "'DASH_ISO_GROUP_SETTINGS'", SH_E_UNSUPPORTED, NULL},
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
    {OUT "/nameModifier", "'_$dt$'", SH_E_UNSUPPORTED, NULL},
    {OUT "/containerSettings/container", NULL, SH_E_ARGUMENT, NULL},
    {OUT "/containerSettings/container", "'MP4'", SH_E_UNSUPPORTED, NULL},
    {OUT "/captionDescriptions", "[]", SH_E_UNSUPPORTED, NULL},
    {OUT "/videoDescription", NULL, SH_E_UNSUPPORTED, NULL},
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
    {AAC "/sampleRate", "47999", SH_E_ARGUMENT, NULL},
    {AAC "/bitrate", "1000000", SH_E_ARGUMENT, NULL},
    {AAC "/codingMode", "'CODING_MODE_1_1'", SH_E_UNSUPPORTED, NULL},
    {OUT "/audioDescriptions/0/audioSourceName", "'Audio Selector 2'", SH_E_ARGUMENT, NULL},
    /* and what is accepted */
    {"/timecodeConfig", NULL, 0, NULL},
    {OUT "/audioDescriptions", NULL, 0, NULL},
    {OUT "/audioDescriptions/0/audioSourceName", "'Audio Selector 1'", 0, NULL},
    {OUT "/videoDescription/width", "640", 0, NULL},
    {H264 "/codecLevel", "'LEVEL_4_1'", 0, NULL},
    {H264 "/gopSize", "2.5", 0, NULL},
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
        change(settings, changes[i].path, changes[i].value);
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

static void hints_are_listed(void **state)
{
    json_t *settings = camel();
    sh_mc_job *job = NULL;
    change(settings, H264 "/adaptiveQuantization", "'HIGH'");
    change(settings, H264 "/slices", "2");
    assert_int_equal(sh_mc_job_read(&job, settings, NULL), 0);
    assert_non_null(strstr(job->hints, H264 "/adaptiveQuantization\n"));
    assert_non_null(strstr(job->hints, H264 "/slices\n"));
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
    };
    for (size_t i = 0; i < SH_COUNT(cases); i++) {
        json_t *settings = camel();
        sh_mc_job *job = NULL;
        char *name = NULL;
        change(settings, HLS "/destination", cases[i][0]);
        assert_int_equal(sh_mc_job_read(&job, settings, NULL), 0);
        assert_int_equal(sh_mc_base_name(job, &name, NULL), 0);
        assert_string_equal(name, cases[i][1]);
        free(name);
        assert_int_equal(sh_mc_output_prefix(job, &name, NULL), 0);
        assert_string_equal(name, cases[i][2]);
        free(name);
        sh_mc_job_free(job);
        json_decref(settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_job_is_read), cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(hints_are_listed),          cmocka_unit_test(names_must_differ),
        cmocka_unit_test(depth_is_bounded),          cmocka_unit_test(base_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
