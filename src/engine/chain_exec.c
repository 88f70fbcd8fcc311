/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turn t makes output row t: sample row t + reach is loaded, layer k makes its row t + reach - 1 - k from
 * three rows of what is before it, the base its row t + 2. A row is stored from the first column that is
 * wanted of it: layer k from x0 - (reach - 1 - k), so that column 0 of a layer is what its tap 0 reads of
 * column 0 of the one before. */
#include "engine/chain.h"
#include <string.h>

enum { RING = 3, BASE_RING = 5, BASE_REACH = 2, LINE = 64, WIDEST = 2048, NARROWEST = 96 };

/* A thread's scratch: rows of samples, of the base, of sums and of each layer. */
typedef struct layout {
    size_t sample_row, base_row, sum_row, group_row; /* bytes, whole lines */
    size_t samples, base, sums, layers;              /* offsets */
    size_t layer, total;
} layout;

typedef struct run {
    const sh_chain_picture *picture;
    const sh_chain *chain;
    layout at;
    uint8_t *scratch;
    int x0, x1, y0, y1, width, height, depth;
} run;

static size_t whole_steps(int pixels)
{
    return ((size_t)pixels + SH_Q8_STEP - 1) / SH_Q8_STEP * SH_Q8_STEP;
}

/* An odd number of lines: rows that are read together do not fall into the same sets of a cache. */
static size_t whole_lines(size_t bytes)
{
    return ((bytes + LINE - 1) / LINE | 1) * LINE;
}

static layout lay_out(const sh_chain *chain, int columns)
{
    layout l;
    size_t groups = (size_t)chain->channels / SH_Q8_GROUP, scale = (size_t)chain->scale;
    l.sample_row = whole_lines((whole_steps(columns + 2 * chain->reach) + 2 * SH_Q8_STEP) * sizeof(int16_t));
    l.base_row = whole_lines(whole_steps(columns) * sizeof(float));
    l.sum_row = l.base_row;
    l.group_row = whole_lines((whole_steps(columns + 2 * chain->reach) + SH_Q8_STEP) * SH_Q8_GROUP);
    l.layer = RING * groups * l.group_row;
    l.samples = 0;
    l.base = l.samples + ((size_t)chain->reach + 1) * l.sample_row;
    l.sums = l.base + BASE_RING * scale * l.base_row;
    l.layers = l.sums + (scale * scale + SH_Q8_GROUP - 1) / SH_Q8_GROUP * SH_Q8_GROUP * l.sum_row;
    l.total = l.layers + ((size_t)chain->reach - 1) * l.layer;
    return l;
}

size_t sh_chain_scratch(const sh_chain *chain, int columns)
{
    return lay_out(chain, columns).total;
}

int sh_chain_columns(const sh_chain *chain, size_t bytes)
{
    int columns = WIDEST;
    while (columns > NARROWEST && sh_chain_scratch(chain, columns) > bytes)
        columns -= SH_Q8_STEP;
    return columns;
}

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* The row or column of `size` that stands at place `at`. */
static int continued(const run *r, int at, int size)
{
    if (!r->chain->mirrors)
        return clamp(at, 0, size - 1);
    at %= 2 * size;
    at += at < 0 ? 2 * size : 0;
    return at < size ? at : 2 * size - 1 - at;
}

/* Row y of the samples, from `reach` above the picture on. */
static int16_t *sample_row(const run *r, int y)
{
    size_t slot = (size_t)(y + r->chain->reach) % ((size_t)r->chain->reach + 1);
    return (int16_t *)(r->scratch + r->at.samples + slot * r->at.sample_row);
}

static float *base_row(const run *r, int y, int phase)
{
    y = clamp(y, 0, r->height - 1);
    size_t slot = (size_t)(y % BASE_RING) * (size_t)r->chain->scale + (size_t)phase;
    return (float *)(r->scratch + r->at.base + slot * r->at.base_row);
}

static int32_t *sum_row(const run *r, int output)
{
    return (int32_t *)(r->scratch + r->at.sums + (size_t)output * r->at.sum_row);
}

static uint8_t *group_row(const run *r, int layer, int y, int group)
{
    size_t groups = (size_t)r->chain->channels / SH_Q8_GROUP;
    size_t slot = (size_t)(y + r->chain->reach) % RING * groups + (size_t)group;
    return r->scratch + r->at.layers + (size_t)layer * r->at.layer + slot * r->at.group_row;
}

static void load_row(const run *r, int y)
{
    const spyhop_plane *in = r->picture->in;
    const char *from = (const char *)in->data + in->stride * continued(r, y, r->height);
    int left = r->x0 - r->chain->reach, right = r->x1 + r->chain->reach;
    int x0 = clamp(left, 0, r->width), x1 = clamp(right, 0, r->width);
    int16_t *row = sample_row(r, y) - left;
    if (r->depth == 8)
        r->picture->dsp->q8_load8(row + x0, from + x0, x1 - x0);
    else
        r->picture->dsp->q8_load16(row + x0, from + 2 * (ptrdiff_t)x0, x1 - x0);
    for (int x = left; x < x0; x++)
        row[x] = row[continued(r, x, r->width)];
    for (int x = x1; x < right; x++)
        row[x] = row[continued(r, x, r->width)];
}

/* The mirror image begins with the border sample: only the second column beyond the border has to be that
 * too. */
static void base_rows(const run *r, int y)
{
    float *out[SH_Q8_SCALE];
    int16_t *row = sample_row(r, y) + r->chain->reach, *end = row + r->x1 - r->x0;
    int16_t before = row[-BASE_REACH], behind = end[1];
    for (int j = 0; j < r->chain->scale; j++)
        out[j] = base_row(r, y, j);
    if (r->x0 == 0)
        row[-BASE_REACH] = row[0];
    if (r->x1 == r->width)
        end[1] = end[-1];
    r->picture->dsp->q8_base(out, row - BASE_REACH, &r->chain->base, r->x1 - r->x0);
    row[-BASE_REACH] = before;
    end[1] = behind;
}

static void first_rows(const run *r, int y)
{
    const int16_t *in[SH_Q8_TAPS];
    uint8_t *out[SH_CHAIN_CHANNELS / SH_Q8_GROUP];
    for (int i = 0; i < SH_Q8_TAPS; i++)
        in[i] = sample_row(r, y - 1 + i);
    for (int g = 0; g < r->chain->channels / SH_Q8_GROUP; g++)
        out[g] = group_row(r, 0, y, g);
    r->picture->dsp->q8_first(out, in, &r->chain->first[r->depth - 8],
                              r->x1 - r->x0 + 2 * (r->chain->reach - 1));
}

/* The three rows of all groups that row y of the layer after `layer` reads. */
static void rows_around(const run *r, int layer, int y, const uint8_t **in)
{
    for (int i = 0; i < SH_Q8_TAPS; i++)
        for (int g = 0; g < r->chain->channels / SH_Q8_GROUP; g++)
            *in++ = group_row(r, layer, y - 1 + i, g);
}

static void inner_rows(const run *r, int layer, int y)
{
    const uint8_t *in[SH_Q8_TAPS * SH_CHAIN_CHANNELS / SH_Q8_GROUP];
    uint8_t *out[SH_CHAIN_CHANNELS / SH_Q8_GROUP];
    rows_around(r, layer - 1, y, in);
    for (int g = 0; g < r->chain->channels / SH_Q8_GROUP; g++)
        out[g] = group_row(r, layer, y, g);
    r->picture->dsp->q8_conv(out, in, &r->chain->inner[layer - 1],
                             r->x1 - r->x0 + 2 * (r->chain->reach - 1 - layer));
}

/* Output row y * scale + phase from the sums and the base. */
static void finish_row(const run *r, int y, int phase)
{
    const sh_chain *chain = r->chain;
    const spyhop_plane *out = r->picture->out;
    const int scale = chain->scale;
    const float *base[4 * SH_Q8_SCALE];
    const int32_t *sums[SH_Q8_SCALE];
    char *to = (char *)out->data + out->stride * (y * scale + phase);
    sh_q8_finish finish = {.factor = scale, .peak = (float)((1 << r->depth) - 1)};
    finish.offset = r->depth > 8 ? 32768 : 0;
    for (int k = 0; k < 4; k++) {
        finish.taps[k] = chain->vertical[phase][k];
        for (int j = 0; j < scale; j++)
            base[k * scale + j] = base_row(r, y - BASE_REACH + chain->vertical_start[phase] + k, j);
    }
    for (int j = 0; j < scale; j++) {
        sums[j] = sum_row(r, phase * scale + j);
        finish.scale[j] = chain->residual[phase * scale + j] * finish.peak;
    }
    if (r->depth == 8)
        r->picture->dsp->q8_finish8(to + r->x0 * scale, base, sums, &finish, r->x1 - r->x0);
    else
        r->picture->dsp->q8_finish16(to + 2 * (ptrdiff_t)r->x0 * scale, base, sums, &finish, r->x1 - r->x0);
}

static void last_rows(const run *r, int y)
{
    const sh_q8_conv *last = &r->chain->last[r->depth - 8];
    const uint8_t *in[SH_Q8_TAPS * SH_CHAIN_CHANNELS / SH_Q8_GROUP];
    int32_t *sums[SH_CHAIN_OUTPUTS];
    rows_around(r, r->chain->reach - 2, y, in);
    for (int o = 0; o < last->outputs; o++)
        sums[o] = sum_row(r, o);
    r->picture->dsp->q8_sums(sums, in, last, r->x1 - r->x0);
    for (int phase = 0; phase < r->chain->scale; phase++)
        finish_row(r, y, phase);
}

/* Whether row y is among those of the tile and so many around it. */
static int wants(const run *r, int y, int margin)
{
    return y >= r->y0 - margin && y < r->y1 + margin;
}

void sh_chain_tile_run(const sh_chain_picture *picture, int x0, int x1, int y0, int y1, void *scratch)
{
    const sh_chain *chain = picture->chain;
    const spyhop_plane *in = picture->in;
    run r = {picture,    chain,    lay_out(chain, picture->columns), scratch, x0, x1, y0, y1, in->width,
             in->height, in->depth};
    for (int t = y0 - 2 * chain->reach; t < y1; t++) {
        int y = t + chain->reach;
        if (wants(&r, y, chain->reach))
            load_row(&r, y);
        y = t + BASE_REACH;
        if (wants(&r, y, BASE_REACH) && y >= 0 && y < r.height)
            base_rows(&r, y);
        for (int k = 0; k < chain->reach - 1; k++) {
            int margin = chain->reach - 1 - k;
            if (!wants(&r, t + margin, margin))
                continue;
            if (k == 0)
                first_rows(&r, t + margin);
            else
                inner_rows(&r, k, t + margin);
        }
        if (t >= y0)
            last_rows(&r, t);
    }
}
