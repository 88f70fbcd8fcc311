/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_POINT_H
#define SH_ENGINE_DSP_POINT_H
/* Work on one sample after another that compilers turn into vectors by themselves: one body in C
 * (point_body.h), compiled for each level. All give the same bits at every level: there is no fused
 * multiply-add and no approximate instruction in them. No row needs any alignment; nothing outside the named
 * ranges is read or written; n >= 1. */

/* out[x] = a[x] - b[x], and a[x] * b[x] (of sh_add_fn's type, see row.h). out may be a or b. */

/* out[x] = min(max(rint(in[x] / scale), low), high) * scale, halves to even. What is not a number gives low.
 * out may be in. |low|, |high| <= 2^17. */
typedef void (*sh_quant_fn)(float *out, const float *in, int n, float scale, int low, int high);

/* out[x] = activation(in[x]) for the kinds from SH_ACT_SCALE on; a is the slope (SCALE) or the factor, b the
 * term (HARD_SIGMOID). Within SH_CURVE_TOLERANCE of the exact value, absolutely for what lies within -1..1,
 * relatively above. What is not a number gives some number, or none. out may be in. */
#define SH_CURVE_TOLERANCE 5e-7f
typedef void (*sh_curve_fn)(float *out, const float *in, int n, int kind, float a, float b);

struct sh_dsp;
void sh_point_init_c(struct sh_dsp *dsp);
void sh_point_init_avx2(struct sh_dsp *dsp);
void sh_point_init_avx512(struct sh_dsp *dsp);

#endif
