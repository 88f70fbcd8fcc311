/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/point_body.h"

void sh_point_init_avx512(sh_dsp *dsp)
{
    dsp->sub = sub_points;
    dsp->mul = mul_points;
    dsp->quant = quant_points;
    dsp->curve = curve_points;
}
