/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mc_source.h"
#include "base/buf.h"
#include "base/size.h"
#include "media/options.h"
#include "media/probe_job.h"

#include <stdio.h>
#include <string.h>

#define FACTS_MAX (8U << 20)

/* "16:9", "30000/1001" */
static void read_ratio(const json_t *object, const char *name, int *num, int *den)
{
    const char *text = json_string_value(json_object_get(object, name));
    int a, b;
    if (text && sscanf(text, "%d%*[:/]%d", &a, &b) == 2 && a > 0 && b > 0) {
        *num = a;
        *den = b;
    }
}

static void read_tracks(sh_mc_source *source, const json_t *tracks)
{
    size_t i;
    const json_t *track;
    json_array_foreach(tracks, i, track)
    {
        const char *type = json_string_value(json_object_get(track, "type"));
        const char *language = json_string_value(json_object_get(track, "language"));
        bool audio = type && strcmp(type, "audio") == 0, text = type && strcmp(type, "subtitle") == 0;
        if ((!audio && !text) || source->track_count == SH_MC_SOURCE_TRACKS)
            continue;
        sh_mc_source_track *to = &source->tracks[source->track_count++];
        to->index = (int)json_integer_value(json_object_get(track, "index"));
        to->audio = audio;
        snprintf(to->language, sizeof(to->language), "%s", language ? language : "und");
    }
}

/* The plan's picture, or with a turn that the job gives: the file's, turned by that. */
static void read_size(sh_mc_source *source, const json_t *video, const json_t *plan, int turn)
{
    const json_t *from = turn < 0 ? plan : video;
    source->width = (int)json_integer_value(json_object_get(from, "width"));
    source->height = (int)json_integer_value(json_object_get(from, "height"));
    read_ratio(from, "sar", &source->sar_num, &source->sar_den);
    if (turn == 90 || turn == 270) {
        int side = source->width, num = source->sar_num;
        source->width = source->height;
        source->height = side;
        source->sar_num = source->sar_den;
        source->sar_den = num;
    }
}

static int read_facts(sh_mc_source *source, const json_t *facts, const sh_mc_job *job, sh_err *err)
{
    const json_t *video = json_object_get(facts, "video"), *plan = json_object_get(facts, "plan");
    const char *refused = json_string_value(json_object_get(facts, "refused"));
    *source = (sh_mc_source){.sar_num = 1, .sar_den = 1, .rate_den = 1};
    if (!json_is_object(plan))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s", refused ? refused : "the input is no video");
    read_size(source, video, plan, job->turn);
    read_ratio(plan, "rate", &source->rate_num, &source->rate_den);
    source->duration = json_number_value(json_object_get(json_object_get(facts, "file"), "duration"));
    source->captions = json_is_true(json_object_get(video, "captions"));
    read_tracks(source, json_object_get(facts, "tracks"));
    if (source->width < 2 || source->height < 2)
        return sh_fail(err, SH_E_FORMAT, "the input's picture has no size");
    return 0;
}

int sh_mc_source_look(sh_mc_source *source, const char *path, const sh_mc_job *job, sh_mc_log *log,
                      void *opaque, sh_err *err)
{
    sh_upscale_options options;
    sh_buf text;
    json_t *facts = NULL;
    sh_upscale_options_default(&options);
    options.input = path;
    options.output = "ladder.mp4"; /* the container that ladders plan for */
    options.model = options.restore = NULL;
    options.rotation = SH_ROTATION_APPLY;
    options.deinterlace =
        job->deinterlace == SH_MC_DEINTERLACE_ALL ? SH_DEINTERLACE_FRAME : SH_DEINTERLACE_AUTO;
    options.telecine = job->deinterlace == SH_MC_DEINTERLACE_TELECINE;
    options.accept_damage = options.allow_loss = options.large = true;
    const sh_probe_job probe = {.options = &options, .log = log, .opaque = opaque};
    sh_buf_init(&text, FACTS_MAX);
    int status = sh_probe_run(&probe, &text, err);
    if (status == 0) {
        facts = json_loadb(sh_buf_cstr(&text), text.length, 0, NULL);
        status = facts ? read_facts(source, facts, job, err)
                       : sh_fail(err, SH_E_INTERNAL, "facts that are no JSON");
    }
    json_decref(facts);
    sh_buf_free(&text);
    return status;
}

/* ---- tracks ---- */

/* Codes of ISO 639-2 that have two forms. */
static bool same_language(const char *a, const char *b)
{
    static const char *const pairs[][2] = {
        {"deu", "ger"}, {"fra", "fre"}, {"zho", "chi"}, {"nld", "dut"}, {"ces", "cze"},
        {"ell", "gre"}, {"eus", "baq"}, {"fas", "per"}, {"hye", "arm"}, {"isl", "ice"},
        {"kat", "geo"}, {"mkd", "mac"}, {"mri", "mao"}, {"msa", "may"}, {"mya", "bur"},
        {"ron", "rum"}, {"slk", "slo"}, {"sqi", "alb"}, {"bod", "tib"}, {"cym", "wel"},
    };
    if (strcmp(a, b) == 0)
        return true;
    for (size_t i = 0; i < SH_COUNT(pairs); i++)
        if ((strcmp(a, pairs[i][0]) == 0 && strcmp(b, pairs[i][1]) == 0) ||
            (strcmp(a, pairs[i][1]) == 0 && strcmp(b, pairs[i][0]) == 0))
            return true;
    return false;
}

/* The number-th track of a kind, or the first in a language; NULL: there is none. */
static const sh_mc_source_track *find(const sh_mc_source *source, bool audio, int number,
                                      const char *language)
{
    for (size_t i = 0; i < source->track_count; i++) {
        const sh_mc_source_track *t = &source->tracks[i];
        if (t->audio == audio && (language ? same_language(t->language, language) : --number == 0))
            return t;
    }
    return NULL;
}

static int give(const sh_mc_source_track *t, int *track, const char **language)
{
    *track = t->index;
    *language = strcmp(t->language, "und") == 0 ? "" : t->language;
    return 0;
}

int sh_mc_source_audio(const sh_mc_source *source, const sh_mc_audio *audio, int *track,
                       const char **language, sh_err *err)
{
    const sh_mc_source_track *first = find(source, true, 1, NULL), *t = first;
    if (!first)
        return sh_fail(err, SH_E_NOT_FOUND, "the input has no audio");
    if (audio->by == SH_MC_BY_TRACK && !(t = find(source, true, audio->track, NULL)))
        return sh_fail(err, SH_E_NOT_FOUND, "the input has no audio track %d", audio->track);
    if (audio->by == SH_MC_BY_LANGUAGE && !(t = find(source, true, 0, audio->source)))
        return sh_fail(err, SH_E_NOT_FOUND, "the input has no audio in the language \"%s\"", audio->source);
    give(t, track, language);
    if (audio->by == SH_MC_BY_DEFAULT) { /* which one it is, is found out by its marks */
        *track = -1;
        *language = "";
    }
    return 0;
}

int sh_mc_source_text(const sh_mc_source *source, const sh_mc_text *text, int *track, const char **language,
                      sh_err *err)
{
    const sh_mc_source_track *t = text->track > 0 ? find(source, false, text->track, NULL) : NULL;
    *language = "";
    *track = -1;
    if (text->track > 0 && !t)
        return sh_fail(err, SH_E_NOT_FOUND, "the input has no text track %d", text->track);
    if (text->track == 0 && !source->captions)
        return sh_fail(err, SH_E_NOT_FOUND, "the input's pictures carry no captions (CEA-608)");
    return t ? give(t, track, language) : 0;
}
