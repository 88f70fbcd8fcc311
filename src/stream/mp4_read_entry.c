/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sample entries (ISO 14496-12, 8.5.2 and 12) with the boxes of AVC, HEVC, AV1 and AAC in them. */
#include "stream/mp4_inner.h"
#include <inttypes.h>

static int read_config(sh_mp4_track *track, const sh_box *box, sh_codec codec, sh_err *err)
{
    char name[5];
    if (track->config)
        return sh_fail(err, SH_E_FORMAT, "box %s at byte %" PRIu64 " is there a second time",
                       sh_fourcc_text(box->type, name), box->offset);
    if (codec != track->codec)
        return 0;
    track->config = box->body.data;
    track->config_size = box->body.size;
    return 0;
}

static void read_colour(sh_mp4_track *track, sh_span *span)
{
    if (sh_span_u32(span) != SH_FOURCC('n', 'c', 'l', 'x') || track->has_colour)
        return;
    track->has_colour = true;
    track->colour.primaries = sh_span_u16(span);
    track->colour.transfer = sh_span_u16(span);
    track->colour.matrix = sh_span_u16(span);
    track->colour.full_range = sh_span_u8(span) >> 7;
}

static void read_mastering(sh_mp4_track *track, sh_span *span)
{
    sh_mastering *m = &track->mastering;
    track->has_mastering = true;
    for (int i = 0; i < 3; i++) {
        m->primary_x[i] = sh_span_u16(span);
        m->primary_y[i] = sh_span_u16(span);
    }
    m->white_x = sh_span_u16(span);
    m->white_y = sh_span_u16(span);
    m->max_luminance = sh_span_u32(span);
    m->min_luminance = sh_span_u32(span);
}

/* Tag and size of a descriptor (ISO 14496-1, 8.3.3); its payload as a span. False where it does not fit. */
static bool descriptor(sh_span *span, uint8_t tag, sh_span *body)
{
    uint32_t size = 0;
    uint8_t byte = 0x80;
    if (sh_span_u8(span) != tag)
        return false;
    for (int i = 0; i < 4 && byte & 0x80; i++) {
        byte = sh_span_u8(span);
        size = size << 7 | (byte & 0x7f);
    }
    const uint64_t base = sh_span_offset(span);
    const uint8_t *data = sh_span_bytes(span, size);
    if (!data || byte & 0x80)
        return false;
    *body = sh_span_make(data, size, base);
    return true;
}

static int read_esds(sh_mp4_track *track, sh_box *box, sh_err *err)
{
    sh_span es, decoder, specific;
    uint8_t version;
    uint32_t flags;
    const int rc = sh_box_full(box, 0, &version, &flags, err);
    if (rc)
        return rc;
    if (!descriptor(&box->body, 3, &es))
        return sh_mp4_cut(box, err);
    sh_span_u16(&es);
    const uint8_t more = sh_span_u8(&es);
    sh_span_bytes(&es, more & 0x80 ? 2 : 0);
    sh_span_bytes(&es, more & 0x40 ? sh_span_u8(&es) : 0);
    sh_span_bytes(&es, more & 0x20 ? 2 : 0);
    if (!descriptor(&es, 4, &decoder))
        return sh_mp4_cut(box, err);
    track->object_type = sh_span_u8(&decoder);
    sh_span_bytes(&decoder, 12);
    if (decoder.short_)
        return sh_mp4_cut(box, err);
    if (track->object_type != 0x40 || !descriptor(&decoder, 5, &specific))
        return 0;
    track->codec = SH_CODEC_AAC;
    track->config = specific.data;
    track->config_size = specific.size;
    return 0;
}

static int read_video_extension(sh_mp4_track *track, sh_box *box, sh_err *err)
{
    switch (box->type) {
    case SH_FOURCC('a', 'v', 'c', 'C'):
        return read_config(track, box, SH_CODEC_AVC, err);
    case SH_FOURCC('h', 'v', 'c', 'C'):
        return read_config(track, box, SH_CODEC_HEVC, err);
    case SH_FOURCC('a', 'v', '1', 'C'):
        return read_config(track, box, SH_CODEC_AV1, err);
    case SH_FOURCC('c', 'o', 'l', 'r'):
        read_colour(track, &box->body);
        break;
    case SH_FOURCC('p', 'a', 's', 'p'):
        track->has_pasp = true;
        track->pasp_h = sh_span_u32(&box->body);
        track->pasp_v = sh_span_u32(&box->body);
        break;
    case SH_FOURCC('m', 'd', 'c', 'v'):
        read_mastering(track, &box->body);
        break;
    case SH_FOURCC('c', 'l', 'l', 'i'):
        track->has_light_level = true;
        track->light_level.max_content = sh_span_u16(&box->body);
        track->light_level.max_average = sh_span_u16(&box->body);
        break;
    }
    return 0;
}

static int read_extension(sh_mp4_track *track, sh_box *box, bool video, sh_err *err)
{
    int rc = 0;
    if (box->type == SH_FOURCC('b', 't', 'r', 't')) {
        track->has_btrt = true;
        track->buffer_size = sh_span_u32(&box->body);
        track->max_bitrate = sh_span_u32(&box->body);
        track->avg_bitrate = sh_span_u32(&box->body);
    } else if (box->type == SH_FOURCC('s', 'i', 'n', 'f')) {
        track->encrypted = true;
    } else if (video) {
        rc = read_video_extension(track, box, err);
    } else if (box->type == SH_FOURCC('e', 's', 'd', 's')) {
        rc = read_esds(track, box, err);
    }
    if (rc == 0 && box->body.short_)
        rc = sh_mp4_cut(box, err);
    return rc;
}

static sh_codec entry_codec(uint32_t type)
{
    switch (type) {
    case SH_FOURCC('a', 'v', 'c', '1'):
    case SH_FOURCC('a', 'v', 'c', '3'):
        return SH_CODEC_AVC;
    case SH_FOURCC('h', 'v', 'c', '1'):
    case SH_FOURCC('h', 'e', 'v', '1'):
        return SH_CODEC_HEVC;
    case SH_FOURCC('a', 'v', '0', '1'):
        return SH_CODEC_AV1;
    }
    return SH_CODEC_NONE;
}

static int read_entry(sh_mp4_track *track, sh_box *entry, sh_err *err)
{
    const bool video = track->handler == SH_FOURCC('v', 'i', 'd', 'e');
    sh_span *span = &entry->body;
    sh_box box;
    int rc;
    sh_span_bytes(span, 8);
    if (video) {
        sh_span_bytes(span, 16);
        track->width = sh_span_u16(span);
        track->height = sh_span_u16(span);
        sh_span_bytes(span, 50);
        track->codec = entry_codec(entry->type);
    } else {
        sh_span_bytes(span, 8);
        track->channels = sh_span_u16(span);
        sh_span_bytes(span, 6);
        track->sample_rate = (int)(sh_span_u32(span) >> 16);
    }
    if (span->short_)
        return sh_mp4_cut(entry, err);
    while ((rc = sh_box_next(&box, span, false, err)) > 0)
        if ((rc = read_extension(track, &box, video, err)) < 0)
            return rc;
    return rc;
}

int sh_mp4_read_description(sh_mp4_track *track, sh_box *stsd, sh_err *err)
{
    sh_box entry;
    uint8_t version;
    uint32_t flags;
    int rc = sh_box_full(stsd, 1, &version, &flags, err);
    if (rc)
        return rc;
    track->entries = sh_span_u32(&stsd->body);
    if (stsd->body.short_ || track->entries == 0)
        return sh_mp4_cut(stsd, err);
    rc = sh_box_next(&entry, &stsd->body, false, err);
    if (rc <= 0)
        return rc ? rc : sh_mp4_cut(stsd, err);
    track->entry = entry.type;
    track->entry_offset = entry.offset;
    track->encrypted =
        entry.type == SH_FOURCC('e', 'n', 'c', 'v') || entry.type == SH_FOURCC('e', 'n', 'c', 'a');
    if (track->handler == SH_FOURCC('v', 'i', 'd', 'e') || track->handler == SH_FOURCC('s', 'o', 'u', 'n'))
        return read_entry(track, &entry, err);
    return 0;
}
