/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The specification of the integer kernels. Sums are of uint32_t: they wrap as vectors do. */
#include "engine/dsp/dsp.h"
#include <math.h>

static uint8_t requantise(int32_t sum, int shift, int factor)
{
    int32_t v = sum >> shift;
    v = v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v;
    v = (v * factor + (1 << 14)) >> 15;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* `lanes`: outputs as the weights count them; o: one of these. */
static uint32_t conv_sum(const uint8_t *const *in, const sh_q8_conv *conv, int lanes, int o, int x)
{
    uint32_t sum = 0;
    for (int row = 0; row < SH_Q8_TAPS * conv->groups; row++)
        for (int kx = 0; kx < SH_Q8_TAPS; kx++) {
            const int8_t *w = conv->weights + ((row * SH_Q8_TAPS + kx) * lanes + o) * SH_Q8_GROUP;
            const uint8_t *from = in[row] + (x + kx) * SH_Q8_GROUP;
            for (int c = 0; c < SH_Q8_GROUP; c++)
                sum += (uint32_t)(w[c] * from[c]);
        }
    return sum;
}

static void conv_c(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    for (int o = 0; o < conv->outputs; o++)
        for (int x = 0; x < n; x++) {
            int32_t sum = (int32_t)(conv_sum(in, conv, conv->outputs, o, x) + (uint32_t)conv->bias[o]);
            out[o / SH_Q8_GROUP][x * SH_Q8_GROUP + o % SH_Q8_GROUP] =
                requantise(sum, conv->shift, conv->factor[o * 4]);
        }
}

static void sums_c(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n)
{
    for (int o = 0; o < conv->outputs; o++)
        for (int x = 0; x < n; x++) {
            int high = o / SH_Q8_GROUP * 2 * SH_Q8_GROUP + o % SH_Q8_GROUP, lanes = 2 * conv->outputs;
            uint32_t sum = conv->split ? conv_sum(in, conv, lanes, high, x) * 128 +
                                             conv_sum(in, conv, lanes, high + SH_Q8_GROUP, x)
                                       : conv_sum(in, conv, conv->outputs, o, x);
            out[o][x] = (int32_t)(sum + (uint32_t)conv->bias[o]);
        }
}

static void first_c(uint8_t *const *out, const int16_t *const *in, const sh_q8_first *first, int n)
{
    for (int o = 0; o < first->outputs; o++)
        for (int x = 0; x < n; x++) {
            const int16_t pairs[SH_Q8_FIRST][2] = {{in[0][x], in[0][x + 1]},
                                                   {in[1][x], in[1][x + 1]},
                                                   {in[2][x], in[2][x + 1]},
                                                   {in[0][x + 2], in[1][x + 2]},
                                                   {in[2][x + 2], 0}};
            uint32_t sum = (uint32_t)first->bias[o];
            for (int i = 0; i < SH_Q8_FIRST; i++) {
                const int16_t *w = first->weights + (i * first->outputs + o) * 2;
                sum += (uint32_t)(w[0] * pairs[i][0]) + (uint32_t)(w[1] * pairs[i][1]);
            }
            out[o / SH_Q8_GROUP][x * SH_Q8_GROUP + o % SH_Q8_GROUP] =
                requantise((int32_t)sum, first->shift, first->factor[o * 4]);
        }
}

static void base_c(float *const *out, const int16_t *in, const sh_q8_base *base, int n)
{
    for (int j = 0; j < base->factor; j++)
        for (int x = 0; x < n; x++) {
            int32_t sum = 0;
            for (int k = 0; k < 4; k++)
                sum += base->taps[j][k] * in[x + base->start[j] + k];
            out[j][x] = (float)sum;
        }
}

static long finish_one(const float *const *base, const int32_t *const *sums, const sh_q8_finish *f, int j,
                       int x)
{
    float upper = f->taps[0] * base[j][x] + f->taps[1] * base[f->factor + j][x];
    float lower = f->taps[2] * base[2 * f->factor + j][x] + f->taps[3] * base[3 * f->factor + j][x];
    float v = upper + lower + f->offset + (float)sums[j][x] * f->scale[j];
    v = v > 0 ? v : 0;
    return lrintf(v < f->peak ? v : f->peak);
}

static void finish8_c(void *out, const float *const *base, const int32_t *const *sums, const sh_q8_finish *f,
                      int n)
{
    uint8_t *to = out;
    for (int x = 0; x < n; x++)
        for (int j = 0; j < f->factor; j++)
            *to++ = (uint8_t)finish_one(base, sums, f, j, x);
}

static void finish16_c(void *out, const float *const *base, const int32_t *const *sums, const sh_q8_finish *f,
                       int n)
{
    uint16_t *to = out;
    for (int x = 0; x < n; x++)
        for (int j = 0; j < f->factor; j++)
            *to++ = (uint16_t)finish_one(base, sums, f, j, x);
}

static void load8_c(int16_t *out, const void *in, int n)
{
    const uint8_t *from = in;
    for (int x = 0; x < n; x++)
        out[x] = from[x];
}

static void load16_c(int16_t *out, const void *in, int n)
{
    const uint16_t *from = in;
    for (int x = 0; x < n; x++)
        out[x] = (int16_t)(from[x] - 32768);
}

static int64_t peak_c(int64_t rounds, int32_t *sink)
{
    enum { CHAINS = 12 };
    uint32_t chain[CHAINS], factor = (uint32_t)sink[0] | 1, term = 77;
    for (uint32_t i = 0; i < CHAINS; i++)
        chain[i] = i;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            chain[i] = chain[i] * factor + term;
    for (int i = 1; i < CHAINS; i++)
        chain[0] += chain[i];
    sink[0] = (int32_t)chain[0];
    return rounds * CHAINS;
}

void sh_q8_init_c(sh_dsp *dsp)
{
    dsp->q8_load8 = load8_c;
    dsp->q8_load16 = load16_c;
    dsp->q8_first = first_c;
    dsp->q8_conv = conv_c;
    dsp->q8_sums = sums_c;
    dsp->q8_base = base_c;
    dsp->q8_finish8 = finish8_c;
    dsp->q8_finish16 = finish16_c;
    dsp->q8_peak = peak_c;
}
