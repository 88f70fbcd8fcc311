/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function a kind of step; each makes one grid row of its output. See plan.h for the order they run in.
 *
 * A row of a tensor is stored from column (x0 - left) * scale on, for the whole width of the tile with its
 * margins, also where that leaves the picture: there it holds zeros, which is what the next convolution must
 * see. */
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
    int from = r->tile.x0 - t->left, to = r->tile.x1 + t->right;
    from = from < 0 ? 0 : from;
    to = to > r->width ? r->width : to;
    return (span){from * t->scale, to * t->scale};
}

/* Where column 0 of row y, which must be in the ring, of a channel is (or would be). */
static float *row_at(const run *r, const sh_plan_tensor *t, int y, int channel)
{
    size_t slot = (size_t)(y / t->scale % t->rows) * (size_t)t->scale + (size_t)(y % t->scale);
    float *row = r->scratch + t->offset + (slot * (size_t)t->channels + (size_t)channel) * t->stride;
    return row - (ptrdiff_t)(r->tile.x0 - t->left) * t->scale;
}

/* Zeros where the stored row leaves the picture. */
static void clear_margins(const run *r, const sh_plan_tensor *t, float *row)
{
    int first = (r->tile.x0 - t->left) * t->scale, end = (r->tile.x1 + t->right) * t->scale;
    int width = r->width * t->scale;
    if (first < 0)
        memset(row + first, 0, (size_t)-first * sizeof(float));
    if (end > width)
        memset(row + width, 0, (size_t)(end - width) * sizeof(float));
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
        clear_margins(r, t, row);
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

static void conv_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_graph_conv *conv = &step->node->conv;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    float **rows = r->pointers, **outs = rows + conv->inputs * conv->kernel_h;
    float *zeros = r->scratch + r->plan->zero_offset;
    int height = r->height * in->scale;
    for (int ky = 0; ky < conv->kernel_h; ky++) {
        int from = y - conv->pad_top + ky;
        for (int c = 0; c < conv->inputs; c++)
            *rows++ = from < 0 || from >= height ? zeros : row_at(r, in, from, c) + s.from - conv->pad_left;
    }
    for (int c = 0; c < conv->outputs; c++)
        outs[c] = row_at(r, out, y, c) + s.from;
    r->dsp->conv(outs, (const float *const *)r->pointers, &step->conv, s.to - s.from);
    for (int c = 0; c < conv->outputs; c++)
        clear_margins(r, out, outs[c] - s.from);
}

static void act_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_graph_act *act = &step->node->act;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = row_at(r, out, y, c);
        float a = act->kind == SH_ACT_CLIP ? act->low : act->slope ? act->slope[c] : 0;
        r->dsp->act(row + s.from, row_at(r, in, y, c) + s.from, s.to - s.from, (int)act->kind, a, act->high);
        clear_margins(r, out, row);
    }
}

static void add_row(const run *r, const sh_plan_step *step, int y)
{
    const sh_plan_tensor *a = &r->plan->tensors[step->node->inputs[0]];
    const sh_plan_tensor *b = &r->plan->tensors[step->node->inputs[1]];
    const sh_plan_tensor *out = &r->plan->tensors[step->output];
    span s = tensor_span(r, out);
    for (int c = 0; c < out->channels; c++) {
        float *row = row_at(r, out, y, c);
        r->dsp->add(row + s.from, row_at(r, a, y, c % a->channels) + s.from,
                    row_at(r, b, y, c % b->channels) + s.from, s.to - s.from);
        clear_margins(r, out, row);
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
            clear_margins(r, out, row);
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
            clear_margins(r, out, row);
        }
}

/* The border's sample beyond both borders of the picture: row[0] is column `from` of `width` columns. */
static void repeat_borders(float *row, int from, int to, int width)
{
    for (int x = from; x < 0; x++)
        row[x - from] = row[-from];
    for (int x = width; x < to; x++)
        row[x - from] = row[width - 1 - from];
}

/* y: a row of the input; makes `factor` rows of one channel of the output. */
static void resize_channel(const run *r, const sh_plan_step *step, int y, int channel)
{
    const sh_graph_resize *resize = &step->node->resize;
    const sh_plan_tensor *in = &r->plan->tensors[step->node->inputs[0]],
                         *out = &r->plan->tensors[step->output];
    int factor = resize->factor, width = r->width * in->scale, height = r->height * in->scale;
    span s = tensor_span(r, out);
    int from = s.from / factor + resize->first, to = s.to / factor + resize->first + resize->count - 1;
    int inside_from = from < 0 ? 0 : from, inside_to = to > width ? width : to;
    float *rows = r->scratch + r->plan->phase_offset, *phases[SH_GRAPH_SCALE];
    for (int k = 0; k < resize->count; k++) {
        int at = y + resize->first + k;
        at = at < 0 ? 0 : at >= height ? height - 1 : at;
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
        repeat_borders(phases[i] - (inside_from - from), from, to, width);
        r->dsp->conv(across, &whole, &step->conv, (s.to - s.from) / factor);
        r->dsp->shuffle(row + s.from, (const float *const *)across, factor, (s.to - s.from) / factor);
        clear_margins(r, out, row);
    }
}

static void resize_row(const run *r, const sh_plan_step *step, int y)
{
    for (int c = 0; c < r->plan->tensors[step->output].channels; c++)
        resize_channel(r, step, y, c);
}

typedef void (*row_fn)(const run *r, const sh_plan_step *step, int y);

static const row_fn row_functions[] = {
    [SH_OP_CONV] = conv_row,     [SH_OP_ACT] = act_row,         [SH_OP_ADD] = add_row,
    [SH_OP_CONCAT] = concat_row, [SH_OP_SHUFFLE] = shuffle_row, [SH_OP_RESIZE] = resize_row,
};

/* Whether the tile wants that grid row of the tensor. */
static int wants(const run *r, const sh_plan_tensor *t, int row)
{
    return row >= 0 && row < r->height && row >= r->tile.y0 - t->up && row < r->tile.y1 + t->down;
}

static void step_rows(const run *r, const sh_plan_step *step, int grid_row)
{
    int scale = r->plan->tensors[step->node->inputs[0]].scale;
    for (int y = grid_row * scale; y < (grid_row + 1) * scale; y++)
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
