/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bit rates, measured. A rate is bits over presented time, rounded up, so that what is declared is never
 * below what is there.
 *
 * The peak of HLS is that of any run of segments which lasts half to one and a half target durations; runs
 * that are shorter would let a last segment of one picture count alone. DASH defines @bandwidth by a leaky
 * bucket: a client that begins with any segment, waits minBufferTime and loads at @bandwidth never lacks a
 * segment when its time comes. That is
 *     bits(i..k) <= B * (buffer + t(k) - t(i))   for all i <= k
 * which one pass decides for a given B (keep the least of bits(0..i) - B * t(i)), and B is found by
 * bisection. */
#include "stream/manifest_inner.h"

typedef struct span { /* one segment, or one key picture */
    int64_t ticks, bytes;
} span;

/* The nth of them; false after the last. `at` is the walker's own: where it stands. */
typedef struct walker {
    const sh_stream_track *track;
    bool keys;
    size_t segment, key;
} walker;

static bool next(walker *w, span *out)
{
    const sh_stream_track *t = w->track;
    if (w->segment >= t->segment_count)
        return false;
    const sh_stream_segment *s = &t->segments[w->segment];
    if (!w->keys) {
        *out = (span){sh_manifest_duration(t, w->segment++), s->bytes};
        return true;
    }
    *out = (span){sh_manifest_key_duration(t, w->segment, w->key), s->keys[w->key].size};
    if (++w->key == s->key_count) {
        w->key = 0;
        w->segment++;
    }
    return true;
}

int64_t sh_divide_up(__int128 a, int64_t b)
{
    __int128 result = (a + b - 1) / b;
    return result > INT64_MAX ? INT64_MAX : (int64_t)result;
}

static int64_t average(const sh_stream_track *t, bool keys)
{
    walker w = {t, keys, 0, 0};
    span s;
    __int128 bytes = 0;
    int64_t ticks = 0;
    while (next(&w, &s)) {
        bytes += s.bytes;
        ticks += s.ticks;
    }
    return ticks > 0 ? sh_divide_up(bytes * 8 * t->timescale, ticks) : 0;
}

static int64_t peak(const sh_stream_track *t, bool keys, int64_t target)
{
    const __int128 full = (__int128)target * t->timescale;
    int64_t best = 0;
    span s;
    for (walker from = {t, keys, 0, 0};;) {
        walker w = from;
        __int128 bytes = 0, ticks = 0;
        while (next(&w, &s) && (ticks + s.ticks) * 2 <= full * 3) {
            ticks += s.ticks;
            bytes += s.bytes;
            int64_t rate = ticks * 2 >= full ? sh_divide_up(bytes * 8 * t->timescale, (int64_t)ticks) : 0;
            best = rate > best ? rate : best;
        }
        if (!next(&from, &s))
            break;
    }
    return best > 0 ? best : average(t, keys);
}

int64_t sh_stream_average(const sh_stream_track *t)
{
    return average(t, false);
}

int64_t sh_stream_peak(const sh_stream *stream, const sh_stream_track *t)
{
    return peak(t, false, sh_stream_target(stream));
}

/* ---- key pictures ---- */

bool sh_manifest_has_keys(const sh_stream_track *t)
{
    for (size_t i = 0; i < t->segment_count; i++)
        if (!t->segments[i].keys || t->segments[i].key_count == 0)
            return false;
    return t->segment_count > 0;
}

int64_t sh_manifest_key_duration(const sh_stream_track *t, size_t i, size_t n)
{
    const sh_stream_segment *s = &t->segments[i];
    int64_t end = n + 1 < s->key_count ? s->keys[n + 1].time : s->start + s->duration;
    return end - s->keys[n].time;
}

int64_t sh_manifest_key_target(const sh_stream *stream, const sh_stream_track *t)
{
    walker w = {t, true, 0, 0};
    span s;
    int64_t target = stream->growing && stream->target > 1 ? stream->target : 1;
    while (next(&w, &s)) {
        int64_t seconds = sh_manifest_seconds(s.ticks, t->timescale);
        target = seconds > target ? seconds : target;
    }
    return target;
}

int64_t sh_stream_key_average(const sh_stream_track *t)
{
    return sh_manifest_has_keys(t) ? average(t, true) : 0;
}

int64_t sh_stream_key_peak(const sh_stream *stream, const sh_stream_track *t)
{
    return sh_manifest_has_keys(t) ? peak(t, true, sh_manifest_key_target(stream, t)) : 0;
}

/* ---- DASH ---- */

/* All in bits * ticks / 1000 s: bits * timescale * 1000 against rate * ticks * 1000 and rate * ms *
 * timescale.
 */
static bool suffices(const sh_stream_track *t, int64_t rate, int64_t buffer_ms)
{
    const __int128 room = (__int128)rate * buffer_ms * t->timescale;
    __int128 bits = 0, ticks = 0, least = 0;
    walker w = {t, false, 0, 0};
    span s;
    while (next(&w, &s)) {
        __int128 before = bits * t->timescale * 1000 - ticks * rate * 1000;
        least = before < least ? before : least;
        bits += (__int128)s.bytes * 8;
        if (bits * t->timescale * 1000 - ticks * rate * 1000 - least > room)
            return false;
        ticks += s.ticks;
    }
    return true;
}

int64_t sh_manifest_bandwidth(const sh_stream *stream, const sh_stream_track *t, int64_t buffer_ms)
{
    int64_t low = sh_stream_peak(stream, t), high;
    low = low > 0 ? low : 1;
    if (suffices(t, low, buffer_ms))
        return low;
    for (high = low; !suffices(t, high, buffer_ms) && high < INT64_MAX / 2000000; high *= 2)
        low = high;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (suffices(t, middle, buffer_ms))
            high = middle;
        else
            low = middle;
    }
    return high;
}
