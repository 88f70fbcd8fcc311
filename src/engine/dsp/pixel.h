/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_PIXEL_H
#define SH_ENGINE_DSP_PIXEL_H
/* Samples to floats and back. The same bits at every level. No row needs any alignment beyond its type's;
 * nothing outside the first n elements is read or written; n >= 1. */

/* out[x] = in[x] * (1 / peak), the inverse rounded to float first. in holds uint8_t (load8) or uint16_t
 * (load16). A sample above peak is taken as it is. peak: 255..65535. */
typedef void (*sh_load_fn)(float *out, const void *in, int n, int peak);

/* out[x] = in[x] * peak clipped to 0..peak and rounded to nearest, ties to even; not a number gives 0. out
 * holds uint8_t (store8, peak 255) or uint16_t (store16). */
typedef void (*sh_store_fn)(void *out, const float *in, int n, int peak);

struct sh_dsp;
void sh_pixel_init_c(struct sh_dsp *dsp);
void sh_pixel_init_avx2(struct sh_dsp *dsp);
void sh_pixel_init_avx512(struct sh_dsp *dsp);

#endif
