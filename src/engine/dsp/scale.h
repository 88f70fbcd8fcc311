/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_SCALE_H
#define SH_ENGINE_DSP_SCALE_H
/* Rows of samples enlarged, limited, mixed and packed. The same bits at every level, for whatever the inputs
 * hold. No row needs any alignment beyond its type's; nothing outside the elements that are named is read or
 * written; n >= 1. Outputs must not overlap inputs, save where it is said: a kernel may make its last
 * elements twice. Kernels whose name ends in 8 work on uint8_t, in 16 on uint16_t.
 *
 * Enlarging is separable: fir_in makes a row between two source rows, fir_out a row of one phase between its
 * columns, and zip puts the phases together. Both are sums of six products: of six rows, or of one row at six
 * places. Coefficients have 14 bits: they add up to 2^14, their absolute values to at most 1.6 * 2^14. So a
 * sum of six with samples less their mid value, 2^(depth - 1), takes at most 1.6 * 2^(depth + 13). In
 * between, a row is what it stands for less that mid value, in int16_t with 15 - depth fraction bits (which
 * holds all that valid samples give; else it is saturated); for a depth of 16 it is in int32_t without
 * fraction. */
#include <stdint.h>

#define SH_FIR_TAPS 6
#define SH_FIR_BITS 14
#define SH_ZIP_MAX 32

/* What v, a sum over `taps` of in[t][x], becomes; >> is arithmetic.
 *   fir_in8    uint8_t  -> int16_t   (v - 2^21 + 2^6) >> 7, saturated. depth is 8
 *   fir_in16   uint16_t -> int16_t   (v - 2^(depth + 13) + 2^(depth - 2)) >> (depth - 1), saturated. depth
 *              9..15; a sample of 2^15 or more counts as itself less 2^16
 *   fir_deep_in  uint16_t -> int32_t (v - 2^29 + 2^13) >> 14. depth is 16
 *   fir_out8   int16_t  -> uint8_t   (v + 2^28 + 2^20) >> 21, clipped to 0..255. depth is 8
 *   fir_out16  int16_t  -> uint16_t  (v + 2^28 + 2^(28 - depth)) >> (29 - depth), clipped to 0..2^depth - 1
 *   fir_deep_out int32_t -> uint16_t (v + 2^29 + 2^13) >> 14, clipped to 0..65535. depth is 16 */
typedef void (*sh_fir_fn)(void *out, const void *const *in, const int16_t *taps, int n, int depth);

/* lo[x] = the least of black and low[0..2][x], hi[x] = the greatest of white and high[0..2][x]. */
typedef void (*sh_extremes_fn)(void *lo, void *hi, const void *const *low, const void *const *high, int n,
                               int black, int white);

/* row[x] = row[x] limited to lo[x]..hi[x], where lo[x] <= hi[x]. */
typedef void (*sh_limit_fn)(void *row, const void *lo, const void *hi, int n);

/* out[count * x + i] = in[i][x] << shift, for n elements of each of count rows, 1 <= count <= SH_ZIP_MAX.
 * shift: 0 for zip8, 0..7 for zip16 (what leaves the sample is lost). */
typedef void (*sh_zip_fn)(void *out, const void *const *in, int count, int n, int shift);

/* out[i][x] = in[count * x + i] >> shift; count is 1 or 2. shift as for zip. */
typedef void (*sh_unzip_fn)(void *const *out, const void *in, int count, int n, int shift);

/* out[x] = (base[x] * (256 - weight) + net[x] * weight + 128) >> 8; weight 0..256. */
typedef void (*sh_blend_fn)(void *out, const void *base, const void *net, int n, int weight);

struct sh_dsp;
void sh_scale_init_c(struct sh_dsp *dsp);
void sh_scale_init_avx2(struct sh_dsp *dsp);
void sh_scale_init_avx512(struct sh_dsp *dsp);

/* The scalar forms, which the others call for rows shorter than a vector. */
void sh_fir_in8_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_fir_in16_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_fir_deep_in_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_fir_out8_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_fir_out16_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_fir_deep_out_c(void *out, const void *const *in, const int16_t *taps, int n, int depth);
void sh_extremes8_c(void *lo, void *hi, const void *const *low, const void *const *high, int n, int black,
                    int white);
void sh_extremes16_c(void *lo, void *hi, const void *const *low, const void *const *high, int n, int black,
                     int white);
void sh_limit8_c(void *row, const void *lo, const void *hi, int n);
void sh_limit16_c(void *row, const void *lo, const void *hi, int n);
void sh_zip8_c(void *out, const void *const *in, int count, int n, int shift);
void sh_zip16_c(void *out, const void *const *in, int count, int n, int shift);
void sh_unzip8_c(void *const *out, const void *in, int count, int n, int shift);
void sh_unzip16_c(void *const *out, const void *in, int count, int n, int shift);
void sh_blend8_c(void *out, const void *base, const void *net, int n, int weight);
void sh_blend16_c(void *out, const void *base, const void *net, int n, int weight);

#endif
