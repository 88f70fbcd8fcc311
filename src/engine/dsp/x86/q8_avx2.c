/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 8 sums, 3 by 2 vectors of pixels, a product and a weight in 16 registers. */
#include "engine/dsp/x86/q8_256.h"

#define VECTORS 2
#include "engine/dsp/x86/q8_pair.h"

typedef __m256 vecf;
#define f_load(p) _mm256_loadu_ps(p)
#define f_store(p, v) _mm256_storeu_ps(p, v)
#define f_set(f) _mm256_set1_ps(f)
#define f_mul(a, b) _mm256_mul_ps(a, b)
#define f_add(a, b) _mm256_add_ps(a, b)
#define f_clip(v, peak) _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), peak)
#define f_int(v) _mm256_cvtps_epi32(v)
#define v_low_pairs(a, b) _mm256_unpacklo_epi32(a, b)
#define v_high_pairs(a, b) _mm256_unpackhi_epi32(a, b)

/* The first byte, or the first two, of each dword. */
static inline void v_narrow(uint8_t *to, vec v, int bytes)
{
    static const int8_t one[16] = {0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    static const int8_t two[16] = {0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1};
    v = v_shuffle(v, v_lanes(bytes == 1 ? one : two));
    __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
    if (bytes == 1)
        _mm_storel_epi64((__m128i *)to, _mm_unpacklo_epi32(low, high));
    else
        _mm_storeu_si128((__m128i *)to, _mm_unpacklo_epi64(low, high));
}

static inline void twelve(uint8_t *to, __m128i v)
{
    int32_t last = _mm_extract_epi32(v, 2);
    _mm_storel_epi64((__m128i *)to, v);
    memcpy(to + 8, &last, sizeof(last));
}

static inline void v_twelve(uint8_t *to, vec v)
{
    twelve(to, _mm256_castsi256_si128(v));
    twelve(to + 12, _mm256_extracti128_si256(v, 1));
}

static inline void v_twelve_turned(uint8_t *to, vec a, vec b)
{
    v_twelve(to, _mm256_permute2x128_si256(a, b, 0x20));
    v_twelve(to + 24, _mm256_permute2x128_si256(a, b, 0x31));
}

static inline void v_store_turned(uint8_t *to, vec a, vec b)
{
    v_store(to, _mm256_permute2x128_si256(a, b, 0x20));
    v_store(to + 32, _mm256_permute2x128_si256(a, b, 0x31));
}

#include "engine/dsp/x86/q8_ends.h"

void sh_q8_init_avx2(sh_dsp *dsp)
{
    init_simd(dsp);
}
