/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of *_simd.h in AVX2 and FMA. */
#include <immintrin.h>
#include <stdint.h>

typedef __m256 vec;
typedef __m256i part;
#define LANES 8

static const int32_t part_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
#define v_part(n) _mm256_loadu_si256((const __m256i *)(part_table + 8 - (n)))
#define v_load(p) _mm256_loadu_ps(p)
#define v_load_part(p, lanes) _mm256_maskload_ps(p, lanes)
#define v_store(p, v) _mm256_storeu_ps(p, v)
#define v_store_part(p, v, lanes) _mm256_maskstore_ps(p, lanes, v)
#define v_set(f) _mm256_set1_ps(f)
#define v_keep(v) __asm__("" : "+x"(v))
#define v_zero() _mm256_setzero_ps()
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_min(a, b) _mm256_min_ps(a, b)
/* v < 0 ? v * a : v */
#define v_slope(v, a)                                                                                        \
    _mm256_blendv_ps(v, _mm256_mul_ps(v, a), _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ))

/* a0 b0 a1 b1 ... */
static inline void v_store_two(float *p, vec a, vec b)
{
    vec low = _mm256_unpacklo_ps(a, b), high = _mm256_unpackhi_ps(a, b);
    v_store(p, _mm256_permute2f128_ps(low, high, 0x20));
    v_store(p + LANES, _mm256_permute2f128_ps(low, high, 0x31));
}
