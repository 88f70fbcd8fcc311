/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mc_made.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/size.h"
#include "cli/stream_tracks.h"
#include "media/media.h"
#include "media/ladder_sink.h"
#include "stream/manifest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_MAX ((size_t)64 << 20)
#define ARENA_MAX ((size_t)1 << 30)
#define AAC_FRAME 1024 /* samples */

typedef struct finisher {
    sh_mc_made *made;
    sh_mc_plan *plan;
    const sh_ladder_result *results;
    const char *const *folders;
    sh_mc_say *warning;
    void *opaque;
    sh_err *err;
} finisher;

/* The stream of one group. */
typedef struct book {
    sh_stream stream;
    sh_stream_track tracks[SH_MC_ITEMS];
    const sh_mc_item *items[SH_MC_ITEMS]; /* of each track */
} book;

static int short_of_memory(const finisher *f)
{
    return sh_fail(f->err, SH_E_MEMORY, "memory is short");
}

static const sh_ladder_track *track_of(const finisher *f, const sh_mc_item *item)
{
    return &f->results[item->pass].tracks[item->made];
}

/* ---- files ---- */

static int add_file(const finisher *f, size_t group, const char *name, int64_t bytes, const char *type,
                    const char *role)
{
    sh_mc_made *m = f->made;
    if (m->file_count == m->file_capacity) {
        size_t capacity = m->file_capacity ? 2 * m->file_capacity : 256;
        sh_mc_file *grown = reallocarray(m->files, capacity, sizeof(*grown));
        if (!grown)
            return short_of_memory(f);
        m->files = grown;
        m->file_capacity = capacity;
    }
    m->files[m->file_count++] = (sh_mc_file){group, name, bytes, type, role};
    return 0;
}

static const char *type_of(const sh_mc_item *item, const sh_ladder_track *t)
{
    (void)item;
    return t->kind == SH_LADDER_TS       ? "video/MP2T"
           : t->kind == SH_LADDER_VTT    ? "text/vtt"
           : t->kind == SH_LADDER_FRAMES ? "image/jpeg"
           : t->video >= 0               ? "video/mp4"
                                         : "audio/mp4";
}

static int add_item_files(const finisher *f, sh_mc_item *item)
{
    const sh_ladder_track *t = track_of(f, item);
    const char *type = type_of(item, t);
    int status = item->init ? add_file(f, item->group, item->init, t->init_bytes, type, "init") : 0;
    for (size_t i = 0; i < t->segment_count && status == 0 && item->keep_segments; i++) {
        const sh_ladder_segment *s = &t->segments[i];
        const char *name = sh_mc_item_segment(f->plan, item, s->number, 0, f->err);
        status = name ? add_file(f, item->group, name, s->bytes, type,
                                 t->kind == SH_LADDER_FRAMES ? "image" : "segment")
                      : SH_E_MEMORY;
    }
    if (status == 0 && item->whole)
        status = add_file(f, item->group, item->whole, t->whole_bytes, type,
                          t->kind == SH_LADDER_VTT ? "captions" : "media");
    return status;
}

/* ---- tracks ---- */

static int put_codecs(const finisher *f, sh_stream_track *to, const sh_ladder_track *t)
{
    char video[96] = "", audio[96] = "";
    int status = 0;
    if (t->video >= 0 || t->audio_config_size == 0)
        status = sh_codecs_string(video, sizeof(video), sh_sink_codec(t->codec), t->config, t->config_size,
                                  f->err);
    if (status == 0 && t->has_audio && t->audio_config_size)
        status = sh_codecs_string(audio, sizeof(audio), SH_CODEC_AAC, t->audio_config, t->audio_config_size,
                                  f->err);
    to->codecs = sh_arena_printf(f->made->arena, "%s%s%s", video, *video && *audio ? "," : "", audio);
    return status == 0 && !to->codecs ? short_of_memory(f) : status;
}

/* Sound alone in a transport stream lasts as long as the frames in each file do. */
static void time_by_frames(sh_stream_segment *segments, const sh_ladder_track *t)
{
    int64_t frames = 0;
    for (size_t i = 0; i < t->segment_count; i++) {
        segments[i].start = frames * AAC_FRAME;
        segments[i].duration = t->segments[i].samples * AAC_FRAME;
        frames += t->segments[i].samples;
    }
}

typedef struct naming {
    const finisher *finisher;
    sh_mc_item *item;
} naming;

static const char *name_segment(void *opaque, int64_t number)
{
    const naming *n = opaque;
    return sh_mc_item_segment(n->finisher->plan, n->item, number, 0, n->finisher->err);
}

static int put_segments(const finisher *f, sh_stream_track *to, sh_mc_item *item, const sh_ladder_track *t)
{
    naming n = {f, item};
    sh_stream_segment *segments = sh_stream_put_segments(f->made->arena, to, t, name_segment, &n, f->err);
    if (segments && t->kind == SH_LADDER_TS && t->video < 0 && t->sample_rate > 0) {
        time_by_frames(segments, t);
        to->timescale = t->sample_rate;
    }
    return segments ? 0 : SH_E_MEMORY;
}

static AVRational rate_of(const finisher *f, const sh_mc_item *item, const sh_ladder_track *t)
{
    const char *facts = f->results[item->pass].facts;
    json_t *known = facts ? json_loads(facts, 0, NULL) : NULL;
    const AVRational rate = sh_stream_rate_of(json_object_get(known, "facts"), t);
    json_decref(known);
    return rate;
}

static void put_picture(const finisher *f, sh_stream_track *to, const sh_mc_item *item, const sh_mc_output *o,
                        const sh_ladder_track *t)
{
    const AVRational rate = rate_of(f, item, t);
    to->kind = SH_STREAM_VIDEO;
    to->iframes = t->key_count > 0 ? item->iframes : NULL;
    to->width = t->width;
    to->height = t->height;
    to->sar_num = to->sar_den = 1;
    to->rate_num = rate.num;
    to->rate_den = rate.den;
    to->has_colour = true;
    to->colour = (sh_cicp){.primaries = (int)t->colour.primaries,
                           .transfer = (int)t->colour.transfer,
                           .matrix = (int)t->colour.matrix,
                           .full_range = t->colour.range == AVCOL_RANGE_JPEG};
    to->audio_group =
        *o->rendition_sets && !strchr(o->rendition_sets, ',') && !t->has_audio ? o->rendition_sets : NULL;
}

static void put_sound(sh_stream_track *to, const sh_mc_output *o, const sh_ladder_track *t,
                      bool *have_default)
{
    to->kind = SH_STREAM_AUDIO;
    to->role = o->described ? SH_STREAM_DESCRIPTION : SH_STREAM_MAIN;
    to->channels = t->channels;
    to->sample_rate = t->sample_rate;
    to->priming = t->priming;
    to->group = *o->audio_group ? o->audio_group : NULL;
    to->is_default = o->track_type == SH_MC_TRACK_DEFAULT && !o->described && !*have_default;
    *have_default = *have_default || to->is_default;
}

static int put_track(const finisher *f, sh_stream_track *to, sh_mc_item *item, bool *have_default)
{
    const sh_mc_output *o = &f->plan->job->outputs[item->output];
    const sh_ladder_track *t = track_of(f, item);
    const char *language = *item->language ? item->language : t->language;
    *to = (sh_stream_track){.timescale = t->timescale, .playlist = item->playlist, .init = item->init};
    to->id = item->step ? sh_arena_printf(f->made->arena, "o%zu_%d", o->number, item->step)
                        : sh_arena_printf(f->made->arena, "o%zu", o->number);
    if (!to->playlist) /* no one reads it, and names are to differ */
        to->playlist = sh_arena_printf(f->made->arena, "%s.m3u8", item->stem);
    to->language = *language ? sh_arena_strdup(f->made->arena, language) : NULL;
    to->label = *o->label ? o->label : NULL;
    if (t->kind == SH_LADDER_VTT) {
        to->kind = SH_STREAM_TEXT;
        to->role = o->accessible ? SH_STREAM_CAPTION : SH_STREAM_SUBTITLE;
        to->whole = item->whole;
    } else if (t->video >= 0) {
        put_picture(f, to, item, o, t);
    } else {
        put_sound(to, o, t, have_default);
    }
    int status = t->kind == SH_LADDER_VTT ? 0 : put_codecs(f, to, t);
    return status == 0 ? put_segments(f, to, item, t) : status;
}

static int fill_book(const finisher *f, book *b, size_t group)
{
    const sh_mc_group *g = &f->plan->job->groups[group];
    bool have_default = false;
    int status = 0;
    char line[160];
    for (size_t i = 0; i < f->plan->item_count && status == 0; i++) {
        sh_mc_item *item = &f->plan->items[i];
        if (item->group != group)
            continue;
        if (track_of(f, item)->segment_count == 0) {
            snprintf(line, sizeof(line),
                     "/outputGroups/%zu/outputs/%zu: there is nothing in it; it is left out", group,
                     f->plan->job->outputs[item->output].number);
            f->warning(f->opaque, line);
            continue;
        }
        b->items[b->stream.track_count] = item;
        status = put_track(f, &b->tracks[b->stream.track_count++], item, &have_default);
    }
    b->stream.tracks = b->tracks;
    b->stream.durations = g->integer_durations ? SH_EXTINF_INTEGER : SH_EXTINF_DECIMAL;
    b->stream.captions_unsaid = g->captions_unsaid;
    b->stream.min_buffer_ms = g->min_buffer_ms;
    b->stream.date_every = g->date_every;
    b->stream.epoch_ms = f->plan->items[0].values.time_ms;
    return status;
}

/* ---- manifests ---- */

static int write_file(const finisher *f, size_t group, const char *name, sh_buf *text, const char *type,
                      const char *role)
{
    const char *path = sh_arena_printf(f->made->arena, "%s/%s", f->folders[group], name);
    if (!path)
        return short_of_memory(f);
    if (strlen(name) > 255)
        return sh_fail(f->err, SH_E_LIMIT,
                       "the name of a playlist would have %zu bytes; at most 255 are possible", strlen(name));
    int status = sh_file_replace(path, sh_buf_cstr(text), text->length, 0644, f->err);
    if (status == 0)
        status = add_file(f, group, name, (int64_t)text->length, type, role);
    sh_buf_clear(text);
    return status;
}

static int write_variants(const finisher *f, const book *b, size_t group, sh_buf *text)
{
    static const char type[] = "application/vnd.apple.mpegurl";
    int status = 0;
    for (size_t i = 0; i < b->stream.track_count && status == 0; i++) {
        const sh_stream_track *t = &b->tracks[i];
        status = sh_hls_media(text, &b->stream, t, f->err);
        if (status == 0)
            status = write_file(f, group, t->playlist, text, type, "variant");
        if (status == 0 && t->iframes) {
            status = sh_hls_iframes(text, &b->stream, t, f->err);
            if (status == 0)
                status = write_file(f, group, t->iframes, text, type, "variant");
        }
    }
    return status;
}

static int write_top(const finisher *f, const book *b, size_t group, bool dash, sh_buf *text)
{
    sh_mc_result_group *to = &f->made->groups[group];
    const char *name =
        sh_arena_printf(f->made->arena, "%s.%s", f->plan->places[group].base, dash ? "mpd" : "m3u8");
    int status = !name  ? short_of_memory(f)
                 : dash ? sh_dash_mpd(text, &b->stream, f->err)
                        : sh_hls_master(text, &b->stream, f->err);
    if (status == 0)
        status = write_file(f, group, name, text,
                            dash ? "application/dash+xml" : "application/vnd.apple.mpegurl", "master");
    if (status == 0)
        to->playlists[to->playlist_count++] = name;
    return status;
}

/* What the check has found, beside the stream. */
static int write_report(const finisher *f, size_t group, const sh_stream_report *report, sh_buf *text)
{
    const char *name = sh_arena_printf(f->made->arena, "%s.check.json", f->plan->places[group].base);
    if (!name)
        return short_of_memory(f);
    int status = sh_stream_report_json(text, report, f->made->groups[group].playlists[0], f->err);
    return status < 0 ? status : write_file(f, group, name, text, "application/json", "report");
}

static int check_group(const finisher *f, size_t group, sh_buf *text)
{
    sh_mc_result_group *to = &f->made->groups[group];
    sh_stream_report report = {0};
    char line[400];
    const sh_stream_source source = {f->folders[group], to->playlists, to->playlist_count};
    const sh_stream_check_options options = {.same_bytes = to->playlist_count == 2};
    int status = sh_stream_check(&report, &source, &options, f->err);
    to->errors = (int64_t)report.errors;
    to->warnings = (int64_t)report.warnings;
    if (status < 0)
        sh_err_prefix(f->err, "the stream could not be checked and is not published");
    if (status == 0 && report.errors > 0) {
        sh_stream_report_line(&report, line, sizeof(line));
        status = sh_fail(f->err, SH_E_INTERNAL, "the stream fails its check and is not published: %s", line);
    }
    if (status == 0)
        status = write_report(f, group, &report, text);
    sh_stream_report_free(&report);
    return status;
}

static int finish_group(const finisher *f, size_t group, book *b, sh_buf *text)
{
    const sh_mc_group *g = &f->plan->job->groups[group];
    int status = fill_book(f, b, group);
    if (status == 0 && g->hls)
        status = write_variants(f, b, group, text);
    if (status == 0 && g->dash)
        status = write_top(f, b, group, true, text);
    if (status == 0 && g->hls)
        status = write_top(f, b, group, false, text);
    if (status == 0 && (g->hls || g->dash))
        status = check_group(f, group, text);
    return status;
}

/* ---- what is told of each output ---- */

static int64_t milliseconds(const finisher *f, const sh_mc_item *item)
{
    const sh_ladder_track *t = track_of(f, item);
    int64_t ticks = t->duration;
    if (t->kind == SH_LADDER_VTT || t->kind == SH_LADDER_FRAMES || ticks <= 0)
        return (int64_t)(f->results[item->pass].duration * 1000 + 0.5);
    return (ticks * 1000 + t->timescale / 2) / t->timescale;
}

static void tell_output(const finisher *f, sh_mc_item *item, const sh_stream *stream,
                        const sh_stream_track *track)
{
    const sh_mc_group *g = &f->plan->job->groups[item->group];
    const sh_ladder_track *t = track_of(f, item);
    sh_mc_result_output *to = &f->made->outputs[f->made->output_count++];
    *to = (sh_mc_result_output){.group = item->group,
                                .width = t->video >= 0 || t->capture >= 0 ? t->width : 0,
                                .height = t->height,
                                .duration_ms = milliseconds(f, item),
                                .frames = t->pictures};
    if (g->kind == SH_MC_HLS)
        to->path = item->playlist;
    else if (t->kind == SH_LADDER_FRAMES && t->segment_count > 0)
        to->path = sh_mc_item_segment(f->plan, item, t->segments[t->segment_count - 1].number, 0, NULL);
    else if (g->kind == SH_MC_FILES)
        to->path = item->whole;
    if (track) {
        to->peak = sh_stream_peak(stream, track);
        to->average = sh_stream_average(track);
    } else if (to->duration_ms > 0) {
        to->average = t->whole_bytes * 8000 / to->duration_ms;
    }
    if (f->made->frames == 0 && t->video >= 0) {
        f->made->frames = t->pictures;
        f->made->duration_ms = to->duration_ms;
    }
}

static void tell_group(const finisher *f, const book *b, size_t group)
{
    static const char *const types[] = {[SH_MC_HLS] = "HLS_GROUP",
                                        [SH_MC_DASH] = "DASH_ISO_GROUP",
                                        [SH_MC_CMAF] = "CMAF_GROUP",
                                        [SH_MC_FILES] = "FILE_GROUP"};
    f->made->groups[group].type = types[f->plan->job->groups[group].kind];
    for (size_t i = 0; i < f->plan->item_count; i++) {
        sh_mc_item *item = &f->plan->items[i];
        const sh_stream_track *track = NULL;
        for (size_t k = 0; k < b->stream.track_count; k++)
            track = b->items[k] == item ? &b->tracks[k] : track;
        if (item->group == group)
            tell_output(f, item, &b->stream, track);
    }
}

/* ---- all ---- */

static int finish(const finisher *f)
{
    sh_buf text;
    int status = 0;
    book *b = calloc(1, sizeof(*b));
    if (!b)
        return short_of_memory(f);
    sh_buf_init(&text, MANIFEST_MAX);
    for (size_t i = 0; i < f->plan->item_count && status == 0; i++)
        status = add_item_files(f, &f->plan->items[i]);
    for (size_t i = 0; i < f->plan->job->group_count && status == 0; i++) {
        *b = (book){0};
        if (f->plan->job->groups[i].kind != SH_MC_FILES)
            status = finish_group(f, i, b, &text);
        if (status == 0)
            tell_group(f, b, i);
    }
    sh_buf_free(&text);
    free(b);
    return status;
}

/* Master manifests go behind everything they name. */
static int rank(const sh_mc_file *file)
{
    return strcmp(file->role, "master") == 0 ? 2 : strcmp(file->role, "variant") == 0;
}

static void put_in_order(sh_mc_made *made)
{
    sh_mc_file *sorted = calloc(made->file_count + 1, sizeof(*sorted));
    size_t count = 0;
    for (int r = 0; r < 3 && sorted; r++)
        for (size_t i = 0; i < made->file_count; i++)
            if (rank(&made->files[i]) == r)
                sorted[count++] = made->files[i];
    if (!sorted)
        return;
    free(made->files);
    made->files = sorted;
    made->file_capacity = made->file_count + 1;
}

int sh_mc_made_finish(sh_mc_made *made, sh_mc_plan *plan, const sh_ladder_result *results,
                      const char *const *folders, sh_mc_say *warning, void *opaque, sh_err *err)
{
    sh_mc_made own = {.arena = sh_arena_new(ARENA_MAX)};
    const finisher f = {&own, plan, results, folders, warning, opaque, err};
    int status = own.arena ? finish(&f) : short_of_memory(&f);
    put_in_order(&own);
    if (status < 0)
        sh_mc_made_free(&own);
    else
        *made = own;
    return status;
}

void sh_mc_made_free(sh_mc_made *made)
{
    free(made->files);
    sh_arena_free(made->arena);
    *made = (sh_mc_made){0};
}
