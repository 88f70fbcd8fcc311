/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_MC_SETTINGS_H
#define SH_JOBS_MC_SETTINGS_H
/* The Settings of a MediaConvert job, from JSON to a checked C struct. CreateJob calls it, so that a wrong
 * job is refused when it is made; the worker and `spyhop transcode` call it again and build the streams from
 * the struct.
 *
 * Every field is looked up in one table (mc_table.h): its type, range and values are those of the service
 * model; it is used, or it has no effect on the stream (StorageClass, TimecodeConfig) and is accepted, or it
 * is a hint to the inner workings of AWS's encoder (adaptive quantisation) and is accepted and listed, or it
 * would have an effect that we do not make, and then any value but those we do make is refused. A field that
 * is not in the table is refused. A refusal names the field by its JSON path:
 * "/outputGroups/0/outputs/0/containerSettings/container". Names are camelCase as in REST; the PascalCase of
 * the Step Functions integration is accepted as well (the first letter's case does not matter).
 *
 * What is encoded is listed apart from what is written: outputs that ask for the same picture, sound or text
 * point to the same entry, which is encoded once. */
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SH_MC_GROUPS = 16,
    SH_MC_OUTPUTS = 64, /* in all groups */
    SH_MC_VIDEOS = 16,  /* different ones, of all groups */
    SH_MC_AUDIOS = 16,
    SH_MC_TEXTS = 32,
    SH_MC_CAPTURES = 8,
    SH_MC_OUTPUT_AUDIOS = 8,
    SH_MC_SIZES = 64,
    SH_MC_STEPS = 15 /* of an automatic ladder */
};

/* ---- what is encoded ---- */

enum { SH_MC_H264, SH_MC_H265, SH_MC_AV1 };
enum { SH_MC_RATE_QVBR, SH_MC_RATE_CBR, SH_MC_RATE_VBR };
enum {
    SH_MC_SCALE_DEFAULT,    /* the whole picture, black bars where the shape differs */
    SH_MC_SCALE_STRETCH,    /* exactly the size */
    SH_MC_SCALE_FIT,        /* the largest of the picture's shape within the size */
    SH_MC_SCALE_NO_UPSCALE, /* the same, but not larger than the picture */
    SH_MC_SCALE_FILL        /* the size, what is outside is cut off */
};
enum { SH_MC_FAST, SH_MC_GOOD, SH_MC_BEST }; /* QualityTuningLevel */

typedef struct sh_mc_video {
    int codec;
    int width, height; /* 0: not given */
    int scaling;
    int rate_control; /* SH_MC_RATE_* */
    int effort;       /* SH_MC_FAST ... */
    int64_t bitrate, max_bitrate, hrd_buffer;
    double buffer_fill;   /* 0..1; 0: not given */
    double quality_level; /* QVBR level with its fine tune; 0: the service chooses */
    double gop_seconds;   /* both 0: automatic */
    int gop_frames;
    bool scene_cuts;
    int b_frames, references; /* -1: automatic */
    int bits;                 /* 8 or 10; 0: as the source has */
    int rate_num, rate_den;   /* frames a second; 0/0: the source's */
    const char *profile;      /* "baseline", "main", "high", "main10"; static, NULL: any */
    const char *level;        /* "4.1" or NULL; static */
} sh_mc_video;

typedef struct sh_mc_capture {
    int width, height, scaling;
    int rate_num, rate_den; /* pictures a second */
    int64_t most;           /* 0: no end */
    int quality;
} sh_mc_capture;

enum { SH_MC_BY_DEFAULT, SH_MC_BY_TRACK, SH_MC_BY_LANGUAGE };

typedef struct sh_mc_audio {
    int by;            /* which track of the input: SH_MC_BY_* */
    int track;         /* from 1, of the input's audio tracks */
    char source[4];    /* "eng": by language */
    int64_t bitrate;   /* of AAC */
    int channels;      /* 1, 2, 6; 0: the source's */
    int sample_rate;   /* 48000 ... */
    bool follow;       /* the input's language, where it tells one */
    char language[36]; /* configured, ISO 639-2 in small letters or BCP 47; "" */
} sh_mc_audio;

typedef struct sh_mc_text {
    int track;         /* from 1, of the input's text tracks; 0: CEA-608 in the pictures */
    char language[36]; /* as above */
} sh_mc_text;

/* ---- what is written ---- */

enum { SH_MC_TRACK_DEFAULT, SH_MC_TRACK_AUTO, SH_MC_TRACK_ALTERNATE }; /* audioTrackType */

typedef struct sh_mc_output {
    size_t group, number;         /* /outputGroups/<group>/outputs/<number> */
    const char *name_modifier;    /* "" when the job gives none */
    const char *segment_modifier; /* "" */
    const char *extension;        /* of its files, without a dot: "ts", "mp4", "cmfv", "cmfa", "vtt", "jpg" */
    int video, capture, text;     /* index into the job's, -1: none */
    int audios[SH_MC_OUTPUT_AUDIOS];
    int audio_count;
    bool iframes;               /* an I-frame playlist */
    bool described, accessible; /* sound that describes the picture; captions for the deaf */
    int track_type;             /* of an output of sound alone */
    const char *audio_group;    /* its HLS group; "" */
    const char *rendition_sets; /* the groups a video plays with, comma-separated; "" */
    const char *label;          /* StreamName of the first audio, LanguageDescription of captions; "" */
} sh_mc_output;

enum { SH_MC_HLS, SH_MC_DASH, SH_MC_CMAF, SH_MC_FILES };

typedef struct sh_mc_size {
    int width, height;
    bool required;
} sh_mc_size;

typedef struct sh_mc_abr { /* automated ABR: the group's one video output is the pattern of all */
    bool wanted;
    int64_t max_bitrate, min_bitrate;
    int max_renditions;
    sh_mc_size min_top, min_bottom; /* 0 x 0: none */
    sh_mc_size sizes[SH_MC_SIZES];  /* those allowed (exclusive), or those to be there anyhow */
    size_t size_count;
    bool exclusive;
} sh_mc_abr;

typedef struct sh_mc_group {
    int kind;
    const char *name;        /* of the output group, or "" */
    const char *destination; /* "s3://bucket/prefix/" as given */
    int segment_length;      /* seconds; 0: FILE group */
    double min_last;         /* seconds */
    bool integer_durations;  /* ManifestDurationFormat INTEGER */
    bool hls, dash;          /* manifests that are written */
    bool captions_unsaid;    /* captionLanguageSetting OMIT */
    int64_t min_buffer_ms;
    int date_every; /* seconds between EXT-X-PROGRAM-DATE-TIME; 0: none */
    sh_mc_abr abr;
    size_t first_output, output_count; /* in the job's outputs */
} sh_mc_group;

typedef struct sh_mc_timecode {
    bool given;
    bool drop; /* "HH:MM:SS;FF": at 29.97 and 59.94 some numbers are left out */
    int hours, minutes, seconds, frames;
} sh_mc_timecode;

enum { SH_MC_DEINTERLACE_AUTO, SH_MC_DEINTERLACE_ALL, SH_MC_DEINTERLACE_TELECINE };

typedef struct sh_mc_job {
    const char *file_input; /* "s3://bucket/key" */
    int turn;               /* clockwise degrees; -1: as the file says */
    int deinterlace;
    sh_mc_timecode clip_start, clip_end; /* the last frame that is in */
    sh_mc_timecode clip_origin;          /* of the file's first frame; not given: 0 */
    sh_mc_group groups[SH_MC_GROUPS];
    sh_mc_output outputs[SH_MC_OUTPUTS];
    sh_mc_video videos[SH_MC_VIDEOS];
    sh_mc_audio audios[SH_MC_AUDIOS];
    sh_mc_text texts[SH_MC_TEXTS];
    sh_mc_capture captures[SH_MC_CAPTURES];
    size_t group_count, output_count, video_count, audio_count, text_count, capture_count;
    char *notes;      /* what is accepted and made otherwise, one sentence with its path a line; "" */
    json_t *settings; /* keeps the strings alive */
} sh_mc_job;

/* SH_E_ARGUMENT: unknown field, wrong type, out of range, missing (BadRequestException); SH_E_UNSUPPORTED:
 * valid on AWS but not made here (BadRequestException too: said at once, not after the work). The message
 * starts with the path. On success the caller frees *out with sh_mc_job_free. */
int sh_mc_job_read(sh_mc_job **out, const json_t *settings, sh_err *err);
/* The same; inputs and destinations may be paths and file:// URIs too. */
int sh_mc_job_read_local(sh_mc_job **out, const json_t *settings, sh_err *err);
void sh_mc_job_free(sh_mc_job *job); /* NULL is fine */

/* ---- names (mc_names.c) ---- */

/* "s3://bucket/key" -> its parts; the URI must have that form. bucket holds 64 bytes at least. *key points
 * into uri. */
int sh_mc_s3_uri(const char *uri, char *bucket, size_t size, const char **key, sh_err *err);

/* What format identifiers stand for. */
typedef struct sh_mc_values {
    int64_t time_ms;       /* $dt$ $d$ $t$: since 1970, shown in UTC */
    const char *input;     /* $fn$: the input's URI or path; its name without folders and extension */
    const char *extension; /* $ex$ */
    int64_t video, audio;  /* $rv$ $ra$ $rc$, bits a second (shown in thousands); $Bandwidth$ */
    int width, height;     /* $w$ $h$ */
    double rate;           /* $f$ */
    const char *number;    /* $Number$: what it becomes; NULL: not allowed here */
    bool destination;      /* only $dt$ $d$ $t$ $fn$ are known, and any other '$' is one */
} sh_mc_values;

/* Replaces format identifiers, each with an optional least number of digits ("$h%04$"). An unknown one is
 * SH_E_ARGUMENT. *out is freed with free(). */
int sh_mc_expand(char **out, const char *pattern, const sh_mc_values *values, sh_err *err);

/* Where the files of a group go, as on AWS. A destination that ends in '/' is a folder, and the base name is
 * the input's file name without its extension; else what follows the last '/' is the base name. File F has
 * the key <prefix>F in the bucket; where the destination is local, `bucket` is "" and prefix a path. */
typedef struct sh_mc_place {
    char bucket[64];
    char *prefix, *base; /* freed with sh_mc_place_free */
} sh_mc_place;
int sh_mc_place_of(sh_mc_place *place, const sh_mc_job *job, size_t group, int64_t time_ms, sh_err *err);
void sh_mc_place_free(sh_mc_place *place);

/* The number of the frame that a time code names, at so many frames a second. */
int64_t sh_mc_timecode_frame(const sh_mc_timecode *code, double rate);

/* ---- automated ABR (mc_abr.c) ---- */

typedef struct sh_mc_step {
    int width, height;
    int64_t max_bitrate;
} sh_mc_step;

/* The ladder of a group with abr.wanted for a picture of this size, the largest first; returns how many.
 * top: the pattern's own width and height (0: none), which no step exceeds. */
size_t sh_mc_abr_steps(const sh_mc_abr *abr, const sh_mc_video *pattern, int width, int height, double rate,
                       sh_mc_step steps[SH_MC_STEPS]);

#endif
