/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine's pictures against the direct evaluation of the same networks, and against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "picture.h"
#include <stdlib.h>
#include <string.h>

/* A result rounded to nearest is at most half a code value off, plus what single precision costs. */
static void check_net(const nm_model *net, int width, int height, int depth, int cpu, double tolerance)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_model *model = picture_model(net);
    spyhop_context *context = picture_open(model, cpu, 2, 1 + width % 5, 1);
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    picture in = picture_new(width, height, depth, 0, 0);
    picture_fill(&in, (uint32_t)(width * 31 + height));
    picture out = picture_run(context, &in, info.scale);
    double distance = picture_distance(net, &in, &out);
    if (distance > tolerance)
        fail_msg("%d x %d at depth %d, %s: off by %g", width, height, depth, spyhop_cpu_name(cpu), distance);
    picture_free(&in);
    picture_free(&out);
    spyhop_close(&context);
    spyhop_model_free(&model);
}

static void each_level(const nm_model *net, int width, int height, int depth, double tolerance)
{
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++)
        if (spyhop_cpu_supported(cpu))
            check_net(net, width, height, depth, cpu, tolerance);
}

static void the_fast_network(void **state)
{
    nm_model net;
    (void)state;
    nm_fast(&net, 4, 7);
    each_level(&net, 37, 29, 8, 0.501);
    each_level(&net, 37, 29, 16, 2.5);
    each_level(&net, 37, 29, 10, 0.6);
    nm_free(&net);
}

static void any_size(void **state)
{
    nm_model net;
    (void)state;
    nm_fast(&net, 1, 3);
    for (int size = 1; size <= 9; size++) {
        each_level(&net, size, 1, 8, 0.501);
        each_level(&net, 1, size, 8, 0.501);
        each_level(&net, size, 10 - size, 8, 0.501);
    }
    nm_free(&net);
}

/* Tiles narrower than the picture, at every place a border can have in a vector. */
static void any_width(void **state)
{
    nm_model net;
    (void)state;
    nm_fast(&net, 1, 4);
    for (int width = 96; width <= 208; width += 7)
        each_level(&net, width, 5, 8, 0.501);
    nm_free(&net);
}

static void random_networks(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        nm_model net;
        nm_random(&net, seed);
        for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++)
            if (spyhop_cpu_supported(cpu))
                check_net(&net, 1 + (int)(seed * 7 % 23), 1 + (int)(seed * 5 % 17), 16, cpu, 2.5);
        nm_free(&net);
    }
}

/* A size in the file is an example: any other runs too. */
static void told_sizes_do_not_bind(void **state)
{
    nm_model net;
    (void)state;
    nm_fast(&net, 1, 3);
    net.fixed_side = 24;
    each_level(&net, 24, 24, 8, 0.501);
    each_level(&net, 31, 5, 8, 0.501);
    nm_free(&net);
}

/* The same bits however the picture is cut and whoever runs it. */
static void check_invariance(const nm_model *net, int cpu, int width, int height, int depth)
{
    static const struct {
        int threads, rows;
        size_t cache;
    } ways[] = {{1, 1, 1}, {2, 3, 1}, {3, 7, 40000}, {1, 0, 1}, {5, 0, 0}, {2, 1000, 100000}};
    spyhop_model *model = picture_model(net);
    spyhop_model_info info = {.size = sizeof(info)};
    picture in = picture_new(width, height, depth, 0, 0), first = {.memory = NULL};
    picture_fill(&in, 99);
    spyhop_model_describe(model, &info);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        spyhop_context *context = picture_open(model, cpu, ways[i].threads, ways[i].rows, ways[i].cache);
        picture out = picture_run(context, &in, info.scale);
        if (i > 0 && !picture_same(&first, &out))
            fail_msg("way %zu gives another picture (%s)", i, spyhop_cpu_name(cpu));
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

static void threads_and_bands_change_nothing(void **state)
{
    nm_model net;
    (void)state;
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        nm_fast(&net, 2, 5);
        check_invariance(&net, cpu, 333, 21, 8);
        check_invariance(&net, cpu, 200, 40, 16);
        nm_free(&net);
        for (uint32_t seed = 400; seed < 420; seed++) {
            nm_random(&net, seed);
            check_invariance(&net, cpu, 131, 13, 16);
            nm_free(&net);
        }
    }
}

static void levels_agree(void **state)
{
    nm_model net;
    picture first = {.memory = NULL}, in = picture_new(150, 60, 8, 0, 0);
    (void)state;
    nm_fast(&net, 4, 11);
    spyhop_model *model = picture_model(&net);
    picture_fill(&in, 5);
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        spyhop_context *context = picture_open(model, cpu, 1, 0, 0);
        picture out = picture_run(context, &in, 2);
        for (int y = 0; first.memory && y < out.plane.height; y++)
            for (int x = 0; x < out.plane.width; x++)
                assert_true(abs((int)picture_sample(&first, y, x) - (int)picture_sample(&out, y, x)) <= 1);
        if (first.memory)
            picture_free(&out);
        else
            first = out;
        spyhop_close(&context);
    }
    picture_free(&first);
    picture_free(&in);
    spyhop_model_free(&model);
    nm_free(&net);
}

/* A base without a residual: every flat picture stays what it is, at its borders too. */
static void flat_stays_exact(void **state)
{
    nm_model net = {
        .opset = 13, .input_channels = 1, .output_channels = 1, .input = "input", .output = "output"};
    (void)state;
    nm_constant(&net, "scales", 1, (const int64_t[]){4}, (const float[]){1, 1, 2, 2});
    nm_node *resize = nm_add(&net, "Resize", "output", "input", "", "scales");
    nm_string(resize, "mode", "cubic");
    nm_float(resize, "cubic_coeff_a", -0.5f);
    spyhop_model *model = picture_model(&net);
    for (int cpu = SPYHOP_CPU_C; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        spyhop_context *context = picture_open(model, cpu, 1, 0, 0);
        for (int value = 0; value < 256; value++) {
            picture in = picture_new(19, 3, 8, 0, 0);
            memset(in.memory, value, in.size);
            picture out = picture_run(context, &in, 2);
            for (size_t i = 0; i < out.size; i++)
                assert_int_equal(out.memory[i], value);
            picture_free(&in);
            picture_free(&out);
        }
        spyhop_close(&context);
    }
    spyhop_model_free(&model);
    nm_free(&net);
}

/* A network that only repeats samples, in each way that ONNX knows to choose them: at every width down to one
 * column a flat picture stays flat. */
static void nearest_stays_within(void **state)
{
    static const char *const places[] = {"half_pixel", "asymmetric", "tf_half_pixel_for_nn"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    (void)state;
    for (int way = 0; way < 3 * 4 * 3; way++) {
        const int scale = 1 + way / 12;
        nm_model net = {
            .opset = 13, .input_channels = 1, .output_channels = 1, .input = "input", .output = "output"};
        nm_constant(&net, "scales", 1, (const int64_t[]){4},
                    (const float[]){1, 1, (float)scale, (float)scale});
        nm_node *resize = nm_add(&net, "Resize", "output", "input", "", "scales");
        nm_string(resize, "mode", "nearest");
        nm_string(resize, "coordinate_transformation_mode", places[way % 3]);
        nm_string(resize, "nearest_mode", roundings[way / 3 % 4]);
        spyhop_model *model = picture_model(&net);
        spyhop_context *context = picture_open(model, SPYHOP_CPU_C, 1, 0, 0);
        for (int width = 1; width < 4; width++) {
            picture in = picture_new(width, 2, 8, 0, 0);
            memset(in.memory, 200, in.size);
            picture out = picture_run(context, &in, scale);
            for (size_t i = 0; i < out.size; i++)
                assert_int_equal(out.memory[i], 200);
            picture_free(&in);
            picture_free(&out);
        }
        spyhop_close(&context);
        spyhop_model_free(&model);
        nm_free(&net);
    }
}

/* Rows with bytes between them, and bottom-up rows: the same samples, and not one byte more is written. */
static void strides(void **state)
{
    nm_model net;
    (void)state;
    nm_fast(&net, 1, 2);
    spyhop_model *model = picture_model(&net);
    spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, 2, 3, 0);
    for (int way = 0; way < 8; way++) {
        int depth = way & 1 ? 12 : 8, extra = 14, flip_in = way >> 1 & 1, flip_out = way >> 2 & 1;
        spyhop_error error;
        picture tight = picture_new(21, 11, depth, 0, 0), in = picture_new(21, 11, depth, extra, flip_in);
        picture out = picture_new(42, 22, depth, extra, flip_out);
        picture_fill(&tight, 8);
        picture_fill(&in, 8);
        picture expected = picture_run(context, &tight, 2);
        assert_int_equal(spyhop_run(context, &in.plane, &out.plane, &error), SPYHOP_OK);
        assert_true(picture_same(&expected, &out));
        for (int y = 0; y < 22; y++)
            for (int i = 0; i < extra; i++)
                assert_int_equal(out.memory[(size_t)(y + 1) * (out.size / 22) - 1 - (size_t)i], 0xa5);
        picture_free(&tight);
        picture_free(&in);
        picture_free(&out);
        picture_free(&expected);
    }
    spyhop_close(&context);
    spyhop_model_free(&model);
    nm_free(&net);
}

static void three_planes(void **state)
{
    static const int64_t pads[4] = {1, 1, 1, 1};
    nm_model net = {
        .opset = 13, .input_channels = 3, .output_channels = 3, .input = "input", .output = "output"};
    float weights[3 * 3 * 9] = {0};
    spyhop_error error;
    (void)state;
    for (int c = 0; c < 3; c++) /* the planes move on by one: 0 to 1, 1 to 2, 2 to 0 */
        weights[(((c + 1) % 3) * 3 + c) * 9 + 4] = 1;
    nm_constant(&net, "w", 4, (const int64_t[]){3, 3, 3, 3}, weights);
    nm_ints(nm_add(&net, "Conv", "output", "input", "w", NULL), "pads", 4, pads);
    spyhop_model *model = picture_model(&net);
    spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, 2, 0, 0);
    picture in[3], out[3];
    spyhop_plane ins[3], outs[3];
    for (int c = 0; c < 3; c++) {
        in[c] = picture_new(33, 9, 8, 0, 0);
        out[c] = picture_new(33, 9, 8, 0, 0);
        picture_fill(&in[c], (uint32_t)c + 1);
        ins[c] = in[c].plane;
        outs[c] = out[c].plane;
    }
    assert_int_equal(spyhop_run(context, ins, outs, &error), SPYHOP_E_ARGUMENT);
    assert_int_equal(spyhop_run_planes(context, ins, outs, 3, &error), SPYHOP_OK);
    for (int c = 0; c < 3; c++)
        assert_true(picture_same(&in[c], &out[(c + 1) % 3]));
    for (int c = 0; c < 3; c++) {
        picture_free(&in[c]);
        picture_free(&out[c]);
    }
    spyhop_close(&context);
    spyhop_model_free(&model);
    nm_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_network),
        cmocka_unit_test(any_size),
        cmocka_unit_test(any_width),
        cmocka_unit_test(random_networks),
        cmocka_unit_test(levels_agree),
        cmocka_unit_test(threads_and_bands_change_nothing),
        cmocka_unit_test(flat_stays_exact),
        cmocka_unit_test(nearest_stays_within),
        cmocka_unit_test(strides),
        cmocka_unit_test(three_planes),
        cmocka_unit_test(told_sizes_do_not_bind),
    };
    return cmocka_run_group_tests_name("engine/run", tests, NULL, NULL);
}
