/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_CONV_H
#define SH_ENGINE_DSP_CONV_H
/* One row of a convolution and of the activation that follows it.
 *
 * Layout: each channel's row is its own array (planar), and vectors run along x. A block of SH_CONV_BLOCK
 * outputs by a few vectors of x then keeps all accumulators in registers, and one load of input serves the
 * whole block: about one load for two multiply-adds, where vectors along the channels would need one for
 * each. It also serves every count of channels, 1 -> 16 and 16 -> 4 as well as 16 -> 16, without padding.
 *
 * Order: each output starts at its bias and adds its products in the order ky, input channel, kx. At one
 * level every output sample goes through the same operations wherever it stands in the row, so that results
 * do not depend on how a picture is cut. Between levels they differ by rounding only (the scalar form rounds
 * each product, the others fuse): by at most SH_CONV_TOLERANCE times the sum of the absolute products and
 * bias. */
#include <stddef.h>

#define SH_CONV_BLOCK 4
#define SH_CONV_TOLERANCE 1e-5f

typedef struct sh_conv {
    int inputs, outputs, kernel_h, kernel_w;
    int blocks;           /* of SH_CONV_BLOCK outputs, the last one filled with zeros */
    const float *weights; /* [block][ky][input][kx][SH_CONV_BLOCK] */
    const float *bias;    /* [blocks * SH_CONV_BLOCK] */
    int act;              /* a sh_act_kind */
    const float *slope;   /* [blocks * SH_CONV_BLOCK], for SH_ACT_SLOPE and SH_ACT_BIAS */
    float low, high;      /* for SH_ACT_CLIP */
} sh_conv;

/* out[o][x] for 0 <= x < n and each of the conv->outputs rows o. in[ky * inputs + i] is the input row that
 * tap row ky reads of channel i, at the column of tap 0 of output 0: in[...][0 .. n + kernel_w - 2] are read,
 * nothing else. Nothing outside out[o][0 .. n - 1] is written. No row needs any alignment. n >= 1. */
typedef void (*sh_conv_fn)(float *const *out, const float *const *in, const sh_conv *conv, int n);

/* Floats that the packed weights of such a convolution take; 0 when that is too many to count. */
size_t sh_conv_packed_size(int outputs, int inputs, int kernel_h, int kernel_w);
/* From [output][input][ky][kx] to sh_conv's order. */
void sh_conv_pack(float *packed, const float *weights, int outputs, int inputs, int kernel_h, int kernel_w);

struct sh_dsp;
void sh_conv_init_c(struct sh_dsp *dsp);
void sh_conv_init_avx2(struct sh_dsp *dsp);
void sh_conv_init_avx512(struct sh_dsp *dsp);

#endif
