/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of operators, what they share, and those that need only a few lines. */
#include "engine/onnx/build.h"
#include "base/size.h"
#include <spyhop/spyhop.h>
#include <math.h>
#include <string.h>

const char *sh_pending_rest(const sh_pending *pending)
{
    static const char *const rests[] = {
        [SH_HALF_QUANT] = "only DequantizeLinear may follow it",
        [SH_HALF_CROP] = "cut the other side by as much first",
        [SH_HALF_TURNED] = "join it to what it is the mirror image of",
        [SH_HALF_AROUND] = "continue the other side by its mirror image first",
    };
    return rests[pending->kind];
}

int sh_draft_tensor(const sh_builder *builder, const sh_draft *draft, int i, const sh_graph_tensor **tensor,
                    sh_err *err)
{
    if (i >= draft->input_count || !draft->inputs[i])
        return sh_fail(err, SH_E_FORMAT, "%s lacks its input %d", draft->label, i);
    if (draft->inputs[i]->tensor < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s works on a constant (input %d): fold it before export",
                       draft->label, i);
    if (draft->inputs[i]->pending)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s works on what %s gives, which is half of something: %s",
                       draft->label, draft->inputs[i]->pending->label,
                       sh_pending_rest(draft->inputs[i]->pending));
    *tensor = &builder->graph->tensors[draft->inputs[i]->tensor];
    return SH_OK;
}

int sh_draft_constant(const sh_draft *draft, int i, const sh_onnx_tensor **constant, sh_err *err)
{
    *constant = NULL;
    if (i >= draft->input_count || !draft->inputs[i])
        return SH_OK;
    if (draft->inputs[i]->tensor >= 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: its input %d is computed; only a constant is run there",
                       draft->label, i);
    if (!draft->inputs[i]->constant)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: its input %d is computed from sizes; a constant is run there", draft->label, i);
    *constant = draft->inputs[i]->constant;
    return SH_OK;
}

const sh_onnx_attribute *sh_draft_attribute(const sh_draft *draft, const char *name)
{
    for (int i = 0; i < draft->node->attribute_count; i++)
        if (sh_text_is(draft->node->attributes[i].name, name))
            return &draft->node->attributes[i];
    return NULL;
}

int64_t sh_draft_int(const sh_draft *draft, const char *name, int64_t otherwise)
{
    const sh_onnx_attribute *attribute = sh_draft_attribute(draft, name);
    return attribute ? attribute->i : otherwise;
}

float sh_draft_float(const sh_draft *draft, const char *name, float otherwise)
{
    const sh_onnx_attribute *attribute = sh_draft_attribute(draft, name);
    return attribute ? attribute->f : otherwise;
}

sh_text sh_draft_string(const sh_draft *draft, const char *name, const char *otherwise)
{
    const sh_onnx_attribute *attribute = sh_draft_attribute(draft, name);
    return attribute ? attribute->s : (sh_text){otherwise, strlen(otherwise)};
}

int sh_draft_known(const sh_draft *draft, const char *const *names, sh_err *err)
{
    for (int i = 0; i < draft->node->attribute_count; i++) {
        sh_text name = draft->node->attributes[i].name;
        int known = 0;
        for (int n = 0; names[n]; n++)
            known |= sh_text_is(name, names[n]);
        if (!known)
            return sh_fail(err, SH_E_UNSUPPORTED, "%s has the attribute '%s', which is not known here",
                           draft->label, sh_text_show(name).text);
    }
    return SH_OK;
}

/* A shape that broadcasts over [N, channels, H, W] with at most the channels different: [C, 1, 1], [1, C, 1,
 * 1], []. */
static int is_per_channel(const sh_onnx_tensor *t, int64_t count)
{
    if (count == 1)
        return 1;
    return (t->rank == 3 && t->dims[1] == 1 && t->dims[2] == 1) ||
           (t->rank == 4 && t->dims[0] == 1 && t->dims[2] == 1 && t->dims[3] == 1);
}

int sh_builder_per_channel(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *constant,
                           int channels, const float **values, sh_err *err)
{
    float *given = NULL, *all;
    int64_t count = 0;
    int status = sh_onnx_floats(constant, builder->scratch, &given, &count, err);
    if (status < 0)
        return sh_err_prefix(err, "%s", draft->label);
    if ((count != 1 && count != channels) || !is_per_channel(constant, count))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: constant '%s' of %lld numbers does not go with %d channels", draft->label,
                       sh_text_show(constant->name).text, (long long)count, channels);
    all = sh_arena_alloc(builder->graph->arena, (size_t)channels * sizeof(float));
    if (!all)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int i = 0; i < channels; i++)
        all[i] = given[count == 1 ? 0 : i];
    builder->graph->parameters += count;
    *values = all;
    return SH_OK;
}

int sh_builder_act(sh_builder *builder, const sh_draft *draft, sh_graph_act act, int input, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    int status = sh_draft_tensor(builder, draft, input, &in, err);
    if (status < 0)
        return status;
    return sh_builder_add(builder, draft, (sh_graph_node){.op = SH_OP_ACT, .act = act}, sh_size_of(in), err);
}

static int operator_relu(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    return sh_builder_act(builder, draft, (sh_graph_act){.kind = SH_ACT_RELU}, 0, err);
}

static int operator_leaky(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"alpha", NULL};
    const sh_graph_tensor *in = NULL;
    float alpha = sh_draft_float(draft, "alpha", 0.01f);
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    if (!isfinite(alpha))
        return sh_fail(err, SH_E_FORMAT, "%s: alpha is not finite", draft->label);
    float *slope = sh_arena_alloc(builder->graph->arena, (size_t)in->channels * sizeof(float));
    if (!slope)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int i = 0; i < in->channels; i++)
        slope[i] = alpha;
    return sh_builder_act(builder, draft, (sh_graph_act){.kind = SH_ACT_SLOPE, .slope = slope}, 0, err);
}

static int operator_prelu(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    const sh_graph_tensor *in = NULL;
    const sh_onnx_tensor *slope;
    sh_graph_act act = {.kind = SH_ACT_SLOPE};
    int status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, 1, &slope, err);
    if (status == SH_OK && !slope)
        status = sh_fail(err, SH_E_FORMAT, "%s lacks its slope", draft->label);
    if (status == SH_OK)
        status = sh_builder_per_channel(builder, draft, slope, in->channels, &act.slope, err);
    return status < 0 ? status : sh_builder_act(builder, draft, act, 0, err);
}

static int clip_bound(sh_builder *builder, const sh_draft *draft, int input, const char *name, float *bound,
                      sh_err *err)
{
    const sh_onnx_tensor *constant;
    float *values;
    int64_t count;
    if (builder->onnx->opset < 11) {
        *bound = sh_draft_float(draft, name, *bound);
        return SH_OK;
    }
    int status = sh_draft_constant(draft, input, &constant, err);
    if (status < 0 || !constant)
        return status;
    status = sh_onnx_floats(constant, builder->scratch, &values, &count, err);
    if (status == SH_OK && count != 1)
        status = sh_fail(err, SH_E_FORMAT, "%s: its bound '%s' is not one number", draft->label, name);
    if (status == SH_OK)
        *bound = values[0];
    return status;
}

static int operator_clip(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"min", "max", NULL};
    sh_graph_act act = {.kind = SH_ACT_CLIP, .low = -3.402823466e38f, .high = 3.402823466e38f};
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = clip_bound(builder, draft, 1, "min", &act.low, err);
    if (status == SH_OK)
        status = clip_bound(builder, draft, 2, "max", &act.high, err);
    if (status == SH_OK && !(act.low <= act.high))
        status = sh_fail(err, SH_E_FORMAT, "%s: its lower bound is above the upper one", draft->label);
    return status < 0 ? status : sh_builder_act(builder, draft, act, 0, err);
}

static int operator_concat(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"axis", NULL};
    int64_t axis = sh_draft_int(draft, "axis", INT64_MIN);
    const sh_graph_tensor *in, *first = NULL;
    int channels = 0;
    int status = sh_draft_known(draft, names, err);
    if (status < 0)
        return status;
    if (axis == 2 || axis == 3 || axis == -1 || axis == -2)
        return sh_mirror_concat(builder, draft, (int)(axis < 0 ? axis + 4 : axis), err);
    if (axis != 1 && axis != -3)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s joins along axis %lld; the channels (1) are run",
                       draft->label, (long long)axis);
    for (int i = 0; i < draft->input_count; i++) {
        status = sh_draft_tensor(builder, draft, i, &in, err);
        if (status < 0)
            return status;
        first = first ? first : in;
        if (in->scale != first->scale || in->margin != first->margin)
            return sh_fail(err, SH_E_FORMAT, "%s joins tensors of different sizes", draft->label);
        channels += in->channels;
    }
    return sh_builder_add(builder, draft, (sh_graph_node){.op = SH_OP_CONCAT},
                          (sh_size){channels, first->scale, first->margin}, err);
}

static int operator_shuffle(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"blocksize", "mode", NULL};
    int64_t block = sh_draft_int(draft, "blocksize", 0);
    sh_text mode = sh_draft_string(draft, "mode", "DCR");
    const sh_graph_tensor *in = NULL;
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status < 0)
        return status;
    if (block < 1 || block > SH_GRAPH_SCALE)
        return sh_fail(err, SH_E_LIMIT, "%s: blocksize is %lld; 1 to %d are run", draft->label,
                       (long long)block, SH_GRAPH_SCALE);
    if (!sh_text_is(mode, "CRD") && !sh_text_is(mode, "DCR"))
        return sh_fail(err, SH_E_FORMAT, "%s: mode '%s' is neither CRD nor DCR", draft->label,
                       sh_text_show(mode).text);
    if (in->channels % (block * block) != 0)
        return sh_fail(err, SH_E_FORMAT, "%s: %d channels do not divide into blocks of %lld", draft->label,
                       in->channels, (long long)(block * block));
    sh_graph_node node = {.op = SH_OP_SHUFFLE, .shuffle = {(int)block, sh_text_is(mode, "CRD")}};
    sh_size size = {(int)(in->channels / (block * block)), in->scale * (int)block, in->margin * (int)block};
    return sh_builder_add(builder, draft, node, size, err);
}

/* No node: the output is another name for the input. */
static int operator_identity(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    if (!draft->inputs[0])
        return sh_fail(err, SH_E_FORMAT, "%s lacks its input", draft->label);
    sh_value value = *draft->inputs[0];
    value.name = draft->node->outputs[0];
    return sh_builder_define(builder, value, err);
}

/* A constant of floats or whole numbers from an attribute that is not a tensor. */
static int constant_of(sh_builder *builder, const sh_draft *draft, const sh_onnx_attribute *list, int floats,
                       int many, sh_err *err)
{
    int64_t count = many ? list->count : 1;
    sh_onnx_tensor *made = sh_arena_alloc(builder->scratch, sizeof(*made));
    float *numbers = sh_arena_alloc(builder->scratch, (size_t)SH_ONNX_LIST * sizeof(*numbers));
    sh_numbers *whole = sh_arena_alloc(builder->scratch, sizeof(*whole));
    if (!made || !numbers || !whole)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    if (count > SH_ONNX_LIST)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: a list of %lld numbers; give them as a tensor",
                       draft->label, (long long)count);
    *whole = (sh_numbers){.rank = many, .count = (int)count, .dims = {count}};
    *made = (sh_onnx_tensor){.name = draft->node->outputs[0],
                             .type = SH_ONNX_FLOAT,
                             .rank = many,
                             .dims = {count},
                             .floats = numbers};
    for (int i = 0; i < count; i++) {
        numbers[i] = many ? list->floats[i] : list->f;
        whole->values[i].plus = many ? list->ints[i] : list->i;
        if (floats && !isfinite(numbers[i]))
            return sh_fail(err, SH_E_FORMAT, "%s holds a number that is not finite", draft->label);
    }
    if (floats)
        return sh_builder_define_constant(builder, draft, made, err);
    return sh_builder_define(
        builder,
        (sh_value){.name = draft->node->outputs[0], .tensor = -1, .constant = NULL, .numbers = whole}, err);
}

static int operator_constant(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const lists[] = {"value_float", "value_floats", "value_int", "value_ints"};
    const sh_onnx_attribute *value = sh_draft_attribute(draft, "value");
    for (int i = 0; i < 4; i++) {
        const sh_onnx_attribute *list = sh_draft_attribute(draft, lists[i]);
        if (list && !value)
            return constant_of(builder, draft, list, i < 2, i % 2, err);
    }
    if (!value || !value->tensor.body.file)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: only a tensor, numbers or lists of them are run",
                       draft->label);
    return sh_builder_define_constant(builder, draft, &value->tensor, err);
}

static const sh_operator operators[] = {
    {"Add", 2, 2, sh_operator_add, sh_operator_fold_add},
    {"Cast", 1, 1, NULL, sh_operator_fold_cast},
    {"Clip", 1, 3, operator_clip, NULL},
    {"Concat", 1, SH_ONNX_INPUTS, operator_concat, sh_operator_fold_concat},
    {"Constant", 0, 0, operator_constant, NULL},
    {"ConstantOfShape", 1, 1, NULL, sh_operator_fold_constant_of_shape},
    {"Conv", 2, 3, sh_operator_conv, NULL},
    {"ConvTranspose", 2, 3, sh_operator_deconv, NULL},
    {"DepthToSpace", 1, 1, operator_shuffle, NULL},
    {"DequantizeLinear", 2, 3, sh_operator_dequantize, NULL},
    {"Div", 2, 2, sh_operator_div, sh_operator_fold_div},
    {"Gather", 2, 2, NULL, sh_operator_fold_gather},
    {"HardSigmoid", 1, 1, sh_operator_hard_sigmoid, NULL},
    {"HardSwish", 1, 1, sh_operator_hard_swish, NULL},
    {"Identity", 1, 1, operator_identity, NULL},
    {"LeakyRelu", 1, 1, operator_leaky, NULL},
    {"Mul", 2, 2, sh_operator_mul, sh_operator_fold_mul},
    {"PRelu", 2, 2, operator_prelu, NULL},
    {"Pad", 1, 4, sh_operator_pad, NULL},
    {"QuantizeLinear", 2, 3, sh_operator_quantize, NULL},
    {"Relu", 1, 1, operator_relu, NULL},
    {"Reshape", 2, 2, NULL, sh_operator_fold_reshape},
    {"Resize", 2, 4, sh_operator_resize, NULL},
    {"Shape", 1, 1, NULL, sh_operator_fold_shape},
    {"Sigmoid", 1, 1, sh_operator_sigmoid, NULL},
    {"Slice", 1, 5, sh_operator_slice, sh_operator_fold_slice},
    {"Split", 1, 2, sh_operator_split, NULL},
    {"Squeeze", 1, 2, NULL, sh_operator_fold_squeeze},
    {"Sub", 2, 2, sh_operator_sub, sh_operator_fold_sub},
    {"Tanh", 1, 1, sh_operator_tanh, NULL},
    {"Transpose", 1, 1, NULL, sh_operator_fold_transpose},
    {"Unsqueeze", 1, 2, NULL, sh_operator_fold_squeeze},
    {"Upsample", 1, 2, sh_operator_upsample, NULL},
};

const sh_operator *sh_operator_find(sh_text name)
{
    for (size_t i = 0; i < SH_COUNT(operators); i++)
        if (sh_text_is(name, operators[i].name))
            return &operators[i];
    return NULL;
}
