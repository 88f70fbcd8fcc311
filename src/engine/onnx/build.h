/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_BUILD_H
#define SH_ENGINE_ONNX_BUILD_H
/* What graph.c (names, order) and the operators in ops_*.c (attributes, shapes) share while a graph is built.
 * To add an operator: write a sh_operator_fn, and give it a row in the table of ops.c. */
#include "engine/onnx/graph.h"
#include "engine/onnx/proto.h"

/* What a name stands for. */
typedef struct sh_value {
    sh_text name;
    int tensor;                     /* of the graph, or -1 */
    const sh_onnx_tensor *constant; /* when tensor is -1 */
} sh_value;

typedef struct sh_builder {
    sh_graph *graph;
    const sh_onnx *onnx;
    sh_arena *scratch; /* freed when the graph is ready */
    sh_value *values;  /* a hash table, open addressing */
    size_t value_slots;
} sh_builder;

/* One node on its way into the graph. inputs[i] is NULL where an optional input was left out. */
typedef struct sh_draft {
    const sh_onnx_node *node;
    const sh_value **inputs;
    int input_count;
    const char *label; /* "Conv 'body.0'", in the graph's arena */
} sh_draft;

typedef int (*sh_operator_fn)(sh_builder *builder, const sh_draft *draft, sh_err *err);

typedef struct sh_operator {
    const char *name;
    int min_inputs, max_inputs;
    sh_operator_fn fn;
} sh_operator;

const sh_operator *sh_operator_find(sh_text name); /* NULL when there is none */

/* Defines a name; refused when it is defined already. */
int sh_builder_define(sh_builder *builder, sh_text name, int tensor, const sh_onnx_tensor *constant,
                      sh_err *err);
/* Adds a node whose output is the draft's first output, with a tensor of that shape. */
int sh_builder_add(sh_builder *builder, const sh_draft *draft, sh_graph_node node, int channels, int scale,
                   sh_err *err);

/* The tensor at input i, which must be a computed one. */
int sh_draft_tensor(const sh_builder *builder, const sh_draft *draft, int i, const sh_graph_tensor **tensor,
                    sh_err *err);
/* The constant at input i, NULL where it was left out. A computed one is refused. */
int sh_draft_constant(const sh_draft *draft, int i, const sh_onnx_tensor **constant, sh_err *err);
const sh_onnx_attribute *sh_draft_attribute(const sh_draft *draft,
                                            const char *name); /* NULL when not there */
int64_t sh_draft_int(const sh_draft *draft, const char *name, int64_t otherwise);
float sh_draft_float(const sh_draft *draft, const char *name, float otherwise);
sh_text sh_draft_string(const sh_draft *draft, const char *name, const char *otherwise);
/* Refuses attributes that are not in the NULL-terminated list: they would be silently ignored. */
int sh_draft_known(const sh_draft *draft, const char *const *names, sh_err *err);
/* The floats of a constant with `channels` values (or one, which is repeated), shaped [..., channels, 1, 1].
 */
int sh_builder_per_channel(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *constant,
                           int channels, const float **values, sh_err *err);

int sh_operator_conv(sh_builder *builder, const sh_draft *draft, sh_err *err);
int sh_operator_resize(sh_builder *builder, const sh_draft *draft, sh_err *err);
int sh_operator_upsample(sh_builder *builder, const sh_draft *draft, sh_err *err);

#endif
