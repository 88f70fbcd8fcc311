/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include "base/size.h"
#include <string.h>

size_t sh_conv_packed_size(int outputs, int inputs, int kernel_h, int kernel_w)
{
    size_t blocks = ((size_t)outputs + SH_CONV_BLOCK - 1) / SH_CONV_BLOCK, size;
    if (!sh_mul_size(blocks * SH_CONV_BLOCK, (size_t)inputs, &size) ||
        !sh_mul_size(size, (size_t)kernel_h, &size) || !sh_mul_size(size, (size_t)kernel_w, &size))
        return 0;
    return size;
}

void sh_conv_pack(float *packed, const float *weights, int outputs, int inputs, int kernel_h, int kernel_w)
{
    size_t taps = (size_t)kernel_h * (size_t)kernel_w;
    memset(packed, 0, sh_conv_packed_size(outputs, inputs, kernel_h, kernel_w) * sizeof(float));
    for (int o = 0; o < outputs; o++)
        for (int ky = 0; ky < kernel_h; ky++)
            for (int i = 0; i < inputs; i++)
                for (int kx = 0; kx < kernel_w; kx++) {
                    size_t from =
                        ((size_t)o * (size_t)inputs + (size_t)i) * taps + (size_t)(ky * kernel_w + kx);
                    size_t to = (size_t)(o / SH_CONV_BLOCK) * (size_t)inputs * taps +
                                ((size_t)ky * (size_t)inputs + (size_t)i) * (size_t)kernel_w + (size_t)kx;
                    packed[to * SH_CONV_BLOCK + (size_t)(o % SH_CONV_BLOCK)] = weights[from];
                }
}

/* One output row, tap after tap: the inner loop runs along x, which a compiler turns into what vectors it
 * has. */
static void conv_output(float *out, const float *const *in, const sh_conv *conv, int o, int n)
{
    int rows = conv->kernel_h * conv->inputs, kw = conv->kernel_w;
    const float *w =
        conv->weights + (size_t)(o / SH_CONV_BLOCK) * (size_t)(rows * kw) * SH_CONV_BLOCK + o % SH_CONV_BLOCK;
    for (int x = 0; x < n; x++)
        out[x] = conv->bias[o];
    for (int row = 0; row < rows; row++)
        for (int kx = 0; kx < kw; kx++, w += SH_CONV_BLOCK) {
            const float *from = in[row] + kx, tap = *w;
            for (int x = 0; x < n; x++)
                out[x] += tap * from[x];
        }
}

static void conv_c(float *const *out, const float *const *in, const sh_conv *conv, int n)
{
    sh_dsp dsp;
    sh_row_init_c(&dsp);
    for (int o = 0; o < conv->outputs; o++) {
        int clip = conv->act == SH_ACT_CLIP;
        conv_output(out[o], in, conv, o, n);
        if (conv->act)
            dsp.act(out[o], out[o], n, conv->act,
                    clip          ? conv->low
                    : conv->slope ? conv->slope[o]
                                  : 0,
                    conv->high);
    }
}

void sh_conv_init_c(sh_dsp *dsp)
{
    dsp->conv = conv_c;
}
