/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 24 sums, 3 vectors of pixels and a weight in 32 registers. */
#include "engine/dsp/x86/q8_512.h"

#define v_dot(sum, u, s) _mm512_dpbusd_epi32(sum, u, s)
#define v_dot_words(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#define OUTPUTS 8
#define VECTORS 3
#define v_tap(sums, from, w) 0
#include "engine/dsp/x86/q8_dot.h"

void sh_q8_init_avx512vnni(sh_dsp *dsp)
{
    dsp->q8_first = first_simd;
    dsp->q8_conv = conv_simd;
    dsp->q8_sums = sums_simd;
    dsp->q8_peak = peak_simd;
}
