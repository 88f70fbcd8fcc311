/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QuantizeLinear and DequantizeLinear. On constants they are computed here: the weights that come out keep
 * the integers that they were made from, where those fit into 8 bits with the zero point taken off. On a
 * computed tensor the first of the two leaves a note (sh_pending) and the second, which must undo it, becomes
 * the node. */
#include "engine/onnx/build.h"
#include <math.h>
#include <string.h>

/* scale and zero point, one for all or one for each index along the axis. */
typedef struct steps {
    float *scales;
    const int32_t *zeros; /* NULL: all 0 */
    int64_t count;
    int type; /* of the integers */
} steps;

static int find_steps(sh_builder *builder, const sh_draft *draft, int otherwise, steps *s, sh_err *err)
{
    const sh_onnx_tensor *scale = NULL, *zero = NULL;
    int64_t zeros = 0;
    int status = sh_draft_constant(draft, 1, &scale, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, 2, &zero, err);
    if (status == SH_OK && (!scale || scale->rank > 1))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: a scale for all or for each index of one axis is run",
                         draft->label);
    if (status == SH_OK)
        status = sh_onnx_floats(scale, builder->scratch, &s->scales, &s->count, err);
    if (status == SH_OK && zero)
        status = sh_onnx_int32s(zero, builder->scratch, &s->zeros, &zeros, err);
    if (status < 0)
        return sh_err_prefix(err, "%s", draft->label);
    if (s->count < 1 || (zero && zeros != s->count))
        return sh_fail(err, SH_E_FORMAT, "%s: %lld scales and %lld zero points", draft->label,
                       (long long)s->count, (long long)zeros);
    for (int64_t i = 0; i < s->count; i++)
        if (!(s->scales[i] > 0))
            return sh_fail(err, SH_E_FORMAT, "%s: scale %lld is %g; scales are positive", draft->label,
                           (long long)i, (double)s->scales[i]);
    s->type = zero ? zero->type : otherwise;
    return SH_OK;
}

static void limits(int type, int *low, int *high)
{
    int bits = type == SH_ONNX_UINT8 || type == SH_ONNX_INT8 ? 8 : 16;
    int is_signed = type == SH_ONNX_INT8 || type == SH_ONNX_INT16;
    *low = is_signed ? -(1 << (bits - 1)) : 0;
    *high = *low + (1 << bits) - 1;
}

/* How many numbers in a row share a scale: with one scale, more than there are. */
static int find_inner(const sh_draft *draft, const sh_onnx_tensor *x, const steps *s, int64_t *inner,
                      sh_err *err)
{
    int64_t axis = sh_draft_int(draft, "axis", 1);
    *inner = s->count == 1 ? INT64_MAX : 1;
    if (s->count == 1)
        return SH_OK;
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis >= x->rank || x->dims[axis] != s->count)
        return sh_fail(err, SH_E_FORMAT, "%s: %lld scales do not go with axis %lld of '%s'", draft->label,
                       (long long)s->count, (long long)axis, sh_text_show(x->name).text);
    for (int i = (int)axis + 1; i < x->rank; i++)
        if (x->dims[i] < 1 || __builtin_mul_overflow(*inner, x->dims[i], inner))
            return sh_fail(err, SH_E_FORMAT, "%s: '%s' has the dimension %lld", draft->label,
                           sh_text_show(x->name).text, (long long)x->dims[i]);
    return SH_OK;
}

static sh_onnx_tensor *made(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *like, int type)
{
    sh_onnx_tensor *tensor = sh_arena_alloc(builder->scratch, sizeof(*tensor));
    if (tensor) {
        *tensor = (sh_onnx_tensor){.name = draft->node->outputs[0], .type = type, .rank = like->rank};
        memcpy(tensor->dims, like->dims, sizeof(tensor->dims));
    }
    return tensor;
}

static int quantize_constant(sh_builder *builder, const sh_draft *draft, const steps *s, sh_err *err)
{
    const sh_onnx_tensor *x = draft->inputs[0]->constant;
    int64_t count = 0, inner;
    float *values;
    int low, high;
    int status = find_inner(draft, x, s, &inner, err);
    if (status == SH_OK)
        status = sh_onnx_floats(x, builder->scratch, &values, &count, err);
    if (status < 0)
        return status;
    int32_t *ints = sh_arena_alloc(builder->scratch, (size_t)count * sizeof(*ints));
    sh_onnx_tensor *tensor = made(builder, draft, x, s->type);
    if (!ints || !tensor)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    limits(s->type, &low, &high);
    for (int64_t i = 0; i < count; i++) {
        int64_t step = i / inner % s->count;
        float v = rintf(values[i] / s->scales[step]) + (float)(s->zeros ? s->zeros[step] : 0);
        ints[i] = (int32_t)fminf(fmaxf(v, (float)low), (float)high);
    }
    tensor->ints = ints;
    return sh_builder_define_constant(builder, draft, tensor, err);
}

/* The integers without their zero points, where 8 bits hold all of them. */
static int keep_quantised(sh_builder *builder, const sh_draft *draft, const steps *s, const int32_t *ints,
                          int64_t count, int64_t inner, sh_onnx_tensor *tensor, sh_err *err)
{
    sh_onnx_quantised *quantised = sh_arena_alloc(builder->scratch, sizeof(*quantised));
    int8_t *values = sh_arena_alloc(builder->scratch, (size_t)count);
    if (!quantised || !values)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int64_t i = 0; i < count; i++) {
        int64_t v = (int64_t)ints[i] - (s->zeros ? s->zeros[i / inner % s->count] : 0);
        if (v < -128 || v > 127)
            return SH_OK;
        values[i] = (int8_t)v;
    }
    *quantised = (sh_onnx_quantised){values, s->scales, s->count, inner};
    tensor->quantised = quantised;
    return SH_OK;
}

static int dequantize_constant(sh_builder *builder, const sh_draft *draft, const steps *s, sh_err *err)
{
    const sh_onnx_tensor *x = draft->inputs[0]->constant;
    const int32_t *ints;
    int64_t count = 0, inner;
    int status = find_inner(draft, x, s, &inner, err);
    if (status == SH_OK)
        status = sh_onnx_int32s(x, builder->scratch, &ints, &count, err);
    if (status < 0)
        return status;
    float *floats = sh_arena_alloc(builder->scratch, (size_t)count * sizeof(*floats));
    sh_onnx_tensor *tensor = made(builder, draft, x, SH_ONNX_FLOAT);
    if (!floats || !tensor)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int64_t i = 0; i < count; i++) {
        int64_t step = i / inner % s->count;
        double v = (double)ints[i] - (s->zeros ? s->zeros[step] : 0);
        floats[i] = (float)(v * (double)s->scales[step]);
        if (!isfinite(floats[i]))
            return sh_fail(err, SH_E_FORMAT, "%s gives a number that is not finite", draft->label);
    }
    tensor->floats = floats;
    status = keep_quantised(builder, draft, s, ints, count, inner, tensor, err);
    return status < 0 ? status : sh_builder_define_constant(builder, draft, tensor, err);
}

/* Of a computed tensor: one scale and zero point, 8 or 16 bits. */
static int find_quant(const sh_draft *draft, const steps *s, sh_graph_quant *quant, sh_err *err)
{
    if (s->count != 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: %lld scales for a computed tensor; one is run",
                       draft->label, (long long)s->count);
    if (s->type < SH_ONNX_UINT8 || s->type > SH_ONNX_INT16)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s gives elements of type %d; integers of 8 and 16 bits are run", draft->label,
                       s->type);
    quant->scale = s->scales[0];
    quant->zero = s->zeros ? s->zeros[0] : 0;
    limits(s->type, &quant->low, &quant->high);
    return SH_OK;
}

static const char *const known[] = {"axis", "saturate", NULL};

int sh_operator_quantize(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    steps s = {.count = 0};
    int status = sh_draft_known(draft, known, err);
    if (status == SH_OK)
        status = find_steps(builder, draft, SH_ONNX_UINT8, &s, err);
    if (status == SH_OK && draft->inputs[0] && draft->inputs[0]->constant)
        return quantize_constant(builder, draft, &s, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    sh_pending *pending = sh_arena_alloc(builder->scratch, sizeof(*pending));
    if (!pending)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    *pending = (sh_pending){.label = draft->label, .kind = SH_HALF_QUANT};
    status = find_quant(draft, &s, &pending->quant, err);
    if (status < 0)
        return status;
    return sh_builder_define(
        builder,
        (sh_value){.name = draft->node->outputs[0], .tensor = draft->inputs[0]->tensor, .pending = pending},
        err);
}

int sh_operator_dequantize(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_value *x = draft->inputs[0];
    const sh_pending *pending = x ? x->pending : NULL;
    sh_graph_node node = {.op = SH_OP_QUANT};
    steps s = {.count = 0};
    int status = sh_draft_known(draft, known, err);
    if (status == SH_OK)
        status = find_steps(builder, draft, SH_ONNX_UINT8, &s, err);
    if (status == SH_OK && x && x->constant)
        return dequantize_constant(builder, draft, &s, err);
    if (status == SH_OK && (!pending || pending->kind != SH_HALF_QUANT))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s works on what no QuantizeLinear made", draft->label);
    if (status == SH_OK)
        status = find_quant(draft, &s, &node.quant, err);
    if (status < 0)
        return status;
    const sh_graph_quant *q = &pending->quant;
    if (node.quant.scale != q->scale || node.quant.zero != q->zero)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: its scale or zero point is not that of %s", draft->label,
                       pending->label);
    node.quant = *q;
    return sh_builder_add(builder, draft, node, sh_size_of(&builder->graph->tensors[x->tensor]), err);
}
