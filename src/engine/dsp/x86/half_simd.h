/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vector forms of half.h, included once by each level's file. On top of the vocabulary of conv_simd.h
 * that file defines
 *
 *   hvec                   a vector of 2 * LANES halves
 *   hpart, h_part(n)       which lanes take part in a load: the first n, 1 <= n <= 2 * LANES
 *   h_load, h_load_part, h_zero
 *   h_weight(p)            one weight, which lies there twice, in every lane
 *   h_fma(a, b, c)         a * b + c, rounded once to a half
 *   h_keep(v)              makes the compiler hold v in a register here
 *   h_low(v), h_high(v)    the first and the last LANES halves as floats
 *   HALF_WIDE_OUTPUTS, HALF_WIDE, HALF_NARROW   as WIDE_OUTPUTS, WIDE and NARROW of conv_simd.h
 *   HALF_OWN               1 where it has conv and peak only: the rest is that of the level below
 * and where that is 0
 *   n_load, n_load_part(p, n), n_store, n_store_part(p, v, n)   LANES floats from halves and to halves, which
 *                          rounds
 *
 * The tiles are those of conv_simd.h with twice the columns. The sums in halves stay in registers for a group
 * of rows of input; then each is added to its totals, single floats in memory (3 KB, always in the first
 * cache). At 96 products a group that is 7 instructions for 96. Weights lie there twice because processors
 * broadcast 32 bits while they load, and 16 bits only with a shuffle that a multiply-add could have had. */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include "engine/dsp/x86/act_simd.h"

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

#define ALWAYS static inline __attribute__((always_inline))
#define HALVES (2 * LANES)

/* LANES floats of one output, of which `count` are wanted. */
ALWAYS void half_store(void *out, int x, vec v, const int single, int count)
{
    if (single && count >= LANES)
        v_store((float *)out + x, v);
    else if (single)
        v_store_part((float *)out + x, v, v_part(count));
    else if (count >= LANES)
        n_store((sh_half *)out + x, v);
    else
        n_store_part((sh_half *)out + x, v, count);
}

/* count: the columns that are wanted, all of them or, of a tile of one vector, fewer. */
ALWAYS void half_finish(void *const *out, const float *totals, const sh_half_conv *conv, int first, int x,
                        const int outputs, const int vectors, int count)
{
    for (int o = 0; o < outputs && first + o < conv->outputs; o++) {
        vec scale = v_set(conv->scale[first + o]), bias = v_set(conv->bias[first + o]);
        vec a = v_set(conv->act == SH_ACT_CLIP ? conv->low : conv->slope[first + o]), b = v_set(conv->high);
        for (int at = 0; at < vectors * HALVES && at < count; at += LANES) {
            vec v = v_add(v_mul(v_load(totals + o * vectors * HALVES + at), scale), bias);
            half_store(out[first + o], x + at, v_activate(v, conv->act, a, b), conv->single, count - at);
        }
    }
}

ALWAYS void half_flush(float *totals, const hvec *sums, const int count)
{
    UNROLL
    for (int i = 0; i < count; i++) {
        v_store(totals + i * HALVES, v_add(v_load(totals + i * HALVES), h_low(sums[i])));
        v_store(totals + i * HALVES + LANES, v_add(v_load(totals + i * HALVES + LANES), h_high(sums[i])));
    }
}

/* One row of input: all its taps. */
ALWAYS const uint32_t *half_row(hvec *sums, const sh_half *from, const uint32_t *w, size_t block,
                                const int outputs, const int vectors, int kw, const int masked, hpart lanes)
{
    for (int kx = 0; kx < kw; kx++, w += SH_CONV_BLOCK) {
        hvec inputs[6];
        UNROLL
        for (int v = 0; v < vectors; v++) {
            inputs[v] = masked ? h_load_part(from + kx + v * HALVES, lanes) : h_load(from + kx + v * HALVES);
            h_keep(inputs[v]);
        }
        UNROLL
        for (int o = 0; o < outputs; o++) {
            hvec weight = h_weight(w + (size_t)(o / SH_CONV_BLOCK) * block + (size_t)(o % SH_CONV_BLOCK));
            UNROLL
            for (int v = 0; v < vectors; v++)
                sums[o * vectors + v] = h_fma(weight, inputs[v], sums[o * vectors + v]);
        }
        UNROLL
        for (int i = 0; i < outputs * vectors; i++)
            h_keep(sums[i]);
    }
    return w;
}

ALWAYS void half_tile(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int first, int x,
                      const int outputs, const int vectors, const int masked, int count)
{
    const int rows = conv->kernel_h * conv->inputs, kw = conv->kernel_w;
    const size_t block = (size_t)rows * (size_t)kw * SH_CONV_BLOCK;
    const uint32_t *w = conv->weights + (size_t)(first / SH_CONV_BLOCK) * block;
    const hpart lanes = h_part(masked ? count : HALVES);
    _Alignas(64) float totals[24 * HALVES];
    for (int i = 0; i < outputs * vectors * HALVES; i += LANES)
        v_store(totals + i, v_zero());
    for (int row = 0; row < rows;) {
        hvec sums[24];
        int end = rows - row < conv->group_rows ? rows : row + conv->group_rows;
        UNROLL
        for (int i = 0; i < outputs * vectors; i++)
            sums[i] = h_zero();
        for (; row < end; row++) {
            UNROLL
            for (int line = 0; line < vectors * HALVES; line += 32)
                __builtin_prefetch(in[row] + x + vectors * HALVES + line + 16);
            w = half_row(sums, in[row] + x, w, block, outputs, vectors, kw, masked, lanes);
        }
        half_flush(totals, sums, outputs * vectors);
    }
    half_finish(out, totals, conv, first, x, outputs, vectors, count);
}

/* Columns [x, n) of `outputs` outputs from `first` on. */
ALWAYS void half_strip_end(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int first,
                           int x, int n, const int outputs)
{
    for (; x + HALVES <= n; x += HALVES)
        half_tile(out, in, conv, first, x, outputs, 1, 0, HALVES);
    if (x < n)
        half_tile(out, in, conv, first, x, outputs, 1, 1, n - x);
}

ALWAYS void half_blocks(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int n)
{
    const int all = conv->blocks * SH_CONV_BLOCK;
    int wide = 0, x;
#if HALF_WIDE_OUTPUTS
    wide = all / HALF_WIDE_OUTPUTS * HALF_WIDE_OUTPUTS;
    for (x = 0; wide && x + HALF_WIDE * HALVES <= n; x += HALF_WIDE * HALVES)
        for (int o = 0; o < wide; o += HALF_WIDE_OUTPUTS)
            half_tile(out, in, conv, o, x, HALF_WIDE_OUTPUTS, HALF_WIDE, 0, HALF_WIDE * HALVES);
    for (int o = 0; o < wide; o += HALF_WIDE_OUTPUTS)
        half_strip_end(out, in, conv, o, x, n, HALF_WIDE_OUTPUTS);
#endif
    if (wide == all)
        return;
    for (x = 0; x + HALF_NARROW * HALVES <= n; x += HALF_NARROW * HALVES)
        for (int o = wide; o < all; o += SH_CONV_BLOCK)
            half_tile(out, in, conv, o, x, SH_CONV_BLOCK, HALF_NARROW, 0, HALF_NARROW * HALVES);
    for (int o = wide; o < all; o += SH_CONV_BLOCK)
        half_strip_end(out, in, conv, o, x, n, SH_CONV_BLOCK);
}

/* A single output: a tile without the other outputs of its block, whose weights are zeros. */
ALWAYS void half_one(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int n)
{
    int x = 0;
    for (; x + 6 * HALVES <= n; x += 6 * HALVES)
        half_tile(out, in, conv, 0, x, 1, 6, 0, 6 * HALVES);
    half_strip_end(out, in, conv, 0, x, n, 1);
}

static void half_conv_simd(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int n)
{
    if (conv->outputs == 1)
        half_one(out, in, conv, n);
    else
        half_blocks(out, in, conv, n);
}

static int64_t half_peak_simd(int64_t rounds, float *sink)
{
    enum { CHAINS = 24 };
    const uint32_t factors[2] = {sh_half_of(0.999f) * (uint32_t)0x10001,
                                 sh_half_of(sink[0] + 0.001f) * (uint32_t)0x10001};
    hvec chain[CHAINS], a = h_weight(&factors[0]), b = h_weight(&factors[1]);
    vec sum = v_zero();
    float all[LANES];
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        chain[i] = h_zero();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++)
            chain[i] = h_fma(a, b, chain[i]);
        UNROLL
        for (int i = 0; i < CHAINS; i++)
            h_keep(chain[i]);
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        sum = v_add(sum, v_add(h_low(chain[i]), h_high(chain[i])));
    v_store(all, sum);
    sink[0] = all[0];
    return rounds * CHAINS * HALVES;
}

#if !HALF_OWN
static void half_widen_simd(float *out, const sh_half *in, int n)
{
    int x = 0;
    for (; x + LANES <= n; x += LANES)
        v_store(out + x, n_load(in + x));
    if (x < n)
        v_store_part(out + x, n_load_part(in + x, n - x), v_part(n - x));
}

static void half_narrow_simd(sh_half *out, const float *in, int n)
{
    int x = 0;
    for (; x + LANES <= n; x += LANES)
        n_store(out + x, v_load(in + x));
    if (x < n)
        n_store_part(out + x, v_load_part(in + x, v_part(n - x)), n - x);
}
#endif
