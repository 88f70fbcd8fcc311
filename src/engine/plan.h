/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_PLAN_H
#define SH_ENGINE_PLAN_H
/* A graph made ready to run row by row, depth first.
 *
 * The picture is cut into tiles; a tile is rows [y0, y1) by columns [x0, x1) of the INPUT grid. A "grid row"
 * of a tensor enlarged s times is s of its rows. Within a tile, step t is `lead` grid rows ahead of the
 * output: in turn k it makes grid row k + lead, for which its inputs, whose leads are larger by what the step
 * reaches down, have just become ready. So each tensor needs only a ring of a few rows (`rows`), and the
 * rings of all tensors together, for one tile's width, are what has to stay in the L2 cache. Nothing else is
 * ever stored of a picture in between.
 *
 * A tile computes what its neighbours need of it again: `up`, `down`, `left`, `right` tell how much further
 * than the tile each tensor is wanted. Where that would leave the tensor (the picture and the tensor's
 * margin) nothing is computed: a convolution there reads zeros, as ONNX pads every layer's input and not the
 * picture, and a resize the border's sample.
 *
 * A margin's rows are made like all others, by the tiles that need them: grid rows below 0 before row 0,
 * those beyond the picture after its last. Only a Pad takes them from elsewhere: rows above the picture from
 * rows below them, which must be there in time, so its input runs further ahead and its ring is longer. */
#include "base/err.h"
#include "engine/dsp/dsp.h"
#include "engine/onnx/graph.h"
#include <stddef.h>

#define SH_PLAN_SCRATCH ((size_t)1 << 30) /* most bytes of one thread */
#define SH_PLAN_TEMPS 9

typedef struct sh_plan_tensor {
    int channels, scale, margin;
    int beyond;                /* grid rows that the margin reaches into */
    int lead;                  /* grid rows that it is ahead of the output */
    int rows;                  /* grid rows in its ring */
    int up, down, left, right; /* how far beyond the tile it is wanted, in grid rows and columns */
    int wanted;                /* some step that leads to the output reads it, or it is the output */
    int half;                  /* its rows are halves */
    size_t stride;             /* floats, or twice as many halves, from one row of a channel to the next */
    size_t offset;             /* of its ring in a thread's scratch, in floats */
} sh_plan_tensor;

typedef struct sh_plan_step {
    const sh_graph_node *node;
    int output;           /* may be that of the activation that was merged into it */
    sh_conv conv;         /* of SH_OP_CONV (one group), and the horizontal half of SH_OP_RESIZE */
    sh_conv vertical;     /* the other half */
    sh_half_conv half;    /* instead of conv where the input is in halves */
    float *packed[2];     /* owned: what conv and vertical point to */
    size_t group_weights; /* floats from one group's weights to the next one's, */
    size_t group_lanes;   /* and from one group's biases, and slopes */
} sh_plan_step;

typedef struct sh_plan {
    const sh_graph *graph; /* borrowed */
    sh_plan_tensor *tensors;
    sh_plan_step *steps;
    int step_count;
    int *consumers;      /* of each tensor, only while planning */
    int turns;           /* turns that a tile needs before its first output row */
    int tile_columns;    /* the widest tile, in input columns */
    int halo;            /* input samples to each side that an output sample depends on */
    size_t zero_offset;  /* a row of zeros, wide enough for any tensor */
    size_t phase_offset; /* rows for resizing: 2 * SH_GRAPH_SCALE of phase_stride floats */
    size_t phase_stride;
    size_t temp_offset; /* SH_PLAN_TEMPS rows as wide, for what is in halves on its way through floats */
    size_t scratch;     /* floats of one thread */
    size_t pointers;    /* row pointers that a step needs at most */
} sh_plan;

/* l2_bytes: what one thread's rings should fit into. halves: tensors between the convolutions are kept, and
 * convolutions on them computed, in half floats (plan_half.c). On failure *out is untouched. */
int sh_plan_new(sh_plan **out, const sh_graph *graph, size_t l2_bytes, int halves, sh_err *err);
void sh_plan_free(sh_plan *plan); /* NULL is fine */
/* The halo alone, as sh_plan_new would find it. */
int sh_plan_halo(const sh_graph *graph, int *halo, sh_err *err);

/* Parts of sh_plan_new. Which tensors are halves, once the steps are known; */
void sh_plan_choose_halves(sh_plan *plan);
/* and the weights of a convolution on them, whose float form is there: packed into *owned. */
int sh_plan_pack_half(sh_plan_step *step, float **owned, const sh_graph_conv *from, sh_err *err);

#endif
