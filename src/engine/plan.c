/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plan.h"
#include "base/size.h"
#include <spyhop/spyhop.h>
#include <stdlib.h>
#include <string.h>

/* How far a step reads beyond the place it writes, in grid rows and columns; and how many grid rows its input
 * must run ahead of it and must be kept behind it. */
typedef struct reach {
    int up, down, left, right;
    int ahead, behind;
} reach;

static int up_to_grid(int rows, int scale)
{
    return rows <= 0 ? 0 : (rows + scale - 1) / scale;
}

static reach step_reach(const sh_plan *plan, const sh_graph_node *node)
{
    int scale = plan->tensors[node->inputs[0]].scale;
    reach r = {0, 0, 0, 0, 0, 0};
    if (node->op == SH_OP_CONV) {
        r.up = up_to_grid(node->conv.pad_top, scale);
        r.left = up_to_grid(node->conv.pad_left, scale);
        r.down = up_to_grid(node->conv.kernel_h - 1 - node->conv.pad_top, scale);
        r.right = up_to_grid(node->conv.kernel_w - 1 - node->conv.pad_left, scale);
    } else if (node->op == SH_OP_RESIZE) {
        r.up = r.left = up_to_grid(-node->resize.first, scale);
        r.down = r.right = up_to_grid(node->resize.first + node->resize.count - 1, scale);
    }
    r.ahead = r.down;
    r.behind = r.up;
    if (node->op == SH_OP_PAD && node->pad.mode != SH_PAD_CONSTANT)
        r.ahead = r.behind = up_to_grid(node->pad.amount * (node->pad.mode == SH_PAD_EDGE ? 1 : 2), scale);
    return r;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* What is wanted of `out` beyond a tile is wanted of `in`, and the step's reach more. A Pad that mirrors at
 * the border turns the sides around: what is wanted on one side is wanted on the other too. */
static void widen(sh_plan_tensor *in, const sh_plan_tensor *out, const reach *r, const sh_graph_node *node)
{
    int mirrors = node->op == SH_OP_PAD;
    int tall = mirrors ? larger(out->up, out->down) : 0, wide = mirrors ? larger(out->left, out->right) : 0;
    in->up = larger(in->up, larger(tall, out->up + r->up));
    in->down = larger(in->down, larger(tall, out->down + r->down));
    in->left = larger(in->left, larger(wide, out->left + r->left));
    in->right = larger(in->right, larger(wide, out->right + r->right));
}

/* From the output back: what each tensor must hold for those that read it. `rows` collects the oldest row
 * first. */
static void find_leads(sh_plan *plan)
{
    const sh_graph *graph = plan->graph;
    plan->tensors[graph->output].wanted = 1;
    for (int s = plan->step_count - 1; s >= 0; s--) {
        const sh_graph_node *node = plan->steps[s].node;
        const sh_plan_tensor *out = &plan->tensors[plan->steps[s].output];
        reach r = step_reach(plan, node);
        if (!out->wanted)
            continue;
        for (int i = 0; i < node->input_count; i++) {
            sh_plan_tensor *in = &plan->tensors[node->inputs[i]];
            int oldest = out->lead - r.behind;
            in->rows = in->wanted && in->rows < oldest ? in->rows : oldest;
            in->lead = larger(in->lead, out->lead + r.ahead);
            widen(in, out, &r, node);
            in->wanted = 1;
        }
    }
    for (int t = 0; t < graph->tensor_count; t++) {
        sh_plan_tensor *tensor = &plan->tensors[t];
        int oldest = t == graph->output && tensor->rows > 0 ? 0 : tensor->rows;
        tensor->rows = tensor->lead - oldest + 1;
        plan->turns = tensor->wanted ? larger(plan->turns, tensor->up + tensor->lead) : plan->turns;
    }
    const sh_plan_tensor *input = &plan->tensors[graph->input];
    plan->halo = larger(larger(input->up, input->down), larger(input->left, input->right));
}

/* A simple activation whose input comes from a convolution and goes nowhere else becomes part of that
 * convolution. */
static int merges(const sh_plan *plan, const sh_graph_node *node)
{
    const sh_graph *graph = plan->graph;
    if (node->op != SH_OP_ACT || node->act.kind > SH_ACT_BIAS || plan->step_count == 0 ||
        graph->output == node->inputs[0])
        return 0;
    const sh_plan_step *last = &plan->steps[plan->step_count - 1];
    return last->node->op == SH_OP_CONV && last->output == node->inputs[0] && last->conv.act == SH_ACT_NONE &&
           plan->consumers[node->inputs[0]] == 1;
}

static void count_consumers(sh_plan *plan)
{
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int i = 0; i < plan->graph->nodes[n].input_count; i++)
            plan->consumers[plan->graph->nodes[n].inputs[i]]++;
}

static void find_steps(sh_plan *plan)
{
    count_consumers(plan);
    for (int n = 0; n < plan->graph->node_count; n++) {
        const sh_graph_node *node = &plan->graph->nodes[n];
        if (merges(plan, node)) {
            sh_plan_step *last = &plan->steps[plan->step_count - 1];
            last->conv.act = (int)node->act.kind;
            last->conv.slope = node->act.slope; /* packed later */
            last->conv.low = node->act.low;
            last->conv.high = node->act.high;
            last->output = node->output;
            continue;
        }
        plan->steps[plan->step_count++] = (sh_plan_step){.node = node, .output = node->output};
    }
}

static void keep_wanted(sh_plan *plan)
{
    int kept = 0;
    for (int s = 0; s < plan->step_count; s++)
        if (plan->tensors[plan->steps[s].output].wanted)
            plan->steps[kept++] = plan->steps[s];
    plan->step_count = kept;
}

/* Floats of the widest row that a tile of so many columns makes of the tensor, on lines of 16 floats. An odd
 * number of lines, so that the rows of 16 channels do not all fall into the same sets of a cache. */
static size_t row_floats(const sh_plan_tensor *tensor, int columns, int half)
{
    size_t floats = ((size_t)columns + (size_t)tensor->left + (size_t)tensor->right) * (size_t)tensor->scale;
    floats = half ? (floats + 1) / 2 : floats;
    return ((floats + 15) / 16 | 1) * 16;
}

/* Lays out a thread's scratch for tiles of that width; its size in floats, or false when no size_t holds it.
 */
static bool lay_out(sh_plan *plan, int columns, size_t *total)
{
    size_t at = 0, size, widest = 0, wide;
    int halves = 0;
    for (int t = 0; t < plan->graph->tensor_count; t++) {
        sh_plan_tensor *tensor = &plan->tensors[t];
        if (!tensor->wanted)
            continue;
        tensor->stride = row_floats(tensor, columns, tensor->half);
        tensor->offset = at;
        wide = row_floats(tensor, columns, 0);
        widest = wide > widest ? wide : widest;
        halves |= tensor->half;
        if (!sh_mul_size((size_t)tensor->channels * (size_t)tensor->scale, (size_t)tensor->rows, &size) ||
            !sh_mul_size(size, tensor->stride, &size) || !sh_add_size(at, size, &at))
            return false;
    }
    plan->zero_offset = at;
    plan->phase_offset = at + widest;
    plan->phase_stride = widest + 32;
    plan->temp_offset = plan->phase_offset + 2 * SH_GRAPH_SCALE * plan->phase_stride;
    *total = plan->temp_offset + (halves ? SH_PLAN_TEMPS * plan->phase_stride : 0);
    return true;
}

static int choose_tile(sh_plan *plan, size_t l2_bytes, sh_err *err)
{
    int columns = 2048;
    size_t floats = 0;
    bool fits = lay_out(plan, columns, &floats);
    while (columns > 96 && (!fits || floats * sizeof(float) > l2_bytes)) {
        columns -= 32;
        fits = lay_out(plan, columns, &floats);
    }
    if (!fits || floats > SH_PLAN_SCRATCH / sizeof(float))
        return sh_fail(err, SH_E_LIMIT, "the model needs more than %zu MiB of scratch memory for each thread",
                       SH_PLAN_SCRATCH >> 20);
    plan->tile_columns = columns;
    plan->scratch = floats;
    return SH_OK;
}

static float *allocate(size_t floats)
{
    size_t bytes;
    return floats && sh_mul_size(floats, sizeof(float), &bytes) ? aligned_alloc(64, (bytes + 63) / 64 * 64)
                                                                : NULL;
}

/* Fills the geometry of one group and packs weights, biases and slopes of all into one allocation that *owned
 * keeps. */
static int pack(sh_plan_step *step, sh_conv *conv, float **owned, const sh_graph_conv *from, sh_err *err)
{
    size_t groups = (size_t)from->group, size;
    const float *weights = from->weights, *slope = conv->slope;
    conv->outputs = from->outputs / from->group;
    conv->inputs = from->inputs / from->group;
    conv->kernel_h = from->kernel_h;
    conv->kernel_w = from->kernel_w;
    conv->blocks = (conv->outputs + SH_CONV_BLOCK - 1) / SH_CONV_BLOCK;
    size = sh_conv_packed_size(conv->outputs, conv->inputs, conv->kernel_h, conv->kernel_w);
    size_t lanes = (size_t)conv->blocks * SH_CONV_BLOCK;
    float *memory = size <= SIZE_MAX / 8 / groups ? allocate((size + 2 * lanes) * groups) : NULL;
    if (!memory)
        return sh_fail(err, SH_E_MEMORY, "out of memory for packed weights");
    *owned = memory;
    conv->weights = memory;
    conv->bias = memory + size * groups;
    conv->slope = memory + (size + lanes) * groups;
    memset(memory + size * groups, 0, 2 * lanes * groups * sizeof(float));
    for (int g = 0; g < from->group; g++, memory += size) {
        sh_conv_pack(memory, weights, conv->outputs, conv->inputs, conv->kernel_h, conv->kernel_w);
        weights += (size_t)conv->outputs * (size_t)conv->inputs * (size_t)(conv->kernel_h * conv->kernel_w);
    }
    for (int o = 0; o < from->outputs; o++) {
        size_t at = (size_t)(o / conv->outputs) * lanes + (size_t)(o % conv->outputs);
        (*owned + size * groups)[at] = from->bias ? from->bias[o] : 0;
        (*owned + (size + lanes) * groups)[at] = slope ? slope[o] : 0;
    }
    step->group_weights = size;
    step->group_lanes = lanes;
    return SH_OK;
}

/* A resize is two convolutions of one channel to one output a phase: down the rows, then along them. */
static int pack_resize(sh_plan_step *step, sh_err *err)
{
    const sh_graph_resize *resize = &step->node->resize;
    float taps[SH_GRAPH_SCALE * SH_RESIZE_TAPS];
    sh_graph_conv conv = {.outputs = resize->factor, .inputs = 1, .group = 1, .weights = taps};
    for (int phase = 0; phase < resize->factor; phase++)
        for (int k = 0; k < resize->count; k++)
            taps[phase * resize->count + k] = resize->taps[phase][k];
    conv.kernel_h = resize->count;
    conv.kernel_w = 1;
    int status = pack(step, &step->vertical, &step->packed[1], &conv, err);
    conv.kernel_h = 1;
    conv.kernel_w = resize->count;
    return status < 0 ? status : pack(step, &step->conv, &step->packed[0], &conv, err);
}

static int pack_steps(sh_plan *plan, sh_err *err)
{
    plan->pointers = 2 * SH_GRAPH_SCALE;
    for (int s = 0; s < plan->step_count; s++) {
        sh_plan_step *step = &plan->steps[s];
        int status = SH_OK;
        if (step->node->op == SH_OP_RESIZE)
            status = pack_resize(step, err);
        if (step->node->op == SH_OP_CONV) {
            const sh_graph_conv *conv = &step->node->conv;
            size_t pointers = (size_t)conv->inputs * (size_t)conv->kernel_h + (size_t)conv->outputs;
            plan->pointers = pointers > plan->pointers ? pointers : plan->pointers;
            status = pack(step, &step->conv, &step->packed[0], conv, err);
            if (status == SH_OK && plan->tensors[step->node->inputs[0]].half) {
                step->half.single = !plan->tensors[step->output].half;
                status = sh_plan_pack_half(step, &step->packed[1], conv, err);
            }
        }
        if (status < 0)
            return status;
    }
    return SH_OK;
}

static sh_plan *plan_alloc(const sh_graph *graph)
{
    sh_plan *plan = calloc(1, sizeof(*plan));
    if (!plan)
        return NULL;
    plan->graph = graph;
    plan->tensors = calloc((size_t)graph->tensor_count, sizeof(*plan->tensors));
    plan->steps = calloc((size_t)graph->node_count + 1, sizeof(*plan->steps));
    plan->consumers = calloc((size_t)graph->tensor_count, sizeof(*plan->consumers));
    if (!plan->tensors || !plan->steps || !plan->consumers) {
        sh_plan_free(plan);
        return NULL;
    }
    for (int t = 0; t < graph->tensor_count; t++) {
        plan->tensors[t].channels = graph->tensors[t].channels;
        plan->tensors[t].scale = graph->tensors[t].scale;
        plan->tensors[t].margin = graph->tensors[t].margin;
        plan->tensors[t].beyond = up_to_grid(graph->tensors[t].margin, graph->tensors[t].scale);
    }
    return plan;
}

int sh_plan_new(sh_plan **out, const sh_graph *graph, size_t l2_bytes, int halves, sh_err *err)
{
    int status;
    sh_plan *plan = plan_alloc(graph);
    if (!plan)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's plan");
    find_steps(plan);
    find_leads(plan);
    keep_wanted(plan);
    if (halves)
        sh_plan_choose_halves(plan);
    status = choose_tile(plan, l2_bytes, err);
    if (status == SH_OK)
        status = pack_steps(plan, err);
    if (status < 0)
        sh_plan_free(plan);
    else
        *out = plan;
    return status;
}

int sh_plan_halo(const sh_graph *graph, int *halo, sh_err *err)
{
    sh_plan *plan = plan_alloc(graph);
    if (!plan)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the model's plan");
    find_steps(plan);
    find_leads(plan);
    *halo = plan->halo;
    sh_plan_free(plan);
    return SH_OK;
}

void sh_plan_free(sh_plan *plan)
{
    if (!plan)
        return;
    for (int s = 0; plan->steps && s < plan->step_count; s++) {
        free(plan->steps[s].packed[0]);
        free(plan->steps[s].packed[1]);
    }
    free(plan->consumers);
    free(plan->steps);
    free(plan->tensors);
    free(plan);
}
