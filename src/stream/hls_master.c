/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The multivariant playlist.
 *
 * A variant is a video track with an audio group; every combination that may play is one, and BANDWIDTH is
 * the largest sum of peaks that a client can put together in it: the video's, the loudest audio track's of
 * the group, the largest subtitles' (8216bis, 4.4.6.2). AVERAGE-BANDWIDTH likewise. Where there is no video,
 * a variant is the first track of an audio group.
 *
 * Within a group names differ, at most one member is the default, and AUTOSELECT=YES stands only where
 * language and characteristics differ from those before it (RFC 8216, 4.3.4.1.1). Commentary is never chosen
 * by itself. */
#include "stream/manifest_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VARIANTS 1024
#define SUBTITLES "subs"

typedef struct variant {
    const sh_stream_track *video; /* NULL: audio alone */
    const char *group;            /* NULL: no audio beside it */
    int64_t peak, average;
} variant;

typedef struct master {
    const sh_stream *stream;
    const char *groups[SH_MANIFEST_TRACKS];
    size_t group_count;
    bool has_video, has_text;
    variant variants[VARIANTS];
    size_t variant_count;
} master;

static const char *group_of(const sh_stream_track *t)
{
    if (t->kind == SH_STREAM_TEXT)
        return SUBTITLES;
    return t->group && *t->group ? t->group : "audio";
}

static bool is_in(const sh_stream_track *t, sh_stream_kind kind, const char *group)
{
    return t->kind == kind && strcmp(group_of(t), group) == 0;
}

/* Inside quotes. */
static void put_quoted(sh_buf *out, const char *attribute, const char *text)
{
    sh_buf_printf(out, "%s=\"", attribute);
    for (const char *c = text; *c; c++)
        sh_buf_putc(out, *c == '"' ? '\'' : (unsigned char)*c < 0x20 ? ' ' : *c);
    sh_buf_putc(out, '"');
}

/* ---- EXT-X-MEDIA ---- */

static const char *characteristics(const sh_stream_track *t)
{
    if (t->kind == SH_STREAM_AUDIO)
        return t->role == SH_STREAM_DESCRIPTION ? "public.accessibility.describes-video" : "";
    return t->role == SH_STREAM_CAPTION ? "public.accessibility.transcribes-spoken-dialog,"
                                          "public.accessibility.describes-music-and-sound"
                                        : "";
}

static const sh_stream_track *default_of(const sh_stream *stream, const sh_stream_track *member)
{
    const sh_stream_track *first = NULL;
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        if (!is_in(t, member->kind, group_of(member)))
            continue;
        if (t->is_default)
            return t;
        first = first ? first : t;
    }
    return member->kind == SH_STREAM_AUDIO ? first : NULL;
}

static bool alike(const sh_stream_track *a, const sh_stream_track *b)
{
    char first[36], second[36];
    sh_language_tag(first, sizeof(first), a->language);
    sh_language_tag(second, sizeof(second), b->language);
    return strcmp(first, second) == 0 && strcmp(characteristics(a), characteristics(b)) == 0 &&
           (a->role == SH_STREAM_FORCED) == (b->role == SH_STREAM_FORCED);
}

static bool is_autoselected(const sh_stream *stream, const sh_stream_track *t)
{
    const sh_stream_track *chosen = default_of(stream, t);
    if (chosen == t)
        return true;
    if (t->role == SH_STREAM_COMMENTARY || (chosen && alike(chosen, t)))
        return false;
    for (const sh_stream_track *o = stream->tracks; o < t; o++)
        if (is_in(o, t->kind, group_of(t)) && o->role != SH_STREAM_COMMENTARY && alike(o, t))
            return false;
    return true;
}

/* The track's name in its group: its label, and a number where one before it has the same. The same track of
 * another language group gets the same name, as long as groups list their tracks in one order. */
static void name_of(char *text, size_t size, const sh_stream *stream, const sh_stream_track *t)
{
    char other[128], own[128];
    int number = 1;
    sh_manifest_label(own, sizeof(own), t);
    for (const sh_stream_track *o = stream->tracks; o < t; o++) {
        sh_manifest_label(other, sizeof(other), o);
        number += is_in(o, t->kind, group_of(t)) && strcmp(own, other) == 0;
    }
    if (number > 1)
        snprintf(text, size, "%s (%d)", own, number);
    else
        snprintf(text, size, "%s", own);
}

static void put_media(sh_buf *out, const sh_stream *stream, const sh_stream_track *t)
{
    char name[160], tag[36];
    const bool text = t->kind == SH_STREAM_TEXT;
    name_of(name, sizeof(name), stream, t);
    sh_language_tag(tag, sizeof(tag), t->language);
    sh_buf_printf(out, "#EXT-X-MEDIA:TYPE=%s", text ? "SUBTITLES" : "AUDIO");
    put_quoted(out, ",GROUP-ID", group_of(t));
    put_quoted(out, ",NAME", name);
    put_quoted(out, ",LANGUAGE", *tag ? tag : "und"); /* Apple asks for one */
    sh_buf_printf(out, ",DEFAULT=%s,AUTOSELECT=%s", default_of(stream, t) == t ? "YES" : "NO",
                  is_autoselected(stream, t) ? "YES" : "NO");
    if (text)
        sh_buf_printf(out, ",FORCED=%s", t->role == SH_STREAM_FORCED ? "YES" : "NO");
    if (*characteristics(t))
        put_quoted(out, ",CHARACTERISTICS", characteristics(t));
    if (!text)
        sh_buf_printf(out, ",CHANNELS=\"%d\"", t->channels);
    sh_buf_puts(out, ",URI=\"");
    sh_manifest_uri(out, t->folder, sh_manifest_playlist(t), false);
    sh_buf_puts(out, "\"\n");
}

static void put_groups(sh_buf *out, const master *m)
{
    for (size_t g = 0; g < m->group_count; g++)
        for (size_t i = 0; i < m->stream->track_count; i++)
            if (is_in(&m->stream->tracks[i], SH_STREAM_AUDIO, m->groups[g]))
                put_media(out, m->stream, &m->stream->tracks[i]);
    for (size_t i = 0; i < m->stream->track_count; i++)
        if (m->stream->tracks[i].kind == SH_STREAM_TEXT)
            put_media(out, m->stream, &m->stream->tracks[i]);
}

/* ---- variants ---- */

/* The largest rate of a group's tracks. */
static int64_t most(const sh_stream *stream, sh_stream_kind kind, const char *group, bool peak)
{
    int64_t largest = 0;
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        if (!is_in(t, kind, group))
            continue;
        int64_t rate = peak ? sh_stream_peak(stream, t) : sh_stream_average(t);
        largest = rate > largest ? rate : largest;
    }
    return largest;
}

static int64_t rate_of(const master *m, const variant *v, bool peak)
{
    const sh_stream *s = m->stream;
    int64_t rate = most(s, SH_STREAM_TEXT, SUBTITLES, peak);
    if (v->video)
        rate += peak ? sh_stream_peak(s, v->video) : sh_stream_average(v->video);
    if (v->group)
        rate += most(s, SH_STREAM_AUDIO, v->group, peak);
    return rate;
}

static int add_variant(master *m, const sh_stream_track *video, const char *group, sh_err *err)
{
    if (m->variant_count == VARIANTS)
        return sh_fail(err, SH_E_LIMIT, "more than %d combinations of video and audio", VARIANTS);
    variant *v = &m->variants[m->variant_count++];
    *v = (variant){.video = video, .group = group};
    v->peak = rate_of(m, v, true);
    v->average = rate_of(m, v, false);
    return 0;
}

static int add_video(master *m, const sh_stream_track *t, sh_err *err)
{
    bool found = false;
    for (size_t g = 0; g < m->group_count; g++) {
        if (t->audio_group && strcmp(t->audio_group, m->groups[g]) != 0)
            continue;
        found = true;
        int status = add_variant(m, t, m->groups[g], err);
        if (status < 0)
            return status;
    }
    if (t->audio_group && !found)
        return sh_fail(err, SH_E_ARGUMENT, "track %s plays with the audio group \"%s\", which has no track",
                       t->id, t->audio_group);
    return found ? 0 : add_variant(m, t, NULL, err);
}

static void find_groups(master *m)
{
    for (size_t i = 0; i < m->stream->track_count; i++) {
        const sh_stream_track *t = &m->stream->tracks[i];
        size_t g = 0;
        m->has_video |= t->kind == SH_STREAM_VIDEO;
        m->has_text |= t->kind == SH_STREAM_TEXT;
        if (t->kind != SH_STREAM_AUDIO)
            continue;
        while (g < m->group_count && strcmp(m->groups[g], group_of(t)) != 0)
            g++;
        if (g == m->group_count)
            m->groups[m->group_count++] = group_of(t);
    }
}

static int find_variants(master *m, sh_err *err)
{
    int status = 0;
    find_groups(m);
    for (size_t i = 0; i < m->stream->track_count && status == 0; i++)
        if (m->stream->tracks[i].kind == SH_STREAM_VIDEO)
            status = add_video(m, &m->stream->tracks[i], err);
    for (size_t g = 0; !m->has_video && g < m->group_count && status == 0; g++)
        status = add_variant(m, NULL, m->groups[g], err);
    if (status == 0 && m->variant_count == 0)
        status = sh_fail(err, SH_E_ARGUMENT, "a stream has to have a video or an audio track");
    return status;
}

/* The one that players begin with goes to the front; the others keep their order. */
static void order_variants(master *m)
{
    size_t first = 0;
    const int64_t limit = m->stream->first_rate;
    for (size_t i = 1; limit > 0 && i < m->variant_count; i++) {
        const int64_t best = m->variants[first].peak, rate = m->variants[i].peak;
        bool better = best > limit ? rate < best : rate <= limit && rate > best;
        first = better ? i : first;
    }
    variant chosen = m->variants[first];
    memmove(&m->variants[1], &m->variants[0], first * sizeof(variant));
    m->variants[0] = chosen;
}

/* ---- EXT-X-STREAM-INF ---- */

static const sh_stream_track *first_of_group(const master *m, const char *group)
{
    for (size_t i = 0; i < m->stream->track_count; i++)
        if (is_in(&m->stream->tracks[i], SH_STREAM_AUDIO, group))
            return default_of(m->stream, &m->stream->tracks[i]);
    return NULL;
}

/* "avc1.64001f,mp4a.40.2": each once. */
static void put_codecs(sh_buf *out, const master *m, const variant *v)
{
    const char *all[SH_MANIFEST_TRACKS + 1];
    size_t count = 0;
    if (v->video)
        all[count++] = v->video->codecs;
    for (size_t i = 0; v->group && i < m->stream->track_count; i++) {
        const sh_stream_track *t = &m->stream->tracks[i];
        bool known = !is_in(t, SH_STREAM_AUDIO, v->group);
        for (size_t k = 0; k < count && !known; k++)
            known = strcmp(all[k], t->codecs) == 0;
        if (!known)
            all[count++] = t->codecs;
    }
    sh_buf_puts(out, ",CODECS=\"");
    for (size_t k = 0; k < count; k++)
        sh_buf_printf(out, "%s%s", k ? "," : "", all[k]);
    sh_buf_putc(out, '"');
}

/* RESOLUTION is what to show it at: pixels that are not square change the width. */
static void put_picture(sh_buf *out, const sh_stream_track *t)
{
    int64_t width = t->width;
    if (t->sar_num > 0 && t->sar_den > 0)
        width = (width * t->sar_num + t->sar_den / 2) / t->sar_den;
    sh_buf_printf(out, ",RESOLUTION=%" PRId64 "x%d", width > 0 ? width : 1, t->height);
}

static void put_rate(sh_buf *out, const sh_stream_track *t)
{
    if (t->rate_num <= 0 || t->rate_den <= 0)
        return;
    int64_t milli = ((int64_t)t->rate_num * 1000 + t->rate_den / 2) / t->rate_den;
    sh_buf_printf(out, ",FRAME-RATE=%" PRId64 ".%03" PRId64, milli / 1000, milli % 1000);
}

static void put_variant(sh_buf *out, const master *m, const variant *v)
{
    const sh_stream_track *t = v->video ? v->video : first_of_group(m, v->group);
    sh_buf_printf(out, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64, v->peak,
                  v->average);
    put_codecs(out, m, v);
    if (v->video) {
        put_picture(out, t);
        put_rate(out, t);
        sh_buf_printf(out, ",VIDEO-RANGE=%s", sh_stream_range(t));
    }
    if (v->group)
        put_quoted(out, ",AUDIO", v->group);
    if (m->has_text)
        put_quoted(out, ",SUBTITLES", SUBTITLES);
    if (v->video && !m->stream->captions_unsaid)
        sh_buf_puts(out, ",CLOSED-CAPTIONS=NONE");
    sh_buf_putc(out, '\n');
    sh_manifest_uri(out, t->folder, sh_manifest_playlist(t), false);
    sh_buf_putc(out, '\n');
}

static void put_iframes(sh_buf *out, const sh_stream *stream, const sh_stream_track *t)
{
    sh_buf_printf(
        out, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64 ",CODECS=\"%.*s\"",
        sh_stream_key_peak(stream, t), sh_stream_key_average(t), (int)sh_manifest_codec_length(t->codecs),
        t->codecs);
    put_picture(out, t);
    sh_buf_printf(out, ",VIDEO-RANGE=%s,URI=\"", sh_stream_range(t));
    sh_manifest_uri(out, t->folder, t->iframes, false);
    sh_buf_puts(out, "\"\n");
}

static int version_of(const sh_stream *stream)
{
    int version = 3;
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        int own = t->init ? 6 : t->iframes ? 4 : 3;
        version = own > version ? own : version;
    }
    return version;
}

int sh_hls_master(sh_buf *out, const sh_stream *stream, sh_err *err)
{
    master m = {.stream = stream};
    int status = sh_manifest_check(stream, err);
    if (status == 0)
        status = find_variants(&m, err);
    if (status < 0)
        return status;
    order_variants(&m);
    sh_buf_printf(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", version_of(stream));
    put_groups(out, &m);
    for (size_t i = 0; i < m.variant_count; i++)
        put_variant(out, &m, &m.variants[i]);
    for (size_t i = 0; i < stream->track_count; i++)
        if (stream->tracks[i].kind == SH_STREAM_VIDEO && stream->tracks[i].iframes)
            put_iframes(out, stream, &stream->tracks[i]);
    return out->failed
               ? sh_fail(err, SH_E_LIMIT, "the multivariant playlist has more than %zu bytes", out->maximum)
               : 0;
}
