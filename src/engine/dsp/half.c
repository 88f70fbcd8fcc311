/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fused multiply-add of halves by doubles: a product of halves has 22 bits and is exact, and so is the sum
 * with a third half wherever its rounding to 11 bits could depend on the last of them. For the sum is inexact
 * only where one term lies more than 30 bits below the other: below a half c it changes c by less than the
 * quarter of c's last bit that rounding would take to notice, rounded to a double or not; above 2^17, as a
 * product must be to lie that far above a half, everything is beyond the largest one. */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include <math.h>
#include <string.h>

static inline double round_half(double v)
{
    const uint64_t last = (uint64_t)1 << 42; /* the last of 11 bits in a double */
    double small = fabs(v) + 0x1.8p28 - 0x1.8p28, r;
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    bits = (bits + last / 2 - 1 + (bits >> 42 & 1)) & ~(last - 1);
    memcpy(&r, &bits, sizeof(r));
    r = fabs(v) < 0x1p-14 ? copysign(small, v) : r; /* a subnormal half: its last bit is 2^-24 */
    r = fabs(r) > (double)SH_HALF_LARGEST ? copysign((double)INFINITY, r) : r;
    return v == v ? r : v;
}

float sh_half_to_float(sh_half h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float v;
    memcpy(&v, &bits, sizeof(v));
    v *= 0x1p112f;
    memcpy(&bits, &v, sizeof(bits));
    bits |= ((h & 0x7c00) == 0x7c00 ? 0x7f800000u : 0) | (uint32_t)(h & 0x8000) << 16;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

sh_half sh_half_of(float v)
{
    v = v > -SH_HALF_LARGEST ? v : -SH_HALF_LARGEST;
    v = v < SH_HALF_LARGEST ? v : SH_HALF_LARGEST;
    float r = (float)round_half((double)v);
    uint32_t bits, sign = signbit(r) ? 0x8000 : 0;
    memcpy(&bits, &r, sizeof(bits));
    bits &= 0x7fffffff;
    bits = bits < (127u - 14) << 23 ? (uint32_t)(fabsf(r) * 0x1p24f) : (bits - ((127u - 15) << 23)) >> 13;
    return (sh_half)(bits | sign);
}

static void widen_c(float *out, const sh_half *in, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = sh_half_to_float(in[x]);
}

static void narrow_c(sh_half *out, const float *in, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = sh_half_of(in[x]);
}

/* The power of two that brings the largest weight of an output into [1/8, 1/4). */
static int exponent_for(const float *weights, size_t count)
{
    float largest = 0;
    int exponent = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabsf(weights[i]) > largest ? fabsf(weights[i]) : largest;
    frexpf(largest, &exponent); /* in [1/2, 1) */
    exponent = largest > 0 ? -2 - exponent : 0;
    return exponent < -120 ? -120 : exponent > 120 ? 120 : exponent;
}

void sh_half_pack(uint32_t *packed, float *scale, const float *weights, int outputs, int inputs, int kernel_h,
                  int kernel_w)
{
    size_t taps = (size_t)kernel_h * (size_t)kernel_w, all = (size_t)inputs * taps;
    memset(packed, 0, sh_conv_packed_size(outputs, inputs, kernel_h, kernel_w) * sizeof(*packed));
    for (int o = 0; o < outputs; o++) {
        const float *from = weights + (size_t)o * all;
        uint32_t *block = packed + (size_t)(o / SH_CONV_BLOCK) * all * SH_CONV_BLOCK + o % SH_CONV_BLOCK;
        int exponent = exponent_for(from, all);
        scale[o] = ldexpf(1, -exponent);
        for (size_t i = 0; i < (size_t)inputs; i++)
            for (size_t tap = 0; tap < taps; tap++) {
                size_t ky = tap / (size_t)kernel_w, kx = tap % (size_t)kernel_w;
                size_t to = (ky * (size_t)inputs + i) * (size_t)kernel_w + kx;
                block[to * SH_CONV_BLOCK] =
                    sh_half_of(ldexpf(from[i * taps + tap], exponent)) * (uint32_t)0x10001;
            }
    }
}

enum { PART = 64 };

/* Some columns of one output, with sums in halves that are held as doubles. */
static void conv_part(float *out, const sh_half *const *in, const sh_half_conv *conv, int o, int from, int n)
{
    int rows = conv->kernel_h * conv->inputs, kw = conv->kernel_w;
    const uint32_t *w =
        conv->weights + (size_t)(o / SH_CONV_BLOCK) * (size_t)(rows * kw) * SH_CONV_BLOCK + o % SH_CONV_BLOCK;
    double sums[PART];
    for (int x = 0; x < n; x++)
        out[x] = 0;
    for (int row = 0; row < rows; row++) {
        for (int x = 0; row % conv->group_rows == 0 && x < n; x++)
            sums[x] = 0;
        for (int kx = 0; kx < kw; kx++, w += SH_CONV_BLOCK) {
            double tap = (double)sh_half_to_float((sh_half)*w);
            for (int x = 0; x < n; x++)
                sums[x] = round_half(tap * (double)sh_half_to_float(in[row][from + x + kx]) + sums[x]);
        }
        for (int x = 0; ((row + 1) % conv->group_rows == 0 || row + 1 == rows) && x < n; x++)
            out[x] += (float)sums[x];
    }
    for (int x = 0; x < n; x++)
        out[x] = out[x] * conv->scale[o] + conv->bias[o];
}

static void conv_c(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int n)
{
    float part[PART];
    sh_dsp dsp;
    sh_row_init_c(&dsp);
    for (int o = 0; o < conv->outputs; o++)
        for (int from = 0; from < n; from += PART) {
            int count = n - from < PART ? n - from : PART;
            conv_part(part, in, conv, o, from, count);
            dsp.act(part, part, count, conv->act, conv->act == SH_ACT_CLIP ? conv->low : conv->slope[o],
                    conv->high);
            if (conv->single)
                memcpy((float *)out[o] + from, part, (size_t)count * sizeof(float));
            else
                narrow_c((sh_half *)out[o] + from, part, count);
        }
}

static int64_t peak_c(int64_t rounds, float *sink)
{
    double v = 0, factor = round_half(0.999), term = round_half((double)sink[0] + 0.001);
    for (int64_t r = 0; r < rounds; r++)
        v = round_half(v * factor + term);
    sink[0] = (float)v;
    return rounds;
}

void sh_half_init_c(sh_dsp *dsp)
{
    dsp->half_conv = conv_c;
    dsp->half_widen = widen_c;
    dsp->half_narrow = narrow_c;
    dsp->half_peak = peak_c;
}
