/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CODEC_CONFIG_H
#define SH_STREAM_CODEC_CONFIG_H
/* What the bytes of a stream say of themselves, and the forms in which ISO files hold them.
 *
 * An encoder gives Annex-B NAL units (AVC, HEVC), temporal units of OBUs (AV1) or raw AAC frames with an
 * AudioSpecificConfig. An ISO file wants one configuration record a track (avcC, hvcC, av1C, the descriptor
 * inside esds) and samples whose NAL units begin with a length of four bytes. This header makes the records,
 * turns the samples, and reads both back into numbers: sizes, profile, depth, colour, RFC 6381 strings. None
 * of it trusts a field that could be recomputed from the parameter sets.
 *
 * Records here are the payloads of their boxes, without the box header. All functions return 0 or SH_E_*; on
 * failure out-parameters are untouched, buffers appended to may hold part of what was to come. */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sh_codec { SH_CODEC_NONE, SH_CODEC_AVC, SH_CODEC_HEVC, SH_CODEC_AV1, SH_CODEC_AAC } sh_codec;

/* "H.264", "H.265", "AV1", "AAC"; never NULL. */
const char *sh_codec_name(sh_codec codec);

/* CICP numbers (ISO 23091-2), 2 where not told. */
typedef struct sh_cicp {
    int primaries, transfer, matrix;
    bool full_range;
} sh_cicp;

/* What a SPS or a sequence header says. */
typedef struct sh_video_config {
    sh_codec codec;
    int width, height;    /* shown, after cropping */
    int sar_num, sar_den; /* 0/1 where not told (AV1 never tells) */
    int bit_depth;        /* of luma; 8, 10 or 12 (H.264: 8 to 14) */
    int chroma;           /* 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4 */
    int profile, level;   /* profile_idc, level_idc (HEVC: 30 times the level; AV1: seq_level_idx) */
    int constraints;      /* H.264: the byte between profile_idc and level_idc; else 0 */
    bool high_tier;       /* HEVC, AV1 */
    bool colour_told;     /* colour stood in the bytes; else it is 2, 2, 2, limited */
    bool interlaced;      /* H.264: frame_mbs_only_flag is 0; HEVC: field_seq or interlaced source */
    sh_cicp colour;
    int64_t rate_num, rate_den; /* frames a second by the VUI or the timing info; 0/1 where not told */
} sh_video_config;

typedef struct sh_audio_config {
    int object_type; /* of the AudioSpecificConfig: 2 AAC-LC, 5 HE-AAC (explicit), 29 HE-AAC v2 */
    int sample_rate; /* of what is decoded by a decoder that knows only the first object type */
    int channels;    /* by the channel configuration; 0: a program_config_element says it */
    int frame;       /* samples an access unit: 1024 or 960 */
} sh_audio_config;

/* Makes avcC from the first SPS and PPS (all that differ) in Annex-B bytes: the encoder's extradata, or a
 * whole key picture. AUD, SEI and slices are passed over. SH_E_FORMAT without a SPS or a PPS, or where two
 * SPS differ under one id. */
int sh_avcc_make(sh_buf *out, const uint8_t *annexb, size_t size, sh_err *err);
/* The same for hvcC, with VPS, SPS and PPS as complete arrays (for the sample entry 'hvc1'). */
int sh_hvcc_make(sh_buf *out, const uint8_t *annexb, size_t size, sh_err *err);
/* av1C from OBUs that hold a sequence header: an encoder's extradata, the first temporal unit, or an av1C. */
int sh_av1c_make(sh_buf *out, const uint8_t *obus, size_t size, sh_err *err);
/* One of the three, by codec. Bytes that are already such a record (libavcodec gives av1C, for example) are
 * checked and copied. */
int sh_config_make(sh_buf *out, sh_codec codec, const uint8_t *bytes, size_t size, sh_err *err);

/* Reads a configuration record: avcC, hvcC, av1C. Every parameter set in it is looked at; all must be of one
 * picture size and agree with the record's own fields, else SH_E_FORMAT. */
int sh_video_config_read(sh_video_config *out, sh_codec codec, const uint8_t *config, size_t size,
                         sh_err *err);
/* Reads an AudioSpecificConfig (object types 2, 5, 29; others SH_E_UNSUPPORTED). */
int sh_asc_parse(sh_audio_config *out, const uint8_t *asc, size_t size, sh_err *err);

/* RFC 6381 / ISO 14496-15 annex E / AV1 ISOBMFF 5: "avc1.64001f", "hvc1.2.4.L93.B0",
 * "av01.0.04M.10.0.110.09.16.09.0" (the long form only where the colour is not BT.709 limited 4:2:0),
 * "mp4a.40.2". `config` as above (an AudioSpecificConfig for AAC). 64 bytes are always enough. */
int sh_codecs_string(char *text, size_t text_size, sh_codec codec, const uint8_t *config, size_t size,
                     sh_err *err);

/* Appends one picture in the form of an ISO file. AVC, HEVC: Annex-B bytes become NAL units with four-byte
 * lengths; parameter sets, access unit delimiters, end-of-sequence and filler units go, every other unit
 * (SEI with captions or HDR metadata among them) stays as it is. Parameter sets that `config` does not hold
 * are SH_E_FORMAT: a track with one sample entry could not be decoded. AV1: temporal delimiters, tile lists
 * and padding go; every OBU gets a size field; a sequence header that differs from the config's is
 * SH_E_FORMAT. AAC: copied; ADTS is SH_E_FORMAT. A picture that has no coded slice or frame is SH_E_FORMAT.
 */
int sh_sample_convert(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                      const uint8_t *bytes, size_t size, sh_err *err);

/* What stands in one sample of an ISO file; for checkers and for flags. */
typedef struct sh_sample_look {
    bool idr; /* AVC: first slice is of an IDR; HEVC: IDR_W_RADL or IDR_N_LP; AV1: shown key frame */
    bool random_access;  /* idr, or HEVC CRA / BLA, or AV1 delayed random access point: a key picture */
    bool leading;        /* HEVC RASL or RADL picture */
    int first_type;      /* type of the first unit (nal_unit_type, obu_type) */
    int first_coded;     /* type of the first coded slice or frame; -1: none */
    bool parameter_sets; /* AVC, HEVC: SPS, PPS or VPS in the sample; AV1: a sequence header */
    bool sequence_other; /* ... that the config does not hold byte for byte */
    bool delimiter;      /* AVC, HEVC: access unit delimiter; AV1: temporal delimiter */
    size_t units;        /* NAL units or OBUs */
} sh_sample_look;

/* length_size: of NAL units' lengths (1, 2 or 4; from the config by sh_config_length_size). SH_E_FORMAT says
 * the byte where lengths run past the end. AAC: all false, first types -1, units 1. */
int sh_sample_look_at(sh_sample_look *out, sh_codec codec, const uint8_t *config, size_t config_size,
                      const uint8_t *sample, size_t size, sh_err *err);
/* Length of the length fields that an avcC or hvcC declares; 0 for other codecs, 4 for what we make. */
int sh_config_length_size(sh_codec codec, const uint8_t *config, size_t size);

/* Annex-B in the other direction (for transport streams and raw elementary streams from an ISO sample):
 * start codes of four bytes; `sets` puts the config's parameter sets first. */
int sh_sample_to_annexb(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                        const uint8_t *sample, size_t size, bool sets, sh_err *err);

#endif
