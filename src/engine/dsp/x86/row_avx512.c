/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/x86/simd_avx512.h"
#include "engine/dsp/x86/act_simd.h"
#include "engine/dsp/x86/row_simd.h"

void sh_row_init_avx512(sh_dsp *dsp)
{
    dsp->act = act_simd;
    dsp->add = add_simd;
    dsp->shuffle = shuffle_simd;
}
