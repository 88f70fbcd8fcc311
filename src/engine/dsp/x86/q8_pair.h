/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The integer convolutions where bytes are multiplied into 16-bit sums of two (vpmaddubsw), which saturate:
 * see sh_q8_pass. Up to three taps are added before they are widened, as far as their weights allow it: 7
 * instructions where 9 would be needed, and 4 multiplications where it would be 6. The including file has
 * defined VECTORS, of x in a tile of four outputs. */
#define v_dot_words(sum, a, b) v_add(sum, v_words(a, b))
#include "engine/dsp/x86/q8_row.h"

ALWAYS void load_pixels(vec *pixels, const uint8_t *const *in, const sh_q8_tap *tap, int x, const int vectors)
{
    const uint8_t *from = in[tap->row] + (x + tap->column) * SH_Q8_GROUP;
    UNROLL
    for (int v = 0; v < vectors; v++) {
        pixels[v] = v_load(from + v * PIXELS * SH_Q8_GROUP);
        v_keep(pixels[v]);
    }
}

/* `count` runs of `length` taps, into the sums of four outputs; returns the tap behind them. */
ALWAYS const sh_q8_tap *run_taps(vec *sums, const uint8_t *const *in, const sh_q8_tap *tap, int count, int x,
                                 const int length, const int vectors)
{
    const vec ones = v_set16(1);
    for (; count > 0; count--, tap += length) {
        vec pixels[SH_Q8_RUN][VECTORS];
        UNROLL
        for (int i = 0; i < length; i++)
            load_pixels(pixels[i], in, &tap[i], x, vectors);
        UNROLL
        for (int o = 0; o < SH_Q8_GROUP; o++) {
            vec both[VECTORS];
            UNROLL
            for (int i = 0; i < length; i++) {
                vec weight = v_set(dword_at(tap[i].weights[o]));
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    vec product = v_bytes_by_words(pixels[i][v], weight);
                    both[v] = i ? v_add16(both[v], product) : product;
                }
            }
            UNROLL
            for (int v = 0; v < vectors; v++) {
                sums[o * vectors + v] = v_add(sums[o * vectors + v], v_words(both[v], ones));
                v_keep(sums[o * vectors + v]);
            }
        }
    }
    return tap;
}

/* sums: four outputs. */
ALWAYS void tile_sums(vec *sums, const uint8_t *const *in, const sh_q8_pass *pass, int x, const int vectors)
{
    const sh_q8_tap *tap = pass->taps;
    tap = run_taps(sums, in, tap, pass->runs[2], x, 3, vectors);
    tap = run_taps(sums, in, tap, pass->runs[1], x, 2, vectors);
    run_taps(sums, in, tap, pass->runs[0], x, 1, vectors);
}

ALWAYS void conv_tile(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int first, int x,
                      const int vectors, __m128i shift)
{
    vec s[SH_Q8_GROUP * VECTORS];
    UNROLL
    for (int o = 0; o < SH_Q8_GROUP; o++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            s[o * vectors + v] = v_set(conv->bias[first + o]);
    }
    tile_sums(s, in, &conv->pass[first / SH_Q8_GROUP], x, vectors);
    UNROLL
    for (int v = 0; v < vectors; v++)
        v_store(out[first / SH_Q8_GROUP] + (x + v * PIXELS) * SH_Q8_GROUP,
                requantise(s[v], s[vectors + v], s[2 * vectors + v], s[3 * vectors + v],
                           conv->factor + first * 4, shift));
}

static void conv_simd(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    const __m128i shift = _mm_cvtsi32_si128(conv->shift);
    int x = 0, end = whole_steps(n);
    for (; x + VECTORS * PIXELS <= end; x += VECTORS * PIXELS)
        for (int o = 0; o < conv->outputs; o += SH_Q8_GROUP)
            conv_tile(out, in, conv, o, x, VECTORS, shift);
    for (; x < end; x += PIXELS)
        for (int o = 0; o < conv->outputs; o += SH_Q8_GROUP)
            conv_tile(out, in, conv, o, x, 1, shift);
}

ALWAYS void sums_tile(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int first, int x,
                      const int vectors)
{
    const sh_q8_pass *pass = &conv->pass[first / SH_Q8_GROUP * (conv->split ? 2 : 1)];
    vec s[SH_Q8_GROUP * VECTORS];
    UNROLL
    for (int i = 0; i < SH_Q8_GROUP * vectors; i++)
        s[i] = v_zero();
    for (int half = 0; half < (conv->split ? 2 : 1); half++) {
        UNROLL
        for (int i = 0; i < SH_Q8_GROUP * vectors; i++)
            s[i] = v_left(s[i], 7);
        tile_sums(s, in, &pass[half], x, vectors);
    }
    UNROLL
    for (int o = 0; o < SH_Q8_GROUP; o++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            v_store(out[first + o] + x + v * PIXELS, v_add(s[o * vectors + v], v_set(conv->bias[first + o])));
    }
}

static void sums_simd(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    int x = 0, end = whole_steps(n);
    for (; x + VECTORS * PIXELS <= end; x += VECTORS * PIXELS)
        for (int o = 0; o < conv->outputs; o += SH_Q8_GROUP)
            sums_tile(out, in, conv, o, x, VECTORS);
    for (; x < end; x += PIXELS)
        for (int o = 0; o < conv->outputs; o += SH_Q8_GROUP)
            sums_tile(out, in, conv, o, x, 1);
}

/* Multiply-adds into 16 bits: no convolution can do without these, whatever it spares of the widening. */
#define PEAK_CHAINS 12
#define v_peak(sum, bytes, weights) v_add16(sum, v_bytes_by_words(bytes, weights))
#include "engine/dsp/x86/q8_peak.h"
