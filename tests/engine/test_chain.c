/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks in eight-bit integers: every level's bits against scalar C's, scalar C's pictures against the same
 * network in floats, and every way to cut a picture against every other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "chainmake.h"
#include "picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const chain_form small = {.scale = 2, .channels = 8, .inner = 1, .seed = 3};

static spyhop_context *open_as(const spyhop_model *model, int precision, int cpu)
{
    spyhop_context *context = NULL;
    spyhop_settings settings;
    sh_err err = {0};
    spyhop_settings_default(&settings);
    settings.precision = precision;
    settings.cpu = cpu;
    settings.threads = 1;
    if (sh_context_open(&context, model, &settings, 0, &err) < 0)
        fail_msg("%s", err.message);
    return context;
}

static spyhop_model *quantised_model(const chain_form *form)
{
    spyhop_model *model = chain_model(form);
    assert_non_null(model->chain);
    return model;
}

/* Smooth waves with edges and a little noise: what a network is for. */
static void fill_scene(picture *p, uint32_t seed)
{
    unsigned peak = (1u << p->plane.depth) - 1;
    for (int y = 0; y < p->plane.height; y++)
        for (int x = 0; x < p->plane.width; x++) {
            double v =
                0.5 + 0.25 * sin(x * 0.31 + seed) * cos(y * 0.23) + ((x / 9 + y / 7) % 2 ? 0.15 : -0.1);
            unsigned value = (unsigned)((v + (double)nm_uniform(&seed, -0.03f, 0.03f)) * peak);
            size_t at = (size_t)y * (size_t)p->plane.width + (size_t)x;
            if (p->plane.depth > 8)
                ((uint16_t *)p->plane.data)[at] = (uint16_t)value;
            else
                ((uint8_t *)p->plane.data)[at] = (uint8_t)value;
        }
}

/* In code values of 8 bits. */
static void check_floats(const chain_form *form, int width, int height, int depth, double worst_allowed,
                         double mean_allowed)
{
    spyhop_model *model = quantised_model(form);
    spyhop_context *whole = open_as(model, SPYHOP_PRECISION_AUTO, SPYHOP_CPU_AUTO);
    spyhop_context *floats = open_as(model, SPYHOP_PRECISION_FP32, SPYHOP_CPU_AUTO);
    picture in = picture_new(width, height, depth, 0, 0);
    double worst = 0, sum = 0, unit = 255.0 / ((1 << depth) - 1);
    fill_scene(&in, form->seed);
    picture a = picture_run(whole, &in, form->scale), b = picture_run(floats, &in, form->scale);
    for (int y = 0; y < a.plane.height; y++)
        for (int x = 0; x < a.plane.width; x++) {
            double d = fabs((double)picture_sample(&a, y, x) - (double)picture_sample(&b, y, x)) * unit;
            worst = fmax(worst, d);
            sum += d;
        }
    sum /= (double)a.plane.width * a.plane.height;
    if (worst > worst_allowed || sum > mean_allowed)
        fail_msg("scale %d, %d channels, %d inner, depth %d: off by %g, by %g in the mean", form->scale,
                 form->channels, form->inner, depth, worst, sum);
    picture_free(&in);
    picture_free(&a);
    picture_free(&b);
    spyhop_close(&whole);
    spyhop_close(&floats);
    spyhop_model_free(&model);
}

static void close_to_the_floats(void **state)
{
    (void)state;
    for (int scale = 1; scale <= 4; scale++)
        for (int depth = 8; depth <= 16; depth += depth == 12 ? 4 : 2) {
            chain_form form = {scale, 16, 4, scale % 2, 0, (uint32_t)(scale * 20 + depth), depth / 2 % 2};
            check_floats(&form, 61, 37, depth, 2, 0.25);
        }
    check_floats(&(chain_form){2, 16, 11, 1, 0, 9}, 64, 64, 8, 2, 0.3);
    check_floats(&(chain_form){2, 12, 7, 0, 0, 12, 1}, 64, 64, 8, 2, 0.3);
    check_floats(&(chain_form){2, 32, 2, 0, 0, 10}, 64, 64, 8, 2, 0.25);
    check_floats(&(chain_form){2, 8, 0, 0, 0, 11}, 64, 64, 16, 1, 0.1);
    for (int size = 1; size < 20; size++)
        check_floats(&(chain_form){2, 16, 3, 0, 0, (uint32_t)size, 1}, size, size * 5 % 11 + 1, 8, 1, 0.3);
}

/* The same bits from all levels, on noise that drives sums to their ends. */
static void check_levels(const chain_form *form, int width, int height, int depth)
{
    spyhop_model *model = quantised_model(form);
    picture first = {.memory = NULL}, in = picture_new(width, height, depth, 0, 0);
    picture_fill(&in, 77);
    for (int cpu = SPYHOP_CPU_C; cpu <= SPYHOP_CPU_AVX512FP16; cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        spyhop_context *context = open_as(model, SPYHOP_PRECISION_INT8, cpu);
        picture out = picture_run(context, &in, form->scale);
        if (first.memory && !picture_same(&first, &out))
            fail_msg("%d x %d, scale %d, depth %d: %s differs from c", width, height, form->scale, depth,
                     spyhop_cpu_name(cpu));
        if (first.memory)
            picture_free(&out);
        else
            first = out;
        spyhop_close(&context);
    }
    picture_free(&first);
    picture_free(&in);
    spyhop_model_free(&model);
}

static void levels_give_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 32; i++) {
        chain_form form = {1 + i % 4, 4 + i * 3 % 8 * 4, 1 + i % 5, i / 4 % 2,
                           i / 8 % 2, (uint32_t)i + 1,   i / 2 % 2};
        check_levels(&form, 40 + i * 5, 11 + i, 8 + i % 9);
    }
}

static void any_size(void **state)
{
    (void)state;
    for (int size = 1; size <= 40; size++) {
        chain_form form = small;
        form.scale = 1 + size % 4;
        form.mirrors = size / 4 % 2;
        check_levels(&form, size, 1 + size * 7 % 13, 8);
        check_levels(&form, 1 + size * 5 % 11, size, 16);
    }
    check_levels(&small, 1, 1, 8);
    check_levels(&small, 1, 300, 8);
    check_levels(&small, 700, 1, 10);
}

static void check_ways(const chain_form *form, int width, int height, int depth, int cpu)
{
    static const struct {
        int threads, rows;
        size_t cache;
    } ways[] = {{1, 0, 0}, {1, 1, 1}, {2, 3, 1}, {3, 7, 60000}, {5, 0, 1}, {2, 1000, 100000}};
    spyhop_model *model = quantised_model(form);
    picture in = picture_new(width, height, depth, 0, 0), first = {.memory = NULL};
    picture_fill(&in, 99);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        spyhop_context *context = picture_open(model, cpu, ways[i].threads, ways[i].rows, ways[i].cache);
        picture out = picture_run(context, &in, form->scale), again = picture_run(context, &in, form->scale);
        assert_true(picture_same(&out, &again));
        picture_free(&again);
        if (i > 0 && !picture_same(&first, &out))
            fail_msg("way %zu gives another picture (%s, %d x %d)", i, spyhop_cpu_name(cpu), width, height);
        if (i == 0)
            first = out;
        else
            picture_free(&out);
        spyhop_close(&context);
    }
    picture_free(&first);
    picture_free(&in);
    spyhop_model_free(&model);
}

static void cuts_change_nothing(void **state)
{
    (void)state;
    for (int cpu = SPYHOP_CPU_AVX2; cpu <= SPYHOP_CPU_AVX512FP16; cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        check_ways(&(chain_form){2, 16, 4, 1, 0, 4}, 333, 41, 8, cpu);
        check_ways(&(chain_form){3, 16, 2, 0, 0, 5}, 200, 23, 16, cpu);
        check_ways(&(chain_form){1, 8, 11, 0, 0, 6}, 130, 9, 10, cpu);
        check_ways(&(chain_form){4, 8, 0, 0, 0, 7}, 97, 17, 8, cpu);
        check_ways(&(chain_form){2, 12, 7, 0, 0, 8, 1}, 301, 29, 8, cpu);
        check_ways(&(chain_form){1, 8, 12, 0, 0, 9, 1}, 100, 5, 12, cpu);
        check_ways(&(chain_form){3, 8, 20, 0, 0, 10, 1}, 98, 3, 8, cpu);
    }
    check_ways(&small, 50, 13, 8, SPYHOP_CPU_C);
}

static int border_at(int at, int size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

static int mirror_at(int at, int size)
{
    while (at < 0 || at >= size)
        at = at < 0 ? -1 - at : 2 * size - 1 - at;
    return at;
}

/* A small picture against the same one continued by hand. The base repeats the border in both; for the
 * outermost sample of the result that is not what stands there in the mirror image. */
static void check_borders(int precision, int mirrors, int width, int height)
{
    enum { BY = 12 };
    int skip = mirrors;
    spyhop_model *model = quantised_model(&(chain_form){2, 16, 4, 0, 0, 21, mirrors});
    spyhop_context *context = open_as(model, precision, SPYHOP_CPU_AUTO);
    picture in = picture_new(width, height, 8, 0, 0),
            wide = picture_new(width + 2 * BY, height + 2 * BY, 8, 0, 0);
    picture_fill(&in, 5);
    for (int y = 0; y < wide.plane.height; y++)
        for (int x = 0; x < wide.plane.width; x++) {
            int sy = mirrors ? mirror_at(y - BY, height) : border_at(y - BY, height);
            int sx = mirrors ? mirror_at(x - BY, width) : border_at(x - BY, width);
            wide.memory[y * wide.plane.width + x] = in.memory[sy * width + sx];
        }
    picture a = picture_run(context, &in, 2), b = picture_run(context, &wide, 2);
    for (int y = skip; y < 2 * height - skip; y++)
        for (int x = skip; x < 2 * width - skip; x++)
            assert_int_equal(picture_sample(&a, y, x), picture_sample(&b, y + 2 * BY, x + 2 * BY));
    picture_free(&in);
    picture_free(&wide);
    picture_free(&a);
    picture_free(&b);
    spyhop_close(&context);
    spyhop_model_free(&model);
}

static void pictures_go_on_beyond_borders(void **state)
{
    (void)state;
    for (int precision = SPYHOP_PRECISION_FP32; precision <= SPYHOP_PRECISION_INT8; precision++)
        for (int mirrors = 0; mirrors < 2; mirrors++) {
            check_borders(precision, mirrors, 19, 7);
            check_borders(precision, mirrors, 3, 40);
            check_borders(precision, mirrors, 2, 1);
        }
}

static void check_flat(const chain_form *form, int depth, int step)
{
    spyhop_model *model = quantised_model(form);
    spyhop_context *context = open_as(model, SPYHOP_PRECISION_INT8, SPYHOP_CPU_AUTO);
    picture in = picture_new(19, 3, depth, 0, 0);
    for (int value = 0; value < 1 << depth;
         value += value + step < 1 << depth || value + 1 == 1 << depth ? step : (1 << depth) - 1 - value) {
        for (int i = 0; i < 19 * 3; i++)
            if (depth > 8)
                ((uint16_t *)in.plane.data)[i] = (uint16_t)value;
            else
                ((uint8_t *)in.plane.data)[i] = (uint8_t)value;
        picture out = picture_run(context, &in, form->scale);
        for (int y = 0; y < out.plane.height; y++)
            for (int x = 0; x < out.plane.width; x++)
                assert_int_equal(picture_sample(&out, y, x), value);
        picture_free(&out);
    }
    picture_free(&in);
    spyhop_close(&context);
    spyhop_model_free(&model);
}

static void flat_stays_exact(void **state)
{
    (void)state;
    for (int scale = 1; scale <= 4; scale++) {
        chain_form form = {scale, 16, 3, scale % 2, 0, (uint32_t)scale + 30, scale / 2 % 2};
        check_flat(&form, 8, 1);
        check_flat(&form, 10, 1);
        check_flat(&form, 9 + scale, 7);
        check_flat(&form, 16, scale == 2 ? 11 : 251);
    }
}

/* Rows with bytes between them, and bottom-up rows: the same samples, and not one byte more is written. */
static void strides(void **state)
{
    (void)state;
    for (int way = 0; way < 16; way++) {
        int depth = way & 1 ? 12 : 8, extra = 14, flip_in = way >> 1 & 1, flip_out = way >> 2 & 1;
        chain_form form = small;
        form.scale = 2 + way / 8;
        spyhop_model *model = quantised_model(&form);
        spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, 2, 3, 0);
        spyhop_error error;
        picture tight = picture_new(21, 11, depth, 0, 0), in = picture_new(21, 11, depth, extra, flip_in);
        picture out = picture_new(21 * form.scale, 11 * form.scale, depth, extra, flip_out);
        picture_fill(&tight, 8);
        picture_fill(&in, 8);
        picture expected = picture_run(context, &tight, form.scale);
        assert_int_equal(spyhop_run(context, &in.plane, &out.plane, &error), SPYHOP_OK);
        assert_true(picture_same(&expected, &out));
        size_t stride = out.size / (size_t)out.plane.height;
        for (int y = 0; y < out.plane.height; y++)
            for (int i = 0; i < extra; i++)
                assert_int_equal(out.memory[(size_t)(y + 1) * stride - 1 - (size_t)i], 0xa5);
        picture_free(&tight);
        picture_free(&in);
        picture_free(&out);
        picture_free(&expected);
        spyhop_close(&context);
        spyhop_model_free(&model);
    }
}

/* What is no chain runs in floats, and does not run in integers. */
static void others_run_in_floats(void **state)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_settings settings;
    spyhop_context *context = NULL;
    spyhop_error error;
    nm_model net;
    (void)state;
    nm_fast(&net, 1, 2);
    spyhop_model *model = picture_model(&net);
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    assert_int_equal(info.precision, SPYHOP_PRECISION_FP32);
    spyhop_settings_default(&settings);
    settings.precision = SPYHOP_PRECISION_INT8;
    assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_E_UNSUPPORTED);
    assert_null(context);
    settings.precision = 17;
    assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_E_ARGUMENT);
    settings.precision = SPYHOP_PRECISION_AUTO;
    assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_OK);
    assert_int_equal(spyhop_get_settings(context, &settings), SPYHOP_OK);
    assert_int_equal(settings.precision, SPYHOP_PRECISION_FP32);
    spyhop_close(&context);
    spyhop_model_free(&model);
    nm_free(&net);
    model = quantised_model(&small);
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    assert_int_equal(info.precision, SPYHOP_PRECISION_INT8);
    spyhop_model_free(&model);
}

/* The cubic kernel with a = -12: none of its taps is 2 or more, and all together are more than 32 bits hold
 * of samples of 16. */
static void make_base_loud(sh_graph_resize *resize)
{
    const double a = -12;
    for (int phase = 0; phase < resize->factor; phase++)
        for (int k = 0; k < resize->count; k++) {
            double d = fabs((phase + 0.5) / resize->factor - 0.5 - (resize->first + k)), tap = 0;
            if (d < 1)
                tap = ((a + 2) * d - (a + 3)) * d * d + 1;
            else if (d < 2)
                tap = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
            resize->taps[phase][k] = (float)tap;
        }
}

/* Scales between which no 16-bit factor lies: the network is no chain, and says so instead of being wrong. */
static void odd_scales_are_left_to_floats(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        spyhop_model *model = quantised_model(&(chain_form){2, 8, 1, 0, 0, 8});
        sh_chain *chain = NULL;
        for (int n = 0; n < model->graph->node_count; n++) {
            sh_graph_node *node = &model->graph->nodes[n];
            if (node->op == SH_OP_QUANT && n > 4)
                node->quant.scale = i == 0 ? 1e-30f : i == 1 ? 1e-6f : node->quant.scale;
            if (node->op == SH_OP_CONV && node->conv.q_scales && i == 2)
                ((float *)node->conv.q_scales)[3] *= 1e-4f;
            if (node->op == SH_OP_PAD && i == 3)
                node->pad.mode = SH_PAD_REFLECT;
            if (node->op == SH_OP_RESIZE && i == 4)
                make_base_loud(&node->resize);
        }
        assert_int_equal(sh_chain_new(&chain, model->graph, NULL), SH_OK);
        assert_null(chain);
        spyhop_model_free(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(close_to_the_floats),
                                       cmocka_unit_test(levels_give_the_same_bits),
                                       cmocka_unit_test(any_size),
                                       cmocka_unit_test(cuts_change_nothing),
                                       cmocka_unit_test(pictures_go_on_beyond_borders),
                                       cmocka_unit_test(flat_stays_exact),
                                       cmocka_unit_test(strides),
                                       cmocka_unit_test(others_run_in_floats),
                                       cmocka_unit_test(odd_scales_are_left_to_floats)};
    return cmocka_run_group_tests_name("engine/chain", tests, NULL, NULL);
}
