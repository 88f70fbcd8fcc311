/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From checked JSON to the struct: the job and its input. Groups and outputs are read by mc_group.c. */
#include "cloud/jobs/mc_settings.h"
#include "base/buf.h"
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX (1 << 18)

/* ---- members ---- */

const json_t *sh_mc_get(const json_t *object, const char *name)
{
    char pascal[64];
    const json_t *value = json_object_get(object, name);
    snprintf(pascal, sizeof(pascal), "%c%s", toupper((unsigned char)name[0]), name + 1);
    return value ? value : json_object_get(object, pascal);
}

const json_t *sh_mc_dig(const json_t *object, const char *names)
{
    char name[64];
    while (object && *names) {
        size_t length = strcspn(names, ".");
        snprintf(name, sizeof(name), "%.*s", (int)length, names);
        object = sh_mc_get(object, name);
        names += length + (names[length] == '.');
    }
    return object;
}

const char *sh_mc_text_of(const json_t *object, const char *names, const char *otherwise)
{
    const char *value = json_string_value(sh_mc_dig(object, names));
    return value ? value : otherwise;
}

double sh_mc_number_of(const json_t *object, const char *names, double otherwise)
{
    const json_t *value = sh_mc_dig(object, names);
    return value ? json_number_value(value) : otherwise;
}

bool sh_mc_is(const json_t *object, const char *names, const char *word)
{
    return strcmp(sh_mc_text_of(object, names, ""), word) == 0;
}

void sh_mc_at(char path[SH_MC_PATH], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, SH_MC_PATH, format, arguments);
    va_end(arguments);
}

int sh_mc_missing(sh_err *err, const char *at, const char *rest)
{
    return sh_fail(err, SH_E_ARGUMENT, "%s/%s: is required", at, rest);
}

/* ---- clips ---- */

static bool two_digits(const char *text, int most, int *value)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return false;
    *value = (text[0] - '0') * 10 + (text[1] - '0');
    return *value <= most;
}

static int read_timecode(sh_mc_timecode *code, const json_t *object, const char *name, const char *at,
                         sh_err *err)
{
    const char *text = sh_mc_text_of(object, name, NULL);
    if (!text)
        return 0;
    if (!two_digits(text, 24, &code->hours) || text[2] != ':' || !two_digits(text + 3, 59, &code->minutes) ||
        text[5] != ':' || !two_digits(text + 6, 59, &code->seconds) || (text[8] != ':' && text[8] != ';') ||
        !two_digits(text + 9, 99, &code->frames))
        return sh_fail(err, SH_E_ARGUMENT, "%s/%s: \"%s\" is no time code (HH:MM:SS:FF)", at, name, text);
    code->drop = text[8] == ';';
    code->given = true;
    return 0;
}

int64_t sh_mc_timecode_frame(const sh_mc_timecode *code, double rate)
{
    int64_t base = llround(rate), minutes = code->hours * 60 + code->minutes;
    int64_t frame = (minutes * 60 + code->seconds) * base + code->frames;
    if (code->drop && base % 30 == 0)
        frame -= base / 15 * (minutes - minutes / 10);
    return frame;
}

static int64_t in_order(const sh_mc_timecode *code)
{
    return ((code->hours * 60 + code->minutes) * INT64_C(60) + code->seconds) * 100 + code->frames;
}

static int read_clips(sh_mc_job *job, const json_t *input, sh_buf *notes, sh_err *err)
{
    const json_t *clips = sh_mc_get(input, "inputClippings"), *clip = json_array_get(clips, 0);
    const char *at = "/inputs/0/inputClippings/0",
               *source = sh_mc_text_of(input, "timecodeSource", "EMBEDDED");
    if (json_array_size(clips) > 1)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "/inputs/0/inputClippings/1: joining several clips is not supported here");
    int status = read_timecode(&job->clip_start, clip, "startTimecode", at, err);
    if (status == 0)
        status = read_timecode(&job->clip_end, clip, "endTimecode", at, err);
    if (status == 0 && strcmp(source, "SPECIFIEDSTART") == 0) {
        status = read_timecode(&job->clip_origin, input, "timecodeStart", "/inputs/0", err);
        if (status == 0 && !job->clip_origin.given)
            status = sh_mc_missing(err, "/inputs/0", "timecodeStart");
    }
    if (status < 0)
        return status;
    if (job->clip_start.given && job->clip_end.given && in_order(&job->clip_end) < in_order(&job->clip_start))
        return sh_fail(err, SH_E_ARGUMENT, "%s/endTimecode: is before startTimecode", at);
    if (job->clip_origin.given && job->clip_start.given &&
        in_order(&job->clip_start) < in_order(&job->clip_origin))
        return sh_fail(err, SH_E_ARGUMENT, "%s/startTimecode: is before the input's timecodeStart", at);
    if ((job->clip_start.given || job->clip_end.given) && strcmp(source, "EMBEDDED") == 0)
        sh_buf_printf(notes, "/inputs/0/timecodeSource: EMBEDDED: time codes in the file are not read; clips "
                             "are counted from its first frame\n");
    return 0;
}

/* ---- the input ---- */

static int check_captions(const json_t *input, sh_err *err)
{
    const char *name;
    json_t *selector;
    char at[SH_MC_PATH];
    json_object_foreach((json_t *)sh_mc_get(input, "captionSelectors"), name, selector)
    {
        const json_t *source = sh_mc_get(selector, "sourceSettings");
        const char *type = sh_mc_text_of(source, "sourceType", NULL);
        sh_mc_at(at, "/inputs/0/captionSelectors/%.200s/sourceSettings", name);
        if (!type)
            return sh_mc_missing(err, at, "sourceType");
        if (strcmp(type, "EMBEDDED") != 0 && strcmp(type, "NULL_SOURCE") != 0 &&
            !sh_mc_dig(source, "trackSourceSettings.trackNumber"))
            return sh_mc_missing(err, at, "trackSourceSettings/trackNumber");
    }
    return 0;
}

static int check_sound(const json_t *input, sh_err *err)
{
    const char *name;
    json_t *selector;
    char at[SH_MC_PATH];
    json_object_foreach((json_t *)sh_mc_get(input, "audioSelectors"), name, selector)
    {
        sh_mc_at(at, "/inputs/0/audioSelectors/%.200s", name);
        if (sh_mc_is(selector, "selectorType", "TRACK") &&
            json_array_size(sh_mc_get(selector, "tracks")) == 0)
            return sh_mc_missing(err, at, "tracks");
        if (sh_mc_is(selector, "selectorType", "LANGUAGE_CODE") && !sh_mc_get(selector, "languageCode") &&
            !sh_mc_get(selector, "customLanguageCode"))
            return sh_mc_missing(err, at, "languageCode");
    }
    return 0;
}

static int turn_of(const json_t *input)
{
    const char *word = sh_mc_text_of(input, "videoSelector.rotate", "AUTO");
    return strcmp(word, "DEGREE_0") == 0      ? 0
           : strcmp(word, "DEGREES_90") == 0  ? 90
           : strcmp(word, "DEGREES_180") == 0 ? 180
           : strcmp(word, "DEGREES_270") == 0 ? 270
                                              : -1;
}

static int read_input(sh_mc_job *job, bool local, sh_buf *notes, sh_err *err)
{
    const json_t *inputs = sh_mc_get(job->settings, "inputs"), *input = json_array_get(inputs, 0);
    if (!inputs)
        return sh_mc_missing(err, "", "inputs");
    if (json_array_size(inputs) > 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "/inputs/1: joining several inputs is not supported here");
    job->file_input = sh_mc_text_of(input, "fileInput", NULL);
    if (!job->file_input)
        return sh_mc_missing(err, "/inputs/0", "fileInput");
    if (sh_mc_check_uri(job->file_input, local, err) < 0)
        return sh_err_prefix(err, "/inputs/0/fileInput");
    if (job->file_input[strlen(job->file_input) - 1] == '/')
        return sh_fail(err, SH_E_ARGUMENT, "/inputs/0/fileInput: names no file");
    job->turn = turn_of(input);
    int status = read_clips(job, input, notes, err);
    if (status == 0)
        status = check_captions(input, err);
    return status == 0 ? check_sound(input, err) : status;
}

/* ---- the job ---- */

static int read_job(sh_mc_job **out, const json_t *settings, bool local, sh_err *err)
{
    sh_err own = {0};
    sh_buf notes;
    sh_buf_init(&notes, NOTES_MAX);
    err = err ? err : &own;
    sh_mc_job *job = calloc(1, sizeof(*job));
    int status = job ? sh_mc_check(settings, &notes, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status < 0)
        goto done;
    job->settings = json_deep_copy(settings);
    if (!job->settings) {
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
        goto done;
    }
    if (!sh_mc_get(job->settings, "outputGroups"))
        status = sh_mc_get(job->settings, "inputs") ? sh_mc_missing(err, "", "outputGroups")
                                                    : sh_mc_missing(err, "", "inputs");
    if (status == 0)
        status = read_input(job, local, &notes, err);
    if (status == 0)
        status = sh_mc_read_groups(job, local, err);
    if (status < 0)
        goto done;
    job->notes = sh_buf_take(&notes, NULL);
    if (!job->notes) {
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
        goto done;
    }
    *out = job;
    job = NULL;
done:
    sh_mc_job_free(job);
    sh_buf_free(&notes);
    return status;
}

int sh_mc_job_read(sh_mc_job **out, const json_t *settings, sh_err *err)
{
    return read_job(out, settings, false, err);
}

int sh_mc_job_read_local(sh_mc_job **out, const json_t *settings, sh_err *err)
{
    return read_job(out, settings, true, err);
}

void sh_mc_job_free(sh_mc_job *job)
{
    if (!job)
        return;
    json_decref(job->settings);
    free(job->notes);
    free(job);
}
