/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CHECK_INNER_H
#define SH_STREAM_CHECK_INNER_H
/* How the checker is laid out. Manifests become tracks (check_hls.c, check_media.c, check_dash.c): runs of
 * segments with what the manifest says of each. A segment's file is read once, however many manifests name
 * it, and measured (check_files.c): what is left of it are numbers. The rules are then comparisons of
 * numbers: within a track (check_track.c), with what its manifest says of it (check_hls_track.c,
 * check_dash_track.c), between tracks (check_across.c), with a plan (check_plan.c). Findings go through
 * sh_check_find, which keeps one rule from filling the report. */
#include "base/buf.h"
#include "stream/check.h"
#include "stream/fetch.h"
#include "stream/mp4_read.h"
#include "stream/ts_read.h"

typedef enum sh_rule {
#define RULE(name, id, clause, severity, demand) SH_RULE_##name,
#include "stream/check_rules.inc"
#undef RULE
    SH_RULE_COUNT
} sh_rule;

#define SH_CHECK_TRACKS 256
#define SH_CHECK_SEGMENTS 200000
#define SH_CHECK_TICKS 90000 /* of a transport stream */

/* One elementary stream in one file. */
typedef struct sh_check_clip {
    bool there;
    int64_t timescale;
    int64_t start, duration;  /* decoding clock: first tfdt, sum of durations (TS: unknown, 0) */
    int64_t first, last, end; /* as presented: least, greatest, greatest + its duration (TS: greatest) */
    int64_t last_duration;    /* of the sample shown last (TS: of the last PES packet of AAC, else 0) */
    int64_t first_dts, last_dts;
    int64_t samples;
    int64_t shortest; /* duration of a sample, > 0; the highest frame rate */
} sh_check_clip;

typedef struct sh_check_key { /* a key picture that begins a fragment */
    int64_t offset, end;      /* of its moof; of its last byte, + 1 */
    int64_t pts;
} sh_check_key;

typedef struct sh_check_cue {
    int64_t from, to; /* ms on the cue's own clock */
} sh_check_cue;

typedef enum sh_check_kind {
    SH_FILE_UNKNOWN,
    SH_FILE_INIT,
    SH_FILE_MP4,
    SH_FILE_TS,
    SH_FILE_VTT
} sh_check_kind;

/* What the bytes say of a track, from an init segment or a transport stream. */
typedef struct sh_check_format {
    sh_codec video, audio;
    char video_codec[64], audio_codec[64]; /* as in CODECS; "": none */
    int width, height, sar_num, sar_den, bit_depth;
    sh_cicp colour; /* of the parameter sets, else of the box */
    int channels, sample_rate, frame;
    char language[4];
} sh_check_format;

/* One file (or byte range), read once. */
typedef struct sh_check_file {
    char *key; /* the name, and the range where there is one */
    char *name;
    sh_check_kind kind;
    bool there; /* it could be read */
    bool good;  /* and measured */
    bool torn;  /* its fragments do not follow one another: said, and nothing more is made of its length */
    int64_t bytes;
    struct sh_check_file *init; /* SH_FILE_MP4: read with it */
    /* SH_FILE_INIT */
    sh_mp4_init *header;
    uint8_t *raw; /* header points into it */
    size_t raw_size;
    /* SH_FILE_INIT, SH_FILE_TS */
    sh_check_format format;
    /* SH_FILE_MP4, SH_FILE_TS */
    sh_check_clip video, audio; /* an MP4 has one of them */
    sh_check_key *keys;
    size_t key_count;
    uint32_t first_sequence, last_sequence;
    /* SH_FILE_VTT */
    sh_check_cue *cues;
    size_t cue_count;
    bool has_map;
    int64_t map_mpegts, map_local; /* 90 kHz; ms */
} sh_check_file;

typedef struct sh_check_segment {
    sh_check_file *file; /* NULL: it has a URI that is none */
    int64_t line;
    int64_t from, length; /* byte range; length -1: the whole file */
    int64_t nano;         /* HLS */
    bool integer, discontinuity;
    int64_t time, duration; /* DASH, ticks of the track's timescale */
} sh_check_segment;

typedef struct sh_check_track {
    char *manifest, *name; /* file of the manifest; for people */
    char *folder;          /* for plans: "v0" of "v0/index.m3u8", or the representation's id */
    bool dash, iframes, event, endlist, independent, vod;
    char declared;             /* 'v', 'a', 't', 'i' or '?' */
    int64_t line;              /* of its target duration, or its Representation */
    int64_t target;            /* seconds, 0: none */
    int64_t timescale, offset; /* DASH: timescale, presentationTimeOffset */
    sh_check_file *init;
    sh_check_segment *segments;
    size_t count, room;
    /* filled in by check_track.c */
    sh_check_format format;
    bool measured; /* all segments could be */
    bool video, audio, text;
    int64_t samples, bytes;
    double seconds;
    int64_t peak, average;
    double frame_rate; /* of the picture that is shown shortest */
    double tick;       /* seconds, of the pictures' clock */
    double origin;     /* presentation time of its first picture or sample, seconds, edit list applied */
    double frame_seconds;
} sh_check_track;

typedef struct sh_checker {
    sh_fetch *fetch;
    const sh_stream_check_options *options;
    sh_stream_report *report;
    void *files; /* tree of sh_check_file by key */
    char *last_name;
    sh_buf last;      /* bytes of the file read last */
    sh_err why;       /* for which a file could not be read the last time */
    sh_ts_reader *ts; /* of the rendition being read */
    sh_check_track *tracks[SH_CHECK_TRACKS];
    size_t track_count;
    size_t of_rule[SH_RULE_COUNT];
    bool saw_hls, saw_dash;
    double minimum_buffer; /* of the MPD */
    int status;            /* a failure that ends the check */
    sh_err *err;
} sh_checker;

/* line 0, byte -1: none. */
void sh_check_find(sh_checker *c, sh_rule rule, const char *file, int64_t line, int64_t byte,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Sets c->status; always returns it. */
int sh_check_memory(sh_checker *c);

/* check_files.c. NULL: c->status, or a finding was made. Files belong to the checker. manifest, line: who
 * names it. */
sh_check_file *sh_check_init(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                             size_t length, int64_t from, int64_t size);
sh_check_file *sh_check_media(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                              size_t length, int64_t from, int64_t size, sh_check_file *init);
sh_check_file *sh_check_text(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                             size_t length);
/* Its size is all that is wanted (I-frame ranges): already measured, or read. */
sh_check_file *sh_check_known(sh_checker *c, const char *manifest, int64_t line, const char *uri,
                              size_t length);
/* The bytes of a whole file, valid until the next call; NULL: a finding was made (unless `quiet`). */
const sh_buf *sh_check_bytes(sh_checker *c, const char *manifest, int64_t line, const char *name, bool quiet);
void sh_check_files_free(sh_checker *c);
/* check_mp4.c */
bool sh_check_measure_init(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size);
bool sh_check_measure_mp4(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size);
/* check_files.c */
bool sh_check_measure_ts(sh_checker *c, sh_check_file *file, const uint8_t *bytes, size_t size);
/* check_vtt.c */
bool sh_check_measure_vtt(sh_checker *c, sh_check_file *file, const char *text, size_t size);
void sh_check_thumbnails(sh_checker *c);

sh_check_track *sh_check_track_new(sh_checker *c, const char *manifest, const char *name);
sh_check_segment *sh_check_segment_new(sh_checker *c, sh_check_track *track);
void sh_check_track_free(sh_check_track *track);

/* check_hls.c: a playlist of either kind. */
void sh_check_playlist(sh_checker *c, const char *name);
/* check_media.c: reads a media playlist into a track (the same one when asked again). NULL: a finding was
 * made. */
sh_check_track *sh_check_media_playlist(sh_checker *c, const char *name, const char *text, size_t length,
                                        char declared, bool iframes);
bool sh_check_text_is_sound(sh_checker *c, const char *name, const char *text, size_t length);
/* check_dash.c */
void sh_check_mpd(sh_checker *c, const char *name);

/* check_track.c: rules within one track; fills in what is measured. */
void sh_check_track_rules(sh_checker *c, sh_check_track *track);
void sh_check_iframe_rules(sh_checker *c, sh_check_track *track);
int64_t sh_check_peak(const sh_check_track *track);
/* Ticks from the start of segment i to that of the next (or the end), and their scale. */
int64_t sh_check_step(const sh_check_track *track, size_t i, int64_t *timescale);
/* Whether a rate, told to `slack` pictures a second, is the pictures'. Where all last equally long, but for
 * rounding to ticks: theirs. Else none below the average (which the highest cannot be) and none above that of
 * the shortest. */
bool sh_check_rate_fits(const sh_check_track *track, double rate, double slack);
/* Seconds on the presentation's clock at which segment i begins. */
double sh_check_begin(const sh_check_track *track, size_t i);
/* check_across.c */
void sh_check_across(sh_checker *c);
/* check_plan.c */
void sh_check_plan(sh_checker *c);
void sh_check_decode_all(sh_checker *c);

#endif
