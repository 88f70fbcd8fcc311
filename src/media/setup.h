/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SETUP_H
#define SH_MEDIA_SETUP_H
/* What the work of a child consists of, and its decisions before any work: models, facts, plan, losses, and
 * the fingerprint. For pipeline.c, and `network` for ladders. */
#include "base/buf.h"
#include "media/lanes.h"
#include "media/media.h"
#include "media/pipeline.h"
#include "media/y4m.h"
#include <stdatomic.h>

typedef struct network {
    spyhop_model *model;
    spyhop_model_info info;
    char name[SH_SHOWN];
} network;

/* In the parent: a model's file into *bytes (which is made ready here, and freed by the caller also after a
 * failure); path NULL: none. A model that the engine does not run may run on a library that is loaded for it,
 * which the child could not open: once loaded it stays. What is wrong with the model, the child tells. */
int sh_network_read(const char *path, sh_buf *bytes, sh_err *err);
/* path: for messages; only its name is kept. */
int sh_network_parse(network *n, const void *bytes, size_t size, const char *path, sh_err *err);

typedef struct pipeline {
    const sh_upscale_child *child;
    const sh_upscale_options *options;
    int channel, threads, jobs;
    atomic_bool working, noted; /* the stages run; what is converted was said */
    char input_name[SH_SHOWN], output_name[SH_SHOWN];
    network model, restore;
    sh_facts facts;
    sh_plan plan;
    AVRational time_base; /* of the video that comes out */
    sh_journal *journal;
    sh_encoder_settings encoder;
    AVCodecParameters *parameters;
    int delay;
    sh_enlarge *enlarge;
    sh_muxer *muxer;
    sh_reader *reader;
    sh_meter meter;
    sh_run run;
    /* a source that is read once, and its first frame */
    sh_source pipe;
    AVFrame *pipe_first;
    sh_y4m y4m;
} pipeline;

int sh_setup_models(pipeline *p, sh_err *err);
/* Looks at the source, through a reader of its own where it can be read twice, else by its first frame, which
 * is kept; makes the plan; says what is lost. */
int sh_setup_plan(pipeline *p, sh_err *err);
int sh_setup_fingerprint(const pipeline *p, sh_buf *print, sh_err *err);

#endif
