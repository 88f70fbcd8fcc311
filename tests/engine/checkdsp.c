/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every kernel at every level against the scalar one: random input, every width, rows that end where memory
 * ends. The list of kernels makes the calls, so that a kernel whose check_<name> is missing does not compile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "engine/act.h"
#include "engine/dsp/dsp.h"
#include "checkhalf.h"
#include "checkq8.h"
#include "checkscale.h"
#include "guard.h"
#include "netmodel.h"
#include <spyhop/spyhop.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 130, MOST_ROWS = 128 };

typedef struct check {
    const sh_dsp *scalar;
    const sh_dsp *level;
    uint32_t seed;
} check;

static guard random_row(check *c, int n)
{
    guard g = guard_new((size_t)n * sizeof(float));
    for (int i = 0; i < n; i++)
        ((float *)g.start)[i] = nm_uniform(&c->seed, -1, 1);
    return g;
}

static void assert_intact(guard *g)
{
    assert_true(guard_intact(g));
    guard_free(g);
}

static void fill(check *c, float *values, int n, float size)
{
    for (int i = 0; i < n; i++)
        values[i] = nm_uniform(&c->seed, -size, size);
}

static double expected_conv(const sh_conv *conv, const float *weights, float *const *in, int o, int x,
                            double *size)
{
    double sum = (double)conv->bias[o];
    int kw = conv->kernel_w;
    *size = fabs(sum);
    for (int ky = 0; ky < conv->kernel_h; ky++)
        for (int i = 0; i < conv->inputs; i++)
            for (int kx = 0; kx < kw; kx++) {
                double w = (double)weights[((o * conv->inputs + i) * conv->kernel_h + ky) * kw + kx];
                double term = w * (double)in[ky * conv->inputs + i][x + kx];
                sum += term;
                *size += fabs(term);
            }
    if (conv->act == SH_ACT_RELU)
        return sum > 0 ? sum : 0;
    if (conv->act == SH_ACT_SLOPE)
        return sum < 0 ? sum * (double)conv->slope[o] : sum;
    if (conv->act == SH_ACT_CLIP)
        return fmin(fmax(sum, (double)conv->low), (double)conv->high);
    return conv->act == SH_ACT_BIAS ? sum + (double)conv->slope[o] : sum;
}

static void check_conv_rows(check *c, const sh_conv *conv, const float *weights, int n)
{
    guard in[MOST_ROWS], out[MOST_ROWS];
    float *ins[MOST_ROWS], *outs[MOST_ROWS];
    int rows = conv->kernel_h * conv->inputs;
    for (int i = 0; i < rows; i++) {
        in[i] = random_row(c, n + conv->kernel_w - 1);
        ins[i] = (float *)in[i].start;
    }
    for (int o = 0; o < conv->outputs; o++) {
        out[o] = guard_new((size_t)n * sizeof(float));
        outs[o] = (float *)out[o].start;
    }
    c->level->conv(outs, (const float *const *)ins, conv, n);
    for (int o = 0; o < conv->outputs; o++)
        for (int x = 0; x < n; x++) {
            double size, expected = expected_conv(conv, weights, ins, o, x, &size);
            if (!(fabs(expected - (double)outs[o][x]) <= (double)SH_CONV_TOLERANCE * size))
                fail_msg("%dx%d %d->%d act %d, n %d: output %d column %d is %g, not %g", conv->kernel_h,
                         conv->kernel_w, conv->inputs, conv->outputs, conv->act, n, o, x, (double)outs[o][x],
                         expected);
        }
    for (int i = 0; i < rows; i++)
        assert_intact(&in[i]);
    for (int o = 0; o < conv->outputs; o++)
        assert_intact(&out[o]);
}

/* One shape, every width, every activation. */
static void check_conv_shape(check *c, int inputs, int outputs, int kh, int kw)
{
    int count = inputs * outputs * kh * kw, lanes = (outputs + 3) / 4 * 4;
    float *weights = calloc((size_t)count, sizeof(float)), *bias = calloc(2 * (size_t)lanes, sizeof(float));
    float *packed = malloc(sh_conv_packed_size(outputs, inputs, kh, kw) * sizeof(float));
    assert_true(weights && bias && packed);
    fill(c, weights, count, 1);
    fill(c, bias, 2 * lanes, 1);
    sh_conv_pack(packed, weights, outputs, inputs, kh, kw);
    sh_conv conv = {.inputs = inputs,
                    .outputs = outputs,
                    .kernel_h = kh,
                    .kernel_w = kw,
                    .blocks = lanes / 4,
                    .weights = packed,
                    .bias = bias,
                    .slope = bias + lanes,
                    .low = -0.5f,
                    .high = 0.75f};
    for (int n = 1; n <= WIDEST; n++) {
        conv.act = n % 5;
        check_conv_rows(c, &conv, weights, n);
    }
    for (conv.act = 0; conv.act < 5; conv.act++)
        check_conv_rows(c, &conv, weights, 77);
    free(weights);
    free(bias);
    free(packed);
}

static void check_conv(check *c)
{
    check_conv_shape(c, 1, 16, 3, 3);
    check_conv_shape(c, 16, 16, 3, 3);
    check_conv_shape(c, 16, 4, 3, 3);
    check_conv_shape(c, 3, 13, 5, 1);
    check_conv_shape(c, 7, 9, 1, 1);
    check_conv_shape(c, 2, 8, 2, 7);
    check_conv_shape(c, 4, 1, 3, 5);
    check_conv_shape(c, 5, 20, 1, 4);
}

/* What a cut may not change: column x of a row is column 0 of the row from x on, to the bit. */
static void check_conv_cuts(check *c)
{
    float weights[3 * 4 * 9], packed[4 * 3 * 9], bias[8] = {0.1f, 0.2f, 0.3f, 0.4f}, whole[4][WIDEST],
                                                 part[4][WIDEST];
    float rows[9][WIDEST + 2], *outs[4], *parts[4];
    const float *ins[9], *shifted[9];
    fill(c, weights, 108, 1);
    sh_conv_pack(packed, weights, 4, 3, 3, 3);
    sh_conv conv = {3, 4, 3, 3, 1, packed, bias, SH_ACT_NONE, bias, 0, 0};
    for (int i = 0; i < 9; i++) {
        fill(c, rows[i], WIDEST + 2, 1);
        ins[i] = rows[i];
    }
    for (int o = 0; o < 4; o++) {
        outs[o] = whole[o];
        parts[o] = part[o];
    }
    c->level->conv(outs, ins, &conv, WIDEST);
    for (int x = 1; x < WIDEST; x++) {
        for (int i = 0; i < 9; i++)
            shifted[i] = rows[i] + x;
        c->level->conv(parts, shifted, &conv, WIDEST - x);
        for (int o = 0; o < 4; o++)
            assert_memory_equal(part[o], whole[o] + x, (size_t)(WIDEST - x) * sizeof(float));
    }
}

static void check_act(check *c)
{
    for (int n = 1; n <= WIDEST; n++)
        for (int kind = 0; kind < 5; kind++) {
            float expected[WIDEST];
            guard in = random_row(c, n), out = guard_new(in.size);
            c->scalar->act(expected, (float *)in.start, n, kind, -0.3f, 0.4f);
            c->level->act((float *)out.start, (float *)in.start, n, kind, -0.3f, 0.4f);
            assert_memory_equal(expected, out.start, out.size);
            c->level->act((float *)in.start, (float *)in.start, n, kind, -0.3f, 0.4f);
            assert_memory_equal(expected, in.start, in.size);
            assert_intact(&in);
            assert_intact(&out);
        }
}

static void check_pair(check *c, sh_add_fn scalar, sh_add_fn level, float (*exact)(float, float))
{
    for (int n = 1; n <= WIDEST; n++) {
        float expected[WIDEST];
        guard a = random_row(c, n), b = random_row(c, n), out = guard_new(a.size);
        scalar(expected, (float *)a.start, (float *)b.start, n);
        for (int x = 0; x < n; x++)
            assert_true(expected[x] == exact(((float *)a.start)[x], ((float *)b.start)[x]));
        level((float *)out.start, (float *)a.start, (float *)b.start, n);
        assert_memory_equal(expected, out.start, out.size);
        level((float *)a.start, (float *)a.start, (float *)b.start, n);
        assert_memory_equal(expected, a.start, a.size);
        assert_intact(&a);
        assert_intact(&b);
        assert_intact(&out);
    }
}

static float sum(float a, float b)
{
    return a + b;
}

static void check_add(check *c)
{
    check_pair(c, c->scalar->add, c->level->add, sum);
}

static float difference(float a, float b)
{
    return a - b;
}

static void check_sub(check *c)
{
    check_pair(c, c->scalar->sub, c->level->sub, difference);
}

static float product(float a, float b)
{
    return a * b;
}

static void check_mul(check *c)
{
    check_pair(c, c->scalar->mul, c->level->mul, product);
}

static void check_quant(check *c)
{
    for (int n = 1; n <= WIDEST; n++) {
        float expected[WIDEST], scale = n % 3 ? 0.01f : 0.0625f;
        int low = n % 2 ? 0 : -57, high = low + 90;
        guard in = random_row(c, n), out = guard_new(in.size);
        float *row = (float *)in.start;
        row[0] = n % 5 ? row[0] : 2.5f * 0.0625f; /* a half, which goes to the even side */
        row[n / 2] = n % 7 ? row[n / 2] : 1e30f;
        c->scalar->quant(expected, row, n, scale, low, high);
        for (int x = 0; x < n; x++)
            assert_true(expected[x] == fminf(fmaxf(rintf(row[x] / scale), (float)low), (float)high) * scale);
        c->level->quant((float *)out.start, row, n, scale, low, high);
        assert_memory_equal(expected, out.start, out.size);
        c->level->quant(row, row, n, scale, low, high);
        assert_memory_equal(expected, in.start, in.size);
        assert_intact(&in);
        assert_intact(&out);
    }
}

static double exact_curve(int kind, double v)
{
    double sigmoid = 1 / (1 + exp(-v));
    switch (kind) {
    case SH_ACT_SIGMOID:
        return sigmoid;
    case SH_ACT_SILU:
        return v * sigmoid;
    case SH_ACT_TANH:
        return tanh(v);
    case SH_ACT_HARD_SIGMOID:
        return fmin(fmax(v * (double)0.2f + 0.5, 0), 1);
    default:
        return v * (double)0.2f;
    }
}

static void check_curve(check *c)
{
    static const float sizes[] = {1, 12, 200, 1e30f};
    for (int n = 1; n <= WIDEST; n++)
        for (int kind = SH_ACT_SCALE; kind <= SH_ACT_HARD_SIGMOID; kind++) {
            float expected[WIDEST];
            guard in = random_row(c, n), out = guard_new(in.size);
            float *row = (float *)in.start;
            fill(c, row, n, sizes[n % 4]);
            c->scalar->curve(expected, row, n, kind, 0.2f, 0.5f);
            for (int x = 0; x < n; x++) {
                double exact = exact_curve(kind, (double)row[x]), off = fabs((double)expected[x] - exact);
                if (off > (double)SH_CURVE_TOLERANCE * fmax(1, fabs(exact)))
                    fail_msg("kind %d of %g is %.9g, not %.9g", kind, (double)row[x], (double)expected[x],
                             exact);
            }
            c->level->curve((float *)out.start, row, n, kind, 0.2f, 0.5f);
            assert_memory_equal(expected, out.start, out.size);
            c->level->curve(row, row, n, kind, 0.2f, 0.5f);
            assert_memory_equal(expected, in.start, in.size);
            assert_intact(&in);
            assert_intact(&out);
        }
}

static void check_shuffle(check *c)
{
    for (int block = 1; block <= 8; block++)
        for (int n = 1; n <= WIDEST; n++) {
            float expected[8 * WIDEST];
            guard in[8], out = guard_new((size_t)(n * block) * sizeof(float));
            const float *ins[8];
            for (int i = 0; i < block; i++) {
                in[i] = random_row(c, n);
                ins[i] = (float *)in[i].start;
            }
            c->scalar->shuffle(expected, ins, block, n);
            c->level->shuffle((float *)out.start, ins, block, n);
            assert_memory_equal(expected, out.start, out.size);
            for (int i = 0; i < block; i++)
                assert_intact(&in[i]);
            assert_intact(&out);
        }
}

static void check_load(check *c, sh_load_fn scalar, sh_load_fn level, int bytes, int peak)
{
    for (int n = 1; n <= WIDEST; n++) {
        float expected[WIDEST];
        guard in = guard_new((size_t)(n * bytes)), out = guard_new((size_t)n * sizeof(float));
        for (size_t i = 0; i < in.size; i++)
            in.start[i] = (unsigned char)nm_next(&c->seed);
        scalar(expected, in.start, n, peak);
        level((float *)out.start, in.start, n, peak);
        assert_memory_equal(expected, out.start, out.size);
        assert_intact(&in);
        assert_intact(&out);
    }
}

static void check_load8(check *c)
{
    check_load(c, c->scalar->load8, c->level->load8, 1, 255);
}

static void check_load16(check *c)
{
    check_load(c, c->scalar->load16, c->level->load16, 2, 1023);
    check_load(c, c->scalar->load16, c->level->load16, 2, 65535);
}

/* Values far outside, on the borders, halfway between two codes, and what is no number. */
static float odd_value(check *c, int peak)
{
    static const float odd[] = {-1e30f, 1e30f, -0.0f, 0, 1, 1.0000001f, 0.9999999f, NAN, INFINITY, -INFINITY};
    unsigned pick = nm_next(&c->seed) >> 8;
    if (pick % 4 == 0)
        return odd[pick / 4 % 10];
    if (pick % 4 == 1)
        return ((float)(pick / 4 % (unsigned)peak) + 0.5f) / (float)peak;
    return nm_uniform(&c->seed, -0.2f, 1.2f);
}

static void check_store(check *c, sh_store_fn scalar, sh_store_fn level, int bytes, int peak)
{
    for (int n = 1; n <= WIDEST; n++) {
        uint16_t expected[WIDEST];
        guard in = guard_new((size_t)n * sizeof(float)), out = guard_new((size_t)(n * bytes));
        for (int i = 0; i < n; i++)
            ((float *)in.start)[i] = odd_value(c, peak);
        scalar(expected, (float *)in.start, n, peak);
        level(out.start, (float *)in.start, n, peak);
        assert_memory_equal(expected, out.start, out.size);
        assert_intact(&in);
        assert_intact(&out);
    }
}

static void check_store8(check *c)
{
    check_store(c, c->scalar->store8, c->level->store8, 1, 255);
}

static void check_store16(check *c)
{
    check_store(c, c->scalar->store16, c->level->store16, 2, 4095);
    check_store(c, c->scalar->store16, c->level->store16, 2, 65535);
}

#define CHECK_FIR(name, in_bits, out_bytes, depths)                                                          \
    static void check_##name(check *c)                                                                       \
    {                                                                                                        \
        for (int depth = depths; depth <= (depths == 9 ? 15 : depths); depth++)                              \
            checkscale_fir(c->scalar->name, c->level->name, in_bits, out_bytes, depth, &c->seed);            \
    }
#define CHECK_ROWS(name, kind, bytes)                                                                        \
    static void check_##name(check *c)                                                                       \
    {                                                                                                        \
        checkscale_##kind(c->scalar->name, c->level->name, bytes, &c->seed);                                 \
    }
CHECK_FIR(fir_in8, 8, 2, 8)
CHECK_FIR(fir_in16, 16, 2, 9)
CHECK_FIR(fir_deep_in, 16, 4, 16)
CHECK_FIR(fir_out8, 16, 1, 8)
CHECK_FIR(fir_out16, 16, 2, 9)
CHECK_FIR(fir_deep_out, 32, 2, 16)
CHECK_ROWS(extremes8, extremes, 1)
CHECK_ROWS(extremes16, extremes, 2)
CHECK_ROWS(limit8, limit, 1)
CHECK_ROWS(limit16, limit, 2)
CHECK_ROWS(zip8, zip, 1)
CHECK_ROWS(zip16, zip, 2)
CHECK_ROWS(unzip8, unzip, 1)
CHECK_ROWS(unzip16, unzip, 2)
CHECK_ROWS(blend8, blend, 1)
CHECK_ROWS(blend16, blend, 2)

#define CHECK_Q8(name)                                                                                       \
    static void check_q8_##name(check *c)                                                                    \
    {                                                                                                        \
        checkq8_##name(c->scalar, c->level, &c->seed);                                                       \
    }
CHECK_Q8(load8)
CHECK_Q8(load16)
CHECK_Q8(first)
CHECK_Q8(conv)
CHECK_Q8(sums)
CHECK_Q8(base)
CHECK_Q8(finish8)
CHECK_Q8(finish16)
CHECK_Q8(peak)

#define CHECK_HALF(name)                                                                                     \
    static void check_half_##name(check *c)                                                                  \
    {                                                                                                        \
        checkhalf_##name(c->scalar, c->level, &c->seed);                                                     \
    }
CHECK_HALF(conv)
CHECK_HALF(widen)
CHECK_HALF(narrow)
CHECK_HALF(peak)

static void check_peak(check *c)
{
    float sink[16] = {0};
    int64_t macs = c->level->peak(1000, sink);
    assert_true(macs >= 1000 && macs % 1000 == 0);
    assert_true(isfinite(sink[0]));
}

static void check_level(int cpu)
{
    sh_dsp scalar, level;
    sh_dsp_select(&scalar, SPYHOP_CPU_C);
    sh_dsp_select(&level, cpu);
    check c = {&scalar, &level, (uint32_t)cpu + 1};
#define SH_KERNEL(name, type)                                                                                \
    if (cpu != SPYHOP_CPU_C && (void *)level.name == (void *)scalar.name)                                    \
        fail_msg("%s has no form of its own at %s", #name, spyhop_cpu_name(cpu));                            \
    check_##name(&c);
#include "engine/dsp/kernels.inc"
#undef SH_KERNEL
    check_conv_cuts(&c);
}

static void scalar_kernels(void **state)
{
    (void)state;
    check_level(SPYHOP_CPU_C);
}

enum { VNNI_KERNELS = 4 }; /* what a level with dot products has of its own: q8_first, conv, sums, peak */
enum { FP16_KERNELS = 2 }; /* and one that computes in halves: half_conv, peak */

/* A level that the machine lacks is told and left out. own: kernels that are not those of `below`; 0: all. */
static void try_level(int cpu, int below, int own)
{
    sh_dsp here, lower;
    int differ = 0, all = 0;
    if (!sh_cpu_has(cpu)) {
        print_message("this machine has no %s: not checked\n", spyhop_cpu_name(cpu));
        skip();
    }
    sh_dsp_select(&here, cpu);
    sh_dsp_select(&lower, below);
#define SH_KERNEL(name, type)                                                                                \
    differ += here.name != lower.name;                                                                       \
    all++;
#include "engine/dsp/kernels.inc"
#undef SH_KERNEL
    assert_int_equal(differ, own ? own : all);
    check_level(cpu);
}

static void avx2_kernels(void **state)
{
    (void)state;
    try_level(SPYHOP_CPU_AVX2, SPYHOP_CPU_C, 0);
}

static void avxvnni_kernels(void **state)
{
    (void)state;
    try_level(SPYHOP_CPU_AVXVNNI, SPYHOP_CPU_AVX2, VNNI_KERNELS);
}

static void avx512_kernels(void **state)
{
    (void)state;
    try_level(SPYHOP_CPU_AVX512, SPYHOP_CPU_AVX2, 0);
}

static void avx512vnni_kernels(void **state)
{
    (void)state;
    try_level(SPYHOP_CPU_AVX512VNNI, SPYHOP_CPU_AVX512, VNNI_KERNELS);
}

static void avx512fp16_kernels(void **state)
{
    (void)state;
    try_level(SPYHOP_CPU_AVX512FP16, SPYHOP_CPU_AVX512VNNI, FP16_KERNELS);
}

static void peak_is_measured(void **state)
{
    double rate = 0;
    (void)state;
    for (sh_peak_kind kind = SH_PEAK_SINGLE; kind <= SH_PEAK_HALF; kind++) {
        assert_int_equal(sh_peak_measure(SPYHOP_CPU_C, kind, 2, 0.01, &rate, NULL), SH_OK);
        assert_true(rate > 0 && rate < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_kernels),     cmocka_unit_test(avx2_kernels),
        cmocka_unit_test(avxvnni_kernels),    cmocka_unit_test(avx512_kernels),
        cmocka_unit_test(avx512vnni_kernels), cmocka_unit_test(avx512fp16_kernels),
        cmocka_unit_test(peak_is_measured)};
    return cmocka_run_group_tests_name("engine/dsp", tests, NULL, NULL);
}
