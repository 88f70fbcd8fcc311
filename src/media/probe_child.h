/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PROBE_CHILD_H
#define SH_MEDIA_PROBE_CHILD_H
/* The child's part of probe_job.h, and the estimate. */
#include "media/plan.h"
#include "media/probe_job.h"

typedef struct sh_probe_child {
    const sh_probe_job *job;
    int input;                   /* descriptor */
    const AVOutputFormat *muxer; /* NULL with y4m false: by the input */
    bool y4m;
    const void *model, *restore; /* bytes of the ONNX files; restore NULL: none */
    size_t model_size, restore_size;
} sh_probe_child;

/* A sh_sandbox_main; opaque: sh_probe_child. The JSON goes up in DATA messages, number[0] bytes each. */
int sh_probe_child_main(void *opaque, int channel, sh_err *err);

/* What some frames took, and what all will take. Not a measurement but an estimate: scenes differ, machines
 * have other things to do, and stages that overlap take less than their sum. */
typedef struct sh_estimate {
    int sampled;                   /* frames of the beginning that were worked on */
    double decode, engine, encode; /* seconds a frame */
    double seconds;                /* all; < 0: the number of frames is not known */
    int64_t bytes;                 /* of the output; -1: likewise */
    int64_t frames;
} sh_estimate;

typedef struct sh_estimate_job {
    int fd, channel;
    const char *name;
    const sh_facts *facts;
    const sh_plan *plan;
    const sh_upscale_options *options;
    const AVOutputFormat *muxer; /* NULL: Y4M */
    const spyhop_model *model, *restore;
    int64_t macs_per_pixel; /* of both */
} sh_estimate_job;
int sh_estimate_make(const sh_estimate_job *job, sh_estimate *estimate, sh_err *err);

#endif
