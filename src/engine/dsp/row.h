/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_ROW_H
#define SH_ENGINE_DSP_ROW_H
/* Work on single rows of floats. All give the same bits at every level. No row needs any alignment; nothing
 * outside the named ranges is read or written; n >= 1. */

/* out[x] = activation(in[x]). kind is a sh_act_kind; a is the slope (SLOPE), the bias (BIAS) or the low bound
 * (CLIP), b the high bound. out may be in. A value that is not a number stays one, except through RELU and
 * CLIP, which give their lower bound for it. */
typedef void (*sh_act_fn)(float *out, const float *in, int n, int kind, float a, float b);

/* out[x] = a[x] + b[x]. out may be a or b. */
typedef void (*sh_add_fn)(float *out, const float *a, const float *b, int n);

/* out[x * block + i] = in[i][x] for 0 <= i < block, 0 <= x < n. 1 <= block <= 8. */
typedef void (*sh_shuffle_fn)(float *out, const float *const *in, int block, int n);

struct sh_dsp;
void sh_row_init_c(struct sh_dsp *dsp);
void sh_row_init_avx2(struct sh_dsp *dsp);
void sh_row_init_avx512(struct sh_dsp *dsp);

#endif
