/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of point.h, included once by each level's file. Loops without branches on single samples, in
 * operations that have one result: sums, products, quotients, comparisons. Rounding to whole numbers adds and
 * takes away 1.5 * 2^23, above which floats have no fraction. */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include <stdint.h>
#include <string.h>

#define WHOLE 12582912.0f

static void sub_points(float *out, const float *a, const float *b, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = a[x] - b[x];
}

static void mul_points(float *out, const float *a, const float *b, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = a[x] * b[x];
}

static void quant_points(float *out, const float *in, int n, float scale, int low, int high)
{
    float least = (float)low, most = (float)high;
    for (int x = 0; x < n; x++) {
        float v = in[x] / scale;
        v = v > least ? v : least;
        v = v < most ? v : most;
        out[x] = (v + WHOLE - WHOLE) * scale;
    }
}

/* exp(v) for |v| <= 87: 2^k times a polynomial of the rest, which is at most ln(2) / 2. */
static inline float exponential(float v)
{
    float k = v * 1.44269504f + WHOLE - WHOLE;
    float r = v - k * 0.693359375f + k * 2.12194440e-4f;
    float p =
        1.0f + r * (1.0f + r * (0.5f + r * (0.16666667f +
                                            r * (0.041666668f + r * (8.3333338e-3f + r * 1.3888889e-3f)))));
    uint32_t bits = (uint32_t)((int32_t)k + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof(power));
    return p * power;
}

/* 1 / (1 + exp(-v * times)). The limits are applied in a loop of their own: compilers otherwise see that
 * beyond them the result is a constant, and branch. */
static void sigmoid_part(float *out, const float *in, int n, float times)
{
    for (int x = 0; x < n; x++) {
        float v = in[x] * times;
        v = v > -87.0f ? v : -87.0f;
        out[x] = v < 87.0f ? v : 87.0f;
    }
    for (int x = 0; x < n; x++)
        out[x] = 1.0f / (1.0f + exponential(-out[x]));
}

static inline float clip01(float v)
{
    v = v > 0 ? v : 0;
    return v < 1 ? v : 1;
}

enum { PART = 64 };

static void sigmoid_points(float *out, const float *in, int n, int kind)
{
    float part[PART];
    for (int from = 0; from < n; from += PART) {
        int count = n - from < PART ? n - from : PART;
        sigmoid_part(part, in + from, count, kind == SH_ACT_TANH ? 2.0f : 1.0f);
        for (int x = 0; kind == SH_ACT_SIGMOID && x < count; x++)
            out[from + x] = part[x];
        for (int x = 0; kind == SH_ACT_SILU && x < count; x++)
            out[from + x] = in[from + x] * part[x];
        for (int x = 0; kind == SH_ACT_TANH && x < count; x++)
            out[from + x] = 2 * part[x] - 1;
    }
}

static void curve_points(float *out, const float *in, int n, int kind, float a, float b)
{
    switch (kind) {
    case SH_ACT_SIGMOID:
    case SH_ACT_SILU:
    case SH_ACT_TANH:
        sigmoid_points(out, in, n, kind);
        break;
    case SH_ACT_HARD_SIGMOID:
        for (int x = 0; x < n; x++)
            out[x] = clip01(in[x] * a + b);
        break;
    default:
        for (int x = 0; x < n; x++)
            out[x] = in[x] * a;
        break;
    }
}
