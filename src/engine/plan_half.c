/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which part of a network runs in half floats: what lies between its first and its last convolutions.
 *
 * A half near 1 has steps of 1/2048, an eighth of a code value of 8 bits and two of 12. So whatever still is
 * a picture stays in single floats: all that comes from the input without a convolution, such as the base
 * that a network adds its residual to, and all that goes to the output without one, such as that residual and
 * its sum with the base. A convolution with a half for its input is made of halves, whatever its output is;
 * one of the picture itself, of one or three channels, is too small to matter and stays in floats. */
#include "engine/plan.h"
#include <stdlib.h>

void sh_plan_choose_halves(sh_plan *plan)
{
    const sh_graph *graph = plan->graph;
    enum { FROM_INPUT = 1, TO_OUTPUT = 2 };
    int *picture = plan->consumers; /* no longer needed */
    for (int t = 0; t < graph->tensor_count; t++)
        picture[t] = (t == graph->input ? FROM_INPUT : 0) | (t == graph->output ? TO_OUTPUT : 0);
    for (int s = 0; s < plan->step_count; s++) {
        const sh_graph_node *node = plan->steps[s].node;
        int from_input = node->op == SH_OP_CONV ? 0 : FROM_INPUT;
        for (int i = 0; i < node->input_count; i++)
            from_input &= picture[node->inputs[i]];
        picture[plan->steps[s].output] |= from_input;
    }
    for (int s = plan->step_count - 1; s >= 0; s--) {
        const sh_graph_node *node = plan->steps[s].node;
        for (int i = 0; node->op != SH_OP_CONV && i < node->input_count; i++)
            picture[node->inputs[i]] |= picture[plan->steps[s].output] & TO_OUTPUT;
    }
    for (int t = 0; t < graph->tensor_count; t++)
        plan->tensors[t].half = !picture[t];
}

int sh_plan_pack_half(sh_plan_step *step, float **owned, const sh_graph_conv *from, sh_err *err)
{
    const sh_conv *conv = &step->conv;
    size_t groups = (size_t)from->group, size = step->group_weights, lanes = step->group_lanes;
    int group = SH_HALF_GROUP / conv->kernel_w;
    /* as many numbers as the float form has, and a scale instead of bias and slope */
    uint32_t *weights = aligned_alloc(64, ((size + lanes) * groups * sizeof(float) + 63) / 64 * 64);
    if (!weights)
        return sh_fail(err, SH_E_MEMORY, "out of memory for packed weights");
    *owned = (float *)weights;
    float *scale = *owned + size * groups;
    step->half = (sh_half_conv){.inputs = conv->inputs,
                                .outputs = conv->outputs,
                                .kernel_h = conv->kernel_h,
                                .kernel_w = conv->kernel_w,
                                .blocks = conv->blocks,
                                .group_rows = group > 0 ? group : 1,
                                .single = step->half.single,
                                .weights = weights,
                                .scale = scale,
                                .bias = conv->bias,
                                .act = conv->act,
                                .slope = conv->slope,
                                .low = conv->low,
                                .high = conv->high};
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < lanes; i++)
            scale[g * lanes + i] = 1;
        sh_half_pack(weights + g * size, scale + g * lanes,
                     from->weights + g * (size_t)conv->outputs * (size_t)conv->inputs *
                                         (size_t)(conv->kernel_h * conv->kernel_w),
                     conv->outputs, conv->inputs, conv->kernel_h, conv->kernel_w);
    }
    return SH_OK;
}
