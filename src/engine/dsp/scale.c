/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/dsp.h"

static int32_t clip(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* ---- sums of six ---- */

void sh_fir_in8_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    int16_t *to = out;
    (void)depth;
    for (int x = 0; x < n; x++) {
        int32_t v = -(1 << 21) + (1 << 6);
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += ((const uint8_t *)in[t])[x] * taps[t];
        to[x] = (int16_t)clip(v >> 7, INT16_MIN, INT16_MAX);
    }
}

void sh_fir_in16_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    int16_t *to = out;
    for (int x = 0; x < n; x++) {
        int32_t v = -(1 << (depth + 13)) + (1 << (depth - 2));
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += ((const int16_t *)in[t])[x] * taps[t];
        to[x] = (int16_t)clip(v >> (depth - 1), INT16_MIN, INT16_MAX);
    }
}

void sh_fir_deep_in_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    int32_t *to = out;
    (void)depth;
    for (int x = 0; x < n; x++) {
        int32_t v = 1 << 13;
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += (((const uint16_t *)in[t])[x] - 32768) * taps[t];
        to[x] = v >> 14;
    }
}

void sh_fir_out8_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    uint8_t *to = out;
    (void)depth;
    for (int x = 0; x < n; x++) {
        int32_t v = (1 << 28) + (1 << 20);
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += ((const int16_t *)in[t])[x] * taps[t];
        to[x] = (uint8_t)clip(v >> 21, 0, 255);
    }
}

void sh_fir_out16_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    uint16_t *to = out;
    for (int x = 0; x < n; x++) {
        int32_t v = (1 << 28) + (1 << (28 - depth));
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += ((const int16_t *)in[t])[x] * taps[t];
        to[x] = (uint16_t)clip(v >> (29 - depth), 0, (1 << depth) - 1);
    }
}

void sh_fir_deep_out_c(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    uint16_t *to = out;
    (void)depth;
    for (int x = 0; x < n; x++) {
        int32_t v = (1 << 29) + (1 << 13);
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v += ((const int32_t *)in[t])[x] * taps[t];
        to[x] = (uint16_t)clip(v >> 14, 0, 65535);
    }
}

/* ---- range ---- */

#define EXTREMES(name, type)                                                                                 \
    void name(void *lo, void *hi, const void *const *low, const void *const *high, int n, int black,         \
              int white)                                                                                     \
    {                                                                                                        \
        for (int x = 0; x < n; x++) {                                                                        \
            int least = black, most = white;                                                                 \
            for (int i = 0; i < 3; i++) {                                                                    \
                int a = ((const type *)low[i])[x], b = ((const type *)high[i])[x];                           \
                least = a < least ? a : least;                                                               \
                most = b > most ? b : most;                                                                  \
            }                                                                                                \
            ((type *)lo)[x] = (type)least;                                                                   \
            ((type *)hi)[x] = (type)most;                                                                    \
        }                                                                                                    \
    }

#define LIMIT(name, type)                                                                                    \
    void name(void *row, const void *lo, const void *hi, int n)                                              \
    {                                                                                                        \
        type *to = row;                                                                                      \
        for (int x = 0; x < n; x++)                                                                          \
            to[x] = (type)clip(to[x], ((const type *)lo)[x], ((const type *)hi)[x]);                         \
    }

/* ---- packing ---- */

#define ZIP(name, type)                                                                                      \
    void name(void *out, const void *const *in, int count, int n, int shift)                                 \
    {                                                                                                        \
        type *to = out;                                                                                      \
        for (int i = 0; i < count; i++)                                                                      \
            for (int x = 0; x < n; x++)                                                                      \
                to[count * x + i] = (type)(((const type *)in[i])[x] << shift);                               \
    }

#define UNZIP(name, type)                                                                                    \
    void name(void *const *out, const void *in, int count, int n, int shift)                                 \
    {                                                                                                        \
        const type *from = in;                                                                               \
        for (int i = 0; i < count; i++)                                                                      \
            for (int x = 0; x < n; x++)                                                                      \
                ((type *)out[i])[x] = (type)(from[count * x + i] >> shift);                                  \
    }

#define BLEND(name, type)                                                                                    \
    void name(void *out, const void *base, const void *net, int n, int weight)                               \
    {                                                                                                        \
        const type *a = base, *b = net;                                                                      \
        for (int x = 0; x < n; x++)                                                                          \
            ((type *)out)[x] = (type)((a[x] * (256 - weight) + b[x] * weight + 128) >> 8);                   \
    }

EXTREMES(sh_extremes8_c, uint8_t)
EXTREMES(sh_extremes16_c, uint16_t)
LIMIT(sh_limit8_c, uint8_t)
LIMIT(sh_limit16_c, uint16_t)
ZIP(sh_zip8_c, uint8_t)
ZIP(sh_zip16_c, uint16_t)
UNZIP(sh_unzip8_c, uint8_t)
UNZIP(sh_unzip16_c, uint16_t)
BLEND(sh_blend8_c, uint8_t)
BLEND(sh_blend16_c, uint16_t)

void sh_scale_init_c(sh_dsp *dsp)
{
    dsp->fir_in8 = sh_fir_in8_c;
    dsp->fir_in16 = sh_fir_in16_c;
    dsp->fir_deep_in = sh_fir_deep_in_c;
    dsp->fir_out8 = sh_fir_out8_c;
    dsp->fir_out16 = sh_fir_out16_c;
    dsp->fir_deep_out = sh_fir_deep_out_c;
    dsp->extremes8 = sh_extremes8_c;
    dsp->extremes16 = sh_extremes16_c;
    dsp->limit8 = sh_limit8_c;
    dsp->limit16 = sh_limit16_c;
    dsp->zip8 = sh_zip8_c;
    dsp->zip16 = sh_zip16_c;
    dsp->unzip8 = sh_unzip8_c;
    dsp->unzip16 = sh_unzip16_c;
    dsp->blend8 = sh_blend8_c;
    dsp->blend16 = sh_blend16_c;
}
