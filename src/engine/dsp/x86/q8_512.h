/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of q8_*.h in AVX-512 F, BW, DQ and VL: a vector is 16 pixels of four channels. */
#include <immintrin.h>
#include <stdint.h>

typedef __m512i vec;
#define PIXELS 16

#define v_load(p) _mm512_loadu_si512((const void *)(p))
#define v_store(p, v) _mm512_storeu_si512((void *)(p), v)
#define v_set(i) _mm512_set1_epi32(i)
#define v_set16(i) _mm512_set1_epi16(i)
#define v_zero() _mm512_setzero_si512()
#define v_keep(v) __asm__("" : "+v"(v))
#define v_lanes(p) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(p)))
#define v_add(a, b) _mm512_add_epi32(a, b)
#define v_add16(a, b) _mm512_add_epi16(a, b)
#define v_or(a, b) _mm512_or_si512(a, b)
#define v_left(v, bits) _mm512_slli_epi32(v, bits)
#define v_right(v, count) _mm512_sra_epi32(v, count)
#define v_pack32(a, b) _mm512_packs_epi32(a, b)
#define v_pack16(a, b) _mm512_packus_epi16(a, b)
#define v_scale(a, b) _mm512_mulhrs_epi16(a, b)
#define v_shuffle(v, order) _mm512_shuffle_epi8(v, order)
#define v_bytes_by_words(u, s) _mm512_maddubs_epi16(u, s)
#define v_words(a, b) _mm512_madd_epi16(a, b)
#define v_float(v) _mm512_cvtepi32_ps(v)

/* p[0] q[0] p[1] q[1] ... of 16-bit numbers. */
static inline vec v_zip(const int16_t *p, const int16_t *q)
{
    vec low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    vec high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)q));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}
