/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of bench_dsp.c that times the kernels of scale.h; included there. */

static uint8_t scale_in[6][4 * STRIDE], scale_out[8][4 * STRIDE];
static const int16_t scale_taps[SH_FIR_TAPS] = {100, -1000, 6000, 12284, -1200, 200};

static const void *const scale_rows[6] = {scale_in[0], scale_in[1], scale_in[2],
                                          scale_in[3], scale_in[4], scale_in[5]};
static void *const scale_outs[2] = {scale_out[0], scale_out[1]};

#define TIME_SCALE(name, call_text)                                                                          \
    static void call_##name(const timing *t)                                                                 \
    {                                                                                                        \
        t->dsp->name call_text;                                                                              \
    }                                                                                                        \
    static void time_##name(const sh_dsp *level, const sh_dsp *scalar, int cpu)                              \
    {                                                                                                        \
        report(#name, (timing){level, WIDTH, "sample", call_##name}, scalar, cpu);                           \
    }

TIME_SCALE(fir_in8, (scale_out[0], scale_rows, scale_taps, WIDTH, 8))
TIME_SCALE(fir_in16, (scale_out[0], scale_rows, scale_taps, WIDTH, 10))
TIME_SCALE(fir_deep_in, (scale_out[0], scale_rows, scale_taps, WIDTH, 16))
TIME_SCALE(fir_out8, (scale_out[0], scale_rows, scale_taps, WIDTH, 8))
TIME_SCALE(fir_out16, (scale_out[0], scale_rows, scale_taps, WIDTH, 10))
TIME_SCALE(fir_deep_out, (scale_out[0], scale_rows, scale_taps, WIDTH, 16))
TIME_SCALE(extremes8, (scale_out[0], scale_out[1], scale_rows, scale_rows + 3, WIDTH, 16, 235))
TIME_SCALE(extremes16, (scale_out[0], scale_out[1], scale_rows, scale_rows + 3, WIDTH, 64, 940))
TIME_SCALE(limit8, (scale_out[0], scale_out[1], scale_out[2], WIDTH))
TIME_SCALE(limit16, (scale_out[0], scale_out[1], scale_out[2], WIDTH))
TIME_SCALE(zip8, (scale_out[0], scale_rows, 2, WIDTH, 0))
TIME_SCALE(zip16, (scale_out[0], scale_rows, 2, WIDTH, 0))
TIME_SCALE(unzip8, (scale_outs, scale_in[0], 2, WIDTH, 0))
TIME_SCALE(unzip16, (scale_outs, scale_in[0], 2, WIDTH, 6))
TIME_SCALE(blend8, (scale_out[0], scale_in[0], scale_in[1], WIDTH, 100))
TIME_SCALE(blend16, (scale_out[0], scale_in[0], scale_in[1], WIDTH, 100))
