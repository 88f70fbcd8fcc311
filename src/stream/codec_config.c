/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doors of codec_config.h: one row of cases a codec, AAC, and the strings of RFC 6381. */
#include "stream/codec_bits.h"
#include "stream/codec_inner.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *sh_codec_name(sh_codec codec)
{
    switch (codec) {
    case SH_CODEC_AVC:
        return "H.264";
    case SH_CODEC_HEVC:
        return "H.265";
    case SH_CODEC_AV1:
        return "AV1";
    case SH_CODEC_AAC:
        return "AAC";
    case SH_CODEC_NONE:
        break;
    }
    return "unknown codec";
}

static int no_codec(sh_codec codec, sh_err *err)
{
    return sh_fail(err, SH_E_ARGUMENT, "codec %d is none of the video codecs", (int)codec);
}

int sh_avcc_make(sh_buf *out, const uint8_t *annexb, size_t size, sh_err *err)
{
    return sh_nal_config_make(out, SH_CODEC_AVC, annexb, size, err);
}

int sh_hvcc_make(sh_buf *out, const uint8_t *annexb, size_t size, sh_err *err)
{
    return sh_nal_config_make(out, SH_CODEC_HEVC, annexb, size, err);
}

static int config_copy(sh_buf *out, sh_codec codec, const uint8_t *bytes, size_t size, sh_err *err)
{
    sh_video_config video;
    const int rc = sh_video_config_read(&video, codec, bytes, size, err);
    if (rc)
        return rc;
    return sh_buf_append(out, bytes, size) ? sh_fail(err, SH_E_MEMORY, "no memory for a configuration record")
                                           : 0;
}

int sh_config_make(sh_buf *out, sh_codec codec, const uint8_t *bytes, size_t size, sh_err *err)
{
    sh_audio_config audio;
    switch (codec) {
    case SH_CODEC_AVC:
    case SH_CODEC_HEVC:
        if (size > 0 && bytes[0] == 1)
            return config_copy(out, codec, bytes, size, err);
        return sh_nal_config_make(out, codec, bytes, size, err);
    case SH_CODEC_AV1:
        return sh_av1c_make(out, bytes, size, err);
    case SH_CODEC_AAC: {
        const int rc = sh_asc_parse(&audio, bytes, size, err);
        if (rc)
            return rc;
        return sh_buf_append(out, bytes, size)
                   ? sh_fail(err, SH_E_MEMORY, "no memory for an audio configuration")
                   : 0;
    }
    case SH_CODEC_NONE:
        break;
    }
    return no_codec(codec, err);
}

int sh_video_config_read(sh_video_config *out, sh_codec codec, const uint8_t *config, size_t size,
                         sh_err *err)
{
    int position;
    if (codec == SH_CODEC_AVC || codec == SH_CODEC_HEVC)
        return sh_nal_config_read(out, codec, config, size, err);
    if (codec == SH_CODEC_AV1)
        return sh_av1_config_read(out, &position, config, size, err);
    return no_codec(codec, err);
}

int sh_config_length_size(sh_codec codec, const uint8_t *config, size_t size)
{
    const size_t at = codec == SH_CODEC_AVC ? 4 : 21;
    if ((codec != SH_CODEC_AVC && codec != SH_CODEC_HEVC) || size <= at)
        return 0;
    return (config[at] & 3) + 1;
}

static int asc_object_type(sh_bitread *r)
{
    const int type = (int)sh_bitread_bits(r, 5);
    return type == 31 ? 32 + (int)sh_bitread_bits(r, 6) : type;
}

static int asc_rate(sh_bitread *r)
{
    static const int rates[13] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                  22050, 16000, 12000, 11025, 8000,  7350};
    const uint32_t index = sh_bitread_bits(r, 4);
    if (index == 15)
        return (int)sh_bitread_bits(r, 24);
    return index < 13 ? rates[index] : 0;
}

int sh_asc_parse(sh_audio_config *out, const uint8_t *asc, size_t size, sh_err *err)
{
    static const uint8_t channels[8] = {0, 1, 2, 3, 4, 5, 6, 8};
    sh_bitread r = {.data = asc, .size = size};
    sh_audio_config audio = {.object_type = asc_object_type(&r)};
    audio.sample_rate = asc_rate(&r);
    const uint32_t layout = sh_bitread_bits(&r, 4);
    if (audio.object_type == 5 || audio.object_type == 29) {
        asc_rate(&r);
        const int core = asc_object_type(&r);
        if (core != 2 && !r.bad)
            return sh_fail(err, SH_E_UNSUPPORTED, "AudioSpecificConfig: SBR over object type %d", core);
    } else if (audio.object_type != 2 && !r.bad) {
        return sh_fail(err, SH_E_UNSUPPORTED, "AudioSpecificConfig: object type %d is not AAC-LC or HE-AAC",
                       audio.object_type);
    }
    audio.frame = sh_bitread_flag(&r) ? 960 : 1024;
    if (r.bad || audio.sample_rate <= 0 || layout > 7)
        return sh_fail(err, SH_E_FORMAT, "AudioSpecificConfig of %zu bytes: %s", size,
                       r.bad                    ? "cut short"
                       : audio.sample_rate <= 0 ? "no sample rate"
                                                : "unknown channel configuration");
    audio.channels = channels[layout];
    *out = audio;
    return 0;
}

/* The profile of a H.265 stream as RFC 6381 writes it: compatibility flags in reverse bit order, constraint
 * bytes up to the last that is not zero. */
static void hevc_string(sh_buf *text, const uint8_t *record)
{
    static const char *const spaces[] = {"", "A", "B", "C"};
    const uint8_t *ptl = record + 1;
    uint32_t compatible = 0;
    int last = 5;
    for (int i = 0; i < 32; i++)
        compatible |= (uint32_t)(ptl[1 + i / 8] >> (7 - i % 8) & 1) << i;
    sh_buf_printf(text, "hvc1.%s%d.%X.%c%d", spaces[ptl[0] >> 6], ptl[0] & 31, compatible,
                  ptl[0] & 0x20 ? 'H' : 'L', ptl[11]);
    while (last >= 0 && ptl[5 + last] == 0)
        last--;
    for (int i = 0; i <= last; i++)
        sh_buf_printf(text, ".%X", ptl[5 + i]);
}

static void av1_string(sh_buf *text, const sh_video_config *video, const uint8_t *record, int position)
{
    const sh_cicp *c = &video->colour;
    const bool unknown = c->primaries == 2 && c->transfer == 2 && c->matrix == 2;
    const bool common = c->primaries == 1 && c->transfer == 1 && c->matrix == 1;
    sh_buf_printf(text, "av01.%d.%02d%c.%02d", video->profile, video->level, video->high_tier ? 'H' : 'M',
                  video->bit_depth);
    if ((common || unknown) && !c->full_range && video->chroma == 1)
        return;
    sh_buf_printf(text, ".%d.%d%d%d.%02d.%02d.%02d.%d", video->chroma == 0, record[2] >> 3 & 1,
                  record[2] >> 2 & 1, position, c->primaries, c->transfer, c->matrix, c->full_range);
}

static int codecs_text(sh_buf *text, sh_codec codec, const uint8_t *config, size_t size, sh_err *err)
{
    sh_video_config video;
    sh_audio_config audio;
    int position = 0, rc;
    if (codec == SH_CODEC_AAC) {
        rc = sh_asc_parse(&audio, config, size, err);
        if (rc == 0)
            sh_buf_printf(text, "mp4a.40.%d", audio.object_type);
        return rc;
    }
    rc = codec == SH_CODEC_AV1 ? sh_av1_config_read(&video, &position, config, size, err)
                               : sh_video_config_read(&video, codec, config, size, err);
    if (rc)
        return rc;
    if (codec == SH_CODEC_AVC)
        sh_buf_printf(text, "avc1.%02x%02x%02x", video.profile, video.constraints, video.level);
    else if (codec == SH_CODEC_HEVC)
        hevc_string(text, config);
    else
        av1_string(text, &video, config, position);
    return 0;
}

int sh_codecs_string(char *text, size_t text_size, sh_codec codec, const uint8_t *config, size_t size,
                     sh_err *err)
{
    sh_buf made;
    sh_buf_init(&made, 256);
    int rc = codecs_text(&made, codec, config, size, err);
    if (rc == 0 && made.failed)
        rc = sh_fail(err, SH_E_MEMORY, "no memory for a codec string");
    if (rc == 0 && made.length >= text_size)
        rc = sh_fail(err, SH_E_ARGUMENT, "codec string of %zu bytes where %zu fit", made.length, text_size);
    if (rc == 0)
        memcpy(text, sh_buf_cstr(&made), made.length + 1);
    sh_buf_free(&made);
    return rc;
}

static int aac_convert(sh_buf *out, const uint8_t *bytes, size_t size, sh_err *err)
{
    if (size == 0)
        return sh_fail(err, SH_E_FORMAT, "AAC: an empty packet");
    if (size >= 7 && bytes[0] == 0xff && (bytes[1] & 0xf6) == 0xf0 &&
        ((size_t)(bytes[3] & 3) << 11 | (size_t)bytes[4] << 3 | bytes[5] >> 5) == size)
        return sh_fail(err, SH_E_FORMAT, "AAC: a packet with an ADTS header; the raw frame is wanted");
    return sh_buf_append(out, bytes, size) ? sh_fail(err, SH_E_MEMORY, "no memory for %zu bytes", size) : 0;
}

int sh_sample_convert(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                      const uint8_t *bytes, size_t size, sh_err *err)
{
    switch (codec) {
    case SH_CODEC_AVC:
    case SH_CODEC_HEVC:
        return sh_nal_convert(out, codec, config, config_size, bytes, size, err);
    case SH_CODEC_AV1:
        return sh_av1_convert(out, config, config_size, bytes, size, err);
    case SH_CODEC_AAC:
        return aac_convert(out, bytes, size, err);
    case SH_CODEC_NONE:
        break;
    }
    return no_codec(codec, err);
}

int sh_sample_look_at(sh_sample_look *out, sh_codec codec, const uint8_t *config, size_t config_size,
                      const uint8_t *sample, size_t size, sh_err *err)
{
    switch (codec) {
    case SH_CODEC_AVC:
    case SH_CODEC_HEVC:
        return sh_nal_look_at(out, codec, config, config_size, sample, size, err);
    case SH_CODEC_AV1:
        return sh_av1_look_at(out, config, config_size, sample, size, err);
    case SH_CODEC_AAC:
        *out = (sh_sample_look){.first_type = -1, .first_coded = -1, .units = 1};
        return 0;
    case SH_CODEC_NONE:
        break;
    }
    return no_codec(codec, err);
}
