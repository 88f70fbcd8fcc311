/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Media segments read back. Samples get their places from the tables alone; whether those places lie in the
 * fragment's mdat is settled when the mdat has been seen. Arithmetic cannot overflow: times from outside are
 * held below 2^62, sizes and offsets are of 32 bits, and samples are counted. */
#include "stream/mp4_inner.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NOT_SYNC 0x10000u

enum { TFHD_BASE = 1, TFHD_DESCRIPTION = 2, TFHD_DURATION = 8, TFHD_SIZE = 0x10, TFHD_FLAGS = 0x20 };
enum { TFHD_IS_MOOF = 0x20000 };
enum { TRUN_OFFSET = 1, TRUN_FIRST_FLAGS = 4, TRUN_DURATION = 0x100, TRUN_SIZE = 0x200, TRUN_FLAGS = 0x400 };
enum { TRUN_COMPOSITION = 0x800 };

typedef struct context {
    sh_mp4_segment *segment;
    const sh_mp4_track *track;
    sh_mp4_fragment *fragment; /* of the moof being read, or whose mdat is awaited */
    size_t sample_room, fragment_room;
    bool seen_mfhd, seen_tfhd;
    uint32_t told; /* flags of tfhd */
    uint32_t duration, size, flags;
    uint64_t base, next; /* data offset of the traf; end of the run before */
    int64_t time;        /* decode time of the next sample */
    int64_t skipped;     /* by the edit list */
} context;

/* Room for one more in an array of items. */
static int grow(void **array, size_t *room, size_t count, size_t item, sh_err *err)
{
    if (count < *room)
        return 0;
    if (count >= SH_CMAF_MAX_SAMPLES)
        return sh_fail(err, SH_E_LIMIT, "more than %d samples or fragments in a segment",
                       SH_CMAF_MAX_SAMPLES);
    const size_t more = *room ? *room * 2 : 256;
    void *larger = realloc(*array, more * item);
    if (!larger)
        return sh_fail(err, SH_E_MEMORY, "no memory for %zu samples", more);
    *array = larger;
    *room = more;
    return 0;
}

static int read_mfhd(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 0, &version, &flags, err);
    if (rc)
        return rc;
    c->fragment->sequence = sh_span_u32(&box->body);
    c->seen_mfhd = true;
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int tfhd_base(context *c, sh_span *span, const sh_box *box, sh_err *err)
{
    sh_mp4_fragment *f = c->fragment;
    if (c->told & TFHD_BASE) {
        f->base_data_offset = true;
        c->base = sh_span_u64(span);
        if (c->base > (uint64_t)MOST_TIME)
            return sh_fail(err, SH_E_FORMAT, "box tfhd at byte %" PRIu64 ": data at %" PRIu64 " cannot be",
                           box->offset, c->base);
    } else if (c->told & TFHD_IS_MOOF || f->trafs == 1) {
        c->base = f->offset;
    } else {
        c->base = c->next;
    }
    c->next = c->base;
    return 0;
}

static int read_tfhd(context *c, sh_box *box, sh_err *err)
{
    sh_mp4_fragment *f = c->fragment;
    sh_span *span = &box->body;
    uint8_t version;
    int rc = sh_box_full(box, 0, &version, &c->told, err);
    if (rc)
        return rc;
    f->track_id = sh_span_u32(span);
    if (!span->short_ && f->track_id != c->track->id)
        return sh_fail(err, SH_E_FORMAT,
                       "box tfhd at byte %" PRIu64 " is of track %" PRIu32 ", not of %" PRIu32, box->offset,
                       f->track_id, c->track->id);
    rc = tfhd_base(c, span, box, err);
    if (rc)
        return rc;
    f->base_is_moof = c->told & TFHD_IS_MOOF;
    if (c->told & TFHD_DESCRIPTION)
        f->description_other |= sh_span_u32(span) != 1;
    c->duration = c->told & TFHD_DURATION ? sh_span_u32(span) : c->track->trex.duration;
    c->size = c->told & TFHD_SIZE ? sh_span_u32(span) : c->track->trex.size;
    c->flags = c->told & TFHD_FLAGS ? sh_span_u32(span) : c->track->trex.flags;
    c->seen_tfhd = true;
    return span->short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_tfdt(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 1, &version, &flags, err);
    if (rc)
        return rc;
    const uint64_t time = version ? sh_span_u64(&box->body) : sh_span_u32(&box->body);
    if (box->body.short_)
        return sh_mp4_cut(box, err);
    if (time > (uint64_t)MOST_TIME)
        return sh_fail(err, SH_E_FORMAT, "box tfdt at byte %" PRIu64 ": time %" PRIu64 " cannot be",
                       box->offset, time);
    c->time = (int64_t)time;
    if (!c->fragment->has_tfdt) {
        c->fragment->tfdt = c->time;
        c->fragment->tfdt_version = version;
    }
    c->fragment->has_tfdt = true;
    return 0;
}

/* One sample of a run: what the run does not tell, tfhd or trex does. */
static int read_sample(context *c, sh_span *span, uint32_t told, uint8_t version, const uint32_t *first_flags,
                       sh_err *err)
{
    sh_mp4_segment *s = c->segment;
    sh_mp4_sample sample = {.offset = c->next, .dts = c->time};
    const int rc = grow((void **)&s->samples, &c->sample_room, s->sample_count, sizeof(*s->samples), err);
    if (rc)
        return rc;
    sample.duration = told & TRUN_DURATION ? sh_span_u32(span) : c->duration;
    sample.size = told & TRUN_SIZE ? sh_span_u32(span) : c->size;
    sample.flags = told & TRUN_FLAGS ? sh_span_u32(span) : first_flags ? *first_flags : c->flags;
    sample.pts = sample.dts - c->skipped;
    if (told & TRUN_COMPOSITION) {
        const uint32_t shift = sh_span_u32(span);
        sample.pts += version ? (int64_t)(int32_t)shift : (int64_t)shift;
    }
    sample.sync = !(sample.flags & NOT_SYNC);
    s->samples[s->sample_count++] = sample;
    c->next += sample.size;
    c->time += sample.duration;
    c->fragment->count++;
    c->fragment->duration += sample.duration;
    return 0;
}

/* Whether nothing that the run needs comes from trex. */
static bool run_is_whole(const context *c, uint32_t told, uint32_t count)
{
    const bool flags = told & TRUN_FLAGS || c->told & TFHD_FLAGS || (told & TRUN_FIRST_FLAGS && count == 1);
    return (told & TRUN_DURATION || c->told & TFHD_DURATION) && (told & TRUN_SIZE || c->told & TFHD_SIZE) &&
           flags;
}

static int read_trun(context *c, sh_box *box, sh_err *err)
{
    sh_span *span = &box->body;
    uint32_t told, first_flags = 0;
    uint8_t version;
    int rc = sh_box_full(box, 1, &version, &told, err);
    if (rc)
        return rc;
    if (!c->seen_tfhd)
        return sh_fail(err, SH_E_FORMAT, "box trun at byte %" PRIu64 " before the tfhd of its traf",
                       box->offset);
    const uint32_t count = sh_span_u32(span);
    if (told & TRUN_OFFSET)
        c->next = c->base + (uint64_t)(int64_t)(int32_t)sh_span_u32(span);
    if (told & TRUN_FIRST_FLAGS)
        first_flags = sh_span_u32(span);
    c->fragment->trun_version = version;
    c->fragment->truns++;
    c->fragment->self_contained &= run_is_whole(c, told, count);
    for (uint32_t i = 0; rc == 0 && i < count && !span->short_; i++)
        rc =
            read_sample(c, span, told, version, told & TRUN_FIRST_FLAGS && i == 0 ? &first_flags : NULL, err);
    if (rc == 0 && span->short_)
        rc = sh_mp4_cut(box, err);
    return rc;
}

static int read_traf_child(context *c, sh_box *box, sh_err *err)
{
    switch (box->type) {
    case SH_FOURCC('t', 'f', 'h', 'd'):
        return read_tfhd(c, box, err);
    case SH_FOURCC('t', 'f', 'd', 't'):
        return read_tfdt(c, box, err);
    case SH_FOURCC('t', 'r', 'u', 'n'):
        return read_trun(c, box, err);
    case SH_FOURCC('s', 'e', 'n', 'c'):
    case SH_FOURCC('s', 'a', 'i', 'o'):
    case SH_FOURCC('s', 'a', 'i', 'z'):
        c->segment->encrypted = true;
        break;
    }
    return 0;
}

static int read_traf(context *c, sh_box *traf, sh_err *err)
{
    sh_box box;
    int rc;
    c->fragment->trafs++;
    c->seen_tfhd = false;
    while ((rc = sh_box_next(&box, &traf->body, false, err)) > 0)
        if ((rc = read_traf_child(c, &box, err)) < 0)
            return rc;
    if (rc == 0 && !c->seen_tfhd)
        rc = sh_fail(err, SH_E_FORMAT, "box traf at byte %" PRIu64 " has no tfhd", traf->offset);
    return rc;
}

static int read_moof(context *c, sh_box *moof, sh_err *err)
{
    sh_mp4_segment *s = c->segment;
    sh_box box;
    int rc = grow((void **)&s->fragments, &c->fragment_room, s->fragment_count, sizeof(*s->fragments), err);
    if (rc)
        return rc;
    c->fragment = &s->fragments[s->fragment_count++];
    *c->fragment = (sh_mp4_fragment){.offset = moof->offset,
                                     .moof_size = moof->size,
                                     .first = s->sample_count,
                                     .tfdt = c->time,
                                     .self_contained = true};
    c->seen_mfhd = false;
    c->next = moof->offset;
    while ((rc = sh_box_next(&box, &moof->body, false, err)) > 0) {
        rc = box.type == SH_FOURCC('m', 'f', 'h', 'd')   ? read_mfhd(c, &box, err)
             : box.type == SH_FOURCC('t', 'r', 'a', 'f') ? read_traf(c, &box, err)
                                                         : 0;
        if (rc)
            return rc;
    }
    if (rc == 0 && (!c->seen_mfhd || c->fragment->trafs == 0))
        rc = sh_fail(err, SH_E_FORMAT, "box moof at byte %" PRIu64 " has no %s", moof->offset,
                     c->seen_mfhd ? "traf" : "mfhd");
    return rc;
}

static void outside_until(context *c, uint64_t from, uint64_t end)
{
    for (size_t i = 0; c->fragment && i < c->fragment->count; i++) {
        sh_mp4_sample *sample = &c->segment->samples[c->fragment->first + i];
        sample->outside =
            sample->offset < from || sample->offset > end || sample->size > end - sample->offset;
    }
}

static void read_mdat(context *c, const sh_box *mdat)
{
    const uint64_t from = mdat->body.base, end = mdat->offset + mdat->size;
    uint64_t used = 0;
    if (!c->fragment) {
        c->segment->loose += end - from;
        return;
    }
    c->fragment->mdat_offset = mdat->offset;
    c->fragment->end = end;
    outside_until(c, from, end);
    for (size_t i = 0; i < c->fragment->count; i++) {
        const sh_mp4_sample *sample = &c->segment->samples[c->fragment->first + i];
        used += sample->outside ? 0 : sample->size;
    }
    c->segment->loose += used < end - from ? end - from - used : 0;
    c->fragment = NULL;
}

static int read_box(context *c, sh_box *box, sh_err *err)
{
    switch (box->type) {
    case SH_FOURCC('s', 't', 'y', 'p'):
        if (!c->segment->styp.present)
            return sh_mp4_read_brands(&c->segment->styp, box, err);
        break;
    case SH_FOURCC('m', 'o', 'o', 'f'):
        outside_until(c, 0, 0);
        return read_moof(c, box, err);
    case SH_FOURCC('m', 'd', 'a', 't'):
        read_mdat(c, box);
        break;
    case SH_FOURCC('s', 'i', 'd', 'x'):
        c->segment->has_sidx = true;
        break;
    case SH_FOURCC('e', 'm', 's', 'g'):
        c->segment->has_emsg = true;
        break;
    case SH_FOURCC('p', 'r', 'f', 't'):
        c->segment->has_prft = true;
        break;
    case SH_FOURCC('m', 'o', 'o', 'v'):
        c->segment->has_moov = true;
        break;
    }
    return 0;
}

static void segment_sum(sh_mp4_segment *s)
{
    s->start = s->fragments[0].tfdt;
    s->first_pts = INT64_MAX;
    s->end_pts = INT64_MIN;
    for (size_t i = 0; i < s->sample_count; i++) {
        const sh_mp4_sample *sample = &s->samples[i];
        const int64_t end = sample->pts + sample->duration;
        s->duration += sample->duration;
        s->first_pts = sample->pts < s->first_pts ? sample->pts : s->first_pts;
        s->end_pts = end > s->end_pts ? end : s->end_pts;
    }
}

int sh_mp4_read_segment(sh_mp4_segment *out, const sh_mp4_track *track, const uint8_t *bytes, size_t size,
                        sh_err *err)
{
    sh_mp4_segment segment = {.fragments = NULL};
    context c = {.segment = &segment, .track = track, .skipped = sh_mp4_skipped(track)};
    sh_span span = sh_span_make(bytes, size, 0);
    sh_box box;
    int rc;
    while ((rc = sh_box_next(&box, &span, false, err)) > 0)
        if ((rc = read_box(&c, &box, err)) < 0)
            goto fail;
    if (rc < 0)
        goto fail;
    outside_until(&c, 0, 0);
    if (segment.sample_count == 0) {
        rc = sh_fail(err, SH_E_FORMAT, "%zu bytes hold %zu fragments and no sample: no media segment", size,
                     segment.fragment_count);
        goto fail;
    }
    segment_sum(&segment);
    *out = segment;
    return 0;
fail:
    sh_mp4_segment_free(&segment);
    return rc;
}

void sh_mp4_segment_free(sh_mp4_segment *segment)
{
    if (!segment)
        return;
    free(segment->fragments);
    free(segment->samples);
    memset(segment, 0, sizeof(*segment));
}
