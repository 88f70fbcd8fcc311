/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vector forms of row.h, included once by each instruction set's file (see conv_simd.h for the
 * vocabulary). */
#include "engine/dsp/dsp.h"

/* The loops of each kind are apart, so that the kind is decided once and not at every vector. */
static inline __attribute__((always_inline)) void act_loop(float *out, const float *in, int n, const int kind,
                                                           vec a, vec b)
{
    int x = 0;
    for (; x + LANES <= n; x += LANES)
        v_store(out + x, v_activate(v_load(in + x), kind, a, b));
    if (x < n) {
        part lanes = v_part(n - x);
        v_store_part(out + x, v_activate(v_load_part(in + x, lanes), kind, a, b), lanes);
    }
}

static void act_simd(float *out, const float *in, int n, int kind, float a, float b)
{
    vec first = v_set(a), second = v_set(b);
    if (kind == SH_ACT_RELU)
        act_loop(out, in, n, SH_ACT_RELU, first, second);
    else if (kind == SH_ACT_SLOPE)
        act_loop(out, in, n, SH_ACT_SLOPE, first, second);
    else if (kind == SH_ACT_CLIP)
        act_loop(out, in, n, SH_ACT_CLIP, first, second);
    else if (kind == SH_ACT_BIAS)
        act_loop(out, in, n, SH_ACT_BIAS, first, second);
    else
        act_loop(out, in, n, SH_ACT_NONE, first, second);
}

static void add_simd(float *out, const float *a, const float *b, int n)
{
    int x = 0;
    for (; x + LANES <= n; x += LANES)
        v_store(out + x, v_add(v_load(a + x), v_load(b + x)));
    if (x < n) {
        part lanes = v_part(n - x);
        v_store_part(out + x, v_add(v_load_part(a + x, lanes), v_load_part(b + x, lanes)), lanes);
    }
}

static void shuffle_rest(float *out, const float *const *in, int block, int x, int n)
{
    for (; x < n; x++)
        for (int i = 0; i < block; i++)
            out[x * block + i] = in[i][x];
}

/* Two rows, by far the commonest, with vectors; more by single floats. */
static void shuffle_simd(float *out, const float *const *in, int block, int n)
{
    int x = 0;
    for (; block == 2 && x + LANES <= n; x += LANES)
        v_store_two(out + (ptrdiff_t)2 * x, v_load(in[0] + x), v_load(in[1] + x));
    shuffle_rest(out, in, block, x, n);
}
