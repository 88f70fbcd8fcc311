/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/dsp.h"
#include <math.h>
#include <stdint.h>

static void load8_c(float *out, const void *in, int n, int peak)
{
    const uint8_t *from = in;
    float unit = 1.0f / (float)peak;
    for (int x = 0; x < n; x++)
        out[x] = (float)from[x] * unit;
}

static void load16_c(float *out, const void *in, int n, int peak)
{
    const uint16_t *from = in;
    float unit = 1.0f / (float)peak;
    for (int x = 0; x < n; x++)
        out[x] = (float)from[x] * unit;
}

static long sample(float v, float peak)
{
    v *= peak;
    v = v > 0 ? v : 0;
    return lrintf(v < peak ? v : peak);
}

static void store8_c(void *out, const float *in, int n, int peak)
{
    uint8_t *to = out;
    for (int x = 0; x < n; x++)
        to[x] = (uint8_t)sample(in[x], (float)peak);
}

static void store16_c(void *out, const float *in, int n, int peak)
{
    uint16_t *to = out;
    for (int x = 0; x < n; x++)
        to[x] = (uint16_t)sample(in[x], (float)peak);
}

void sh_pixel_init_c(sh_dsp *dsp)
{
    dsp->load8 = load8_c;
    dsp->load16 = load16_c;
    dsp->store8 = store8_c;
    dsp->store16 = store16_c;
}
