/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_NETMODEL_H
#define TESTS_ENGINE_NETMODEL_H
/* A network as a test describes it, written as an ONNX file by a small protobuf writer and, apart from that
 * and from everything in src/engine, evaluated directly: whole tensors, one operator after the other, in
 * double precision, with the formulas of the ONNX operators. */
#include "base/buf.h"
#include <stdint.h>

#define NM_NODES 64
#define NM_TENSORS 128
#define NM_INPUTS 5
#define NM_ATTRIBUTES 6

typedef struct nm_attribute {
    const char *name;
    int kind; /* the AttributeType: 1 float, 2 int, 3 string, 7 ints */
    float f;
    int64_t i;
    const char *s;
    int64_t ints[9];
    int count;
} nm_attribute;

typedef struct nm_node {
    const char *op;
    char in[NM_INPUTS][16]; /* "" for one left out in the middle */
    int in_count;
    char out[16];
    nm_attribute attributes[NM_ATTRIBUTES];
    int attribute_count;
} nm_node;

/* How the numbers stand in the file; the integers from NM_UINT8 on as raw bytes, whole numbers here too. */
typedef enum nm_form { NM_RAW, NM_LIST, NM_SINGLES, NM_HALF, NM_UINT8, NM_INT8, NM_INT32, NM_INT64 } nm_form;

typedef struct nm_tensor {
    char name[16];
    nm_form form;
    int rank;
    int64_t dims[4];
    float *data; /* owned by the model */
    int count;
} nm_tensor;

typedef struct nm_model {
    int opset;
    int input_channels;
    int output_channels; /* as the file says; 0: not said */
    char input[16], output[16];
    nm_node nodes[NM_NODES];
    int node_count;
    nm_tensor tensors[NM_TENSORS];
    int tensor_count;
    int fixed_side;          /* the file tells the input's size: so many rows and columns; 0: names */
    int inputs_list_weights; /* as files before IR version 4 do */
} nm_model;

void nm_free(nm_model *model);
/* Appends; names are short. The returned node may be given attributes. */
nm_node *nm_add(nm_model *model, const char *op, const char *out, const char *in0, const char *in1,
                const char *in2);
void nm_int(nm_node *node, const char *name, int64_t value);
void nm_float(nm_node *node, const char *name, float value);
void nm_string(nm_node *node, const char *name, const char *value);
void nm_ints(nm_node *node, const char *name, int count, const int64_t *values);
/* data: count floats, copied. */
nm_tensor *nm_constant(nm_model *model, const char *name, int rank, const int64_t *dims, const float *data);

/* The same, of whole numbers: NM_UINT8 and the forms after it. */
nm_tensor *nm_whole(nm_model *model, const char *name, nm_form form, int count, const int64_t *values);

void nm_write(const nm_model *model, sh_buf *out);
/* One picture of input_channels planes [channels][height][width] to a new array of the output, whose channels
 * and scale are told. NULL when the model has something that this evaluation does not know: a fault of the
 * test. */
double *nm_evaluate(const nm_model *model, const double *in, int height, int width, int *channels,
                    int *scale);

/* The network of models/fast.onnx with random weights: 1 -> 16, `depth` times 16 -> 16, 16 -> 4, shuffle,
 * cubic. */
void nm_fast(nm_model *model, int depth, uint32_t seed);
/* A random small network with one plane in and out, of any of the operators. */
void nm_random(nm_model *model, uint32_t seed);

uint32_t nm_next(uint32_t *state); /* xorshift */
float nm_uniform(uint32_t *state, float low, float high);

#endif
