/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_PICTURE_H
#define SH_ENGINE_PICTURE_H
/* What the files behind spyhop/picture.h share.
 *
 * Running a picture takes up to three passes over bands of rows, each on the context's pool:
 *   import   samples that are left-aligned or interleaved become planes of their own, in the scaler's memory;
 *            all others are taken where they are
 *   network  spyhop_run, straight into the result's plane
 *   finish   the steps below: chroma and alpha are enlarged; what the network made is blended, limited and
 *            shifted where it stands
 * A step makes each row of its plane from the source alone, so that bands do not show. */
#include "base/pool.h"
#include "engine/context.h"
#include "engine/resample.h"
#include <spyhop/picture.h>

#define SH_PLANES 4

/* Luma samples for one of chroma; 0: the layout has no chroma. */
typedef struct sh_layout {
    const char *name;
    int across, down;
} sh_layout;

const sh_layout *sh_layout_of(int layout); /* NULL when there is none */
/* "picture format" or so goes before what is wrong. */
int sh_format_check(const spyhop_format *format, const char *what, sh_err *err);
bool sh_format_has_chroma(const spyhop_format *format);
/* Planes that hold colours to be run through a network: 1, or 3 for GBR. */
int sh_format_colours(const spyhop_format *format);
/* Width and height of plane 0..3, in samples, of one of them where it is interleaved; 0 x 0: not there. */
void sh_format_size(const spyhop_format *format, int plane, int *width, int *height);
int sh_format_shift(const spyhop_format *format);              /* of left-aligned samples, else 0 */
int sh_format_sample(const spyhop_format *format);             /* bytes */
int sh_format_samples(const spyhop_format *format, int plane); /* interleaved in it: 1 or 2 */
/* Twice the siting of chroma, along an axis. */
int sh_siting_across(const spyhop_format *format);
int sh_siting_down(const spyhop_format *format);
/* Pointers and strides. */
int sh_picture_check(const spyhop_picture *picture, const spyhop_format *format, const char *what,
                     sh_err *err);

/* How the rows of a plane are made. */
typedef enum sh_step_kind {
    SH_STEP_ENLARGE, /* from the source plane */
    SH_STEP_FINISH,  /* in place, what the network has made */
    SH_STEP_NEUTRAL  /* chroma that the source has not */
} sh_step_kind;

typedef struct sh_step {
    sh_step_kind kind;
    int plane;    /* of the result */
    int count;    /* samples interleaved in it */
    int source;   /* plane of the first of them, as imported */
    bool plain;   /* the rows stand in the result as they are made */
    bool limited; /* FINISH: after blending, for which `resample` is not limited */
    sh_resample resample;
} sh_step;

typedef struct sh_import {
    int plane, count; /* of the source, and the samples interleaved in it */
    int width, height;
    size_t stride;
    uint8_t *memory[2]; /* owned */
} sh_import;

typedef struct sh_picture_worker {
    uint8_t *memory; /* owned */
    sh_rows rows;
    uint8_t *row[2], *base; /* of a result, aligned to 64 bytes */
} sh_picture_worker;

struct spyhop_scaler {
    spyhop_scaling scaling;
    const spyhop_model *model; /* NULL: none */
    int model_channels;
    int weight; /* of the network, in 256 */
    spyhop_settings settings;
    spyhop_context *context; /* owned; NULL: no network is run */
    sh_pool *own_pool;       /* owned; NULL: the context's is used */
    sh_pool *pool;
    sh_dsp dsp;
    sh_step steps[SH_PLANES];
    int step_count;
    sh_import imports[SH_PLANES];
    int import_count;
    sh_picture_worker *workers;
    int worker_count, bands;
};

/* Fills steps and imports from the formats (picture_plan.c). */
int sh_picture_plan(spyhop_scaler *scaler, sh_err *err);

/* A picture on its way (picture_run.c). */
int sh_picture_run(spyhop_scaler *scaler, const spyhop_picture *in, const spyhop_picture *out, sh_err *err);

#endif
