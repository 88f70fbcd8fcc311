/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels in eight-bit integers, with the shapes of the shipped networks. Included by bench_dsp.c alone.
 */
#include "engine/dsp/q8_pack.h"

static uint8_t bytes[2][ROWS][STRIDE * SH_Q8_GROUP];

/* 16 channels to `outputs`, weights as training makes them: most are small. */
typedef struct layer {
    sh_q8_conv conv;
    int8_t weights[16 * 16 * 9];
    sh_q8_pass pass[4];
    sh_q8_tap taps[4 * 72];
    int32_t bias[16];
    int16_t factor[64];
} layer;

static layer *make_layer(int outputs)
{
    static layer l;
    int8_t plain[16 * 16 * 9];
    uint32_t random = 1;
    l.conv = (sh_q8_conv){4, outputs, 0, l.weights, l.pass, l.bias, l.factor, 6};
    for (int i = 0; i < outputs * 144; i++) {
        int sum = -93;
        for (int k = 0; k < 6; k++) {
            random = random * 1664525 + 1013904223;
            sum += (int)(random >> 27);
        }
        plain[i] = (int8_t)sum;
    }
    for (int i = 0; i < 64; i++)
        l.factor[i] = 9000;
    sh_q8_pack(l.weights, plain, &l.conv);
    sh_q8_pair(&l.conv, l.pass, l.taps);
    return &l;
}

static void call_q8(const timing *t, int sums)
{
    const layer *l = t->data;
    const uint8_t *in[12];
    uint8_t *out[4];
    int32_t *whole[16];
    for (int i = 0; i < 12; i++)
        in[i] = bytes[0][i];
    for (int i = 0; i < 4; i++)
        out[i] = bytes[1][i];
    for (int i = 0; i < 16; i++)
        whole[i] = (int32_t *)bytes[1][i];
    if (sums)
        t->dsp->q8_sums(whole, in, &l->conv, WIDTH);
    else
        t->dsp->q8_conv(out, in, &l->conv, WIDTH);
}

static void call_q8_conv(const timing *t)
{
    call_q8(t, 0);
}

static void call_q8_sums(const timing *t)
{
    call_q8(t, 1);
}

static void time_q8_conv(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_conv 16->16", (timing){level, 2304.0 * WIDTH, "iMAC", call_q8_conv, .data = make_layer(16)},
           scalar, cpu);
}

static void time_q8_sums(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_sums 16->4", (timing){level, 576.0 * WIDTH, "iMAC", call_q8_sums, .data = make_layer(4)},
           scalar, cpu);
}

static void call_q8_first(const timing *t)
{
    static int16_t weights[SH_Q8_FIRST * 32];
    static int32_t bias[16];
    static int16_t factor[64];
    const sh_q8_first first = {16, weights, bias, factor, 6};
    const int16_t *in[3];
    uint8_t *out[4];
    for (int i = 0; i < 3; i++)
        in[i] = (int16_t *)bytes[0][i];
    for (int i = 0; i < 4; i++)
        out[i] = bytes[1][i];
    t->dsp->q8_first(out, in, &first, WIDTH);
}

static void time_q8_first(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_first 1->16", (timing){level, 144.0 * WIDTH, "iMAC", call_q8_first}, scalar, cpu);
}

static void call_q8_base(const timing *t)
{
    static const sh_q8_base base = {2, {0, 1}, {{-384, 3712, 14208, -1152}, {-1152, 14208, 3712, -384}}};
    float *out[2] = {planes[1][0], planes[1][1]};
    t->dsp->q8_base(out, (int16_t *)bytes[0][0], &base, WIDTH);
}

static void time_q8_base(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_base by 2", (timing){level, 2 * WIDTH, "sample", call_q8_base}, scalar, cpu);
}

static void call_q8_load8(const timing *t)
{
    t->dsp->q8_load8((int16_t *)bytes[0][0], samples, WIDTH);
}

static void time_q8_load8(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_load8", (timing){level, WIDTH, "sample", call_q8_load8}, scalar, cpu);
}

static void call_q8_load16(const timing *t)
{
    t->dsp->q8_load16((int16_t *)bytes[0][0], samples, WIDTH);
}

static void time_q8_load16(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_load16", (timing){level, WIDTH, "sample", call_q8_load16}, scalar, cpu);
}

static void finish(const timing *t, sh_q8_finish_fn fn)
{
    static const sh_q8_finish f = {2, {-0.25f, 0.5f, 0.5f, 0.25f}, {0.01f, 0.01f}, 0, 255};
    const float *base[8];
    const int32_t *sums[2] = {(int32_t *)bytes[0][0], (int32_t *)bytes[0][1]};
    (void)t;
    for (int i = 0; i < 8; i++)
        base[i] = planes[0][i];
    fn(samples, base, sums, &f, WIDTH);
}

static void call_q8_finish8(const timing *t)
{
    finish(t, t->dsp->q8_finish8);
}

static void time_q8_finish8(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_finish8 by 2", (timing){level, 2 * WIDTH, "sample", call_q8_finish8}, scalar, cpu);
}

static void call_q8_finish16(const timing *t)
{
    finish(t, t->dsp->q8_finish16);
}

static void time_q8_finish16(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    report("q8_finish16 by 2", (timing){level, 2 * WIDTH, "sample", call_q8_finish16}, scalar, cpu);
}

static void call_q8_peak(const timing *t)
{
    int32_t sink[16] = {0};
    t->dsp->q8_peak(1000, sink);
}

static void time_q8_peak(const sh_dsp *level, const sh_dsp *scalar, int cpu)
{
    int32_t sink[16] = {0};
    timing t = {level, (double)level->q8_peak(1000, sink), "iMA", call_q8_peak};
    double here = rate_of(&t);
    t = (timing){scalar, (double)scalar->q8_peak(1000, sink), "iMA", call_q8_peak};
    printf("%-10s %-22s %9.2f GiMAC/s %8.1fx\n", spyhop_cpu_name(cpu), "8-bit peak", here,
           here / rate_of(&t));
}
