/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of *_simd.h in AVX-512. */
#include <immintrin.h>

typedef __m512 vec;
typedef __mmask16 part;
#define LANES 16

#define v_part(n) ((part)((1u << (n)) - 1))
#define v_load(p) _mm512_loadu_ps(p)
#define v_load_part(p, lanes) _mm512_maskz_loadu_ps(lanes, p)
#define v_store(p, v) _mm512_storeu_ps(p, v)
#define v_store_part(p, v, lanes) _mm512_mask_storeu_ps(p, lanes, v)
#define v_set(f) _mm512_set1_ps(f)
#define v_keep(v) __asm__("" : "+v"(v))
#define v_zero() _mm512_setzero_ps()
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_min(a, b) _mm512_min_ps(a, b)
/* v < 0 ? v * a : v */
#define v_slope(v, a) _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, a)

/* a0 b0 a1 b1 ... */
static inline void v_store_two(float *p, vec a, vec b)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    v_store(p, _mm512_permutex2var_ps(a, low, b));
    v_store(p + LANES, _mm512_permutex2var_ps(a, high, b));
}
