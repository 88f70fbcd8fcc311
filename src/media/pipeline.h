/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PIPELINE_H
#define SH_MEDIA_PIPELINE_H
/* The child's part of upscale.h. */
#include "media/mux.h"
#include "media/upscale.h"

typedef struct sh_upscale_child {
    const sh_upscale_job *job;
    const AVOutputFormat *muxer;
    int input, output; /* descriptors */
    const void *model; /* bytes of the ONNX file */
    size_t model_size;
} sh_upscale_child;

/* Numbers of the SH_MSG_DATA message that ends it well. */
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
enum { SH_UP_DECODED, SH_UP_ENCODED, SH_UP_EXPECTED, SH_UP_WRITTEN };

/* A sh_sandbox_main; opaque: sh_upscale_child. */
int sh_upscale_child_main(void *opaque, int channel, sh_err *err);

#endif
