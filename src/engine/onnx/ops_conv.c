/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/onnx/build.h"
#include <spyhop/spyhop.h>

int sh_draft_both(const sh_draft *draft, const char *name, int64_t value, sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, name);
    if (list && list->count != 2)
        return sh_fail(err, SH_E_FORMAT, "%s: %s has %d numbers, not 2", draft->label, name, list->count);
    if (list && (list->ints[0] != value || list->ints[1] != value))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: %s are %lld x %lld; only %lld x %lld is run", draft->label,
                       name, (long long)list->ints[0], (long long)list->ints[1], (long long)value,
                       (long long)value);
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
    int64_t group = sh_draft_int(draft, "group", 1);
    if (group < 1 || group > SPYHOP_MAX_CHANNELS || w->dims[0] % group != 0 || in->channels % group != 0)
        return sh_fail(err, SH_E_FORMAT, "%s: %d channels in and %lld out do not fall into %lld groups",
                       draft->label, in->channels, (long long)w->dims[0], (long long)group);
    if (w->dims[1] != in->channels / group)
        return sh_fail(err, SH_E_FORMAT, "%s: its weights are for %lld channels of each group; '%s' has %lld",
                       draft->label, (long long)w->dims[1], in->name, (long long)(in->channels / group));
    for (int i = 2; i < 4; i++)
        if (w->dims[i] < 1 || w->dims[i] > SPYHOP_MAX_KERNEL)
            return sh_fail(err, SH_E_LIMIT, "%s: its kernel is %lld x %lld; 1 to %d are run", draft->label,
                           (long long)w->dims[2], (long long)w->dims[3], SPYHOP_MAX_KERNEL);
    const sh_onnx_attribute *kernel = sh_draft_attribute(draft, "kernel_shape");
    if (kernel && (kernel->count != 2 || kernel->ints[0] != w->dims[2] || kernel->ints[1] != w->dims[3]))
        return sh_fail(err, SH_E_FORMAT, "%s: kernel_shape is not that of its weights", draft->label);
    return SH_OK;
}

/* pads: top, left, bottom, right. What they lack to the kernel's side minus one is lost of the tensor's
 * margin, as much on all sides; what they have more is won. */
static int find_pads(const sh_draft *draft, sh_graph_conv *conv, int *margin, sh_err *err)
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
            return sh_fail(err, SH_E_UNSUPPORTED,
                           "%s: pads of %lld; 0 to the kernel's side minus one are run", draft->label,
                           (long long)pads[i]);
    int lost_h = over_h - (int)(pads[0] + pads[2]), lost_w = over_w - (int)(pads[1] + pads[3]);
    if (lost_h != lost_w || lost_h % 2 != 0)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s changes the picture's size by %d rows and %d columns; as much on each of the four sides is "
            "run",
            draft->label, -lost_h, -lost_w);
    conv->pad_top = (int)pads[0] + lost_h / 2;
    conv->pad_left = (int)pads[1] + lost_w / 2;
    *margin -= lost_h / 2;
    return SH_OK;
}

int sh_draft_bias(sh_builder *builder, const sh_draft *draft, int outputs, const float **found, sh_err *err)
{
    const sh_onnx_tensor *bias;
    float *values = NULL;
    int64_t count = 0;
    int status = sh_draft_constant(draft, 2, &bias, err);
    if (status < 0)
        return status;
    if (bias) {
        status = sh_onnx_floats(bias, builder->graph->arena, &values, &count, err);
        if (status == SH_OK && (count != outputs || bias->rank != 1))
            status = sh_fail(err, SH_E_FORMAT, "%s has %lld biases for %d channels", draft->label,
                             (long long)count, outputs);
    } else {
        values = sh_arena_alloc(builder->graph->arena, (size_t)outputs * sizeof(float));
        if (!values)
            status = sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    }
    *found = values;
    builder->graph->parameters += count;
    return status;
}

/* The integers that the weights were made from, where a scale goes with each output. */
static int keep_integers(sh_builder *builder, const sh_draft *draft, const sh_onnx_tensor *weights,
                         sh_graph_conv *conv, sh_err *err)
{
    const sh_onnx_quantised *q = weights->quantised;
    size_t taps =
        (size_t)conv->inputs / (size_t)conv->group * (size_t)conv->kernel_h * (size_t)conv->kernel_w;
    size_t count = taps * (size_t)conv->outputs;
    if (!q || (q->count != 1 && (q->count != conv->outputs || (size_t)q->inner != taps)))
        return SH_OK;
    int8_t *values = sh_arena_alloc(builder->graph->arena, count);
    float *scales = sh_arena_alloc(builder->graph->arena, (size_t)conv->outputs * sizeof(float));
    if (!values || !scales)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (size_t i = 0; i < count; i++)
        values[i] = q->values[i];
    for (int o = 0; o < conv->outputs; o++)
        scales[o] = q->scales[q->count == 1 ? 0 : o];
    conv->q_weights = values;
    conv->q_scales = scales;
    return SH_OK;
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
    sh_size size;
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, 1, &weights, err);
    if (status == SH_OK)
        status = check_weights(draft, weights, in, err);
    if (status == SH_OK)
        status = sh_draft_both(draft, "strides", 1, err);
    if (status == SH_OK)
        status = sh_draft_both(draft, "dilations", 1, err);
    if (status < 0)
        return status;
    conv->outputs = (int)weights->dims[0];
    conv->inputs = in->channels;
    conv->group = (int)sh_draft_int(draft, "group", 1);
    conv->kernel_h = (int)weights->dims[2];
    conv->kernel_w = (int)weights->dims[3];
    size = (sh_size){conv->outputs, in->scale, in->margin};
    status = find_pads(draft, conv, &size.margin, err);
    if (status == SH_OK)
        status = sh_onnx_floats(weights, builder->graph->arena, &values, &count, err);
    if (status < 0)
        return status;
    conv->weights = values;
    builder->graph->parameters += count;
    builder->graph->macs += count * in->scale * in->scale;
    status = keep_integers(builder, draft, weights, conv, err);
    if (status == SH_OK)
        status = sh_draft_bias(builder, draft, conv->outputs, &conv->bias, err);
    return status < 0 ? status : sh_builder_add(builder, draft, node, size, err);
}
