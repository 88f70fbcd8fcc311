/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 24 sums, 3 or 6 inputs and a weight in 32 registers. The multiply-add is in assembly because compilers take
 * the form of it that overwrites a factor, and move and store the sums about at every tap. */
#include "engine/dsp/x86/half_rows512.h"

#define HALF_OWN 1

typedef __m512h hvec;
#define h_load(p) _mm512_loadu_ph(p)
#define h_load_part(p, lanes) _mm512_castsi512_ph(_mm512_maskz_loadu_epi16(lanes, p))
#define h_weight(p) _mm512_castsi512_ph(_mm512_set1_epi32((int)*(p)))
#define h_zero() _mm512_setzero_ph()
#define h_keep(v) __asm__ volatile("" : "+v"(v))
#define h_low(v) _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_castph_si512(v)))
#define h_high(v) _mm512_cvtph_ps(_mm512_extracti64x4_epi64(_mm512_castph_si512(v), 1))

static inline __attribute__((always_inline)) hvec h_fma(hvec a, hvec b, hvec c)
{
    __asm__ volatile("vfmadd231ph %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
}

#include "engine/dsp/x86/half_simd.h"

void sh_half_init_avx512fp16(sh_dsp *dsp)
{
    dsp->half_conv = half_conv_simd;
    dsp->half_peak = half_peak_simd;
}
