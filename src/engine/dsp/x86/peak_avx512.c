/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/x86/simd_avx512.h"

enum { CHAINS = 24 };
#include "engine/dsp/x86/peak_simd.h"

void sh_peak_init_avx512(sh_dsp *dsp)
{
    dsp->peak = peak_simd;
}
