/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_BUILD_H
#define SH_ENGINE_ONNX_BUILD_H
/* What graph.c (names, order) and the operators in ops_*.c (attributes, shapes) share while a graph is built.
 * To add an operator: write a sh_operator_fn, and give it a row in the table of ops.c. */
#include "engine/onnx/graph.h"
#include "engine/onnx/proto.h"

/* Half of something that several nodes of the file say and one of the graph does: QuantizeLinear waits for
 * its DequantizeLinear, a Slice of rows for the same Slice of columns, a mirror image for what it is joined
 * to. */
typedef enum sh_half {
    SH_HALF_QUANT,
    SH_HALF_CROP,   /* `amount` samples are cut from both ends of the axis */
    SH_HALF_TURNED, /* the first or last `amount` samples alone, in reverse */
    SH_HALF_AROUND  /* `amount` samples of the mirror image at both ends */
} sh_half;
typedef struct sh_pending {
    const char *label; /* of the node that waits */
    sh_half kind;
    int axis, amount;                /* 2: rows, 3: columns */
    int behind;                      /* the last samples, not the first */
    const struct sh_pending *around; /* the note on what is turned: of the other axis, or NULL */
    sh_graph_quant quant;
} sh_pending;

/* What is to follow on it, for messages. */
const char *sh_pending_rest(const sh_pending *pending);

/* One number of a shape that the file computes: times * (the input's size along `axis`, 0 for N, 2 for H, 3
 * for W) + plus. A plain number has times 0. */
typedef struct sh_number {
    int axis;
    int64_t times, plus;
} sh_number;

/* Whole numbers in at most two dimensions: what exporters compute shapes, pads and slices from. */
#define SH_NUMBERS 64
typedef struct sh_numbers {
    int rank, count;
    int64_t dims[2];
    sh_number values[SH_NUMBERS];
} sh_numbers;

/* What a name stands for: a tensor of the graph, perhaps with work pending on it; a constant; or numbers. */
typedef struct sh_value {
    sh_text name;
    int tensor;                     /* of the graph, or -1 */
    const sh_onnx_tensor *constant; /* when tensor is -1 and numbers are NULL */
    const sh_numbers *numbers;
    const sh_pending *pending;
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
    sh_operator_fn fn;   /* on tensors; NULL when there is only the other */
    sh_operator_fn fold; /* on whole numbers alone */
} sh_operator;

const sh_operator *sh_operator_find(sh_text name); /* NULL when there is none */

/* Defines value.name; refused when it is defined already. */
int sh_builder_define(sh_builder *builder, sh_value value, sh_err *err);
/* Defines the draft's output as a constant. */
int sh_builder_define_constant(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *constant,
                               sh_err *err);

/* The size of a tensor, as sh_graph_tensor tells it. */
typedef struct sh_size {
    int channels, scale, margin;
} sh_size;

/* Adds a node whose inputs are the draft's tensors and whose output is the draft's first output. */
int sh_builder_add(sh_builder *builder, const sh_draft *draft, sh_graph_node node, sh_size size, sh_err *err);
/* Adds a node whose inputs are `tensors`; its output is named `name`, or, where that is empty, has no name of
 * its own. *output tells it. */
int sh_builder_add_to(sh_builder *builder, const sh_draft *draft, sh_graph_node node, const int *tensors,
                      int count, sh_text name, sh_size size, int *output, sh_err *err);
/* The node that gives the tensor, or NULL. */
const sh_graph_node *sh_builder_producer(const sh_builder *builder, int tensor);

static inline sh_size sh_size_of(const sh_graph_tensor *tensor)
{
    return (sh_size){tensor->channels, tensor->scale, tensor->margin};
}

/* The tensor at input i, which must be a computed one, with nothing pending on it. */
int sh_draft_tensor(const sh_builder *builder, const sh_draft *draft, int i, const sh_graph_tensor **tensor,
                    sh_err *err);
/* The constant at input i, NULL where it was left out. A computed one is refused. */
int sh_draft_constant(const sh_draft *draft, int i, const sh_onnx_tensor **constant, sh_err *err);
/* The whole numbers at input i, constant or computed from shapes; *numbers is NULL where it was left out. */
int sh_draft_numbers(sh_builder *builder, const sh_draft *draft, int i, const sh_numbers **numbers,
                     sh_err *err);
/* The same, all of which must be plain numbers: at most `maximum` to values[]. -1 in *count where left out.
 */
int sh_draft_integers(sh_builder *builder, const sh_draft *draft, int i, int64_t *values, int maximum,
                      int *count, sh_err *err);
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

/* A Slice in steps of -1, and a Concat of rows (2) or columns (3): halves of a Pad (ops_mirror.c). */
int sh_mirror_slice(sh_builder *builder, const sh_draft *draft, int axis, int64_t start, int64_t end,
                    sh_err *err);
int sh_mirror_concat(sh_builder *builder, const sh_draft *draft, int axis, sh_err *err);

/* An activation of input `input`, to the draft's output. */
int sh_builder_act(sh_builder *builder, const sh_draft *draft, sh_graph_act act, int input, sh_err *err);

/* Shared by Conv and ConvTranspose: SH_OK when the attribute is not there or both its numbers are `value`; */
int sh_draft_both(const sh_draft *draft, const char *name, int64_t value, sh_err *err);
/* and one bias an output at input 2, zeros where it was left out, in the graph's arena. */
int sh_draft_bias(sh_builder *builder, const sh_draft *draft, int outputs, const float **found, sh_err *err);

#define SH_OPERATOR(name) int sh_operator_##name(sh_builder *builder, const sh_draft *draft, sh_err *err)
SH_OPERATOR(add);
SH_OPERATOR(conv);
SH_OPERATOR(deconv);
SH_OPERATOR(dequantize);
SH_OPERATOR(div);
SH_OPERATOR(hard_sigmoid);
SH_OPERATOR(hard_swish);
SH_OPERATOR(mul);
SH_OPERATOR(pad);
SH_OPERATOR(quantize);
SH_OPERATOR(resize);
SH_OPERATOR(sigmoid);
SH_OPERATOR(slice);
SH_OPERATOR(split);
SH_OPERATOR(sub);
SH_OPERATOR(tanh);
SH_OPERATOR(upsample);
/* On whole numbers. */
SH_OPERATOR(fold_add);
SH_OPERATOR(fold_cast);
SH_OPERATOR(fold_concat);
SH_OPERATOR(fold_constant_of_shape);
SH_OPERATOR(fold_div);
SH_OPERATOR(fold_gather);
SH_OPERATOR(fold_mul);
SH_OPERATOR(fold_reshape);
SH_OPERATOR(fold_shape);
SH_OPERATOR(fold_slice);
SH_OPERATOR(fold_squeeze);
SH_OPERATOR(fold_sub);
SH_OPERATOR(fold_transpose);
#undef SH_OPERATOR

#endif
