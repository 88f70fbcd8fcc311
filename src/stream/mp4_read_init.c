/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Init segments read back. Containers are walked by tables of {type, reader}; a box that must be there once
 * is a bit of a mask, so that a second one and a missing one are both found. The sample description is kept
 * until the handler is known, since boxes may come in any order. */
#include "stream/box.h"
#include "stream/mp4_inner.h"
#include <inttypes.h>

enum { SEEN_MVHD = 1, SEEN_TKHD = 2, SEEN_MDHD = 4, SEEN_HDLR = 8, SEEN_STSD = 16, SEEN_TRACK = 30 };

typedef struct context {
    sh_mp4_init *init;
    sh_mp4_track *track; /* being read */
    unsigned seen;       /* SEEN_* */
    sh_box stsd;
    struct {
        uint32_t id;
        sh_mp4_defaults defaults;
    } trex[SH_MP4_MAX_TRACKS];
    size_t trex_count;
} context;

typedef struct row {
    uint32_t type;
    int (*read)(context *c, sh_box *box, sh_err *err);
} row;

int sh_mp4_cut(const sh_box *box, sh_err *err)
{
    char name[5];
    return sh_fail(err, SH_E_FORMAT, "box %s at byte %" PRIu64 " is too short for what it must hold",
                   sh_fourcc_text(box->type, name), box->offset);
}

int sh_mp4_read_brands(sh_mp4_brands *out, sh_box *box, sh_err *err)
{
    sh_mp4_brands brands = {.present = true, .offset = box->offset};
    brands.major = sh_span_u32(&box->body);
    brands.minor = sh_span_u32(&box->body);
    if (box->body.short_ || sh_span_left(&box->body) % 4 != 0)
        return sh_mp4_cut(box, err);
    while (sh_span_left(&box->body) > 0) {
        const uint32_t brand = sh_span_u32(&box->body);
        if (brands.count < SH_MP4_MAX_BRANDS)
            brands.compatible[brands.count++] = brand;
    }
    *out = brands;
    return 0;
}

bool sh_mp4_has_brand(const sh_mp4_brands *brands, const char fourcc[4])
{
    const uint32_t type =
        SH_FOURCC((uint8_t)fourcc[0], (uint8_t)fourcc[1], (uint8_t)fourcc[2], (uint8_t)fourcc[3]);
    if (brands->present && brands->major == type)
        return true;
    for (size_t i = 0; i < brands->count; i++)
        if (brands->compatible[i] == type)
            return true;
    return false;
}

int64_t sh_mp4_skipped(const sh_mp4_track *track)
{
    const int64_t at = track->edit_count == 1 ? track->edits[0].media_time : 0;
    return at > 0 && at <= MOST_TIME ? at : 0;
}

static int walk(context *c, sh_span *span, const row *rows, size_t count, sh_err *err)
{
    sh_box box;
    int rc;
    while ((rc = sh_box_next(&box, span, false, err)) > 0)
        for (size_t i = 0; i < count; i++)
            if (rows[i].type == box.type && (rc = rows[i].read(c, &box, err)) < 0)
                return rc;
    return rc;
}

static int once(context *c, const sh_box *box, unsigned bit, sh_err *err)
{
    char name[5];
    if (c->seen & bit)
        return sh_fail(err, SH_E_FORMAT, "box %s at byte %" PRIu64 " is there a second time",
                       sh_fourcc_text(box->type, name), box->offset);
    c->seen |= bit;
    return 0;
}

/* Version and flags, then the two times of creation and change. */
static int timed_box(sh_box *box, uint8_t *version, uint32_t *flags, sh_err *err)
{
    const int rc = sh_box_full(box, 1, version, flags, err);
    if (rc == 0)
        sh_span_bytes(&box->body, *version ? 16 : 8);
    return rc;
}

static uint64_t number(sh_span *span, uint8_t version)
{
    return version ? sh_span_u64(span) : sh_span_u32(span);
}

static int read_mvhd(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    int rc = once(c, box, SEEN_MVHD, err);
    if (rc == 0)
        rc = timed_box(box, &version, &flags, err);
    if (rc)
        return rc;
    c->init->timescale = sh_span_u32(&box->body);
    c->init->duration = number(&box->body, version);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_tkhd(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    int rc = once(c, box, SEEN_TKHD, err);
    if (rc == 0)
        rc = timed_box(box, &version, &flags, err);
    if (rc)
        return rc;
    c->track->enabled = flags & 1;
    c->track->id = sh_span_u32(&box->body);
    sh_span_bytes(&box->body, version ? 12 : 8);
    sh_span_bytes(&box->body, 16);
    for (int i = 0; i < 9; i++)
        c->track->matrix[i] = (int32_t)sh_span_u32(&box->body);
    c->track->shown_width = sh_span_u32(&box->body);
    c->track->shown_height = sh_span_u32(&box->body);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_mdhd(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    int rc = once(c, box, SEEN_MDHD, err);
    if (rc == 0)
        rc = timed_box(box, &version, &flags, err);
    if (rc)
        return rc;
    c->track->timescale = sh_span_u32(&box->body);
    c->track->duration = number(&box->body, version);
    const uint16_t packed = sh_span_u16(&box->body);
    if (box->body.short_)
        return sh_mp4_cut(box, err);
    if (c->track->timescale == 0)
        return sh_fail(err, SH_E_FORMAT, "box mdhd at byte %" PRIu64 ": timescale 0", box->offset);
    for (int i = 0; i < 3; i++) {
        const int letter = packed >> (10 - 5 * i) & 31;
        c->track->language[i] = (char)(letter >= 1 && letter <= 26 ? letter + 0x60 : '?');
    }
    return 0;
}

static int read_hdlr(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    int rc = once(c, box, SEEN_HDLR, err);
    if (rc == 0)
        rc = sh_box_full(box, 0, &version, &flags, err);
    if (rc)
        return rc;
    sh_span_u32(&box->body);
    c->track->handler = sh_span_u32(&box->body);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_elst(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 1, &version, &flags, err);
    if (rc)
        return rc;
    const uint32_t count = sh_span_u32(&box->body);
    if (count > sh_span_left(&box->body) / (version ? 20 : 12))
        return sh_mp4_cut(box, err);
    for (uint32_t i = 0; i < count && c->track->edit_count < SH_MP4_MAX_EDITS; i++) {
        sh_mp4_edit *edit = &c->track->edits[c->track->edit_count++];
        edit->duration = number(&box->body, version);
        edit->media_time = version ? (int64_t)sh_span_u64(&box->body) : (int32_t)sh_span_u32(&box->body);
        edit->rate = (int32_t)sh_span_u32(&box->body);
    }
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_stsd(context *c, sh_box *box, sh_err *err)
{
    c->stsd = *box;
    return once(c, box, SEEN_STSD, err);
}

static int read_sample_sizes(context *c, sh_box *box, sh_err *err)
{
    sh_span_bytes(&box->body, 8);
    c->track->table_samples = sh_span_u32(&box->body);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_edts(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('e', 'l', 's', 't'), read_elst}};
    return walk(c, &box->body, rows, 1, err);
}

static int read_stbl(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('s', 't', 's', 'd'), read_stsd},
                               {SH_FOURCC('s', 't', 's', 'z'), read_sample_sizes},
                               {SH_FOURCC('s', 't', 'z', '2'), read_sample_sizes}};
    return walk(c, &box->body, rows, 3, err);
}

static int read_minf(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('s', 't', 'b', 'l'), read_stbl}};
    return walk(c, &box->body, rows, 1, err);
}

static int read_mdia(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('m', 'd', 'h', 'd'), read_mdhd},
                               {SH_FOURCC('h', 'd', 'l', 'r'), read_hdlr},
                               {SH_FOURCC('m', 'i', 'n', 'f'), read_minf}};
    return walk(c, &box->body, rows, 3, err);
}

static int track_settle(context *c, const sh_box *trak, sh_err *err)
{
    static const char *const names[] = {"tkhd", "mdhd", "hdlr", "stsd"};
    sh_mp4_track *track = c->track;
    for (int i = 0; i < 4; i++)
        if (!(c->seen & (unsigned)SEEN_TKHD << i))
            return sh_fail(err, SH_E_FORMAT, "box trak at byte %" PRIu64 " has no %s", trak->offset,
                           names[i]);
    for (size_t i = 0; i < c->init->track_count; i++)
        if (c->init->tracks[i].id == track->id)
            return sh_fail(err, SH_E_FORMAT,
                           "box trak at byte %" PRIu64 ": track %" PRIu32 " is there a second time",
                           trak->offset, track->id);
    return sh_mp4_read_description(track, &c->stsd, err);
}

static int read_trak(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('t', 'k', 'h', 'd'), read_tkhd},
                               {SH_FOURCC('e', 'd', 't', 's'), read_edts},
                               {SH_FOURCC('m', 'd', 'i', 'a'), read_mdia}};
    if (c->init->track_count == SH_MP4_MAX_TRACKS)
        return sh_fail(err, SH_E_LIMIT, "more than %d tracks", SH_MP4_MAX_TRACKS);
    c->track = &c->init->tracks[c->init->track_count];
    *c->track = (sh_mp4_track){.offset = box->offset, .language = "und"};
    c->seen &= ~(unsigned)SEEN_TRACK;
    int rc = walk(c, &box->body, rows, 3, err);
    if (rc == 0)
        rc = track_settle(c, box, err);
    if (rc == 0)
        c->init->track_count++;
    return rc;
}

static int read_mehd(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 1, &version, &flags, err);
    if (rc)
        return rc;
    c->init->has_fragment_duration = true;
    c->init->fragment_duration = number(&box->body, version);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_trex(context *c, sh_box *box, sh_err *err)
{
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 0, &version, &flags, err);
    if (rc)
        return rc;
    if (c->trex_count == SH_MP4_MAX_TRACKS)
        return sh_fail(err, SH_E_LIMIT, "more than %d boxes trex", SH_MP4_MAX_TRACKS);
    c->trex[c->trex_count].id = sh_span_u32(&box->body);
    sh_mp4_defaults *defaults = &c->trex[c->trex_count++].defaults;
    defaults->present = true;
    defaults->description = sh_span_u32(&box->body);
    defaults->duration = sh_span_u32(&box->body);
    defaults->size = sh_span_u32(&box->body);
    defaults->flags = sh_span_u32(&box->body);
    return box->body.short_ ? sh_mp4_cut(box, err) : 0;
}

static int read_mvex(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('m', 'e', 'h', 'd'), read_mehd},
                               {SH_FOURCC('t', 'r', 'e', 'x'), read_trex}};
    c->init->fragmented = true;
    return walk(c, &box->body, rows, 2, err);
}

static int read_pssh(context *c, sh_box *box, sh_err *err)
{
    (void)box, (void)err;
    c->init->has_pssh = true;
    return 0;
}

static int read_moov(context *c, sh_box *box, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('m', 'v', 'h', 'd'), read_mvhd},
                               {SH_FOURCC('t', 'r', 'a', 'k'), read_trak},
                               {SH_FOURCC('m', 'v', 'e', 'x'), read_mvex},
                               {SH_FOURCC('p', 's', 's', 'h'), read_pssh}};
    if (c->init->has_moov)
        return sh_fail(err, SH_E_FORMAT, "box moov at byte %" PRIu64 " is there a second time", box->offset);
    c->init->has_moov = true;
    c->init->moov_offset = box->offset;
    const int rc = walk(c, &box->body, rows, 4, err);
    if (rc == 0 && !(c->seen & SEEN_MVHD))
        return sh_fail(err, SH_E_FORMAT, "box moov at byte %" PRIu64 " has no mvhd", box->offset);
    for (size_t i = 0; i < c->trex_count; i++)
        for (size_t t = 0; t < c->init->track_count; t++)
            if (c->init->tracks[t].id == c->trex[i].id)
                c->init->tracks[t].trex = c->trex[i].defaults;
    return rc;
}

static int read_ftyp(context *c, sh_box *box, sh_err *err)
{
    return sh_mp4_read_brands(&c->init->ftyp, box, err);
}

static int read_mdat(context *c, sh_box *box, sh_err *err)
{
    (void)box, (void)err;
    c->init->has_mdat = true;
    return 0;
}

int sh_mp4_read_init(sh_mp4_init *out, const uint8_t *bytes, size_t size, sh_err *err)
{
    static const row rows[] = {{SH_FOURCC('f', 't', 'y', 'p'), read_ftyp},
                               {SH_FOURCC('m', 'o', 'o', 'v'), read_moov},
                               {SH_FOURCC('m', 'd', 'a', 't'), read_mdat}};
    sh_mp4_init init = {.track_count = 0};
    context c = {.init = &init};
    sh_span span = sh_span_make(bytes, size, 0);
    const int rc = walk(&c, &span, rows, 3, err);
    if (rc)
        return rc;
    if (!init.has_moov)
        return sh_fail(err, SH_E_FORMAT, "%zu bytes hold no box moov: no init segment", size);
    *out = init;
    return 0;
}
