/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The integer convolutions where one instruction multiplies four bytes by four and adds them to a 32-bit sum.
 * Besides what q8_row.h wants, the including file has defined
 *
 *   v_dot(sum, u, s)        that instruction
 *   OUTPUTS, VECTORS        a tile: so many outputs (4 or 8) by so many vectors of x, all sums in registers
 *   v_tap(sums, from, w)    one tap of a whole tile in a form of its own and 1, or 0 when it has none
 *
 * For each tap and four channels VECTORS loads of pixels serve OUTPUTS broadcast weights: with 8 by 3 that is
 * 11 loads for 24 multiply-adds, where two of each may be issued in a cycle. */
#include "engine/dsp/x86/q8_row.h"

ALWAYS void tile_sums(vec *sums, const uint8_t *const *in, const sh_q8_conv *conv, int lanes, int first,
                      int x, const int outputs, const int vectors)
{
    const int8_t *w = conv->weights + first * SH_Q8_GROUP;
    for (int row = 0; row < SH_Q8_TAPS * conv->groups; row++) {
        const uint8_t *from = in[row] + x * SH_Q8_GROUP;
        UNROLL
        for (int kx = 0; kx < SH_Q8_TAPS; kx++, w += lanes * SH_Q8_GROUP) {
            if (outputs == OUTPUTS && vectors == VECTORS && v_tap(sums, from + kx * SH_Q8_GROUP, w))
                continue;
            vec pixels[VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++) {
                pixels[v] = v_load(from + (kx + v * PIXELS) * SH_Q8_GROUP);
                v_keep(pixels[v]);
            }
            UNROLL
            for (int o = 0; o < outputs; o++) {
                vec weight = v_set(dword_at(w + o * SH_Q8_GROUP));
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sums[o * vectors + v] = v_dot(sums[o * vectors + v], pixels[v], weight);
            }
            UNROLL
            for (int i = 0; i < outputs * vectors; i++)
                v_keep(sums[i]);
        }
    }
}

ALWAYS void conv_tile(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int first, int x,
                      const int outputs, const int vectors, __m128i shift)
{
    vec sums[OUTPUTS * VECTORS];
    UNROLL
    for (int o = 0; o < outputs; o++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sums[o * vectors + v] = v_set(conv->bias[first + o]);
    }
    tile_sums(sums, in, conv, conv->outputs, first, x, outputs, vectors);
    UNROLL
    for (int o = 0; o < outputs; o += SH_Q8_GROUP) {
        uint8_t *to = out[(first + o) / SH_Q8_GROUP] + x * SH_Q8_GROUP;
        UNROLL
        for (int v = 0; v < vectors; v++) {
            const vec *s = sums + o * vectors + v;
            v_store(to + v * PIXELS * SH_Q8_GROUP,
                    requantise(s[0], s[vectors], s[2 * vectors], s[3 * vectors],
                               conv->factor + (first + o) * 4, shift));
        }
    }
}

/* All outputs of a strip: tiles of OUTPUTS, and of four for the rest. */
ALWAYS void conv_strip(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int x,
                       const int vectors, __m128i shift)
{
    int o = 0;
    for (; o + OUTPUTS <= conv->outputs; o += OUTPUTS)
        conv_tile(out, in, conv, o, x, OUTPUTS, vectors, shift);
    if (OUTPUTS > SH_Q8_GROUP && o < conv->outputs)
        conv_tile(out, in, conv, o, x, SH_Q8_GROUP, vectors, shift);
}

/* x outside: a strip of all inputs stays in the first cache while every output passes over it. */
static void conv_simd(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    const __m128i shift = _mm_cvtsi32_si128(conv->shift);
    int x = 0, end = whole_steps(n);
    for (; x + VECTORS * PIXELS <= end; x += VECTORS * PIXELS)
        conv_strip(out, in, conv, x, VECTORS, shift);
    for (; x + 2 * PIXELS <= end; x += 2 * PIXELS)
        conv_strip(out, in, conv, x, 2, shift);
    for (; x < end; x += PIXELS)
        conv_strip(out, in, conv, x, 1, shift);
}

/* split: 1 or 0 as conv->split, known when compiling. */
ALWAYS void sums_tile(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int first, int x,
                      const int split, const int vectors)
{
    vec sums[2 * SH_Q8_GROUP * VECTORS];
    const int outputs = split ? 2 * SH_Q8_GROUP : SH_Q8_GROUP, lanes = split ? 2 : 1;
    UNROLL
    for (int i = 0; i < outputs * vectors; i++)
        sums[i] = v_zero();
    if (outputs <= OUTPUTS)
        tile_sums(sums, in, conv, lanes * conv->outputs, lanes * first, x, outputs, vectors);
    else
        for (int half = 0; half < 2; half++)
            tile_sums(sums + half * SH_Q8_GROUP * vectors, in, conv, lanes * conv->outputs,
                      lanes * first + half * SH_Q8_GROUP, x, SH_Q8_GROUP, vectors);
    UNROLL
    for (int o = 0; o < SH_Q8_GROUP; o++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec sum = sums[o * vectors + v];
            if (split)
                sum = v_add(v_left(sum, 7), sums[(SH_Q8_GROUP + o) * vectors + v]);
            v_store(out[first + o] + x + v * PIXELS, v_add(sum, v_set(conv->bias[first + o])));
        }
    }
}

ALWAYS void sums_rows(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n,
                      const int split)
{
    for (int o = 0; o < conv->outputs; o += SH_Q8_GROUP) {
        int x = 0, end = whole_steps(n);
        for (; x + VECTORS * PIXELS <= end; x += VECTORS * PIXELS)
            sums_tile(out, in, conv, o, x, split, VECTORS);
        for (; x < end; x += PIXELS)
            sums_tile(out, in, conv, o, x, split, 1);
    }
}

static void sums_simd(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    if (conv->split)
        sums_rows(out, in, conv, n, 1);
    else
        sums_rows(out, in, conv, n, 0);
}

#define PEAK_CHAINS (OUTPUTS * VECTORS)
#define v_peak(sum, bytes, weights) v_dot(sum, bytes, weights)
#include "engine/dsp/x86/q8_peak.h"
