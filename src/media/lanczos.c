/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each output row is first made at source width (the columns pass, which keeps 4 fraction bits), then
 * widened. Coefficients have 14 bits and their absolute values add up to less than 1.4, so 32 bits hold every
 * sum but that of the widening of depths above 10, which takes 64. */
#include "media/lanczos.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAPS 6
#define BEFORE 2 /* taps at or before the position, less one */
#define BITS 14
#define EXTRA 4
#define PAD 4

typedef struct axis {
    int step;    /* outputs for each input: 1 or 2 */
    int base[2]; /* input index of the position's floor, less the input's own index */
    int32_t tap[2][TAPS];
} axis;

static double kernel(double x)
{
    const double p = 3.14159265358979323846 * x;
    if (fabs(x) < 1e-9)
        return 1;
    return fabs(x) >= 3 ? 0 : 3 * sin(p) * sin(p / 3) / (p * p);
}

static void make_phase(axis *a, int phase, double offset)
{
    double weight[TAPS], sum = 0;
    int32_t total = 0;
    a->base[phase] = (int)floor(offset);
    double fraction = offset - floor(offset);
    for (int i = 0; i < TAPS; i++)
        sum += weight[i] = kernel(fraction - (i - BEFORE));
    for (int i = 0; i < TAPS; i++)
        total += a->tap[phase][i] = (int32_t)lrint(weight[i] / sum * (1 << BITS));
    a->tap[phase][fraction < 0.5 ? BEFORE : BEFORE + 1] += (1 << BITS) - total;
}

static axis make_axis(int kind)
{
    axis a = {.step = kind == SH_LANCZOS_KEEP ? 1 : 2};
    double first = kind == SH_LANCZOS_COSITED ? -0.125 : -0.25;
    if (a.step == 2) {
        make_phase(&a, 0, first);
        make_phase(&a, 1, first + 0.5);
    }
    return a;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* One source row as integers with EXTRA fraction bits. */
static void load_row(int32_t *row, const sh_samples *in, int y, int depth)
{
    const uint8_t *line = in->data + (ptrdiff_t)clamp(y, 0, in->height - 1) * in->stride;
    if (depth == 8) {
        for (int x = 0; x < in->width; x++)
            row[x] = line[x] << EXTRA;
    } else {
        const uint16_t *wide = (const uint16_t *)(const void *)line;
        for (int x = 0; x < in->width; x++)
            row[x] = wide[x] << EXTRA;
    }
}

static void add_row(int32_t *restrict sum, const sh_samples *in, int y, int depth, int32_t tap)
{
    const uint8_t *line = in->data + (ptrdiff_t)clamp(y, 0, in->height - 1) * in->stride;
    if (depth == 8) {
        for (int x = 0; x < in->width; x++)
            sum[x] += line[x] * tap;
    } else {
        const uint16_t *wide = (const uint16_t *)(const void *)line;
        for (int x = 0; x < in->width; x++)
            sum[x] += wide[x] * tap;
    }
}

static void columns(int32_t *row, const sh_samples *in, int y, int depth, const axis *vertical)
{
    if (vertical->step == 1) {
        load_row(row, in, y, depth);
        return;
    }
    const int phase = y & 1, base = (y >> 1) + vertical->base[phase] - BEFORE;
    memset(row, 0, (size_t)in->width * sizeof(*row));
    for (int i = 0; i < TAPS; i++)
        add_row(row, in, base + i, depth, vertical->tap[phase][i]);
    for (int x = 0; x < in->width; x++)
        row[x] = (row[x] + (1 << (BITS - EXTRA - 1))) >> (BITS - EXTRA);
}

static int32_t weigh(const int32_t *at, const int32_t *tap, int depth, int32_t maximum)
{
    if (depth > 10) {
        int64_t sum = INT64_C(1) << (BITS + EXTRA - 1);
        for (int i = 0; i < TAPS; i++)
            sum += (int64_t)at[i] * tap[i];
        sum >>= BITS + EXTRA;
        return sum < 0 ? 0 : sum > maximum ? maximum : (int32_t)sum;
    }
    int32_t sum = 1 << (BITS + EXTRA - 1);
    for (int i = 0; i < TAPS; i++)
        sum += at[i] * tap[i];
    return clamp(sum >> (BITS + EXTRA), 0, maximum);
}

/* row: `width` samples with PAD copies of the border on both sides. */
static void widen(int32_t *out, const int32_t *row, int width, int depth, const axis *horizontal)
{
    const int32_t maximum = (1 << depth) - 1;
    if (horizontal->step == 1) {
        for (int x = 0; x < width; x++)
            out[x] = clamp((row[x] + (1 << (EXTRA - 1))) >> EXTRA, 0, maximum);
        return;
    }
    for (int phase = 0; phase < 2; phase++) {
        const int32_t *at = row + horizontal->base[phase] - BEFORE;
        const int32_t *tap = horizontal->tap[phase];
        for (int x = 0; x < width; x++)
            out[2 * x + phase] = weigh(at + x, tap, depth, maximum);
    }
}

static void store(const sh_samples *out, int y, const int32_t *row, int depth)
{
    uint8_t *line = out->data + (ptrdiff_t)y * out->stride;
    if (depth == 8) {
        for (int x = 0; x < out->width; x++)
            line[x] = (uint8_t)row[x];
    } else {
        uint16_t *wide = (uint16_t *)(void *)line;
        for (int x = 0; x < out->width; x++)
            wide[x] = (uint16_t)row[x];
    }
}

bool sh_lanczos(const sh_samples *out, const sh_samples *in, int depth, int horizontal, int vertical)
{
    const axis h = make_axis(horizontal), v = make_axis(vertical);
    const size_t width = (size_t)in->width;
    int32_t *memory = malloc((3 * width + 2 * PAD) * sizeof(*memory));
    if (!memory)
        return false;
    int32_t *row = memory + PAD, *wide = memory + width + 2 * PAD;
    for (int y = 0; y < out->height; y++) {
        columns(row, in, y, depth, &v);
        for (int i = 1; i <= PAD; i++) {
            row[-i] = row[0];
            row[in->width - 1 + i] = row[in->width - 1];
        }
        widen(wide, row, in->width, depth, &h);
        store(out, y, wide, depth);
    }
    free(memory);
    return true;
}
