/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function a kind of step; each makes one grid row of its output. See plan.h for the order they run in.
 *
 * A row of a tensor is stored from column (x0 - left) * scale on, for the whole width that is wanted of the
 * tile, also where that leaves the tensor: there it holds zeros, which is what the next convolution must see.
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
    float **pointers;
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

/* Where column 0 of row y, which must be in the ring, of a channel is (or would be). */
static float *row_at(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    unsigned up = (unsigned)(y + t->beyond * t->scale), scale = (unsigned)t->scale;
    size_t slot = (size_t)(up / scale % (unsigned)t->rows) * scale + up % scale;
    float *row = r->scratch + t->offset + (slot * (size_t)t->channels + (size_t)channel) * t->stride;
    return row - (ptrdiff_t)(r->tile.x0 - t->left) * t->scale;
}

/* Zeros where the stored row leaves the tensor. */
static void clear_beyond(const run *r, const sh_plan_tensor *t, float *row)
{
    int from = (r->tile.x0 - t->left) * t->scale, to = (r->tile.x1 + t->right) * t->scale;
    int first = -t->margin, end = r->width * t->scale + t->margin;
    if (from < first)
        memset(row + from, 0, (size_t)(first - from) * sizeof(float));
    if (to > end)
        memset(row + end, 0, (size_t)(to - end) * sizeof(float));
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
        clear_beyond(r, t, row);
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

/* One group of channels: its inputs and outputs come one after another. */
static void conv_group(const run *r, const sh_plan_step *step, int y, int group)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    sh_conv conv = step->conv;
    span s = tensor_span(r, out);
    float **rows = r->pointers, **outs = rows + conv.inputs * conv.kernel_h;
    float *zeros = r->scratch + r->plan->zero_offset;
    for (int ky = 0; ky < conv.kernel_h; ky++) {
        int from = y - step->node->conv.pad_top + ky, inside = has_row(r, in, from);
        for (int c = 0; c < conv.inputs; c++)
            *rows++ = inside
                          ? row_at(r, in, from, group * conv.inputs + c) + s.from - step->node->conv.pad_left
                          : zeros;
    }
    for (int c = 0; c < conv.outputs; c++)
        outs[c] = row_at(r, out, y, group * conv.outputs + c) + s.from;
    conv.weights += (size_t)group * step->group_weights;
    conv.bias += (size_t)group * step->group_lanes;
    conv.slope += (size_t)group * step->group_lanes;
    r->dsp->conv(outs, (const float *const *)r->pointers, &conv, s.to - s.from);
    for (int c = 0; c < conv.outputs; c++)
        clear_beyond(r, out, outs[c] - s.from);
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
        float *row = row_at(r, out, y, c);
        float a = act->slope ? act->slope[c] : act->low;
        sh_act_fn fn = act->kind > SH_ACT_BIAS ? r->dsp->curve : r->dsp->act;
        fn(row + s.from, row_at(r, in, y, c) + s.from, s.to - s.from, (int)act->kind, a, act->high);
        clear_beyond(r, out, row);
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
        float *row = row_at(r, out, y, c);
        fn(row + s.from, row_at(r, a, y, c % a->channels) + s.from, row_at(r, b, y, c % b->channels) + s.from,
           s.to - s.from);
        clear_beyond(r, out, row);
    }
}

static void concat_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    int channel = 0;
    for (int i = 0; i < step->node->input_count; i++) {
        const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[i]];
        for (int c = 0; c < in->channels; c++) {
            float *row = row_at(r, out, y, channel++);
            memcpy(row + s.from, row_at(r, in, y, c) + s.from, (size_t)(s.to - s.from) * sizeof(float));
            clear_beyond(r, out, row);
        }
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
            float *row = row_at(r, out, y * block + i, c);
            for (int j = 0; j < block; j++) {
                int from =
                    shuffle->column_first ? (c * block + i) * block + j : (i * block + j) * out->channels + c;
                r->pointers[j] = row_at(r, in, y, from) + s.from / block;
            }
            r->dsp->shuffle(row + s.from, (const float *const *)r->pointers, block, (s.to - s.from) / block);
            clear_beyond(r, out, row);
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
    for (int k = 0; k < resize->count; k++) {
        int at = y + resize->first + k;
        at = at < first ? first : at >= end_row ? end_row - 1 : at;
        r->pointers[k] = row_at(r, in, at, channel) + inside_from;
    }
    for (int i = 0; i < factor; i++)
        phases[i] = rows + (size_t)i * r->plan->phase_stride + (inside_from - from);
    r->dsp->conv(phases, (const float *const *)r->pointers, &step->vertical, inside_to - inside_from);
    for (int i = 0; i < factor; i++) {
        const float *whole = phases[i] - (inside_from - from);
        float *row = row_at(r, out, y * factor + i, channel), *across[SH_GRAPH_SCALE];
        for (int j = 0; j < factor; j++)
            across[j] = rows + (size_t)(SH_GRAPH_SCALE + j) * r->plan->phase_stride;
        repeat_borders(phases[i] - (inside_from - from), from, to, first, end);
        r->dsp->conv(across, &whole, &step->conv, (s.to - s.from) / factor);
        r->dsp->shuffle(row + s.from, (const float *const *)across, factor, (s.to - s.from) / factor);
        clear_beyond(r, out, row);
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
        float *row = row_at(r, out, y, c);
        const float *from = filled ? NULL : row_at(r, in, from_row, c);
        if (filled) {
            pad_columns(row, s.from, s.to, NULL, first, end, pad->mode, pad->value);
        } else {
            pad_columns(row, s.from, copied.from, from, first, end, pad->mode, pad->value);
            memcpy(row + copied.from, from + copied.from, (size_t)(copied.to - copied.from) * sizeof(float));
            pad_columns(row, copied.to, s.to, from, first, end, pad->mode, pad->value);
        }
        clear_beyond(r, out, row);
    }
}

static void slice_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = row_at(r, out, y, c);
        const float *from = row_at(r, in, y, step->node->slice.first + c);
        memcpy(row + s.from, from + s.from, (size_t)(s.to - s.from) * sizeof(float));
        clear_beyond(r, out, row);
    }
}

static void quant_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    const sh_graph_quant *q = &step->node->quant;
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = row_at(r, out, y, c);
        r->dsp->quant(row + s.from, row_at(r, in, y, c) + s.from, s.to - s.from, q->scale, q->low - q->zero,
                      q->high - q->zero);
        clear_beyond(r, out, row);
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

void sh_exec_tile_run(const sh_exec_picture *picture, sh_exec_tile tile, float *scratch, float **pointers)
{
    const sh_plan *plan = picture->plan;
    const sh_plan_tensor *input = &plan->tensors[plan->graph->input];
    run r = {picture, plan,    picture->dsp, tile, picture->in[0].width, picture->in[0].height,
             scratch, pointers};
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
