/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench_dsp [SECONDS]: how fast each kernel is at each level on one thread, beside its scalar form and, where
 * it multiplies, beside the peak of that level. Driven by the list that drives the tests: a kernel needs a
 * time_<name> here. Rows are 640 samples and the working set is that of the executor: what it reads was just
 * written. */
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include "base/clock.h"
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 640, STRIDE = WIDTH + 48, ROWS = 64 };

static double seconds = 0.05;
static float planes[2][ROWS][STRIDE];
static uint16_t samples[8 * WIDTH];

/* Work of one call, in what its unit says, and the call itself. */
typedef struct timing {
    const sh_dsp *dsp;
    double work;
    const char *unit; /* of the work: "MAC" and "iMAC" (of integers) are also held against the peak */
    void (*call)(const struct timing *t);
    sh_conv conv;
    const void *data;
} timing;

/* 1e9 units a second, the best of a few runs. */
static double rate_of(const timing *t)
{
    double best = 0;
    int64_t calls = 1;
    for (int run = 0; run < 6;) {
        int64_t start = sh_monotonic_us();
        for (int64_t i = 0; i < calls; i++)
            t->call(t);
        double us = (double)(sh_monotonic_us() - start);
        if (us < seconds * 1e6) {
            calls *= 2;
            continue;
        }
        double rate = (double)calls * t->work / us * 1e-3;
        best = rate > best ? rate : best;
        run++;
    }
    return best;
}

static void report(const char *name, timing t, const sh_dsp *scalar, int cpu)
{
    double peak = 0, here = rate_of(&t), base;
    t.dsp = scalar;
    base = rate_of(&t);
    printf("%-10s %-22s %9.2f G%s/s %8.1fx", spyhop_cpu_name(cpu), name, here, t.unit, here / base);
    if (strcmp(t.unit + strlen(t.unit) - 3, "MAC") == 0 &&
        sh_peak_measure(cpu, t.unit[0] == 'i', 1, 0.1, &peak, NULL) == SH_OK)
        printf("  %5.1f %% of the peak", here / peak * 100);
    puts("");
    fflush(stdout);
}

static void call_conv(const timing *t)
{
    float *out[16];
    const float *in[48];
    for (int i = 0; i < 48; i++)
        in[i] = planes[0][i];
    for (int o = 0; o < 16; o++)
        out[o] = planes[1][o];
    t->dsp->conv(out, in, &t->conv, WIDTH);
}

static void time_conv(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    static const int shapes[][3] = {{16, 16, 3}, {1, 16, 3}, {16, 4, 3}, {16, 16, 1}, {1, 2, 5}, {1, 1, 3}};
    static float weights[16 * 16 * 9], bias[16];
    for (int i = 0; i < 16 * 16 * 9; i++)
        weights[i] = (float)(i % 7 - 3) * 0.01f;
    for (int s = 0; s < 6; s++) {
        char name[32];
        int ci = shapes[s][0], co = shapes[s][1], kw = shapes[s][2], kh = kw == 5 ? 1 : kw;
        timing t = {level, (double)ci * co * kw * kh * WIDTH, "MAC", call_conv, .conv = {.inputs = ci}};
        t.conv = (sh_conv){ci, co, kh, kw, (co + 3) / 4, weights, bias, SH_ACT_RELU, bias, 0, 1};
        snprintf(name, sizeof(name), "conv %dx%d %d->%d", kh, kw, ci, co);
        report(name, t, scalar, cpu);
    }
}

static void call_act(const timing *t)
{
    t->dsp->act(planes[1][0], planes[0][0], WIDTH, SH_ACT_SLOPE, 0.25f, 1);
}

static void time_act(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("act", (timing){level, WIDTH, "sample", call_act}, scalar, cpu);
}

static void call_add(const timing *t)
{
    t->dsp->add(planes[1][0], planes[0][0], planes[0][1], WIDTH);
}

static void time_add(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("add", (timing){level, WIDTH, "sample", call_add}, scalar, cpu);
}

static void call_sub(const timing *t)
{
    t->dsp->sub(planes[1][0], planes[0][0], planes[0][1], WIDTH);
}

static void time_sub(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("sub", (timing){level, WIDTH, "sample", call_sub}, scalar, cpu);
}

static void call_mul(const timing *t)
{
    t->dsp->mul(planes[1][0], planes[0][0], planes[0][1], WIDTH);
}

static void time_mul(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("mul", (timing){level, WIDTH, "sample", call_mul}, scalar, cpu);
}

static void call_quant(const timing *t)
{
    t->dsp->quant(planes[1][0], planes[0][0], WIDTH, 0.01f, 0, 255);
}

static void time_quant(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("quant", (timing){level, WIDTH, "sample", call_quant}, scalar, cpu);
}

static void call_curve(const timing *t)
{
    t->dsp->curve(planes[1][0], planes[0][0], WIDTH, SH_ACT_SILU, 0, 0);
}

static void time_curve(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("curve (SiLU)", (timing){level, WIDTH, "sample", call_curve}, scalar, cpu);
}

static void call_shuffle(const timing *t)
{
    const float *in[2] = {planes[0][0], planes[0][1]};
    t->dsp->shuffle(planes[1][0], in, 2, WIDTH / 2);
}

static void time_shuffle(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("shuffle by 2", (timing){level, WIDTH, "sample", call_shuffle}, scalar, cpu);
}

static void call_load8(const timing *t)
{
    t->dsp->load8(planes[0][0], samples, WIDTH, 255);
}

static void time_load8(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("load8", (timing){level, WIDTH, "sample", call_load8}, scalar, cpu);
}

static void call_load16(const timing *t)
{
    t->dsp->load16(planes[0][0], samples, WIDTH, 1023);
}

static void time_load16(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("load16", (timing){level, WIDTH, "sample", call_load16}, scalar, cpu);
}

static void call_store8(const timing *t)
{
    t->dsp->store8(samples, planes[0][0], WIDTH, 255);
}

static void time_store8(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("store8", (timing){level, WIDTH, "sample", call_store8}, scalar, cpu);
}

static void call_store16(const timing *t)
{
    t->dsp->store16(samples, planes[0][0], WIDTH, 1023);
}

static void time_store16(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("store16", (timing){level, WIDTH, "sample", call_store16}, scalar, cpu);
}

#include "bench_half.h"
#include "bench_q8.h"
#include "bench_scale.h"

static void call_peak(const timing *t)
{
    float sink[16] = {0};
    t->dsp->peak(1000, sink);
}

static void time_peak(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    float sink[16] = {0};
    timing t = {level, (double)level->peak(1000, sink), "FMA", call_peak};
    double here = rate_of(&t);
    t = (timing){scalar, (double)scalar->peak(1000, sink), "FMA", call_peak};
    printf("%-10s %-22s %9.2f GMAC/s %8.1fx\n", spyhop_cpu_name(cpu), "multiply-add peak", here,
           here / rate_of(&t));
}

int main(int argc, char **argv)
{
    sh_dsp scalar, level;
    if (argc > 1)
        seconds = strtod(argv[1], NULL);
    if (!(seconds > 0 && seconds < 60)) {
        fprintf(stderr, "usage: bench_dsp [SECONDS of one run]\n");
        return 2;
    }
    for (int p = 0; p < 2; p++)
        for (int r = 0; r < ROWS; r++)
            for (int x = 0; x < STRIDE; x++)
                planes[p][r][x] = (float)((x * 31 + r * 17) % 101) / 101 - 0.3f;
    sh_dsp_select(&scalar, SPYHOP_CPU_C);
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        sh_dsp_select(&level, cpu);
#define SH_KERNEL(name, type) time_##name(&level, &scalar, cpu);
#include "engine/dsp/kernels.inc"
#undef SH_KERNEL
    }
    return 0;
}
