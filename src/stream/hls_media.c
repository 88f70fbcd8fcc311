/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Media playlists and I-frame playlists.
 *
 * Written durations are differences of rounded ends, so that their sum is the track's presented end within
 * half a microsecond and each is within one of its own. EXT-X-VERSION is the least that the tags used allow
 * (RFC 8216, 7): 3 for decimal EXTINF, 4 for byte ranges and I-frame playlists, 6 for EXT-X-MAP. */
#include "stream/manifest_inner.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

#define MICRO 1000000

/* ---- one line ---- */

static int64_t to_micro(int64_t ticks, int64_t timescale)
{
    return (int64_t)(((__int128)ticks * MICRO + timescale / 2) / timescale);
}

typedef struct extinf {
    int64_t timescale, ticks; /* ends so far */
    bool integer;
} extinf;

static void put_extinf(sh_buf *out, extinf *e, int64_t duration)
{
    int64_t begin = to_micro(e->ticks, e->timescale);
    int64_t micro = to_micro(e->ticks + duration, e->timescale) - begin;
    int64_t seconds = sh_manifest_seconds(duration, e->timescale);
    e->ticks += duration;
    if (e->integer)
        sh_buf_printf(out, "#EXTINF:%" PRId64 ",\n", seconds > 0 ? seconds : 1);
    else
        sh_buf_printf(out, "#EXTINF:%" PRId64 ".%06" PRId64 ",\n", micro / MICRO, micro % MICRO);
}

static void put_head(sh_buf *out, const sh_stream *stream, int version, int64_t target)
{
    sh_buf_printf(out,
                  "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%" PRId64
                  "\n#EXT-X-MEDIA-SEQUENCE:%" PRId64 "\n#EXT-X-PLAYLIST-TYPE:%s\n",
                  version, target, stream->media_sequence, stream->growing ? "EVENT" : "VOD");
}

static void put_map(sh_buf *out, const sh_stream_track *t)
{
    if (!t->init)
        return;
    sh_buf_puts(out, "#EXT-X-MAP:URI=\"");
    sh_manifest_uri(out, NULL, t->init, false);
    sh_buf_puts(out, "\"\n");
}

static int end(sh_buf *out, const sh_stream *stream, const sh_stream_track *t, sh_err *err)
{
    if (!stream->growing)
        sh_buf_puts(out, "#EXT-X-ENDLIST\n");
    return out->failed ? sh_fail(err, SH_E_LIMIT, "track %s: its playlist has more than %zu bytes", t->id,
                                 out->maximum)
                       : 0;
}

/* ---- media playlists ---- */

static void put_date(sh_buf *out, const sh_stream *stream, const sh_stream_track *t, size_t n, int64_t *next)
{
    char text[SH_TIME_TEXT];
    int64_t ms = (int64_t)((__int128)sh_stream_time(t, n) * 1000 / t->timescale);
    if (stream->date_every <= 0 || ms < *next)
        return;
    sh_time_iso_ms(stream->epoch_ms + ms, text);
    sh_buf_printf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n", text);
    *next = ms + stream->date_every * 1000;
}

int sh_hls_media(sh_buf *out, const sh_stream *stream, const sh_stream_track *t, sh_err *err)
{
    int status = sh_manifest_check(stream, err);
    if (status == 0)
        status = sh_manifest_check_track(t, err);
    if (status < 0)
        return status;
    if (t->kind == SH_STREAM_SHEETS)
        return sh_fail(err, SH_E_ARGUMENT, "track %s: HLS has no playlist of sprite sheets", t->id);
    extinf e = {t->timescale, 0, stream->durations == SH_EXTINF_INTEGER};
    int64_t target = sh_stream_target(stream), own = sh_manifest_longest(t), next = INT64_MIN;
    put_head(out, stream, t->init ? 6 : 3, own > target ? own : target);
    if (t->kind != SH_STREAM_TEXT)
        sh_buf_puts(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    put_map(out, t);
    for (size_t n = 0; n < t->segment_count; n++) {
        put_date(out, stream, t, n, &next);
        put_extinf(out, &e, sh_manifest_duration(t, n));
        sh_manifest_uri(out, NULL, t->segments[n].name, false);
        sh_buf_putc(out, '\n');
    }
    return end(out, stream, t, err);
}

/* ---- I-frame playlists ---- */

static void put_keys(sh_buf *out, const sh_stream_track *t, size_t n, extinf *e)
{
    const sh_stream_segment *s = &t->segments[n];
    for (size_t i = 0; i < s->key_count; i++) {
        put_extinf(out, e, sh_manifest_key_duration(t, n, i));
        sh_buf_printf(out, "#EXT-X-BYTERANGE:%" PRId64 "@%" PRId64 "\n", s->keys[i].size, s->keys[i].offset);
        sh_manifest_uri(out, NULL, s->name, false);
        sh_buf_putc(out, '\n');
    }
}

int sh_hls_iframes(sh_buf *out, const sh_stream *stream, const sh_stream_track *t, sh_err *err)
{
    int status = sh_manifest_check(stream, err);
    if (status == 0)
        status = sh_manifest_check_track(t, err);
    if (status < 0)
        return status;
    if (t->kind != SH_STREAM_VIDEO || !sh_manifest_has_keys(t))
        return sh_fail(err, SH_E_ARGUMENT, "track %s: its key pictures are not known", t->id);
    extinf e = {t->timescale, 0, false};
    put_head(out, stream, t->init ? 6 : 4, sh_manifest_key_target(stream, t));
    sh_buf_puts(out, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-I-FRAMES-ONLY\n");
    put_map(out, t);
    for (size_t n = 0; n < t->segment_count; n++)
        put_keys(out, t, n, &e);
    return end(out, stream, t, err);
}
