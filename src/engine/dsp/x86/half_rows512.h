/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What half_simd.h needs in AVX-512 with and without FP16. */
#include "engine/dsp/dsp.h"
#include "engine/dsp/x86/simd_avx512.h"

typedef __mmask32 hpart;
#define h_part(n) ((hpart)(((uint64_t)1 << (n)) - 1))

#define HALF_WIDE_OUTPUTS 8
#define HALF_WIDE 3
#define HALF_NARROW 6

static inline vec n_load(const sh_half *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline vec n_load_part(const sh_half *p, int n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(v_part(n), p));
}

static inline __m256i n_round(vec v)
{
    v = v_min(v_max(v, v_set(-SH_HALF_LARGEST)), v_set(SH_HALF_LARGEST));
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline void n_store(sh_half *p, vec v)
{
    _mm256_storeu_si256((__m256i *)p, n_round(v));
}

static inline void n_store_part(sh_half *p, vec v, int n)
{
    _mm256_mask_storeu_epi16(p, v_part(n), n_round(v));
}
