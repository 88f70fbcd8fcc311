/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_GRAPH_H
#define SH_ENGINE_ONNX_GRAPH_H
/* A checked super-resolution network, and nothing else. What a file may say in many ways stands here in one:
 * Relu, PRelu, LeakyRelu and Clip are one activation, Upsample is Resize, Identity and Constant are gone.
 *
 * Invariants that the rest of the engine relies on:
 *   - nodes are in an order in which each tensor is produced before it is used, and each is produced once;
 *   - every tensor is [N, channels, H * scale, W * scale] for the input's N, H and W, which stay symbolic:
 *     1 <= channels <= SPYHOP_MAX_CHANNELS, 1 <= scale <= SH_GRAPH_SCALE;
 *   - a convolution keeps the picture's size: pads on opposite sides add up to the kernel's side minus one;
 *   - weights are finite. */
#include "base/arena.h"
#include "base/err.h"
#include "engine/act.h"
#include <stddef.h>
#include <stdint.h>

#define SH_GRAPH_SCALE 8

typedef enum sh_graph_op {
    SH_OP_CONV,
    SH_OP_ACT,
    SH_OP_ADD,     /* two tensors; one of them may have a single channel */
    SH_OP_CONCAT,  /* along the channels */
    SH_OP_SHUFFLE, /* DepthToSpace */
    SH_OP_RESIZE
} sh_graph_op;

typedef struct sh_graph_conv {
    int outputs, inputs, kernel_h, kernel_w, pad_top, pad_left;
    const float *weights; /* [outputs][inputs][kernel_h][kernel_w] */
    const float *bias;    /* [outputs]; zeros where the file has none */
} sh_graph_conv;

typedef struct sh_graph_act {
    sh_act_kind kind;
    const float *slope; /* one a channel */
    float low, high;
} sh_graph_act;

typedef struct sh_graph_shuffle {
    int block;
    int column_first; /* channel order: 1 for CRD, 0 for DCR */
} sh_graph_shuffle;

/* Output sample x * factor + phase is the sum over k of taps[phase][k] * input[clamp(x + first + k)], in both
 * directions: every mode of Resize with a whole factor is one of these. */
#define SH_RESIZE_TAPS 6
typedef struct sh_graph_resize {
    int factor;
    int first;
    int count;
    float taps[SH_GRAPH_SCALE][SH_RESIZE_TAPS];
} sh_graph_resize;

typedef struct sh_graph_tensor {
    const char *name;
    int channels;
    int scale;
} sh_graph_tensor;

typedef struct sh_graph_node {
    sh_graph_op op;
    const char *name; /* "Conv 'body.0'" */
    int *inputs;
    int input_count;
    int output;
    union {
        sh_graph_conv conv;
        sh_graph_act act;
        sh_graph_shuffle shuffle;
        sh_graph_resize resize;
    };
} sh_graph_node;

typedef struct sh_graph {
    sh_arena *arena; /* of everything here */
    const char *name;
    sh_graph_tensor *tensors;
    int tensor_count;
    sh_graph_node *nodes;
    int node_count;
    int input, output;  /* tensors */
    int64_t parameters; /* weights, biases, slopes */
    int64_t macs;       /* multiply-adds of the convolutions for one input pixel */
} sh_graph;

/* Reads and checks an ONNX file. On failure *out is untouched. `data` is not needed afterwards. */
int sh_graph_read(sh_graph **out, const void *data, size_t size, sh_err *err);
void sh_graph_free(sh_graph *graph); /* NULL is fine */

#endif
