/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Audio and caption descriptions, and the selectors of the input that they name. */
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What AWS writes QPC and TNG for. */
static const char *other_name(const char *code)
{
    return strcmp(code, "qpc") == 0 ? "pt-PT" : strcmp(code, "tng") == 0 ? "fil" : code;
}

void sh_mc_language(char *language, const json_t *object)
{
    const char *code = sh_mc_text_of(object, "customLanguageCode", NULL);
    char small[4] = "";
    language[0] = '\0';
    if (code) {
        snprintf(language, 36, "%s", code);
        return;
    }
    code = sh_mc_text_of(object, "languageCode", "");
    for (size_t i = 0; i < 3 && code[i]; i++)
        small[i] = (char)tolower((unsigned char)code[i]);
    snprintf(language, 36, "%s", other_name(small));
}

/* ---- sound ---- */

static const json_t *input_of(const sh_mc_job *job)
{
    return json_array_get(sh_mc_get(job->settings, "inputs"), 0);
}

/* The selector that a description without a name means: the default one, else the first; NULL: none. */
static const json_t *default_selector(const json_t *selectors)
{
    const char *name;
    json_t *value, *first = NULL;
    json_object_foreach((json_t *)selectors, name, value)
    {
        if (sh_mc_is(value, "defaultSelection", "DEFAULT"))
            return value;
        first = first ? first : value;
    }
    return first;
}

static void read_source(sh_mc_audio *a, const json_t *selector)
{
    char language[36];
    const json_t *track = json_array_get(sh_mc_get(selector, "tracks"), 0);
    bool by_language = sh_mc_is(selector, "selectorType", "LANGUAGE_CODE");
    sh_mc_language(language, selector);
    if (track && !by_language) {
        a->by = SH_MC_BY_TRACK;
        a->track = (int)json_integer_value(track);
    } else if (by_language || (*language && !sh_mc_get(selector, "selectorType"))) {
        a->by = SH_MC_BY_LANGUAGE;
        snprintf(a->source, sizeof(a->source), "%.3s", language);
    }
}

static int find_selector(const sh_mc_job *job, const json_t *audio, const char *at, sh_mc_audio *a,
                         sh_err *err)
{
    const json_t *selectors = sh_mc_get(input_of(job), "audioSelectors");
    const char *name = sh_mc_text_of(audio, "audioSourceName", "");
    const json_t *selector = *name ? json_object_get(selectors, name) : default_selector(selectors);
    if (*name && !selector)
        return sh_fail(err, SH_E_ARGUMENT, "%s/audioSourceName: the input has no selector \"%.60s\"", at,
                       name);
    read_source(a, selector);
    return 0;
}

static bool known(const int *list, size_t count, int64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

static int check_aac(const sh_mc_audio *a, const char *at, sh_err *err)
{
    static const int rates[] = {8000,  12000, 16000, 22050, 24000, 32000,
                                44100, 48000, 88200, 96000, 11025, 64000};
    static const int bitrates[] = {6000,   8000,   10000,  12000,  14000,  16000,  20000,  24000,
                                   28000,  32000,  40000,  48000,  56000,  64000,  80000,  96000,
                                   112000, 128000, 160000, 192000, 224000, 256000, 288000, 320000,
                                   384000, 448000, 512000, 576000, 640000, 768000, 896000, 1024000};
    int channels = a->channels ? a->channels : 2;
    if (!known(rates, SH_COUNT(rates), a->sample_rate))
        return sh_fail(err, SH_E_ARGUMENT, "%s/sampleRate: AAC has no %d Hz", at, a->sample_rate);
    if (!known(bitrates, SH_COUNT(bitrates), a->bitrate))
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/bitrate: %lld is none of AAC's bit rates (..., 96000, 128000, ...)", at,
                       (long long)a->bitrate);
    if (a->bitrate > (int64_t)6 * a->sample_rate * channels)
        return sh_fail(err, SH_E_ARGUMENT, "%s/bitrate: AAC of %d channels at %d Hz has at most %d bit/s", at,
                       channels, a->sample_rate, 6 * a->sample_rate * channels);
    return 0;
}

static void read_aac(sh_mc_audio *a, const json_t *aac)
{
    static const char *const words[] = {"LOW", "MEDIUM_LOW", "MEDIUM_HIGH", "HIGH"};
    static const int rates[] = {64000, 96000, 128000, 192000};
    a->bitrate = (int64_t)sh_mc_number_of(aac, "bitrate", 96000);
    a->sample_rate = (int)sh_mc_number_of(aac, "sampleRate", 48000);
    a->channels = sh_mc_is(aac, "codingMode", "CODING_MODE_1_0")    ? 1
                  : sh_mc_is(aac, "codingMode", "CODING_MODE_5_1")  ? 6
                  : sh_mc_is(aac, "codingMode", "CODING_MODE_AUTO") ? 0
                                                                    : 2;
    for (size_t i = 0; i < SH_COUNT(words); i++)
        if (sh_mc_is(aac, "rateControlMode", "VBR") && sh_mc_is(aac, "vbrQuality", words[i]))
            a->bitrate = rates[i];
}

static int keep_audio(sh_mc_job *job, const sh_mc_audio *a, const char *at, int *index, sh_err *err)
{
    size_t i = 0;
    for (; i < job->audio_count; i++) {
        const sh_mc_audio *b = &job->audios[i];
        if (a->by == b->by && a->track == b->track && strcmp(a->source, b->source) == 0 &&
            a->bitrate == b->bitrate && a->channels == b->channels && a->sample_rate == b->sample_rate &&
            a->follow == b->follow && strcmp(a->language, b->language) == 0)
            break;
    }
    if (i == SH_MC_AUDIOS)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: is the job's %dth different sound; %d are supported", at,
                       SH_MC_AUDIOS + 1, SH_MC_AUDIOS);
    job->audios[i] = *a;
    job->audio_count = i == job->audio_count ? i + 1 : job->audio_count;
    *index = (int)i;
    return 0;
}

int sh_mc_read_audio(sh_mc_job *job, const json_t *audio, const char *at, int *index, sh_err *err)
{
    const json_t *aac = sh_mc_dig(audio, "codecSettings.aacSettings");
    sh_mc_audio a = {0};
    char path[SH_MC_PATH];
    sh_mc_at(path, "%s/codecSettings", at);
    if (!sh_mc_dig(audio, "codecSettings.codec"))
        return sh_mc_missing(err, path, "codec");
    if (!aac)
        return sh_mc_missing(err, path, "aacSettings");
    sh_mc_at(path, "%s/codecSettings/aacSettings", at);
    read_aac(&a, aac);
    sh_mc_language(a.language, audio);
    a.follow =
        !sh_mc_is(audio, "languageCodeControl", "USE_CONFIGURED") && sh_mc_get(audio, "languageCodeControl");
    if (!a.language[0])
        a.follow = true;
    int status = find_selector(job, audio, at, &a, err);
    if (status == 0)
        status = check_aac(&a, path, err);
    return status == 0 ? keep_audio(job, &a, at, index, err) : status;
}

/* ---- captions ---- */

int sh_mc_read_text(sh_mc_job *job, const json_t *caption, const char *at, int *index, sh_err *err)
{
    const json_t *selectors = sh_mc_get(input_of(job), "captionSelectors");
    const char *name = sh_mc_text_of(caption, "captionSelectorName", NULL);
    sh_mc_text t = {0};
    char from[36];
    if (!sh_mc_dig(caption, "destinationSettings.destinationType"))
        return sh_mc_missing(err, at, "destinationSettings/destinationType");
    if (!name)
        return sh_mc_missing(err, at, "captionSelectorName");
    const json_t *selector = json_object_get(selectors, name);
    if (!selector)
        return sh_fail(err, SH_E_ARGUMENT, "%s/captionSelectorName: the input has no selector \"%.60s\"", at,
                       name);
    if (sh_mc_is(selector, "sourceSettings.sourceType", "NULL_SOURCE"))
        return sh_fail(err, SH_E_ARGUMENT, "%s/captionSelectorName: selector \"%.60s\" has no source", at,
                       name);
    if (!sh_mc_is(selector, "sourceSettings.sourceType", "EMBEDDED"))
        t.track = (int)sh_mc_number_of(selector, "sourceSettings.trackSourceSettings.trackNumber", 1);
    sh_mc_language(from, selector);
    sh_mc_language(t.language, caption);
    if (!t.language[0])
        snprintf(t.language, sizeof(t.language), "%s", from);
    size_t i = 0;
    while (i < job->text_count &&
           (job->texts[i].track != t.track || strcmp(job->texts[i].language, t.language) != 0))
        i++;
    if (i == SH_MC_TEXTS)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: is the job's %dth different text; %d are supported", at,
                       SH_MC_TEXTS + 1, SH_MC_TEXTS);
    job->texts[i] = t;
    job->text_count = i == job->text_count ? i + 1 : job->text_count;
    *index = (int)i;
    return 0;
}
