/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/dsp.h"
#include "engine/dsp/x86/simd_avx2.h"
#include <string.h>

#define HALF_OWN 0
#define HALF_WIDE_OUTPUTS 0
#define HALF_NARROW 1
#define v_sub(a, b) _mm256_sub_ps(a, b)
#define t_broadcast(h) _mm256_cvtph_ps(_mm_set1_epi16((short)(h)))
#define ROUNDING (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define t_round(v) _mm256_cvtph_ps(_mm256_cvtps_ph(v, ROUNDING))

typedef int hpart;
#define h_part(n) (n)

static inline vec n_load(const sh_half *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline vec n_load_part(const sh_half *p, int n)
{
    sh_half some[LANES] = {0};
    memcpy(some, p, (size_t)n * sizeof(*p));
    return n_load(some);
}

static inline __m128i n_round(vec v)
{
    v = v_min(v_max(v, v_set(-SH_HALF_LARGEST)), v_set(SH_HALF_LARGEST));
    return _mm256_cvtps_ph(v, ROUNDING);
}

static inline void n_store(sh_half *p, vec v)
{
    _mm_storeu_si128((__m128i *)p, n_round(v));
}

static inline void n_store_part(sh_half *p, vec v, int n)
{
    sh_half some[LANES];
    n_store(some, v);
    memcpy(p, some, (size_t)n * sizeof(*p));
}

/* Comparisons give -1 where they hold. */
static inline __attribute__((always_inline)) vec t_odd(vec sum, vec error)
{
    __m256i bits = _mm256_castps_si256(sum);
    __m256i inexact = _mm256_castps_si256(_mm256_cmp_ps(error, v_zero(), _CMP_NEQ_OQ));
    __m256i unlike = _mm256_srai_epi32(_mm256_xor_si256(bits, _mm256_castps_si256(error)), 31);
    bits = _mm256_add_epi32(bits, _mm256_and_si256(inexact, unlike));
    return _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_srli_epi32(inexact, 31)));
}

#include "engine/dsp/x86/half_twin.h"

static inline hvec h_load_part(const sh_half *p, hpart lanes)
{
    sh_half some[2 * LANES] = {0};
    memcpy(some, p, (size_t)lanes * sizeof(*p));
    return h_load(some);
}

#include "engine/dsp/x86/half_simd.h"

void sh_half_init_avx2(sh_dsp *dsp)
{
    dsp->half_conv = half_conv_simd;
    dsp->half_widen = half_widen_simd;
    dsp->half_narrow = half_narrow_simd;
    dsp->half_peak = half_peak_simd;
}
