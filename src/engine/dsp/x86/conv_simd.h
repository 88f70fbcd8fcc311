/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vector form of the convolution, included once by each instruction set's file after it has defined
 *
 *   vec, LANES             a vector of floats and how many it holds
 *   part, v_part(n)        which lanes take part in a load or store: the first n, 1 <= n <= LANES
 *   v_load, v_load_part, v_store, v_store_part, v_set
 *   v_fma(a, b, c)         a * b + c, rounded once
 *   v_act(v, conv, output) the activation
 *   v_keep(v)              makes the compiler hold v in a register here
 *   v_tap(sums, from, w, outputs, vectors)
 *                          one tap of a whole tile in a form of its own and 1, or 0 when it has none
 *   WIDE, NARROW           vectors of x in a tile of WIDE_OUTPUTS and of SH_CONV_BLOCK outputs
 *   WIDE_OUTPUTS           a multiple of SH_CONV_BLOCK, or 0 for no wide tiles
 *
 * A tile is `outputs` rows by `vectors` vectors, all of whose sums stay in registers while the taps go by:
 * for each tap `vectors` loads of input, then for each output one broadcast weight and `vectors`
 * multiply-adds. What does not fill a tile at the end of a row goes in tiles of one vector, the last of them
 * with some lanes masked out, through the same operations. Everything is inlined with constant counts, or the
 * sums would not stay in registers; v_keep after each tap stops the compiler from weaving the taps into one
 * another until registers run out. The input of the next tile is fetched meanwhile: so many rows at once are
 * more than the processor's own prefetching follows. */
#include "engine/act.h"
#include "engine/dsp/dsp.h"

/* Loops of a constant count below are unrolled whole. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_TAPS
#else
#define UNROLL _Pragma("GCC unroll 24")
#define UNROLL_TAPS _Pragma("GCC unroll 3")
#endif

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void tile_store(float *const *out, const vec *sums, const sh_conv *conv, int first, int x,
                       const int outputs, const int vectors, const int masked, part lanes)
{
    UNROLL
    for (int o = 0; o < outputs; o++) {
        if (first + o >= conv->outputs)
            break;
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec sum = v_act(sums[o * vectors + v], conv, first + o);
            float *to = out[first + o] + x + v * LANES;
            if (masked)
                v_store_part(to, sum, lanes);
            else
                v_store(to, sum);
        }
    }
}

/* taps: the kernel's width as a constant, or 0: conv->kernel_w. */
ALWAYS void tile(float *const *out, const float *const *in, const sh_conv *conv, int first, int x,
                 const int outputs, const int vectors, const int taps, const int masked, part lanes)
{
    const int rows = conv->kernel_h * conv->inputs, kw = taps ? taps : conv->kernel_w;
    const size_t block = (size_t)rows * (size_t)kw * SH_CONV_BLOCK;
    const float *w = conv->weights + (size_t)(first / SH_CONV_BLOCK) * block;
    vec sums[8 * 6];
    UNROLL
    for (int o = 0; o < outputs; o++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sums[o * vectors + v] = v_set(conv->bias[first + o]);
    }
    for (int row = 0; row < rows; row++) {
        const float *from = in[row] + x;
        UNROLL
        for (int line = 0; line < vectors * LANES; line += 16)
            __builtin_prefetch(from + vectors * LANES + line + 8);
        UNROLL_TAPS
        for (int kx = 0; kx < kw; kx++, w += SH_CONV_BLOCK) {
            if (!masked && v_tap(sums, from + kx, w, outputs, vectors))
                continue;
            vec inputs[6];
            UNROLL
            for (int v = 0; v < vectors; v++) {
                inputs[v] =
                    masked ? v_load_part(from + kx + v * LANES, lanes) : v_load(from + kx + v * LANES);
                v_keep(inputs[v]);
            }
            UNROLL
            for (int o = 0; o < outputs; o++) {
                vec weight = v_set(w[(size_t)(o / SH_CONV_BLOCK) * block + (size_t)(o % SH_CONV_BLOCK)]);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sums[o * vectors + v] = v_fma(weight, inputs[v], sums[o * vectors + v]);
            }
            UNROLL
            for (int i = 0; i < outputs * vectors; i++)
                v_keep(sums[i]);
        }
    }
    tile_store(out, sums, conv, first, x, outputs, vectors, masked, lanes);
}

/* Columns [x, n) of `outputs` outputs from `first` on. */
ALWAYS void strip_end(float *const *out, const float *const *in, const sh_conv *conv, int first, int x, int n,
                      const int outputs, const int taps)
{
    for (; x < n; x += LANES) {
        if (n - x >= LANES)
            tile(out, in, conv, first, x, outputs, 1, taps, 0, v_part(LANES));
        else
            tile(out, in, conv, first, x, outputs, 1, taps, 1, v_part(n - x));
    }
}

ALWAYS void conv_taps(float *const *out, const float *const *in, const sh_conv *conv, int n, const int taps)
{
    const int all = conv->blocks * SH_CONV_BLOCK;
    int wide = 0, x;
#if WIDE_OUTPUTS
    wide = all / WIDE_OUTPUTS * WIDE_OUTPUTS;
    /* x outside: a strip of all inputs stays in the first cache while every
     * output passes over it */
    for (x = 0; wide && x + WIDE * LANES <= n; x += WIDE * LANES)
        for (int o = 0; o < wide; o += WIDE_OUTPUTS)
            tile(out, in, conv, o, x, WIDE_OUTPUTS, WIDE, taps, 0, v_part(LANES));
    for (int o = 0; o < wide; o += WIDE_OUTPUTS)
        strip_end(out, in, conv, o, x, n, WIDE_OUTPUTS, taps);
#endif
    if (wide == all)
        return;
    for (x = 0; x + NARROW * LANES <= n; x += NARROW * LANES)
        for (int o = wide; o < all; o += SH_CONV_BLOCK)
            tile(out, in, conv, o, x, SH_CONV_BLOCK, NARROW, taps, 0, v_part(LANES));
    for (int o = wide; o < all; o += SH_CONV_BLOCK)
        strip_end(out, in, conv, o, x, n, SH_CONV_BLOCK, taps);
}

/* A single output, as depthwise convolutions and last layers have: a tile without the other outputs of its
 * block, whose weights are zeros. */
ALWAYS void conv_one(float *const *out, const float *const *in, const sh_conv *conv, int n, const int taps)
{
    int x = 0;
    for (; x + 6 * LANES <= n; x += 6 * LANES)
        tile(out, in, conv, 0, x, 1, 6, taps, 0, v_part(LANES));
    strip_end(out, in, conv, 0, x, n, 1, taps);
}

static void conv_simd(float *const *out, const float *const *in, const sh_conv *conv, int n)
{
    if (conv->outputs == 1 && conv->kernel_w == 3)
        conv_one(out, in, conv, n, 3);
    else if (conv->outputs == 1)
        conv_one(out, in, conv, n, 0);
    else if (conv->kernel_w == 3)
        conv_taps(out, in, conv, n, 3);
    else
        conv_taps(out, in, conv, n, 0);
}
