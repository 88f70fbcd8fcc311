/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAL units of H.264 and H.265: Annex-B bytes cut into units, the records avcC and hvcC (ISO 14496-15, 5.3.3
 * and 8.3.3), and samples with lengths. One struct sh_sets holds borrowed parameter sets, whether they came
 * from Annex-B bytes or from a record; everything else is said in terms of it. */
#include "stream/box.h"
#include "stream/codec_bits.h"
#include "stream/codec_inner.h"
#include <string.h>

#define MOST_SETS 64

typedef struct sh_sets {
    sh_codec codec;
    sh_nal nal[MOST_SETS];
    int id[MOST_SETS];
    size_t count;
} sh_sets;

static int nal_type(sh_codec codec, sh_nal nal)
{
    return codec == SH_CODEC_AVC ? nal.data[0] & 31 : nal.data[0] >> 1 & 63;
}

static bool type_is_set(sh_codec codec, int type)
{
    return codec == SH_CODEC_AVC ? type == SH_AVC_SPS || type == SH_AVC_PPS
                                 : type >= SH_HEVC_VPS && type <= SH_HEVC_PPS;
}

static bool type_is_coded(sh_codec codec, int type)
{
    return codec == SH_CODEC_AVC ? type >= 1 && type <= 5 : type < 32;
}

/* Delimiters, ends of sequence and stream, filler: what a sample does not need. */
static bool type_is_dressing(sh_codec codec, int type)
{
    return codec == SH_CODEC_AVC ? type >= SH_AVC_AUD && type <= 12 : type >= SH_HEVC_AUD && type <= 38;
}

static const uint8_t *start_code(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 3) {
        const uint8_t *one = memchr(at + 2, 1, (size_t)(end - at - 2));
        if (!one)
            return end;
        if (one[-1] == 0 && one[-2] == 0)
            return one - 2;
        at = one - 1;
    }
    return end;
}

/* The next unit of Annex-B bytes; *at moves behind it. */
static bool annexb_next(sh_nal *nal, const uint8_t **at, const uint8_t *end)
{
    for (;;) {
        const uint8_t *start = start_code(*at, end);
        if (start == end)
            return false;
        const uint8_t *stop = start_code(start + 3, end);
        *at = stop;
        nal->data = start + 3;
        while (stop > nal->data && stop[-1] == 0)
            stop--;
        nal->size = (size_t)(stop - nal->data);
        if (nal->size > 0)
            return true;
    }
}

static int nal_header_check(sh_codec codec, sh_nal nal, sh_err *err)
{
    if (nal.size < (codec == SH_CODEC_AVC ? 1u : 2u) || nal.data[0] & 0x80)
        return sh_fail(err, SH_E_FORMAT, "%s: a NAL unit of %zu bytes has no right header",
                       sh_codec_name(codec), nal.size);
    return 0;
}

static int set_read_id(sh_codec codec, sh_nal nal, int *id, sh_err *err)
{
    const int type = nal_type(codec, nal);
    sh_bitread r = {.data = nal.data, .size = nal.size, .escaped = true};
    sh_sps sps;
    if (type == (codec == SH_CODEC_AVC ? SH_AVC_SPS : SH_HEVC_SPS)) {
        const int rc =
            codec == SH_CODEC_AVC ? sh_avc_sps_read(&sps, nal, err) : sh_hevc_sps_read(&sps, nal, err);
        *id = rc ? *id : sps.id;
        return rc;
    }
    sh_bitread_skip(&r, codec == SH_CODEC_AVC ? 8 : 16);
    const int read = type == SH_HEVC_VPS && codec == SH_CODEC_HEVC ? (int)sh_bitread_bits(&r, 4)
                                                                   : sh_bitread_ue_to(&r, 255);
    if (r.bad)
        return sh_fail(err, SH_E_FORMAT, "%s: parameter set of %zu bytes is cut short", sh_codec_name(codec),
                       nal.size);
    *id = read;
    return 0;
}

static bool nal_same(sh_nal a, sh_nal b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static bool sets_hold(const sh_sets *sets, sh_nal nal)
{
    for (size_t i = 0; i < sets->count; i++)
        if (nal_same(sets->nal[i], nal))
            return true;
    return false;
}

static int sets_add(sh_sets *sets, sh_nal nal, sh_err *err)
{
    int id = 0;
    const int type = nal_type(sets->codec, nal);
    if (sets_hold(sets, nal))
        return 0;
    if (nal.size > UINT16_MAX || sets->count == MOST_SETS)
        return sh_fail(err, SH_E_LIMIT, "%s: too many parameter sets, or one of %zu bytes",
                       sh_codec_name(sets->codec), nal.size);
    const int rc = set_read_id(sets->codec, nal, &id, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < sets->count; i++)
        if (nal_type(sets->codec, sets->nal[i]) == type && sets->id[i] == id)
            return sh_fail(err, SH_E_FORMAT, "%s: two different parameter sets of type %d have the id %d",
                           sh_codec_name(sets->codec), type, id);
    sets->nal[sets->count] = nal;
    sets->id[sets->count++] = id;
    return 0;
}

static size_t sets_count(const sh_sets *sets, int type)
{
    size_t count = 0;
    for (size_t i = 0; i < sets->count; i++)
        count += nal_type(sets->codec, sets->nal[i]) == type;
    return count;
}

/* Every sort of set there is, and every SPS of one size: *first is the first. */
static int sets_settle(const sh_sets *sets, sh_sps *first, sh_err *err)
{
    const bool avc = sets->codec == SH_CODEC_AVC;
    const int sps_type = avc ? SH_AVC_SPS : SH_HEVC_SPS;
    bool found = false;
    if (sets_count(sets, sps_type) == 0 || sets_count(sets, avc ? SH_AVC_PPS : SH_HEVC_PPS) == 0 ||
        (!avc && sets_count(sets, SH_HEVC_VPS) == 0))
        return sh_fail(err, SH_E_FORMAT, "%s: of %zu parameter sets none is %s", sh_codec_name(sets->codec),
                       sets->count, avc ? "a SPS, or none a PPS" : "a VPS, a SPS or a PPS");
    for (size_t i = 0; i < sets->count; i++) {
        sh_sps sps;
        if (nal_type(sets->codec, sets->nal[i]) != sps_type)
            continue;
        const int rc =
            avc ? sh_avc_sps_read(&sps, sets->nal[i], err) : sh_hevc_sps_read(&sps, sets->nal[i], err);
        if (rc)
            return rc;
        if (found && (sps.video.width != first->video.width || sps.video.height != first->video.height))
            return sh_fail(err, SH_E_FORMAT, "%s: parameter sets of %dx%d and of %dx%d in one track",
                           sh_codec_name(sets->codec), first->video.width, first->video.height,
                           sps.video.width, sps.video.height);
        *first = found ? *first : sps;
        found = true;
    }
    return 0;
}

static int sets_from_annexb(sh_sets *sets, sh_codec codec, const uint8_t *bytes, size_t size, sh_err *err)
{
    const uint8_t *at = bytes;
    sh_nal nal;
    int rc = 0;
    *sets = (sh_sets){.codec = codec};
    while (rc == 0 && annexb_next(&nal, &at, bytes + size)) {
        rc = nal_header_check(codec, nal, err);
        if (rc == 0 && type_is_set(codec, nal_type(codec, nal)))
            rc = sets_add(sets, nal, err);
    }
    return rc;
}

/* `count` units, each with a length of two bytes; type: what all must be, -1 for any. */
static int sets_read_units(sh_sets *sets, sh_span *span, int count, int type, sh_err *err)
{
    int rc = 0;
    while (rc == 0 && count-- > 0) {
        const size_t size = sh_span_u16(span);
        const sh_nal nal = {.data = sh_span_bytes(span, size), .size = size};
        if (!nal.data || size == 0)
            return sh_fail(err, SH_E_FORMAT, "%s configuration record: a unit of %zu bytes does not fit",
                           sh_codec_name(sets->codec), size);
        rc = nal_header_check(sets->codec, nal, err);
        const int told = rc ? 0 : nal_type(sets->codec, nal);
        if (rc == 0 && type >= 0 && told != type)
            rc = sh_fail(err, SH_E_FORMAT, "%s configuration record: a unit of type %d stands under type %d",
                         sh_codec_name(sets->codec), told, type);
        if (rc == 0 && type_is_set(sets->codec, told))
            rc = sets_add(sets, nal, err);
    }
    return rc;
}

static int record_cut(sh_codec codec, size_t size, sh_err *err)
{
    return sh_fail(err, SH_E_FORMAT,
                   "%s configuration record of %zu bytes is cut short or of another version",
                   sh_codec_name(codec), size);
}

static int sets_from_avcc(sh_sets *sets, const uint8_t *config, size_t size, sh_err *err)
{
    sh_span span = sh_span_make(config, size, 0);
    *sets = (sh_sets){.codec = SH_CODEC_AVC};
    if (sh_span_u8(&span) != 1 || !sh_span_bytes(&span, 4))
        return record_cut(SH_CODEC_AVC, size, err);
    const int sps_count = sh_span_u8(&span) & 31;
    int rc = sets_read_units(sets, &span, sps_count, SH_AVC_SPS, err);
    if (rc == 0)
        rc = sets_read_units(sets, &span, sh_span_u8(&span), SH_AVC_PPS, err);
    if (rc == 0 && span.short_)
        rc = record_cut(SH_CODEC_AVC, size, err);
    return rc;
}

static int sets_from_hvcc(sh_sets *sets, const uint8_t *config, size_t size, sh_err *err)
{
    sh_span span = sh_span_make(config, size, 0);
    int rc = 0;
    *sets = (sh_sets){.codec = SH_CODEC_HEVC};
    if (sh_span_u8(&span) != 1 || !sh_span_bytes(&span, 21))
        return record_cut(SH_CODEC_HEVC, size, err);
    for (int n = sh_span_u8(&span); rc == 0 && n > 0; n--) {
        const int type = sh_span_u8(&span) & 63;
        const int count = sh_span_u16(&span);
        rc = sets_read_units(sets, &span, count, type, err);
    }
    if (rc == 0 && span.short_)
        rc = record_cut(SH_CODEC_HEVC, size, err);
    return rc;
}

static int sets_from_config(sh_sets *sets, sh_codec codec, const uint8_t *config, size_t size, sh_err *err)
{
    return codec == SH_CODEC_AVC ? sets_from_avcc(sets, config, size, err)
                                 : sets_from_hvcc(sets, config, size, err);
}

/* The record's own fields against its first SPS. */
static int record_agrees(sh_codec codec, const uint8_t *config, const sh_sps *sps, sh_err *err)
{
    const sh_video_config *video = &sps->video;
    const bool avc = codec == SH_CODEC_AVC;
    const bool same =
        avc ? config[1] == video->profile && config[2] == video->constraints && config[3] == video->level
            : memcmp(config + 1, sps->profile_tier_level, 12) == 0 && (config[16] & 3) == video->chroma &&
                  (config[17] & 7) == video->bit_depth - 8;
    if (!same)
        return sh_fail(err, SH_E_FORMAT, "%s configuration record tells another %s than its parameter set",
                       sh_codec_name(codec),
                       avc ? "profile or level" : "profile, tier, level, chroma or depth");
    if (sh_config_length_size(codec, config, avc ? 5 : 22) == 3)
        return sh_fail(err, SH_E_FORMAT, "%s configuration record asks for lengths of three bytes",
                       sh_codec_name(codec));
    return 0;
}

int sh_nal_config_read(sh_video_config *out, sh_codec codec, const uint8_t *config, size_t size, sh_err *err)
{
    sh_sets sets;
    sh_sps sps;
    int rc = sets_from_config(&sets, codec, config, size, err);
    if (rc == 0)
        rc = sets_settle(&sets, &sps, err);
    if (rc == 0)
        rc = record_agrees(codec, config, &sps, err);
    if (rc == 0)
        *out = sps.video;
    return rc;
}

static void put_sets(sh_buf *out, const sh_sets *sets, int type)
{
    for (size_t i = 0; i < sets->count; i++) {
        if (nal_type(sets->codec, sets->nal[i]) != type)
            continue;
        sh_put_u16(out, (uint16_t)sets->nal[i].size);
        sh_buf_append(out, sets->nal[i].data, sets->nal[i].size);
    }
}

static void put_avcc(sh_buf *out, const sh_sets *sets, const sh_sps *sps)
{
    const sh_video_config *video = &sps->video;
    sh_put_u8(out, 1);
    sh_put_u8(out, (uint8_t)video->profile);
    sh_put_u8(out, (uint8_t)video->constraints);
    sh_put_u8(out, (uint8_t)video->level);
    sh_put_u8(out, 0xfc | 3);
    sh_put_u8(out, (uint8_t)(0xe0 | sets_count(sets, SH_AVC_SPS)));
    put_sets(out, sets, SH_AVC_SPS);
    sh_put_u8(out, (uint8_t)sets_count(sets, SH_AVC_PPS));
    put_sets(out, sets, SH_AVC_PPS);
    if (video->profile == 66 || video->profile == 77 || video->profile == 88)
        return;
    sh_put_u8(out, (uint8_t)(0xfc | video->chroma));
    sh_put_u8(out, (uint8_t)(0xf8 | (video->bit_depth - 8)));
    sh_put_u8(out, (uint8_t)(0xf8 | (sps->chroma_depth - 8)));
    sh_put_u8(out, 0);
}

static void put_hvcc(sh_buf *out, const sh_sets *sets, const sh_sps *sps)
{
    sh_put_u8(out, 1);
    sh_buf_append(out, sps->profile_tier_level, sizeof(sps->profile_tier_level));
    sh_put_u16(out, 0xf000); /* min_spatial_segmentation: not known */
    sh_put_u8(out, 0xfc);    /* parallelism: not known */
    sh_put_u8(out, (uint8_t)(0xfc | sps->video.chroma));
    sh_put_u8(out, (uint8_t)(0xf8 | (sps->video.bit_depth - 8)));
    sh_put_u8(out, (uint8_t)(0xf8 | (sps->chroma_depth - 8)));
    sh_put_u16(out, 0); /* average frame rate: not told */
    sh_put_u8(out, (uint8_t)(sps->layers << 3 | sps->nested << 2 | 3));
    sh_put_u8(out, 3);
    for (int type = SH_HEVC_VPS; type <= SH_HEVC_PPS; type++) {
        sh_put_u8(out, (uint8_t)(0x80 | type)); /* complete: none is in the samples */
        sh_put_u16(out, (uint16_t)sets_count(sets, type));
        put_sets(out, sets, type);
    }
}

int sh_nal_config_make(sh_buf *out, sh_codec codec, const uint8_t *annexb, size_t size, sh_err *err)
{
    sh_sets sets;
    sh_sps sps;
    int rc = sets_from_annexb(&sets, codec, annexb, size, err);
    if (rc == 0)
        rc = sets_settle(&sets, &sps, err);
    if (rc == 0 && codec == SH_CODEC_AVC && sets_count(&sets, SH_AVC_SPS) > 31)
        rc = sh_fail(err, SH_E_LIMIT, "H.264: more than 31 sequence parameter sets");
    if (rc)
        return rc;
    (codec == SH_CODEC_AVC ? put_avcc : put_hvcc)(out, &sets, &sps);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for a configuration record") : 0;
}

int sh_nal_convert(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                   const uint8_t *bytes, size_t size, sh_err *err)
{
    sh_sets sets;
    const uint8_t *at = bytes;
    sh_nal nal;
    size_t coded = 0;
    int rc = sets_from_config(&sets, codec, config, config_size, err);
    if (rc)
        return rc;
    while (annexb_next(&nal, &at, bytes + size)) {
        if ((rc = nal_header_check(codec, nal, err)) != 0)
            return rc;
        const int type = nal_type(codec, nal);
        if (type_is_set(codec, type) && !sets_hold(&sets, nal))
            return sh_fail(err, SH_E_FORMAT,
                           "%s: a picture brings a parameter set (type %d) that the track's configuration "
                           "does not hold",
                           sh_codec_name(codec), type);
        if (type_is_set(codec, type) || type_is_dressing(codec, type))
            continue;
        coded += type_is_coded(codec, type);
        sh_put_u32(out, (uint32_t)nal.size);
        sh_buf_append(out, nal.data, nal.size);
    }
    if (coded == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: %zu bytes hold no coded slice behind a start code",
                       sh_codec_name(codec), size);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for a picture of %zu bytes", size) : 0;
}

/* One unit of a sample: 1, 0 at its end. */
static int sample_next(sh_nal *nal, sh_span *span, sh_codec codec, int length_size, sh_err *err)
{
    size_t size = 0;
    const uint64_t from = sh_span_offset(span);
    if (sh_span_left(span) == 0)
        return 0;
    for (int i = 0; i < length_size; i++)
        size = size << 8 | sh_span_u8(span);
    nal->data = sh_span_bytes(span, size);
    nal->size = size;
    if (span->short_ || size == 0)
        return sh_fail(
            err, SH_E_FORMAT, "%s: byte %llu of the sample tells a NAL unit of %zu bytes; %zu remain",
            sh_codec_name(codec), (unsigned long long)from, size, (size_t)(span->base + span->size - from));
    const int rc = nal_header_check(codec, *nal, err);
    return rc ? rc : 1;
}

static void look_at_coded(sh_sample_look *look, sh_codec codec, int type)
{
    if (look->first_coded >= 0)
        return;
    look->first_coded = type;
    if (codec == SH_CODEC_AVC) {
        look->idr = look->random_access = type == SH_AVC_IDR;
        return;
    }
    look->idr = type == 19 || type == 20;
    look->random_access = type >= 16 && type <= 23;
    look->leading = type >= 6 && type <= 9;
}

int sh_nal_look_at(sh_sample_look *out, sh_codec codec, const uint8_t *config, size_t config_size,
                   const uint8_t *sample, size_t size, sh_err *err)
{
    sh_sample_look look = {.first_type = -1, .first_coded = -1};
    sh_span span = sh_span_make(sample, size, 0);
    sh_sets sets;
    sh_nal nal;
    int rc = sets_from_config(&sets, codec, config, config_size, err);
    const int length_size = sh_config_length_size(codec, config, config_size);
    if (rc)
        return rc;
    while ((rc = sample_next(&nal, &span, codec, length_size, err)) > 0) {
        const int type = nal_type(codec, nal);
        if (look.units++ == 0)
            look.first_type = type;
        if (type_is_coded(codec, type))
            look_at_coded(&look, codec, type);
        look.parameter_sets |= type_is_set(codec, type);
        look.sequence_other |= type_is_set(codec, type) && !sets_hold(&sets, nal);
        look.delimiter |= type == (codec == SH_CODEC_AVC ? SH_AVC_AUD : SH_HEVC_AUD);
    }
    if (rc == 0)
        *out = look;
    return rc;
}

int sh_sample_to_annexb(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                        const uint8_t *sample, size_t size, bool sets_first, sh_err *err)
{
    sh_span span = sh_span_make(sample, size, 0);
    sh_sets sets;
    sh_nal nal;
    if (codec != SH_CODEC_AVC && codec != SH_CODEC_HEVC)
        return sh_fail(err, SH_E_ARGUMENT, "%s has no Annex-B form", sh_codec_name(codec));
    int rc = sets_from_config(&sets, codec, config, config_size, err);
    const int length_size = sh_config_length_size(codec, config, config_size);
    for (size_t i = 0; rc == 0 && sets_first && i < sets.count; i++) {
        sh_put_u32(out, 1);
        sh_buf_append(out, sets.nal[i].data, sets.nal[i].size);
    }
    if (rc)
        return rc;
    while ((rc = sample_next(&nal, &span, codec, length_size, err)) > 0) {
        sh_put_u32(out, 1);
        sh_buf_append(out, nal.data, nal.size);
    }
    if (rc == 0 && out->failed)
        rc = sh_fail(err, SH_E_MEMORY, "no memory for a picture of %zu bytes", size);
    return rc;
}
