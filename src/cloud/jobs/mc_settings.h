/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_MC_SETTINGS_H
#define SH_JOBS_MC_SETTINGS_H
/* The Settings of a MediaConvert job, from JSON to a checked C struct. CreateJob calls it, so that a wrong
 * job is refused when it is made; the worker calls it again and builds the stream from the struct.
 *
 * Every field is looked up in one table: its type, range and values are those of the service model; it is
 * used, or it has no effect on the stream (StorageClass, TimecodeConfig) and is accepted, or it is a hint to
 * the inner workings of AWS's encoder (adaptive quantisation) and is accepted and listed, or it would have an
 * effect that we do not make, and then any value but those we do make is refused. A field that is not in the
 * table is refused. A refusal names the field by its JSON path:
 * "/outputGroups/0/outputs/0/containerSettings/container". Names are camelCase as in REST; the PascalCase of
 * the Step Functions integration is accepted as well (the first letter's case does not matter). */
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_MC_MAX_OUTPUTS 16

enum { SH_MC_RATE_QVBR, SH_MC_RATE_CBR, SH_MC_RATE_VBR };

typedef struct sh_mc_output {
    const char *name_modifier; /* "" when the job gives none (allowed for a single output) */
    const char *extension;     /* of the segments: "ts" */
    int width, height;         /* 0: not given */
    bool stretch;              /* STRETCH_TO_OUTPUT */
    int rate;                  /* SH_MC_RATE_* */
    int64_t bitrate, max_bitrate, hrd_buffer;
    double quality_level; /* QVBR level with its fine tune; 0: the service chooses */
    double gop_size;      /* 0: automatic */
    bool gop_in_frames;
    bool scene_cuts;
    int b_frames, references; /* -1: automatic */
    const char *profile;      /* "baseline", "main", "high" */
    const char *level;        /* "4.1" or NULL */
    const char *preset;       /* x264's preset for QualityTuningLevel */
    bool video, audio;
    int64_t audio_bitrate;
    int audio_channels, audio_rate;
} sh_mc_output;

typedef struct sh_mc_job {
    const char *file_input;  /* "s3://bucket/key" */
    const char *destination; /* "s3://bucket/prefix/" as given */
    const char *name;        /* of the output group, or "" */
    int segment_length, min_segment_length;
    bool integer_durations; /* ManifestDurationFormat INTEGER */
    size_t output_count;
    sh_mc_output outputs[SH_MC_MAX_OUTPUTS];
    char *
        hints; /* paths, one a line, of tuning hints of AWS's encoder that are accepted and not applied; "" */
    json_t *settings; /* keeps the strings alive */
} sh_mc_job;

/* SH_E_ARGUMENT: unknown field, wrong type, out of range, missing (BadRequestException); SH_E_UNSUPPORTED:
 * valid on AWS but not made here (BadRequestException too: said at once, not after the work). The message
 * starts with the path. On success the caller frees *out with sh_mc_job_free. */
int sh_mc_job_read(sh_mc_job **out, const json_t *settings, sh_err *err);
void sh_mc_job_free(sh_mc_job *job); /* NULL is fine */

/* "s3://bucket/key" -> its parts; the URI must have that form. bucket holds 64 bytes at least. *key points
 * into uri. */
int sh_mc_s3_uri(const char *uri, char *bucket, size_t size, const char **key, sh_err *err);

/* Where files go, as on AWS. A destination that ends in '/' is a folder, and the base name is the input's
 * file name without its extension; else what follows the last '/' is the base name. Both are in the job's
 * destination bucket: file F of the worker's result has the key <prefix>F. Frees with free(). */
int sh_mc_output_prefix(const sh_mc_job *job, char **prefix, sh_err *err);
int sh_mc_base_name(const sh_mc_job *job, char **base, sh_err *err);

#endif
