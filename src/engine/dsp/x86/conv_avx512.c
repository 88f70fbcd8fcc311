/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 24 sums, 3 or 6 inputs and a weight in 32 registers. */
#include "engine/dsp/x86/simd_avx512.h"
#include "engine/dsp/x86/act_simd.h"

#define WIDE_OUTPUTS 8
#define WIDE 3
#define NARROW 6
#define v_act(v, conv, output)                                                                               \
    v_activate(v, (conv)->act, v_set((conv)->act == SH_ACT_CLIP ? (conv)->low : (conv)->slope[output]),      \
               v_set((conv)->high))
#define v_tap(sums, from, w, outputs, vectors) 0
#include "engine/dsp/x86/conv_simd.h"

void sh_conv_init_avx512(sh_dsp *dsp)
{
    dsp->conv = conv_simd;
}
