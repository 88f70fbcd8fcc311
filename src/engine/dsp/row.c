/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include <string.h>

static float act_one(float v, int kind, float a, float b)
{
    switch (kind) {
    case SH_ACT_RELU:
        return v > 0 ? v : 0;
    case SH_ACT_SLOPE:
        return v < 0 ? v * a : v;
    case SH_ACT_CLIP:
        v = v > a ? v : a;
        return v < b ? v : b;
    case SH_ACT_BIAS:
        return v + a;
    default:
        return v;
    }
}

static void act_c(float *out, const float *in, int n, int kind, float a, float b)
{
    for (int x = 0; x < n; x++)
        out[x] = act_one(in[x], kind, a, b);
}

static void add_c(float *out, const float *a, const float *b, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = a[x] + b[x];
}

static void shuffle_c(float *out, const float *const *in, int block, int n)
{
    for (int x = 0; x < n; x++)
        for (int i = 0; i < block; i++)
            out[(size_t)x * (size_t)block + (size_t)i] = in[i][x];
}

void sh_row_init_c(sh_dsp *dsp)
{
    dsp->act = act_c;
    dsp->add = add_c;
    dsp->shuffle = shuffle_c;
}
