/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/manifest_inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMESCALE_MAX 1000000000
#define TICKS_MAX (INT64_MAX / 4)
#define SEGMENTS_MAX 10000000
#define PQ 16
#define HLG 18

/* ---- the checks ---- */

static const char *id_of(const sh_stream_track *t)
{
    return t->id ? t->id : "(no id)";
}

static int bad(sh_err *err, const sh_stream_track *t, const char *what)
{
    return sh_fail(err, SH_E_ARGUMENT, "track %s: %s", id_of(t), what);
}

static bool is_id(const char *id)
{
    if (!id || !*id || strlen(id) > 64)
        return false;
    for (const char *c = id; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return false;
    return true;
}

static bool is_file_name(const char *name)
{
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strlen(name) < 1024;
}

/* A relative path without "." and ".." in it. */
static bool is_folder(const char *folder)
{
    for (const char *part = folder; part && *part;) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && memcmp(part, "..", 2) == 0))
            return false;
        part += length;
        if (*part && !*++part)
            return false;
    }
    return true;
}

/* CODECS stands inside quotes, in a list. */
static bool is_codecs(const char *codecs)
{
    if (!codecs || !*codecs || strlen(codecs) > 200)
        return false;
    for (const char *c = codecs; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-,", *c))
            return false;
    return true;
}

static int check_keys(const sh_stream_track *t, size_t n, sh_err *err)
{
    const sh_stream_segment *s = &t->segments[n];
    int64_t time = s->start, offset = 0;
    for (size_t i = 0; s->keys && i < s->key_count; i++) {
        const sh_stream_key *key = &s->keys[i];
        if ((i == 0 ? key->time != time : key->time <= time) || key->time >= s->start + s->duration ||
            key->offset < offset || key->size <= 0 || key->size > s->bytes ||
            key->offset > s->bytes - key->size)
            return sh_fail(err, SH_E_ARGUMENT,
                           "track %s, segment %zu (%s): key picture %zu is at tick %" PRId64
                           ", bytes %" PRId64 " to %" PRId64 " of %" PRId64,
                           t->id, n + 1, s->name, i + 1, key->time, key->offset, key->offset + key->size,
                           s->bytes);
        time = key->time;
        offset = key->offset + key->size;
    }
    return 0;
}

static int check_segment(const sh_stream_track *t, size_t n, sh_err *err)
{
    const sh_stream_segment *s = &t->segments[n];
    if (!is_file_name(s->name))
        return sh_fail(err, SH_E_ARGUMENT, "track %s, segment %zu: \"%s\" is no file name", t->id, n + 1,
                       s->name ? s->name : "");
    if (s->start < 0 || s->start > TICKS_MAX || s->duration <= 0 || s->duration > TICKS_MAX || s->bytes <= 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "track %s, segment %zu (%s): begins at tick %" PRId64 ", lasts %" PRId64
                       " ticks and has %" PRId64 " bytes",
                       t->id, n + 1, s->name, s->start, s->duration, s->bytes);
    if (n > 0 && s->start != t->segments[n - 1].start + t->segments[n - 1].duration)
        return sh_fail(
            err, SH_E_ARGUMENT,
            "track %s, segment %zu (%s): begins at tick %" PRId64 ", but the one before it ends at "
            "%" PRId64,
            t->id, n + 1, s->name, s->start, t->segments[n - 1].start + t->segments[n - 1].duration);
    if (sh_manifest_duration(t, n) <= 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "track %s, segment %zu (%s): lies within the priming of %" PRId64 " ticks", t->id,
                       n + 1, s->name, t->priming);
    return check_keys(t, n, err);
}

static int check_video(const sh_stream_track *t, sh_err *err)
{
    if (t->width <= 0 || t->height <= 0 || t->width > 65535 || t->height > 65535)
        return bad(err, t, "a picture has to be between 1x1 and 65535x65535");
    if (t->sar_num < 0 || t->sar_den < 0 || t->rate_num < 0 || t->rate_den < 0)
        return bad(err, t, "the shape of pixels or the rate of pictures is negative");
    if (t->iframes && (!is_file_name(t->iframes) || strcmp(t->iframes, sh_manifest_playlist(t)) == 0))
        return bad(err, t, "the I-frame playlist needs a file name of its own");
    return t->iframes && !sh_manifest_has_keys(t)
               ? bad(err, t, "has an I-frame playlist, but segments without a list of key pictures")
               : 0;
}

static int check_sheets(const sh_stream_track *t, sh_err *err)
{
    const sh_stream_sheets *s = &t->sheets;
    if (s->columns <= 0 || s->rows <= 0 || s->columns > 100 || s->rows > 100 || s->tile_width <= 0 ||
        s->tile_height <= 0 || s->tile_width > 65535 || s->tile_height > 65535)
        return bad(err, t, "the grid of thumbnails is empty or too large");
    if (s->interval <= 0 || s->interval > TICKS_MAX / 10000 || s->count <= 0)
        return bad(err, t, "there are no thumbnails, or no time between them");
    int64_t tiles = (int64_t)s->columns * s->rows;
    if (s->interval > UINT32_MAX / tiles)
        return bad(err, t, "a sheet of thumbnails lasts more ticks than 32 bits hold");
    return s->count / tiles + (s->count % tiles > 0) != (int64_t)t->segment_count
               ? bad(err, t, "the number of sheets is not what the thumbnails need")
               : 0;
}

static int check_kind(const sh_stream_track *t, sh_err *err)
{
    if ((t->kind == SH_STREAM_VIDEO || t->kind == SH_STREAM_AUDIO) && !is_codecs(t->codecs))
        return bad(err, t, "no codecs, or characters that have no place there");
    switch (t->kind) {
    case SH_STREAM_VIDEO:
        return check_video(t, err);
    case SH_STREAM_AUDIO:
        return t->channels <= 0 || t->channels > 64 || t->sample_rate <= 0
                   ? bad(err, t, "channels or sample rate are missing")
                   : 0;
    case SH_STREAM_TEXT:
        return t->whole && !is_file_name(t->whole) ? bad(err, t, "the file of all cues has no file name") : 0;
    case SH_STREAM_SHEETS:
        return check_sheets(t, err);
    }
    return bad(err, t, "is of no kind");
}

int sh_manifest_check_track(const sh_stream_track *t, sh_err *err)
{
    if (!is_id(t->id))
        return sh_fail(err, SH_E_ARGUMENT, "\"%s\" is no id of a track: letters, digits, '-', '_' and '.'",
                       id_of(t));
    if (t->timescale <= 0 || t->timescale > TIMESCALE_MAX || t->priming < 0 || t->priming > TICKS_MAX)
        return sh_fail(err, SH_E_ARGUMENT,
                       "track %s: a clock of %" PRId64 " ticks a second, %" PRId64 " of them priming", t->id,
                       t->timescale, t->priming);
    if (!t->segments || t->segment_count == 0 || t->segment_count > SEGMENTS_MAX)
        return bad(err, t, "no segments, or too many");
    if (!is_folder(t->folder) || !is_file_name(sh_manifest_playlist(t)) ||
        (t->init && !is_file_name(t->init)))
        return bad(err, t, "the folder, the playlist or the initialisation segment has no proper name");
    for (size_t i = 0; i < t->segment_count; i++) {
        int status = check_segment(t, i, err);
        if (status < 0)
            return status;
    }
    return check_kind(t, err);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

int sh_manifest_check(const sh_stream *stream, sh_err *err)
{
    if (stream->track_count == 0 || stream->track_count > SH_MANIFEST_TRACKS)
        return sh_fail(err, SH_E_ARGUMENT, "a stream of %zu tracks; 1 to %d are possible",
                       stream->track_count, SH_MANIFEST_TRACKS);
    if (stream->target < 0 || stream->media_sequence < 0)
        return sh_fail(err, SH_E_ARGUMENT, "the target duration or the first sequence number is negative");
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        int status = sh_manifest_check_track(t, err);
        if (status < 0)
            return status;
        for (size_t j = 0; j < i; j++)
            if (same(t->id, stream->tracks[j].id) ||
                (t->kind != SH_STREAM_SHEETS && stream->tracks[j].kind != SH_STREAM_SHEETS &&
                 same(t->folder, stream->tracks[j].folder) &&
                 same(sh_manifest_playlist(t), sh_manifest_playlist(&stream->tracks[j]))))
                return sh_fail(err, SH_E_ARGUMENT, "tracks %s and %s have the same id or the same playlist",
                               stream->tracks[j].id, t->id);
    }
    return 0;
}

/* ---- names ---- */

const char *sh_manifest_playlist(const sh_stream_track *t)
{
    return t->playlist ? t->playlist : "index.m3u8";
}

/* A ':' in the first part of a relative URI would read as a scheme, and clients disagree about the rest. */
static void put_uri(sh_buf *out, const char *text, bool dollar)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '$' && dollar)
            sh_buf_puts(out, "$$");
        else if (*c < 0x80 && (isalnum(*c) || strchr("-._~!$'()*+,;=@/", *c)))
            sh_buf_putc(out, (char)*c);
        else
            sh_buf_printf(out, "%%%02X", *c);
    }
}

void sh_manifest_uri(sh_buf *out, const char *folder, const char *name, bool dollar)
{
    if (folder && *folder) {
        put_uri(out, folder, dollar);
        sh_buf_putc(out, '/');
    }
    put_uri(out, name, dollar);
}

size_t sh_manifest_codec_length(const char *codecs)
{
    return strcspn(codecs, ",");
}

const char *sh_stream_range(const sh_stream_track *t)
{
    if (!t->has_colour)
        return "SDR";
    return t->colour.transfer == PQ ? "PQ" : t->colour.transfer == HLG ? "HLG" : "SDR";
}

/* ---- time ---- */

int64_t sh_stream_time(const sh_stream_track *t, size_t n)
{
    const sh_stream_segment *last = &t->segments[t->segment_count - 1];
    int64_t time = n < t->segment_count ? t->segments[n].start : last->start + last->duration;
    return time > t->priming ? time - t->priming : 0;
}

int64_t sh_stream_end(const sh_stream_track *t)
{
    return t->segment_count > 0 ? sh_stream_time(t, t->segment_count) : 0;
}

int64_t sh_manifest_duration(const sh_stream_track *t, size_t n)
{
    return sh_stream_time(t, n + 1) - sh_stream_time(t, n);
}

int64_t sh_manifest_seconds(int64_t ticks, int64_t timescale)
{
    return (int64_t)(((__int128)ticks * 2 + timescale) / ((__int128)timescale * 2));
}

int64_t sh_manifest_longest(const sh_stream_track *t)
{
    int64_t longest = 1;
    for (size_t n = 0; n < t->segment_count; n++) {
        int64_t seconds = sh_manifest_seconds(sh_manifest_duration(t, n), t->timescale);
        longest = seconds > longest ? seconds : longest;
    }
    return longest;
}

int64_t sh_stream_target(const sh_stream *stream)
{
    int64_t target = stream->target > 0 ? stream->target : 1;
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        if (t->kind != SH_STREAM_VIDEO && t->kind != SH_STREAM_AUDIO)
            continue;
        int64_t longest = sh_manifest_longest(t);
        target = longest > target ? longest : target;
    }
    return target;
}
