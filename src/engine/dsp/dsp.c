/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/dsp.h"
#include <spyhop/spyhop.h>

void sh_dsp_select(sh_dsp *dsp, int cpu)
{
    sh_conv_init_c(dsp);
    sh_row_init_c(dsp);
    sh_point_init_c(dsp);
    sh_pixel_init_c(dsp);
    sh_peak_init_c(dsp);
    sh_q8_init_c(dsp);
    sh_scale_init_c(dsp);
    sh_half_init_c(dsp);
#if SH_HAVE_X86
    if (cpu < SPYHOP_CPU_AVX2)
        return;
    sh_conv_init_avx2(dsp);
    sh_row_init_avx2(dsp);
    sh_point_init_avx2(dsp);
    sh_pixel_init_avx2(dsp);
    sh_peak_init_avx2(dsp);
    sh_q8_init_avx2(dsp);
    sh_scale_init_avx2(dsp);
    sh_half_init_avx2(dsp);
    if (cpu == SPYHOP_CPU_AVXVNNI)
        sh_q8_init_avxvnni(dsp);
    if (cpu < SPYHOP_CPU_AVX512)
        return;
    sh_conv_init_avx512(dsp);
    sh_row_init_avx512(dsp);
    sh_point_init_avx512(dsp);
    sh_pixel_init_avx512(dsp);
    sh_peak_init_avx512(dsp);
    sh_q8_init_avx512(dsp);
    sh_scale_init_avx512(dsp);
    sh_half_init_avx512(dsp);
    if (cpu < SPYHOP_CPU_AVX512VNNI)
        return;
    sh_q8_init_avx512vnni(dsp);
#if SH_HAVE_FP16
    if (cpu < SPYHOP_CPU_AVX512FP16)
        return;
    sh_half_init_avx512fp16(dsp);
#endif
#endif
}
