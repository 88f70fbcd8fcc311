/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Halves are whole multiples of 2^-24 and their products of 2^-48, so that a multiply-add of halves is exact
 * in integers of 128 bits and rounded there by hand: nothing here shares the arithmetic that it checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "checkhalf.h"
#include "engine/act.h"
#include "guard.h"
#include "netmodel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 200, ROWS = 160, OUTPUTS = 24, INFINITE = 0x7c00 };

typedef __int128 wide;

/* In units of 2^-24. */
static int64_t units(sh_half h)
{
    int exponent = h >> 10 & 31, bits = h & 1023;
    int64_t size = exponent ? (int64_t)(bits | 1024) << (exponent - 1) : bits;
    return h & 0x8000 ? -size : size;
}

/* Of units of 2^-48. */
static sh_half rounded(wide v)
{
    unsigned __int128 size = v < 0 ? (unsigned __int128)-v : (unsigned __int128)v;
    sh_half sign = v < 0 ? 0x8000 : 0;
    int shift = 24;
    while (size >> shift >= 2048)
        shift++;
    uint64_t whole = (uint64_t)(size >> shift);
    unsigned __int128 rest = size - ((unsigned __int128)whole << shift),
                      tie = (unsigned __int128)1 << (shift - 1);
    whole += rest > tie || (rest == tie && whole % 2);
    if (whole == 2048) {
        whole = 1024;
        shift++;
    }
    if (whole < 1024)
        return (sh_half)(sign | whole);
    return (sh_half)(sign | (shift - 23 >= 31 ? INFINITE : (unsigned)(shift - 23) << 10 | (whole & 1023)));
}

static sh_half exact_fma(sh_half a, sh_half b, sh_half c)
{
    if ((c & INFINITE) == INFINITE)
        return c;
    return rounded((wide)units(a) * units(b) + (wide)units(c) * ((wide)1 << 24));
}

static float exact_float(sh_half h)
{
    float size = (h & INFINITE) == INFINITE ? INFINITY : (float)ldexp((double)llabs(units(h)), -24);
    return h & 0x8000 ? -size : size;
}

static float exact_conv(const sh_half_conv *conv, sh_half *const *in, int o, int x)
{
    int rows = conv->kernel_h * conv->inputs, kw = conv->kernel_w;
    const uint32_t *w = conv->weights + (size_t)(o / 4 * rows * kw) * 4 + o % 4;
    float total = 0;
    for (int first = 0; first < rows; first += conv->group_rows) {
        sh_half sum = 0;
        for (int row = first; row < rows && row < first + conv->group_rows; row++)
            for (int kx = 0; kx < kw; kx++)
                sum = exact_fma((sh_half)w[(row * kw + kx) * 4], in[row][x + kx], sum);
        total += exact_float(sum);
    }
    float v = total * conv->scale[o];
    v += conv->bias[o];
    switch (conv->act) {
    case SH_ACT_RELU:
        return v > 0 ? v : 0;
    case SH_ACT_SLOPE:
        return v < 0 ? v * conv->slope[o] : v;
    case SH_ACT_CLIP:
        return fminf(fmaxf(v, conv->low), conv->high);
    default:
        return conv->act == SH_ACT_BIAS ? v + conv->slope[o] : v;
    }
}

/* One that is not a number has no bits of its own. */
static sh_half finite_half(uint32_t *seed, int wild)
{
    uint32_t bits = nm_next(seed) >> 3;
    sh_half h = (sh_half)bits;
    if (!wild)
        return sh_half_of(nm_uniform(seed, -1, 1));
    if (wild == 2) /* few bits and like exponents: many ties */
        return (sh_half)((h & 0x83e0) | (10 + (bits >> 16) % 10) << 10);
    return (h & INFINITE) == INFINITE ? (sh_half)(h ^ 0x4000) : h;
}

typedef struct rows {
    guard in[ROWS], out[2][OUTPUTS];
    sh_half *ins[ROWS];
    void *outs[2][OUTPUTS];
    int in_count, out_count;
} rows;

static void rows_new(rows *r, const sh_half_conv *conv, int n, int wild, uint32_t *seed)
{
    size_t size = conv->single ? sizeof(float) : sizeof(sh_half);
    r->in_count = conv->kernel_h * conv->inputs;
    r->out_count = conv->outputs;
    for (int i = 0; i < r->in_count; i++) {
        int count = n + conv->kernel_w - 1;
        r->in[i] = guard_new((size_t)count * sizeof(sh_half));
        r->ins[i] = (sh_half *)r->in[i].start;
        for (int x = 0; x < count; x++)
            r->ins[i][x] = finite_half(seed, wild);
    }
    for (int k = 0; k < 2; k++)
        for (int o = 0; o < r->out_count; o++) {
            r->out[k][o] = guard_new((size_t)n * size);
            r->outs[k][o] = r->out[k][o].start;
        }
}

static void rows_free(rows *r)
{
    for (int i = 0; i < r->in_count; i++) {
        assert_true(guard_intact(&r->in[i]));
        guard_free(&r->in[i]);
    }
    for (int k = 0; k < 2; k++)
        for (int o = 0; o < r->out_count; o++) {
            assert_true(guard_intact(&r->out[k][o]));
            guard_free(&r->out[k][o]);
        }
}

/* Level against scalar, and where `exact` is set both against whole numbers. */
static void check_rows(const sh_dsp *scalar, const sh_dsp *level, const sh_half_conv *conv, int n, int wild,
                       int exact, uint32_t *seed)
{
    rows r;
    rows_new(&r, conv, n, wild, seed);
    scalar->half_conv(r.outs[0], (const sh_half *const *)r.ins, conv, n);
    level->half_conv(r.outs[1], (const sh_half *const *)r.ins, conv, n);
    for (int o = 0; o < conv->outputs; o++) {
        for (int x = 0; exact && x < n; x++) {
            float v = exact_conv(conv, r.ins, o, x);
            sh_half h = sh_half_of(v);
            int same = conv->single ? memcmp((float *)r.outs[0][o] + x, &v, sizeof(v)) == 0
                                    : ((sh_half *)r.outs[0][o])[x] == h;
            if (!same)
                fail_msg("%dx%d %d->%d, n %d: output %d column %d is not %a", conv->kernel_h, conv->kernel_w,
                         conv->inputs, conv->outputs, n, o, x, (double)v);
        }
        assert_memory_equal(r.out[0][o].start, r.out[1][o].start, r.out[0][o].size);
    }
    rows_free(&r);
}

static void check_shape(const sh_dsp *scalar, const sh_dsp *level, int inputs, int outputs, int kh, int kw,
                        uint32_t *seed)
{
    size_t size = sh_conv_packed_size(outputs, inputs, kh, kw), lanes = (size_t)(outputs + 3) / 4 * 4;
    float *weights = calloc(size, sizeof(float)), *constants = calloc(3 * lanes, sizeof(float));
    uint32_t *packed = malloc(size * sizeof(uint32_t));
    assert_true(weights && constants && packed);
    for (int i = 0; i < inputs * outputs * kh * kw; i++)
        weights[i] = nm_uniform(seed, -1, 1);
    sh_half_pack(packed, constants, weights, outputs, inputs, kh, kw);
    for (size_t i = lanes; i < 3 * lanes; i++)
        constants[i] = nm_uniform(seed, -1, 1);
    sh_half_conv conv = {.inputs = inputs,
                         .outputs = outputs,
                         .kernel_h = kh,
                         .kernel_w = kw,
                         .blocks = (int)lanes / 4,
                         .weights = packed,
                         .scale = constants,
                         .bias = constants + lanes,
                         .slope = constants + 2 * lanes,
                         .low = -0.5f,
                         .high = 0.75f};
    for (int n = 1; n <= WIDEST; n += n < 40 ? 1 : 7) {
        conv.act = n % 5;
        conv.single = n / 5 % 2;
        conv.group_rows = 1 + n % (kh * inputs);
        check_rows(scalar, level, &conv, n, 0, n % 16 == 3, seed);
    }
    free(weights);
    free(constants);
    free(packed);
}

/* Products and sums of any halves there are: ties, what is below the smallest, what is beyond the largest. */
static void check_wild(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    const float ones[4] = {1, 1, 1, 1}, zeros[4] = {0};
    for (int round = 0; round < 100; round++) {
        uint32_t weights[3 * 4] = {0};
        for (int i = 0; i < 12; i++)
            weights[i] = finite_half(seed, 1 + round % 2) * (uint32_t)0x10001;
        sh_half_conv conv = {1, 4, 1, 3, 1, 1, 1, weights, ones, zeros, SH_ACT_NONE, zeros, 0, 0};
        check_rows(scalar, level, &conv, 97, 1 + round % 2, 1, seed);
    }
}

/* What a cut may not change: column x of a row is column 0 of the row from x on, to the bit. */
static void check_cuts(const sh_dsp *level, uint32_t *seed)
{
    sh_half in[6][WIDEST + 2], whole[4][WIDEST], part[4][WIDEST];
    float weights[4 * 6 * 3], scale[4], bias[4] = {0.1f, 0.2f, 0.3f, 0.4f};
    uint32_t packed[4 * 6 * 3];
    const sh_half *ins[6];
    void *wholes[4], *parts[4];
    for (int i = 0; i < 72; i++)
        weights[i] = nm_uniform(seed, -1, 1);
    sh_half_pack(packed, scale, weights, 4, 6, 1, 3);
    sh_half_conv conv = {6, 4, 1, 3, 1, 4, 0, packed, scale, bias, SH_ACT_RELU, bias, 0, 0};
    for (int i = 0; i < 6; i++) {
        ins[i] = in[i];
        for (int x = 0; x < WIDEST + 2; x++)
            in[i][x] = finite_half(seed, 0);
    }
    for (int o = 0; o < 4; o++) {
        wholes[o] = whole[o];
        parts[o] = part[o];
    }
    level->half_conv(wholes, ins, &conv, WIDEST);
    for (int x = 1; x < WIDEST; x++) {
        for (int i = 0; i < 6; i++)
            ins[i] = in[i] + x;
        level->half_conv(parts, ins, &conv, WIDEST - x);
        for (int o = 0; o < 4; o++)
            assert_memory_equal(part[o], whole[o] + x, (size_t)(WIDEST - x) * sizeof(sh_half));
    }
}

/* The largest weight of an output is brought to 1/8 .. 1/4, and none is off by more than its last bit. */
static void check_pack(uint32_t *seed)
{
    static const float sizes[] = {1, 1e-6f, 300, 1e-30f, 1e30f, 0};
    float weights[6 * 5], scale[6];
    uint32_t packed[8 * 5];
    for (int o = 0; o < 6; o++)
        for (int i = 0; i < 5; i++)
            weights[o * 5 + i] = sizes[o] * nm_uniform(seed, -1, 1);
    sh_half_pack(packed, scale, weights, 6, 5, 1, 1);
    for (int o = 0; o < 6; o++) {
        float most = 0;
        for (int i = 0; i < 5; i++) {
            uint32_t pair = packed[(o / 4 * 5 + i) * 4 + o % 4];
            float v = exact_float((sh_half)pair);
            assert_int_equal(pair & 0xffff, pair >> 16);
            assert_true(fabsf(v * scale[o] - weights[o * 5 + i]) <= 0x1p-14f * scale[o]);
            most = fmaxf(most, fabsf(v));
        }
        assert_true(o == 5 ? most == 0 : most >= 0.125f && most <= 0.25f);
    }
}

void checkhalf_conv(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    check_shape(scalar, level, 16, 16, 3, 3, seed);
    check_shape(scalar, level, 50, 4, 3, 3, seed);
    check_shape(scalar, level, 4, 13, 5, 1, seed);
    check_shape(scalar, level, 7, 24, 1, 1, seed);
    check_shape(scalar, level, 2, 8, 2, 7, seed);
    check_shape(scalar, level, 3, 1, 3, 5, seed);
    check_shape(scalar, level, 1, 1, 3, 3, seed);
    check_wild(scalar, level, seed);
    check_cuts(level, seed);
    check_pack(seed);
}

void checkhalf_widen(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    enum { ALL = 1 << 16 };
    sh_half *in = malloc(ALL * sizeof(*in));
    float *out[2] = {malloc(ALL * sizeof(float)), malloc(ALL * sizeof(float))};
    (void)seed;
    assert_true(in && out[0] && out[1]);
    for (int i = 0; i < ALL; i++)
        in[i] = (sh_half)i;
    scalar->half_widen(out[0], in, ALL);
    level->half_widen(out[1], in, ALL);
    for (int i = 0; i < ALL; i++) {
        float exact = exact_float(in[i]);
        int number = (i & 0x7fff) <= INFINITE;
        assert_true(number ? memcmp(&exact, &out[0][i], 4) == 0 : isnan(out[0][i]));
        assert_true(number ? memcmp(&exact, &out[1][i], 4) == 0 : isnan(out[1][i]));
    }
    for (int n = 1; n <= WIDEST; n++) {
        guard from = guard_new((size_t)n * sizeof(*in)), to = guard_new((size_t)n * sizeof(float));
        memcpy(from.start, in + n * 100, from.size);
        level->half_widen((float *)to.start, (sh_half *)from.start, n);
        assert_memory_equal(to.start, out[0] + n * 100, to.size);
        assert_true(guard_intact(&from) && guard_intact(&to));
        guard_free(&from);
        guard_free(&to);
    }
    free(in);
    free(out[0]);
    free(out[1]);
}

/* Halves, what lies just beside and halfway between two of them, and what lies outside. */
static float any_float(uint32_t *seed)
{
    static const float odd[] = {1e30f,  -1e30f,   INFINITY, -INFINITY,   65504,      65519.996f,
                                65520,  -65520,   0x1p-24f, 0x1p-25f,    0x1.8p-24f, -0x1p-25f,
                                1e-40f, -0x0p+0f, 0x1p-14f, 0x1.ffcp-15f};
    uint32_t pick = nm_next(seed) >> 5;
    sh_half h = finite_half(seed, 1);
    float v = exact_float(h), next = exact_float((sh_half)(h + 1));
    if (pick % 8 == 0)
        return odd[pick / 8 % 16];
    if (pick % 8 < 4)
        return isfinite(next) && next * v > 0 ? (v + next) / 2 : v;
    return pick % 8 == 4 ? v
                         : nextafterf(v, pick % 8 == 5 ? 1e30f : -1e30f) + (pick % 8 == 6 ? v * 0.0002f : 0);
}

static sh_half exact_narrow(float v)
{
    if (!(v > -SH_HALF_LARGEST))
        return 0xfbff;
    if (v >= SH_HALF_LARGEST)
        return 0x7bff;
    /* what lies below 2^-48 matters only by being there: the last bit stands for it */
    double scaled = ldexp((double)v, 48), whole = trunc(scaled);
    wide size = (wide)fabs(whole) | (scaled != whole);
    return (sh_half)(rounded(size) | (signbit(v) ? 0x8000 : 0));
}

void checkhalf_narrow(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    for (int round = 0; round < 4; round++)
        for (int n = 1; n <= WIDEST; n++) {
            sh_half expected[WIDEST];
            guard in = guard_new((size_t)n * sizeof(float)), out = guard_new((size_t)n * sizeof(sh_half));
            float *row = (float *)in.start;
            for (int x = 0; x < n; x++)
                row[x] = any_float(seed);
            row[n / 2] = n % 16 ? row[n / 2] : NAN;
            scalar->half_narrow(expected, row, n);
            for (int x = 0; x < n; x++)
                if (expected[x] != exact_narrow(row[x]))
                    fail_msg("%a is %04x as a half, not %04x", (double)row[x], (unsigned)expected[x],
                             (unsigned)exact_narrow(row[x]));
            level->half_narrow((sh_half *)out.start, row, n);
            assert_memory_equal(expected, out.start, out.size);
            assert_true(guard_intact(&in) && guard_intact(&out));
            guard_free(&in);
            guard_free(&out);
        }
}

void checkhalf_peak(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    float sink[16] = {0};
    int64_t macs = level->half_peak(1000, sink);
    (void)scalar;
    (void)seed;
    assert_true(macs >= 1000 && macs % 1000 == 0);
    assert_true(isfinite(sink[0]));
}
