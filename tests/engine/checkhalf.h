/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_CHECKHALF_H
#define TESTS_ENGINE_CHECKHALF_H
/* The kernels of half.h at one level against the scalar ones, and against whole numbers: the same bits.
 * Failures are cmocka's. */
#include "engine/dsp/dsp.h"

void checkhalf_conv(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkhalf_widen(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkhalf_narrow(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkhalf_peak(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);

#endif
