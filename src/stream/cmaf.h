/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CMAF_H
#define SH_STREAM_CMAF_H
/* Writer of CMAF tracks (ISO 23000-19): an init segment and media segments of one track, as bytes in memory.
 *
 * A segment is styp, then one moof + mdat a GOP (video) or one for the whole segment (audio). Everything a
 * segment needs stands in it: tfhd carries default-base-is-moof and all defaults, tfdt is version 1, trun is
 * version 1. The payload of the first sample of a fragment is the first payload in its mdat, so that the
 * bytes from the start of a moof to the end of its first sample are what an I-frame playlist names.
 *
 * Decode times are not asked for. Samples are decoded one after the other from the earliest pts of the
 * segment on, each for as long as it is shown, and what is missing to its pts goes into signed composition
 * offsets. So the duration in trun is that of the picture itself, which is what Chromium takes it for (with
 * the steps of sorted times a film of varying rate got holes there); the first pts of a segment is its tfdt,
 * and tfdt(n+1) = tfdt(n) + the sum of durations holds by construction as long as segments follow one
 * another. It works because a segment is a run of closed GOPs whose presentation times tile it without a gap,
 * and the writer refuses what is not.
 *
 * Where pictures are reordered, offsets would be negative. Browsers take that, libavformat moves all pictures
 * later by the lowest of them and thereby away from the sound. So all offsets of a track are put up by its
 * `delay`, and the edit list of the init segment takes as much off again: what is presented stays pts, and
 * tfdt stays the first pts. The brand cmf2 forbids an edit list of pictures, such a track is cmfc alone.
 *
 * Audio: a packet that the encoder made before time 0 (priming) is simply the first; its pts is 0 in the
 * file, and the init segment's edit list skips `priming` samples. The caller adds priming to all its times:
 * pts in the file = time in the presentation + priming. A track's first segment has tfdt 0. */
#include "base/buf.h"
#include "base/err.h"
#include "stream/codec_config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_CMAF_MAX_SAMPLES 65536             /* a segment */
#define SH_CMAF_MAX_SEGMENT (1024u * 1048576) /* bytes */

/* SMPTE ST 2086: primaries and white in 1/50000, luminance in 1/10000 cd/m2. Order: green, blue, red. */
typedef struct sh_mastering {
    uint16_t primary_x[3], primary_y[3], white_x, white_y;
    uint32_t max_luminance, min_luminance;
} sh_mastering;

/* CTA-861.3, cd/m2. */
typedef struct sh_light_level {
    uint16_t max_content, max_average;
} sh_light_level;

typedef enum sh_cmaf_kind { SH_CMAF_VIDEO, SH_CMAF_AUDIO } sh_cmaf_kind;

typedef struct sh_cmaf_track {
    sh_cmaf_kind kind;
    sh_codec codec;
    uint32_t timescale;    /* ticks a second, > 0 */
    const uint8_t *config; /* avcC, hvcC, av1C payload, or AudioSpecificConfig; borrowed */
    size_t config_size;

    int width, height;    /* video: coded size shown, 1 to 16384; must be the config's */
    int sar_num, sar_den; /* pasp is always written; 0 means 1:1 */
    bool has_colour;      /* colr nclx */
    sh_cicp colour;
    bool has_mastering, has_light_level; /* mdcv, clli */
    sh_mastering mastering;
    sh_light_level light_level;
    uint32_t delay; /* video: ticks added to composition offsets and skipped by an edit list, at most 2^31 -
                       1; 0: no edit list. Offsets below 0 remain where pictures are reordered by more */

    int channels, sample_rate; /* audio: as decoded and heard */
    uint32_t priming;          /* audio: samples (of timescale) that an edit list skips; 0: no edit list */

    uint32_t max_bitrate, avg_bitrate, buffer_size; /* btrt: bits a second, buffer in bytes; all 0: no btrt */
    uint64_t duration;    /* of the whole track in ticks (mehd), as presented; 0: not known, no mehd */
    const char *language; /* ISO 639-2/T, three lower-case letters; NULL: "und" */
    const char *name;     /* of the handler; NULL: "Spyhop" */
} sh_cmaf_track;

typedef struct sh_cmaf_sample {
    const uint8_t *data; /* in the form of an ISO file (sh_sample_convert); borrowed */
    uint32_t size;       /* > 0 */
    int64_t pts;         /* ticks, >= 0 */
    int64_t duration;    /* ticks that it is shown, > 0 */
    bool sync;           /* IDR, or a key frame of AV1; ignored for audio */
} sh_cmaf_sample;

/* Where a fragment lies in the bytes of its segment. */
typedef struct sh_cmaf_fragment {
    uint64_t offset;   /* of its moof, from the first byte of the segment */
    uint64_t key_size; /* from there to the end of its first sample */
    uint64_t size;     /* from there to the end of its mdat */
    int64_t time;      /* tfdt, ticks */
    int64_t duration;  /* ticks */
} sh_cmaf_fragment;

/* Appends the init segment: ftyp + moov. SH_E_ARGUMENT names the field that is not as it must be. */
int sh_cmaf_write_init(sh_buf *out, const sh_cmaf_track *track, sh_err *err);

/* Appends one media segment. samples: in decode order; the first of a video segment is a sync sample, and
 * each GOP is closed: sorted by pts, pictures follow one another without gap or overlap, and no sample has a
 * pts before its GOP's sync sample. first_sequence: mfhd number of the first fragment, > 0; the next segment
 * has first_sequence + *fragments. index: room for *fragments entries (count is always enough); set to what
 * was written. SH_E_ARGUMENT says the sample that is wrong; nothing is appended then. */
int sh_cmaf_write_segment(sh_buf *out, const sh_cmaf_track *track, uint32_t first_sequence,
                          const sh_cmaf_sample *samples, size_t count, sh_cmaf_fragment *index,
                          size_t *fragments, sh_err *err);

#endif
