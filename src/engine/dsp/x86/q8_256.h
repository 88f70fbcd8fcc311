/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of q8_*.h in AVX2: a vector is 8 pixels of four channels. */
#include <immintrin.h>
#include <stdint.h>

typedef __m256i vec;
#define PIXELS 8

#define v_load(p) _mm256_loadu_si256((const __m256i *)(p))
#define v_store(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define v_set(i) _mm256_set1_epi32(i)
#define v_set16(i) _mm256_set1_epi16(i)
#define v_zero() _mm256_setzero_si256()
#define v_keep(v) __asm__("" : "+x"(v))
#define v_lanes(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p)))
#define v_add(a, b) _mm256_add_epi32(a, b)
#define v_add16(a, b) _mm256_add_epi16(a, b)
#define v_or(a, b) _mm256_or_si256(a, b)
#define v_left(v, bits) _mm256_slli_epi32(v, bits)
#define v_right(v, count) _mm256_sra_epi32(v, count)
#define v_pack32(a, b) _mm256_packs_epi32(a, b)
#define v_pack16(a, b) _mm256_packus_epi16(a, b)
#define v_scale(a, b) _mm256_mulhrs_epi16(a, b)
#define v_shuffle(v, order) _mm256_shuffle_epi8(v, order)
#define v_bytes_by_words(u, s) _mm256_maddubs_epi16(u, s)
#define v_words(a, b) _mm256_madd_epi16(a, b)
#define v_float(v) _mm256_cvtepi32_ps(v)

/* p[0] q[0] p[1] q[1] ... of 16-bit numbers. */
static inline vec v_zip(const int16_t *p, const int16_t *q)
{
    __m128i a = _mm_loadu_si128((const __m128i *)p), b = _mm_loadu_si128((const __m128i *)q);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(a, b)), _mm_unpackhi_epi16(a, b),
                                   1);
}
