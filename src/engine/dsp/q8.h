/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_Q8_H
#define SH_ENGINE_DSP_Q8_H
/* Rows of a network in eight-bit integers. Every kernel gives the same bits at every level: the arithmetic is
 * of integers, and where there are floats each operation is rounded by itself.
 *
 * Layout: the channels of an activation are uint8_t in groups of SH_Q8_GROUP; a row of a group is
 * [x][SH_Q8_GROUP] bytes. A vector thus holds some neighbouring pixels of four channels, one 32-bit lane a
 * pixel, and one multiply-add instruction sums a tap over four channels into the pixel's lane, with the tap's
 * four weights broadcast. A block of outputs by some vectors of x keeps its sums in registers.
 *
 * Ends of rows: kernels work in whole vectors. Below, n' is n rounded up to SH_Q8_STEP: rows of activations,
 * of samples and of sums must be readable and writable for n' pixels (and the reach of the taps); what stands
 * past n is unspecified. Planes of the caller are touched for n samples exactly. No row needs alignment;
 * those at 64 bytes are faster. n >= 1. All convolutions are 3x3.
 *
 * Requantisation of a sum: sum >> shift, saturated to int16; times factor / 32768, rounded to nearest (as
 * pmulhrsw does it); clipped to 0..255. Half a unit of the shift belongs into the bias. Sums wrap at 32 bits:
 * who makes the weights sees to it that they do not. */
#include <stddef.h>
#include <stdint.h>

#define SH_Q8_GROUP 4
#define SH_Q8_STEP 16  /* pixels */
#define SH_Q8_TAPS 3   /* of a side */
#define SH_Q8_FIRST 5  /* pairs of weights an output has in the first layer */
#define SH_Q8_SCALE 4  /* most phases of a row */
#define SH_Q8_CUBIC 14 /* bits of fraction of the base's taps */

/* Four outputs' weights for the four channels of row `row` at column `column`. */
typedef struct sh_q8_tap {
    int32_t row, column;
    int8_t weights[SH_Q8_GROUP][SH_Q8_GROUP]; /* [output][channel] */
} sh_q8_tap;

/* The taps of four outputs for multiply-adds into 16 bits (vpmaddubsw): they saturate, so what is summed
 * before widening must stay within int16 for any activations. runs[i] runs of i + 1 taps that may be added in
 * 16 bits follow one another, the longest first. Weights that would overflow alone are there twice, in
 * halves. */
#define SH_Q8_RUN 3
typedef struct sh_q8_pass {
    int runs[SH_Q8_RUN];
    const sh_q8_tap *taps;
} sh_q8_pass;

typedef struct sh_q8_conv {
    int groups;  /* of input channels */
    int outputs; /* a multiple of SH_Q8_GROUP */
    int split;   /* sums: each four outputs have two rows of weights, of which the first counts 128 fold */
    const int8_t *weights;  /* [ky][group][kx][outputs, twice when split][SH_Q8_GROUP] */
    const sh_q8_pass *pass; /* the same, for each four outputs */
    const int32_t *bias;    /* [outputs] */
    const int16_t *factor;  /* [outputs][4], each four times */
    int shift;
} sh_q8_conv;

/* out[outputs / 4] rows from in[ky * groups + g], at the column of tap 0: pixels 0 .. n' + 1 are read. */
typedef void (*sh_q8_conv_fn)(uint8_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n);
/* The sums themselves, out[outputs][x]. */
typedef void (*sh_q8_sums_fn)(int32_t *const *out, const uint8_t *const *in, const sh_q8_conv *conv, int n);

/* out[x] = in[x] (uint8_t), or in[x] - 32768 (uint16_t). n of in are read, n' of out may be written. */
typedef void (*sh_q8_load_fn)(int16_t *out, const void *in, int n);

/* The first layer, on one channel of 16-bit samples. */
typedef struct sh_q8_first {
    int outputs;            /* a multiple of SH_Q8_GROUP */
    const int16_t *weights; /* [SH_Q8_FIRST][outputs][2]: w00 w01, w10 w11, w20 w21, w02 w12, w22 0 */
    const int32_t *bias;
    const int16_t *factor;
    int shift;
} sh_q8_first;

/* in: three rows; samples 0 .. n' + 1 of each are read. */
typedef void (*sh_q8_first_fn)(uint8_t *const *out, const int16_t *const *in, const sh_q8_first *first,
                               int n);

/* The horizontal half of the base: out[j][x] = sum over k of taps[j][k] * in[x + start[j] + k], as a float.
 */
typedef struct sh_q8_base {
    int factor;
    int start[SH_Q8_SCALE];
    int16_t taps[SH_Q8_SCALE][4];
} sh_q8_base;

/* Samples up to n' + 2 + the largest start are read. */
typedef void (*sh_q8_base_fn)(float *const *out, const int16_t *in, const sh_q8_base *base, int n);

/* The vertical half of one output row, the residual, the rounding to samples and their order:
 * out[x * factor + j] = (taps[0] * base[j][x] + taps[1] * base[factor + j][x]) +
 *     (taps[2] * base[2 * factor + j][x] + taps[3] * base[3 * factor + j][x]) + offset + sums[j][x] *
 * scale[j], clipped to 0..peak and rounded to nearest, ties to even. */
typedef struct sh_q8_finish {
    int factor; /* 1..SH_Q8_SCALE */
    float taps[4];
    float scale[SH_Q8_SCALE];
    float offset, peak;
} sh_q8_finish;

/* out: uint8_t (q8_finish8) or uint16_t (q8_finish16), n * factor of them. */
typedef void (*sh_q8_finish_fn)(void *out, const float *const *base, const int32_t *const *sums,
                                const sh_q8_finish *finish, int n);

/* As sh_peak_fn, of 8-bit multiply-adds. */
typedef int64_t (*sh_q8_peak_fn)(int64_t rounds, int32_t *sink);

struct sh_dsp;
void sh_q8_init_c(struct sh_dsp *dsp);
void sh_q8_init_avx2(struct sh_dsp *dsp);
void sh_q8_init_avxvnni(struct sh_dsp *dsp);
void sh_q8_init_avx512(struct sh_dsp *dsp);
void sh_q8_init_avx512vnni(struct sh_dsp *dsp);

#endif
