/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_UPSCALE_H
#define SH_MEDIA_UPSCALE_H
/* A video file to a video file of as many times its size as the model makes.
 *
 * The work is done by one confined child process (sandbox.h, pipeline.h) in pieces. The unfinished output and
 * its journal lie beside the output's place under the names `.NAME.spyhop-part` and `.NAME.spyhop-journal`;
 * what is there and fits is gone on with. */
#include "base/err.h"
#include "media/options.h"
#include <stdbool.h>
#include <stdint.h>

/* Frames are those of the output, and those of earlier runs are counted in. */
typedef struct sh_upscale_progress {
    int64_t decoded, encoded;
    int64_t expected;    /* in all as far as known; 0: not known */
    int64_t bytes;       /* written so far */
    int64_t resumed;     /* frames that earlier runs have done */
    int64_t committed;   /* frames that no crash can take away any more */
    int64_t pieces;      /* committed */
    int64_t out_time_us; /* of the last frame encoded, from the first */
} sh_upscale_progress;

typedef struct sh_upscale_job {
    const sh_upscale_options *options;
    void (*progress)(void *opaque, const sh_upscale_progress *progress);
    void (*log)(void *opaque, int level, const char *text); /* SH_LOG_* */
    void *opaque;
} sh_upscale_job;

typedef struct sh_upscale_result {
    int64_t frames;          /* of the output */
    int64_t frames_in, lost; /* of the source; its packets without a frame */
    int64_t duplicates;      /* frames not enlarged twice */
    int64_t pieces, redone;  /* redone: those that a fallback made */
    int64_t damages;         /* accepted ones */
    int64_t bytes_in, bytes_out;
    int width, height, out_width, out_height;
    double duration; /* of the video, seconds */
    double seconds;  /* that it took */
} sh_upscale_result;

/* On failure what was at `output` before is untouched, and beside it stays what can be gone on with: nothing
 * where not one piece was done. SH_E_CANCELLED after sh_media_cancel. */
int sh_upscale(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err);

#endif
