/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_CHECKQ8_H
#define TESTS_ENGINE_CHECKQ8_H
/* The kernels of q8.h at one level against the scalar ones: the same bits. Failures are cmocka's. */
#include "engine/dsp/dsp.h"

void checkq8_load8(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_load16(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_first(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_conv(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_sums(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_base(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_finish8(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_finish16(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);
void checkq8_peak(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed);

#endif
