/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AV1: open bitstream units, the sequence header (AV1 bitstream specification, 5.5) and its record av1C (AV1
 * codec ISO media file format binding, 2.3). Sequence headers are compared by their payload: whether a unit
 * has a size field is a matter of its container. */
#include "stream/codec_bits.h"
#include "stream/codec_inner.h"
#include <string.h>

enum {
    OBU_SEQUENCE = 1,
    OBU_DELIMITER = 2,
    OBU_FRAME_HEADER = 3,
    OBU_FRAME = 6,
    OBU_TILE_LIST = 8,
    OBU_PADDING = 15,
};

typedef struct sh_obu {
    int type;
    uint8_t header, extension;
    bool has_extension;
    const uint8_t *data; /* payload */
    size_t size;
} sh_obu;

typedef struct sh_sequence {
    sh_video_config video;
    bool reduced, mono;
    int tier, subsampling_x, subsampling_y, chroma_position;
    int delay_bits; /* of the decoder model; 0: there is none */
} sh_sequence;

/* 1: a unit, *at behind it; 0: the end. */
static int obu_next(sh_obu *obu, const uint8_t **at, const uint8_t *end, sh_err *err)
{
    const uint8_t *p = *at;
    uint64_t size = 0;
    bool whole = false;
    if (p == end)
        return 0;
    *obu = (sh_obu){.header = p[0], .type = p[0] >> 3 & 15, .has_extension = p[0] >> 2 & 1};
    p++;
    if (obu->has_extension && p < end)
        obu->extension = *p++;
    if (obu->header & 2)
        for (int i = 0; i < 8 && p < end && !whole; i++) {
            whole = !(*p & 0x80);
            size |= (uint64_t)(*p++ & 0x7f) << (7 * i);
        }
    else {
        size = (uint64_t)(end - p);
        whole = true;
    }
    if (!whole || obu->header & 0x80 || size > (uint64_t)(end - p))
        return sh_fail(err, SH_E_FORMAT, "AV1: unit of type %d tells %llu bytes; %zu remain", obu->type,
                       (unsigned long long)size, (size_t)(end - p));
    obu->data = p;
    obu->size = (size_t)size;
    *at = p + size;
    return 1;
}

static void put_obu(sh_buf *out, const sh_obu *obu)
{
    size_t size = obu->size;
    sh_buf_putc(out, (char)(obu->header | 2));
    if (obu->has_extension)
        sh_buf_putc(out, (char)obu->extension);
    do {
        sh_buf_putc(out, (char)((size & 0x7f) | (size > 0x7f ? 0x80 : 0)));
        size >>= 7;
    } while (size > 0);
    sh_buf_append(out, obu->data, obu->size);
}

static void sequence_timing(sh_sequence *seq, sh_bitread *r)
{
    const int64_t units = sh_bitread_bits(r, 32);
    const int64_t scale = sh_bitread_bits(r, 32);
    if (sh_bitread_flag(r)) { /* equal_picture_interval */
        const int64_t ticks = (int64_t)sh_bitread_ue(r) + 1;
        if (units == 0 || ticks <= INT64_MAX / units)
            sh_rate_set(&seq->video, scale, units * ticks);
    }
    if (!sh_bitread_flag(r)) /* decoder_model_info_present */
        return;
    seq->delay_bits = (int)sh_bitread_bits(r, 5) + 1;
    sh_bitread_skip(r, 32 + 5 + 5);
}

static void sequence_points(sh_sequence *seq, sh_bitread *r)
{
    const bool delays = sh_bitread_flag(r);
    for (int i = 0, count = (int)sh_bitread_bits(r, 5) + 1; i < count; i++) {
        sh_bitread_skip(r, 12);
        const int level = (int)sh_bitread_bits(r, 5);
        const int tier = level > 7 ? (int)sh_bitread_bits(r, 1) : 0;
        if (seq->delay_bits > 0 && sh_bitread_flag(r))
            sh_bitread_skip(r, 2 * seq->delay_bits + 1);
        if (delays && sh_bitread_flag(r))
            sh_bitread_skip(r, 4);
        seq->video.level = i == 0 ? level : seq->video.level;
        seq->tier = i == 0 ? tier : seq->tier;
    }
}

static void sequence_tools(sh_bitread *r)
{
    sh_bitread_skip(r, 4); /* interintra, masked, warped, dual filter */
    const bool order = sh_bitread_flag(r);
    sh_bitread_skip(r, order ? 2 : 0);
    const bool screen = sh_bitread_flag(r) || sh_bitread_flag(r);
    if (screen && !sh_bitread_flag(r))
        sh_bitread_skip(r, 1);
    sh_bitread_skip(r, order ? 3 : 0);
}

static void sequence_chroma(sh_sequence *seq, sh_bitread *r)
{
    sh_video_config *video = &seq->video;
    if (!seq->mono && video->colour.primaries == 1 && video->colour.transfer == 13 &&
        video->colour.matrix == 0) {
        video->colour.full_range = true;
        video->chroma = 3;
        return;
    }
    video->colour.full_range = sh_bitread_flag(r);
    seq->subsampling_x = seq->subsampling_y = 1;
    if (seq->mono) {
        video->chroma = 0;
        return;
    }
    if (video->profile == 1)
        seq->subsampling_x = seq->subsampling_y = 0;
    else if (video->profile == 2 && video->bit_depth < 12)
        seq->subsampling_y = 0;
    else if (video->profile == 2) {
        seq->subsampling_x = (int)sh_bitread_bits(r, 1);
        seq->subsampling_y = seq->subsampling_x ? (int)sh_bitread_bits(r, 1) : 0;
    }
    if (seq->subsampling_x && seq->subsampling_y)
        seq->chroma_position = (int)sh_bitread_bits(r, 2);
    video->chroma = seq->subsampling_y ? 1 : seq->subsampling_x ? 2 : 3;
}

static void sequence_colour(sh_sequence *seq, sh_bitread *r)
{
    sh_video_config *video = &seq->video;
    const bool high = sh_bitread_flag(r);
    const bool twelve = video->profile == 2 && high && sh_bitread_flag(r);
    video->bit_depth = twelve ? 12 : high ? 10 : 8;
    seq->mono = video->profile != 1 && sh_bitread_flag(r);
    video->colour_told = sh_bitread_flag(r);
    if (video->colour_told) {
        video->colour.primaries = (int)sh_bitread_bits(r, 8);
        video->colour.transfer = (int)sh_bitread_bits(r, 8);
        video->colour.matrix = (int)sh_bitread_bits(r, 8);
    }
    sequence_chroma(seq, r);
}

static int sequence_read(sh_sequence *out, const sh_obu *obu, sh_err *err)
{
    sh_bitread r = {.data = obu->data, .size = obu->size};
    sh_sequence seq = {
        .video = {.codec = SH_CODEC_AV1, .sar_den = 1, .rate_den = 1, .colour = {2, 2, 2, false}}};
    seq.video.profile = (int)sh_bitread_bits(&r, 3);
    sh_bitread_skip(&r, 1);
    seq.reduced = sh_bitread_flag(&r);
    if (seq.reduced) {
        seq.video.level = (int)sh_bitread_bits(&r, 5);
    } else {
        if (sh_bitread_flag(&r))
            sequence_timing(&seq, &r);
        sequence_points(&seq, &r);
    }
    const int width_bits = (int)sh_bitread_bits(&r, 4) + 1;
    const int height_bits = (int)sh_bitread_bits(&r, 4) + 1;
    seq.video.width = (int)sh_bitread_bits(&r, width_bits) + 1;
    seq.video.height = (int)sh_bitread_bits(&r, height_bits) + 1;
    if (!seq.reduced && sh_bitread_flag(&r))
        sh_bitread_skip(&r, 7);
    sh_bitread_skip(&r, 3);
    if (!seq.reduced)
        sequence_tools(&r);
    sh_bitread_skip(&r, 3);
    sequence_colour(&seq, &r);
    sh_bitread_skip(&r, 2);
    seq.video.high_tier = seq.tier == 1;
    if (r.bad || seq.video.profile > 2)
        return sh_fail(err, SH_E_FORMAT, "AV1: sequence header of %zu bytes is damaged or of profile %d",
                       obu->size, seq.video.profile);
    *out = seq;
    return 0;
}

static bool obu_same(const sh_obu *a, const sh_obu *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* The one sequence header among `size` bytes of units. */
static int sequence_find(sh_obu *out, sh_sequence *seq, const uint8_t *bytes, size_t size, sh_err *err)
{
    const uint8_t *at = bytes;
    sh_obu obu, found = {.data = NULL};
    int rc;
    while ((rc = obu_next(&obu, &at, bytes + size, err)) > 0) {
        if (obu.type != OBU_SEQUENCE)
            continue;
        if (found.data && !obu_same(&obu, &found))
            return sh_fail(err, SH_E_FORMAT, "AV1: two different sequence headers");
        found = obu;
    }
    if (rc == 0 && !found.data)
        rc = sh_fail(err, SH_E_FORMAT, "AV1: %zu bytes hold no sequence header", size);
    if (rc == 0)
        rc = sequence_read(seq, &found, err);
    if (rc == 0)
        *out = found;
    return rc;
}

/* The four bytes that begin an av1C. */
static void record_head(uint8_t head[4], const sh_sequence *seq)
{
    const sh_video_config *video = &seq->video;
    head[0] = 0x81;
    head[1] = (uint8_t)(video->profile << 5 | video->level);
    head[2] =
        (uint8_t)(seq->tier << 7 | (video->bit_depth > 8) << 6 | (video->bit_depth == 12) << 5 |
                  seq->mono << 4 | seq->subsampling_x << 3 | seq->subsampling_y << 2 | seq->chroma_position);
    head[3] = 0; /* no initial_presentation_delay */
}

static int record_read(sh_obu *obu, sh_sequence *seq, const uint8_t *config, size_t size, sh_err *err)
{
    uint8_t head[4];
    sh_obu found;
    sh_sequence read;
    if (size < 4 || config[0] != 0x81)
        return sh_fail(err, SH_E_FORMAT,
                       "AV1 configuration record of %zu bytes is cut short or of another version", size);
    const int rc = sequence_find(&found, &read, config + 4, size - 4, err);
    if (rc)
        return rc;
    record_head(head, &read);
    if (memcmp(head, config, 3) != 0)
        return sh_fail(err, SH_E_FORMAT,
                       "AV1 configuration record tells another profile, level, depth or chroma "
                       "than its sequence header");
    *obu = found;
    *seq = read;
    return 0;
}

int sh_av1_config_read(sh_video_config *out, int *chroma_position, const uint8_t *config, size_t size,
                       sh_err *err)
{
    sh_obu obu;
    sh_sequence seq;
    const int rc = record_read(&obu, &seq, config, size, err);
    if (rc)
        return rc;
    *out = seq.video;
    *chroma_position = seq.chroma_position;
    return 0;
}

int sh_av1c_make(sh_buf *out, const uint8_t *obus, size_t size, sh_err *err)
{
    sh_obu obu;
    sh_sequence seq;
    uint8_t head[4];
    const int rc = size > 0 && obus[0] == 0x81 ? record_read(&obu, &seq, obus, size, err)
                                               : sequence_find(&obu, &seq, obus, size, err);
    if (rc)
        return rc;
    record_head(head, &seq);
    obu.header = OBU_SEQUENCE << 3;
    obu.has_extension = false;
    sh_buf_append(out, head, sizeof(head));
    put_obu(out, &obu);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for a configuration record") : 0;
}

/* The first bits of a frame header (5.9.2). */
static void look_at_frame(sh_sample_look *look, const sh_obu *obu, bool reduced)
{
    sh_bitread r = {.data = obu->data, .size = obu->size};
    if (look->first_coded >= 0)
        return;
    look->first_coded = obu->type;
    if (reduced) {
        look->idr = look->random_access = true;
        return;
    }
    const bool shown_again = sh_bitread_flag(&r);
    const bool key = sh_bitread_bits(&r, 2) == 0;
    const bool shown = sh_bitread_flag(&r);
    look->idr = !shown_again && key && shown && !r.bad;
    look->random_access = !shown_again && key && !r.bad;
}

int sh_av1_look_at(sh_sample_look *out, const uint8_t *config, size_t config_size, const uint8_t *sample,
                   size_t size, sh_err *err)
{
    sh_sample_look look = {.first_type = -1, .first_coded = -1};
    const uint8_t *at = sample;
    sh_obu own, obu;
    sh_sequence seq;
    int rc = record_read(&own, &seq, config, config_size, err);
    if (rc)
        return rc;
    while ((rc = obu_next(&obu, &at, sample + size, err)) > 0) {
        if (look.units++ == 0)
            look.first_type = obu.type;
        look.delimiter |= obu.type == OBU_DELIMITER;
        look.parameter_sets |= obu.type == OBU_SEQUENCE;
        look.sequence_other |= obu.type == OBU_SEQUENCE && !obu_same(&obu, &own);
        if (obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER)
            look_at_frame(&look, &obu, seq.reduced);
    }
    if (rc == 0)
        *out = look;
    return rc;
}

int sh_av1_convert(sh_buf *out, const uint8_t *config, size_t config_size, const uint8_t *bytes, size_t size,
                   sh_err *err)
{
    const uint8_t *at = bytes;
    sh_obu own, obu;
    sh_sequence seq;
    size_t coded = 0;
    int rc = record_read(&own, &seq, config, config_size, err);
    if (rc)
        return rc;
    while ((rc = obu_next(&obu, &at, bytes + size, err)) > 0) {
        if (obu.type == OBU_SEQUENCE && !obu_same(&obu, &own))
            return sh_fail(err, SH_E_FORMAT, "AV1: a frame brings a sequence header that is not the track's");
        if (obu.type == OBU_DELIMITER || obu.type == OBU_TILE_LIST || obu.type == OBU_PADDING)
            continue;
        coded += obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER;
        put_obu(out, &obu);
    }
    if (rc)
        return rc;
    if (coded == 0)
        return sh_fail(err, SH_E_FORMAT, "AV1: %zu bytes hold no frame", size);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for a frame of %zu bytes", size) : 0;
}
