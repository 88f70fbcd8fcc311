/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 12 sums, 3 by 3 vectors of pixels, 3 products and a weight in 32 registers. */
#include "engine/dsp/x86/q8_512.h"

#define VECTORS 3
#include "engine/dsp/x86/q8_pair.h"

typedef __m512 vecf;
#define f_load(p) _mm512_loadu_ps(p)
#define f_store(p, v) _mm512_storeu_ps(p, v)
#define f_set(f) _mm512_set1_ps(f)
#define f_mul(a, b) _mm512_mul_ps(a, b)
#define f_add(a, b) _mm512_add_ps(a, b)
#define f_clip(v, peak) _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), peak)
#define f_int(v) _mm512_cvtps_epi32(v)
#define v_low_pairs(a, b) _mm512_unpacklo_epi32(a, b)
#define v_high_pairs(a, b) _mm512_unpackhi_epi32(a, b)

static inline void v_narrow(uint8_t *to, vec v, int bytes)
{
    if (bytes == 1)
        _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(v));
    else
        _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(v));
}

/* The first twelve bytes of each 128 bits. */
static inline void v_twelve(uint8_t *to, vec v)
{
    const vec order = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0, 0, 0, 0);
    _mm512_mask_storeu_epi32(to, 0xfff, _mm512_permutexvar_epi32(order, v));
}

static inline void v_turn(vec *a, vec *b)
{
    const vec low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11),
              high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    vec first = _mm512_permutex2var_epi64(*a, low, *b);
    *b = _mm512_permutex2var_epi64(*a, high, *b);
    *a = first;
}

static inline void v_twelve_turned(uint8_t *to, vec a, vec b)
{
    v_turn(&a, &b);
    v_twelve(to, a);
    v_twelve(to + 48, b);
}

static inline void v_store_turned(uint8_t *to, vec a, vec b)
{
    v_turn(&a, &b);
    v_store(to, a);
    v_store(to + 64, b);
}

#include "engine/dsp/x86/q8_ends.h"

void sh_q8_init_avx512(sh_dsp *dsp)
{
    init_simd(dsp);
}
