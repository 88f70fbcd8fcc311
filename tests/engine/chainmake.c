/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "chainmake.h"
#include "netmodel.h"
#include <math.h>
#include <stdlib.h>

typedef struct maker {
    sh_graph *graph;
    const chain_form *form;
    uint32_t seed;
    float flat[SPYHOP_MAX_CHANNELS]; /* what the layers so far make of a flat picture */
    float scale;                     /* of the activations so far */
} maker;

static void *take(maker *m, size_t count, size_t size)
{
    void *p = sh_arena_alloc(m->graph->arena, count * size);
    assert_non_null(p);
    return p;
}

static int new_tensor(maker *m, int channels, int scale, int margin)
{
    m->graph->tensors[m->graph->tensor_count] = (sh_graph_tensor){"t", channels, scale, margin};
    return m->graph->tensor_count++;
}

/* Its output is a new tensor. */
static sh_graph_node *new_node(maker *m, sh_graph_op op, int in, int second, int channels, int scale,
                               int margin)
{
    sh_graph_node *node = &m->graph->nodes[m->graph->node_count++];
    node->op = op;
    node->name = "node";
    node->inputs = take(m, 2, sizeof(int));
    node->inputs[0] = in;
    node->inputs[1] = second;
    node->input_count = second < 0 ? 1 : 2;
    node->output = new_tensor(m, channels, scale, margin);
    return node;
}

/* A sum of four is about as training's weights are. */
static float random_weight(maker *m)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += nm_uniform(&m->seed, -0.5f, 0.5f);
    return m->form->loud ? (sum < 0 ? -1.0f : 1.0f) : sum;
}

static void center(float *kernel)
{
    for (int turn = 0; turn < 4; turn++) {
        double sum = 0;
        for (int i = 0; i < 9; i++)
            sum += (double)kernel[i];
        kernel[4] -= (float)sum;
    }
}

static void quantise(maker *m, sh_graph_conv *conv, float *weights)
{
    int count = conv->inputs * 9;
    int8_t *whole = take(m, (size_t)(conv->outputs * count), 1);
    float *scales = take(m, (size_t)conv->outputs, sizeof(float));
    for (int o = 0; o < conv->outputs; o++) {
        float most = 0;
        for (int i = 0; i < count; i++)
            most = fmaxf(most, fabsf(weights[o * count + i]));
        scales[o] = most / 127;
        for (int i = 0; i < count; i++) {
            whole[o * count + i] = (int8_t)lrintf(weights[o * count + i] / scales[o]);
            weights[o * count + i] = (float)whole[o * count + i] * scales[o];
        }
    }
    conv->q_weights = whole;
    conv->q_scales = scales;
}

static int add_conv(maker *m, int in, int outputs, float size, int whole, int last)
{
    int inputs = m->graph->tensors[in].channels, count = inputs * 9;
    float *weights = take(m, (size_t)(outputs * count), sizeof(float));
    float *bias = take(m, (size_t)outputs, sizeof(float)), answers[SPYHOP_MAX_CHANNELS];
    sh_graph_node *node = new_node(m, SH_OP_CONV, in, -1, outputs, 1, m->graph->tensors[in].margin - 1);
    node->conv = (sh_graph_conv){.outputs = outputs, .inputs = inputs, .kernel_h = 3, .kernel_w = 3};
    node->conv.pad_top = node->conv.pad_left = node->conv.group = 1;
    node->conv.weights = weights;
    node->conv.bias = bias;
    for (int i = 0; i < outputs * count; i++)
        weights[i] = size * random_weight(m);
    for (int o = 0; inputs == 1 && o < outputs; o++)
        center(weights + o * 9);
    if (whole)
        quantise(m, &node->conv, weights);
    for (int o = 0; o < outputs; o++) {
        float answer = 0;
        for (int i = 0; inputs > 1 && i < count; i++)
            answer += weights[o * count + i] * m->flat[i / 9];
        bias[o] = last ? -answer : nm_uniform(&m->seed, 0, 0.1f);
        answers[o] = answer + bias[o];
    }
    for (int o = 0; o < outputs; o++)
        m->flat[o] = answers[o] > 0 ? answers[o] : 0;
    return node->output;
}

static int add_activation(maker *m, int in, float scale)
{
    const sh_graph_tensor t = m->graph->tensors[in];
    sh_graph_node *relu = new_node(m, SH_OP_ACT, in, -1, t.channels, 1, t.margin);
    relu->act.kind = SH_ACT_RELU;
    sh_graph_node *quant = new_node(m, SH_OP_QUANT, relu->output, -1, t.channels, 1, t.margin);
    quant->quant = (sh_graph_quant){scale, 0, 0, 255};
    for (int c = 0; c < t.channels; c++)
        m->flat[c] = fminf(rintf(m->flat[c] / scale), 255) * scale;
    return quant->output;
}

/* Cubic with a = -0.5, half-pixel centres. */
static int add_base(maker *m, int in, int factor)
{
    sh_graph_node *node = new_node(m, SH_OP_RESIZE, in, -1, 1, factor, 0);
    node->resize = (sh_graph_resize){.factor = factor, .first = -2, .count = 5};
    for (int phase = 0; phase < factor; phase++)
        for (int k = 0; k < 5; k++) {
            double d = fabs((phase + 0.5) / factor - 0.5 - (k - 2)), tap = 0;
            if (d < 1)
                tap = (1.5 * d - 2.5) * d * d + 1;
            else if (d < 2)
                tap = ((-0.5 * d + 2.5) * d - 4) * d + 2;
            node->resize.taps[phase][k] = (float)tap;
        }
    return node->output;
}

static void make_graph(maker *m)
{
    const chain_form *f = m->form;
    int convs = f->inner + 2, at, base = 0;
    float middle = sqrtf(6.0f / (float)(9 * f->channels)) * (f->loud ? 0.3f : 1);
    m->graph->input = new_tensor(m, 1, 1, 0);
    sh_graph_node *pad = new_node(m, SH_OP_PAD, 0, -1, 1, 1, convs);
    pad->pad = (sh_graph_pad){f->mirrors ? SH_PAD_SYMMETRIC : SH_PAD_EDGE, convs, 0};
    at = add_activation(m, add_conv(m, pad->output, f->channels, 0.5f, 0, 0), 1.2f / 255);
    for (int k = 0; k < f->inner; k++)
        at = add_activation(m, add_conv(m, at, f->channels, middle, 1, 0), 1.0f / 255);
    at = add_conv(m, at, f->scale * f->scale, middle / 8, !f->float_last, 1);
    if (f->scale > 1) {
        sh_graph_node *shuffle = new_node(m, SH_OP_SHUFFLE, at, -1, 1, f->scale, 0);
        shuffle->shuffle = (sh_graph_shuffle){f->scale, 1};
        at = shuffle->output;
        base = add_base(m, 0, f->scale);
    }
    m->graph->output = new_node(m, SH_OP_ADD, at, base, 1, f->scale, 0)->output;
}

spyhop_model *chain_model(const chain_form *form)
{
    enum { MOST = 256 };
    spyhop_model *model = calloc(1, sizeof(*model));
    sh_arena *arena = sh_arena_new((size_t)64 << 20);
    assert_true(model && arena);
    maker m = {.graph = sh_arena_alloc(arena, sizeof(sh_graph)), .form = form, .seed = form->seed};
    m.graph->arena = arena;
    m.graph->name = "chain";
    m.graph->tensors = take(&m, MOST, sizeof(*m.graph->tensors));
    m.graph->nodes = take(&m, MOST, sizeof(*m.graph->nodes));
    make_graph(&m);
    m.graph->macs = 9 * form->channels * (1 + form->inner * form->channels + form->scale * form->scale);
    model->graph = m.graph;
    assert_int_equal(sh_plan_halo(m.graph, &model->halo, NULL), SH_OK);
    assert_int_equal(sh_chain_new(&model->chain, m.graph, NULL), SH_OK);
    return model;
}
