/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_UPSCALE_H
#define SH_MEDIA_UPSCALE_H
/* A video file to a video file of as many times its size as the model makes.
 *
 *     reader and decoder --> engine --> encoder and muxer
 *
 * Three threads in one confined child process (sandbox.h), with short lines between them; the engine, the
 * decoder and x264 have threads of their own beside that. Pictures decoded, upscaled, encoded and written are
 * counted, and all four numbers must agree. Every other track is copied packet for packet; everything that is
 * converted or left out is said in a log line. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_upscale_progress {
    int64_t decoded, encoded;
    int64_t expected; /* frames in all as far as known; 0: not known */
    int64_t bytes;    /* written so far */
} sh_upscale_progress;

typedef struct sh_upscale_job {
    const char *input, *output; /* paths; any bytes */
    const char *model;          /* path of an ONNX file */
    double crf;
    const char *preset;
    int threads;   /* 0: one for each CPU */
    int cpu;       /* a spyhop_cpu */
    int precision; /* a spyhop_precision */
    bool overwrite;
    bool accept_damage;
    void (*progress)(void *opaque, const sh_upscale_progress *progress);
    void (*log)(void *opaque, int level, const char *text); /* SH_LOG_* */
    void *opaque;
} sh_upscale_job;

typedef struct sh_upscale_result {
    int64_t frames;
    int64_t damages; /* accepted ones */
    int64_t bytes_in, bytes_out;
    int width, height, out_width, out_height;
    double duration; /* of the video, seconds */
    double seconds;  /* that it took */
} sh_upscale_result;

/* On failure nothing is left at or beside `output`, and what was there before is untouched. SH_E_CANCELLED
 * after sh_media_cancel. */
int sh_upscale(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err);

#endif
