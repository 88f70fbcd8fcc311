/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First the graph is walked along, which gives a `walk`; then integers are made of it. Where these would not
 * fit (a scale out of any proportion), the graph is no chain either. */
#include "engine/chain.h"
#include "engine/dsp/q8_pack.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_LAYERS = 64,
    MOST_CHANNELS = SH_CHAIN_CHANNELS, /* more run as a plan: pairing their weights would take long */
    CUBIC_ONE = 1 << SH_Q8_CUBIC,
    FIRST_SUM = 16383, /* of an output's absolute weights: samples of 16 bits leave a bit for the bias */
    WIDE_PART = 128,   /* 16-bit weights are upper * 128 + lower */
    WIDE_LIMIT = 127 * WIDE_PART,
    FACTOR = 4096,     /* the largest factor of a layer, if it can be */
    FACTOR_SAFE = 256, /* with this an int16 that is saturated is past 255 */
    FACTOR_LIMIT = 1 << 14,
    BIAS_LIMIT = 1 << 30
};
#define ARENA_LIMIT ((size_t)64 << 20)
/* A flat picture's residual beyond half a code value of 8 bits is what the network means. */
#define FLAT_LIMIT (0.5f / 255)

typedef struct walk {
    const sh_graph *graph;
    const sh_graph_conv *convs[MOST_LAYERS];
    float scales[MOST_LAYERS]; /* of the activations after each but the last */
    int count;
    bool mirrors;
    const sh_graph_resize *resize; /* NULL: the base is the input itself */
} walk;

/* The only node that reads the tensor; NULL when there are more, or it is the output. */
static const sh_graph_node *reader(const sh_graph *graph, int tensor)
{
    const sh_graph_node *found = NULL;
    int readers = tensor == graph->output;
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == tensor) {
                found = &graph->nodes[n];
                readers++;
            }
    return readers == 1 ? found : NULL;
}

/* The node of that kind that reads the tensor, which others may read too. */
static const sh_graph_node *reader_like(const sh_graph *graph, int tensor, sh_graph_op op)
{
    for (int n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op == op && graph->nodes[n].inputs[0] == tensor)
            return &graph->nodes[n];
    return NULL;
}

static bool is_valid_3x3(const walk *w, const sh_graph_node *node)
{
    const sh_graph_conv *conv = &node->conv;
    int margin = w->graph->tensors[node->inputs[0]].margin;
    return conv->kernel_h == 3 && conv->kernel_w == 3 && conv->group == 1 && conv->pad_top == 1 &&
           conv->pad_left == 1 && w->graph->tensors[node->output].margin == margin - 1;
}

/* Relu and the quantisation after it; the tensor behind them, or -1. */
static int walk_activation(walk *w, int tensor)
{
    const sh_graph_node *relu = reader(w->graph, tensor);
    if (!relu || relu->op != SH_OP_ACT || relu->act.kind != SH_ACT_RELU)
        return -1;
    const sh_graph_node *quant = reader(w->graph, relu->output);
    if (!quant || quant->op != SH_OP_QUANT || quant->quant.zero != 0 || quant->quant.low != 0 ||
        quant->quant.high != 255 || !(quant->quant.scale > 0))
        return -1;
    w->scales[w->count - 1] = quant->quant.scale;
    return quant->output;
}

/* From the padded input to the last sums; the tensor of these, or -1. */
static int walk_convs(walk *w, int tensor)
{
    for (;;) {
        const sh_graph_node *node = reader(w->graph, tensor);
        if (!node || node->op != SH_OP_CONV || !is_valid_3x3(w, node) || w->count == MOST_LAYERS)
            return -1;
        w->convs[w->count++] = &node->conv;
        const sh_graph_node *next = reader(w->graph, node->output);
        if (!next || next->op != SH_OP_ACT)
            return node->output;
        tensor = walk_activation(w, node->output);
        if (tensor < 0)
            return -1;
    }
}

/* From the last sums to the output. */
static bool walk_end(walk *w, int tensor)
{
    const sh_graph *graph = w->graph;
    const sh_graph_node *node = reader(graph, tensor);
    int scale = 1, base = graph->input;
    if (node && node->op == SH_OP_SHUFFLE) {
        scale = node->shuffle.block;
        tensor = node->output;
        node = reader(graph, tensor);
    }
    if (!node || node->op != SH_OP_ADD || node->output != graph->output)
        return false;
    if (scale > 1) {
        const sh_graph_node *resize = reader_like(graph, graph->input, SH_OP_RESIZE);
        if (!resize || resize->resize.factor != scale)
            return false;
        w->resize = &resize->resize;
        base = resize->output;
    }
    return scale <= SH_Q8_SCALE && graph->tensors[tensor].channels == 1 &&
           node->inputs[0] + node->inputs[1] == tensor + base &&
           (node->inputs[0] == tensor || node->inputs[1] == tensor);
}

/* Shapes, and that the middle's weights are integers. */
static bool walk_shapes(const walk *w)
{
    int channels = w->convs[0]->outputs, last = w->count - 1;
    int scale = w->resize ? w->resize->factor : 1;
    if (w->convs[0]->inputs != 1 || channels % SH_Q8_GROUP != 0 || channels > MOST_CHANNELS ||
        w->convs[last]->outputs != scale * scale)
        return false;
    for (int k = 1; k <= last; k++)
        if (w->convs[k]->inputs != channels ||
            (k < last &&
             (w->convs[k]->outputs != channels || !w->convs[k]->q_weights || !w->convs[k]->q_scales)))
            return false;
    return true;
}

static bool walk_graph(walk *w)
{
    const sh_graph *graph = w->graph;
    const sh_graph_node *pad = reader_like(graph, graph->input, SH_OP_PAD);
    if (!pad || (pad->pad.mode != SH_PAD_EDGE && pad->pad.mode != SH_PAD_SYMMETRIC) ||
        graph->tensors[graph->input].channels != 1)
        return false;
    w->mirrors = pad->pad.mode == SH_PAD_SYMMETRIC;
    int sums = walk_convs(w, pad->output);
    return sums >= 0 && w->count >= 2 && w->count == pad->pad.amount && walk_end(w, sums) && walk_shapes(w);
}

/* What is being made; `failed` when memory is short, `refused` when the integers do not fit. */
typedef struct maker {
    const walk *w;
    sh_chain *chain;
    bool failed, refused;
} maker;

static void *take(maker *m, size_t count, size_t size)
{
    void *p = sh_arena_alloc(m->chain->arena, count * size + 64);
    m->failed |= p == NULL;
    return p ? (void *)(((uintptr_t)p + 63) / 64 * 64) : NULL;
}

/* The shift and the factors for units that are `ratio[o]` output codes; most[o]: what a sum can be at most.
 */
static void make_factors(maker *m, int16_t *factor, int *shift, const double *ratio, const double *most,
                         int outputs)
{
    double largest = 0;
    bool safe = false;
    for (int o = 0; o < outputs; o++) {
        largest = ratio[o] > largest ? ratio[o] : largest;
        m->refused |= !(ratio[o] >= 0);
    }
    int bits = 0;
    while (bits < 30 && largest * 32768 * ldexp(1, bits + 1) <= FACTOR)
        bits++;
    for (; !safe && bits <= 30 && largest * 32768 * ldexp(1, bits) <= FACTOR_LIMIT; bits++) {
        safe = true;
        for (int o = 0; o < outputs; o++)
            safe &= ratio[o] * 32768 * ldexp(1, bits) >= FACTOR_SAFE || most[o] < 32767 * ldexp(1, bits);
    }
    *shift = --bits;
    m->refused |= !safe;
    for (int o = 0; !m->refused && o < outputs; o++)
        for (int i = 0; i < 4; i++)
            factor[o * 4 + i] = (int16_t)rint(ratio[o] * 32768 * ldexp(1, bits));
}

/* `bias` in units of the sums, and half a unit of the shift. */
static int32_t whole_bias(maker *m, double bias, int shift)
{
    if (!(fabs(bias) < BIAS_LIMIT)) {
        m->refused = true;
        return 0;
    }
    return (int32_t)lrint(bias) + (shift > 0 ? 1 << (shift - 1) : 0);
}

/* Weights of the first layer per unit of the file's: as large as 32-bit sums allow. */
static double first_unit(const sh_graph_conv *conv)
{
    double most = 1e-6;
    for (int o = 0; o < conv->outputs; o++) {
        double sum = fabs((double)conv->bias[o]);
        for (int i = 0; i < 9; i++)
            sum += fabs((double)conv->weights[o * 9 + i]);
        most = sum > most ? sum : most;
    }
    return FIRST_SUM / most;
}

/* whole[9]: what was meant to sum to zero does; the centre takes the rest. */
static int round_kernel(int *whole, const float *kernel, double unit)
{
    double sum = 0, size = 0;
    int rest = 0;
    for (int i = 0; i < 9; i++) {
        whole[i] = (int)lrint((double)kernel[i] * unit);
        rest += whole[i];
        sum += (double)kernel[i];
        size += fabs((double)kernel[i]);
    }
    if (fabs(sum) > 1e-4 * size)
        return rest;
    whole[4] -= rest;
    return 0;
}

/* Returns whether all kernels sum to zero. sums: what they sum to. */
static bool make_first_weights(maker *m, int16_t *packed, int *sums, double unit)
{
    static const int8_t order[SH_Q8_FIRST][2] = {{0, 1}, {3, 4}, {6, 7}, {2, 5}, {8, -1}};
    const sh_graph_conv *conv = m->w->convs[0];
    bool zero = true;
    for (int o = 0; o < conv->outputs; o++) {
        int whole[9];
        sums[o] = round_kernel(whole, conv->weights + o * 9, unit);
        zero &= sums[o] == 0;
        for (int t = 0; t < SH_Q8_FIRST; t++)
            for (int i = 0; i < 2; i++)
                packed[(t * conv->outputs + o) * 2 + i] = (int16_t)(order[t][i] < 0 ? 0 : whole[order[t][i]]);
    }
    return zero;
}

static bool make_first(maker *m)
{
    const sh_graph_conv *conv = m->w->convs[0];
    int outputs = conv->outputs, sums[MOST_CHANNELS];
    double unit = first_unit(conv), ratio[MOST_CHANNELS] = {0}, most[MOST_CHANNELS] = {0};
    int16_t *weights = take(m, (size_t)outputs * SH_Q8_FIRST * 2, sizeof(*weights));
    bool zero = weights && make_first_weights(m, weights, sums, unit);
    for (int depth = 8; !m->failed && depth < 8 + SH_CHAIN_DEPTHS; depth++) {
        double peak = (1 << depth) - 1, offset = depth > 8 ? 32768 : 0;
        int16_t *factor = take(m, (size_t)outputs * 4, sizeof(*factor));
        int32_t *bias = take(m, (size_t)outputs, sizeof(*bias));
        sh_q8_first *first = &m->chain->first[depth - 8];
        *first = (sh_q8_first){outputs, weights, bias, factor, 0};
        for (int o = 0; o < outputs; o++) {
            ratio[o] = 1 / (unit * peak * (double)m->w->scales[0]);
            most[o] = BIAS_LIMIT;
        }
        if (m->failed)
            break;
        make_factors(m, factor, &first->shift, ratio, most, outputs);
        for (int o = 0; o < outputs && !m->refused; o++)
            bias[o] = whole_bias(m, (double)conv->bias[o] * unit * peak + offset * sums[o], first->shift);
    }
    return zero;
}

/* Packs `lanes` of weights into a convolution and pairs them. */
static void pack_weights(maker *m, sh_q8_conv *conv, const int8_t *weights)
{
    int8_t *packed = take(m, sh_q8_weights_size(conv), 1);
    sh_q8_pass *pass = take(m, (size_t)sh_q8_lanes(conv) / SH_Q8_GROUP, sizeof(*pass));
    sh_q8_tap *taps = take(m, sh_q8_pair_room(conv), sizeof(*taps));
    if (m->failed)
        return;
    sh_q8_pack(packed, weights, conv);
    conv->weights = packed;
    conv->pass = pass;
    sh_q8_pair(conv, pass, taps);
}

static double absolute_sum(const int8_t *weights, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += abs(weights[i]);
    return sum;
}

static void make_inner(maker *m, int k)
{
    const sh_graph_conv *from = m->w->convs[k];
    int outputs = from->outputs, weights = from->inputs * 9;
    double ratio[MOST_CHANNELS] = {0}, most[MOST_CHANNELS] = {0}, unit[MOST_CHANNELS];
    sh_q8_conv *conv = &m->chain->inner[k - 1];
    int16_t *factor = take(m, (size_t)outputs * 4, sizeof(*factor));
    int32_t *bias = take(m, (size_t)outputs, sizeof(*bias));
    *conv = (sh_q8_conv){
        .groups = from->inputs / SH_Q8_GROUP, .outputs = outputs, .bias = bias, .factor = factor};
    if (m->failed)
        return;
    for (int o = 0; o < outputs; o++) {
        unit[o] = (double)m->w->scales[k - 1] * (double)from->q_scales[o];
        ratio[o] = unit[o] / (double)m->w->scales[k];
        most[o] = 255 * absolute_sum(from->q_weights + o * weights, weights) +
                  fabs((double)from->bias[o]) / unit[o];
    }
    make_factors(m, factor, &conv->shift, ratio, most, outputs);
    for (int o = 0; o < outputs && !m->refused; o++)
        bias[o] = whole_bias(m, (double)from->bias[o] / unit[o], conv->shift);
    pack_weights(m, conv, from->q_weights);
}

/* Upper and lower parts of 16-bit weights of one output; what a unit of them is. */
static double split_weights(int8_t *parts, const float *weights, int count)
{
    double most = 1e-12, sum = 0, unit;
    for (int i = 0; i < count; i++) {
        most = fmax(most, fabs((double)weights[i]));
        sum += fabs((double)weights[i]);
    }
    unit = fmax(most / WIDE_LIMIT, sum * 255 / BIAS_LIMIT);
    for (int i = 0; i < count; i++) {
        int whole = (int)lrint((double)weights[i] / unit);
        int upper = (int)floor(whole / (double)WIDE_PART + 0.5);
        parts[i] = (int8_t)upper;
        parts[count + i] = (int8_t)(whole - upper * WIDE_PART);
    }
    return unit;
}

/* The last layer's weights to `plain` as sh_q8_pack takes them; units[o] of the sums. */
static void last_weights(const sh_graph_conv *from, int8_t *plain, double *units, double scale)
{
    int weights = from->inputs * 9;
    for (int o = 0; o < from->outputs; o++) {
        if (from->q_weights) {
            memcpy(plain + o * weights, from->q_weights + o * weights, (size_t)weights);
            units[o] = scale * (double)from->q_scales[o];
        } else {
            units[o] = scale * split_weights(plain + 2 * o * weights, from->weights + o * weights, weights);
        }
    }
}

static void make_last(maker *m)
{
    const sh_graph_conv *from = m->w->convs[m->w->count - 1];
    int outputs = (from->outputs + SH_Q8_GROUP - 1) / SH_Q8_GROUP * SH_Q8_GROUP;
    double units[SH_CHAIN_OUTPUTS] = {0};
    sh_q8_conv conv = {.groups = from->inputs / SH_Q8_GROUP, .outputs = outputs, .split = !from->q_weights};
    int8_t *plain = take(m, sh_q8_weights_size(&conv), 1);
    if (m->failed)
        return;
    last_weights(from, plain, units, (double)m->w->scales[m->w->count - 2]);
    pack_weights(m, &conv, plain);
    for (int d = 0; d < SH_CHAIN_DEPTHS; d++) {
        int32_t *bias = take(m, (size_t)outputs, sizeof(*bias));
        for (int o = 0; bias && o < from->outputs; o++)
            bias[o] = whole_bias(m, (double)from->bias[o] / units[o], 0);
        conv.bias = bias;
        m->chain->last[d] = conv;
    }
    for (int o = 0; o < from->outputs; o++)
        m->chain->residual[o] = (float)units[o];
}

/* Four whole taps of a phase, from column `start` - 2 on; false where that is no good: sums with samples of
 * 16 bits must fit into 32. */
static bool make_taps(const sh_graph_resize *resize, int phase, int16_t taps[4], int *start)
{
    int from = resize->count, sum = 0, size = 0, largest = 0;
    for (int k = resize->count - 1; k >= 0; k--)
        from = fabsf(resize->taps[phase][k]) > 1e-7f ? k : from;
    *start = from + resize->first + 2;
    *start = *start < 0 ? -1 : *start > 1 ? 1 : *start;
    for (int k = 0; k < resize->count; k++) {
        const float tap = resize->taps[phase][k];
        int at = resize->first + 2 + k - *start;
        if (fabsf(tap) <= 1e-7f)
            continue;
        if (*start < 0 || at < 0 || at > 3 || !(fabsf(tap) < 1.9f))
            return false;
        taps[at] = (int16_t)lrintf(tap * CUBIC_ONE);
        sum += taps[at];
        size += abs(taps[at]);
    }
    for (int k = 0; k < 4; k++)
        largest = taps[k] > taps[largest] ? k : largest;
    taps[largest] = (int16_t)(taps[largest] + CUBIC_ONE - sum);
    return abs(CUBIC_ONE - sum) <= 4 && size < 4 * CUBIC_ONE - 4;
}

static void make_base(maker *m)
{
    static const sh_graph_resize same = {1, 0, 1, {{1}}};
    const sh_graph_resize *resize = m->w->resize ? m->w->resize : &same;
    sh_q8_base *base = &m->chain->base;
    base->factor = resize->factor;
    for (int j = 0; j < resize->factor; j++) {
        m->refused |= !make_taps(resize, j, base->taps[j], &base->start[j]);
        m->chain->vertical_start[j] = base->start[j];
        for (int k = 0; k < 4; k++)
            m->chain->vertical[j][k] = ldexpf((float)base->taps[j][k], -2 * SH_Q8_CUBIC);
    }
}

/* What the network answers to a flat picture, by its own arithmetic, comes off the last bias. */
static void settle_flat(maker *m, int depth)
{
    enum { PIXELS = SH_Q8_STEP + 2 };
    static const int16_t zeros[PIXELS];
    static const int16_t *const samples[3] = {zeros, zeros, zeros};
    const sh_chain *chain = m->chain;
    const sh_q8_conv *last = &chain->last[depth - 8];
    int groups = chain->channels / SH_Q8_GROUP;
    uint8_t *rows = take(m, 2 * (size_t)groups * PIXELS, SH_Q8_GROUP);
    const uint8_t *in[3 * MOST_CHANNELS / SH_Q8_GROUP];
    uint8_t *out[MOST_CHANNELS / SH_Q8_GROUP];
    int32_t answers[SH_CHAIN_OUTPUTS][SH_Q8_STEP], *sums[SH_CHAIN_OUTPUTS];
    sh_dsp dsp;
    if (m->failed)
        return;
    sh_dsp_select(&dsp, SPYHOP_CPU_C);
    for (int k = 0; k < chain->reach; k++) {
        for (int g = 0; g < groups; g++) {
            uint8_t *row = rows + ((k + 1) % 2 * groups + g) * PIXELS * SH_Q8_GROUP;
            in[g] = in[groups + g] = in[2 * groups + g] = row;
            out[g] = rows + (k % 2 * groups + g) * PIXELS * SH_Q8_GROUP;
        }
        for (int o = 0; o < SH_CHAIN_OUTPUTS; o++)
            sums[o] = answers[o];
        if (k == 0)
            dsp.q8_first(out, samples, &chain->first[depth - 8], 1);
        else if (k < chain->reach - 1)
            dsp.q8_conv(out, in, &chain->inner[k - 1], 1);
        else
            dsp.q8_sums(sums, in, last, 1);
        for (int g = 0; g < groups; g++)
            for (int x = 1; x < PIXELS; x++)
                memcpy(out[g] + x * SH_Q8_GROUP, out[g], SH_Q8_GROUP);
    }
    for (int o = 0; o < chain->scale * chain->scale; o++)
        if (fabsf((float)answers[o][0] * chain->residual[o]) > FLAT_LIMIT)
            return;
    for (int o = 0; o < chain->scale * chain->scale; o++)
        ((int32_t *)last->bias)[o] -= answers[o][0];
}

static void make(maker *m)
{
    sh_chain *chain = m->chain;
    chain->reach = m->w->count;
    chain->mirrors = m->w->mirrors;
    chain->channels = m->w->convs[0]->outputs;
    chain->scale = m->w->resize ? m->w->resize->factor : 1;
    chain->inner = take(m, (size_t)chain->reach, sizeof(*chain->inner));
    bool zero = make_first(m);
    for (int k = 1; k < chain->reach - 1 && !m->failed && !m->refused; k++)
        make_inner(m, k);
    if (!m->failed && !m->refused)
        make_last(m);
    make_base(m);
    for (int depth = 8; zero && !m->failed && !m->refused && depth < 8 + SH_CHAIN_DEPTHS; depth++)
        settle_flat(m, depth);
}

int sh_chain_new(sh_chain **out, const sh_graph *graph, sh_err *err)
{
    walk w = {.graph = graph};
    if (!walk_graph(&w)) {
        *out = NULL;
        return SH_OK;
    }
    sh_arena *arena = sh_arena_new(ARENA_LIMIT);
    maker m = {.w = &w, .chain = arena ? sh_arena_alloc(arena, sizeof(sh_chain)) : NULL};
    if (!m.chain) {
        sh_arena_free(arena);
        return sh_fail(err, SH_E_MEMORY, "out of memory for the integer network");
    }
    m.chain->arena = arena;
    make(&m);
    if (m.failed || m.refused) {
        sh_arena_free(arena);
        if (m.failed)
            return sh_fail(err, SH_E_MEMORY, "out of memory for the integer network");
        m.chain = NULL;
    }
    *out = m.chain;
    return SH_OK;
}

void sh_chain_free(sh_chain *chain)
{
    if (chain)
        sh_arena_free(chain->arena);
}
