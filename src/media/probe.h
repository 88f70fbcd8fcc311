/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PROBE_H
#define SH_MEDIA_PROBE_H
/* What a file is: told by the container and the codec, and measured where telling is not enough.
 *
 * Plain data without pointers: facts are copied, compared and put into JSON as they stand. They are a
 * function of the file's bytes and of the limits, never of time, load, or the number of threads: the plan
 * that is made of them is part of what a resumed job is recognised by.
 *
 * Measuring reads a sample: frames at the beginning and at some places spread over the file, found by seeking
 * (where seeking fails, the beginning alone, and `places` says so). Packets are cheap, so time stamps are
 * taken from more of them than are decoded. A file of nothing but key pictures, of one picture, without time
 * stamps or with a broken middle is measured as far as it goes; what could not be measured says so by its
 * count of samples being 0. Only what leaves nothing to work with is an error. */
#include "base/err.h"
#include "media/colour.h"
#include "media/source.h"
#include <libavutil/mastering_display_metadata.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum sh_hdr {
    SH_HDR_NONE,
    SH_HDR_PQ,     /* PQ without static metadata */
    SH_HDR_HDR10,  /* PQ with a mastering display or a light level */
    SH_HDR_HDR10P, /* HDR10 with dynamic metadata of SMPTE ST 2094-40 */
    SH_HDR_HLG,
} sh_hdr;
const char *sh_hdr_name(sh_hdr hdr); /* "none", "pq", "hdr10", "hdr10+", "hlg" */

typedef enum sh_scan {
    SH_SCAN_UNKNOWN,     /* too few frames, or none that moves: what is flagged is believed */
    SH_SCAN_PROGRESSIVE, /* measured */
    SH_SCAN_TOP_FIRST,
    SH_SCAN_BOTTOM_FIRST,
    SH_SCAN_MIXED, /* some frames are interlaced, others not; fields_top tells the order of those that are */
} sh_scan;
const char *sh_scan_name(sh_scan scan); /* "unknown", "progressive", "tff", "bff", "mixed" */

/* How a number of the container is known. */
typedef enum sh_known {
    SH_KNOWN_NOT,
    SH_KNOWN_INDEX,   /* every packet is listed */
    SH_KNOWN_HEADER,  /* the header says so */
    SH_KNOWN_STAMPS,  /* from the first and last time stamps */
    SH_KNOWN_BITRATE, /* size by bit rate: a guess */
} sh_known;
const char *sh_known_name(sh_known known); /* "not known", "index", "header", "time stamps", "bit rate" */

#define SH_FACTS_TRACKS 256
typedef struct sh_facts_track {
    int index;       /* in the container */
    int type;        /* enum AVMediaType */
    int codec;       /* enum AVCodecID */
    int disposition; /* AV_DISPOSITION_* */
    char codec_name[32];
    char tag[8]; /* the container's name for it */
    char language[12];
    char title[80]; /* or the file name of an attachment */
    int channels, sample_rate;
    bool chosen; /* the video track that is worked on */
} sh_facts_track;

/* Counts of one measurement: frames that were looked at, and those that were found so. */
typedef struct sh_facts_fields {
    int compared;                 /* frames beside another one of the same place */
    int progressive, top, bottom; /* by their content; the rest moves too little to tell */
    int flagged, flagged_top;     /* the decoder says: interlaced, and top field first */
    int repeats;               /* frames whose flag says that a field is to be shown again (soft telecine) */
    int cadence, cadence_hits; /* windows of five frames tested for 3:2, and those that have it */
} sh_facts_fields;

typedef struct sh_facts {
    /* file */
    char container[80], container_name[80]; /* FFmpeg's short names; words */
    int64_t bytes;                          /* -1: not known */
    int64_t duration_us, start_us;          /* of the whole; duration 0: not known */
    sh_known duration_known;
    int64_t frames; /* of the video track as the container has them; 0: not known */
    sh_known frames_known;
    int64_t edited_out; /* packets that an edit list leaves out */
    bool edit_list;     /* one that does more than begin at 0 */
    int chapters, programs;
    unsigned track_count; /* in all; the first SH_FACTS_TRACKS of them below */
    sh_facts_track tracks[SH_FACTS_TRACKS];
    /* video track */
    int video; /* its index */
    int codec; /* enum AVCodecID */
    char codec_name[32], profile[48];
    int level; /* AV_LEVEL_UNKNOWN: -99 */
    int64_t bitrate;
    int width, height; /* as decoded */
    enum AVPixelFormat format;
    int bits;
    char chroma[8]; /* "4:2:0", "4:4:4", "grey", "RGB" */
    bool rgb, alpha;
    AVRational sar; /* 1/1 when not told */
    bool sar_told;
    AVRational dar; /* as shown, before any turn */
    int turn;       /* degrees clockwise by which it has to be turned to be shown: 0, 90, 180, 270 */
    bool mirror;    /* left and right exchanged before that turn */
    bool odd_turn;  /* the matrix is none of these eight; turn is the nearest */
    bool matrix_told;
    int32_t matrix[9]; /* as stored */
    /* time */
    AVRational time_base;
    AVRational rate;                                 /* frames a second, measured; 0/1: not known */
    AVRational rate_told;                            /* what the container or codec says */
    bool vfr;                                        /* more than a few steps differ by more than rounding */
    int stamp_gaps;                                  /* steps that are not like the others */
    int64_t step_min, step_max;                      /* between time stamps, in time_base */
    int64_t stamps, stamps_missing, stamps_backward; /* packets looked at */
    int64_t first_pts;                               /* of the video track; AV_NOPTS_VALUE: none */
    /* scan */
    int field_order; /* enum AVFieldOrder, as the container has it */
    sh_facts_fields fields;
    sh_scan scan;
    bool fields_top; /* the top field comes first: measured, else flagged */
    bool telecine;   /* 3:2 in the content */
    /* colour */
    sh_colour colour_told, colour;
    char colour_why[SH_COLOUR_WHY]; /* what was assumed */
    bool colour_conflict;           /* the pictures' own tags differ from the track's; the pictures' count */
    sh_hdr hdr;
    bool has_mastering, has_light;
    AVMasteringDisplayMetadata mastering;
    AVContentLightMetadata light;
    bool dolby;
    int dolby_profile, dolby_compatibility;
    bool captions; /* CEA-608/708 in the pictures */
    bool timecode;
    /* sample */
    int places, places_wanted, sampled; /* frames decoded in all */
    int size_changes;                   /* frames of another size or format than the first */
    int damages;
    char damage[200];                 /* the first */
    int64_t video_bytes, other_bytes; /* of packets */
    int duplicates, duplicates_compared;
    double detail_across, detail_down; /* see measure.h: the share of its resolution that the picture fills;
                                          -1: too flat to tell, or (down) interlaced */
    bool soft; /* detail says: most likely enlarged before, or out of focus throughout */
} sh_facts;

typedef struct sh_probe_limits {
    int places;                 /* 1 and more: the beginning, and places - 1 spread evenly over the rest */
    int packets;                /* time stamps, at each place */
    int64_t pixels;             /* decoded in all; at least frames_min at the beginning */
    int frames_min, frames_max; /* decoded at each place */
    int64_t bytes;              /* read in all */
} sh_probe_limits;
/* About a second of one CPU for a picture of 720x576. */
void sh_probe_limits_default(sh_probe_limits *limits);

/* Fills *facts of a source that is not used for anything else: it is read and sought in, and to be closed
 * afterwards. Another sh_source on the same descriptor does not notice. Opened with one decoder thread it
 * gives the same facts every time. Damage is counted and accepted whatever source->accept_damage says.
 * SH_E_FORMAT: not one picture can be decoded. *facts is untouched on failure. */
int sh_probe_measure(sh_source *source, const sh_probe_limits *limits, sh_facts *facts, sh_err *err);

/* Opens descriptor `fd` as sh_source_open does, for this alone, and measures it within the default limits. On
 * failure *source is closed. */
int sh_probe_open(sh_source *source, int fd, sh_facts *facts, sh_err *err);

/* By measurement, or where that says nothing by the flags. */
bool sh_facts_interlaced(const sh_facts *facts);

/* For a source that cannot be sought in and read twice (a pipe): facts by what was told and by its first
 * frame, which stays the caller's. Nothing is read. */
int sh_probe_first(const sh_source *source, const AVFrame *frame, sh_facts *facts, sh_err *err);

#endif
