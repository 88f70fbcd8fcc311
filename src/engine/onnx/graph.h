/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_GRAPH_H
#define SH_ENGINE_ONNX_GRAPH_H
/* A checked super-resolution network, and nothing else. What a file may say in many ways stands here in one:
 * Relu, PRelu, LeakyRelu and Clip are one activation, Upsample is Resize, Identity and Constant are gone.
 *
 * Invariants that the rest of the engine relies on:
 *   - nodes are in an order in which each tensor is produced before it is used, and each is produced once;
 *   - every tensor is [N, channels, H * scale + 2 * margin, W * scale + 2 * margin] for the input's N, H and
 * W, which stay symbolic: 1 <= channels <= SPYHOP_MAX_CHANNELS, 1 <= scale <= SH_GRAPH_SCALE, 0 <= margin <=
 * SH_GRAPH_MARGIN. It covers rows [-margin, H * scale + margin), and columns likewise, where row 0 lies where
 * the picture's row 0 does: all places below are told in these coordinates, so that a margin only says where
 * a tensor ends. The input's and the output's margins are 0;
 *   - tensors that are added, multiplied or joined have one scale and one margin;
 *   - weights are finite. */
#include "base/arena.h"
#include "base/err.h"
#include "engine/act.h"
#include <stddef.h>
#include <stdint.h>

#define SH_GRAPH_SCALE 8
#define SH_GRAPH_MARGIN 64

typedef enum sh_graph_op {
    SH_OP_CONV,
    SH_OP_ACT,
    SH_OP_ADD,     /* two tensors; one of them may have a single channel */
    SH_OP_CONCAT,  /* along the channels */
    SH_OP_SHUFFLE, /* DepthToSpace */
    SH_OP_RESIZE,
    SH_OP_SUB,   /* input 0 minus input 1; one of them may have a single channel */
    SH_OP_MUL,   /* two tensors; one of them may have a single channel */
    SH_OP_PAD,   /* raises the margin */
    SH_OP_SLICE, /* some of the channels, and less margin */
    SH_OP_QUANT  /* QuantizeLinear and DequantizeLinear */
} sh_graph_op;

/* Output row y reads input rows y - pad_top .. y - pad_top + kernel_h - 1, columns likewise; what lies beyond
 * the input's margin is 0. Where the output's margin is so much smaller than the input's that nothing beyond
 * is ever read (a "valid" convolution, pads 0 in the file), pad_top is still where the kernel's middle lies:
 * 1 for 3 rows. */
typedef struct sh_graph_conv {
    int outputs, inputs, kernel_h, kernel_w, pad_top, pad_left;
    int group;            /* outputs and inputs are cut into so many; inputs / group feed an output */
    const float *weights; /* [outputs][inputs / group][kernel_h][kernel_w] */
    const float *bias;    /* [outputs]; zeros where the file has none */
    /* The file's own integers where it has them: weights[o][...] is q_weights[o][...] * q_scales[o]. Else
     * NULL. */
    const int8_t *q_weights;
    const float *q_scales;
} sh_graph_conv;

/* Output row y is input row y where the input has one, and beyond: the nearest row that it has (EDGE), the
 * row as far inside of the border row as y is outside (REFLECT; to and fro where the picture is smaller), the
 * same of the border itself, so that the border row stands there twice (SYMMETRIC), or `value`. */
typedef enum sh_pad_mode { SH_PAD_CONSTANT, SH_PAD_EDGE, SH_PAD_REFLECT, SH_PAD_SYMMETRIC } sh_pad_mode;
typedef struct sh_graph_pad {
    sh_pad_mode mode;
    int amount; /* the output's margin minus the input's, >= 1 */
    float value;
} sh_graph_pad;

typedef struct sh_graph_slice {
    int first; /* channel of the input that is the output's channel 0 */
} sh_graph_slice;

/* q = min(max(rint(v / scale) + zero, low), high); the output is (q - zero) * scale. */
typedef struct sh_graph_quant {
    float scale; /* > 0 */
    int zero, low, high;
} sh_graph_quant;

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
    int margin;
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
        sh_graph_pad pad;
        sh_graph_slice slice;
        sh_graph_quant quant;
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
/* A graph without nodes, of an input and an output: for a file that something else runs. */
int sh_graph_of_ends(sh_graph **out, const void *data, size_t size, int channels, int scale, sh_err *err);
void sh_graph_free(sh_graph *graph); /* NULL is fine */

#endif
