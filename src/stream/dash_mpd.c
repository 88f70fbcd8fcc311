/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MPD: one Period, isoff-live profile, static, or dynamic while a stream grows.
 *
 * Durations are xs:duration, decimal seconds. What has no end as a decimal is rounded up in the ninth digit:
 * a client cuts what lies after mediaPresentationDuration, so it must never be too short. A growing stream's
 * availabilityStartTime is the wall clock of presentation time 0; the clock that clients are given is that of
 * the writing, so they never ask for what is not there yet. */
#include "stream/dash_inner.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "urn:mpeg:dash:schema:mpd:2011"
#define NANO 1000000000

/* ticks / timescale seconds, "PT12.012S"; rounded up in the ninth digit. */
static void put_duration(sh_dash_xml *x, const char *name, __int128 ticks, int64_t timescale)
{
    __int128 nano = (ticks * NANO + timescale - 1) / timescale;
    char fraction[16];
    int length = snprintf(fraction, sizeof(fraction), "%09d", (int)(nano % NANO));
    while (length > 0 && fraction[length - 1] == '0')
        fraction[--length] = '\0';
    sh_dash_xml_format(x, name, "PT%" PRId64 "%s%sS", (int64_t)(nano / NANO), length ? "." : "", fraction);
}

static bool counts(const sh_stream_track *t)
{
    return t->kind == SH_STREAM_VIDEO || t->kind == SH_STREAM_AUDIO;
}

/* a/b < c/d */
static bool less(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return (__int128)a * d < (__int128)c * b;
}

typedef struct measures {
    int64_t end, end_scale; /* the latest presented end: a player that is told of an earlier one stands
                             * still in the rest of the last frame of sound */
    int64_t longest, longest_scale; /* segment */
    bool sdr, hdr;
} measures;

static void measure(const sh_stream *stream, measures *m)
{
    *m = (measures){.end_scale = 1, .longest_scale = 1};
    for (size_t i = 0; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        if (t->kind == SH_STREAM_VIDEO)
            *(strcmp(sh_stream_range(t), "SDR") == 0 ? &m->sdr : &m->hdr) = true;
        if (!counts(t))
            continue;
        if (less(m->end, m->end_scale, sh_stream_end(t), t->timescale)) {
            m->end = sh_stream_end(t);
            m->end_scale = t->timescale;
        }
        for (size_t n = 0; n < t->segment_count; n++) {
            int64_t duration = sh_manifest_duration(t, n);
            if (!less(m->longest, m->longest_scale, duration, t->timescale))
                continue;
            m->longest = duration;
            m->longest_scale = t->timescale;
        }
    }
}

static void put_head(sh_dash_xml *x, const sh_stream *stream, const measures *m, int64_t buffer_ms)
{
    char text[SH_TIME_TEXT];
    sh_dash_xml_attribute(x, "xmlns", SCHEMA);
    sh_dash_xml_attribute(x, "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
    sh_dash_xml_attribute(x, "xsi:schemaLocation", SCHEMA " DASH-MPD.xsd");
    sh_dash_xml_attribute(x, "profiles", "urn:mpeg:dash:profile:isoff-live:2011");
    sh_dash_xml_attribute(x, "type", stream->growing ? "dynamic" : "static");
    if (stream->growing) {
        sh_time_iso_ms(stream->epoch_ms, text);
        sh_dash_xml_attribute(x, "availabilityStartTime", text);
        sh_time_iso_ms(stream->now_ms, text);
        sh_dash_xml_attribute(x, "publishTime", text);
        put_duration(x, "minimumUpdatePeriod", m->longest, m->longest_scale * 2);
    } else {
        put_duration(x, "mediaPresentationDuration", m->end, m->end_scale);
    }
    put_duration(x, "minBufferTime", buffer_ms, 1000);
    put_duration(x, "maxSegmentDuration", m->longest, m->longest_scale);
}

static void put_title(sh_dash_xml *x, const char *title)
{
    if (!title || !*title)
        return;
    sh_dash_xml_open(x, "ProgramInformation");
    sh_dash_xml_open(x, "Title");
    sh_dash_xml_text(x, title);
    sh_dash_xml_close(x);
    sh_dash_xml_close(x);
}

static void put_clock(sh_dash_xml *x, const sh_stream *stream)
{
    char text[SH_TIME_TEXT];
    if (!stream->growing)
        return;
    sh_time_iso_ms(stream->now_ms, text);
    sh_dash_xml_open(x, "UTCTiming");
    sh_dash_xml_attribute(x, "schemeIdUri", "urn:mpeg:dash:utc:direct:2014");
    sh_dash_xml_attribute(x, "value", text);
    sh_dash_xml_close(x);
}

/* Takes the track's set out of those that are left. */
static void gather(const sh_stream *stream, bool *taken, size_t first, sh_dash_set *set)
{
    set->count = 0;
    for (size_t i = first; i < stream->track_count; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        if (taken[i] || !sh_dash_takes(stream, t) ||
            (i != first && !sh_dash_alike(&stream->tracks[first], t)))
            continue;
        taken[i] = true;
        set->members[set->count++] = t;
    }
}

/* Sets in the order of the tracks, of a kind the default before the others: clients begin with the first. */
static int put_sets(sh_dash_xml *x, const sh_stream *stream, const measures *m, int64_t buffer_ms,
                    sh_err *err)
{
    bool taken[SH_MANIFEST_TRACKS] = {0};
    int number = 0, status = 0;
    sh_dash_set *set = calloc(1, sizeof(*set));
    if (!set)
        return sh_fail(err, SH_E_MEMORY, "no memory for the adaptation sets");
    for (int kind = SH_STREAM_VIDEO; kind <= SH_STREAM_SHEETS; kind++) {
        for (int pass = 0; pass < 2; pass++) {
            for (size_t i = 0; i < stream->track_count && status == 0; i++) {
                const sh_stream_track *t = &stream->tracks[i];
                if (taken[i] || (int)t->kind != kind || !sh_dash_takes(stream, t) ||
                    (pass == 0 && !t->is_default))
                    continue;
                gather(stream, taken, i, set);
                status = sh_dash_put_set(x, stream, set, number++, buffer_ms, m->sdr && m->hdr, err);
            }
        }
    }
    free(set);
    return status;
}

static int check(const sh_stream *stream, sh_err *err)
{
    int status = sh_manifest_check(stream, err);
    bool any = false;
    for (size_t i = 0; i < stream->track_count && status == 0; i++) {
        const sh_stream_track *t = &stream->tracks[i];
        any |= counts(t);
        if (counts(t) && !t->init)
            status = sh_fail(err, SH_E_UNSUPPORTED,
                             "track %s has no initialisation segment: DASH is made of CMAF tracks", t->id);
    }
    if (status == 0 && !any)
        status = sh_fail(err, SH_E_ARGUMENT, "a stream has to have a video or an audio track");
    return status;
}

int sh_dash_mpd(sh_buf *out, const sh_stream *stream, sh_err *err)
{
    sh_dash_xml x;
    measures m;
    int status = check(stream, err);
    if (status < 0)
        return status;
    measure(stream, &m);
    int64_t buffer_ms = sh_divide_up((__int128)m.longest * 1000, m.longest_scale);
    buffer_ms = stream->min_buffer_ms > buffer_ms ? stream->min_buffer_ms : buffer_ms;
    sh_dash_xml_init(&x, out);
    sh_dash_xml_open(&x, "MPD");
    put_head(&x, stream, &m, buffer_ms);
    put_title(&x, stream->title);
    sh_dash_xml_open(&x, "Period");
    sh_dash_xml_attribute(&x, "id", "0");
    sh_dash_xml_attribute(&x, "start", "PT0S");
    status = put_sets(&x, stream, &m, buffer_ms, err);
    sh_dash_xml_close(&x);
    put_clock(&x, stream);
    sh_dash_xml_close(&x);
    if (status == 0 && out->failed)
        status = sh_fail(err, SH_E_LIMIT, "the MPD has more than %zu bytes", out->maximum);
    return status;
}
