/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_CHECKSCALE_H
#define TESTS_ENGINE_CHECKSCALE_H
/* The kernels of scale.h at one level against the scalar ones. Failures are cmocka's. */
#include "engine/dsp/dsp.h"

void checkscale_fir(sh_fir_fn scalar, sh_fir_fn level, int in_bits, int out_bytes, int depth, uint32_t *seed);
void checkscale_extremes(sh_extremes_fn scalar, sh_extremes_fn level, int bytes, uint32_t *seed);
void checkscale_limit(sh_limit_fn scalar, sh_limit_fn level, int bytes, uint32_t *seed);
void checkscale_zip(sh_zip_fn scalar, sh_zip_fn level, int bytes, uint32_t *seed);
void checkscale_unzip(sh_unzip_fn scalar, sh_unzip_fn level, int bytes, uint32_t *seed);
void checkscale_blend(sh_blend_fn scalar, sh_blend_fn level, int bytes, uint32_t *seed);

#endif
