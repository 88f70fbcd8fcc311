/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_HALF_H
#define SH_ENGINE_DSP_HALF_H
/* Convolutions on half floats (IEEE binary16), and the way into and out of them.
 *
 * A half has 11 bits, too few for a sum of hundreds of products. So a sum is made in groups: the products of
 * `group_rows` consecutive rows of input are added in halves, each by a multiply-add that rounds once, and
 * the groups are added in single floats, to which scale, bias and activation are then applied. Between two
 * layers a value is rounded to a half once. docs/engine.md has what that costs.
 *
 * The weights of an output are multiplied by a power of two so that the largest lies in [1/8, 1/4), and the
 * sum by its inverse: then neither do small weights lose bits below the smallest half, nor do groups run over
 * the largest, 65504, for values below about 5000.
 *
 * Every operation here has one result, so that all levels give the same bits (but for what is not a number):
 * the level AVX-512 FP16 by its own instructions, the others by longer ways. The layout is that of conv.h. */
#include "engine/dsp/conv.h"
#include "engine/dsp/peak.h"
#include <stdint.h>

typedef uint16_t sh_half; /* the bits of a half */

#define SH_HALF_LARGEST 65504.0f
/* Products that are added in halves, about: group_rows is the rows of input that give so many. */
#define SH_HALF_GROUP 96

typedef struct sh_half_conv {
    int inputs, outputs, kernel_h, kernel_w;
    int blocks;              /* of SH_CONV_BLOCK outputs, the last one filled with zeros */
    int group_rows;          /* rows of input that are summed in halves, >= 1 */
    int single;              /* the outputs are rows of floats, else of halves */
    const uint32_t *weights; /* [block][ky][input][kx][SH_CONV_BLOCK], each a half, twice */
    const float *scale;      /* [blocks * SH_CONV_BLOCK], powers of two */
    const float *bias;       /* likewise */
    int act;                 /* a sh_act_kind up to SH_ACT_BIAS */
    const float *slope;      /* likewise, for SH_ACT_SLOPE and SH_ACT_BIAS */
    float low, high;         /* for SH_ACT_CLIP */
} sh_half_conv;

/* As sh_conv_fn, from rows of halves to rows of halves (as half_narrow makes them) or floats: out[o][x] =
 * activation(sum * scale[o] + bias[o]), every operation rounded by itself. */
typedef void (*sh_half_conv_fn)(void *const *out, const sh_half *const *in, const sh_half_conv *conv, int n);

/* out[x] = in[x]. */
typedef void (*sh_half_widen_fn)(float *out, const sh_half *in, int n);

/* out[x] = in[x] rounded to nearest, ties to even. What lies beyond the largest half gives that, with its
 * sign; what is not a number gives -SH_HALF_LARGEST. */
typedef void (*sh_half_narrow_fn)(sh_half *out, const float *in, int n);

/* half_peak is of sh_peak_fn's type (peak.h): multiply-adds of halves. */

/* One value, as half_widen and half_narrow do. */
float sh_half_to_float(sh_half h);
sh_half sh_half_of(float v);
/* From [output][input][ky][kx] to the order, and by the factors, of sh_half_conv. packed has room for
 * sh_conv_packed_size, scale for as many as there are outputs. */
void sh_half_pack(uint32_t *packed, float *scale, const float *weights, int outputs, int inputs, int kernel_h,
                  int kernel_w);

struct sh_dsp;
void sh_half_init_c(struct sh_dsp *dsp);
void sh_half_init_avx2(struct sh_dsp *dsp);
void sh_half_init_avx512(struct sh_dsp *dsp);
void sh_half_init_avx512fp16(struct sh_dsp *dsp);

#endif
