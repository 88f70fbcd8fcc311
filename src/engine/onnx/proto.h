/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_PROTO_H
#define SH_ENGINE_ONNX_PROTO_H
/* The messages of an ONNX file that matter here, as they stand in it: nothing is checked against anything
 * else yet (graph.c does that). Texts and tensor bodies point into the file; arrays are in the caller's arena
 * and their lengths were counted, and checked against the limits, before they were allocated. */
#include "base/arena.h"
#include "base/err.h"
#include "engine/onnx/pb.h"
#include <stdint.h>

#define SH_ONNX_RANK 8        /* most dimensions of a tensor */
#define SH_ONNX_LIST 8        /* most numbers kept of a list attribute; `count` tells how many there were */
#define SH_ONNX_ATTRIBUTES 64 /* of one node */
#define SH_ONNX_INPUTS 1024   /* of one node */
#define SH_ONNX_TENSORS 16384 /* initializers */

/* TensorProto.DataType */
enum {
    SH_ONNX_FLOAT = 1,
    SH_ONNX_UINT8 = 2,
    SH_ONNX_INT8 = 3,
    SH_ONNX_UINT16 = 4,
    SH_ONNX_INT16 = 5,
    SH_ONNX_INT32 = 6,
    SH_ONNX_INT64 = 7,
    SH_ONNX_FLOAT16 = 10
};

/* Where floats were made from integers: value i is values[i] * scales[(i / inner) % count]. */
typedef struct sh_onnx_quantised {
    const int8_t *values;
    const float *scales;
    int64_t count, inner;
} sh_onnx_quantised;

typedef struct sh_onnx_tensor {
    sh_text name;
    int type;
    int rank;
    int64_t dims[SH_ONNX_RANK];
    int external; /* its data are in another file */
    sh_pb body;   /* the whole message, walked again for the data */
    /* Fields of the message, and bytes of its lists of integers: no more than the dimensions account for. */
    int64_t fields, list_bytes;
    /* Of a constant that was computed from others, which has no body: its numbers, as `type` says. */
    const float *floats;
    const int32_t *ints;
    const sh_onnx_quantised *quantised; /* what the floats were made from, or NULL */
} sh_onnx_tensor;

/* AttributeProto.AttributeType */
enum {
    SH_ONNX_A_FLOAT = 1,
    SH_ONNX_A_INT = 2,
    SH_ONNX_A_STRING = 3,
    SH_ONNX_A_TENSOR = 4,
    SH_ONNX_A_FLOATS = 6,
    SH_ONNX_A_INTS = 7
};

typedef struct sh_onnx_attribute {
    sh_text name;
    int type;
    float f;
    int64_t i;
    sh_text s;
    sh_onnx_tensor tensor;
    int count;
    int64_t ints[SH_ONNX_LIST];
    float floats[SH_ONNX_LIST];
} sh_onnx_attribute;

typedef struct sh_onnx_node {
    sh_text name;
    sh_text op;
    sh_text domain;
    sh_text *inputs;
    int input_count;
    sh_text *outputs;
    int output_count;
    sh_onnx_attribute *attributes;
    int attribute_count;
} sh_onnx_node;

/* An input or output of the graph. dims[i] is -1 where the dimension is a name or is not told. */
typedef struct sh_onnx_port {
    sh_text name;
    int type; /* of its elements, 0 when not told */
    int rank; /* -1 when not told */
    int64_t dims[SH_ONNX_RANK];
} sh_onnx_port;

typedef struct sh_onnx {
    sh_text name; /* metadata "name", else the graph's name; may be empty */
    int64_t opset;
    sh_onnx_node *nodes;
    int node_count;
    sh_onnx_tensor *tensors;
    int tensor_count;
    sh_onnx_port *inputs;
    int input_count;
    sh_onnx_port *outputs;
    int output_count;
} sh_onnx;

int sh_onnx_read(sh_onnx *onnx, const void *data, size_t size, sh_arena *arena, sh_err *err);

/* SH_E_UNSUPPORTED where some tensor, however deep, has its data in another file, or some operator is a loop.
 */
int sh_onnx_harmless(const void *data, size_t size, sh_err *err);

/* The product of the dimensions, refused with SH_E_LIMIT above `maximum`. */
int sh_onnx_elements(const sh_onnx_tensor *tensor, int64_t maximum, int64_t *count, sh_err *err);
/* Its numbers, which must be float32 or float16, in the arena. The count is checked against the bytes first.
 */
int sh_onnx_floats(const sh_onnx_tensor *tensor, sh_arena *arena, float **values, int64_t *count,
                   sh_err *err);
/* Its whole numbers (int64 or less), at most `maximum`, to values[]. */
int sh_onnx_ints(const sh_onnx_tensor *tensor, int64_t *values, int maximum, int *count, sh_err *err);
/* Its whole numbers, of int32 or less, in the arena. */
int sh_onnx_int32s(const sh_onnx_tensor *tensor, sh_arena *arena, const int32_t **values, int64_t *count,
                   sh_err *err);

#endif
