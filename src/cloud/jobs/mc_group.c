/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Output groups and their outputs: which container holds what, and that no two files get the same name. */
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *type, *settings, *container, *extension;
} kinds[] = {
    [SH_MC_HLS] = {"HLS_GROUP_SETTINGS", "hlsGroupSettings", "M3U8", "ts"},
    [SH_MC_DASH] = {"DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings", "MPD", "mp4"},
    [SH_MC_CMAF] = {"CMAF_GROUP_SETTINGS", "cmafGroupSettings", "CMFC", "cmfv"},
    [SH_MC_FILES] = {"FILE_GROUP_SETTINGS", "fileGroupSettings", "MP4 or RAW", "mp4"},
};

/* ---- names ---- */

/* Whether the identifiers in it are known; the values do not matter yet. */
static int check_pattern(const char *pattern, bool destination, const char *number, const char *at,
                         sh_err *err)
{
    const sh_mc_values values = {
        .input = "/x", .extension = "x", .number = number, .destination = destination};
    char *text = NULL;
    int status = sh_mc_expand(&text, pattern, &values, err);
    free(text);
    return status < 0 ? sh_err_prefix(err, "%s", at) : 0;
}

static int check_modifier(const sh_mc_group *g, sh_mc_output *o, const char *given, const char *at,
                          sh_err *err)
{
    char path[SH_MC_PATH];
    sh_mc_at(path, "%s/nameModifier", at);
    o->name_modifier = given ? given : "";
    if (!given && (g->hls || (g->output_count > 1 && g->kind != SH_MC_FILES)))
        return sh_fail(err, SH_E_ARGUMENT, "%s: is required, else the output's %s", path,
                       g->hls ? "playlist has the name of the master playlist"
                              : "files have the names of others");
    if (strchr(o->name_modifier, '/'))
        return sh_fail(err, SH_E_ARGUMENT, "%s: holds a '/'", path);
    int status = check_pattern(o->name_modifier, false, g->kind == SH_MC_DASH ? "1" : NULL, path, err);
    return status;
}

/* In a file group the extension tells apart as well: a film and its pictures. */
static int check_names(const sh_mc_job *job, const sh_mc_group *g, const sh_mc_output *o, const char *at,
                       sh_err *err)
{
    for (size_t k = g->first_output; &job->outputs[k] < o; k++) {
        const sh_mc_output *other = &job->outputs[k];
        if (strcmp(other->name_modifier, o->name_modifier) == 0 &&
            (g->kind != SH_MC_FILES || strcmp(other->extension, o->extension) == 0))
            return sh_fail(err, SH_E_ARGUMENT,
                           "%s/nameModifier: is that of output %zu too; names would collide", at,
                           other->number);
    }
    return 0;
}

static int check_extension(const sh_mc_group *g, sh_mc_output *o, const json_t *output, const char *otherwise,
                           const char *at, sh_err *err)
{
    const char *given = sh_mc_text_of(output, "extension", "");
    o->extension = otherwise;
    if (!*given || strcmp(given, otherwise) == 0)
        return 0;
    if (g->kind != SH_MC_FILES)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s/extension: %s is not supported here; supported: %s", at,
                       given, otherwise);
    for (const char *c = given; *c; c++)
        if (!isalnum((unsigned char)*c))
            return sh_fail(err, SH_E_ARGUMENT, "%s/extension: holds more than letters and digits", at);
    o->extension = given;
    return 0;
}

/* ---- one output ---- */

static int read_sounds(sh_mc_job *job, sh_mc_output *o, const json_t *list, const char *at, sh_err *err)
{
    char path[SH_MC_PATH];
    int status = 0;
    for (size_t i = 0; i < json_array_size(list) && status == 0; i++) {
        sh_mc_at(path, "%s/audioDescriptions/%zu", at, i);
        status = sh_mc_read_audio(job, json_array_get(list, i), path, &o->audios[i], err);
        o->audio_count++;
    }
    const json_t *first = json_array_get(list, 0);
    o->described =
        sh_mc_is(first, "codecSettings.aacSettings.audioDescriptionBroadcasterMix", "BROADCASTER_MIXED_AD");
    o->label = sh_mc_text_of(first, "streamName", "");
    return status;
}

static int read_picture(sh_mc_job *job, const sh_mc_group *g, sh_mc_output *o, const json_t *video,
                        const char *at, sh_err *err)
{
    const char *codec = sh_mc_text_of(video, "codecSettings.codec", NULL);
    char path[SH_MC_PATH];
    sh_mc_at(path, "%s/videoDescription", at);
    if (!codec)
        return sh_mc_missing(err, path, "codecSettings/codec");
    if (strcmp(codec, "FRAME_CAPTURE") == 0) {
        if (g->kind != SH_MC_FILES)
            return sh_fail(err, SH_E_ARGUMENT, "%s/codecSettings/codec: FRAME_CAPTURE goes into a file group",
                           path);
        return sh_mc_read_capture(job, video, path, &o->capture, err);
    }
    if (g->kind == SH_MC_HLS && strcmp(codec, "H_264") != 0)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s/codecSettings/codec: %s is not supported in an HLS group (transport stream) here; use a "
            "CMAF group",
            path, codec);
    return sh_mc_read_video(job, video, g->abr.wanted, path, &o->video, err);
}

static int read_captions(sh_mc_job *job, sh_mc_output *o, const json_t *caption, const char *at, sh_err *err)
{
    char path[SH_MC_PATH];
    sh_mc_at(path, "%s/captionDescriptions/0", at);
    if (o->video >= 0 || o->audio_count > 0 || o->capture >= 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s: captions as WEBVTT need an output of their own", path);
    o->label = sh_mc_text_of(caption, "languageDescription", "");
    o->accessible =
        sh_mc_is(caption, "destinationSettings.webvttDestinationSettings.accessibility", "ENABLED");
    return sh_mc_read_text(job, caption, path, &o->text, err);
}

/* What may be in one output of this kind of group. */
static int check_content(const sh_mc_group *g, const sh_mc_output *o, const char *container, const char *at,
                         sh_err *err)
{
    bool raw = strcmp(container, "RAW") == 0;
    int parts = (o->video >= 0) + o->audio_count + (o->text >= 0);
    if (g->kind == SH_MC_FILES ? !raw && strcmp(container, "MP4") != 0
                               : strcmp(container, kinds[g->kind].container) != 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/containerSettings/container: %s does not go into a group of %s; %s does", at,
                       container, kinds[g->kind].type, kinds[g->kind].container);
    if (parts == 0 && o->capture < 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s: has no video, no audio and no captions", at);
    if ((g->kind == SH_MC_DASH || g->kind == SH_MC_CMAF) && parts > 1)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s: an output of a group of %s has one video, one audio or one captions; this has %d",
                       at, kinds[g->kind].type, parts);
    if (o->capture >= 0 && (!raw || o->audio_count > 0))
        return sh_fail(err, SH_E_ARGUMENT, "%s: FRAME_CAPTURE has the container RAW and no audio", at);
    if (g->kind == SH_MC_FILES && raw != (o->capture >= 0 || o->text >= 0))
        return sh_fail(err, raw ? SH_E_UNSUPPORTED : SH_E_ARGUMENT,
                       "%s/containerSettings/container: %s does not hold this%s", at, container,
                       raw ? " here; frame captures and captions do" : "");
    return 0;
}

static void read_hls_of(sh_mc_output *o, const json_t *output, const sh_mc_group *g)
{
    const json_t *own = g->kind == SH_MC_CMAF ? sh_mc_dig(output, "containerSettings.cmfcSettings")
                                              : sh_mc_dig(output, "outputSettings.hlsSettings");
    o->segment_modifier =
        sh_mc_text_of(sh_mc_dig(output, "outputSettings.hlsSettings"), "segmentModifier", "");
    o->iframes = sh_mc_is(own, "iFrameOnlyManifest", "INCLUDE");
    o->audio_group = sh_mc_text_of(own, "audioGroupId", "");
    o->rendition_sets = sh_mc_text_of(own, "audioRenditionSets", "");
    o->described = o->described || sh_mc_is(own, "descriptiveVideoServiceFlag", "FLAG");
    o->track_type = sh_mc_is(own, "audioTrackType", "ALTERNATE_AUDIO_AUTO_SELECT") ? SH_MC_TRACK_AUTO
                    : sh_mc_is(own, "audioTrackType", "ALTERNATE_AUDIO_NOT_AUTO_SELECT")
                        ? SH_MC_TRACK_ALTERNATE
                        : SH_MC_TRACK_DEFAULT;
}

static const char *usual_extension(const sh_mc_group *g, const sh_mc_output *o)
{
    return o->text >= 0                                   ? "vtt"
           : o->capture >= 0                              ? "jpg"
           : g->kind == SH_MC_CMAF && o->audio_count == 1 ? "cmfa"
                                                          : kinds[g->kind].extension;
}

static int read_output(sh_mc_job *job, const sh_mc_group *g, sh_mc_output *o, const json_t *output,
                       sh_err *err)
{
    char at[SH_MC_PATH], path[SH_MC_PATH];
    const char *container = sh_mc_text_of(output, "containerSettings.container", NULL);
    const json_t *video = sh_mc_get(output, "videoDescription");
    const json_t *caption = json_array_get(sh_mc_get(output, "captionDescriptions"), 0);
    sh_mc_at(at, "/outputGroups/%zu/outputs/%zu", o->group, o->number);
    o->label = "";
    o->video = o->capture = o->text = -1;
    if (*sh_mc_text_of(output, "preset", ""))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s/preset: there is no preset of that name", at);
    int status = check_modifier(g, o, sh_mc_text_of(output, "nameModifier", NULL), at, err);
    if (status == 0 && !container)
        status = sh_mc_missing(err, at, "containerSettings/container");
    if (status == 0 && video)
        status = read_picture(job, g, o, video, at, err);
    if (status == 0)
        status = read_sounds(job, o, sh_mc_get(output, "audioDescriptions"), at, err);
    if (status == 0 && caption)
        status = read_captions(job, o, caption, at, err);
    if (status == 0)
        status = check_content(g, o, container, at, err);
    if (status < 0)
        return status;
    read_hls_of(o, output, g);
    sh_mc_at(path, "%s/outputSettings/hlsSettings/segmentModifier", at);
    if (strchr(o->segment_modifier, '/'))
        return sh_fail(err, SH_E_ARGUMENT, "%s: holds a '/'", path);
    status = check_pattern(o->segment_modifier, false, NULL, path, err);
    if (status == 0)
        status = check_extension(g, o, output, usual_extension(g, o), at, err);
    return status == 0 ? check_names(job, g, o, at, err) : status;
}

/* ---- one group ---- */

static int read_kind(sh_mc_group *g, const json_t *group, const char *at, const json_t **settings,
                     sh_err *err)
{
    const char *type = sh_mc_text_of(group, "outputGroupSettings.type", NULL);
    char path[SH_MC_PATH];
    sh_mc_at(path, "%s/outputGroupSettings", at);
    if (!type)
        return sh_mc_missing(err, path, "type");
    for (size_t i = 0; i < SH_COUNT(kinds); i++)
        if (strcmp(kinds[i].type, type) == 0)
            g->kind = (int)i;
    *settings = sh_mc_get(sh_mc_get(group, "outputGroupSettings"), kinds[g->kind].settings);
    return *settings ? 0 : sh_mc_missing(err, path, kinds[g->kind].settings);
}

static int read_destination(sh_mc_group *g, const json_t *settings, bool local, const char *at, sh_err *err)
{
    char path[SH_MC_PATH];
    g->destination = sh_mc_text_of(settings, "destination", NULL);
    if (!g->destination)
        return sh_mc_missing(err, at, "destination");
    sh_mc_at(path, "%s/destination", at);
    if (sh_mc_check_uri(g->destination, local, err) < 0)
        return sh_err_prefix(err, "%s", path);
    return check_pattern(g->destination, true, NULL, path, err);
}

static int read_segments(sh_mc_group *g, const json_t *settings, const char *at, sh_err *err)
{
    g->segment_length = (int)sh_mc_number_of(settings, "segmentLength", 0);
    g->min_last = sh_mc_number_of(settings, "minFinalSegmentLength", 0);
    if (g->min_last == 0)
        g->min_last = sh_mc_number_of(settings, "minSegmentLength", 0);
    if (g->kind == SH_MC_FILES)
        return 0;
    if (!g->segment_length)
        return sh_mc_missing(err, at, "segmentLength");
    if (g->segment_length > 3600)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s/segmentLength: %d s; at most 3600 s are supported", at,
                       g->segment_length);
    if (g->min_last > g->segment_length)
        return sh_fail(err, SH_E_ARGUMENT, "%s/min%sSegmentLength: is above segmentLength", at,
                       sh_mc_number_of(settings, "minFinalSegmentLength", 0) > 0 ? "Final" : "");
    return 0;
}

static void read_manifests(sh_mc_group *g, const json_t *settings)
{
    g->hls = g->kind == SH_MC_HLS ||
             (g->kind == SH_MC_CMAF && !sh_mc_is(settings, "writeHlsManifest", "DISABLED"));
    g->dash = g->kind == SH_MC_DASH ||
              (g->kind == SH_MC_CMAF && !sh_mc_is(settings, "writeDashManifest", "DISABLED"));
    g->integer_durations = sh_mc_is(settings, "manifestDurationFormat", "INTEGER");
    g->captions_unsaid = sh_mc_is(settings, "captionLanguageSetting", "OMIT");
    g->min_buffer_ms = (int64_t)sh_mc_number_of(settings, "minBufferTime", 0);
    if (sh_mc_is(settings, "programDateTime", "INCLUDE"))
        g->date_every = (int)sh_mc_number_of(settings, "programDateTimePeriod", 600);
}

/* The audio groups that a video names are there. */
static int check_sets(const sh_mc_job *job, const sh_mc_group *g, sh_err *err)
{
    size_t end = g->first_output + g->output_count;
    for (size_t i = g->first_output; i < end; i++) {
        const sh_mc_output *o = &job->outputs[i];
        bool found = !*o->rendition_sets || o->audio_count > 0, sound = false;
        for (size_t k = g->first_output; k < end && !found; k++) {
            const sh_mc_output *a = &job->outputs[k];
            bool alone = a->video < 0 && a->audio_count > 0;
            sound = sound || alone;
            found = alone && *a->audio_group && strstr(o->rendition_sets, a->audio_group);
        }
        if (!found && sound)
            return sh_fail(
                err, SH_E_ARGUMENT,
                "/outputGroups/%zu/outputs/%zu: audioRenditionSets \"%.60s\" is no audioGroupId of the group",
                o->group, o->number, o->rendition_sets);
    }
    return 0;
}

static int check_abr(const sh_mc_job *job, const sh_mc_group *g, const char *at, sh_err *err)
{
    int videos = 0;
    const sh_mc_video *pattern = NULL;
    if (g->kind == SH_MC_FILES)
        return sh_fail(err, SH_E_ARGUMENT, "%s/automatedEncodingSettings: does not go with a file group", at);
    for (size_t i = 0; i < g->output_count; i++) {
        const sh_mc_output *o = &job->outputs[g->first_output + i];
        videos += o->video >= 0;
        pattern = o->video >= 0 ? &job->videos[o->video] : pattern;
    }
    if (videos != 1)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/outputs: automated ABR has one output with video as its pattern, not %d", at,
                       videos);
    if (pattern->codec == SH_MC_AV1 || pattern->rate_control != SH_MC_RATE_QVBR ||
        pattern->effort != SH_MC_BEST)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s/outputs: automated ABR goes with H_264 or H_265, rateControlMode QVBR and "
                       "qualityTuningLevel MULTI_PASS_HQ",
                       at);
    if (pattern->scaling == SH_MC_SCALE_NO_UPSCALE)
        return sh_fail(err, SH_E_ARGUMENT, "%s/outputs: automated ABR does not go with FIT_NO_UPSCALE", at);
    return 0;
}

static int read_outputs(sh_mc_job *job, sh_mc_group *g, const json_t *outputs, const char *at, sh_err *err)
{
    int status = 0;
    if (!outputs)
        return sh_mc_missing(err, at, "outputs");
    g->first_output = job->output_count;
    g->output_count = json_array_size(outputs);
    if (g->first_output + g->output_count > SH_MC_OUTPUTS)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s/outputs: the job has more than %d outputs", at,
                       SH_MC_OUTPUTS);
    for (size_t i = 0; i < g->output_count && status == 0; i++) {
        sh_mc_output *o = &job->outputs[job->output_count++];
        o->group = (size_t)(g - job->groups);
        o->number = i;
        status = read_output(job, g, o, json_array_get(outputs, i), err);
    }
    return status;
}

static int read_group(sh_mc_job *job, sh_mc_group *g, const json_t *group, bool local, sh_err *err)
{
    char at[SH_MC_PATH], path[SH_MC_PATH];
    const json_t *settings = NULL, *abr = sh_mc_dig(group, "automatedEncodingSettings.abrSettings");
    sh_mc_at(at, "/outputGroups/%zu", (size_t)(g - job->groups));
    g->name = sh_mc_text_of(group, "name", "");
    g->abr.wanted = abr != NULL;
    int status = read_kind(g, group, at, &settings, err);
    if (status < 0)
        return status;
    sh_mc_at(path, "%s/outputGroupSettings/%s", at, kinds[g->kind].settings);
    read_manifests(g, settings);
    status = read_destination(g, settings, local, path, err);
    if (status == 0)
        status = read_segments(g, settings, path, err);
    if (status == 0)
        status = read_outputs(job, g, sh_mc_get(group, "outputs"), at, err);
    if (status == 0)
        status = check_sets(job, g, err);
    if (status == 0 && abr) {
        sh_mc_at(path, "%s/automatedEncodingSettings/abrSettings", at);
        status = sh_mc_read_abr(&g->abr, abr, path, err);
        if (status == 0)
            status = check_abr(job, g, at, err);
    }
    return status;
}

/* ---- between groups ---- */

/* The deinterlacer is before all outputs. */
static int read_deinterlacer(sh_mc_job *job, const json_t *output, const char *at, bool first, sh_err *err)
{
    const json_t *d = sh_mc_dig(output, "videoDescription.videoPreprocessors.deinterlacer");
    int wanted = sh_mc_is(d, "mode", "INVERSE_TELECINE")      ? SH_MC_DEINTERLACE_TELECINE
                 : sh_mc_is(d, "control", "FORCE_ALL_FRAMES") ? SH_MC_DEINTERLACE_ALL
                                                              : SH_MC_DEINTERLACE_AUTO;
    if (first)
        job->deinterlace = wanted;
    if (wanted != job->deinterlace)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s/videoDescription/videoPreprocessors/deinterlacer: differs from that of the outputs before; "
            "one for all outputs is supported",
            at);
    return 0;
}

static int read_deinterlacers(sh_mc_job *job, sh_err *err)
{
    const json_t *groups = sh_mc_get(job->settings, "outputGroups");
    bool first = true;
    char at[SH_MC_PATH];
    int status = 0;
    for (size_t i = 0; i < job->output_count && status == 0; i++) {
        const sh_mc_output *o = &job->outputs[i];
        const json_t *outputs = sh_mc_get(json_array_get(groups, o->group), "outputs");
        sh_mc_at(at, "/outputGroups/%zu/outputs/%zu", o->group, o->number);
        if (o->video < 0 && o->capture < 0)
            continue;
        status = read_deinterlacer(job, json_array_get(outputs, o->number), at, first, err);
        first = false;
    }
    return status;
}

static int check_pair(const sh_mc_job *job, size_t a, size_t b, sh_err *err)
{
    const sh_mc_group *ga = &job->groups[a], *gb = &job->groups[b];
    if (strcmp(ga->destination, gb->destination) != 0)
        return 0;
    if ((ga->hls && gb->hls) || (ga->dash && gb->dash))
        return sh_fail(
            err, SH_E_ARGUMENT,
            "/outputGroups/%zu/outputGroupSettings/%s/destination: is that of group %zu too; their "
            "manifests would have the same name",
            b, kinds[gb->kind].settings, a);
    for (size_t i = 0; i < ga->output_count; i++) {
        const sh_mc_output *oa = &job->outputs[ga->first_output + i];
        for (size_t k = 0; k < gb->output_count; k++) {
            const sh_mc_output *ob = &job->outputs[gb->first_output + k];
            if (strcmp(oa->name_modifier, ob->name_modifier) == 0 &&
                strcmp(oa->extension, ob->extension) == 0)
                return sh_fail(
                    err, SH_E_ARGUMENT,
                    "/outputGroups/%zu/outputs/%zu/nameModifier: names would be those of output %zu of "
                    "group %zu, which has the same destination",
                    b, ob->number, oa->number, a);
        }
    }
    return 0;
}

int sh_mc_read_groups(sh_mc_job *job, bool local, sh_err *err)
{
    const json_t *groups = sh_mc_get(job->settings, "outputGroups");
    int status = 0, automatic = 0, manual = 0;
    if (json_array_size(groups) > SH_MC_GROUPS)
        return sh_fail(err, SH_E_UNSUPPORTED, "/outputGroups: at most %d groups are supported", SH_MC_GROUPS);
    for (size_t i = 0; i < json_array_size(groups) && status == 0; i++) {
        sh_mc_group *g = &job->groups[job->group_count++];
        status = read_group(job, g, json_array_get(groups, i), local, err);
        automatic += g->abr.wanted;
        manual += !g->abr.wanted && g->kind != SH_MC_FILES;
        for (size_t k = 0; k < i && status == 0; k++)
            status = check_pair(job, k, i, err);
    }
    if (status == 0 && automatic && manual)
        status = sh_fail(err, SH_E_ARGUMENT,
                         "/outputGroups: a job with automated ABR has it in each of its streaming groups");
    return status == 0 ? read_deinterlacers(job, err) : status;
}
