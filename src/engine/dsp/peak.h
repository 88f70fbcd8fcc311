/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_PEAK_H
#define SH_ENGINE_DSP_PEAK_H
/* What the machine can do at most: multiply-adds on registers alone, in as many independent chains as keep
 * every unit busy. The measure that a benchmark's rate is held against. */
#include "base/err.h"
#include <stdint.h>

/* Runs `rounds` rounds and returns how many multiply-adds that was: of single floats (peak), of halves
 * (half_peak). sink takes a result, so that the work cannot be left out. */
typedef int64_t (*sh_peak_fn)(int64_t rounds, float *sink);

typedef enum sh_peak_kind { SH_PEAK_SINGLE, SH_PEAK_WHOLE, SH_PEAK_HALF } sh_peak_kind;

/* Multiply-adds a second, in units of 1e9, that `threads` threads reach together at that level in about
 * `seconds`: of single floats, of 8-bit integers, of halves. */
int sh_peak_measure(int cpu, sh_peak_kind kind, int threads, double seconds, double *gmac_per_s, sh_err *err);

struct sh_dsp;
void sh_peak_init_c(struct sh_dsp *dsp);
void sh_peak_init_avx2(struct sh_dsp *dsp);
void sh_peak_init_avx512(struct sh_dsp *dsp);

#endif
