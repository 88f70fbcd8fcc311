/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels in half floats. Below AVX-512 FP16 convolutions are imitated, which is not worth a measurement
 * but for their scalar form's sake. Included by bench_dsp.c alone. */

static sh_half halves[ROWS][STRIDE];

static void call_half_conv(const timing *t)
{
    const sh_half_conv *conv = t->data;
    const sh_half *in[48];
    void *out[16];
    for (int i = 0; i < 48; i++)
        in[i] = halves[i];
    for (int o = 0; o < 16; o++)
        out[o] = planes[1][o];
    t->dsp->half_conv(out, in, conv, WIDTH);
}

static void report_half(const char *name, timing t, const sh_dsp *scalar, int cpu)
{
    double here = rate_of(&t);
    t.dsp = scalar;
    printf("%-10s %-22s %9.2f G%s/s %8.1fx%s\n", spyhop_cpu_name(cpu), name, here, t.unit, here / rate_of(&t),
           cpu < SPYHOP_CPU_AVX512FP16 ? "  (imitated)" : "");
}

static void time_half_conv(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    static const int shapes[][2] = {{16, 16}, {16, 4}};
    static float weights[16 * 16 * 9], constants[3][16];
    static uint32_t packed[16 * 16 * 9];
    for (int i = 0; i < 16 * 16 * 9; i++)
        weights[i] = (float)(i % 7 - 3) * 0.01f;
    level->half_narrow(halves[0], planes[0][0], ROWS * STRIDE);
    for (int s = 0; s < 2; s++) {
        char name[32];
        int ci = shapes[s][0], co = shapes[s][1];
        sh_half_pack(packed, constants[0], weights, co, ci, 3, 3);
        sh_half_conv conv = {
            ci,          co,           3, 3, co / 4, SH_HALF_GROUP / 3, 0, packed, constants[0], constants[1],
            SH_ACT_RELU, constants[2], 0, 1};
        timing t = {level, (double)ci * co * 9 * WIDTH, "MAC", call_half_conv, .data = &conv};
        snprintf(name, sizeof(name), "half_conv 3x3 %d->%d", ci, co);
        report_half(name, t, scalar, cpu);
    }
}

static void call_half_widen(const timing *t)
{
    t->dsp->half_widen(planes[1][0], halves[0], WIDTH);
}

static void time_half_widen(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("half_widen", (timing){level, WIDTH, "sample", call_half_widen}, scalar, cpu);
}

static void call_half_narrow(const timing *t)
{
    t->dsp->half_narrow(halves[0], planes[0][0], WIDTH);
}

static void time_half_narrow(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("half_narrow", (timing){level, WIDTH, "sample", call_half_narrow}, scalar, cpu);
}

static void call_half_peak(const timing *t)
{
    float sink[16] = {0};
    t->dsp->half_peak(100, sink);
}

static void time_half_peak(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    float sink[16] = {0};
    timing t = {level, (double)level->half_peak(100, sink), "MAC", call_half_peak};
    double here = rate_of(&t);
    t = (timing){scalar, (double)scalar->half_peak(100, sink), "MAC", call_half_peak};
    printf("%-10s %-22s %9.2f GMAC/s %8.1fx%s\n", spyhop_cpu_name(cpu), "half_peak", here, here / rate_of(&t),
           cpu < SPYHOP_CPU_AVX512FP16 ? "  (imitated)" : "");
}
