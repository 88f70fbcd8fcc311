/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function a kind of step; each makes one grid row of its output. See plan.h for the order they run in.
 *
 * A row of a tensor is stored from column (x0 - left) * scale on, for the whole width that is wanted of the
 * tile, also where that leaves the tensor: there it holds zeros, which is what the next convolution must see.
 *
 * Tensors in halves are read and written by convolutions as they are. All else is done in floats: take_row
 * widens such a row into one of a few rows of floats, and give_row narrows the result.
 */
#include "engine/exec.h"
#include "engine/act.h"
#include <string.h>

typedef struct run {
    const sh_exec_picture *picture;
    const sh_plan *plan;
    const sh_dsp *dsp;
    sh_exec_tile tile;
    int width, height; /* of the input */
    float *scratch;
    float **pointers; /* room for plan->pointers, */
    void **others;    /* and as many */
} run;

/* Columns of a tensor that this tile computes: [from, to), in its own samples. */
typedef struct span {
    int from, to;
} span;

static span tensor_span(const run *r, const sh_plan_tensor *t)
{
    int from = (r->tile.x0 - t->left) * t->scale, to = (r->tile.x1 + t->right) * t->scale;
    int first = -t->margin, end = r->width * t->scale + t->margin;
    return (span){from < first ? first : from, to > end ? end : to};
}

static int has_row(const run *r, const sh_plan_tensor *t, int y)
{
    return y >= -t->margin && y < r->height * t->scale + t->margin;
}

/* Where the stored row y, which must be in the ring, of a channel begins. */
static float *row_start(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    unsigned up = (unsigned)(y + t->beyond * t->scale), scale = (unsigned)t->scale;
    size_t slot = (size_t)(up / scale % (unsigned)t->rows) * scale + up % scale;
    return r->scratch + t->offset + (slot * (size_t)t->channels + (size_t)channel) * t->stride;
}

/* Where its column 0 is (or would be): of a tensor in floats, */
static float *row_at(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    return row_start(r, t, y, channel) - (ptrdiff_t)(r->tile.x0 - t->left) * t->scale;
}

/* and of one in halves. */
static sh_half *half_at(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    return (sh_half *)row_start(r, t, y, channel) - (ptrdiff_t)(r->tile.x0 - t->left) * t->scale;
}

/* Zeros where the stored row leaves the tensor. */
static void clear_beyond(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    int from = (r->tile.x0 - t->left) * t->scale, to = (r->tile.x1 + t->right) * t->scale;
    int first = -t->margin, end = r->width * t->scale + t->margin;
    size_t size = t->half ? sizeof(sh_half) : sizeof(float);
    char *row = (char *)row_start(r, t, y, channel);
    if (from < first)
        memset(row, 0, (size_t)(first - from) * size);
    if (to > end)
        memset(row + (size_t)(end - from) * size, 0, (size_t)(to - end) * size);
}

/* A row of floats for columns from `from` on; `place` tells those that are in use at a time apart. */
static float *temporary(const run *r, int place, int from)
{
    return r->scratch + r->plan->temp_offset + (size_t)place * r->plan->phase_stride - from;
}

/* Column 0 of a row to read floats from. */
static const float *take_row(const run *r, const sh_plan_tensor *t, int y, int channel, int place)
{
    if (!t->half)
        return row_at(r, t, y, channel);
    span s = tensor_span(r, t);
    float *row = temporary(r, place, s.from);
    r->dsp->half_widen(row + s.from, half_at(r, t, y, channel) + s.from, s.to - s.from);
    return row;
}

enum { RESULT = SH_PLAN_TEMPS - 1 }; /* the place of what a step makes */

/* Column 0 of a row to write floats to, for give_row. */
static float *blank_row(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    return t->half ? temporary(r, RESULT, tensor_span(r, t).from) : row_at(r, t, y, channel);
}

static void give_row(const run *r, const sh_plan_tensor *t, int y, int channel, const float *row)
{
    span s = tensor_span(r, t);
    if (t->half)
        r->dsp->half_narrow(half_at(r, t, y, channel) + s.from, row + s.from, s.to - s.from);
    clear_beyond(r, t, y, channel);
}

static void load_row(const run *r, int y)
{
    const sh_plan_tensor *t = &r->plan->tensors[r->plan->graph->input];
    span s = tensor_span(r, t);
    for (int c = 0; c < t->channels; c++) {
        const spyhop_plane *plane = &r->picture->in[c];
        const char *from = (const char *)plane->data + plane->stride * y;
        float *row = row_at(r, t, y, c);
        if (plane->depth == 8)
            r->dsp->load8(row + s.from, from + s.from, s.to - s.from, 255);
        else
            r->dsp->load16(row + s.from, from + 2 * (ptrdiff_t)s.from, s.to - s.from,
                           (1 << plane->depth) - 1);
        clear_beyond(r, t, y, c);
    }
}

static void store_row(const run *r, int grid_row)
{
    const sh_plan_tensor *t = &r->plan->tensors[r->plan->graph->output];
    int from = r->tile.x0 * t->scale, count = (r->tile.x1 - r->tile.x0) * t->scale;
    for (int y = grid_row * t->scale; y < (grid_row + 1) * t->scale; y++)
        for (int c = 0; c < t->channels; c++) {
            const spyhop_plane *plane = &r->picture->out[c];
            char *to = (char *)plane->data + plane->stride * y;
            const float *row = row_at(r, t, y, c) + from;
            if (plane->depth == 8)
                r->dsp->store8(to + from, row, count, 255);
            else
                r->dsp->store16(to + 2 * (ptrdiff_t)from, row, count, (1 << plane->depth) - 1);
        }
}

/* Of one group of channels, whose inputs and outputs come one after another: for each row of the kernel, the
 * first column that is read of each input. */
static void conv_inputs(const run *r, const sh_plan_step *step, int y, int group, int first)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]];
    const sh_conv *conv = &step->conv;
    float *zeros = r->scratch + r->plan->zero_offset;
    for (int ky = 0; ky < conv->kernel_h; ky++) {
        int from = y - step->node->conv.pad_top + ky, inside = has_row(r, in, from);
        for (int c = 0; c < conv->inputs; c++) {
            int at = ky * conv->inputs + c, channel = group * conv->inputs + c;
            if (in->half)
                r->others[at] = inside ? half_at(r, in, from, channel) + first : (sh_half *)zeros;
            else
                r->pointers[at] = inside ? row_at(r, in, from, channel) + first : zeros;
        }
    }
}

/* Floats to halves, some outputs at a time: that many rows are there to put floats into. */
static void conv_narrowed(const run *r, const sh_conv *conv, float **outs, int count, sh_half *const *halves)
{
    const size_t block =
        (size_t)(conv->kernel_h * conv->inputs) * (size_t)conv->kernel_w * (size_t)SH_CONV_BLOCK;
    enum { SOME = SH_PLAN_TEMPS / SH_CONV_BLOCK * SH_CONV_BLOCK };
    for (int o = 0; o < conv->outputs; o += SOME) {
        sh_conv some = *conv;
        some.outputs = conv->outputs - o < SOME ? conv->outputs - o : SOME;
        some.blocks = (some.outputs + SH_CONV_BLOCK - 1) / SH_CONV_BLOCK;
        some.weights += (size_t)(o / SH_CONV_BLOCK) * block;
        some.bias += o;
        some.slope += o;
        for (int i = 0; i < some.outputs; i++)
            outs[i] = temporary(r, i, 0);
        r->dsp->conv(outs, (const float *const *)r->pointers, &some, count);
        for (int i = 0; i < some.outputs; i++)
            r->dsp->half_narrow(halves[o + i], outs[i], count);
    }
}

static void conv_group(const run *r, const sh_plan_step *step, int y, int group)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    sh_conv conv = step->conv;
    sh_half_conv half = step->half;
    span s = tensor_span(r, out);
    int rows = conv.inputs * conv.kernel_h, n = s.to - s.from;
    float **outs = r->pointers + rows;
    void **others = r->others + rows;
    conv_inputs(r, step, y, group, s.from - step->node->conv.pad_left);
    for (int c = 0; c < conv.outputs; c++) {
        int channel = group * conv.outputs + c;
        if (in->half || out->half)
            others[c] = out->half ? (void *)(half_at(r, out, y, channel) + s.from)
                                  : (void *)(row_at(r, out, y, channel) + s.from);
        else
            outs[c] = row_at(r, out, y, channel) + s.from;
    }
    conv.weights += (size_t)group * step->group_weights;
    conv.bias += (size_t)group * step->group_lanes;
    conv.slope += (size_t)group * step->group_lanes;
    if (in->half) {
        half.weights += (size_t)group * step->group_weights;
        half.scale += (size_t)group * step->group_lanes;
        half.bias = conv.bias;
        half.slope = conv.slope;
        r->dsp->half_conv(others, (const sh_half *const *)r->others, &half, n);
    } else if (out->half)
        conv_narrowed(r, &conv, outs, n, (sh_half *const *)others);
    else
        r->dsp->conv(outs, (const float *const *)r->pointers, &conv, n);
    for (int c = 0; c < conv.outputs; c++)
        clear_beyond(r, out, y, group * conv.outputs + c);
}

static void conv_row(const run *r, const sh_plan_step *step, int y)
{
    for (int group = 0; group < step->node->conv.group; group++)
        conv_group(r, step, y, group);
}

static void act_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_graph_act *act = &step->node->act;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = blank_row(r, out, y, c);
        float a = act->slope ? act->slope[c] : act->low;
        sh_act_fn fn = act->kind > SH_ACT_BIAS ? r->dsp->curve : r->dsp->act;
        fn(row + s.from, take_row(r, in, y, c, 0) + s.from, s.to - s.from, (int)act->kind, a, act->high);
        give_row(r, out, y, c, row);
    }
}

/* Addition, subtraction, multiplication. */
static void pair_row(const run *r, const sh_plan_step *step, int y)
{
    sh_add_fn fn = step->node->op == SH_OP_ADD   ? r->dsp->add
                   : step->node->op == SH_OP_SUB ? r->dsp->sub
                                                 : r->dsp->mul;
    const sh_plan_tensor *a = &r->plan->tensors[step->node->inputs[0]];
    const sh_plan_tensor *b = &r->plan->tensors[step->node->inputs[1]];
    const sh_plan_tensor *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = blank_row(r, out, y, c);
        fn(row + s.from, take_row(r, a, y, c % a->channels, 0) + s.from,
           take_row(r, b, y, c % b->channels, 1) + s.from, s.to - s.from);
        give_row(r, out, y, c, row);
    }
}

/* What is in halves on both sides moves as it is. */
static void copy_row(const run *r, const sh_plan_tensor *out, int to, const sh_plan_tensor *in, int from,
                     int y)
{
    span s = tensor_span(r, out);
    size_t count = (size_t)(s.to - s.from);
    if (in->half && out->half) {
        memcpy(half_at(r, out, y, to) + s.from, half_at(r, in, y, from) + s.from, count * sizeof(sh_half));
        clear_beyond(r, out, y, to);
    } else if (out->half)
        give_row(r, out, y, to, row_at(r, in, y, from));
    else {
        memcpy(row_at(r, out, y, to) + s.from, take_row(r, in, y, from, 0) + s.from, count * sizeof(float));
        clear_beyond(r, out, y, to);
    }
}

static void concat_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *out = &r->plan->tensors[step->output];
    int channel = 0;
    for (int i = 0; i < step->node->input_count; i++) {
        const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[i]];
        for (int c = 0; c < in->channels; c++)
            copy_row(r, out, channel++, in, c, y);
    }
}

/* y: a row of the input; makes `block` rows of the output. */
static void shuffle_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_graph_shuffle *shuffle = &step->node->shuffle;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    int block = shuffle->block;
    span s = tensor_span(r, out);
    for (int i = 0; i < block; i++)
        for (int c = 0; c < out->channels; c++) {
            float *row = blank_row(r, out, y * block + i, c);
            const float *rows[SH_GRAPH_SCALE];
            for (int j = 0; j < block; j++) {
                int from =
                    shuffle->column_first ? (c * block + i) * block + j : (i * block + j) * out->channels + c;
                rows[j] = take_row(r, in, y, from, j) + s.from / block;
            }
            r->dsp->shuffle(row + s.from, rows, block, (s.to - s.from) / block);
            give_row(r, out, y * block + i, c, row);
        }
}

/* The border's sample beyond both borders: row[0] is column `from`; columns [first, end) are there. */
static void repeat_borders(float *row, int from, int to, int first, int end)
{
    for (int x = from; x < first; x++)
        row[x - from] = row[first - from];
    for (int x = end; x < to; x++)
        row[x - from] = row[end - 1 - from];
}

/* y: a row of the input; makes `factor` rows of one channel of the output. */
static void resize_channel(const run *r, const sh_plan_step *step, int y, int channel)
{
    const sh_graph_resize *resize = &step->node->resize;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    int factor = resize->factor, first = -in->margin;
    int end = r->width * in->scale + in->margin, end_row = r->height * in->scale + in->margin;
    span s = tensor_span(r, out);
    int from = s.from / factor + resize->first, to = s.to / factor + resize->first + resize->count - 1;
    int inside_from = from < first ? first : from, inside_to = to > end ? end : to;
    float *rows = r->scratch + r->plan->phase_offset, *phases[SH_GRAPH_SCALE];
    const float *ins[SH_RESIZE_TAPS];
    for (int k = 0; k < resize->count; k++) {
        int at = y + resize->first + k;
        at = at < first ? first : at >= end_row ? end_row - 1 : at;
        ins[k] = take_row(r, in, at, channel, k) + inside_from;
    }
    for (int i = 0; i < factor; i++)
        phases[i] = rows + (size_t)i * r->plan->phase_stride + (inside_from - from);
    r->dsp->conv(phases, ins, &step->vertical, inside_to - inside_from);
    for (int i = 0; i < factor; i++) {
        const float *whole = phases[i] - (inside_from - from);
        float *row = blank_row(r, out, y * factor + i, channel), *across[SH_GRAPH_SCALE];
        for (int j = 0; j < factor; j++)
            across[j] = rows + (size_t)(SH_GRAPH_SCALE + j) * r->plan->phase_stride;
        repeat_borders(phases[i] - (inside_from - from), from, to, first, end);
        r->dsp->conv(across, &whole, &step->conv, (s.to - s.from) / factor);
        r->dsp->shuffle(row + s.from, (const float *const *)across, factor, (s.to - s.from) / factor);
        give_row(r, out, y * factor + i, channel, row);
    }
}

static void resize_row(const run *r, const sh_plan_step *step, int y)
{
    for (int c = 0; c < r->plan->tensors[step->output].channels; c++)
        resize_channel(r, step, y, c);
}

/* The row or column of [first, end) that a Pad puts at place `at`. */
static int padded(sh_pad_mode mode, int at, int first, int end)
{
    int twice = mode == SH_PAD_SYMMETRIC, period = 2 * (end - first - 1 + twice);
    if (mode == SH_PAD_EDGE || period == 0)
        return at < first ? first : at >= end ? end - 1 : at;
    at = (at - first) % period;
    at += at < 0 ? period : 0;
    return first + (at < end - first ? at : period - twice - at);
}

/* Columns [from, to) of a row that begins at column `base`. */
static void pad_columns(float *row, int from, int to, const float *in, int first, int end, sh_pad_mode mode,
                        float value)
{
    for (int x = from; x < to; x++)
        row[x] = mode == SH_PAD_CONSTANT ? value : in[padded(mode, x, first, end)];
}

static void pad_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_graph_pad *pad = &step->node->pad;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    int first = -in->margin, end = r->width * in->scale + in->margin, inside = has_row(r, in, y);
    int from_row = inside ? y : padded(pad->mode, y, first, r->height * in->scale + in->margin);
    int filled = !inside && pad->mode == SH_PAD_CONSTANT;
    span s = tensor_span(r, out), copied = {s.from > first ? s.from : first, s.to < end ? s.to : end};
    for (int c = 0; c < out->channels; c++) {
        float *row = blank_row(r, out, y, c);
        const float *from = filled ? NULL : take_row(r, in, from_row, c, 0);
        if (filled) {
            pad_columns(row, s.from, s.to, NULL, first, end, pad->mode, pad->value);
        } else {
            pad_columns(row, s.from, copied.from, from, first, end, pad->mode, pad->value);
            memcpy(row + copied.from, from + copied.from, (size_t)(copied.to - copied.from) * sizeof(float));
            pad_columns(row, copied.to, s.to, from, first, end, pad->mode, pad->value);
        }
        give_row(r, out, y, c, row);
    }
}

static void slice_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    for (int c = 0; c < out->channels; c++)
        copy_row(r, out, c, in, step->node->slice.first + c, y);
}

static void quant_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    const sh_graph_quant *q = &step->node->quant;
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = blank_row(r, out, y, c);
        r->dsp->quant(row + s.from, take_row(r, in, y, c, 0) + s.from, s.to - s.from, q->scale,
                      q->low - q->zero, q->high - q->zero);
        give_row(r, out, y, c, row);
    }
}

typedef void (*row_fn)(const run *r, const sh_plan_step *step, int y);

static const row_fn row_functions[] = {
    [SH_OP_CONV] = conv_row,     [SH_OP_ACT] = act_row,         [SH_OP_ADD] = pair_row,
    [SH_OP_CONCAT] = concat_row, [SH_OP_SHUFFLE] = shuffle_row, [SH_OP_RESIZE] = resize_row,
    [SH_OP_SUB] = pair_row,      [SH_OP_MUL] = pair_row,        [SH_OP_PAD] = pad_row,
    [SH_OP_SLICE] = slice_row,   [SH_OP_QUANT] = quant_row,
};

/* Whether the tile wants that grid row of the tensor. */
static int wants(const run *r, const sh_plan_tensor *t, int row)
{
    return row >= -t->beyond && row < r->height + t->beyond && row >= r->tile.y0 - t->up &&
           row < r->tile.y1 + t->down;
}

/* Row functions go by rows of their input; a margin may end inside of a grid row. */
static void step_rows(const run *r, const sh_plan_step *step, int grid_row)
{
    const sh_plan_tensor *out = &r->plan->tensors[step->output];
    int scale = r->plan->tensors[step->node->inputs[0]].scale, larger = out->scale / scale;
    for (int y = grid_row * scale; y < (grid_row + 1) * scale; y++)
        if (has_row(r, out, y * larger))
            row_functions[step->node->op](r, step, y);
}

void sh_exec_tile_run(const sh_exec_picture *picture, sh_exec_tile tile, float *scratch, void **pointers)
{
    const sh_plan *plan = picture->plan;
    const sh_plan_tensor *input = &plan->tensors[plan->graph->input];
    run r = {picture,
             plan,
             picture->dsp,
             tile,
             .width = picture->in[0].width,
             .height = picture->in[0].height,
             .scratch = scratch,
             .pointers = (float **)pointers,
             .others = pointers + plan->pointers};
    for (int k = tile.y0 - plan->turns; k < tile.y1; k++) {
        if (wants(&r, input, k + input->lead))
            load_row(&r, k + input->lead);
        for (int s = 0; s < plan->step_count; s++) {
            const sh_plan_tensor *out = &plan->tensors[plan->steps[s].output];
            if (wants(&r, out, k + out->lead))
                step_rows(&r, &plan->steps[s], k + out->lead);
        }
        if (k >= tile.y0)
            store_row(&r, k);
    }
}
