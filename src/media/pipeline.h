/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PIPELINE_H
#define SH_MEDIA_PIPELINE_H
/* The child's part of upscale.h: facts, plan, journal, what a crash left, the stages (run.h), the end of the
 * file, and its check.
 *
 * The fingerprint that a resumed job is recognised by holds all that the bytes of the output depend on: the
 * source (size, time of change, both ends), the models, the plan, the encoder's options, the versions of the
 * libraries, the instruction set and precision, the threads of decoder and encoder. --accept-damage is not
 * in it: up to the first damage it changes nothing. */
#include "media/mux.h"
#include "media/upscale.h"

typedef struct sh_upscale_child {
    const sh_upscale_job *job;
    const AVOutputFormat *muxer; /* NULL: Y4M, or a preview */
    bool piped;                  /* the input cannot be read twice */
    int input, part, journal,
        folder;                  /* descriptors. Without a muxer: part is what is written to, the others -1 */
    const void *model, *restore; /* bytes of the ONNX files; restore NULL: none */
    size_t model_size, restore_size;
} sh_upscale_child;

/* Numbers of the SH_MSG_DATA message that ends it well; its text: the time bases of source and output. */
enum {
    SH_UP_FRAMES,
    SH_UP_DAMAGES,
    SH_UP_WIDTH,
    SH_UP_HEIGHT,
    SH_UP_OUT_WIDTH,
    SH_UP_OUT_HEIGHT,
    SH_UP_DURATION_US,
    SH_UP_BYTES
};
/* Numbers of SH_MSG_PROGRESS. */
enum {
    SH_UP_DECODED,
    SH_UP_ENCODED,
    SH_UP_EXPECTED,
    SH_UP_WRITTEN,
    SH_UP_RESUMED,
    SH_UP_COMMITTED,
    SH_UP_PIECES,
    SH_UP_TIME_US
};

/* A sh_sandbox_main; opaque: sh_upscale_child. */
int sh_upscale_child_main(void *opaque, int channel, sh_err *err);

#endif
