/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Media segments. The table of times is made first and everything that can be wrong is found in it, so that
 * writing cannot fail but for memory. */
#include "stream/cmaf.h"
#include "stream/box.h"
#include <inttypes.h>
#include <stdlib.h>

#define FLAGS_SYNC 0x02000000u  /* depends on no other sample */
#define FLAGS_DELTA 0x01010000u /* depends on others, no sync sample */

enum { TFHD_DURATION = 8, TFHD_FLAGS = 0x20, TFHD_BASE_IS_MOOF = 0x20000 };
enum {
    TRUN_OFFSET = 1,
    TRUN_FIRST_FLAGS = 4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_COMPOSITION = 0x800
};

/* When a sample is decoded, and how long it is shown, which is how long it takes on the line of decoding:
 * players (Chromium's Media Source among them) take the duration in `trun` as that of the picture itself. */
typedef struct decode {
    int64_t time, duration;
} decode;

static int decode_compare(const void *a, const void *b)
{
    const decode *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

/* The composition offset as it is written: the init segment's edit list takes the delay off again. */
static int64_t offset_of(const sh_cmaf_track *track, const sh_cmaf_sample *sample, const decode *times)
{
    return sample->pts - times->time + (track->kind == SH_CMAF_VIDEO ? (int64_t)track->delay : 0);
}

static bool begins_fragment(const sh_cmaf_track *track, const sh_cmaf_sample *samples, size_t at)
{
    return at == 0 || (track->kind == SH_CMAF_VIDEO && samples[at].sync);
}

static int samples_check(const sh_cmaf_track *track, const sh_cmaf_sample *samples, size_t count, sh_err *err)
{
    uint64_t bytes = 0;
    if (count == 0 || count > SH_CMAF_MAX_SAMPLES)
        return sh_fail(err, SH_E_ARGUMENT, "a segment of %zu samples; 1 to %d can be", count,
                       SH_CMAF_MAX_SAMPLES);
    if (track->kind == SH_CMAF_VIDEO && !samples[0].sync)
        return sh_fail(err, SH_E_ARGUMENT, "sample 0 of the segment at %" PRId64 " is no key picture",
                       samples[0].pts);
    for (size_t i = 0; i < count; i++) {
        const sh_cmaf_sample *s = &samples[i];
        if (s->size == 0 || !s->data || s->pts < 0 || s->pts > INT64_MAX / 2 || s->duration <= 0 ||
            s->duration > UINT32_MAX)
            return sh_fail(err, SH_E_ARGUMENT,
                           "sample %zu: %u bytes at %" PRId64 " for %" PRId64 " ticks is not possible", i,
                           s->size, s->pts, s->duration);
        bytes += s->size;
    }
    if (bytes > SH_CMAF_MAX_SEGMENT)
        return sh_fail(err, SH_E_ARGUMENT, "a segment of %" PRIu64 " bytes; at most %u can be", bytes,
                       SH_CMAF_MAX_SEGMENT);
    return 0;
}

/* SH_E_ARGUMENT where the pictures do not tile the segment. `shown` is room for `count`. */
static int tiles_check(decode *shown, const sh_cmaf_sample *samples, size_t count, sh_err *err)
{
    for (size_t i = 0; i < count; i++)
        shown[i] = (decode){.time = samples[i].pts, .duration = samples[i].duration};
    qsort(shown, count, sizeof(*shown), decode_compare);
    for (size_t i = 0; i + 1 < count; i++)
        if (shown[i].time + shown[i].duration != shown[i + 1].time)
            return sh_fail(err, SH_E_ARGUMENT,
                           "the sample at %" PRId64 " lasts %" PRId64 " ticks, but the next is at %" PRId64,
                           shown[i].time, shown[i].duration, shown[i + 1].time);
    return 0;
}

/* Times of decoding, one sample after the other from the earliest on, which is times[0] as tiles_check leaves
 * it. Every GOP is closed: its first picture is decoded when it is shown, and none of it is shown before. */
static int times_make(decode *times, const sh_cmaf_track *track, const sh_cmaf_sample *samples, size_t count,
                      sh_err *err)
{
    int64_t begin = 0, time = times[0].time;
    for (size_t i = 0; i < count; i++) {
        const sh_cmaf_sample *s = &samples[i];
        times[i] = (decode){.time = time, .duration = s->duration};
        time += s->duration;
        if (begins_fragment(track, samples, i)) {
            begin = s->pts;
            if (begin != times[i].time)
                return sh_fail(err, SH_E_ARGUMENT,
                               "sample %zu at %" PRId64 " begins a GOP that is not closed: it would be "
                               "decoded at %" PRId64,
                               i, begin, times[i].time);
        }
        if (s->pts < begin)
            return sh_fail(err, SH_E_ARGUMENT,
                           "sample %zu is shown at %" PRId64 ", before the key picture at %" PRId64
                           " of its GOP",
                           i, s->pts, begin);
        const int64_t offset = offset_of(track, s, &times[i]);
        if (offset < INT32_MIN || offset > INT32_MAX)
            return sh_fail(err, SH_E_ARGUMENT, "sample %zu: composition offset %" PRId64 " is out of range",
                           i, offset);
    }
    return 0;
}

static void put_tfhd(sh_buf *out, const sh_cmaf_track *track, bool one_duration, int64_t duration)
{
    const size_t place =
        sh_box_open_full(out, SH_FOURCC('t', 'f', 'h', 'd'), 0,
                         TFHD_BASE_IS_MOOF | TFHD_FLAGS | (one_duration ? TFHD_DURATION : 0u));
    sh_put_u32(out, 1);
    if (one_duration)
        sh_put_u32(out, (uint32_t)duration);
    sh_put_u32(out, track->kind == SH_CMAF_VIDEO ? FLAGS_DELTA : FLAGS_SYNC);
    sh_box_close(out, place);
}

/* Gives the place of its data offset. */
static size_t put_trun(sh_buf *out, const sh_cmaf_track *track, bool one_duration, const decode *times,
                       const sh_cmaf_sample *samples, size_t count)
{
    const bool video = track->kind == SH_CMAF_VIDEO;
    bool shifted = false;
    for (size_t i = 0; i < count; i++)
        shifted |= offset_of(track, &samples[i], &times[i]) != 0;
    const uint32_t flags = TRUN_OFFSET | TRUN_SIZE | (video ? TRUN_FIRST_FLAGS : 0u) |
                           (one_duration ? 0u : TRUN_DURATION) | (shifted ? TRUN_COMPOSITION : 0u);
    const size_t place = sh_box_open_full(out, SH_FOURCC('t', 'r', 'u', 'n'), 1, flags);
    sh_put_u32(out, (uint32_t)count);
    const size_t offset = out->length;
    sh_put_u32(out, 0);
    if (video)
        sh_put_u32(out, FLAGS_SYNC);
    for (size_t i = 0; i < count; i++) {
        if (!one_duration)
            sh_put_u32(out, (uint32_t)times[i].duration);
        sh_put_u32(out, samples[i].size);
        if (shifted)
            sh_put_u32(out, (uint32_t)(int32_t)offset_of(track, &samples[i], &times[i]));
    }
    sh_box_close(out, place);
    return offset;
}

static void put_moof(sh_buf *out, const sh_cmaf_track *track, uint32_t sequence, const decode *times,
                     const sh_cmaf_sample *samples, size_t count)
{
    bool one_duration = true;
    for (size_t i = 1; i < count; i++)
        one_duration &= times[i].duration == times[0].duration;
    const size_t moof = sh_box_open(out, SH_FOURCC('m', 'o', 'o', 'f'));
    const size_t mfhd = sh_box_open_full(out, SH_FOURCC('m', 'f', 'h', 'd'), 0, 0);
    sh_put_u32(out, sequence);
    sh_box_close(out, mfhd);
    const size_t traf = sh_box_open(out, SH_FOURCC('t', 'r', 'a', 'f'));
    put_tfhd(out, track, one_duration, times[0].duration);
    const size_t tfdt = sh_box_open_full(out, SH_FOURCC('t', 'f', 'd', 't'), 1, 0);
    sh_put_u64(out, (uint64_t)times[0].time);
    sh_box_close(out, tfdt);
    const size_t offset = put_trun(out, track, one_duration, times, samples, count);
    sh_box_close(out, traf);
    sh_box_close(out, moof);
    sh_patch_u32(out, offset, (uint32_t)(out->length - moof + 8));
}

static void put_fragment(sh_buf *out, size_t segment, const sh_cmaf_track *track, uint32_t sequence,
                         const decode *times, const sh_cmaf_sample *samples, size_t count,
                         sh_cmaf_fragment *fragment)
{
    const size_t begin = out->length;
    put_moof(out, track, sequence, times, samples, count);
    const size_t mdat = sh_box_open(out, SH_FOURCC('m', 'd', 'a', 't'));
    *fragment = (sh_cmaf_fragment){.offset = begin - segment, .time = times[0].time};
    fragment->key_size = out->length - begin + samples[0].size;
    for (size_t i = 0; i < count; i++) {
        sh_buf_append(out, samples[i].data, samples[i].size);
        fragment->duration += times[i].duration;
    }
    sh_box_close(out, mdat);
    fragment->size = out->length - begin;
}

static void put_styp(sh_buf *out)
{
    const size_t place = sh_box_open(out, SH_FOURCC('s', 't', 'y', 'p'));
    sh_buf_puts(out, "msdh");
    sh_put_u32(out, 0);
    sh_buf_puts(out, "msdhcmfsiso6");
    sh_box_close(out, place);
}

/* The most that a segment can take: styp, 108 bytes of boxes a fragment, 12 bytes of trun a sample. */
static size_t most_bytes(const sh_cmaf_track *track, const sh_cmaf_sample *samples, size_t count)
{
    size_t bytes = 28;
    for (size_t i = 0; i < count; i++)
        bytes += samples[i].size + 12u + (begins_fragment(track, samples, i) ? 108u : 0u);
    return bytes;
}

int sh_cmaf_write_segment(sh_buf *out, const sh_cmaf_track *track, uint32_t first_sequence,
                          const sh_cmaf_sample *samples, size_t count, sh_cmaf_fragment *index,
                          size_t *fragments, sh_err *err)
{
    const size_t segment = out->length;
    size_t made = 0, from = 0;
    decode *times = NULL;
    int rc = samples_check(track, samples, count, err);
    if (rc)
        return rc;
    if (first_sequence == 0 || *fragments == 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "a segment needs a sequence number above 0 and room for its index");
    times = malloc(count * sizeof(*times));
    if (!times || sh_buf_reserve(out, most_bytes(track, samples, count))) {
        rc = sh_fail(err, SH_E_MEMORY, "no memory for a segment of %zu samples", count);
        goto done;
    }
    rc = tiles_check(times, samples, count, err);
    if (rc == 0)
        rc = times_make(times, track, samples, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        made += begins_fragment(track, samples, i);
    if (rc == 0 && made > *fragments)
        rc = sh_fail(err, SH_E_ARGUMENT, "an index of %zu entries for %zu GOPs", *fragments, made);
    if (rc)
        goto done;
    put_styp(out);
    for (size_t f = 0; f < made; f++) {
        size_t to = from + 1;
        while (to < count && !begins_fragment(track, samples, to))
            to++;
        put_fragment(out, segment, track, first_sequence + (uint32_t)f, times + from, samples + from,
                     to - from, &index[f]);
        from = to;
    }
    if (out->failed)
        rc = sh_fail(err, SH_E_MEMORY, "no memory for a segment of %zu samples", count);
    else
        *fragments = made;
done:
    free(times);
    return rc;
}
