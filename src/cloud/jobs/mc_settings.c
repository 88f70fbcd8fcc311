/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/mc_settings.h"
#include "base/buf.h"
#include "base/size.h"
#include "cloud/jobs/mc_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define PATH_MAX_BYTES 1024

/* Where the check is: the JSON path for messages, the pattern for the table. */
typedef struct place {
    char path[PATH_MAX_BYTES], pattern[PATH_MAX_BYTES];
    int depth;
    sh_buf *hints;
    sh_err *err;
} place;

/* ---- the check against the table ---- */

static const sh_mc_row *find_row(const char *pattern)
{
    for (size_t i = 0; i < sh_mc_table_rows; i++)
        if (strcmp(sh_mc_table[i].path, pattern) == 0)
            return &sh_mc_table[i];
    return NULL;
}

static bool word_in(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at && length; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

static const char *shown(const place *p)
{
    return p->path[0] ? p->path : "/";
}

static int wrong_type(const place *p, const char *wanted)
{
    return sh_fail(p->err, SH_E_ARGUMENT, "%s: must be %s", shown(p), wanted);
}

static int check_word(const place *p, const sh_mc_row *row, const json_t *value)
{
    const char *word = json_string_value(value);
    if (!word)
        return wrong_type(p, "a string");
    if (!word_in(row->values, word))
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: \"%.60s\" is none of %.300s", shown(p), word, row->values);
    if (row->made && !word_in(row->made, word))
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: %s is not supported here; supported: %s", shown(p),
                       word, row->made);
    return 0;
}

static int check_number(const place *p, const sh_mc_row *row, const json_t *value)
{
    char made[32];
    if (row->type == SH_MC_INTEGER ? !json_is_integer(value) : !json_is_number(value))
        return wrong_type(p, row->type == SH_MC_INTEGER ? "a whole number" : "a number");
    double number = json_number_value(value);
    if (!(number >= row->min && number <= row->max))
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: %.15g is not between %.15g and %.15g", shown(p), number,
                       row->min, row->max);
    snprintf(made, sizeof(made), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (row->made && strcmp(row->made, made) != 0)
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: %s is not supported here; supported: %s", shown(p),
                       made, row->made);
    return 0;
}

static int check_text(const place *p, const sh_mc_row *row, const json_t *value)
{
    const size_t length = json_string_length(value);
    if (!json_is_string(value))
        return wrong_type(p, "a string");
    if ((double)length < row->min || (double)length > row->max)
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: has %zu bytes and must have %g to %g", shown(p), length,
                       row->min, row->max);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)json_string_value(value)[i] < 0x20)
            return sh_fail(p->err, SH_E_ARGUMENT, "%s: holds a control character", shown(p));
    return 0;
}

static int check_value(place *p, const json_t *value);

/* Goes one step down: `step` in the path, `mark` in the pattern. */
static int check_child(place *p, const char *step, const char *mark, const json_t *value)
{
    const size_t path = strlen(p->path), pattern = strlen(p->pattern);
    if (p->depth >= DEPTH_MAX || path + strlen(step) + 2 > PATH_MAX_BYTES ||
        pattern + strlen(mark) + 2 > PATH_MAX_BYTES)
        return sh_fail(p->err, SH_E_ARGUMENT, "%.100s: the settings are nested too deeply", shown(p));
    snprintf(p->path + path, PATH_MAX_BYTES - path, "/%s", step);
    snprintf(p->pattern + pattern, PATH_MAX_BYTES - pattern, "%s", mark);
    p->depth++;
    int status = check_value(p, value);
    p->depth--;
    p->path[path] = p->pattern[pattern] = '\0';
    return status;
}

static int check_object(place *p, const json_t *value)
{
    const char *key;
    json_t *child;
    char mark[128];
    int status = 0;
    if (!json_is_object(value))
        return wrong_type(p, "an object");
    json_object_foreach((json_t *)value, key, child)
    {
        snprintf(mark, sizeof(mark), ".%c%.100s", tolower((unsigned char)key[0]), *key ? key + 1 : "");
        if (status == 0 && (strlen(key) > 100 || strpbrk(key, ".[]{}/")))
            status = sh_fail(p->err, SH_E_ARGUMENT, "%s/%.100s: unknown property", p->path, key);
        if (status == 0)
            status = check_child(p, key, mark, child);
    }
    return status;
}

static int check_map(place *p, const json_t *value)
{
    const char *key;
    json_t *child;
    int status = 0;
    if (!json_is_object(value))
        return wrong_type(p, "an object");
    json_object_foreach((json_t *)value, key, child) if (status == 0) status =
        strlen(key) > 200 ? sh_fail(p->err, SH_E_ARGUMENT, "%s: a name of more than 200 bytes", shown(p))
                          : check_child(p, key, "{}", child);
    return status;
}

static int check_array(place *p, const sh_mc_row *row, const json_t *value)
{
    const size_t count = json_array_size(value);
    char step[24];
    int status = 0;
    if (!json_is_array(value))
        return wrong_type(p, "a list");
    if ((double)count < row->min || (double)count > row->max)
        return sh_fail(p->err, (double)count < row->min ? SH_E_ARGUMENT : SH_E_UNSUPPORTED,
                       "%s: has %zu elements; %g to %g are supported", shown(p), count, row->min, row->max);
    for (size_t i = 0; i < count && status == 0; i++) {
        snprintf(step, sizeof(step), "%zu", i);
        status = check_child(p, step, "[]", json_array_get(value, i));
    }
    return status;
}

static int check_value(place *p, const json_t *value)
{
    const sh_mc_row *row = find_row(p->pattern);
    if (!row)
        return sh_fail(p->err, SH_E_ARGUMENT, "%s: unknown property", shown(p));
    if (row->use == SH_MC_NOT_MADE)
        return sh_fail(p->err, SH_E_UNSUPPORTED, "%s: is not supported here", shown(p));
    if (row->use == SH_MC_HINT)
        sh_buf_printf(p->hints, "%s\n", shown(p));
    switch (row->type) {
    case SH_MC_OBJECT:
        return check_object(p, value);
    case SH_MC_MAP:
        return check_map(p, value);
    case SH_MC_ARRAY:
        return check_array(p, row, value);
    case SH_MC_STRING:
        return check_text(p, row, value);
    case SH_MC_ENUM:
        return check_word(p, row, value);
    default:
        return check_number(p, row, value);
    }
}

/* ---- reading what was checked ---- */

static const json_t *get(const json_t *object, const char *name)
{
    char pascal[64];
    const json_t *value = json_object_get(object, name);
    snprintf(pascal, sizeof(pascal), "%c%s", toupper((unsigned char)name[0]), name + 1);
    return value ? value : json_object_get(object, pascal);
}

/* "a.b.c" */
static const json_t *dig(const json_t *object, const char *names)
{
    char name[64];
    while (object && *names) {
        size_t length = strcspn(names, ".");
        snprintf(name, sizeof(name), "%.*s", (int)length, names);
        object = get(object, name);
        names += length + (names[length] == '.');
    }
    return object;
}

static const char *text(const json_t *object, const char *names, const char *otherwise)
{
    const char *value = json_string_value(dig(object, names));
    return value ? value : otherwise;
}

static double number(const json_t *object, const char *names, double otherwise)
{
    const json_t *value = dig(object, names);
    return value ? json_number_value(value) : otherwise;
}

static bool is(const json_t *object, const char *names, const char *word)
{
    return strcmp(text(object, names, ""), word) == 0;
}

static int missing(sh_err *err, const char *path)
{
    return sh_fail(err, SH_E_ARGUMENT, "%s: is required", path);
}

static int read_rate(sh_mc_output *o, const json_t *h264, const char *at, sh_err *err)
{
    char path[160];
    const char *needed = "rateControlMode";
    o->rate = is(h264, "rateControlMode", "QVBR")  ? SH_MC_RATE_QVBR
              : is(h264, "rateControlMode", "CBR") ? SH_MC_RATE_CBR
                                                   : SH_MC_RATE_VBR;
    o->bitrate = (int64_t)number(h264, "bitrate", 0);
    o->max_bitrate = (int64_t)number(h264, "maxBitrate", 0);
    o->hrd_buffer = (int64_t)number(h264, "hrdBufferSize", 0);
    o->quality_level = number(h264, "qvbrSettings.qvbrQualityLevel", 0);
    if (o->quality_level > 0)
        o->quality_level += number(h264, "qvbrSettings.qvbrQualityLevelFineTune", 0);
    if (dig(h264, "rateControlMode"))
        needed = o->rate == SH_MC_RATE_QVBR ? (o->max_bitrate ? NULL : "maxBitrate")
                 : o->bitrate               ? NULL
                                            : "bitrate";
    else if (o->bitrate)
        needed = NULL; /* VBR is the default */
    snprintf(path, sizeof(path), "%s/videoDescription/codecSettings/h264Settings/%s", at,
             needed ? needed : "");
    if (needed)
        return missing(err, path);
    if (o->rate == SH_MC_RATE_VBR && o->max_bitrate && o->max_bitrate < o->bitrate)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/videoDescription/codecSettings/h264Settings/maxBitrate: is below bitrate", at);
    return 0;
}

static const char *profile_of(const json_t *h264)
{
    return is(h264, "codecProfile", "BASELINE") ? "baseline"
           : is(h264, "codecProfile", "HIGH")   ? "high"
                                                : "main";
}

/* "LEVEL_4_1" -> "4.1" */
static const char *level_of(const json_t *h264)
{
    static const char *const levels[][2] = {
        {"LEVEL_1", "1"},     {"LEVEL_1_1", "1.1"}, {"LEVEL_1_2", "1.2"}, {"LEVEL_1_3", "1.3"},
        {"LEVEL_2", "2"},     {"LEVEL_2_1", "2.1"}, {"LEVEL_2_2", "2.2"}, {"LEVEL_3", "3"},
        {"LEVEL_3_1", "3.1"}, {"LEVEL_3_2", "3.2"}, {"LEVEL_4", "4"},     {"LEVEL_4_1", "4.1"},
        {"LEVEL_4_2", "4.2"}, {"LEVEL_5", "5"},     {"LEVEL_5_1", "5.1"}, {"LEVEL_5_2", "5.2"},
    };
    for (size_t i = 0; i < SH_COUNT(levels); i++)
        if (is(h264, "codecLevel", levels[i][0]))
            return levels[i][1];
    return NULL;
}

static int read_video(sh_mc_output *o, const json_t *video, const char *at, sh_err *err)
{
    const json_t *h264 = dig(video, "codecSettings.h264Settings");
    char path[160];
    snprintf(path, sizeof(path), "%s/videoDescription/codecSettings/%s", at,
             dig(video, "codecSettings.codec") ? "h264Settings" : "codec");
    if (!dig(video, "codecSettings.codec") || !h264)
        return missing(err, path);
    o->video = true;
    o->width = (int)number(video, "width", 0);
    o->height = (int)number(video, "height", 0);
    if (o->width % 2 || o->height % 2)
        return sh_fail(err, SH_E_ARGUMENT, "%s/videoDescription/%s: must be even", at,
                       o->width % 2 ? "width" : "height");
    o->stretch = is(video, "scalingBehavior", "STRETCH_TO_OUTPUT");
    o->gop_size = is(h264, "gopSizeUnits", "AUTO") ? 0 : number(h264, "gopSize", 0);
    o->gop_in_frames = !is(h264, "gopSizeUnits", "SECONDS");
    o->scene_cuts = !is(h264, "sceneChangeDetect", "DISABLED");
    o->b_frames = (int)number(h264, "numberBFramesBetweenReferenceFrames", -1);
    o->references = (int)number(h264, "numberReferenceFrames", -1);
    o->profile = profile_of(h264);
    o->level = level_of(h264);
    o->preset = is(h264, "qualityTuningLevel", "MULTI_PASS_HQ")    ? "slow"
                : is(h264, "qualityTuningLevel", "SINGLE_PASS_HQ") ? "medium"
                                                                   : "veryfast";
    return read_rate(o, h264, at, err);
}

static int read_audio(sh_mc_output *o, const json_t *audio, const json_t *selectors, const char *at,
                      sh_err *err)
{
    static const int rates[] = {8000,  11025, 12000, 16000, 22050, 24000,
                                32000, 44100, 48000, 64000, 88200, 96000};
    const json_t *aac = dig(audio, "codecSettings.aacSettings");
    const char *source = json_string_value(get(audio, "audioSourceName"));
    bool known = false;
    char path[160];
    snprintf(path, sizeof(path), "%s/audioDescriptions/0/codecSettings/%s", at,
             dig(audio, "codecSettings.codec") ? "aacSettings" : "codec");
    if (!dig(audio, "codecSettings.codec") || !aac)
        return missing(err, path);
    if (source && *source && !json_object_get(selectors, source))
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/audioDescriptions/0/audioSourceName: the input has no selector \"%.60s\"", at,
                       source);
    o->audio = true;
    o->audio_bitrate = (int64_t)number(aac, "bitrate", 96000);
    o->audio_rate = (int)number(aac, "sampleRate", 48000);
    o->audio_channels = is(aac, "codingMode", "CODING_MODE_1_0")   ? 1
                        : is(aac, "codingMode", "CODING_MODE_5_1") ? 6
                                                                   : 2;
    for (size_t i = 0; i < SH_COUNT(rates); i++)
        known = known || rates[i] == o->audio_rate;
    if (!known)
        return sh_fail(err, SH_E_ARGUMENT, "%s/sampleRate: AAC has no %d Hz", path, o->audio_rate);
    if (o->audio_bitrate > (int64_t)6 * o->audio_rate * o->audio_channels)
        return sh_fail(err, SH_E_ARGUMENT, "%s/bitrate: AAC of %d channels at %d Hz has at most %d bit/s",
                       path, o->audio_channels, o->audio_rate, 6 * o->audio_rate * o->audio_channels);
    return 0;
}

/* What stands between '$' would be replaced on AWS; we do not replace it, and do not write it out either. */
static int check_modifier(const sh_mc_job *job, size_t i, const char *at, sh_err *err)
{
    const char *modifier = job->outputs[i].name_modifier;
    if (!modifier)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/nameModifier: is required, else the output's playlist has the name of "
                       "the master playlist",
                       at);
    if (strchr(modifier, '/'))
        return sh_fail(err, SH_E_ARGUMENT, "%s/nameModifier: holds a '/'", at);
    if (strchr(modifier, '$'))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s/nameModifier: format identifiers ($...$) are not supported here", at);
    for (size_t k = 0; k < i; k++)
        if (strcmp(job->outputs[k].name_modifier, modifier) == 0)
            return sh_fail(err, SH_E_ARGUMENT,
                           "%s/nameModifier: is that of output %zu too; names would collide", at, k);
    return 0;
}

static int read_output(sh_mc_job *job, size_t i, const json_t *output, sh_err *err)
{
    sh_mc_output *o = &job->outputs[i];
    char at[64], path[128];
    snprintf(at, sizeof(at), "/outputGroups/0/outputs/%zu", i);
    *o = (sh_mc_output){.name_modifier = text(output, "nameModifier", NULL), .extension = "ts"};
    int status = check_modifier(job, i, at, err);
    if (status < 0)
        return status;
    snprintf(path, sizeof(path), "%s/containerSettings/container", at);
    if (!dig(output, "containerSettings.container"))
        return missing(err, path);
    if (!get(output, "videoDescription"))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s/videoDescription: is missing; outputs of sound alone are not supported "
                       "here",
                       at);
    status = read_video(o, get(output, "videoDescription"), at, err);
    const json_t *audio = json_array_get(get(output, "audioDescriptions"), 0);
    const json_t *selectors = get(json_array_get(get(job->settings, "inputs"), 0), "audioSelectors");
    if (status == 0 && audio)
        status = read_audio(o, audio, selectors, at, err);
    return status;
}

static int read_group(sh_mc_job *job, const json_t *group, sh_err *err)
{
    const json_t *hls = dig(group, "outputGroupSettings.hlsGroupSettings");
    const json_t *outputs = get(group, "outputs");
    char bucket[64];
    const char *key;
    if (!dig(group, "outputGroupSettings.type"))
        return missing(err, "/outputGroups/0/outputGroupSettings/type");
    if (!hls)
        return missing(err, "/outputGroups/0/outputGroupSettings/hlsGroupSettings");
    job->name = text(group, "name", "");
    job->destination = text(hls, "destination", NULL);
    job->segment_length = (int)number(hls, "segmentLength", 0);
    job->min_segment_length = (int)number(hls, "minSegmentLength", 0);
    job->integer_durations = is(hls, "manifestDurationFormat", "INTEGER");
    if (!job->destination)
        return missing(err, "/outputGroups/0/outputGroupSettings/hlsGroupSettings/destination");
    if (!job->segment_length)
        return missing(err, "/outputGroups/0/outputGroupSettings/hlsGroupSettings/segmentLength");
    if (sh_mc_s3_uri(job->destination, bucket, sizeof(bucket), &key, err) < 0)
        return sh_err_prefix(err, "/outputGroups/0/outputGroupSettings/hlsGroupSettings/destination");
    if (!outputs)
        return missing(err, "/outputGroups/0/outputs");
    job->output_count = json_array_size(outputs);
    int status = 0;
    for (size_t i = 0; i < job->output_count && status == 0; i++)
        status = read_output(job, i, json_array_get(outputs, i), err);
    return status;
}

static int read_job(sh_mc_job *job, sh_err *err)
{
    const json_t *inputs = get(job->settings, "inputs"), *groups = get(job->settings, "outputGroups");
    char bucket[64];
    const char *key;
    if (!inputs)
        return missing(err, "/inputs");
    if (!groups)
        return missing(err, "/outputGroups");
    if (json_array_size(inputs) > 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "/inputs/1: joining several inputs is not supported here");
    if (json_array_size(groups) > 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "/outputGroups/1: one output group a job is supported here");
    job->file_input = text(json_array_get(inputs, 0), "fileInput", NULL);
    if (!job->file_input)
        return missing(err, "/inputs/0/fileInput");
    if (sh_mc_s3_uri(job->file_input, bucket, sizeof(bucket), &key, err) < 0)
        return sh_err_prefix(err, "/inputs/0/fileInput");
    if (!*key || key[strlen(key) - 1] == '/')
        return sh_fail(err, SH_E_ARGUMENT, "/inputs/0/fileInput: names no file");
    return read_group(job, json_array_get(groups, 0), err);
}

int sh_mc_job_read(sh_mc_job **out, const json_t *settings, sh_err *err)
{
    sh_err own = {0};
    sh_buf hints;
    sh_buf_init(&hints, 1 << 16);
    err = err ? err : &own;
    place *p = calloc(1, sizeof(*p));
    sh_mc_job *job = calloc(1, sizeof(*job));
    int status = 0;
    if (!p || !job) {
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
        goto done;
    }
    p->hints = &hints;
    p->err = err;
    status = check_value(p, settings);
    if (status < 0)
        goto done;
    job->settings = json_deep_copy(settings);
    job->hints = sh_buf_take(&hints, NULL);
    status = job->settings && job->hints ? read_job(job, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0) {
        *out = job;
        job = NULL;
    }
done:
    sh_mc_job_free(job);
    sh_buf_free(&hints);
    free(p);
    return status;
}

void sh_mc_job_free(sh_mc_job *job)
{
    if (!job)
        return;
    json_decref(job->settings);
    free(job->hints);
    free(job);
}

/* ---- names ---- */

int sh_mc_s3_uri(const char *uri, char *bucket, size_t size, const char **key, sh_err *err)
{
    static const char scheme[] = "s3://";
    if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
        return sh_fail(err, SH_E_ARGUMENT, "must have the form s3://bucket/key");
    const char *name = uri + sizeof(scheme) - 1, *slash = strchr(name, '/');
    size_t length = slash ? (size_t)(slash - name) : 0;
    if (length < 3 || length > 63 || length >= size)
        return sh_fail(err, SH_E_ARGUMENT, "must have the form s3://bucket/key");
    memcpy(bucket, name, length);
    bucket[length] = '\0';
    *key = slash + 1;
    return 0;
}

static int destination_key(const sh_mc_job *job, const char **key, sh_err *err)
{
    char bucket[64];
    return sh_mc_s3_uri(job->destination, bucket, sizeof(bucket), key, err);
}

int sh_mc_output_prefix(const sh_mc_job *job, char **prefix, sh_err *err)
{
    const char *key;
    int status = destination_key(job, &key, err);
    if (status < 0)
        return status;
    const char *slash = strrchr(key, '/');
    char *copy = strndup(key, slash ? (size_t)(slash + 1 - key) : 0);
    if (!copy)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    *prefix = copy;
    return 0;
}

int sh_mc_base_name(const sh_mc_job *job, char **base, sh_err *err)
{
    const char *key;
    int status = destination_key(job, &key, err);
    if (status < 0)
        return status;
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    size_t length = strlen(name);
    if (length == 0) {
        name = strrchr(job->file_input, '/') + 1; /* fileInput was checked to have one */
        const char *dot = strrchr(name, '.');
        length = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    }
    char *copy = strndup(name, length);
    if (!copy)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    *base = copy;
    return 0;
}
