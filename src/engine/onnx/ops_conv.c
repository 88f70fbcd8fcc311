/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/onnx/build.h"
#include <spyhop/spyhop.h>

/* A list attribute whose numbers must all be 1. */
static int all_ones(const sh_draft *draft, const char *name, sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, name);
    if (list && list->count != 2)
        return sh_fail(err, SH_E_FORMAT, "%s: %s has %d numbers, not 2", draft->label, name, list->count);
    if (list && (list->ints[0] != 1 || list->ints[1] != 1))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: %s are %lld x %lld; only 1 x 1 is run", draft->label, name,
                       (long long)list->ints[0], (long long)list->ints[1]);
    return SH_OK;
}

static int check_weights(const sh_draft *draft, const sh_onnx_tensor *w, const sh_graph_tensor *in,
                         sh_err *err)
{
    if (!w || w->rank != 4)
        return sh_fail(err, SH_E_FORMAT, "%s: its weights have %d dimensions, not 4", draft->label,
                       w ? w->rank : 0);
    if (w->dims[0] < 1 || w->dims[0] > SPYHOP_MAX_CHANNELS)
        return sh_fail(err, SH_E_LIMIT, "%s gives %lld channels; 1 to %d are run", draft->label,
                       (long long)w->dims[0], SPYHOP_MAX_CHANNELS);
    if (sh_draft_int(draft, "group", 1) != 1)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: group is %lld; only 1 is run", draft->label,
                       (long long)sh_draft_int(draft, "group", 1));
    if (w->dims[1] != in->channels)
        return sh_fail(err, SH_E_FORMAT, "%s: its weights are for %lld channels; '%s' has %d", draft->label,
                       (long long)w->dims[1], in->name, in->channels);
    for (int i = 2; i < 4; i++)
        if (w->dims[i] < 1 || w->dims[i] > SPYHOP_MAX_KERNEL)
            return sh_fail(err, SH_E_LIMIT, "%s: its kernel is %lld x %lld; 1 to %d are run", draft->label,
                           (long long)w->dims[2], (long long)w->dims[3], SPYHOP_MAX_KERNEL);
    const sh_onnx_attribute *kernel = sh_draft_attribute(draft, "kernel_shape");
    if (kernel && (kernel->count != 2 || kernel->ints[0] != w->dims[2] || kernel->ints[1] != w->dims[3]))
        return sh_fail(err, SH_E_FORMAT, "%s: kernel_shape is not that of its weights", draft->label);
    return SH_OK;
}

/* pads: top, left, bottom, right. */
static int find_pads(const sh_draft *draft, sh_graph_conv *conv, sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, "pads");
    sh_text mode = sh_draft_string(draft, "auto_pad", "NOTSET");
    int64_t pads[4] = {0, 0, 0, 0};
    int over_h = conv->kernel_h - 1, over_w = conv->kernel_w - 1;
    if (sh_text_is(mode, "SAME_UPPER") || sh_text_is(mode, "SAME_LOWER")) {
        int upper = sh_text_is(mode, "SAME_UPPER");
        pads[0] = upper ? over_h / 2 : over_h - over_h / 2;
        pads[1] = upper ? over_w / 2 : over_w - over_w / 2;
        pads[2] = over_h - pads[0];
        pads[3] = over_w - pads[1];
    } else if (sh_text_is(mode, "NOTSET") || sh_text_is(mode, "VALID")) {
        if (list && list->count != 4)
            return sh_fail(err, SH_E_FORMAT, "%s: pads has %d numbers, not 4", draft->label, list->count);
        for (int i = 0; list && sh_text_is(mode, "NOTSET") && i < 4; i++)
            pads[i] = list->ints[i];
    } else {
        return sh_fail(err, SH_E_FORMAT, "%s: auto_pad '%s' is not known", draft->label,
                       sh_text_show(mode).text);
    }
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > (i % 2 ? over_w : over_h))
            pads[i] = SPYHOP_MAX_KERNEL; /* cannot add up: refused below */
    if (pads[0] + pads[2] != over_h || pads[1] + pads[3] != over_w)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s changes the picture's size: pads must add up to the kernel minus one",
                       draft->label);
    conv->pad_top = (int)pads[0];
    conv->pad_left = (int)pads[1];
    return SH_OK;
}

static int find_bias(sh_builder *builder, const sh_draft *draft, sh_graph_conv *conv, sh_err *err)
{
    const sh_onnx_tensor *bias;
    float *values = NULL;
    int64_t count = 0;
    int status = sh_draft_constant(draft, 2, &bias, err);
    if (status < 0)
        return status;
    if (bias) {
        status = sh_onnx_floats(bias, builder->graph->arena, &values, &count, err);
        if (status == SH_OK && (count != conv->outputs || bias->rank != 1))
            status = sh_fail(err, SH_E_FORMAT, "%s has %lld biases for %d channels", draft->label,
                             (long long)count, conv->outputs);
    } else {
        values = sh_arena_alloc(builder->graph->arena, (size_t)conv->outputs * sizeof(float));
        if (!values)
            status = sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    }
    conv->bias = values;
    builder->graph->parameters += count;
    return status;
}

int sh_operator_conv(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape",
                                        "pads",     "strides",   NULL};
    const sh_graph_tensor *in = NULL;
    const sh_onnx_tensor *weights = NULL;
    sh_graph_node node = {.op = SH_OP_CONV};
    sh_graph_conv *conv = &node.conv;
    float *values;
    int64_t count;
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, 1, &weights, err);
    if (status == SH_OK)
        status = check_weights(draft, weights, in, err);
    if (status == SH_OK)
        status = all_ones(draft, "strides", err);
    if (status == SH_OK)
        status = all_ones(draft, "dilations", err);
    if (status < 0)
        return status;
    conv->outputs = (int)weights->dims[0];
    conv->inputs = (int)weights->dims[1];
    conv->group = 1;
    conv->kernel_h = (int)weights->dims[2];
    conv->kernel_w = (int)weights->dims[3];
    status = find_pads(draft, conv, err);
    if (status == SH_OK)
        status = sh_onnx_floats(weights, builder->graph->arena, &values, &count, err);
    if (status < 0)
        return status;
    conv->weights = values;
    builder->graph->parameters += count;
    builder->graph->macs += count * in->scale * in->scale;
    status = find_bias(builder, draft, conv, err);
    return status < 0 ? status : sh_builder_add(builder, draft, node, conv->outputs, in->scale, err);
}
