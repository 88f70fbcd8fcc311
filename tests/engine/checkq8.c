/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows as long as the contract of q8.h allows them to be read and written, and not a byte longer; weights
 * from small ones, all of which go in pairs, to the largest there are, none of which fit 16 bits even alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "checkq8.h"
#include "engine/dsp/q8_pack.h"
#include "guard.h"
#include "netmodel.h"
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 130, ROWS = 24, OUTPUTS = 32, ROOM = WIDEST + 32 };

static int whole(int n)
{
    return (n + SH_Q8_STEP - 1) / SH_Q8_STEP * SH_Q8_STEP;
}

static guard random_bytes(size_t size, uint32_t *seed)
{
    guard g = guard_new(size);
    for (size_t i = 0; i < size; i++)
        g.start[i] = (unsigned char)(nm_next(seed) >> 7);
    return g;
}

static void drop(guard *g, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(guard_intact(&g[i]));
        guard_free(&g[i]);
    }
}

/* The first `used` bytes of each row are the same. */
static void assert_rows(const guard *rows, uint8_t expected[][ROOM * 4], int count, size_t used)
{
    for (int i = 0; i < count; i++)
        assert_memory_equal(rows[i].start, expected[i], used);
}

static void check_load(sh_q8_load_fn scalar, sh_q8_load_fn level, size_t bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++) {
        int16_t expected[ROOM];
        guard in = random_bytes((size_t)n * bytes, seed), out = guard_new((size_t)whole(n) * sizeof(int16_t));
        scalar(expected, in.start, n);
        level((int16_t *)out.start, in.start, n);
        assert_memory_equal(expected, out.start, (size_t)n * sizeof(int16_t));
        drop(&in, 1);
        drop(&out, 1);
    }
}

void checkq8_load8(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    check_load(scalar->q8_load8, level->q8_load8, 1, seed);
}

void checkq8_load16(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    check_load(scalar->q8_load16, level->q8_load16, 2, seed);
}

/* Biases and factors, so that some results are clipped at either end and some are not. */
static void fill_ends(int32_t *bias, int16_t *factor, int outputs, int32_t size, uint32_t *seed)
{
    for (int o = 0; o < outputs; o++) {
        bias[o] = (int32_t)nm_uniform(seed, (float)-size, (float)size);
        for (int i = 0; i < 4; i++)
            factor[o * 4 + i] = (int16_t)(i ? factor[o * 4] : (int16_t)(nm_next(seed) >> 17));
    }
}

void checkq8_first(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    static uint8_t expected[OUTPUTS / 4][ROOM * 4];
    int16_t weights[SH_Q8_FIRST * OUTPUTS * 2], factor[OUTPUTS * 4];
    int32_t bias[OUTPUTS];
    for (int n = 1; n <= WIDEST; n++) {
        guard in[3], out[OUTPUTS / 4];
        const int16_t *ins[3];
        uint8_t *outs[OUTPUTS / 4], *scalars[OUTPUTS / 4];
        const sh_q8_first first = {4 + n % 8 * 4, weights, bias, factor, n % 4 * 3 + 12};
        for (int i = 0; i < SH_Q8_FIRST * OUTPUTS * 2; i++)
            weights[i] = i % 2 && i > 4 * 2 * first.outputs ? 0 : (int16_t)(nm_next(seed) >> (16 + n % 3));
        fill_ends(bias, factor, first.outputs, 1 << 24, seed);
        for (int i = 0; i < 3; i++) {
            in[i] = random_bytes((size_t)(whole(n) + 2) * sizeof(int16_t), seed);
            ins[i] = (const int16_t *)in[i].start;
        }
        for (int i = 0; i < first.outputs / 4; i++) {
            out[i] = guard_new((size_t)whole(n) * 4);
            outs[i] = out[i].start;
            scalars[i] = expected[i];
        }
        scalar->q8_first(scalars, ins, &first, n);
        level->q8_first(outs, ins, &first, n);
        assert_rows(out, expected, first.outputs / 4, (size_t)n * 4);
        drop(in, 3);
        drop(out, first.outputs / 4);
    }
}

/* A convolution with weights of at most `size`, packed and paired. */
typedef struct network {
    sh_q8_conv conv;
    int8_t weights[2 * OUTPUTS * 9 * ROWS / 3 * 4];
    sh_q8_tap taps[2 * OUTPUTS * ROWS];
    sh_q8_pass pass[2 * OUTPUTS / 4];
    int32_t bias[OUTPUTS];
    int16_t factor[OUTPUTS * 4];
} network;

static void check_passes(const sh_q8_conv *conv)
{
    for (int i = 0; i < sh_q8_lanes(conv) / 4; i++) {
        const sh_q8_pass *pass = &conv->pass[i];
        int64_t sums[4][4] = {{0}};
        for (int t = 0; t < pass->runs[0] + 2 * pass->runs[1] + 3 * pass->runs[2]; t++)
            for (int w = 0; w < 16; w++)
                sums[w / 4][w % 4] += pass->taps[t].weights[w / 4][w % 4];
        for (int o = 0; o < 4; o++)
            for (int c = 0; c < 4; c++)
                for (int at = 0; at < 9 * conv->groups; at++)
                    sums[o][c] -= conv->weights[(at * sh_q8_lanes(conv) + i * 4 + o) * 4 + c];
        for (int w = 0; w < 16; w++)
            assert_int_equal(sums[w / 4][w % 4], 0);
    }
}

static void make_network(network *net, int groups, int outputs, int split, int size, uint32_t *seed)
{
    static int8_t plain[sizeof(net->weights)];
    net->conv = (sh_q8_conv){.groups = groups,
                             .outputs = outputs,
                             .split = split,
                             .weights = net->weights,
                             .pass = net->pass,
                             .bias = net->bias,
                             .factor = net->factor,
                             .shift = 3 + (int)(nm_next(seed) >> 8) % 6};
    for (size_t i = 0; i < sh_q8_weights_size(&net->conv); i++)
        plain[i] = (int8_t)(size > 127 ? (nm_next(seed) & 64 ? -128 : 127)
                                       : (int)((nm_next(seed) >> 9) % (unsigned)(2 * size + 1)) - size);
    fill_ends(net->bias, net->factor, outputs, 1 << 16, seed);
    sh_q8_pack(net->weights, plain, &net->conv);
    sh_q8_pair(&net->conv, net->pass, net->taps);
    assert_true(sh_q8_pair_room(&net->conv) <= sizeof(net->taps) / sizeof(net->taps[0]));
    check_passes(&net->conv);
}

/* sums: the sums themselves are wanted. */
static void check_rows(const sh_dsp *scalar, const sh_dsp *level, const network *net, int n, int sums,
                       int bright, uint32_t *seed)
{
    static uint8_t expected[OUTPUTS][ROOM * 4];
    guard in[ROWS], out[OUTPUTS];
    const uint8_t *ins[ROWS];
    void *outs[OUTPUTS], *scalars[OUTPUTS];
    int rows = 3 * net->conv.groups, count = sums ? net->conv.outputs : net->conv.outputs / 4;
    for (int i = 0; i < rows; i++) {
        in[i] = random_bytes((size_t)(whole(n) + 2) * 4, seed);
        if (bright)
            memset(in[i].start, 255, in[i].size);
        ins[i] = in[i].start;
    }
    for (int i = 0; i < count; i++) {
        out[i] = guard_new((size_t)whole(n) * 4);
        outs[i] = out[i].start;
        scalars[i] = expected[i];
    }
    if (sums) {
        scalar->q8_sums((int32_t *const *)scalars, ins, &net->conv, n);
        level->q8_sums((int32_t *const *)outs, ins, &net->conv, n);
    } else {
        scalar->q8_conv((uint8_t *const *)scalars, ins, &net->conv, n);
        level->q8_conv((uint8_t *const *)outs, ins, &net->conv, n);
    }
    assert_rows(out, expected, count, (size_t)n * 4);
    drop(in, rows);
    drop(out, count);
}

static const int sizes[] = {127, 20, 60, 128};

void checkq8_conv(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    static network net;
    for (int n = 1; n <= WIDEST; n++) {
        make_network(&net, 1 + n % 8, 4 + n / 8 % 8 * 4, 0, sizes[n % 4], seed);
        check_rows(scalar, level, &net, n, 0, n / 4 % 2, seed);
    }
}

void checkq8_sums(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    static network net;
    for (int n = 1; n <= WIDEST; n++) {
        make_network(&net, 1 + n % 8, 4 + n / 2 % 4 * 4, n % 2, sizes[n / 3 % 4], seed);
        check_rows(scalar, level, &net, n, 1, n / 4 % 2, seed);
    }
}

void checkq8_base(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    static float expected[SH_Q8_SCALE][ROOM];
    for (int n = 1; n <= WIDEST; n++) {
        sh_q8_base base = {.factor = 1 + n % SH_Q8_SCALE};
        guard in = random_bytes((size_t)(whole(n) + 5) * sizeof(int16_t), seed), out[SH_Q8_SCALE];
        float *outs[SH_Q8_SCALE], *scalars[SH_Q8_SCALE];
        for (int j = 0; j < base.factor; j++) {
            base.start[j] = (n + j) % 3;
            for (int k = 0; k < 4; k++)
                base.taps[j][k] = (int16_t)(nm_next(seed) % 32768 - 16384);
            out[j] = guard_new((size_t)whole(n) * sizeof(float));
            outs[j] = (float *)out[j].start;
            scalars[j] = expected[j];
        }
        scalar->q8_base(scalars, (int16_t *)in.start, &base, n);
        level->q8_base(outs, (int16_t *)in.start, &base, n);
        for (int j = 0; j < base.factor; j++)
            assert_memory_equal(expected[j], out[j].start, (size_t)n * sizeof(float));
        drop(&in, 1);
        drop(out, base.factor);
    }
}

/* Results that land between two codes, far outside, and on the ends. */
static void check_finish(sh_q8_finish_fn scalar, sh_q8_finish_fn level, int factor, int n, int bytes,
                         uint32_t *seed)
{
    static uint8_t expected[ROOM * SH_Q8_SCALE * 2];
    guard out = guard_new((size_t)(n * factor * bytes)), base[4 * SH_Q8_SCALE], sums[SH_Q8_SCALE];
    const float *bases[4 * SH_Q8_SCALE];
    const int32_t *rows[SH_Q8_SCALE];
    sh_q8_finish f = {.factor = factor, .taps = {-0.0625f, 0.5f, 0.625f, -0.0625f}, .offset = 3};
    f.peak = bytes == 1 ? 255 : n % 2 ? 1023 : 65535;
    for (int i = 0; i < 4 * factor; i++) {
        base[i] = guard_new((size_t)whole(n) * sizeof(float));
        bases[i] = (float *)base[i].start;
        for (int x = 0; x < whole(n); x++)
            ((float *)base[i].start)[x] =
                (float)((int)(nm_next(seed) % (2 * (unsigned)f.peak)) - (int)f.peak / 2);
    }
    for (int j = 0; j < factor; j++) {
        sums[j] = guard_new((size_t)whole(n) * sizeof(int32_t));
        rows[j] = (int32_t *)sums[j].start;
        f.scale[j] = n % 3 ? 0.125f : nm_uniform(seed, 0.0001f, 0.5f);
        for (int x = 0; x < whole(n); x++)
            ((int32_t *)sums[j].start)[x] = (int32_t)(nm_next(seed) >> 20) - 2048;
    }
    scalar(expected, bases, rows, &f, n);
    level(out.start, bases, rows, &f, n);
    assert_memory_equal(expected, out.start, out.size);
    drop(&out, 1);
    drop(base, 4 * factor);
    drop(sums, factor);
}

void checkq8_finish8(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    for (int i = 0; i < 4 * WIDEST; i++)
        check_finish(scalar->q8_finish8, level->q8_finish8, 1 + i % 4, 1 + i / 4, 1, seed);
}

void checkq8_finish16(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    for (int i = 0; i < 4 * WIDEST; i++)
        check_finish(scalar->q8_finish16, level->q8_finish16, 1 + i % 4, 1 + i / 4, 2, seed);
}

void checkq8_peak(const sh_dsp *scalar, const sh_dsp *level, uint32_t *seed)
{
    int32_t sink[16] = {0};
    int64_t macs = level->q8_peak(1000, sink);
    (void)scalar;
    (void)seed;
    assert_true(macs >= 1000 && macs % 1000 == 0);
}
