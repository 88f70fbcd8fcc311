/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CODEC_INNER_H
#define SH_STREAM_CODEC_INNER_H
/* Between the files of codec_config.h: parameter sets (codec_sps.c), NAL units and their records
 * (codec_nal.c), OBUs (codec_av1.c). */
#include "stream/codec_config.h"

enum { SH_AVC_IDR = 5, SH_AVC_SPS = 7, SH_AVC_PPS = 8, SH_AVC_AUD = 9 };
enum { SH_HEVC_VPS = 32, SH_HEVC_SPS = 33, SH_HEVC_PPS = 34, SH_HEVC_AUD = 35 };

typedef struct sh_nal {
    const uint8_t *data; /* from the NAL header */
    size_t size;         /* > 0 */
} sh_nal;

typedef struct sh_sps {
    sh_video_config video;
    int id, chroma_depth;
    uint8_t profile_tier_level[12]; /* HEVC: general_profile_space .. general_level_idc */
    int layers;                     /* HEVC: temporal sub-layers */
    bool nested;                    /* HEVC: sps_temporal_id_nesting_flag */
} sh_sps;

/* From the NAL header. SH_E_FORMAT names what is wrong. */
int sh_avc_sps_read(sh_sps *out, sh_nal nal, sh_err *err);
int sh_hevc_sps_read(sh_sps *out, sh_nal nal, sh_err *err);

/* codec_nal.c */
int sh_nal_config_read(sh_video_config *out, sh_codec codec, const uint8_t *config, size_t size, sh_err *err);
int sh_nal_config_make(sh_buf *out, sh_codec codec, const uint8_t *annexb, size_t size, sh_err *err);
int sh_nal_convert(sh_buf *out, sh_codec codec, const uint8_t *config, size_t config_size,
                   const uint8_t *bytes, size_t size, sh_err *err);
int sh_nal_look_at(sh_sample_look *out, sh_codec codec, const uint8_t *config, size_t config_size,
                   const uint8_t *sample, size_t size, sh_err *err);

/* codec_av1.c */
int sh_av1_config_read(sh_video_config *out, int *chroma_position, const uint8_t *config, size_t size,
                       sh_err *err);
int sh_av1_convert(sh_buf *out, const uint8_t *config, size_t config_size, const uint8_t *bytes, size_t size,
                   sh_err *err);
int sh_av1_look_at(sh_sample_look *out, const uint8_t *config, size_t config_size, const uint8_t *sample,
                   size_t size, sh_err *err);

/* Reduces a rate that two numbers of the bytes tell; 0/1 where either is 0. */
void sh_rate_set(sh_video_config *out, int64_t num, int64_t den);

#endif
