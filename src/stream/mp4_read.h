/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_MP4_READ_H
#define SH_STREAM_MP4_READ_H
/* Reads init and media segments of fragmented ISO files back into numbers, for the checker of streams.
 *
 * Two kinds of fault are kept apart. What makes the bytes unreadable (a box past its parent's end, a sample
 * table past its data, a field missing that everything else needs) is SH_E_FORMAT here, with the box and its
 * byte offset. What a reader can still make sense of, and only a rule forbids (an edit list on pictures, no
 * default-base-is-moof, tfdt of version 0, a wrong brand, a sample past its mdat), is told as a fact for the
 * checker to judge. So nothing is guessed: each flag below says what stands in the bytes.
 *
 * Pointers into the caller's bytes are borrowed; they live as long as those do. */
#include "base/err.h"
#include "stream/cmaf.h"
#include "stream/codec_config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_MP4_MAX_BRANDS 16
#define SH_MP4_MAX_TRACKS 16
#define SH_MP4_MAX_EDITS 16

typedef struct sh_mp4_brands {
    bool present;
    uint64_t offset; /* of the box */
    uint32_t major, minor;
    uint32_t compatible[SH_MP4_MAX_BRANDS];
    size_t count; /* of those above; more are counted, not kept */
} sh_mp4_brands;

bool sh_mp4_has_brand(const sh_mp4_brands *brands, const char fourcc[4]); /* major or compatible */

typedef struct sh_mp4_edit {
    uint64_t duration;  /* in the movie's timescale; 0: to the end */
    int64_t media_time; /* -1: empty edit */
    int32_t rate;       /* 16.16; 0x10000 is 1 */
} sh_mp4_edit;

typedef struct sh_mp4_defaults { /* trex */
    bool present;
    uint32_t description, duration, size, flags;
} sh_mp4_defaults;

typedef struct sh_mp4_track {
    uint64_t offset;                    /* of trak */
    uint32_t id, handler;               /* 'vide', 'soun', 'text', 'subt' */
    bool enabled;                       /* tkhd */
    int32_t matrix[9];                  /* tkhd */
    uint32_t shown_width, shown_height; /* tkhd, 16.16 */
    uint32_t timescale;
    uint64_t duration; /* mdhd */
    char language[4];  /* "und" */
    sh_mp4_edit edits[SH_MP4_MAX_EDITS];
    size_t edit_count;
    sh_mp4_defaults trex;
    uint64_t table_samples; /* told by stsz/stz2 in moov: 0 in a fragmented track */

    uint32_t entries;      /* sample entries in stsd; the first is told below */
    uint32_t entry;        /* 'avc1', 'hvc1', 'av01', 'mp4a', ... */
    uint64_t entry_offset; /* of the sample entry */
    bool encrypted;        /* encv, enca, or a sinf in it */
    sh_codec codec;        /* SH_CODEC_NONE where the entry is none of ours */
    const uint8_t *config; /* payload of avcC/hvcC/av1C, or the AudioSpecificConfig inside esds; NULL: none */
    size_t config_size;
    int width, height;         /* of the sample entry */
    int channels, sample_rate; /* of the sample entry */
    bool has_pasp, has_colour, has_mastering, has_light_level, has_btrt;
    uint32_t pasp_h, pasp_v;
    sh_cicp colour; /* colr of type nclx */
    sh_mastering mastering;
    sh_light_level light_level;
    uint32_t buffer_size, max_bitrate, avg_bitrate;
    int object_type; /* audio: objectTypeIndication of esds, 0x40 for MPEG-4 audio; else 0 */
} sh_mp4_track;

/* Ticks of the media that its only edit skips. 0: there is none, or more, or one that does not skip. */
int64_t sh_mp4_skipped(const sh_mp4_track *track);

typedef struct sh_mp4_init {
    sh_mp4_brands ftyp;
    bool has_moov; /* always, after success */
    uint64_t moov_offset;
    uint32_t timescale; /* of the movie */
    uint64_t duration;  /* mvhd */
    bool fragmented;    /* has mvex */
    bool has_fragment_duration;
    uint64_t fragment_duration; /* mehd, in the movie's timescale */
    bool has_mdat;              /* media data in an init segment */
    bool has_pssh;
    sh_mp4_track tracks[SH_MP4_MAX_TRACKS];
    size_t track_count;
} sh_mp4_init;

/* Reads ftyp, moov and what else stands in an init segment (unknown boxes are passed over). SH_E_FORMAT also
 * where there is no moov, or two. Large: keep *out on the heap. */
int sh_mp4_read_init(sh_mp4_init *out, const uint8_t *bytes, size_t size, sh_err *err);

typedef struct sh_mp4_sample {
    uint64_t offset; /* of its first byte in the segment */
    uint32_t size;
    uint32_t duration;
    int64_t dts;    /* ticks of the track, from tfdt on */
    int64_t pts;    /* as presented: dts and the composition offset, less sh_mp4_skipped */
    uint32_t flags; /* as effective: trun, first-sample, tfhd or trex */
    bool sync;      /* sample_is_non_sync_sample is 0 */
    bool outside;   /* not wholly in the payload of its fragment's mdat */
} sh_mp4_sample;

typedef struct sh_mp4_fragment {
    uint64_t offset, moof_size; /* of moof */
    uint64_t mdat_offset, end;  /* of the mdat's header; end of mdat. 0, 0: no mdat follows */
    uint32_t sequence;          /* mfhd */
    uint32_t track_id;          /* tfhd of the first traf */
    uint32_t trafs, truns;      /* how many; one and one as CMAF asks */
    bool base_is_moof, base_data_offset, description_other; /* tfhd */
    bool has_tfdt;
    uint8_t tfdt_version, trun_version;
    int64_t tfdt;
    int64_t duration;    /* sum of its samples' */
    size_t first, count; /* samples */
    bool self_contained; /* needs no default of trex */
} sh_mp4_fragment;

typedef struct sh_mp4_segment {
    sh_mp4_brands styp;
    sh_mp4_fragment *fragments; /* owned */
    size_t fragment_count;
    sh_mp4_sample *samples; /* owned; all fragments', in the order of the bytes that tell them */
    size_t sample_count;
    int64_t start, duration;    /* tfdt of the first fragment; sum of all samples' durations */
    int64_t first_pts, end_pts; /* as presented: least pts; greatest pts + duration */
    bool has_sidx, has_emsg, has_prft, has_moov;
    bool encrypted; /* senc, saio or saiz in a traf */
    uint64_t loose; /* bytes of mdat that no sample uses */
} sh_mp4_segment;

/* Reads a media segment of `track` (of its init segment). SH_E_FORMAT where it cannot be read, where it has
 * no fragment, or where it has samples of another track; SH_E_LIMIT above SH_CMAF_MAX_SAMPLES. */
int sh_mp4_read_segment(sh_mp4_segment *out, const sh_mp4_track *track, const uint8_t *bytes, size_t size,
                        sh_err *err);
void sh_mp4_segment_free(sh_mp4_segment *segment); /* accepts NULL; leaves it empty */

#endif
