/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arithmetic of two tensors, of a tensor and constants for all of it or for each channel, and curves. */
#include "engine/onnx/build.h"
#include <math.h>

static int is_tensor(const sh_draft *draft, int i)
{
    return draft->inputs[i] && draft->inputs[i]->tensor >= 0;
}

/* Of two tensors. */
static int pair(sh_builder *builder, const sh_draft *draft, sh_graph_op op, sh_err *err)
{
    const sh_graph_tensor *a, *b;
    int status = sh_draft_tensor(builder, draft, 0, &a, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 1, &b, err);
    if (status < 0)
        return status;
    if (a->scale != b->scale)
        return sh_fail(err, SH_E_FORMAT,
                       "%s works on tensors of different sizes: '%s' is the input times %d, '%s' times %d",
                       draft->label, a->name, a->scale, b->name, b->scale);
    if (a->margin != b->margin)
        return sh_fail(
            err, SH_E_FORMAT,
            "%s works on tensors of different sizes: '%s' reaches %d samples beyond the picture, '%s' %d",
            draft->label, a->name, a->margin, b->name, b->margin);
    if (a->channels != b->channels && a->channels != 1 && b->channels != 1)
        return sh_fail(err, SH_E_FORMAT, "%s works on '%s' of %d channels and '%s' of %d", draft->label,
                       a->name, a->channels, b->name, b->channels);
    return sh_builder_add(builder, draft, (sh_graph_node){.op = op},
                          sh_size_of(a->channels > b->channels ? a : b), err);
}

/* The constant at input `which` for the channels of the other input, each number changed by `change`. */
static int constants(sh_builder *builder, const sh_draft *draft, int which, float (*change)(float),
                     const float **values, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    const sh_onnx_tensor *constant = NULL;
    int status = sh_draft_tensor(builder, draft, 1 - which, &in, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, which, &constant, err);
    if (status == SH_OK && !constant)
        status = sh_fail(err, SH_E_FORMAT, "%s lacks its input %d", draft->label, which);
    if (status == SH_OK)
        status = sh_builder_per_channel(builder, draft, constant, in->channels, values, err);
    if (status < 0 || !change)
        return status;
    float *changed = sh_arena_alloc(builder->graph->arena, (size_t)in->channels * sizeof(float));
    if (!changed)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int c = 0; c < in->channels; c++) {
        changed[c] = change((*values)[c]);
        if (!isfinite(changed[c]))
            return sh_fail(err, SH_E_FORMAT, "%s divides by %g", draft->label, (double)(*values)[c]);
    }
    *values = changed;
    return SH_OK;
}

static int with_constant(sh_builder *builder, const sh_draft *draft, int which, sh_act_kind kind,
                         float (*change)(float), sh_err *err)
{
    sh_graph_act act = {.kind = kind};
    int status = constants(builder, draft, which, change, &act.slope, err);
    return status < 0 ? status : sh_builder_act(builder, draft, act, 1 - which, err);
}

static float negative(float v)
{
    return -v;
}

static float inverse(float v)
{
    return 1 / v;
}

static float minus_one(float v)
{
    (void)v;
    return -1;
}

int sh_operator_add(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    if (is_tensor(draft, 0) && is_tensor(draft, 1))
        return pair(builder, draft, SH_OP_ADD, err);
    return with_constant(builder, draft, is_tensor(draft, 0), SH_ACT_BIAS, NULL, err);
}

/* constant - tensor is tensor * -1 + constant. */
static int sub_from(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    sh_graph_node turn = {.op = SH_OP_ACT, .act = {.kind = SH_ACT_SCALE}}, add = {.op = SH_OP_ACT};
    const sh_graph_tensor *in = NULL;
    int turned, output;
    add.act.kind = SH_ACT_BIAS;
    int status = constants(builder, draft, 0, NULL, &add.act.slope, err);
    if (status == SH_OK)
        status = constants(builder, draft, 0, minus_one, &turn.act.slope, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 1, &in, err);
    if (status < 0)
        return status;
    sh_size size = sh_size_of(in);
    status = sh_builder_add_to(builder, draft, turn, &draft->inputs[1]->tensor, 1, (sh_text){"", 0}, size,
                               &turned, err);
    return status < 0 ? status
                      : sh_builder_add_to(builder, draft, add, &turned, 1, draft->node->outputs[0], size,
                                          &output, err);
}

int sh_operator_sub(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    if (is_tensor(draft, 0) && is_tensor(draft, 1))
        return pair(builder, draft, SH_OP_SUB, err);
    if (is_tensor(draft, 0))
        return with_constant(builder, draft, 1, SH_ACT_BIAS, negative, err);
    return sub_from(builder, draft, err);
}

/* x * Sigmoid(x), in which order ever: input `which` of the draft is the other's curve. */
static int is_own_sigmoid(const sh_builder *builder, const sh_draft *draft, int which)
{
    const sh_value *sigmoid = draft->inputs[which], *other = draft->inputs[1 - which];
    const sh_graph_node *node = sh_builder_producer(builder, sigmoid->tensor);
    return node && node->op == SH_OP_ACT && node->act.kind == SH_ACT_SIGMOID &&
           node->inputs[0] == other->tensor && !other->pending && !sigmoid->pending;
}

int sh_operator_mul(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    if (!is_tensor(draft, 0) || !is_tensor(draft, 1))
        return with_constant(builder, draft, is_tensor(draft, 0), SH_ACT_SCALE, NULL, err);
    for (int i = 0; i < 2; i++)
        if (is_own_sigmoid(builder, draft, i)) {
            int tensor = draft->inputs[1 - i]->tensor, output;
            sh_graph_node node = {.op = SH_OP_ACT, .act = {.kind = SH_ACT_SILU}};
            return sh_builder_add_to(builder, draft, node, &tensor, 1, draft->node->outputs[0],
                                     sh_size_of(&builder->graph->tensors[tensor]), &output, err);
        }
    return pair(builder, draft, SH_OP_MUL, err);
}

int sh_operator_div(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    if (!is_tensor(draft, 0) || is_tensor(draft, 1))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s divides by a computed tensor; only constants are run there",
                       draft->label);
    return with_constant(builder, draft, 1, SH_ACT_SCALE, inverse, err);
}

int sh_operator_sigmoid(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return sh_builder_act(builder, draft, (sh_graph_act){.kind = SH_ACT_SIGMOID}, 0, err);
}

int sh_operator_tanh(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return sh_builder_act(builder, draft, (sh_graph_act){.kind = SH_ACT_TANH}, 0, err);
}

int sh_operator_hard_sigmoid(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"alpha", "beta", NULL};
    sh_graph_act act = {.kind = SH_ACT_HARD_SIGMOID,
                        .low = sh_draft_float(draft, "alpha", 0.2f),
                        .high = sh_draft_float(draft, "beta", 0.5f)};
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK && !(isfinite(act.low) && isfinite(act.high)))
        status = sh_fail(err, SH_E_FORMAT, "%s: alpha or beta is not finite", draft->label);
    return status < 0 ? status : sh_builder_act(builder, draft, act, 0, err);
}

/* x * HardSigmoid(x) with alpha 1/6. */
int sh_operator_hard_swish(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    sh_graph_node curve = {.op = SH_OP_ACT,
                           .act = {.kind = SH_ACT_HARD_SIGMOID, .low = 1 / 6.0f, .high = 0.5f}};
    sh_graph_node mul = {.op = SH_OP_MUL};
    const sh_graph_tensor *in = NULL;
    int tensors[2], output;
    int status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    sh_size size = sh_size_of(in);
    tensors[0] = draft->inputs[0]->tensor;
    status = sh_builder_add_to(builder, draft, curve, tensors, 1, (sh_text){"", 0}, size, &tensors[1], err);
    return status < 0 ? status
                      : sh_builder_add_to(builder, draft, mul, tensors, 2, draft->node->outputs[0], size,
                                          &output, err);
}
