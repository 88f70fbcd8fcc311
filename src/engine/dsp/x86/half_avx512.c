/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/x86/half_rows512.h"

#define HALF_OWN 0
#define v_sub(a, b) _mm512_sub_ps(a, b)
#define t_broadcast(h) _mm512_cvtph_ps(_mm256_set1_epi16((short)(h)))
#define ROUNDING (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define t_round(v) _mm512_cvtph_ps(_mm512_cvtps_ph(v, ROUNDING))

static inline __attribute__((always_inline)) vec t_odd(vec sum, vec error)
{
    __m512i bits = _mm512_castps_si512(sum), one = _mm512_set1_epi32(1);
    part inexact = _mm512_cmp_ps_mask(error, v_zero(), _CMP_NEQ_OQ);
    part less = inexact & _mm512_movepi32_mask(_mm512_xor_si512(bits, _mm512_castps_si512(error)));
    bits = _mm512_mask_sub_epi32(bits, less, bits, one);
    return _mm512_castsi512_ps(_mm512_mask_or_epi32(bits, inexact, bits, one));
}

#include "engine/dsp/x86/half_twin.h"

static inline hvec h_load_part(const sh_half *p, hpart lanes)
{
    __m512i v = _mm512_maskz_loadu_epi16(lanes, p);
    return (hvec){_mm512_cvtph_ps(_mm512_castsi512_si256(v)),
                  _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v, 1))};
}

#include "engine/dsp/x86/half_simd.h"

void sh_half_init_avx512(sh_dsp *dsp)
{
    dsp->half_conv = half_conv_simd;
    dsp->half_widen = half_widen_simd;
    dsp->half_narrow = half_narrow_simd;
    dsp->half_peak = half_peak_simd;
}
