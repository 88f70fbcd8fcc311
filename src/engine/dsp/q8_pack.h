/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_Q8_PACK_H
#define SH_ENGINE_DSP_Q8_PACK_H
/* Weights as the integer kernels want them. */
#include "engine/dsp/q8.h"

/* What may stand before widening: 255 times it is at most 32767. */
#define SH_Q8_PAIR 128

/* Rows of weights that such a convolution has: outputs, twice when split. */
int sh_q8_lanes(const sh_q8_conv *conv);
/* Bytes of packed weights. */
size_t sh_q8_weights_size(const sh_q8_conv *conv);
/* From [lanes][channels][ky][kx] to the order of sh_q8_conv. A lane is an output; when split, 2 * o and
 * 2 * o + 1 are the upper and lower parts of output o. */
void sh_q8_pack(int8_t *packed, const int8_t *weights, const sh_q8_conv *conv);
/* Taps that sh_q8_pair may need at most for a convolution: room to be given to it. */
size_t sh_q8_pair_room(const sh_q8_conv *conv);
/* Makes conv's passes, sh_q8_lanes / 4 of them, from its packed weights. */
void sh_q8_pair(const sh_q8_conv *conv, sh_q8_pass *pass, sh_q8_tap *taps);

#endif
