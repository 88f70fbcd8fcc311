/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "netmodel.h"
#include "whole.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

spyhop_format whole_format(int layout, int depth, int width, int height)
{
    return (spyhop_format){.layout = layout, .depth = depth, .width = width, .height = height};
}

static int every(const spyhop_format *f, int down)
{
    static const int across_down[][2] = {{1, 1}, {2, 2}, {2, 1}, {1, 1}, {1, 2}, {4, 1}, {4, 4}, {1, 1}};
    return across_down[f->layout][down];
}

void whole_size(const spyhop_format *f, int channel, int *width, int *height)
{
    const int chroma = channel == 1 || channel == 2;
    *width = *height = 0;
    if ((chroma && f->layout == SPYHOP_GREY) || (channel == 3 && !f->alpha))
        return;
    *width = chroma ? (f->width + every(f, 0) - 1) / every(f, 0) : f->width;
    *height = chroma ? (f->height + every(f, 1) - 1) / every(f, 1) : f->height;
}

whole whole_new(const spyhop_format *format, int extra, int flip)
{
    whole w = {.format = *format};
    for (int i = 0; i < 4; i++) {
        size_t bytes;
        int rows;
        assert_int_equal(spyhop_format_plane(format, i, &bytes, &rows), SPYHOP_OK);
        if (rows == 0)
            continue;
        const ptrdiff_t stride = (ptrdiff_t)bytes + extra;
        w.size[i] = (size_t)stride * (size_t)rows;
        w.memory[i] = malloc(w.size[i]);
        assert_non_null(w.memory[i]);
        memset(w.memory[i], 0xa5, w.size[i]);
        w.picture.data[i] = flip ? w.memory[i] + stride * (rows - 1) : w.memory[i];
        w.picture.stride[i] = flip ? -stride : stride;
    }
    return w;
}

void whole_free(whole *w)
{
    for (int i = 0; i < 4; i++)
        free(w->memory[i]);
    memset(w, 0, sizeof(*w));
}

static uint8_t *place(const whole *w, int channel, int x, int y)
{
    const int semi = w->format.semi && (channel == 1 || channel == 2), plane = semi ? 1 : channel;
    const int at = semi ? 2 * x + channel - 1 : x;
    return (uint8_t *)w->picture.data[plane] + w->picture.stride[plane] * y +
           at * (w->format.depth > 8 ? 2 : 1);
}

static int shift_of(const spyhop_format *f)
{
    return f->msb && f->depth > 8 ? 16 - f->depth : 0;
}

int whole_get(const whole *w, int channel, int x, int y)
{
    uint16_t value;
    const uint8_t *at = place(w, channel, x, y);
    if (w->format.depth == 8)
        return *at;
    memcpy(&value, at, 2);
    assert_int_equal(value & ((1 << shift_of(&w->format)) - 1), 0);
    return value >> shift_of(&w->format);
}

void whole_set(whole *w, int channel, int x, int y, int value)
{
    uint16_t wide = (uint16_t)(value << shift_of(&w->format));
    uint8_t *at = place(w, channel, x, y);
    if (w->format.depth == 8)
        *at = (uint8_t)value;
    else
        memcpy(at, &wide, 2);
}

#define EACH_SAMPLE(w, c, x, y)                                                                              \
    for (int c = 0, width_, height_; c < 4; c++)                                                             \
        for (int y = (whole_size(&(w)->format, c, &width_, &height_), 0); y < height_; y++)                  \
            for (int x = 0; x < width_; x++)

void whole_fill(whole *w, uint32_t seed)
{
    EACH_SAMPLE(w, c, x, y)
    whole_set(w, c, x, y, (int)((nm_next(&seed) >> 8) & ((1u << w->format.depth) - 1)));
}

void whole_flat(whole *w, const int values[4])
{
    EACH_SAMPLE(w, c, x, y)
    whole_set(w, c, x, y, values[c]);
}

int whole_same(const whole *a, const whole *b)
{
    EACH_SAMPLE(a, c, x, y)
    if (whole_get(a, c, x, y) != whole_get(b, c, x, y))
        return 0;
    return 1;
}

int whole_is_flat(const whole *w, const int values[4])
{
    EACH_SAMPLE(w, c, x, y)
    if (whole_get(w, c, x, y) != values[c])
        return 0;
    return 1;
}

int whole_gaps_intact(const whole *w)
{
    for (int i = 0; i < 4; i++) {
        size_t bytes;
        int rows;
        spyhop_format_plane(&w->format, i, &bytes, &rows);
        for (int y = 0; y < rows; y++) {
            size_t stride = w->size[i] / (size_t)rows;
            for (size_t at = bytes; at < stride; at++)
                if (w->memory[i][(size_t)y * stride + at] != 0xa5)
                    return 0;
        }
    }
    return 1;
}

spyhop_scaler *whole_open(const spyhop_model *model, const spyhop_scaling *scaling, int threads, int cpu)
{
    spyhop_scaler *scaler = NULL;
    spyhop_settings settings;
    spyhop_error error;
    spyhop_settings_default(&settings);
    settings.threads = threads;
    settings.cpu = cpu;
    if (spyhop_scaler_open(&scaler, model, &settings, scaling, &error) < 0)
        fail_msg("%s", error.message);
    return scaler;
}

whole whole_run(spyhop_scaler *scaler, const whole *in, int extra, int flip)
{
    spyhop_scaling scaling;
    spyhop_error error;
    spyhop_scaling_default(&scaling);
    assert_int_equal(spyhop_scaler_describe(scaler, &scaling), SPYHOP_OK);
    whole out = whole_new(&scaling.out, extra, flip);
    if (spyhop_scaler_run(scaler, &in->picture, &out.picture, &error) < 0)
        fail_msg("%s", error.message);
    return out;
}

/* ---- the definition ---- */

/* Where chroma lies within its luma samples. */
static double siting(const spyhop_format *f, int down)
{
    const int last = every(f, down) - 1;
    static const double across[] = {0, 0.5, 0, 0.5, 0, 0.5}, below[] = {0.5, 0.5, 0, 0, 1, 1};
    return last * (down ? below : across)[f->siting];
}

/* The source position of sample k. */
static double position(const whole *in, const spyhop_format *out, int scale, int channel, int down, int k)
{
    if (channel == 0 || channel == 3 || in->format.layout == SPYHOP_GBR)
        return (k + 0.5) / scale - 0.5;
    double luma = (k * every(out, down) + siting(out, down) + 0.5) / scale - 0.5;
    return (luma - siting(&in->format, down)) / every(&in->format, down);
}

static double kernel(double x)
{
    return fabs(x) < 1e-9 ? 1 : fabs(x) >= 3 ? 0 : 3 * sin(PI * x) * sin(PI * x / 3) / (PI * PI * x * x);
}

static int inside(int at, int size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

double whole_lanczos(const whole *in, const spyhop_format *out, int scale, int channel, int x, int y)
{
    const double h = position(in, out, scale, channel, 0, x), v = position(in, out, scale, channel, 1, y);
    const double peak = (1 << in->format.depth) - 1;
    double sum = 0, weights = 0;
    int width, height;
    whole_size(&in->format, channel, &width, &height);
    for (int j = (int)floor(v) - 3; j <= (int)floor(v) + 4; j++)
        for (int i = (int)floor(h) - 3; i <= (int)floor(h) + 4; i++) {
            double weight = kernel(h - i) * kernel(v - j);
            sum += weight * whole_get(in, channel, inside(i, width), inside(j, height));
            weights += weight;
        }
    sum /= weights;
    return sum < 0 ? 0 : sum > peak ? peak : sum;
}

void whole_limits(const whole *in, const spyhop_format *out, int scale, int channel, int x, int y, int *low,
                  int *high)
{
    const int i = (int)floor(position(in, out, scale, channel, 0, x) + 0.5 + 1e-9);
    const int j = (int)floor(position(in, out, scale, channel, 1, y) + 0.5 + 1e-9);
    const int chroma = in->format.layout != SPYHOP_GBR && (channel == 1 || channel == 2);
    int width, height;
    whole_size(&in->format, channel, &width, &height);
    *low = 16 << (in->format.depth - 8);
    *high = (chroma ? 240 : 235) << (in->format.depth - 8);
    const int nx = inside(i, width), ny = inside(j, height);
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int value = whole_get(in, channel, inside(nx + dx, width), inside(ny + dy, height));
            *low = value < *low ? value : *low;
            *high = value > *high ? value : *high;
        }
}
