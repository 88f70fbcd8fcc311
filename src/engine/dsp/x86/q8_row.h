/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all forms of the integer convolutions share. The including file has included q8_256.h or q8_512.h and
 * defined v_dot_words(sum, a, b): sum plus the products of 16-bit pairs. */
#include "engine/dsp/dsp.h"
#include <string.h>

/* Loops of a constant count below are unrolled whole. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif
#define ALWAYS static inline __attribute__((always_inline))

static inline int whole_steps(int n)
{
    return (n + SH_Q8_STEP - 1) / SH_Q8_STEP * SH_Q8_STEP;
}

static inline int32_t dword_at(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Each 128 bits hold four pixels. After packing, their bytes are output 0 of the four, output 1 of the
 * four... and are turned into the four outputs of each. factor: of the first output. */
ALWAYS vec requantise(vec a, vec b, vec c, vec d, const int16_t *factor, __m128i shift)
{
    static const int8_t turn[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    vec low = v_pack32(v_right(a, shift), v_right(b, shift));
    vec high = v_pack32(v_right(c, shift), v_right(d, shift));
    low = v_scale(low, v_lanes(factor));
    high = v_scale(high, v_lanes(factor + 8));
    return v_shuffle(v_pack16(low, high), v_lanes(turn));
}

/* Outputs [o, o + block) of one vector. */
ALWAYS void first_block(uint8_t *const *out, const vec *pairs, const sh_q8_first *first, int o, int x,
                        __m128i shift, const int block)
{
    vec sums[2 * SH_Q8_GROUP];
    UNROLL
    for (int i = 0; i < block; i++)
        sums[i] = v_set(first->bias[o + i]);
    UNROLL
    for (int t = 0; t < SH_Q8_FIRST; t++) {
        const int16_t *w = first->weights + (t * first->outputs + o) * 2;
        UNROLL
        for (int i = 0; i < block; i++)
            sums[i] = v_dot_words(sums[i], pairs[t], v_set(dword_at(w + 2 * i)));
    }
    UNROLL
    for (int i = 0; i < block; i += SH_Q8_GROUP)
        v_store(
            out[(o + i) / SH_Q8_GROUP] + x * SH_Q8_GROUP,
            requantise(sums[i], sums[i + 1], sums[i + 2], sums[i + 3], first->factor + (o + i) * 4, shift));
}

static void first_simd(uint8_t *const *out, const int16_t *const *in, const sh_q8_first *first, int n)
{
    const __m128i shift = _mm_cvtsi32_si128(first->shift);
    const int16_t *a = in[0], *b = in[1], *c = in[2];
    for (int x = 0; x < whole_steps(n); x += PIXELS) {
        const vec pairs[SH_Q8_FIRST] = {v_zip(a + x, a + x + 1), v_zip(b + x, b + x + 1),
                                        v_zip(c + x, c + x + 1), v_zip(a + x + 2, b + x + 2),
                                        v_zip(c + x + 2, c + x + 2)};
        int o = 0;
        for (; o + 2 * SH_Q8_GROUP <= first->outputs; o += 2 * SH_Q8_GROUP)
            first_block(out, pairs, first, o, x, shift, 2 * SH_Q8_GROUP);
        if (o < first->outputs)
            first_block(out, pairs, first, o, x, shift, SH_Q8_GROUP);
    }
}
