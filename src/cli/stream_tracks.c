/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_tracks.h"
#include "base/size.h"
#include "media/ladder_choose.h"
#include "media/ladder_sink.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)512 << 20)
#define RATE_DEN_MAX 1001000
#define FIRST_RATE 2500000 /* players begin with the best below this */

/* ---- names ---- */

static void folder_name(int kind, int video, int audio, int text, char name[SH_STREAM_NAME])
{
    if (kind == SH_LADDER_FRAMES)
        snprintf(name, SH_STREAM_NAME, "thumbs");
    else
        snprintf(name, SH_STREAM_NAME, "%c%d",
                 video >= 0  ? 'v'
                 : text >= 0 ? 's'
                             : 'a',
                 video >= 0  ? video
                 : text >= 0 ? text
                             : audio);
}

void sh_stream_folder_of(const sh_ladder_file *file, char name[SH_STREAM_NAME])
{
    folder_name(file->kind, file->video, file->audio, file->text, name);
}

static void segment_name(int kind, int64_t number, char name[SH_STREAM_NAME])
{
    const char *pattern = kind == SH_LADDER_FRAMES ? "sprite_%03" PRId64 ".jpg"
                          : kind == SH_LADDER_VTT  ? "seg_%05" PRId64 ".vtt"
                                                   : "seg_%05" PRId64 ".m4s";
    snprintf(name, SH_STREAM_NAME, pattern, number);
}

void sh_stream_name_of(const sh_ladder_file *file, char name[SH_STREAM_NAME])
{
    if (file->role == SH_LADDER_INIT)
        snprintf(name, SH_STREAM_NAME, "init.mp4");
    else if (file->role == SH_LADDER_WHOLE)
        snprintf(name, SH_STREAM_NAME, "all.vtt");
    else if (file->role == SH_LADDER_WORK)
        snprintf(name, SH_STREAM_NAME, ".work-%d", file->output);
    else
        segment_name(file->kind, file->number, name);
}

/* ---- one track ---- */

typedef struct maker {
    sh_arena *arena;
    const sh_ladder_result *result;
    const char *prefix;
    json_t *facts; /* of the file; NULL: not known */
    bool audio_default;
    sh_err *err;
} maker;

static int short_of_memory(const maker *m)
{
    return sh_fail(m->err, SH_E_MEMORY, "memory is short");
}

static int put_codecs(const maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    const bool audio = t->video < 0;
    char words[96];
    int status = sh_codecs_string(words, sizeof(words), audio ? SH_CODEC_AAC : sh_sink_codec(t->codec),
                                  audio ? t->audio_config : t->config,
                                  audio ? t->audio_config_size : t->config_size, m->err);
    if (status < 0)
        return status;
    to->codecs = sh_arena_strdup(m->arena, words);
    return to->codecs ? 0 : short_of_memory(m);
}

/* What the file calls its track. */
static const char *title_of(const maker *m, int64_t id)
{
    const json_t *tracks = json_object_get(m->facts, "tracks"), *track;
    const char *title;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)tracks, i,
                       track) if (json_integer_value(json_object_get(track, "index")) ==
                                      sh_ladder_id_track(id) &&
                                  (title = json_string_value(json_object_get(track, "title"))) &&
                                  *title) return sh_arena_strdup(m->arena, title);
    return NULL;
}

static int put_names(const maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    char folder[SH_STREAM_NAME];
    folder_name(t->kind, t->video, t->audio, t->text, folder);
    to->id = sh_arena_strdup(m->arena, folder);
    to->folder = *m->prefix ? sh_arena_printf(m->arena, "%s/%s", m->prefix, folder) : to->id;
    to->language = t->language[0] ? sh_arena_strndup(m->arena, t->language, sizeof(t->language)) : NULL;
    return to->id && to->folder ? 0 : short_of_memory(m);
}

sh_stream_segment *sh_stream_put_segments(sh_arena *arena, sh_stream_track *to, const sh_ladder_track *t,
                                          const char *(*name)(void *opaque, int64_t number), void *opaque,
                                          sh_err *err)
{
    sh_stream_segment *segments = sh_arena_alloc(arena, t->segment_count * sizeof(*segments));
    sh_stream_key *keys = sh_arena_alloc(arena, t->key_count * sizeof(*keys));
    bool whole = segments && keys;
    for (size_t i = 0; whole && i < t->key_count; i++)
        keys[i] = (sh_stream_key){
            .time = t->keys[i].time, .offset = t->keys[i].offset, .size = t->keys[i].key_size};
    for (size_t i = 0; whole && i < t->segment_count; i++) {
        const sh_ladder_segment *s = &t->segments[i];
        segments[i] = (sh_stream_segment){.name = name(opaque, s->number),
                                          .start = s->start,
                                          .duration = s->duration,
                                          .bytes = s->bytes,
                                          .keys = s->key_count > 0 ? keys + s->first_key : NULL,
                                          .key_count = (size_t)s->key_count};
        whole = segments[i].name != NULL;
    }
    if (!whole) {
        sh_fail(err, SH_E_MEMORY, "memory is short");
        return NULL;
    }
    to->segments = segments;
    to->segment_count = t->segment_count;
    return segments;
}

typedef struct naming {
    const maker *maker;
    int kind;
} naming;

static const char *name_segment(void *opaque, int64_t number)
{
    const naming *n = opaque;
    char name[SH_STREAM_NAME];
    segment_name(n->kind, number, name);
    return sh_arena_strdup(n->maker->arena, name);
}

static int put_segments(const maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    naming n = {m, t->kind};
    return sh_stream_put_segments(m->arena, to, t, name_segment, &n, m->err) ? 0 : SH_E_MEMORY;
}

AVRational sh_stream_rate_of(const json_t *facts, const sh_ladder_track *t)
{
    AVRational mean = {0, 1};
    if (t->duration > 0 && t->pictures < INT64_MAX / t->timescale)
        av_reduce(&mean.num, &mean.den, t->pictures * t->timescale, t->duration, RATE_DEN_MAX);
    if (!t->vfr && t->rate.num > 0) /* more of them, where a clock was mended */
        return av_cmp_q(mean, t->rate) > 0 ? mean : t->rate;
    const double step = json_number_value(json_object_get(json_object_get(facts, "video"), "step_min"));
    const AVRational most = step > 0 ? av_d2q(1 / step, RATE_DEN_MAX) : (AVRational){0, 1};
    return av_cmp_q(most, mean) > 0 ? most : mean;
}

static int video_track(const maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    to->kind = SH_STREAM_VIDEO;
    to->iframes = "iframes.m3u8";
    to->init = "init.mp4";
    to->width = t->width;
    to->height = t->height;
    to->sar_num = to->sar_den = 1;
    const AVRational rate = sh_stream_rate_of(m->facts, t);
    to->rate_num = rate.num;
    to->rate_den = rate.den;
    to->has_colour = true;
    to->colour = (sh_cicp){.primaries = (int)t->colour.primaries,
                           .transfer = (int)t->colour.transfer,
                           .matrix = (int)t->colour.matrix,
                           .full_range = t->colour.range == AVCOL_RANGE_JPEG};
    return put_codecs(m, to, t);
}

static int audio_track(maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    const int flags = sh_ladder_id_flags(t->id);
    to->kind = SH_STREAM_AUDIO;
    to->role = flags & SH_LADDER_IS_DESCRIPTION  ? SH_STREAM_DESCRIPTION
               : flags & SH_LADDER_IS_COMMENTARY ? SH_STREAM_COMMENTARY
               : flags & SH_LADDER_IS_DUB        ? SH_STREAM_DUB
                                                 : SH_STREAM_MAIN;
    to->init = "init.mp4";
    to->channels = t->channels;
    to->sample_rate = t->sample_rate;
    to->priming = t->priming;
    to->is_default = flags & SH_LADDER_IS_DEFAULT && !m->audio_default;
    m->audio_default |= to->is_default;
    to->label = title_of(m, t->id);
    return put_codecs(m, to, t);
}

static int text_track(const maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    const int flags = sh_ladder_id_flags(t->id);
    to->kind = SH_STREAM_TEXT;
    to->role = flags & SH_LADDER_IS_FORCED         ? SH_STREAM_FORCED
               : flags & SH_LADDER_IS_FOR_THE_DEAF ? SH_STREAM_CAPTION
                                                   : SH_STREAM_SUBTITLE;
    to->whole = "all.vtt";
    to->label = title_of(m, t->id);
    return 0;
}

static int sheets_track(sh_stream_track *to, const sh_ladder_track *t)
{
    to->kind = SH_STREAM_SHEETS;
    to->sheets = (sh_stream_sheets){
        .columns = t->across,
        .rows = t->down,
        .tile_width = t->width,
        .tile_height = t->height,
        .interval = t->rate.num > 0 ? av_rescale(t->timescale, t->rate.den, t->rate.num) : t->timescale,
        .count = t->tiles};
    to->width = t->width * t->across;
    to->height = t->height * t->down;
    return 0;
}

static int make_track(maker *m, sh_stream_track *to, const sh_ladder_track *t)
{
    *to = (sh_stream_track){.timescale = t->timescale};
    int status = put_names(m, to, t);
    if (status == 0 && t->kind == SH_LADDER_FRAMES)
        status = sheets_track(to, t);
    else if (status == 0 && t->kind == SH_LADDER_VTT)
        status = text_track(m, to, t);
    else if (status == 0)
        status = t->video >= 0 ? video_track(m, to, t) : audio_track(m, to, t);
    return status == 0 ? put_segments(m, to, t) : status;
}

/* ---- all ---- */

static int make_tracks(maker *m, sh_stream_book *book)
{
    const sh_ladder_result *r = m->result;
    bool video = false;
    book->tracks = sh_arena_alloc(m->arena, r->track_count * sizeof(*book->tracks));
    if (!book->tracks)
        return short_of_memory(m);
    for (size_t i = 0; i < r->track_count; i++) {
        if (r->tracks[i].segment_count == 0)
            continue; /* nothing yet, or nothing in it (a text without a word) */
        int status = make_track(m, &book->tracks[book->count++], &r->tracks[i]);
        if (status < 0)
            return status;
        video |= r->tracks[i].video >= 0;
    }
    return video ? 0 : sh_fail(m->err, SH_E_INTERNAL, "no segment of a video has been made");
}

int sh_stream_book_make(sh_stream_book *book, const sh_ladder_result *result, const char *prefix,
                        const char *title, sh_err *err)
{
    maker m = {.arena = sh_arena_new(ARENA_MAX), .result = result, .prefix = prefix, .err = err};
    json_t *known = result->facts ? json_loads(result->facts, 0, NULL) : NULL;
    m.facts = json_object_get(known, "facts");
    *book = (sh_stream_book){.arena = m.arena};
    int status = m.arena ? make_tracks(&m, book) : short_of_memory(&m);
    if (status == 0)
        book->stream = (sh_stream){.tracks = book->tracks,
                                   .track_count = book->count,
                                   .first_rate = FIRST_RATE,
                                   .title = title ? sh_arena_strdup(m.arena, title) : NULL};
    json_decref(known);
    if (status < 0)
        sh_stream_book_free(book);
    return status;
}

double sh_stream_expected(const sh_ladder_result *result)
{
    json_t *known = result->facts ? json_loads(result->facts, 0, NULL) : NULL;
    const json_t *file = json_object_get(json_object_get(known, "facts"), "file");
    const double seconds = json_number_value(json_object_get(file, "duration"));
    json_decref(known);
    return seconds;
}

void sh_stream_book_free(sh_stream_book *book)
{
    sh_arena_free(book->arena);
    *book = (sh_stream_book){0};
}
