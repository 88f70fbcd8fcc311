/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures through a scaler: every layout, depth, siting and scale against the definition in doubles; what
 * stays exact, what is limited, and what the result may not depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "netmodel.h"
#include "picture.h"
#include "whole.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static spyhop_scaling scaling_of(const spyhop_format *in, int scale)
{
    spyhop_scaling s;
    spyhop_scaling_default(&s);
    s.in = *in;
    s.scale = scale;
    return s;
}

/* ---- Lanczos ---- */

static double tolerance(int depth)
{
    return depth < 16 ? 0.5 + 0.002 * (1 << (depth - 8)) + 0.05 : 2;
}

/* Coefficients of 14 bits are off by 2^-15 at most, eleven of which meet a sample. */
static void assert_lanczos(const whole *in, const whole *out, int scale)
{
    for (int c = 0; c < 4; c++) {
        int width, height;
        whole_size(&out->format, c, &width, &height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                double wanted = whole_lanczos(in, &out->format, scale, c, x, y);
                int low = 0, high = 1 << 16, got = whole_get(out, c, x, y);
                if (in->format.range == SPYHOP_LIMITED && c < 3)
                    whole_limits(in, &out->format, scale, c, x, y, &low, &high);
                wanted = wanted < low ? low : wanted > high ? high : wanted;
                if (fabs(got - wanted) >
                    tolerance(in->format.depth) + 4.0 * (1 << in->format.depth) / (1 << 14))
                    fail_msg("layout %d, depth %d, siting %d, scale %d, channel %d at %d,%d: %d, not %.2f",
                             in->format.layout, in->format.depth, in->format.siting, scale, c, x, y, got,
                             wanted);
            }
    }
}

static void enlarge_and_compare(const spyhop_format *format, const spyhop_format *to, int scale,
                                uint32_t seed)
{
    spyhop_scaling s = scaling_of(format, scale);
    if (to) {
        s.convert = 1;
        s.out = *to;
    }
    spyhop_scaler *scaler = whole_open(NULL, &s, 2, SPYHOP_CPU_AUTO);
    whole in = whole_new(format, 2, seed % 2);
    whole_fill(&in, seed);
    whole out = whole_run(scaler, &in, 6, seed / 2 % 2);
    assert_lanczos(&in, &out, scale);
    assert_true(whole_gaps_intact(&out));
    whole_free(&in);
    whole_free(&out);
    spyhop_scaler_close(&scaler);
}

static void every_format_follows_the_definition(void **state)
{
    static const int depths[] = {8, 10, 15, 16};
    uint32_t seed = 1;
    (void)state;
    for (int layout = SPYHOP_GREY; layout <= SPYHOP_GBR; layout++)
        for (int siting = SPYHOP_LEFT; siting <= SPYHOP_BOTTOM; siting++)
            for (int scale = 1; scale <= 4; scale++) {
                spyhop_format f = whole_format(layout, depths[seed % 4], 37, 18 + (int)(seed % 3));
                f.siting = siting;
                f.range = (int)(seed / 3 % 2);
                f.alpha = seed % 5 == 0;
                f.semi = layout != SPYHOP_GREY && layout != SPYHOP_GBR && seed % 2;
                f.msb = (int)(seed / 2 % 2);
                enlarge_and_compare(&f, NULL, scale, seed++);
            }
}

static void every_size_works(void **state)
{
    uint32_t seed = 100;
    (void)state;
    for (int width = 1; width < 11; width++)
        for (int height = 1; height < 8; height++) {
            spyhop_format f = whole_format(seed % 2 ? SPYHOP_YUV420 : SPYHOP_YUV410, 8, width, height);
            f.range = SPYHOP_FULL;
            enlarge_and_compare(&f, NULL, 1 + (int)(seed % 8), seed);
            seed++;
        }
}

/* To another layout, siting and packing; chroma that would shrink is refused. */
static void layouts_are_converted(void **state)
{
    static const int every_across[] = {0, 2, 2, 1, 1, 4, 4}, every_down[] = {0, 2, 1, 1, 2, 1, 4};
    uint32_t seed = 300;
    int refused = 0;
    (void)state;
    for (int from = SPYHOP_YUV420; from <= SPYHOP_YUV410; from++)
        for (int to = SPYHOP_YUV420; to <= SPYHOP_YUV410; to++)
            for (int scale = 1; scale <= 4; scale++, seed++) {
                spyhop_format in = whole_format(from, seed % 3 ? 8 : 12, 41, 23), out = in;
                out.layout = to;
                out.width = out.height = 0;
                in.siting = (int)(seed % 6);
                out.siting = (int)(seed / 5 % 6);
                in.semi = (int)(seed % 2);
                out.msb = (int)(seed / 2 % 2);
                if (every_across[to] > scale * every_across[from] ||
                    every_down[to] > scale * every_down[from]) {
                    spyhop_scaling s = scaling_of(&in, scale);
                    spyhop_scaler *scaler = NULL;
                    spyhop_error error;
                    s.convert = 1;
                    s.out = out;
                    assert_int_equal(spyhop_scaler_open(&scaler, NULL, NULL, &s, &error),
                                     SPYHOP_E_UNSUPPORTED);
                    assert_non_null(strstr(error.message, "fewer chroma"));
                    refused++;
                } else {
                    enlarge_and_compare(&in, &out, scale, seed);
                }
            }
    assert_true(refused > 10);
}

static void missing_chroma_is_neutral(void **state)
{
    static const int flat[4] = {77, 512, 512, 0};
    (void)state;
    for (int semi = 0; semi < 2; semi++) {
        spyhop_format in = whole_format(SPYHOP_GREY, 10, 9, 5);
        spyhop_scaling s = scaling_of(&in, 2);
        s.convert = 1;
        s.out = whole_format(SPYHOP_YUV420, 10, 18, 10);
        s.out.semi = s.out.msb = semi;
        spyhop_scaler *scaler = whole_open(NULL, &s, 1, SPYHOP_CPU_AUTO);
        whole grey = whole_new(&in, 0, 0);
        whole_flat(&grey, flat);
        whole out = whole_run(scaler, &grey, 4, 0);
        assert_true(whole_is_flat(&out, flat) && whole_gaps_intact(&out));
        whole_free(&grey);
        whole_free(&out);
        spyhop_scaler_close(&scaler);
    }
}

static void restoring_leaves_chroma_alone(void **state)
{
    spyhop_format f = whole_format(SPYHOP_YUV420, 10, 35, 21);
    (void)state;
    f.alpha = 1;
    for (int packed = 0; packed < 2; packed++) {
        f.msb = f.semi = packed;
        spyhop_scaling s = scaling_of(&f, 1);
        spyhop_scaler *scaler = whole_open(NULL, &s, 2, SPYHOP_CPU_AUTO);
        whole in = whole_new(&f, 2, 0);
        whole_fill(&in, 5);
        whole out = whole_run(scaler, &in, 0, 1);
        assert_true(whole_same(&in, &out));
        whole_free(&in);
        whole_free(&out);
        spyhop_scaler_close(&scaler);
    }
}

/* ---- what stays exact ---- */

static void check_flat(int depth, int range, int scale, int step)
{
    spyhop_format f = whole_format(SPYHOP_YUV420, depth, 11, 7);
    f.range = range;
    f.alpha = 1;
    f.semi = scale % 2;
    f.msb = range;
    spyhop_scaling s = scaling_of(&f, scale);
    spyhop_scaler *scaler = whole_open(NULL, &s, 1, SPYHOP_CPU_AUTO);
    whole in = whole_new(&f, 0, 0);
    const int peak = (1 << depth) - 1;
    for (int v = 0; v <= peak; v = v < peak && v + step > peak ? peak : v + step) {
        const int values[4] = {v, peak - v, (v + peak / 3) % (peak + 1), (7 * v) % (peak + 1)};
        whole_flat(&in, values);
        whole out = whole_run(scaler, &in, 0, 0);
        assert_true(whole_is_flat(&out, values));
        whole_free(&out);
    }
    whole_free(&in);
    spyhop_scaler_close(&scaler);
}

static void flat_pictures_stay_flat(void **state)
{
    (void)state;
    for (int scale = 1; scale <= 4; scale++)
        for (int range = SPYHOP_LIMITED; range <= SPYHOP_FULL; range++) {
            check_flat(8, range, scale, 1);
            check_flat(10, range, scale, 1);
            check_flat(12, range, scale, 37);
            check_flat(15, range, scale, 997);
            check_flat(16, range, scale, 997);
        }
}

/* ---- networks ---- */

static spyhop_model *random_network(uint32_t seed)
{
    nm_model net;
    nm_fast(&net, 1, seed);
    spyhop_model *model = picture_model(&net);
    nm_free(&net);
    return model;
}

static whole run_with(const spyhop_model *model, const spyhop_scaling *s, const whole *in, int threads)
{
    spyhop_scaler *scaler = whole_open(model, s, threads, SPYHOP_CPU_AUTO);
    whole out = whole_run(scaler, in, 2, 0);
    spyhop_scaler_close(&scaler);
    return out;
}

/* The same network through spyhop_run. */
static whole plain_luma(const spyhop_model *model, const whole *in)
{
    spyhop_format f =
        whole_format(SPYHOP_GREY, in->format.depth, 2 * in->format.width, 2 * in->format.height);
    spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, 1, 0, 0);
    whole out = whole_new(&f, 0, 0);
    const spyhop_plane from = {in->picture.data[0], in->picture.stride[0], in->format.width,
                               in->format.height, in->format.depth};
    const spyhop_plane to = {out.picture.data[0], out.picture.stride[0], f.width, f.height, f.depth};
    assert_int_equal(spyhop_run(context, &from, &to, NULL), SPYHOP_OK);
    spyhop_close(&context);
    return out;
}

/* Random weights overshoot everywhere: what comes out is the network's, held to the limits and to nothing
 * else. */
static void luma_is_limited(void **state)
{
    spyhop_model *model = random_network(3);
    (void)state;
    for (int depth = 8; depth <= 12; depth += 2) {
        spyhop_format f = whole_format(SPYHOP_YUV420, depth, 45, 31);
        spyhop_scaling s = scaling_of(&f, 0);
        int limited = 0, beyond = 0;
        whole in = whole_new(&f, 2, 0);
        whole_fill(&in, 9);
        whole out = run_with(model, &s, &in, 2), plain = plain_luma(model, &in);
        for (int y = 0; y < 62; y++)
            for (int x = 0; x < 90; x++) {
                int low, high, value = whole_get(&plain, 0, x, y);
                whole_limits(&in, &out.format, 2, 0, x, y, &low, &high);
                limited += value < low || value > high;
                value = value < low ? low : value > high ? high : value;
                beyond += value < 16 << (depth - 8) || value > 235 << (depth - 8);
                assert_int_equal(whole_get(&out, 0, x, y), value);
            }
        assert_true(limited > 20 && beyond > 20);
        s.in.range = SPYHOP_FULL;
        whole full = run_with(model, &s, &in, 2);
        for (int y = 0; y < 62; y++)
            for (int x = 0; x < 90; x++)
                assert_int_equal(whole_get(&full, 0, x, y), whole_get(&plain, 0, x, y));
        whole_free(&in);
        whole_free(&out);
        whole_free(&plain);
        whole_free(&full);
    }
    spyhop_model_free(&model);
}

static void strength_blends(void **state)
{
    spyhop_model *model = random_network(4);
    (void)state;
    for (int depth = 8; depth <= 16; depth += 4) {
        spyhop_format f = whole_format(SPYHOP_GREY, depth, 33, 20);
        f.range = SPYHOP_FULL;
        spyhop_scaling s = scaling_of(&f, 2);
        whole in = whole_new(&f, 0, 0);
        whole_fill(&in, 11);
        whole all = run_with(model, &s, &in, 2);
        s.strength = 0;
        whole none = run_with(model, &s, &in, 2);
        s.strength = 0.3;
        whole some = run_with(model, &s, &in, 2);
        assert_false(whole_same(&all, &none));
        for (int y = 0; y < 40; y++)
            for (int x = 0; x < 66; x++) {
                int64_t base = whole_get(&none, 0, x, y), net = whole_get(&all, 0, x, y);
                assert_int_equal(whole_get(&some, 0, x, y), (base * (256 - 77) + net * 77 + 128) >> 8);
            }
        whole_free(&in);
        whole_free(&all);
        whole_free(&none);
        whole_free(&some);
    }
    spyhop_model_free(&model);
}

/* One network of three channels, and one of one channel on each. */
static void colours_are_in_order(void **state)
{
    nm_model net = {.opset = 13, .input_channels = 3, .output_channels = 3, .input = "in", .output = "out"};
    float weights[9] = {0.5f, 0, 0, 0, 1, 0, 0, 0, 0.25f};
    (void)state;
    nm_constant(&net, "w", 4, (const int64_t[]){3, 3, 1, 1}, weights);
    nm_add(&net, "Conv", "out", "in", "w", NULL);
    spyhop_model *model = picture_model(&net);
    nm_free(&net);
    spyhop_format f = whole_format(SPYHOP_GBR, 8, 5, 4);
    f.range = SPYHOP_FULL;
    spyhop_scaling s = scaling_of(&f, 0);
    whole in = whole_new(&f, 0, 0);
    whole_flat(&in, (const int[4]){100, 120, 200, 0});
    whole out = run_with(model, &s, &in, 1);
    assert_true(whole_is_flat(&out, (const int[4]){100, 30, 100, 0}));
    whole_free(&in);
    whole_free(&out);
    spyhop_model_free(&model);
    model = random_network(6);
    in = whole_new(&f, 0, 0);
    whole_fill(&in, 6);
    out = run_with(model, &s, &in, 2);
    whole plain = plain_luma(model, &in);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 10; x++)
            assert_int_equal(whole_get(&out, 0, x, y), whole_get(&plain, 0, x, y));
    whole_free(&in);
    whole_free(&out);
    whole_free(&plain);
    spyhop_model_free(&model);
}

/* ---- what the result may not depend on ---- */

/* Threads make the bands; a row that depended on its band would differ. */
static void nothing_else_matters(void **state)
{
    spyhop_model *model = random_network(8);
    static const int depths[] = {8, 10, 16};
    (void)state;
    for (int d = 0; d < 3; d++)
        for (int packed = 0; packed < 2; packed++) {
            spyhop_format f = whole_format(SPYHOP_YUV420, depths[d], 131, 150);
            f.alpha = 1;
            spyhop_scaling s = scaling_of(&f, 2);
            s.strength = 0.75;
            whole in = whole_new(&f, 0, 0);
            whole_fill(&in, 21);
            whole one = run_with(model, &s, &in, 1);
            s.in.semi = s.in.msb = packed;
            whole other = whole_new(&s.in, 10, 1);
            whole_fill(&other, 21);
            assert_true(whole_same(&in, &other));
            for (int threads = 2; threads <= 5; threads++) {
                whole again = run_with(model, &s, &other, threads);
                assert_true(whole_same(&one, &again) && whole_gaps_intact(&again));
                whole_free(&again);
            }
            whole_free(&in);
            whole_free(&other);
            whole_free(&one);
        }
    spyhop_model_free(&model);
}

static void levels_agree_to_the_bit(void **state)
{
    static const int depths[] = {8, 9, 14, 16};
    (void)state;
    for (int scale = 1; scale <= 5; scale++)
        for (int d = 0; d < 4; d++) {
            spyhop_format f = whole_format(SPYHOP_YUV420, depths[d], 203, 19);
            spyhop_scaling s = scaling_of(&f, scale);
            whole in = whole_new(&f, 0, 0);
            whole_fill(&in, 33);
            spyhop_scaler *scalar = whole_open(NULL, &s, 1, SPYHOP_CPU_C);
            whole wanted = whole_run(scalar, &in, 0, 0);
            for (int cpu = SPYHOP_CPU_AVX2; cpu <= spyhop_cpu_detect(); cpu++) {
                if (!spyhop_cpu_supported(cpu))
                    continue;
                spyhop_scaler *level = whole_open(NULL, &s, 1, cpu);
                whole got = whole_run(level, &in, 0, 0);
                assert_true(whole_same(&wanted, &got));
                whole_free(&got);
                spyhop_scaler_close(&level);
            }
            whole_free(&in);
            whole_free(&wanted);
            spyhop_scaler_close(&scalar);
        }
}

/* ---- several at once ---- */

typedef struct user {
    const spyhop_model *model;
    const whole *in, *wanted;
    int ok;
} user;

static void *use(void *opaque)
{
    user *u = opaque;
    spyhop_scaling s = scaling_of(&u->in->format, 2);
    u->ok = 1;
    for (int i = 0; i < 3; i++) {
        spyhop_scaler *scaler = whole_open(u->model, &s, 1 + i, SPYHOP_CPU_AUTO);
        for (int k = 0; k < 3; k++) {
            whole out = whole_run(scaler, u->in, 0, 0);
            u->ok = u->ok && whole_same(u->wanted, &out);
            whole_free(&out);
        }
        spyhop_scaler_close(&scaler);
    }
    return NULL;
}

static void many_scalers_share_a_model(void **state)
{
    enum { USERS = 4 };
    spyhop_model *model = random_network(12);
    spyhop_format f = whole_format(SPYHOP_YUV420, 8, 70, 50);
    spyhop_scaling s = scaling_of(&f, 2);
    pthread_t threads[USERS];
    user users[USERS];
    (void)state;
    whole in = whole_new(&f, 0, 0);
    whole_fill(&in, 2);
    whole wanted = run_with(model, &s, &in, 1);
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){model, &in, &wanted, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(users[i].ok);
    }
    whole_free(&in);
    whole_free(&wanted);
    spyhop_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_follows_the_definition),
        cmocka_unit_test(every_size_works),
        cmocka_unit_test(layouts_are_converted),
        cmocka_unit_test(missing_chroma_is_neutral),
        cmocka_unit_test(restoring_leaves_chroma_alone),
        cmocka_unit_test(flat_pictures_stay_flat),
        cmocka_unit_test(luma_is_limited),
        cmocka_unit_test(strength_blends),
        cmocka_unit_test(colours_are_in_order),
        cmocka_unit_test(nothing_else_matters),
        cmocka_unit_test(levels_agree_to_the_bit),
        cmocka_unit_test(many_scalers_share_a_model),
    };
    return cmocka_run_group_tests_name("engine/picture", tests, NULL, NULL);
}
